"""Turned square cut-outs of a photo, and the way between their pixels and the photo's.

Pixel centres have whole coordinates, x right, y down, in the photo and in the cut-out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.arrays import ByteArray, DoubleArray, FloatArray

RIGHT_EYE, LEFT_EYE = 33, 263
"""Outer eye corners among the dense points: the line between them is level in an upright crop."""

CROP_MARGIN = 1.5
"""Side of the crop that the dense network wants, over the longer side of the face's box. Source: MediaPipe."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of the photo: where its middle is, how large it is and how far the head inside is rolled."""

    x: float
    y: float
    side: float
    """Photo px."""
    roll: float
    """rad; positive: clockwise in the picture."""

    def turned(self) -> DoubleArray:
        """(2, 2): photo directions -> directions along the crop's own axes."""
        cosine, sine = math.cos(self.roll), math.sin(self.roll)
        return np.array([[cosine, sine], [-sine, cosine]])

    def changed(self, *, scale: float = 1.0, right: float = 0.0, down: float = 0.0, roll: float = 0.0) -> Crop:
        """A neighbour: ``right`` and ``down`` are shares of the side, along the crop's own axes."""
        dx, dy = np.array([right, down]) * self.side @ self.turned()
        return Crop(self.x + float(dx), self.y + float(dy), self.side * scale, self.roll + roll)

    def overlap(self, other: Crop) -> float:
        """Intersection over union of the two squares, as if neither were turned."""
        reach = (self.side + other.side) / 2
        width = min(self.side, other.side, reach - abs(self.x - other.x))
        height = min(self.side, other.side, reach - abs(self.y - other.y))
        shared = max(0.0, width) * max(0.0, height)
        return shared / (self.side**2 + other.side**2 - shared)

    def to_crop(self, size: int) -> DoubleArray:
        """(2, 3) affine: photo px -> px of the crop drawn with ``size`` pixels along a side."""
        linear = self.turned() * (size / self.side)
        middle = np.full(2, (size - 1) / 2)
        return np.column_stack([linear, middle - linear @ (self.x, self.y)])

    def to_photo(self, points: DoubleArray, size: int) -> DoubleArray:
        """(n, 2) px of the drawn crop -> photo px."""
        return np.asarray((points - (size - 1) / 2) * (self.side / size) @ self.turned() + (self.x, self.y))


def crop_around(points: FloatArray | DoubleArray) -> Crop:
    """The upright crop for the dense network around its own 468 points, photo px (468, 2)."""
    level = points[LEFT_EYE] - points[RIGHT_EYE]
    roll = math.atan2(float(level[1]), float(level[0]))
    turned = Crop(0.0, 0.0, 1.0, roll).turned()
    along = points.astype(np.float64) @ turned.T
    low, high = along.min(axis=0), along.max(axis=0)
    x, y = (low + high) / 2 @ turned
    return Crop(float(x), float(y), CROP_MARGIN * max(float((high - low).max()), 1.0), roll)


def cut(image: ByteArray, crop: Crop, size: int) -> ByteArray:
    """Draw ``crop`` with ``size`` x ``size`` pixels; beyond the photo its border pixels are repeated.

    Args:
        image: (H, W, 3) uint8 RGB.
        crop: may reach beyond the photo.
        size: pixels along one side of the result.

    Returns:
        (size, size, 3) uint8 RGB. Large crops are averaged down first, so that nothing aliases.
    """
    import cv2

    affine = crop.to_crop(size)
    shrink = crop.side / size
    if shrink >= 2.0:
        reach = crop.side * 0.75  # half of a turned square's diagonal, and a little
        x0, x1 = _span(crop.x, reach, image.shape[1])
        y0, y1 = _span(crop.y, reach, image.shape[0])
        width, height = max(1, round((x1 - x0) / shrink)), max(1, round((y1 - y0) / shrink))
        steps = np.array([(x1 - x0) / width, (y1 - y0) / height])  # photo px per px of the reduced picture
        image = np.asarray(cv2.resize(image[y0:y1, x0:x1], (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        first = steps / 2 - 0.5 + (x0, y0)  # photo position of the reduced picture's first pixel centre
        affine = np.column_stack([affine[:, :2] * steps, affine[:, :2] @ first + affine[:, 2]])
    drawn = cv2.warpAffine(image, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8)


def _span(middle: float, reach: float, length: int) -> tuple[int, int]:
    """The part of 0..length within reach, at least one pixel."""
    first = min(max(0, math.floor(middle - reach)), length - 1)
    return first, max(first + 1, min(length, math.ceil(middle + reach) + 1))
