"""A light net of the fitted face over its photo: the mesh's own coarse triangles, those that look at the viewer."""

from __future__ import annotations

import functools

import numpy as np

from engine.arrays import FloatArray, IntArray
from engine.camera import project
from engine.types import FaceAsset, Topology

_MOST_FACES = 1500
_CELLS = 36
"""Along one side of UV space: of meshes that are no subdivision of a coarse one, one vertex per cell is kept."""


@functools.lru_cache(maxsize=2)
def coarse_faces(topology: Topology) -> IntArray:
    """Few triangles between vertices of the skin that cover it: (n, 3) int32."""
    fine = topology.faces[: topology.skin.faces[1]]
    while len(fine) > _MOST_FACES:
        parents = _parents(fine)
        if parents is None:
            return _clustered(topology, fine)
        fine = parents
    return fine


def lines_over_photo(face: FaceAsset) -> FloatArray:
    """Edges of the fitted face, (n, 2, 2) float32 image px; those that look away are left out."""
    faces = coarse_faces(face.topology)
    used, corners = np.unique(faces, return_inverse=True)
    rig = face.rig
    vertices = rig.neutral[used] + np.tensordot(face.fit.weights, rig.deltas[:, used], 1)
    points = project(face.fit.camera, vertices.astype(np.float32))
    corners = corners.reshape(-1, 3)
    a, b, c = (points[corners[:, i]] for i in range(3))
    along, across = b - a, c - a
    faces_viewer = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0] < 0  # y is down: counter-clockwise
    seen = corners[faces_viewer]
    edges = np.sort(np.concatenate([seen[:, [0, 1]], seen[:, [1, 2]], seen[:, [2, 0]]]), axis=1)
    return np.asarray(points[np.unique(edges, axis=0)], np.float32)


def _parents(faces: IntArray) -> IntArray | None:
    """The triangles that were cut in four, where every four neighbours in the list are the parts of one; else None.

    Of the parts' twelve corners, the parent's three occur once each and the middles of its edges three times each.
    """
    if len(faces) % 4:
        return None
    groups = faces.reshape(-1, 12)
    times = np.zeros(groups.shape, np.int8)
    for corner in groups.T:
        times += groups == corner[:, None]
    if not ((times == 1).sum(1) == 3).all() or not ((times == 3).sum(1) == 9).all():
        return None
    return np.asarray(groups[times == 1].reshape(-1, 3), np.int32)


def _clustered(topology: Topology, faces: IntArray) -> IntArray:
    """Triangles between one vertex of each cell of UV space, wherever three cells meet in a triangle of the mesh."""
    vertex_uv = np.zeros((topology.vertex_count, 2), np.float32)
    vertex_uv[faces] = topology.uvs[topology.uv_faces[: len(faces)]]
    cell_of = (np.minimum(vertex_uv * _CELLS, _CELLS - 1).astype(np.int32) @ (1, _CELLS)).astype(np.int32)
    used = np.unique(faces)
    off_centre = np.abs(vertex_uv[used] * _CELLS % 1.0 - 0.5).max(1)
    nearest_first = used[np.argsort(off_centre, kind="stable")]
    cells, first = np.unique(cell_of[nearest_first], return_index=True)
    keeper = np.zeros(_CELLS * _CELLS, np.int32)
    keeper[cells] = nearest_first[first]
    kept = keeper[cell_of[faces]]
    distinct = (kept[:, 0] != kept[:, 1]) & (kept[:, 1] != kept[:, 2]) & (kept[:, 2] != kept[:, 0])
    _, row = np.unique(np.sort(kept[distinct], axis=1), axis=0, return_index=True)
    return np.asarray(kept[distinct][row], np.int32)
