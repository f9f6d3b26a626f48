"""The picture of ``--render``: the fitted face with its detail, grey, where it is in the photo."""

from __future__ import annotations

import numpy as np

from engine.arrays import ByteArray, FloatArray, check
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
    ViewOptions,
    WeakPerspective,
)

_DENSE_POINTS = 468
LIGHT_ELEVATION_DEG = 30.0  # from straight ahead, as the original has it, wrinkles hardly show


def draw_over_photo(
    photo: Photo,
    camera: WeakPerspective,
    topology: Topology,
    vertices: FloatArray,
    map_mm: FloatArray,
) -> ByteArray:
    """The photo with the face laid over it, lit and grey, displaced by its map.

    The mesh is subdivided once; finer detail is in the normals of every pixel. It costs a twentieth of what drawing the
    original's 1.57 million triangles does.

    Args:
        photo: the background.
        camera: how the photo sees the model.
        topology: e.g. ``front_topology``.
        vertices: (V, 3) float32 mm, in the photo's expression.
        map_mm: (n, n) float32 signed mm over the topology's window, n its map size.

    Returns:
        (H, W, 3) uint8 RGB in the photo's size, at most 2048 px on its longer side.

    Raises:
        GpuError: no usable OpenGL.
    """
    from engine.render.offscreen import render_over_photo

    check("vertices", vertices, (topology.vertex_count, 3))
    face = _bare_face(photo, camera, topology, vertices, map_mm)
    pose = Pose(np.zeros(len(SHAPE_NAMES), np.float32), face.rig.neutral, np.ones((len(vertices), 1), np.float32))
    view = ViewOptions(look="clay", light_azimuth_deg=0.0, light_elevation_deg=LIGHT_ELEVATION_DEG)
    return render_over_photo(face, pose, view)


def _bare_face(
    photo: Photo, camera: WeakPerspective, topology: Topology, vertices: FloatArray, map_mm: FloatArray
) -> FaceAsset:
    """A face with what the renderer looks at in its grey look; the rest is empty."""
    V, J, n = topology.vertex_count, len(SHAPE_NAMES), topology.window.map_size
    return FaceAsset(
        pack="facescape",
        topology=topology,
        photo=photo,
        landmarks=Landmarks(np.zeros((_DENSE_POINTS, 2), np.float32), None, FaceBox(0.0, 0.0, 1.0, 1.0, 0.0)),
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
