"""The 68 iBUG points of a face whose dense points are known, by dlib's regression trees.

Source: Kazemi & Sullivan, One millisecond face alignment with an ensemble of regression trees (CVPR 2014); the model is
dlib's shape_predictor_68_face_landmarks.dat.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import ByteArray, DoubleArray, FloatArray, IntArray
from engine.landmark_crops import CROP_MARGIN, Crop, cut
from engine.landmark_dlib import DlibGone, DlibHelper
from engine.landmark_mirror import IBUG_MIRROR

# dlib's square against the square around the dense points, measured on six portraits.
DLIB_RISE, DLIB_SIZE = 0.03, 0.86
"""Its middle lies higher by this share of the side, and it is this much as wide."""

_NOSE_TIP = 4
# On a turned head dlib's square includes the cheek and the ear that the dense points leave out. Measured on portraits
# turned in 3D by -60 to +60 degrees: shifted by this share of the nose tip's distance from the middle, the two sets
# of points agree to 2-4 % of the face's side; unshifted, dlib fails from 30 degrees on.
_TURN_SHIFT = 0.42

_PX, _FACE_PX = 720, 400
"""dlib's points are whole numbers, so the face is drawn 400 px long: rounding stays under 0.3 % of the eye distance."""

# Boxes (right, down, size) over which the points are averaged, shares of the face's side: one box alone gives points
# that move by 0.5 % of the outer-eye distance from one crop to the next, these and their mirror images 0.2 %.
_NUDGES = np.array(
    [(0, 0, 1), (0, 0, 0.93), (0, 0, 1.07), (-0.04, 0, 1), (0.04, 0, 1), (0, -0.04, 1), (0, 0.04, 1)], np.float64
)

# (iBUG point, dense point): eye corners, nose bridge, tip and base, mouth corners.
_SAME_PLACE = np.array([(36, 33), (39, 133), (42, 362), (45, 263), (27, 168), (30, 4), (33, 2), (48, 61), (54, 291)])
_MAX_DISAGREEMENT = 0.05
"""Mean distance of those pairs over the face's side: 0.01-0.03 when both are right, 0.1 and more when one failed."""


def ibug_points(
    helper: DlibHelper, image: ByteArray, crop: Crop, dense: FloatArray
) -> tuple[FloatArray | None, tuple[str, ...]]:
    """The 68 points, steadied by averaging, unless dlib is missing or has failed on this face.

    Args:
        helper: the process that owns dlib.
        image: (H, W, 3) uint8 RGB.
        crop: ``crop_around(dense)``.
        dense: (468, 2) float32 photo px.

    Returns:
        (68, 2) float32 photo px in iBUG order, or None and a sentence that says why.
    """
    import cv2

    side = crop.side / CROP_MARGIN
    window = Crop(crop.x, crop.y, side * _PX / _FACE_PX, crop.roll)
    grey = np.asarray(cv2.cvtColor(cut(image, window, _PX), cv2.COLOR_RGB2GRAY), np.uint8)
    nose = float(((dense[_NOSE_TIP] - (crop.x, crop.y)) @ crop.turned().T)[0]) / side
    boxes = _boxes(_TURN_SHIFT * nose)
    try:
        points = helper.predict(grey, boxes).mean(axis=0)
        mirrored = helper.predict(np.ascontiguousarray(grey[:, ::-1]), _mirrored(boxes)).mean(axis=0)[IBUG_MIRROR]
    except DlibGone as error:
        return None, (f"The 68-point detector is not available ({error}); the dense points alone are used.",)
    mirrored[:, 0] = _PX - 1 - mirrored[:, 0]
    found = window.to_photo((points + mirrored) / 2, _PX)
    if _disagreement(found, dense) > _MAX_DISAGREEMENT * side:
        return None, ("The 68-point detector failed on this face; the dense points alone are used.",)
    return found.astype(np.float32), ()


def _boxes(shift: float) -> IntArray:
    """(n, 4) int32 px of the drawn window: left, top, right, bottom."""
    middle = (_PX - 1) / 2 + _FACE_PX * (_NUDGES[:, :2] + (shift, -DLIB_RISE))
    half = _FACE_PX * DLIB_SIZE / 2 * _NUDGES[:, 2:]
    return np.rint(np.hstack([middle - half, middle + half])).astype(np.int32)


def _mirrored(boxes: IntArray) -> IntArray:
    left, top, right, bottom = boxes.T
    return np.stack([_PX - 1 - right, top, _PX - 1 - left, bottom], axis=1).astype(np.int32)


def _disagreement(points68: DoubleArray, dense: FloatArray) -> float:
    """Mean distance of the points that both detectors have, photo px."""
    apart = points68[_SAME_PLACE[:, 0]] - dense[_SAME_PLACE[:, 1]]
    return float(np.linalg.norm(apart, axis=1).mean())
