"""What the brightness of skin says about its relief: bands by feature size, and where the skin is no plain skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray
from engine.detail.surface import ScaleLadder, differences, wide_mean
from engine.fields import blurred, disc, enlarged, reduced, smoothstep


@dataclass(frozen=True, slots=True)
class _Band:
    """One range of feature sizes."""

    inner_mm: float
    """Sigma of the narrow blur: about a quarter of the narrowest feature's width."""
    outer_mm: float
    valley_mm: float
    """Depth that strong valleys approach."""
    ridge_mm: float
    """Height that strong ridges approach: skin folds are sharp inwards and round outwards."""
    contrast: float
    """Log luminance that counts as strong in an average photo."""
    noise: float
    """Log luminance below which a signal is taken for noise or JPEG blocks."""


_PORES = _Band(0.13, 0.38, 0.05, 0.04, 0.07, 0.012)
_LINES = _Band(0.38, 1.0, 0.17, 0.08, 0.11, 0.022)
_WRINKLES = _Band(1.0, 2.2, 0.42, 0.14, 0.20, 0.03)
_BANDS = (_PORES, _LINES, _WRINKLES)

_CONTRAST_RANGE = (0.6, 1.6)  # how far a photo's own contrast may move a band's ``contrast``
_STRONG = 3.5  # robust standard deviations of a band that count as strong
_ORDINARY = 1.5  # robust standard deviations up to which a line is ordinary texture and mostly left out
_RESOLVED = (0.2, 0.6)  # spread of the pores over that of the lines: from not resolved to resolved
_ODD_WEIGHT = 0.6  # how hard shadow edges are told from valleys
_BLACK = 0.02  # linear light added before the logarithm, so that noise in shadows stays small
_DENOISE = (0.012, 0.04)  # log luminance that the edge-preserving filter may remove
_COHERENT_OVER = 1.6  # length, in outer sigmas, over which a line keeps its direction
_COHERENCE = (0.3, 0.75)

_AROUND_MM = 14.0  # sigma of the surroundings that hair and lips are judged against
_FOLD_WIDTH_MM = 4.5  # dark lines up to this width are folds, wider ones hair, brows and nostrils
_HAIR_DARKNESS = (0.3, 0.7)  # log luminance below the surroundings
_BROW_DARKNESS = (0.02, 0.2)  # the same where a brow is expected
_BROW_ANYWAY = 0.5  # share of the relief that goes there in any case
_LIP_REDNESS = (6.0, 13.0)  # CIELAB a above the surroundings
_GROWN_MM = 2.0  # both masks reach this far beyond what they found: relief of their edges is a halo
_MASK_REDUCTION = 4
_ROUGH = 2.5  # local contrast over the ordinary one that is still skin; beyond, it is turned down to this
_ROUGH_SIGMA_MM = 4.0

