"""Skin relief read from the shading of the photo, and wrinkles that follow the key expressions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray, check
from engine.detail.predictor import STATIC, DetailRequest, DetailResult
from engine.detail.shading import ShadingReading
from engine.detail.surface import mm_per_texel, wide_mean
from engine.detail.wrinkles import WrinkleField
from engine.detail.zones import Openings
from engine.fields import distance_inside, enlarged, smoothstep

_RIM_MM = (0.8, 4.5)  # relief fades between these distances from the chart's border, eyes and mouth
_SEEN_RAMP = (0.15, 0.7)
_MEAN_SIGMA_MM = 5.0  # neighbourhood in which relief has zero mean
_DEEPEST_MM = 0.6  # static relief ends here; folds over static lines approach this and the next together
_BEYOND_MM = 0.25
_HAIR_HIDES = 0.75  # share of invented folds that brows and lips suppress
_INVENTED_KNEE_MM = 0.02  # folds far shallower than this do not lower the confidence


class PhotometricPredictor:
    """Detail from the photo itself: fine relief where the skin's brightness varies quickly, 'dark is deep'.

    The brightness of skin under soft light falls in pores and folds, where less light arrives, so a band-pass of the
    log luminance, scaled to plausible depths, looks like the relief that caused it. It is a visual estimate and no
    measurement: moles, freckles and make-up read as relief as far as the masks do not stop them; a hard light from
    the side shifts valleys towards the shadow; the sign is a guess for features that shine; depth in mm is set by the
    typical size of skin features, not by the photo. The light's own gradient and any brightness change wider than
    about 8 mm are removed, hair, brows, lips and the rims of eyes and mouth are left flat, and what the photo does not
    resolve is left flat rather than made up.

    Source:
        Beeler et al., High-Quality Single-Shot Capture of Facial Geometry (SIGGRAPH 2010), mesoscopic augmentation.
        Ours: bands by real feature size, even symmetry against shadow edges, masks, scaling.
    """

    name: str = "photometric"

    def __init__(self, damping: FloatArray | None = None, seed: int = 0) -> None:
        """damping: (n, n) float32 in [0, 1] over the UV window, factor on all relief (0 on brows, lips, ...)."""
        self._damping = None if damping is None else check("damping", damping, (None, None))
        self._seed = seed
        self._last: _Reading | None = None

    def predict(self, request: DetailRequest) -> Iterator[DetailResult]:
        """Yield one result per key of the request, in its order; the next map is made when it is asked for."""
        reading = self._reading(request)
        for key in request.keys:
            if key == STATIC:
                yield DetailResult(key, reading.static_mm.copy(), reading.confidence.copy())
            elif not request.deformation_mm[key].any():
                yield DetailResult(key, reading.rest_mm.copy(), reading.confidence.copy())
            else:
                yield _expressed(key, reading, request)

    def steps(self, request: DetailRequest) -> Iterator[DetailResult | float]:
        """As ``predict``: a map is a matter of a tenth of a second."""
        return self.predict(request)

    def _reading(self, request: DetailRequest) -> _Reading:
        """The static part, made once for all requests about the same face."""
        source = (request.texture, request.visibility, request.skin, request.position_mm, request.worn_mm)
        last = self._last
        if last is None or any(old is not new for old, new in zip(last.source, source, strict=True)):
            wrinkles = WrinkleField(request.position_mm, request.skin, self._seed)
            static_mm, confidence, foldable = self._static(request)
            rest_mm = wrinkles.at_rest(static_mm, request.worn_mm)
            last = _Reading(source, static_mm, rest_mm, confidence, foldable, wrinkles)
            self._last = last
        return last

    def _static(self, request: DetailRequest) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Relief that the photo shows (n, n) mm, confidence (n, n), and where folds may be invented (n, n)."""
        texel_mm = mm_per_texel(request.position_mm, request.skin)
        allowed = _rim_fade(request, texel_mm)
        if self._damping is not None:
            allowed = allowed * enlarged(self._damping, len(allowed))
        seen = smoothstep(request.visibility, *_SEEN_RAMP) * request.skin
        if not seen.any():
            return np.zeros_like(allowed), np.zeros_like(allowed), allowed
        reading = ShadingReading.of(request.texture, seen, texel_mm)
        likeness = reading.skin_likeness(Openings.of(request.skin).brows())
        factor = seen * allowed * likeness
        relief = reading.relief_mm()
        # Zero mean in every neighbourhood: the mesh carries all that is wider.
        weight = np.maximum(factor, np.float32(1e-3)) * (seen > 0)
        relief = (relief - wide_mean(relief, weight, texel_mm, _MEAN_SIGMA_MM)) * factor
        foldable = allowed * (1.0 - _HAIR_HIDES * seen * (1.0 - likeness))
        return np.clip(relief, -_DEEPEST_MM, _DEEPEST_MM), factor, np.asarray(foldable, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """What is known about a face before any expression."""

    source: tuple[np.ndarray | None, ...]
    """The request's arrays that it was made from."""
    static_mm: FloatArray
    rest_mm: FloatArray
    """(n, n) float32 mm: without the folds of the expression in the photo."""
    confidence: FloatArray
    foldable: FloatArray
    """(n, n) float32 in [0, 1]: factor on invented folds."""
    wrinkles: WrinkleField


def _expressed(key: int, reading: _Reading, request: DetailRequest) -> DetailResult:
    """The map of one key expression; equal to that at rest wherever the skin is not deformed."""
    response = reading.wrinkles.respond(request.deformation_mm[key])
    folds = response.relief_mm * reading.foldable
    map_mm = reading.rest_mm * response.static_gain + folds
    excess = np.maximum(np.abs(map_mm) - np.float32(_DEEPEST_MM), 0.0)
    map_mm = np.clip(map_mm, -_DEEPEST_MM, _DEEPEST_MM) + np.sign(map_mm) * _BEYOND_MM * np.tanh(excess / _BEYOND_MM)
    invented = np.abs(folds) / (np.abs(folds) + np.abs(reading.rest_mm) + np.float32(_INVENTED_KNEE_MM))
    return DetailResult(key, np.asarray(map_mm, np.float32), np.asarray(reading.confidence * (1.0 - invented)))


def _rim_fade(request: DetailRequest, texel_mm: FloatArray) -> FloatArray:
    """0 at the border of the skin chart, 1 well inside: (n, n) float32."""
    framed = np.pad(request.skin.astype(np.uint8), 1)
    distance = distance_inside(framed)[1:-1, 1:-1]
    return smoothstep(distance * texel_mm, *_RIM_MM)
