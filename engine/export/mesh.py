"""Which vertices and faces of a face go into a file, subdivided how often, and where detail moves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray, IntArray
from engine.geometry import Subdivision, VertexNormals, displace, midpoint_subdivision, normalised, sample_map
from engine.types import Topology, UvWindow

Group = tuple[str, int, int]
"""Part name, its first face in the file, one past the last."""


@dataclass(frozen=True, slots=True, eq=False)
class ExportMesh:
    """The part of a topology that is exported, shared by all poses of a face."""

    kept_vertices: IntArray | None
    """(n,) int32 topology vertices in the order of the file, None where all are kept."""
    faces: IntArray
    """(F, 3) int32 into the kept vertices, before subdivision."""
    uvs: FloatArray
    """(T', 2) float32 after subdivision."""
    groups: tuple[Group, ...]
    """After subdivision."""
    subdivision: Subdivision
    skin: tuple[int, int]
    """Run of faces after subdivision that detail may move."""
    window: UvWindow

    def base(self, vertices: FloatArray) -> FloatArray:
        """(V, 3) float32 mm of a pose -> (V', 3) of the file, on the flat triangles of the pose."""
        return self.subdivision.refine_vertices(self._kept(vertices))

    def displaced(self, vertices: FloatArray, map_mm: FloatArray) -> FloatArray:
        """Like ``base``, moved along the smooth normals of the pose by the map.

        Normals are taken before subdivision and interpolated, as the renderer does: flat triangles subdivided have
        facetted normals. A vertex on a UV seam moves by the mean of its UVs, so that the seam stays closed.
        """
        kept = self._kept(vertices)
        normals = VertexNormals(self.faces, len(kept))(kept)
        fine = self.subdivision.refine_vertices(kept)
        fine_normals = normalised(self.subdivision.refine_vertices(normals))
        return displace(fine, fine_normals, self._offsets(map_mm, len(fine)))

    def vertex_in_file(self, vertices: IntArray) -> IntArray:
        """Topology vertices (n,) -> their place in the file (n,) int32, -1 for -1 and for those left out."""
        if self.kept_vertices is None:
            return vertices
        place = np.searchsorted(self.kept_vertices, vertices)
        place = np.minimum(place, len(self.kept_vertices) - 1)
        return np.where(self.kept_vertices[place] == vertices, place, -1).astype(np.int32)

    def _kept(self, vertices: FloatArray) -> FloatArray:
        return vertices if self.kept_vertices is None else vertices[self.kept_vertices]

    def _offsets(self, map_mm: FloatArray, count: int) -> FloatArray:
        at_uvs = sample_map(map_mm, self.window, self.uvs)
        corners = self.subdivision.faces[slice(*self.skin)].ravel()
        corner_uvs = self.subdivision.uv_faces[slice(*self.skin)].ravel()
        total = np.bincount(corners, weights=at_uvs[corner_uvs], minlength=count)
        return np.asarray(total / np.maximum(np.bincount(corners, minlength=count), 1), np.float32)


def export_mesh(topology: Topology, subdivisions: int) -> ExportMesh:
    """The exported part (``front_faces``) of a topology, every triangle cut in four ``subdivisions`` times."""
    kept_vertices, faces, uvs, uv_faces = None, topology.faces, topology.uvs, topology.uv_faces
    front = np.sort(topology.front_faces)
    if len(front) < len(faces):
        kept_vertices, faces = _compact(faces[front])
        kept_uvs, uv_faces = _compact(uv_faces[front])
        uvs = uvs[kept_uvs]
    vertex_count = topology.vertex_count if kept_vertices is None else len(kept_vertices)
    subdivision = midpoint_subdivision(faces, uv_faces, vertex_count, len(uvs), subdivisions)
    times = 4**subdivisions
    runs = [(part.name, *(int(i) * times for i in np.searchsorted(front, part.faces))) for part in topology.parts]
    groups = tuple((name, first, end) for name, first, end in runs if end > first)
    return ExportMesh(
        kept_vertices=kept_vertices,
        faces=faces,
        uvs=subdivision.refine_uvs(uvs),
        groups=groups,
        subdivision=subdivision,
        skin=(runs[0][1], runs[0][2]),
        window=topology.window,
    )


def refined_counts(topology: Topology, subdivisions: int) -> tuple[int, int, int]:
    """Vertices, UVs and faces that ``export_mesh`` would make, counted without making them."""
    counts = []
    whole = len(topology.front_faces) == len(topology.faces)
    for all_faces, all_points in ((topology.faces, topology.vertex_count), (topology.uv_faces, len(topology.uvs))):
        faces = all_faces[topology.front_faces]
        ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2).astype(np.int64), axis=1)
        edges, triangles = len(np.unique(ends[:, 0] * (int(faces.max()) + 1) + ends[:, 1])), len(faces)
        points = all_points if whole else len(np.unique(faces))
        for _ in range(subdivisions):  # a new point per edge; edges fall in two, and each triangle adds three
            points, edges, triangles = points + edges, 2 * edges + 3 * triangles, 4 * triangles
        counts.append(points)
    return counts[0], counts[1], len(topology.front_faces) * 4**subdivisions


def _compact(faces: IntArray) -> tuple[IntArray, IntArray]:
    """Indices in use (n,), ascending, and the faces (F, 3) renumbered to them."""
    used, renumbered = np.unique(faces, return_inverse=True)
    return used.astype(np.int32), renumbered.reshape(faces.shape).astype(np.int32)
