"""Normals, UV seams, midpoint subdivision and displacement of triangle meshes: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray, IntArray, check
from engine.types import EdgeMiddles, UvWindow

_DEGENERATE_AREA_MM2 = 1e-12
_FALLBACK_NORMAL = (0.0, 0.0, 1.0)


class VertexNormals:
    """Area-weighted vertex normals of one topology: built once, evaluated for every pose."""

    def __init__(self, faces: IntArray, vertex_count: int) -> None:
        """faces: (F, 3) int32, counter-clockwise seen from outside."""
        import scipy.sparse

        check("faces", faces, (None, 3), np.int32)
        F = len(faces)
        self._vertex_count = vertex_count
        self._corners = tuple(np.ascontiguousarray(faces[:, corner], np.intp) for corner in range(3))
        rows, columns = faces.ravel(), np.repeat(np.arange(F, dtype=np.int32), 3)
        ones = np.ones(3 * F, np.float32)
        self._sum_at_vertices = scipy.sparse.csr_array((ones, (rows, columns)), shape=(vertex_count, F))

    def __call__(self, vertices: FloatArray) -> FloatArray:
        """Unit normals of a pose.

        Args:
            vertices: (V, 3) float32, mm, model space.

        Returns:
            (V, 3) float32, unit length, pointing outwards; (0, 0, 1) at vertices without any area.

        Source:
            Face normals summed with their areas as weights; the cross product carries twice the area already.
        """
        check("vertices", vertices, (self._vertex_count, 3))
        a, b, c = self._corners
        origin = np.take(vertices, a, axis=0)
        first = np.take(vertices, b, axis=0) - origin
        second = np.take(vertices, c, axis=0) - origin
        areas = np.empty_like(origin)  # np.cross is several times slower than the three lines written out
        areas[:, 0] = first[:, 1] * second[:, 2] - first[:, 2] * second[:, 1]
        areas[:, 1] = first[:, 2] * second[:, 0] - first[:, 0] * second[:, 2]
        areas[:, 2] = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
        return normalised(self._sum_at_vertices @ areas)


def vertex_normals(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """Area-weighted unit normals of one mesh (V, 3); many poses of one topology are faster with ``VertexNormals``."""
    return VertexNormals(faces, len(vertices))(vertices)


def normalised(vectors: FloatArray) -> FloatArray:
    """(n, 3) vectors at unit length; (0, 0, 1) where a vector is as good as zero."""
    length = np.sqrt(np.einsum("nc,nc->n", vectors, vectors))
    degenerate = length <= _DEGENERATE_AREA_MM2
    length[degenerate] = 1.0
    unit = vectors / length[:, None]
    unit[degenerate] = _FALLBACK_NORMAL
    return np.asarray(unit, np.float32)


def corner_vertices(faces: IntArray, uv_faces: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """One mesh whose vertices carry position and UV at once, as GPU buffers need it: split along the UV seams.

    Args:
        faces: (F, 3) int32 vertex indices.
        uv_faces: (F, 3) int32 UV indices, corner by corner beside ``faces``.

    Returns:
        vertex_of_corner: (C,) int32, sorted, uv_of_corner: (C,) int32, corner_faces: (F, 3) int32 into those C.
    """
    check("faces", faces, (None, 3), np.int32)
    check("uv_faces", uv_faces, faces.shape, np.int32)
    uv_count = int(uv_faces.max(initial=0)) + 1
    keys = faces.astype(np.int64) * uv_count + uv_faces
    pairs, corner = np.unique(keys, return_inverse=True)
    return (
        (pairs // uv_count).astype(np.int32),
        (pairs % uv_count).astype(np.int32),
        corner.reshape(faces.shape).astype(np.int32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Subdivision:
    """A mesh with every triangle cut into four, ``times`` over, and the tables that carry values to it.

    Original vertices and UVs keep their indices; the four children of face f are faces 4f .. 4f+3 of the next level,
    so the run (first, end) of a part becomes (first * 4**times, end * 4**times).
    """

    faces: IntArray
    """(F * 4**times, 3) int32."""
    uv_faces: IntArray
    """(F * 4**times, 3) int32."""
    vertex_edges: tuple[IntArray, ...]
    """Per level (n, 2) int32: the two vertices in whose middle each new vertex lies, new ones in order."""
    uv_edges: tuple[IntArray, ...]
    """The same for UVs; a seam edge has two of them."""

    def refine_vertices(self, values: FloatArray) -> FloatArray:
        """(V, C) float32 per original vertex -> (V', C) per vertex of the subdivided mesh (the first V unchanged)."""
        return _refine(values, self.vertex_edges)

    def refine_uvs(self, uvs: FloatArray) -> FloatArray:
        """(T, C) float32 per original UV -> (T', C) per UV of the subdivided mesh."""
        return _refine(uvs, self.uv_edges)


def midpoint_subdivision(
    faces: IntArray, uv_faces: IntArray, vertex_count: int, uv_count: int, times: int
) -> Subdivision:
    """Linear (also called simple or midpoint) subdivision as tables: the shape stays, the triangles get smaller.

    Args:
        faces: (F, 3) int32.
        uv_faces: (F, 3) int32, corner by corner beside ``faces``.
        vertex_count: V, vertices without a face included.
        uv_count: T.
        times: how often; each time quadruples the triangles.
    """
    check("faces", faces, (None, 3), np.int32)
    check("uv_faces", uv_faces, faces.shape, np.int32)
    vertex_edges, uv_edges = [], []
    for _ in range(times):
        same = uv_faces is faces and uv_count == vertex_count
        faces, edges = _split(faces, vertex_count)
        uv_faces, seams = (faces, edges) if same else _split(uv_faces, uv_count)
        vertex_edges.append(edges)
        uv_edges.append(seams)
        vertex_count += len(edges)
        uv_count += len(seams)
    return Subdivision(faces, uv_faces, tuple(vertex_edges), tuple(uv_edges))


def displace(vertices: FloatArray, normals: FloatArray, offsets_mm: FloatArray) -> FloatArray:
    """Vertices (n, 3) moved along their unit normals (n, 3) by signed offsets (n,), mm; positive is outwards."""
    check("normals", normals, vertices.shape)
    check("offsets_mm", offsets_mm, vertices.shape[:1])
    return np.asarray(vertices + normals * offsets_mm[:, None], np.float32)


def sample_map(map_mm: FloatArray, window: UvWindow, uvs: FloatArray) -> FloatArray:
    """Map values at UV positions, bilinear between pixel centres, zero outside the window.

    Args:
        map_mm: (n, n) float32, row 0 at ``window.v1``; pixel (r, c) has its centre at
            u = u0 + (c + 0.5) / n * (u1 - u0), v = v1 - (r + 0.5) / n * (v1 - v0).
        window: the square that the map covers; within half a pixel of its border the border pixel counts.
        uvs: (m, 2) float32, v up.

    Returns:
        (m,) float32.
    """
    rows, columns = check("map_mm", map_mm, (None, None)).shape
    check("uvs", uvs, (None, 2))
    across = (uvs[:, 0].astype(np.float64) - window.u0) / (window.u1 - window.u0)
    down = (window.v1 - uvs[:, 1].astype(np.float64)) / (window.v1 - window.v0)
    inside = (across >= 0) & (across <= 1) & (down >= 0) & (down <= 1)
    x = np.clip(across * columns - 0.5, 0, columns - 1)
    y = np.clip(down * rows - 0.5, 0, rows - 1)
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    fx, fy = x - left, y - top
    upper = map_mm[top, left] * (1 - fx) + map_mm[top, right] * fx
    lower = map_mm[bottom, left] * (1 - fx) + map_mm[bottom, right] * fx
    return np.where(inside, upper * (1 - fy) + lower * fy, 0.0).astype(np.float32)


def _refine(values: FloatArray, levels: tuple[IntArray, ...]) -> FloatArray:
    check("values", values, (None, None))
    for edges in levels:
        first, second = np.take(values, edges[:, 0], axis=0), np.take(values, edges[:, 1], axis=0)
        middles = np.multiply(np.add(first, second, out=first), np.float32(0.5), out=first)
        values = np.concatenate([values, middles])
    return values


def _split(faces: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Each face in four around the middles of its edges: (4F, 3) faces and (n, 2) edges of the new points."""
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).astype(np.int64)  # edges ab, bc, ca
    ends.sort(axis=-1)
    edges, middle = np.unique(ends[..., 0] * count + ends[..., 1], return_inverse=True)
    a, b, c = faces.T
    ab, bc, ca = (count + middle.reshape(faces.shape)).T
    children = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=-1)
    pairs = np.stack([edges // count, edges % count], axis=-1)
    return children.reshape(-1, 3).astype(np.int32), pairs.astype(np.int32)


def coarser_faces(faces: IntArray) -> IntArray:
    """The triangles that were split in four last, or ``faces`` itself where they were not: (F / 4, 3) int32.

    Args:
        faces: (F, 3) int32; children of face f are faces 4f..4f+3, at its three corners and in its middle, as
            ``midpoint_subdivision`` and the packs' Loop subdivision write them.
    """
    if len(faces) % 4:
        return faces
    first, second, third, middle = faces.reshape(-1, 4, 3).transpose(1, 0, 2)
    split = (middle == np.stack([first[:, 1], second[:, 2], third[:, 0]], -1)).all()
    corners = np.stack([first[:, 0], second[:, 1], third[:, 2]], -1)
    return np.ascontiguousarray(corners) if split else faces


def edge_middles(faces: IntArray, count: int) -> EdgeMiddles | None:
    """What the last subdivision of a skin added, or None where its triangles were not split in four last.

    Args:
        faces: (F, 3) int32 as for ``coarser_faces``.
        count: vertices of the skin; all belong to a face, the newer ones follow the older.
    """
    coarse = coarser_faces(faces)
    if coarse is faces:
        return None
    first = int(coarse.max()) + 1
    ends = np.full((count, 2), -1, np.int32)
    middle = faces.reshape(-1, 4, 3)[:, 3]
    for side in range(3):
        ends[middle[:, side]] = coarse[:, [side, (side + 1) % 3]]
    newer = ends[first:]
    return EdgeMiddles(first, newer) if (newer >= 0).all() and (ends[:first] < 0).all() else None
