"""One face followed from picture to picture of a camera: quick, and no more exact than an outline needs."""

from __future__ import annotations

import numpy as np

from engine.arrays import ByteArray, DoubleArray, check
from engine.images import resize_area
from engine.landmark_boxes import Candidate, ShortRangeDetector, tiles, without_doubles
from engine.landmark_crops import Crop
from engine.landmark_dense import DenseNetwork
from engine.types import FaceBox, Landmarks

_SIDE_PX = 640
"""Of the copy that is searched: a face in front of a camera is a third of it."""
_FACE_SCORE = 3.5
_MOST_CANDIDATES = 3
_STEPS = 2  # of the network on a new face; one keeps up with a face that moves


class LiveFaceFinder:
    """Remembers where the face was; for one camera and one thread at a time."""

    def __init__(self) -> None:
        self._dense = DenseNetwork()
        self._short = ShortRangeDetector()
        self._crop: Crop | None = None

    def find(self, image: ByteArray) -> Landmarks | None:
        """The dense points of the face, None while there is none.

        Args:
            image: (H, W, 3) uint8 RGB, row 0 top.
        """
        check("image", image, (None, None, 3), np.uint8)
        scale = max(1.0, max(image.shape[:2]) / _SIDE_PX)
        small = resize_area(image, 1.0 / scale) if scale > 1.0 else image
        found = self._followed(small) or self._searched(small)
        if found is None:
            self._crop = None
            return None
        points, self._crop, score = found
        dense = ((points + 0.5) * scale - 0.5).astype(np.float32)
        (x0, y0), (x1, y1) = dense.min(0).tolist(), dense.max(0).tolist()
        return Landmarks(dense, None, FaceBox(x0, y0, x1, y1, 1.0, score))

    def _followed(self, image: ByteArray) -> tuple[DoubleArray, Crop, float] | None:
        """The face near where it was."""
        if self._crop is None:
            return None
        found = self._dense.settle(image, self._crop, rounds=1)
        return found if found[2] > _FACE_SCORE else None

    def _searched(self, image: ByteArray) -> tuple[DoubleArray, Crop, float] | None:
        """The largest face anywhere in the picture."""
        height, width = image.shape[:2]
        squares = [square for side in {max(height, width), min(height, width)} for square in tiles(width, height, side)]
        seen = [candidate for square in squares for candidate in self._short.search_square(image, square)]
        for candidate in sorted(without_doubles(seen), key=_size)[:_MOST_CANDIDATES]:
            found = self._dense.settle(image, candidate.crop, rounds=_STEPS)
            if found[2] > _FACE_SCORE:
                return found
        return None


def _size(candidate: Candidate) -> float:
    return -candidate.crop.side
