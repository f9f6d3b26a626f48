"""Which vertices stand for the 68 iBUG points, found by letting dlib and the dense network look at the same portraits."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import ByteArray, DoubleArray, FloatArray, IntArray
from engine.training.cage import Cage
from engine.training.distill import DenseNetwork
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
_MIRROR_68 = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip
_SEARCH_MM = 14.0
_SLICE_RAD = np.radians(2.2)
_MIDDLE_MM = np.array([0.0, 12.0])
"""Centre of the rays along which the visible contour moves, mm in the frontal plane."""


def _dlib_points(image: ByteArray, predictor: Any, dense: DoubleArray) -> DoubleArray:
    """68 points (68, 2) in image px, with the box that dlib's detector would give, derived from the dense points."""
    import dlib

    low, high = dense.min(0), dense.max(0)
    # dlib's boxes reach from the brows to the chin and are square.
    top = dense[[70, 300, 105, 334], 1].min()
    size = high[1] - top
    middle = (low[0] + high[0]) / 2
    box = dlib.rectangle(*(round(float(v)) for v in (middle - size / 2, top - 0.03 * size, middle + size / 2, high[1] + 0.02 * size)))
    shape = predictor(np.ascontiguousarray(image), box)
    return np.array([(q.x, q.y) for q in shape.parts()], float)


def _predictor() -> Any:
    import dlib

    spec = find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The build needs the package face_recognition_models.")
    return dlib.shape_predictor(str(Path(spec.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"))


def _samples(portraits: list[Portrait], network: DenseNetwork) -> list[tuple[DoubleArray, DoubleArray]]:
    """(dense (468, 2), iBUG (68, 2)) pairs in a common enlarged crop of each portrait, y down."""
    import cv2

    predictor = _predictor()
    found = []
    for portrait in portraits:
        x, y = portrait.centre
        for enlarge in (1.0, 1.06):
            half = portrait.size_px * 0.75 * enlarge
            scale = 640 / (2 * half)
            matrix = np.array([[scale, 0, 320 - scale * x], [0, scale, 320 - scale * y]])
            crop = np.asarray(cv2.warpAffine(portrait.image, matrix, (640, 640), flags=cv2.INTER_CUBIC), np.uint8)
            dense = network.locate(crop, (320.0, 320.0), 640 / 1.5)
            found.append((dense, _dlib_points(crop, predictor, dense)))
    return found


def landmark_map(
    portraits: list[Portrait],
    network: DenseNetwork,
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
    pairs = _samples(portraits, network)
    for dense, ibug in pairs:
        eyes = np.linalg.norm(dense[263] - dense[33])
        points = fine @ (to_control @ dense)
        cost += np.minimum(((points[None] - ibug[:, None]) ** 2).sum(2) / eyes**2, 0.02)
    chosen = np.empty(68, np.int32)
    for i in range(68):
        j = _MIRROR_68[i]
        near = np.linalg.norm(surface - surface[_START[i]], axis=1) < _SEARCH_MM
        both = cost[i] + cost[j][mirror]
        if i == j:
            near &= np.isin(np.arange(len(surface)), middle_rows)
        candidates = np.flatnonzero(near)
        if i < 17:  # on the outline
            candidates = np.intersect1d(candidates, _outline(cage, fine))
        chosen[i] = candidates[both[candidates].argmin()]
    for i in range(68):
        if _MIRROR_68[i] > i:
            chosen[_MIRROR_68[i]] = mirror[chosen[i]]
    return chosen, _contours(surface, chosen)


def _outline(cage: Cage, fine: csr_matrix) -> IntArray:
    """Fine vertices that depend on the outline's points alone: the border."""
    on_border = np.zeros(fine.shape[1])
    on_border[cage.loops[0]] = 1.0
    return np.flatnonzero(np.abs(fine @ on_border - 1) < 1e-9).astype(np.int32)


def _contours(surface: DoubleArray, chosen: IntArray) -> list[IntArray]:
    """For each jaw point the vertices on its ray from the outline to half-way in."""
    flat = surface[:, :2] - _MIDDLE_MM
    angle, radius = np.arctan2(flat[:, 1], flat[:, 0]), np.hypot(*flat.T)
    slices = []
    for vertex in chosen[:17]:
        turn = np.abs((angle - angle[vertex] + np.pi) % (2 * np.pi) - np.pi)
        inside = (turn < _SLICE_RAD) & (radius > 0.5 * radius[vertex])
        slices.append(np.union1d(np.flatnonzero(inside), [vertex]).astype(np.int32))
    return slices
