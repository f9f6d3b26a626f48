"""Detail maps by FaceScape's two networks: one for the photo's expression, one for the 20 key expressions."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.detail.generator import DetailNetwork, load_network
from engine.detail.map_cache import MapCache, cache_key
from engine.detail.predictor import STATIC, DetailRequest, DetailResult
from engine.errors import ModelFileError
from engine.packs.facescape import maps
from engine.packs.facescape.color import transfer_colors
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.switches import DetailSwitches

_VERSION = "2"
"""Counts up when the same files and the same photo give another map."""
_HINT = "Import it with main.py --import-facescape DIR or from the window."
_AS_ORIGINAL = DetailSwitches()


class NetworkPredictor:
    """See ``engine.detail.predictor.DetailPredictor``. Networks are loaded when first needed, one at a time."""

    name = "network"

    def __init__(
        self,
        data: FaceScapeData,
        *,
        cache: MapCache | None = None,
        device: str = "auto",
        switches: DetailSwitches = _AS_ORIGINAL,
    ) -> None:
        """Load nothing yet.

        Args:
            data: the imported pack.
            cache: where maps are kept between runs; None keeps none.
            device: as ``engine.detail.generator.load_network`` takes it.
            switches: what to do differently from the original.
        """
        self._data = data
        self._cache = cache
        self._device = device
        self._switches = switches
        self._loaded: tuple[str, DetailNetwork] | None = None
        self._scale: float | None = None

    @property
    def has_key_maps(self) -> bool:
        """Whether the files for maps of the key expressions are imported."""
        return "rig" in self._data.checkpoints and self._data.position_maps is not None

    def predict(self, request: DetailRequest) -> Iterator[DetailResult]:
        """Yield one result per key of the request, in its order; see ``steps``."""
        return (step for step in self.steps(request) if isinstance(step, DetailResult))

    def steps(self, request: DetailRequest) -> Iterator[DetailResult | float]:
        """Results and, between them, the share of the next one that is done: places to report and to stop.

        Args:
            request: its texture as large as the pack's front mask.

        Raises:
            ModelFileError: the file that a map needs is not imported, or damaged.
            GpuError: the graphics card fails.
            ValueError: a texture of another size.
        """
        if request.texture.shape[:2] != self._data.front_mask.shape:
            raise ValueError(f"texture: expected {self._data.front_mask.shape}, got {request.texture.shape[:2]}")
        crop = transfer_colors(request.texture, self._data.front_mask)
        for key in request.keys:
            kind = self._kind(key)
            map_mm = yield from self._map(kind, max(key, 0), crop, request)
            yield DetailResult(key=key, map_mm=map_mm, confidence=request.visibility.copy())

    def _kind(self, key: int) -> str:
        """Which network makes the map of ``key``. Without the single one the rig's neutral map stands for it."""
        have = self._data.checkpoints
        if key == STATIC and "single" in have:
            return "single"
        if "rig" not in have:
            missing = (
                "neither of FaceScape's detail networks is imported"
                if not have
                else "only the network for the photo's own expression is imported"
            )
            raise ModelFileError(
                f"This detail cannot be made: {missing}.", "Import dpmap_rig_net_G.pth and posmaps.npz for it."
            )
        if self._data.position_maps is None:
            raise ModelFileError("The detail of the expressions needs posmaps.npz, which is not imported.", _HINT)
        return "rig"

    def _map(self, kind: str, key: int, crop: ByteArray, request: DetailRequest) -> Generator[float, None, FloatArray]:
        """One map in mm, from the cache where it is there."""
        positions = self._positions(key, request) if kind == "rig" else None
        name = self._cache_name(kind, key, crop, positions)
        stored = self._cache.get(name) if self._cache is not None else None
        if stored is not None and stored.shape == crop.shape[:2]:
            return stored
        picture = maps.network_picture(crop)
        if positions is not None:
            picture = np.concatenate([picture, positions])
        if self._switches.preview:
            picture = _resized(picture, 0.5)
        output = yield from self._network(kind).steps(picture[None])
        if self._switches.preview:
            output = _resized(output, 2.0)
        map_mm = maps.millimetres(output[0])
        if self._cache is not None:
            self._cache.put(name, map_mm)
        return map_mm

    def _positions(self, key: int, request: DetailRequest) -> FloatArray:
        """(3, n, n) float32: the channels that tell the network which expression is wanted."""
        shipped = self._data.position_maps
        if shipped is None:
            raise ModelFileError("The detail of the expressions needs posmaps.npz, which is not imported.", _HINT)
        if not self._switches.own_positions:
            return shipped[3 * key : 3 * key + 3]
        if self._scale is None:
            self._scale = maps.position_scale(shipped, request.deformation_mm)
        return maps.deformation_channels(request.deformation_mm[key], shipped.shape[1], self._scale)

    def _cache_name(self, kind: str, key: int, crop: ByteArray, positions: FloatArray | None) -> str:
        file = self._data.checkpoints[kind].stat()
        return cache_key(
            f"{_VERSION} {kind} {key} {file.st_size} {file.st_mtime_ns} preview={self._switches.preview}",
            crop.tobytes(),
            b"" if positions is None else positions.tobytes(),  # not the switch: shipped ones may be imported anew
        )

    def _network(self, kind: str) -> DetailNetwork:
        if self._loaded is None or self._loaded[0] != kind:
            self._loaded = None  # the other network's weights go before this one's come
            network = load_network(self._data.checkpoints[kind], self._device)
            self._loaded = (kind, network)
        return self._loaded[1]


def _resized(pictures: FloatArray, factor: float) -> FloatArray:
    """(n, H, W) float32 -> (n, factor H, factor W)."""
    import cv2

    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.stack([cv2.resize(one, None, fx=factor, fy=factor, interpolation=way) for one in pictures])
