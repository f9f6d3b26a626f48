"""The short-range face detector (BlazeFace), run over the whole photo and over overlapping tiles of it.

Source: Bazarevsky et al., BlazeFace: Sub-millisecond neural face detection on mobile GPUs (2019); anchors and decoding
as in MediaPipe's face_detection_short_range graph; the network file is MediaPipe's, unchanged.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.landmark_crops import CROP_MARGIN, Crop, cut
from engine.resources import read_resource

if TYPE_CHECKING:
    import cv2

_SIZE = 128
_ANCHOR_GRIDS = ((16, 2), (8, 6))  # cells along a side, anchors per cell: strides 8, 16, 16, 16 with two each
_ANCHORS = 896
_MODEL = "models/face_detection_short_range.tflite"
_MIN_SCORE = 0.35  # low on purpose: the dense network confirms
_SAME_FACE = 0.3
MIN_TILE_PX = 96
"""Smaller tiles are not searched: a face in them would be under about 25 px."""
_MAX_TILES = 160


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a face may be: the crop for the dense network, and how sure the detector is (its own scale)."""

    crop: Crop
    score: float


def without_doubles(candidates: list[Candidate]) -> list[Candidate]:
    """The best of each heap of overlapping candidates, best first."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        if all(candidate.crop.overlap(other.crop) < _SAME_FACE for other in kept):
            kept.append(candidate)
    return kept


def tiles(width: int, height: int, side: float) -> list[Crop]:
    """Upright squares of ``side`` px that cover the photo and overlap by about half."""
    side = max(side, MIN_TILE_PX)

    def middles(length: int) -> list[float]:
        if length <= side:
            return [(length - 1) / 2]
        count = math.ceil((length - side) / (side / 2)) + 1
        return [float(x) for x in np.linspace(side / 2, length - side / 2, count) - 0.5]

    return [Crop(x, y, side, 0.0) for y in middles(height) for x in middles(width)]


class ShortRangeDetector:
    """Finds faces from a sixth of a tile up; also heads turned aside, which dlib's frontal detector misses."""

    def __init__(self) -> None:
        self._net: cv2.dnn.Net | None = None
        self._lock = threading.Lock()
        self._anchors = _anchor_centres()

    def search(self, image: ByteArray, *, fine: bool = False, rolls: tuple[float, ...] = (0.0,)) -> list[Candidate]:
        """Candidates in the whole photo and in tiles as wide as its short side and half of it.

        Args:
            image: (H, W, 3) uint8 RGB.
            fine: search tiles of a quarter of the short side instead.
            rolls: rad, how the picture is turned before searching.
        """
        height, width = image.shape[:2]
        short = min(width, height)
        sides = (short / 4,) if fine else (max(width, height), short, short / 2)
        squares = [square for side in dict.fromkeys(sides) for square in tiles(width, height, side)][:_MAX_TILES]
        found = [
            candidate
            for square in squares
            for roll in rolls
            for candidate in self.search_square(image, square.changed(roll=roll))
        ]
        return without_doubles(found)

    def search_square(self, image: ByteArray, square: Crop) -> list[Candidate]:
        """Candidates inside one square of the photo."""
        pixels = cut(image, square, _SIZE)
        blob = pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(127.5) - np.float32(1)
        with self._lock:
            net = self._loaded()
            net.setInput(np.ascontiguousarray(blob))
            logits = np.array(net.forward("classificators"), np.float32).reshape(_ANCHORS)
            likely = np.flatnonzero(logits > math.log(_MIN_SCORE / (1 - _MIN_SCORE)))
            if not len(likely):
                return []
            net.setInput(np.ascontiguousarray(blob))
            raw = np.array(net.forward("regressors"), np.float32).reshape(_ANCHORS, 8, 2)
        scores = 1.0 / (1.0 + np.exp(-logits[likely].astype(np.float64)))
        crops = [_crop_of(raw[i], self._anchors[i], square) for i in likely]
        return [Candidate(crop, float(score)) for crop, score in zip(crops, scores, strict=True)]

    def _loaded(self) -> cv2.dnn.Net:
        import cv2

        if self._net is None:
            self._net = cv2.dnn.readNetFromTFLite(np.frombuffer(read_resource(_MODEL), np.uint8))
        return self._net


def _anchor_centres() -> FloatArray:
    """(896, 2) float32: middles of the anchors, in px of the network's input."""
    grids = []
    for cells, repeats in _ANCHOR_GRIDS:
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * (_SIZE / cells)
        grids.append(np.repeat(centres, repeats, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _crop_of(raw: FloatArray, anchor: FloatArray, square: Crop) -> Crop:
    """One raw detection -> crop for the dense network.

    Args:
        raw: (8, 2) px of the network's input: box middle (from the anchor), box size, then six key points (from the
            anchor), of which the first two are the person's right and left eye.
        anchor: (2,) px.
        square: what the network looked at.
    """
    places = (np.stack([raw[0], raw[2], raw[3]]) + anchor - 0.5).astype(np.float64)
    middle, right_eye, left_eye = square.to_photo(places, _SIZE)
    level = left_eye - right_eye
    side = CROP_MARGIN * float(raw[1].max()) * square.side / _SIZE
    return Crop(float(middle[0]), float(middle[1]), side, math.atan2(float(level[1]), float(level[0])))
