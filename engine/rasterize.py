"""Triangles to pixels with numpy alone: which face covers a pixel, and where inside it, in UV space or in a photo."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.arrays import BoolArray, DoubleArray, FloatArray, IntArray, check, frozen
from engine.types import Topology, UvWindow

WHOLE_SQUARE = UvWindow(0.0, 0.0, 1.0, 1.0, 0)
"""The window that covers all of UV space."""


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """What each pixel of a drawn mesh shows."""

    face_index: IntArray
    """(H, W) int32: row of the face array, -1 where nothing was drawn."""
    barycentric: FloatArray
    """(H, W, 2) float32: weights of the face's corners 1 and 2; corner 0 has the rest. Zero where empty."""

    def __post_init__(self) -> None:
        H, W = frozen("face_index", self.face_index, (None, None), np.int32).shape
        frozen("barycentric", self.barycentric, (H, W, 2))

    @property
    def covered(self) -> BoolArray:
        """(H, W) bool: pixels that show some face."""
        return self.face_index >= 0

    def interpolate(self, values: FloatArray, faces: IntArray) -> FloatArray:
        """Blend corner values over the pixels of each face.

        Args:
            values: (n, C) float32, one row per vertex (or UV index).
            faces: (F, 3) int32 rows of ``values``, in the order of the faces that were drawn.

        Returns:
            (H, W, C) float32, zero where nothing was drawn.
        """
        H, W = self.face_index.shape
        C = check("values", values, (None, None)).shape[1]
        result = np.zeros((H * W, C), np.float32)
        pixels = np.flatnonzero(self.face_index.ravel() >= 0)
        face = self.face_index.ravel().take(pixels)
        weights = self.barycentric.reshape(-1, 2).take(pixels, axis=0)
        origin, side1, side2 = values.take(faces.T, axis=0)  # differences per face, of which there are fewer
        side1 -= origin
        side2 -= origin
        blended = side1.take(face, axis=0) * weights[:, :1]
        blended += origin.take(face, axis=0)
        blended += side2.take(face, axis=0) * weights[:, 1:]
        result[pixels] = blended
        return result.reshape(H, W, C)


def rasterize(points_px: FloatArray, faces: IntArray, size: tuple[int, int], depth: FloatArray | None = None) -> Raster:
    """Draw triangles into a picture of pixel centres at +0.5, both windings, shared edges drawn once.

    Args:
        points_px: (n, 2) float32, x right and y down, px.
        faces: (F, 3) int32 rows of ``points_px``.
        size: (H, W) of the picture.
        depth: (n,) float32, larger is nearer and wins (as ``engine.camera.depth_mm``); without it the last face wins.

    Returns:
        The raster; faces with a point that is not finite are left out.

    Raises:
        ValueError: an argument has the wrong shape or type.

    Source:
        Scanline conversion with half-open spans (Foley et al., Computer Graphics, section 3.6); expanded by
        ``numpy.repeat`` first to rows, then to pixels, so that no Python loop runs over triangles.
    """
    check("points_px", points_px, (None, 2))
    check("faces", faces, (None, 3), np.int32)
    H, W = size
    face, pixel, along, across = _spans_to_pixels(points_px, faces, H, W)
    if depth is not None:
        keep = _nearest(check("depth", depth, (len(points_px),)), faces, face, pixel, along, across, H * W)
        face, pixel, along, across = face[keep], pixel[keep], along[keep], across[keep]
    face_index = np.full(H * W, -1, np.int32)
    face_index[pixel] = face
    barycentric = np.zeros((H * W, 2), np.float32)
    barycentric[pixel, 0] = along
    barycentric[pixel, 1] = across
    return Raster(face_index.reshape(H, W), barycentric.reshape(H, W, 2))


