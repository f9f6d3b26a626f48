"""Which spot of the skin lies under a point of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray
from engine.types import FaceAsset, Pose, Topology


@dataclass(frozen=True, slots=True)
class SkinSpot:
    """A point on the skin."""

    face: int
    """Row of ``Topology.faces``."""
    shares: tuple[float, float, float]
    """Barycentric coordinates on the face in space; they sum to 1."""
    texel: tuple[int, int]
    """Row and column in the detail maps."""


def skin_spot(
    topology: Topology, vertices: FloatArray, clip: FloatArray, point: tuple[float, float]
) -> SkinSpot | None:
    """The foremost spot of the face under a point, if it is skin.

    Args:
        topology: of the mesh.
        vertices: (V, 3) float32 mm, model space.
        clip: (4, 4) float32 OpenGL matrix, clip space from model space.
        point: right and up in the picture, both in [-1, 1].

    Returns:
        None beside the face, and where an eye, the mouth's inside or a tooth lies in front.
    """
    homogeneous = vertices @ clip[:, :3].T + clip[:, 3]
    w = np.maximum(homogeneous[:, 3], 1e-6)
    flat = homogeneous[:, :2] / w[:, None] - np.asarray(point, np.float32)  # the point is the origin
    x, y = np.ascontiguousarray(flat.T)
    a, b, c = topology.faces.T
    # twice the signed area of each side's triangle with the point: all of one sign where it lies inside
    areas = np.stack([x[i] * y[j] - x[j] * y[i] for i, j in ((b, c), (c, a), (a, b))])
    around = np.flatnonzero((areas > 0).all(0))  # counter-clockwise: turned to the viewer
    if not len(around):
        return None
    shares = areas[:, around].astype(np.float64) / w[topology.faces[around].T]  # perspective
    shares /= shares.sum(0)
    away = (shares * (homogeneous[:, 2] / w)[topology.faces[around].T]).sum(0)
    front = int(np.argmin(away))
    face = int(around[front])
    if face >= topology.skin.faces[1]:  # the skin comes first
        return None
    one, two, three = (float(share) for share in shares[:, front])
    return SkinSpot(face, (one, two, three), _texel(topology, face, shares[:, front]))


def depth_at(face: FaceAsset, posed: Pose, spot: SkinSpot) -> float:
    """Displacement at a spot, mm along the normal: the maps blended as the shader blends them there."""
    corners = face.topology.faces[spot.face]
    weights = np.asarray(spot.shares) @ posed.map_weights[corners]
    used = np.flatnonzero(weights > 1e-4)
    return float(sum(weights[k] * face.map_or_fallback(int(k))[spot.texel] for k in used))


def _texel(topology: Topology, face: int, shares: np.ndarray) -> tuple[int, int]:
    window = topology.window
    u, v = shares @ topology.uvs[topology.uv_faces[face]]
    n = window.map_size
    column = (u - window.u0) / (window.u1 - window.u0) * n
    row = (window.v1 - v) / (window.v1 - window.v0) * n
    return int(np.clip(row, 0, n - 1)), int(np.clip(column, 0, n - 1))