_BYTE = np.arange(256, dtype=np.float32) / 255.0
_LINEAR_OF_BYTE = np.where(_BYTE <= 0.04045, _BYTE / 12.92, ((_BYTE + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""sRGB (IEC 61966-2-1) to linear light."""
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ShadingReading:
    """The log luminance of a skin texture, and its redness, blurred at all scales."""

    brightness: ScaleLadder
    redness: ScaleLadder
    seen: BoolArray
    """(n, n) bool: texels that count in statistics."""
    texel_mm: FloatArray
    """(n, n) float32."""

    @classmethod
    def of(cls, texture: ByteArray, seen: FloatArray, texel_mm: FloatArray) -> ShadingReading:
        """Read a texture (n, n, 3) uint8 RGB where ``seen`` (n, n) is above 0."""
        import cv2

        brightness = np.log(_LINEAR_OF_BYTE[texture] @ _LUMINANCE + np.float32(_BLACK))
        brightness = _denoised(brightness, seen > 0.5)
        redness = cv2.cvtColor(texture, cv2.COLOR_RGB2LAB)[..., 1].astype(np.float32)
        weight = np.maximum(seen, 1e-3).astype(np.float32)
        return cls(
            brightness=ScaleLadder.build(brightness, weight, texel_mm, _AROUND_MM),
            redness=ScaleLadder.build(redness, weight, texel_mm, _AROUND_MM),
            seen=seen > 0.5,
            texel_mm=texel_mm,
        )

    def relief_mm(self) -> FloatArray:
        """Signed relief (n, n) mm before masks, band by band: dark is deep."""
        values = [self.brightness.at(band.inner_mm) - self.brightness.at(band.outer_mm) for band in _BANDS]
        spreads = [_spread(value[self.seen]) for value in values]
        relief = np.zeros_like(self.texel_mm)
        for value, spread, band in zip(values, spreads, _BANDS, strict=True):
            contrast = band.contrast * float(np.clip(_STRONG * spread / band.contrast, *_CONTRAST_RANGE))
            knee = band.noise if band is _PORES else max(band.noise, _ORDINARY * spread)
            cored = value * (value**2 / (value**2 + knee**2))
            if band is _PORES:
                # Neighbouring bands of real skin are about equally strong; a much weaker one was not resolved.
                cored *= smoothstep(np.float32(spread / max(spreads[1], 1e-6)), *_RESOLVED)
            else:
                cored *= self._evenness(value, band) * self._coherence(value, band)
            squashed = np.tanh(cored * self._calm(value, contrast / _STRONG) / contrast)
            relief += np.where(squashed < 0, band.valley_mm, band.ridge_mm) * squashed
        return relief

    def _evenness(self, value: FloatArray, band: _Band) -> FloatArray:
        """1 in the middle of valleys and ridges, small at the edge of a shadow, which is no valley: (n, n)."""
        right, up = differences(self.brightness.at(band.inner_mm)[..., None])
        slope = np.sqrt(right[..., 0] ** 2 + up[..., 0] ** 2) * (np.float32(band.outer_mm) / self.texel_mm)
        even, odd = value**2, (_ODD_WEIGHT * slope) ** 2
        return np.asarray((even + 1e-6) / (even + odd + 1e-6), np.float32)

    def _calm(self, value: FloatArray, ordinary: float) -> FloatArray:
        """Factor that keeps regions of more contrast than skin has (stubble, hair) from standing out: (n, n)."""
        weight = self.seen.astype(np.float32) + np.float32(1e-3)
        ratio = np.sqrt(wide_mean(value**2, weight, self.texel_mm, _ROUGH_SIGMA_MM)) / ordinary
        return np.asarray(_ROUGH / np.maximum(ratio, _ROUGH), np.float32)

    def _coherence(self, value: FloatArray, band: _Band) -> FloatArray:
        """1 along lines, 0 on spots and noise, which are no folds: (n, n).

        Source:
            Coherence of the structure tensor (Weickert, Anisotropic Diffusion in Image Processing, 1998).
        """
        right, up = (d[..., 0] for d in differences(value[..., None]))
        weight = self.seen.astype(np.float32) + np.float32(1e-3)
        reach = _COHERENT_OVER * band.outer_mm
        xx, yy, xy = (wide_mean(g, weight, self.texel_mm, reach) for g in (right * right, up * up, right * up))
        share = np.sqrt((xx - yy) ** 2 + 4.0 * xy**2) / (xx + yy + np.float32(1e-9))
        return smoothstep(share, *_COHERENCE)

    def skin_likeness(self, brows: FloatArray | None = None) -> FloatArray:
        """0 on hair, brows, nostrils and lips and close around them, 1 on plain skin: (n, n) float32, soft.

        brows: (n, n) float32 in [0, 1]: where brows are expected, so that even a thin dark line is one.
        """
        import cv2

        n = len(self.texel_mm)
        small = max(1, n // _MASK_REDUCTION)
        fine, wide, red, red_around = (
            reduced(ladder.at(sigma_mm), small)
            for ladder, sigma_mm in (
                (self.brightness, 0.7),
                (self.brightness, _AROUND_MM),
                (self.redness, 1.2),
                (self.redness, _AROUND_MM),
            )
        )
        texel_mm = float(np.median(self.texel_mm)) * n / small
        without_folds = cv2.morphologyEx(fine, cv2.MORPH_CLOSE, disc(_FOLD_WIDTH_MM / 2.0 / texel_mm))
        hair, lips = smoothstep(wide - without_folds, *_HAIR_DARKNESS), smoothstep(red - red_around, *_LIP_REDNESS)
        if brows is not None:
            dark = smoothstep(wide - fine, *_BROW_DARKNESS)
            hair = np.maximum(hair, reduced(brows, small) * (_BROW_ANYWAY + (1.0 - _BROW_ANYWAY) * dark))
        likeness = cv2.erode((1.0 - hair) * (1.0 - lips), disc(_GROWN_MM / texel_mm))
        return enlarged(blurred(np.asarray(likeness, np.float32), 0.5 * _GROWN_MM / texel_mm), n)


def _spread(values: FloatArray) -> float:
    """Robust standard deviation."""
    sample = values[:: max(1, len(values) // 50_000)]
    return 1.4826 * float(np.median(np.abs(sample - np.median(sample)))) if len(sample) else 0.0


def _denoised(brightness: FloatArray, seen: BoolArray) -> FloatArray:
    """The picture without noise, edges kept.

    Source:
        Guided filter with the picture as its own guide (He, Sun and Tang, ECCV 2010).
    """
    import cv2

    finest = brightness - blurred(brightness, 1.0)
    noise = float(np.clip(1.5 * _spread(finest[seen]), *_DENOISE))
    size = (5, 5)
    mean = cv2.blur(brightness, size)
    variance = np.maximum(cv2.blur(brightness**2, size) - mean**2, 0.0)
    gain = variance / (variance + noise**2)
    return np.asarray(cv2.blur(gain, size) * brightness + cv2.blur((1.0 - gain) * mean, size), np.float32)