def _spans_to_pixels(
    points_px: FloatArray, faces: IntArray, H: int, W: int
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Face, flat pixel and the two barycentric weights of every covered pixel, in the order of the faces."""
    x, y = points_px[:, 0].astype(np.float64)[faces], points_px[:, 1].astype(np.float64)[faces]  # (F, 3) each
    broken = ~(np.isfinite(x) & np.isfinite(y)).all(1)
    x[broken], y[broken] = 0.0, 0.0  # a point covers no pixel
    face, row = _rows(y, H)
    x_first, x_last = _row_bounds(x, y, face, row + np.float64(0.5))
    first = np.clip(np.ceil(x_first - 0.5), 0, W).astype(np.int32)
    count = np.clip(np.ceil(x_last - 0.5), 0, W).astype(np.int32) - first
    kept = np.flatnonzero(count > 0)
    face, row, first, count = face[kept], row[kept], first[kept], count[kept]

    x10, x20, y10, y20 = x[:, 1] - x[:, 0], x[:, 2] - x[:, 0], y[:, 1] - y[:, 0], y[:, 2] - y[:, 0]
    area = x10 * y20 - x20 * y10
    inverse = np.divide(1.0, area, out=np.zeros_like(area), where=area != 0)
    dx, dy = first + 0.5 - x[face, 0], row + 0.5 - y[face, 0]
    along = (dx * y20[face] - dy * x20[face]) * inverse[face]  # at the span's first pixel
    across = (dy * x10[face] - dx * y10[face]) * inverse[face]
    step_along, step_across = (y20 * inverse)[face], (-y10 * inverse)[face]

    spans = np.repeat(np.arange(len(count)), count)  # ``take`` wants the machine's own kind of index
    offset = np.arange(len(spans), dtype=np.int32) - (np.cumsum(count, dtype=np.int32) - count).take(spans)
    pixel = (row * W + first).take(spans) + offset
    shift = offset.astype(np.float32)
    return (
        face.take(spans),
        pixel,
        _line(along, step_along, spans, shift),
        _line(across, step_across, spans, shift),
    )


def _line(start: DoubleArray, step: DoubleArray, spans: npt.NDArray[np.intp], shift: FloatArray) -> FloatArray:
    value = step.astype(np.float32).take(spans)
    value *= shift
    value += start.astype(np.float32).take(spans)
    return np.clip(value, 0.0, 1.0, out=value)


def _rows(y: DoubleArray, H: int) -> tuple[IntArray, IntArray]:
    """Every (face, picture row) pair where the row's centre line crosses the face."""
    first = np.clip(np.ceil(y.min(1) - 0.5), 0, H).astype(np.int32)
    count = np.clip(np.ceil(y.max(1) - 0.5), 0, H).astype(np.int32) - first
    face = np.repeat(np.arange(len(y), dtype=np.int32), count)
    row = np.arange(len(face), dtype=np.int32) - (np.cumsum(count, dtype=np.int32) - count - first)[face]
    return face, row


def _row_bounds(x: DoubleArray, y: DoubleArray, face: IntArray, centre: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Left and right end of each row's span. Shared edges give bit-equal ends, so neighbours meet without gap."""
    order = np.argsort(y, axis=1, kind="stable")
    (x0, x1, x2), (y0, y1, y2) = (np.take_along_axis(values, order, 1).T.take(face, axis=1) for values in (x, y))
    lower = centre >= y1
    long_side = _edge_x(x0, y0, x2, y2, centre)
    short_side = _edge_x(
        np.where(lower, x1, x0), np.where(lower, y1, y0), np.where(lower, x2, x1), np.where(lower, y2, y1), centre
    )
    return np.minimum(long_side, short_side), np.maximum(long_side, short_side)


def _edge_x(x0: DoubleArray, y0: DoubleArray, x1: DoubleArray, y1: DoubleArray, y: DoubleArray) -> DoubleArray:
    height = y1 - y0
    share = np.divide(y - y0, height, out=np.zeros_like(y), where=height > 0)
    return np.asarray(x0 + share * (x1 - x0))


def _nearest(
    depth: FloatArray,
    faces: IntArray,
    face: IntArray,
    pixel: IntArray,
    along: FloatArray,
    across: FloatArray,
    pixels: int,
) -> BoolArray:
    """Which of the drawn fragments are the nearest at their pixel: (fragments,) bool."""
    corner = depth[faces]
    origin, edge1, edge2 = corner[:, 0], corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    fragment_depth = origin[face] + along * edge1[face] + across * edge2[face]
    nearest = np.full(pixels, -np.inf, np.float32)
    np.maximum.at(nearest, pixel, fragment_depth)
    return np.asarray(fragment_depth >= nearest[pixel])


def uv_points_px(uvs: FloatArray, window: UvWindow, size: int) -> FloatArray:
    """UV (T, 2), v up -> px (T, 2) of a size x size picture of the window, row 0 at ``v1``."""
    scale = size / np.array([window.u1 - window.u0, window.v1 - window.v0])
    points = np.empty_like(uvs)
    points[:, 0] = (uvs[:, 0] - window.u0) * scale[0]
    points[:, 1] = (window.v1 - uvs[:, 1]) * scale[1]
    return points


_CacheKey = tuple[int, int, int, int, float, float, float, float, int]
_CACHE: dict[_CacheKey, Raster] = {}


def uv_raster(topology: Topology, size: int | None = None) -> Raster:
    """The skin over the UV window at ``size`` x ``size`` px (the window's map size by default), computed once.

    Face indices are rows of ``topology.faces`` (and ``uv_faces``): the skin comes first in both.
    """
    return _part_raster(topology, topology.window, size or topology.window.map_size, topology.skin.faces)


def uv_square_raster(topology: Topology, size: int) -> Raster:
    """The skin over the whole UV square, row 0 at v = 1, computed once."""
    return _part_raster(topology, WHOLE_SQUARE, size, topology.skin.faces)


def other_parts_mask(topology: Topology, size: int) -> BoolArray:
    """(size, size) bool: texels of the whole UV square that eyes, sockets and the mouth use."""
    first = topology.skin.faces[1]
    return _part_raster(topology, WHOLE_SQUARE, size, (first, len(topology.faces))).covered


def _part_raster(topology: Topology, window: UvWindow, size: int, run: tuple[int, int]) -> Raster:
    """Draw a run of faces in UV, kept as long as the topology's UV array lives."""
    # Topology has no weak reference slot and arrays do not hash: key by identity, drop when the array goes.
    key = (id(topology.uvs), id(topology.uv_faces), *run, window.u0, window.v0, window.u1, window.v1, size)
    if key not in _CACHE:
        points = uv_points_px(topology.uvs, window, size)
        _CACHE[key] = rasterize(points, topology.uv_faces[run[0] : run[1]], (size, size))
        weakref.finalize(topology.uvs, _CACHE.pop, key, None)
    return _CACHE[key]
