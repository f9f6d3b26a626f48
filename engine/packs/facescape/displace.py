"""The front mesh, subdivided and moved along its normals by a detail map: the original's way, or smoothly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.arrays import DoubleArray, FloatArray, IntArray, check
from engine.geometry import Subdivision, VertexNormals, normalised
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.maps import CANVAS_SIZE, NO_DISPLACEMENT, SCALE_MM, WINDOW
from engine.packs.facescape.texture_topology import vertex_uvs

_LEAST_AREA_MM2 = 1e-12  # twice that of a triangle without any
_FOLD = 1024  # OpenCV looks up pictures: the list of samples is folded into rows of this length
_NOWHERE = -16.0  # pixels
_UV_DECIMALS = 6  # more than the files have; takes back what float32 did to them


class DetailMesh:
    """The front mesh with every triangle cut in four ``times`` over, in the original's order of vertices and faces.

    What does not depend on the person is worked out once. Original vertices keep their places; the new ones of each
    level follow, ordered by the larger and then the smaller end of the edge that they halve.
    """

    def __init__(self, data: FaceScapeData, times: int = 3) -> None:
        V = len(data.front_vertices)
        self._faces = data.front_faces
        self._subdivision, carriers = _subdivided(data.front_faces, V, times)
        self._flat_normals = _FlatNormals(data.front_faces, carriers)
        self._smooth_normals = VertexNormals(data.front_faces, V)
        uvs = _refined(vertex_uvs(data), self._subdivision)
        self._texels = _nearest_texels(uvs)
        self._in_window = _window_places(uvs)
        self.uvs: FloatArray = uvs.astype(np.float32)
        """(V', 2): one UV per vertex, v up."""

    @property
    def faces(self) -> IntArray:
        """(F * 4**times, 3) int32, for vertices and UVs alike."""
        return self._subdivision.faces

    def base(self, vertices: FloatArray) -> FloatArray:
        """Front vertices (Vf, 3) float32 mm -> (V', 3) on the flat triangles."""
        return self._subdivision.refine_vertices(vertices)

    def displaced_exactly(self, vertices: FloatArray, canvas: npt.NDArray[np.uint16]) -> FloatArray:
        """The mesh moved as the original moves it.

        Args:
            vertices: (Vf, 3) float32 mm.
            canvas: (4096, 4096) uint16 over the whole UV square, row 0 at v = 1, 32768 = none.

        Returns:
            (V', 3) float32 mm.

        Source:
            The original: nearest sample, sum of the unit normals of the flat faces whatever their areas.
        """
        check("canvas", canvas, (CANVAS_SIZE, CANVAS_SIZE), np.uint16)
        offsets = canvas.ravel()[self._texels].astype(np.float32)
        offsets -= NO_DISPLACEMENT
        offsets *= np.float32(SCALE_MM / NO_DISPLACEMENT)
        return _moved(self.base(vertices), self._flat_normals(vertices), offsets)

    def displaced(self, vertices: FloatArray, map_mm: FloatArray) -> FloatArray:
        """The mesh moved along its smooth normals by a map that is read bilinearly.

        Args:
            vertices: (Vf, 3) float32 mm.
            map_mm: (n, n) float32 signed mm over the network's window, row 0 at its upper edge.

        Returns:
            (V', 3) float32 mm.
        """
        normals = normalised(self.base(self._smooth_normals(vertices)))
        return _moved(self.base(vertices), normals, self._bilinear(map_mm))

    def _bilinear(self, map_mm: FloatArray) -> FloatArray:
        import cv2

        n = check("map_mm", map_mm, (None, None)).shape[0]
        at = np.clip(self._in_window * np.float32(n) - np.float32(0.5), np.float32(0), np.float32(n - 1))
        at[np.isnan(at)] = _NOWHERE
        found = cv2.remap(map_mm, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(found, np.float32).ravel()[: len(self.uvs)]


@dataclass(frozen=True, slots=True, eq=False)
class _Carriers:
    """Where the vertices of a subdivided mesh lie on the coarse one, which gives them its normals.

    A carrier is a vertex (0 .. V - 1), an edge (V .. V + E - 1) or the inside of a face (V + E ..).
    """

    of_vertex: IntArray
    """(V',) int32."""
    touching_faces: tuple[IntArray, IntArray]
    """Pairs (carrier, face) of all coarse vertices and edges."""
    count: int
    """V + E."""


class _FlatNormals:
    """Normals of a subdivided mesh that count each of its flat triangles alike.

    The triangles of one coarse face share its normal, so that only the coarse faces need computing: a vertex on a coarse
    edge touches three triangles on either side, one inside a face only triangles of that face.
    """

    def __init__(self, faces: IntArray, carriers: _Carriers) -> None:
        import scipy.sparse

        self._faces = faces
        self._of_vertex = carriers.of_vertex
        ones = np.ones(len(carriers.touching_faces[0]), np.float32)
        self._sums = scipy.sparse.csr_array((ones, carriers.touching_faces), shape=(carriers.count, len(faces)))

    def __call__(self, vertices: FloatArray) -> FloatArray:
        """Coarse vertices (V, 3) -> unit normals (V', 3) float32; (0, 0, 0) where all faces around have no area."""
        a, b, c = (np.take(vertices, self._faces[:, k], axis=0) for k in range(3))
        of_faces = _unit(np.cross(b - a, c - a))
        return np.take(np.concatenate([_unit(self._sums @ of_faces), of_faces]), self._of_vertex, axis=0)


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.sqrt(np.einsum("nc,nc->n", vectors, vectors))[:, None]
    return np.asarray(
        np.divide(vectors, length, out=np.zeros_like(vectors), where=length > _LEAST_AREA_MM2), np.float32
    )


def _moved(vertices: FloatArray, normals: FloatArray, offsets_mm: FloatArray) -> FloatArray:
    """Vertices along their normals, without further copies: ``normals`` is overwritten."""
    normals *= offsets_mm[:, None]
    normals += vertices
    return normals


def _subdivided(faces: IntArray, vertex_count: int, times: int) -> tuple[Subdivision, _Carriers]:
    """Midpoint subdivision in the original's order of new vertices, and where they lie on the given mesh."""
    levels: list[IntArray] = []
    count, edge_count = vertex_count, 0
    of_vertex = np.arange(vertex_count, dtype=np.int32)
    touching = [(faces.ravel(), np.repeat(np.arange(len(faces), dtype=np.int32), 3))]
    fine = faces
    for level in range(times):
        middles, ends = _halved_edges(fine, count)
        parent = np.repeat(np.arange(len(fine) // 4**level, dtype=np.int32), 3 * 4**level)
        if level == 0:
            edge_count = len(ends)
            new = np.arange(vertex_count, vertex_count + edge_count, dtype=np.int32)
            touching.append((middles.ravel() + np.int32(vertex_count), parent))
        else:
            new = _carriers_of_middles(of_vertex, middles.ravel(), ends, parent, (vertex_count, edge_count))
        of_vertex = np.concatenate([of_vertex, new])
        fine = _children(fine, middles + np.int32(count))
        levels.append(ends)
        count += len(ends)
    pairs = (np.concatenate([carrier for carrier, _ in touching]), np.concatenate([face for _, face in touching]))
    carriers = _Carriers(of_vertex, pairs, vertex_count + edge_count)
    return Subdivision(fine, fine, tuple(levels), tuple(levels)), carriers


def _halved_edges(faces: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """For the edges ab, bc, ca of each face the edge's number (F, 3), and the ends (n, 2) of each edge."""
    following = np.roll(faces, -1, axis=1)
    keys = (np.maximum(faces, following).astype(np.int64) * count + np.minimum(faces, following)).ravel()
    order = np.argsort(keys, kind="stable")
    in_order = keys[order]
    starts = np.ones(len(keys), np.bool_)
    np.not_equal(in_order[1:], in_order[:-1], out=starts[1:])
    number = np.empty(len(keys), np.int32)
    number[order] = np.cumsum(starts, dtype=np.int32) - np.int32(1)
    edges = in_order[starts]
    ends = np.stack([edges % count, edges // count], axis=-1).astype(np.int32)
    return number.reshape(faces.shape), ends


def _carriers_of_middles(
    of_vertex: IntArray, edge_of_side: IntArray, ends: IntArray, parent_of_side: IntArray, sizes: tuple[int, int]
) -> IntArray:
    """Carrier of each new vertex: a coarse edge where its neighbours lie in different coarse faces, else that face.

    Args:
        of_vertex: carriers of the vertices so far.
        edge_of_side: (3F,) edge of each side of the triangles.
        ends: (n, 2) vertices of each edge.
        parent_of_side: (3F,) coarse face of each side.
        sizes: coarse vertices and edges.
    """
    V, E = sizes
    parent = np.empty(len(ends), np.int32)
    parent[edge_of_side] = parent_of_side
    agreeing = np.bincount(edge_of_side[parent[edge_of_side] == parent_of_side], minlength=len(ends))
    inside = agreeing == 2
    # A piece of a coarse edge has at least one end that halved the edge before, and none inside a face.
    at_ends = of_vertex[ends]
    return np.where(inside, V + E + parent, at_ends.max(1)).astype(np.int32)


def _children(faces: IntArray, middles: IntArray) -> IntArray:
    """Each face in four: at its corners, then the one in the middle."""
    a, b, c = faces.T
    ab, bc, ca = middles.T
    return np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=-1).reshape(-1, 3)


def _refined(uvs: FloatArray, subdivision: Subdivision) -> DoubleArray:
    """UVs in double precision: whether one falls just before or behind a texel's border shows in nearest samples."""
    fine = np.asarray(np.round(uvs.astype(np.float64), _UV_DECIMALS), np.float64)
    for ends in subdivision.uv_edges:
        fine = np.concatenate([fine, (fine[ends[:, 0]] + fine[ends[:, 1]]) / 2.0])
    return fine


def _nearest_texels(uvs: DoubleArray) -> npt.NDArray[np.intp]:
    """Flat index (n,) of the canvas pixel that the original reads at each UV."""
    columns = np.floor(uvs[:, 0] * CANVAS_SIZE)
    rows = CANVAS_SIZE - np.floor(uvs[:, 1] * CANVAS_SIZE)
    last = CANVAS_SIZE - 1
    return np.asarray(np.clip(rows, 0, last) * CANVAS_SIZE + np.clip(columns, 0, last), np.intp)


def _window_places(uvs: DoubleArray) -> FloatArray:
    """(2, n, 1024) float32: x and y of the UVs in turn in the network's window, 0..1, y down; nan outside."""
    across = (uvs[:, 0] - WINDOW.u0) / (WINDOW.u1 - WINDOW.u0)
    down = (WINDOW.v1 - uvs[:, 1]) / (WINDOW.v1 - WINDOW.v0)
    inside = (across >= 0) & (across <= 1) & (down >= 0) & (down <= 1)
    places = np.full((2, -(-len(uvs) // _FOLD) * _FOLD), np.nan, np.float32)
    places[:, : len(uvs)] = np.where(inside, (across, down), np.nan)
    return places.reshape(2, -1, _FOLD)
