"""The dense face network: 468 points of one face, and a score that it is a face.

Source: Kartynnik et al., Real-time facial surface geometry from monocular video on mobile GPUs (2019); the network file
is MediaPipe's, unchanged.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import ByteArray, DoubleArray, FloatArray
from engine.landmark_crops import Crop, crop_around, cut
from engine.landmark_mirror import DENSE_MIRROR
from engine.resources import read_resource

if TYPE_CHECKING:
    import cv2

POINTS = 468
_SIZE = 192
_SCORE_LAYER = "conv2d_31"  # not among the network's listed outputs
_MODEL = "models/face_landmark.tflite"

# From the network's px to whole-numbered pixel centres. Measured: twice this is the mean distance along the eye line
# between the points of crops and of their mirror images (five portraits, 24 crops each: -0.29 +- 0.05 px).
_CENTRE_OFFSET = -0.3

# Eight crops around the settled one, each also mirrored. One crop alone is off by 1.0-1.6 % of the outer-eye distance
# in a way that depends on how the face lies in it; the mean of these sixteen by about a tenth of that.
_AVERAGED = tuple(
    {"scale": scale, "right": right, "down": down, "roll": roll}
    for scale, right, down, roll in (
        (0.90, 0.02, 0.00, 0.07),
        (0.93, -0.02, 0.00, -0.07),
        (0.96, 0.02, 0.02, 0.03),
        (0.99, -0.02, 0.02, -0.03),
        (1.02, 0.00, -0.02, 0.10),
        (1.05, 0.00, -0.02, -0.10),
        (1.08, 0.02, 0.00, 0.00),
        (1.11, -0.02, 0.00, 0.00),
    )
)

_WORKING_SIDE = 2 * _SIZE
_WINDOW = round(1.4 * _WORKING_SIDE)
"""Pixels along the window that holds all of these crops of a face ``_WORKING_SIDE`` px large."""


class DenseNetwork:
    """Runs the network; loaded when first used, safe to call from several threads."""

    def __init__(self) -> None:
        self._net: cv2.dnn.Net | None = None
        self._lock = threading.Lock()

    def settle(self, image: ByteArray, crop: Crop, rounds: int = 2) -> tuple[DoubleArray, Crop, float]:
        """Follow the face from a rough crop.

        Args:
            image: (H, W, 3) uint8 RGB.
            crop: the face somewhere in it, rolled by at most about 40 degrees against it.
            rounds: how often the crop is laid anew around the points found.

        Returns:
            points (468, 2) float64 photo px, the crop around them, and the face score (logit) of the last crop run.
        """
        for _ in range(rounds):
            pixels = cut(image, crop, _SIZE)
            points = self._points([pixels], [crop])[0]
            crop = crop_around(points)
        return points, crop, self._score_of(pixels)

    def score(self, image: ByteArray, crop: Crop) -> float:
        """Logit that the crop holds a face: above 0 it looks like one."""
        return self._score_of(cut(image, crop, _SIZE))

    def _score_of(self, pixels: ByteArray) -> float:
        return float(self._forward([pixels], _SCORE_LAYER).ravel()[0])

    def averaged(self, image: ByteArray, crop: Crop) -> FloatArray:
        """The points, steadied: mean over eight crops and their mirror images, (468, 2) float32 photo px."""
        if crop.side > _WORKING_SIDE:  # draw a large face once, smaller, instead of eight times
            window = crop.changed(scale=_WINDOW / _WORKING_SIDE)
            inner = Crop((_WINDOW - 1) / 2, (_WINDOW - 1) / 2, _WORKING_SIDE, 0.0)
            return np.asarray(window.to_photo(self._mean(cut(image, window, _WINDOW), inner), _WINDOW), np.float32)
        return self._mean(image, crop).astype(np.float32)

    def _mean(self, image: ByteArray, crop: Crop) -> DoubleArray:
        crops = [crop.changed(**change) for change in _AVERAGED]
        pixels = [cut(image, each, _SIZE) for each in crops]
        both = np.concatenate([self._points(pixels, crops), self._points(pixels, crops, mirrored=True)])
        return np.asarray(both.mean(axis=0))

    def _points(self, pixels: list[ByteArray], crops: list[Crop], *, mirrored: bool = False) -> DoubleArray:
        """(n, 468, 2) float64 px of the picture that the crops were cut from, one set per crop."""
        raw = self._forward([p[:, ::-1] for p in pixels] if mirrored else pixels, None)
        points = raw.reshape(len(crops), POINTS, 3)[:, :, :2].astype(np.float64) + _CENTRE_OFFSET
        if mirrored:
            points = points[:, DENSE_MIRROR]
            points[:, :, 0] = _SIZE - 1 - points[:, :, 0]
        return np.stack([crop.to_photo(p, _SIZE) for crop, p in zip(crops, points, strict=True)])

    def _forward(self, pixels: list[ByteArray], layer: str | None) -> FloatArray:
        blob = np.stack(pixels).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        with self._lock:
            net = self._loaded()
            net.setInput(np.ascontiguousarray(blob))
            result: Any = net.forward() if layer is None else net.forward(layer)
            return np.array(result, np.float32)

    def _loaded(self) -> cv2.dnn.Net:
        import cv2

        if self._net is None:
            self._net = cv2.dnn.readNetFromTFLite(np.frombuffer(read_resource(_MODEL), np.uint8))
        return self._net
