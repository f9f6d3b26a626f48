"""Eyes in the photo's colours: iris and white of the painted eyeballs toned after what the lids leave open."""

from __future__ import annotations

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray
from engine.types import EyeChart, Landmarks, Photo

# Dense points around each eye, in order; the person's right eye first, as the packs list their charts.
_RIMS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_IRIS_OVER_EYE = 0.2  # radius of the iris over the distance of the eye's corners: 5.9 mm to 29 mm
_SMALLEST_IRIS_PX = 2.5
_ANNULUS = (0.45, 0.85)  # of the iris' radius: between pupil and limbus
_BESIDE = 1.15
_GAIN_RANGE = (0.35, 1.6)
_WHITE_RANGE = (0.62, 1.05)
_MIN_PIXELS = 6


def toned_eyes(base: ByteArray, charts: tuple[EyeChart, ...], photo: Photo, landmarks: Landmarks) -> ByteArray:
    """The painted atlas with each eye's iris and white in the photo's colours; eyes too small to read keep their paint.

    Args:
        base: (S, S, 3) uint8 RGB, row 0 at v = 1.
        charts: where the eyes lie in it, the person's right eye first.
        photo: the picture.
        landmarks: its dense points.
    """
    toned = base.copy()
    read = [_eye_colours(photo.image, landmarks.dense[list(rim)]) for rim in _RIMS]
    known = [colours for colours in read if colours is not None]
    if not known:
        return toned
    # Both eyes alike: the mean of what was read, weighing shadow on one side against light on the other.
    iris, white = (np.mean([colours[part] for colours in known], 0) for part in (0, 1))
    S = base.shape[0]
    row, column = np.mgrid[:S, :S]
    u, v = (column + 0.5) / S, 1.0 - (row + 0.5) / S
    for chart in charts:
        radius = np.hypot(u - chart.u, v - chart.v)
        _tone(toned, (radius > 0.35 * chart.iris_radius) & (radius < chart.iris_radius), iris, _GAIN_RANGE)
        _tone(toned, (radius >= chart.iris_radius) & (radius < chart.radius * 1.06), white, _WHITE_RANGE)
    return toned


def _eye_colours(image: ByteArray, rim: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Median colour of iris and white (3,) each, of one eye; None where the eye is closed or too small."""
    import cv2

    radius = _IRIS_OVER_EYE * float(np.linalg.norm(rim[0] - rim[8]))
    low = np.floor(rim.min(0)).astype(int) - 1
    high = np.ceil(rim.max(0)).astype(int) + 2
    H, W = image.shape[:2]
    if radius < _SMALLEST_IRIS_PX or (low < 0).any() or high[0] > W or high[1] > H:
        return None
    part = image[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(rim - low).astype(np.int32)], 1)
    inside: BoolArray = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(radius / 8))) > 0
    if inside.sum() < _MIN_PIXELS:
        return None
    y, x = np.mgrid[: part.shape[0], : part.shape[1]]
    grey = part.mean(2)
    dark = inside * np.clip(np.percentile(grey[inside], 45) - grey, 0, None) ** 2
    if dark.sum() <= 0:
        return None
    # The pupil's middle: dark pixels, but never far from the middle of the eye.
    centre = np.array([(dark * x).sum(), (dark * y).sum()]) / dark.sum()
    away = np.hypot(x - centre[0], y - centre[1]) / radius
    ring = inside & (away > _ANNULUS[0]) & (away < _ANNULUS[1])
    beside = inside & (away > _BESIDE)
    if ring.sum() < _MIN_PIXELS or beside.sum() < _MIN_PIXELS:
        return None
    bright = beside & (grey >= np.percentile(grey[beside], 50))
    return np.median(part[ring], 0), np.median(part[bright], 0)


def _tone(image: ByteArray, where: BoolArray, colour: FloatArray, limits: tuple[float, float]) -> None:
    """Scale the pixels so that their mean becomes ``colour``, within limits per channel."""
    present = image[where].astype(np.float32)
    gain = np.clip(colour / np.maximum(present.mean(0), 1.0), *limits)
    image[where] = np.clip(present * gain, 0, 255).astype(np.uint8)
