"""A face with only what the renderer looks at in its grey look: for tests and measurements of pictures."""

from __future__ import annotations

import numpy as np

from engine.expressions import SHAPE_NAMES
from engine.types import (
    FaceAsset,
    FaceBox,
    Fit,
    Landmarks,
    Photo,
    Pose,
    RigBasis,
    SkinTexture,
    Topology,
    WeakPerspective,
)


def bare_face(
    photo: Photo, camera: WeakPerspective, topology: Topology, vertices: np.ndarray, map_mm: np.ndarray
) -> tuple[FaceAsset, Pose]:
    """The mesh in its photo with one detail map; colours, shapes and landmarks are empty."""
    V, J, n = topology.vertex_count, len(SHAPE_NAMES), topology.window.map_size
    face = FaceAsset(
        pack="facescape",
        topology=topology,
        photo=photo,
        landmarks=Landmarks(np.zeros((468, 2), np.float32), None, FaceBox(0.0, 0.0, 1.0, 1.0, 0.0)),
        fit=Fit(
            camera=camera,
            identity=np.zeros(1, np.float32),
            expression=np.zeros(J + 1, np.float32),
            landmark_vertices=np.full(68, -1, np.int32),
            error68=float("nan"),
            error_dense=float("nan"),
            yaw_deg=0.0,
        ),
        texture=SkinTexture(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.float32)),
        rig=RigBasis(
            neutral=vertices.copy(),
            deltas=np.zeros((J, V, 3), np.float32),
            activation=np.zeros((J, V), np.float32),
            key_weights=np.zeros((1, J), np.float32),
        ),
        static_map=map_mm.copy(),
        confidence=np.ones((n, n), np.float32),
        key_maps=(None,),
    )
    return face, Pose(np.zeros(J, np.float32), face.rig.neutral, np.ones((V, 1), np.float32))
