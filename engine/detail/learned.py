"""Detail from the open pack's own network, and the photometric method where its weights are missing."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.detail.inputs import (
    QUARTER,
    KeyField,
    key_field,
    mirrored_surface,
    surface_normals,
    surface_planes,
    texture_planes,
)
from engine.detail.map_cache import MapCache, cache_key
from engine.detail.photometric import PhotometricPredictor
from engine.detail.predictor import STATIC, DetailPredictor, DetailRequest, DetailResult
from engine.detail.surface import mm_per_texel, skin_at
from engine.detail.wrinkles import WrinkleField
from engine.errors import ModelFileError
from engine.fields import distance_inside, enlarged, smoothstep
from engine.resources import manifest, read_resource

if TYPE_CHECKING:
    import torch

    from engine.detail.network import DetailNetwork, Reading

WEIGHTS_FILE = "models/skin_detail.safetensors"
CARD_FILE = "models/skin_detail.json"
FALLBACK_NOTE = (
    "The learned detail network is missing or damaged: the photometric method, which is coarser, made the detail."
)

_RIM_MM = (0.5, 3.0)  # relief fades between these distances from the chart's border, eyes and mouth
_SEEN_RAMP = (0.05, 0.4)
_UNSEEN = 0.3  # share of the network's guess that stays on skin that the photo does not show
_SURE_MM = 0.04  # expected error at which the confidence is one half
_INVENTED_KNEE_MM = 0.02  # folds far shallower than this do not lower the confidence
_GUIDE_SEED = 0
_WORN = 2.0  # how much deeper full compression makes folds in a photo, as a share of their depth at rest
_RECIPE = 5  # part of the stored maps' names: raised when the same network and face give other maps
_DEEPEST_MM = 1.0

_log = logging.getLogger(__name__)


class LearnedPredictor:
    """Detail by a network that was trained on procedural skin (see ``engine.training.detail``).

    The face's texture is read once; each key expression then costs a small part of that. Where folds arise in skin that
    shows no line at rest, their place cannot be known: it comes from ``WrinkleField``, their depth from the network.
    """

    name = "learned"

    def __init__(
        self, network: DetailNetwork, version: str, *, device: str = "cpu", cache: MapCache | None = None
    ) -> None:
        """Use a network that ``load_detail_network`` gave.

        Args:
            network: on ``device``, ready for use.
            version: part of the name under which maps are stored.
            device: 'cpu' or 'cuda'.
            cache: where maps are kept between runs; None keeps none.
        """
        self._network = network
        self._version = version
        self._device = device
        self._cache = cache
        self._last: _Face | None = None
        self._last_rest: _Rest | None = None

    def predict(self, request: DetailRequest) -> Iterator[DetailResult]:
        """Yield one result per key of the request, in its order; the next map is made when it is asked for."""
        for key in request.keys:
            as_seen = key == STATIC or (request.worn_mm is None and not request.deformation_mm[key].any())
            yield self._stored(STATIC if as_seen else key, key, request)

    def steps(self, request: DetailRequest) -> Iterator[DetailResult | float]:
        """As ``predict``: a map is a matter of tenths of a second."""
        return self.predict(request)

    def _stored(self, key: int, asked: int, request: DetailRequest) -> DetailResult:
        """The map of one key, from the cache where it is there."""
        name = self._cache_name(key, request) if self._cache is not None else ""
        found = self._cache.get(name) if self._cache is not None else None
        if found is None or found.shape != (2, *request.skin.shape):
            found = self._as_seen(request) if key == STATIC else self._expressed(key, request)
            if self._cache is not None:
                self._cache.put(name, found)
        return DetailResult(asked, found[0].copy(), found[1].copy())

    def _as_seen(self, request: DetailRequest) -> FloatArray:
        """Map and confidence of the face as the photo shows it, (2, n, n)."""
        face = self._face(request)
        return np.stack([face.static_mm, face.confidence])

    def _expressed(self, key: int, request: DetailRequest) -> FloatArray:
        """Map and confidence of a key expression, (2, n, n); where nothing moves they are those at rest."""
        face = self._face(request)
        rest = self._rest(face, request)
        if not request.deformation_mm[key].any():
            return np.stack([rest.map_mm, face.confidence])
        field = key_field(rest.wrinkles, request.deformation_mm[key])
        relief = self._relief(rest.reading, field) * face.factor
        map_mm = np.clip(relief, -_DEEPEST_MM, _DEEPEST_MM)
        new = np.abs(map_mm - rest.map_mm)
        guided = enlarged(np.abs(field.guide), len(map_mm)) > 0.02
        invented = guided * new / (new + np.abs(rest.map_mm) + np.float32(_INVENTED_KNEE_MM))
        return np.stack([map_mm, face.confidence * (1.0 - invented)]).astype(np.float32)

    def _rest(self, face: _Face, request: DetailRequest) -> _Rest:
        """The face that its expressions start from, made with the first of them."""
        import torch

        from engine.detail.network import DEPTH_MM

        if self._last_rest is None or self._last_rest.face is not face:
            wrinkles = WrinkleField(request.position_mm, request.skin, _GUIDE_SEED)
            static = face.reading.static
            seen_mm = static[0, 0].float().cpu().numpy() * np.float32(DEPTH_MM)
            rest_mm = wrinkles.at_rest(seen_mm, request.worn_mm, _WORN)
            at_rest = torch.from_numpy(rest_mm / np.float32(DEPTH_MM))[None, None].to(static)
            map_mm = np.clip(rest_mm * face.factor, -_DEEPEST_MM, _DEEPEST_MM).astype(np.float32)
            self._last_rest = _Rest(face, wrinkles, face.reading._replace(static=at_rest), map_mm)
        return self._last_rest

    def _relief(self, reading: Reading, field: KeyField) -> FloatArray:
        """The network's answer (n, n) mm for one expression."""
        import torch

        from engine.detail.network import DEPTH_MM

        strain = self._tensor(field.strain.transpose(2, 0, 1))
        with torch.inference_mode(), torch.autocast(self._device, torch.bfloat16, enabled=self._device == "cuda"):
            found = self._network.express(
                reading, strain, self._tensor(field.guide[None]), self._tensor(field.moved[None])
            )
        return np.asarray(found[0, 0].float().cpu().numpy() * np.float32(DEPTH_MM), np.float32)

    def _face(self, request: DetailRequest) -> _Face:
        """The part that all maps of a face share, made once."""
        arrays = (request.texture, request.visibility, request.skin, request.position_mm, request.worn_mm)
        source = (*arrays, request.photo_px_per_mm)
        last = self._last
        if last is None or any(old is not new for old, new in zip(last.source, source, strict=True)):
            last = self._read(request, source)
            self._last = last
        return last

    def _read(self, request: DetailRequest, source: tuple[object, ...]) -> _Face:
        import torch

        from engine.detail.network import DEPTH_MM

        n = len(request.skin)
        texel_mm = mm_per_texel(request.position_mm, request.skin)
        skin = request.skin.astype(np.float32)
        coarse = skin_at(request.skin, n // QUARTER)
        coarse_mm = mm_per_texel(request.position_mm, coarse) / np.float32(QUARTER)
        typical = float(np.median(texel_mm[request.skin])) if request.skin.any() else 0.2
        colours, shade = texture_planes(request.texture, request.visibility * skin, typical)
        normal, _ = surface_normals(request.position_mm, request.skin)
        whole, sharpness = (0.0, 0.0, 1.0), request.photo_px_per_mm
        surface = surface_planes(request.visibility, skin, shade, normal, coarse_mm, whole, sharpness)
        planes = [self._tensor(plane.transpose(2, 0, 1)) for plane in (colours, surface)]
        with torch.inference_mode(), torch.autocast(self._device, torch.bfloat16, enabled=self._device == "cuda"):
            reading = _even(self._network, *planes)
        static = reading.static[0, 0].float().cpu().numpy() * np.float32(DEPTH_MM)
        spread = np.exp(np.clip(reading.log_spread[0, 0].float().cpu().numpy(), -6.0, 3.0)) * np.float32(DEPTH_MM)
        seen = smoothstep(request.visibility, *_SEEN_RAMP) * skin
        framed = np.pad(request.skin.astype(np.uint8), 1)
        rim = smoothstep(distance_inside(framed)[1:-1, 1:-1] * texel_mm, *_RIM_MM)
        factor = rim * skin * (_UNSEEN + (1.0 - _UNSEEN) * seen)
        return _Face(
            source=source,
            reading=reading,
            static_mm=np.clip(static * factor, -_DEEPEST_MM, _DEEPEST_MM).astype(np.float32),
            confidence=np.asarray(seen * rim / (1.0 + (enlarged(spread, n) / _SURE_MM) ** 2), np.float32),
            factor=np.asarray(factor, np.float32),
        )

    def _tensor(self, planes: FloatArray) -> torch.Tensor:
        import torch

        stacked = torch.from_numpy(np.ascontiguousarray(planes, np.float32))[None]
        return stacked.to(self._device, memory_format=torch.channels_last)

    def _cache_name(self, key: int, request: DetailRequest) -> str:
        deformation: bytes | ByteArray = b"" if key == STATIC else request.deformation_mm[key].tobytes()
        worn = b"" if key == STATIC or request.worn_mm is None else request.worn_mm.tobytes()
        return cache_key(
            f"learned {self._version} {_RECIPE} {key} {request.photo_px_per_mm}",
            request.texture.tobytes(),
            request.visibility.tobytes(),
            request.position_mm.tobytes(),
            bytes(deformation),
            worn,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """What is known about a face before any expression."""

    source: tuple[object, ...]
    """What of the request it was made from."""
    reading: Reading
    static_mm: FloatArray
    confidence: FloatArray
    factor: FloatArray
    """(n, n) float32 in [0, 1]: 0 at rims, small where the photo shows nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """A face without the folds of the expression in its photo."""

    face: _Face
    wrinkles: WrinkleField
    reading: Reading
    map_mm: FloatArray
    """(n, n) float32."""


def _even(network: DetailNetwork, texture: torch.Tensor, surface: torch.Tensor) -> Reading:
    """Read a face and its mirror image: a mirrored photo then gives the mirrored relief."""
    reading = network.read(texture, surface)
    static, log_spread = network.at_rest(texture.flip(-1), mirrored_surface(surface.flip(-1)))
    return reading._replace(
        static=0.5 * (reading.static + static.flip(-1)),
        log_spread=0.5 * (reading.log_spread + log_spread.flip(-1)),
    )


def load_detail_network(data: bytes) -> DetailNetwork:
    """The network of a safetensors file's bytes, ready for use on the processor.

    Raises:
        ModelFileError: the bytes are no weights of this network.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from engine.detail.network import DetailNetwork, NetworkConfig

    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])["__metadata__"]
        told: dict[str, Any] = json.loads(header["network"])
        sizes: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
        network = DetailNetwork(NetworkConfig(**sizes))
        network.load_state_dict(load(data))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelFileError(
            "The weights of the detail network cannot be read.", "Download the program again."
        ) from error
    network.eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def learned_detail_ships() -> bool:
    """Whether the program came with weights; it needs torch then."""
    return WEIGHTS_FILE in manifest()


def best_predictor(cache: MapCache | None = None) -> tuple[DetailPredictor, tuple[str, ...]]:
    """The learned predictor, or where its weights are missing or damaged the photometric one with a note that says so.

    A program that was put together without weights, so that the manifest lists none, needs no note.
    """
    try:
        if not learned_detail_ships():
            return PhotometricPredictor(), ()
        data = read_resource(WEIGHTS_FILE)
        network = load_detail_network(data)
    except ModelFileError as error:
        _log.warning("the detail network is not there: %s", error)
        return PhotometricPredictor(), (FALLBACK_NOTE,)
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    version = cache_key(data)[:16]
    return LearnedPredictor(network.to(device), version, device=device, cache=cache), ()
