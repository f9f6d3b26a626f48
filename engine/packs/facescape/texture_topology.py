"""The front mesh of the pack as the engine's topology: faces, chart, mirror partners, the network's window."""

from __future__ import annotations

import numpy as np

from engine.arrays import FloatArray, IntArray
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.maps import WINDOW
from engine.types import Part, Topology


def front_topology(data: FaceScapeData) -> Topology:
    """The front mesh in the order of the original's OBJ; all of it is one skin part."""
    V, F = len(data.front_vertices), len(data.front_faces)
    uvs = vertex_uvs(data)
    return Topology(
        faces=data.front_faces,
        uvs=data.front_uvs,
        uv_faces=data.front_uv_faces,
        vertex_count=V,
        parts=(Part("skin", "skin", (0, F), (0, V)),),
        mirror=mirror_partners(uvs),
        front_faces=np.arange(F, dtype=np.int32),
        window=WINDOW,
    )


def vertex_uvs(data: FaceScapeData) -> FloatArray:
    """One UV per front vertex (Vf, 2): the last that a face names, as the original keeps it for the few that have two."""
    uvs = np.zeros((len(data.front_vertices), 2), np.float32)
    uvs[data.front_faces.ravel()] = data.front_uvs[data.front_uv_faces.ravel()]
    return uvs


def mirror_partners(uvs: FloatArray) -> IntArray:
    """(V,) int32: the vertex nearest to the mirror place of each; the chart of UVs (V, 2) is symmetric about u = 1/2."""
    from scipy.spatial import KDTree

    mirrored = np.column_stack([1.0 - uvs[:, 0], uvs[:, 1]])
    return np.asarray(KDTree(uvs).query(mirrored)[1], np.int32)
