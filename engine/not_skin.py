"""What lies inside the face's outline in a photo and is not skin: open eyes with their lashes, the inside of the mouth."""

from __future__ import annotations

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray
from engine.dense_points import EYE_RIMS, INNER_LIPS, OUTER_LIPS
from engine.fields import blurred, disc
from engine.types import Landmarks, Photo, WeakPerspective

_LASHES_MM, _BELOW_MM = 1.9, 1.2  # beyond the upper and the lower lid's rim
_LIPS_MM = 0.7
_LEAST_MARGIN_PX = 1.5  # pixels at an edge mix both sides
_PARTED_MM = 1.2  # lips further apart show what lies behind them
_STRAY_MM = 3.0  # how far teeth or the dark between them may reach over the points' own border
_CLEAR_MM = 1.8  # from the gap to lip that is surely lip
_STRANGE = 2.5  # standard deviations from the lip's colours
_NOISE = 4.0  # CIELAB units as OpenCV scales them
_FEWEST_PX = 30


def not_skin(photo: Photo, landmarks: Landmarks, camera: WeakPerspective) -> ByteArray:
    """(H, W) uint8: 255 where an eye or the inside of the mouth shows, 0 on skin and lips, soft between.

    Args:
        photo: the picture.
        landmarks: its dense points.
        camera: for the scale.
    """
    import cv2

    scale = camera.scale_px_per_mm
    mask = np.zeros(photo.image.shape[:2], np.uint8)
    for rim in EYE_RIMS:
        _add_eye(mask, landmarks.dense[list(rim)], scale)
    inner = landmarks.dense[list(INNER_LIPS)]
    gap_mm = float((inner[11:20][::-1, 1] - inner[1:10, 1]).max()) / scale
    if gap_mm > _PARTED_MM:
        _add_mouth(mask, photo.image, inner, landmarks.dense[list(OUTER_LIPS)], scale)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.25 * scale)), np.uint8)


def _add_eye(mask: ByteArray, rim: FloatArray, scale: float) -> None:
    import cv2

    grown = np.zeros_like(mask)
    _fill(grown, rim)
    if not grown.any():
        return
    rows, columns = _crop(grown, _LASHES_MM * scale + 4)
    below = max(_BELOW_MM * scale, _LEAST_MARGIN_PX)
    above = max(_LASHES_MM * scale, _LEAST_MARGIN_PX)
    part = cv2.dilate(grown[rows, columns], disc(below))
    # Lashes stand on the upper lid: drag what was found upwards.
    extra = max(1, round(above - below))
    upwards = np.zeros((2 * extra + 1, 1), np.uint8)
    upwards[extra:] = 1
    mask[rows, columns] |= np.asarray(cv2.dilate(part, upwards), np.uint8)


def _add_mouth(mask: ByteArray, image: ByteArray, inner: FloatArray, outer: FloatArray, scale: float) -> None:
    import cv2

    whole, hole = np.zeros_like(mask), np.zeros_like(mask)
    _fill(whole, outer)
    _fill(hole, inner)
    if not hole.any() or not whole.any():
        return
    rows, columns = _crop(whole | hole, _STRAY_MM * scale)
    lips, gap = whole[rows, columns] > 0, hole[rows, columns]
    wide = cv2.dilate(gap, disc(max(_LIPS_MM * scale, _LEAST_MARGIN_PX)))
    lab = cv2.cvtColor(image[rows, columns], cv2.COLOR_RGB2LAB).astype(np.float32)
    stray = _stray(blurred(lab, max(0.4, 0.15 * scale)), lips, gap, scale)
    # Only what hangs together with the gap: a highlight in the middle of a lip stays.
    _, labels = cv2.connectedComponents(np.asarray(stray | (gap > 0), np.uint8))
    touching = np.isin(labels, np.unique(labels[gap > 0])) & (labels > 0)
    wide = np.maximum(wide, cv2.dilate(np.where(touching, 255, 0).astype(np.uint8), disc(1)))
    mask[rows, columns] |= np.asarray(wide, np.uint8)


def _stray(lab: FloatArray, lips: BoolArray, gap: ByteArray, scale: float) -> BoolArray:
    """Pixels near the gap, on the lips by the points, that have the colour of teeth or of the dark between them."""
    import cv2

    near = cv2.dilate(gap, disc(max(_STRAY_MM * scale, _LEAST_MARGIN_PX))) > 0
    clear = cv2.dilate(gap, disc(max(_CLEAR_MM * scale, _LEAST_MARGIN_PX))) == 0
    middle = np.flatnonzero((gap > 0).any(1)).mean()
    upper = np.broadcast_to(np.arange(len(lab))[:, None] < middle, lips.shape)
    stray = np.zeros(lips.shape, np.bool_)
    for side in (upper, ~upper):
        sample = lab[lips & clear & side]
        if len(sample) < _FEWEST_PX:
            continue
        usual, spread = np.median(sample, axis=0), sample.std(axis=0) + _NOISE
        light, redness = (lab[..., 0] - usual[0]) / spread[0], (lab[..., 1] - usual[1]) / spread[1]
        teeth, cavity = (redness < -_STRANGE) & (light > 0), light < -_STRANGE
        stray |= (teeth | cavity) & near & lips & side
    return stray


def _fill(mask: ByteArray, outline: FloatArray) -> None:
    import cv2

    cv2.fillPoly(mask, [np.round(outline * 16 - 8).astype(np.int32)], 255, shift=4)


def _crop(mask: ByteArray, margin: float) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    m = int(margin) + 2
    return (
        slice(max(0, int(rows[0]) - m), int(rows[-1]) + m + 1),
        slice(max(0, int(columns[0]) - m), int(columns[-1]) + m + 1),
    )
