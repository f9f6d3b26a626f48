"""The original's texture, texel for texel: whole-pixel corners, no visibility, later faces over earlier ones."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from engine.arrays import BoolArray, ByteArray, DoubleArray, FloatArray, IntArray, check
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.maps import CANVAS_SIZE

_ROWS_AT_ONCE = 32  # what a thread works on stays in its cache
_MOST_THREADS = 8
_FLAT_PX2 = 1e-9  # twice the area of a UV triangle that has none

_AxisTables = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""By owner: step per column, per row, offset from the face's box, first pixel of the box, its extent less one."""


class ExactTexture:
    """Painter for one pack; what does not depend on the photo is worked out once, in some 0.2 s."""

    def __init__(self, data: FaceScapeData) -> None:
        self._vertex_count = data.vertex_count
        self._faces = data.faces[data.texture_faces]
        uvs = data.uvs.astype(np.float64)[data.uv_faces[data.texture_faces]]
        corners = np.stack([uvs[..., 0] * CANVAS_SIZE, CANVAS_SIZE - uvs[..., 1] * CANVAS_SIZE], axis=-1)
        owner = _owners(corners)
        rows, columns = np.flatnonzero(owner.any(1)), np.flatnonzero(owner.any(0))
        self._place = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        self._owner = np.ascontiguousarray(owner[self._place])
        self._from_corners, self._flat = _inverses(corners - np.array([columns[0], rows[0]], np.float64))

    def paint(self, image: ByteArray, points: DoubleArray) -> ByteArray:
        """The photo on the unwrapped faces, black elsewhere.

        Args:
            image: (H, W, 3) uint8 RGB.
            points: (V, 2) float64: vertices of the whole head in the photo, px, y up as the original has it.

        Returns:
            (4096, 4096, 3) uint8 RGB, row 0 at v = 1. Faces outside the photo take the nearest border, where the
            original ends.
        """
        H, W, _ = check("image", image, (None, None, 3), np.uint8).shape
        check("points", points, (self._vertex_count, 2), np.float64)
        tables = self._tables(points, H, W)
        texture = np.zeros((CANVAS_SIZE, CANVAS_SIZE, 3), np.uint8)
        inside = texture[self._place]

        def paint_rows(first: int) -> None:
            rows = slice(first, first + _ROWS_AT_ONCE)
            inside[rows] = _sampled(image, tables, self._owner[rows], first)

        with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
            for _ in pool.map(paint_rows, range(0, len(inside), _ROWS_AT_ONCE)):
                pass
        return texture

    def _tables(self, points: DoubleArray, H: int, W: int) -> tuple[_AxisTables, _AxisTables]:
        """How texels look into the photo, for x and for y (row 0 top)."""
        corners = np.stack([np.trunc(points[:, 0]), H - np.trunc(points[:, 1])], axis=-1)[self._faces]
        last = np.array([W - 1, H - 1], np.float64)
        high = np.clip(corners.max(1), 0.0, last)
        low = np.clip(corners.min(1), 0.0, high)
        steps = self._from_corners @ corners
        steps[:, 2] -= low
        side1, side2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        # Corners that fell on one line have no affine map: such a face shows the first pixel of its box.
        on_a_line = side1[:, 0] * side2[:, 1] == side1[:, 1] * side2[:, 0]
        steps[on_a_line | self._flat] = 0.0
        return _axis_tables(steps, low, high, 0), _axis_tables(steps, low, high, 1)


def _owners(corners: DoubleArray) -> IntArray:
    """(4096, 4096) int32: 1 + the face that is drawn last over a texel, 0 where there is none; corners (F, 3, 2) px."""
    import cv2

    owner = np.zeros((CANVAS_SIZE, CANVAS_SIZE), np.int32)
    for number, corner in enumerate(np.floor(corners).astype(np.int32), start=1):
        cv2.fillConvexPoly(owner, corner, number)
    return owner


def _inverses(corners: DoubleArray) -> tuple[DoubleArray, BoolArray]:
    """Matrices (F, 3, 3) from values at the corners (F, 3, 2) to their affine coefficients, and the faces without one."""
    homogeneous = np.concatenate([corners, np.ones((len(corners), 3, 1))], axis=-1)
    flat = np.abs(np.linalg.det(homogeneous)) < _FLAT_PX2
    homogeneous[flat] = np.eye(3)
    return np.linalg.inv(homogeneous), flat


def _axis_tables(steps: DoubleArray, low: DoubleArray, high: DoubleArray, axis: int) -> _AxisTables:
    per_column, per_row, offset = (_by_owner(steps[:, k, axis]) for k in range(3))
    return per_column, per_row, offset, _by_owner(low[:, axis]), _by_owner(high[:, axis] - low[:, axis])


def _by_owner(values: DoubleArray) -> FloatArray:
    """One value per face (F,) -> (1 + F,) float32, 0 for nobody."""
    return np.concatenate([[0.0], values]).astype(np.float32)


def _sampled(image: ByteArray, tables: tuple[_AxisTables, _AxisTables], owner: IntArray, first_row: int) -> ByteArray:
    """Colours (n, m, 3) of some rows of texels, owner (n, m), from row ``first_row`` of the drawn part."""
    import cv2

    columns = np.arange(owner.shape[1], dtype=np.float32)
    rows = np.arange(first_row, first_row + len(owner), dtype=np.float32)[:, None]
    x, y = (_reflected(table, owner, columns, rows) for table in tables)
    colours = np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    colours[owner == 0] = 0
    return colours


def _reflected(table: _AxisTables, owner: IntArray, columns: FloatArray, rows: FloatArray) -> FloatArray:
    """Photo px along one axis (n, m); a texel that looks out of its face's box sees the box mirrored at its edge."""
    per_column, per_row, offset, low, extent = table
    at = per_column.take(owner, mode="clip")
    at *= columns
    across = per_row.take(owner, mode="clip")
    across *= rows
    at += across
    at += offset.take(owner, mode="clip")
    end = extent.take(owner, mode="clip")
    np.abs(at, out=at)
    np.subtract(end, at, out=at)
    np.abs(at, out=at)
    np.subtract(end, at, out=at)
    np.maximum(at, 0.0, out=at)
    at += low.take(owner, mode="clip")
    return at
