"""Which vertices stand for the 68 iBUG points, found by letting dlib and the dense network look at the same portraits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import DoubleArray, IntArray
from engine.errors import ModelFileError
from engine.images import photo_from_array
from engine.landmarks import LandmarkDetector
from engine.training.cage import Cage
from engine.training.sources import Portrait

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Nearest cage point of each iBUG point, from the two published figures; the search below starts here.
_START = (
    (127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356)
    + (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
    + (168, 6, 195, 4, 98, 97, 2, 326, 327)
    + (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
    + (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
    + (78, 81, 13, 311, 308, 402, 14, 178)
)
MIRROR_68 = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip
_SEARCH_MM = 14.0
_SLICE_RAD = np.radians(2.2)
_MIDDLE_MM = np.array([0.0, 12.0])
"""Centre of the rays along which the visible contour moves, mm in the frontal plane."""


def _samples(portraits: list[Portrait]) -> list[tuple[DoubleArray, DoubleArray]]:
    """(dense (468, 2), iBUG (68, 2)) pairs in photo px, as the application's own detector finds them.

    Raises:
        ModelFileError: dlib or its model is missing.
    """
    found = []
    with LandmarkDetector() as detector:
        for portrait in portraits:
            for image in (portrait.image, np.ascontiguousarray(portrait.image[:, ::-1])):
                landmarks = detector.detect(photo_from_array(image, portrait.name))
                if landmarks.points68 is None:
                    raise ModelFileError("The build needs dlib and the package face_recognition_models.")
                found.append((landmarks.dense.astype(float), landmarks.points68.astype(float)))
    return found


def landmark_map(
    portraits: list[Portrait],
    fine: csr_matrix,
    mean: DoubleArray,
    mirror: IntArray,
    cage: Cage,
) -> tuple[IntArray, list[IntArray]]:
    """Vertices (68,) of the frontal view and 17 candidate arrays for the visible contour; exactly symmetric."""
    to_control = np.linalg.inv(fine[: len(mean)].toarray())
    surface = fine @ (to_control @ mean)
    middle_rows = np.flatnonzero(mirror == np.arange(len(mirror)))
    cost = np.zeros((68, len(surface)))
    pairs = _samples(portraits)
    for dense, ibug in pairs:
        eyes = np.linalg.norm(dense[263] - dense[33])
        points = fine @ (to_control @ dense)
        cost += np.minimum(((points[None] - ibug[:, None]) ** 2).sum(2) / eyes**2, 0.02)
    chosen = np.empty(68, np.int32)
    for i in range(68):
        j = MIRROR_68[i]
        near = np.linalg.norm(surface - surface[_START[i]], axis=1) < _SEARCH_MM
        both = cost[i] + cost[j][mirror]
        if i == j:
            near &= np.isin(np.arange(len(surface)), middle_rows)
        candidates = np.flatnonzero(near)
        if i < 17:  # on the outline
            candidates = np.intersect1d(candidates, _outline(cage, fine))
        chosen[i] = candidates[both[candidates].argmin()]
    for i in range(68):
        if MIRROR_68[i] > i:
            chosen[MIRROR_68[i]] = mirror[chosen[i]]
    return chosen, contours(surface, chosen)


def _outline(cage: Cage, fine: csr_matrix) -> IntArray:
    """Fine vertices that depend on the outline's points alone: the border."""
    on_border = np.zeros(fine.shape[1])
    on_border[cage.loops[0]] = 1.0
    return np.flatnonzero(np.abs(fine @ on_border - 1) < 1e-9).astype(np.int32)


def contours(surface: DoubleArray, chosen: IntArray) -> list[IntArray]:
    """For each jaw point the vertices on its ray from the border to half-way in.

    Args:
        surface: (V, 3) mm.
        chosen: (68,) vertex of each iBUG point.
    """
    flat = surface[:, :2] - _MIDDLE_MM
    angle, radius = np.arctan2(flat[:, 1], flat[:, 0]), np.hypot(*flat.T)
    slices = []
    for vertex in chosen[:17]:
        turn = np.abs((angle - angle[vertex] + np.pi) % (2 * np.pi) - np.pi)
        inside = (turn < _SLICE_RAD) & (radius > 0.5 * radius[vertex])
        slices.append(np.union1d(np.flatnonzero(inside), [vertex]).astype(np.int32))
    return slices
