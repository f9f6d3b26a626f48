"""A small invented face for tests: a dome with two eye parts, 51 local shapes and 20 key maps. No model file needed."""

from __future__ import annotations

import numpy as np

from engine import expressions
from engine.arrays import FloatArray
from engine.types import (
    FaceAsset,
    FaceBox,
    Fit,
    Landmarks,
    Part,
    Photo,
    Pose,
    RigBasis,
    SkinTexture,
    Topology,
    UvWindow,
    WeakPerspective,
)

ROWS = 17  # odd, so that a column lies on the mirror plane
MAP_SIZE = 64
TEXTURE_SIZE = 128


def _grid_faces(rows: int, columns: int, first: int = 0) -> np.ndarray:
    index = first + np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])


def make_topology() -> Topology:
    """Skin: ROWS x ROWS grid (row 0 at the forehead, columns from -X to +X), then two 3 x 3 'eye' patches."""
    skin_faces = _grid_faces(ROWS, ROWS)
    V, F = ROWS * ROWS, len(skin_faces)
    v, u = np.meshgrid(np.linspace(0.95, 0.25, ROWS), np.linspace(0.15, 0.85, ROWS), indexing="ij")
    uvs, faces = [np.stack([u, v], -1).reshape(-1, 2)], [skin_faces]
    parts = [Part("skin", "skin", (0, F), (0, V))]
    mirror = [np.arange(V).reshape(ROWS, ROWS)[:, ::-1].ravel()]
    patch_mirror = np.arange(9).reshape(3, 3)[:, ::-1].ravel()
    for name, corner, partner in (("eye_right", 0.1, V + 9), ("eye_left", 0.6, V)):
        faces.append(_grid_faces(3, 3, V + 9 * (len(parts) - 1)))
        pv, pu = np.meshgrid(np.linspace(0.15, 0.05, 3), np.linspace(corner, corner + 0.1, 3), indexing="ij")
        uvs.append(np.stack([pu, pv], -1).reshape(-1, 2))
        parts.append(Part(name, "eye", (F, F + 8), (V + 9 * (len(parts) - 1), V + 9 * len(parts))))
        mirror.append(partner + patch_mirror)
        F += 8
    all_faces = np.concatenate(faces).astype(np.int32)
    return Topology(
        faces=all_faces,
        uvs=np.concatenate(uvs).astype(np.float32),
        uv_faces=all_faces.copy(),
        vertex_count=V + 18,
        parts=tuple(parts),
        mirror=np.concatenate(mirror).astype(np.int32),
        front_faces=np.arange(len(all_faces), dtype=np.int32),
        window=UvWindow(0.1, 0.2, 0.9, 1.0, MAP_SIZE),
    )


def make_neutral(seed: int = 0) -> FloatArray:
    """(V, 3) float32 mm: a dome 140 mm wide and 180 mm tall, nose at the origin's front, eyes behind it."""
    y, x = np.meshgrid(np.linspace(90, -90, ROWS), np.linspace(-70, 70, ROWS), indexing="ij")
    z = 60.0 * np.sqrt(np.clip(1.05 - (x / 75) ** 2 * 0.8 - (y / 100) ** 2 * 0.6, 0.02, None))
    skin = np.stack([x, y, z], -1).reshape(-1, 3)
    py, px = np.meshgrid(np.linspace(5, -5, 3), np.linspace(-5, 5, 3), indexing="ij")
    patch = np.stack([px, py, np.full_like(px, 20.0)], -1).reshape(-1, 3)
    eyes = [patch + (side * 30.0, 30.0, 0.0) for side in (-1, 1)]
    width = 1.0 + 0.05 * np.random.default_rng(seed).standard_normal()
    return (np.concatenate([skin, *eyes]) * (width, 1.0, 1.0)).astype(np.float32)


def make_rig(seed: int = 0) -> RigBasis:
    """Every shape moves its own neighbourhood of the dome by up to 6 mm."""
    rng = np.random.default_rng(seed)
    neutral = make_neutral(seed)
    skin = ROWS * ROWS
    deltas = np.zeros((51, len(neutral), 3), np.float32)
    for delta in deltas:
        centre = rng.uniform((-55, -80), (55, 80))
        distance2 = ((neutral[:skin, :2] - centre) ** 2).sum(1)
        delta[:skin] = np.exp(-distance2 / (2 * 25.0**2))[:, None] * rng.uniform(-6, 6, 3)
    length = np.linalg.norm(deltas, axis=2)
    return RigBasis(
        neutral=neutral,
        deltas=deltas,
        activation=(length / length.max(1, keepdims=True)).astype(np.float32),
        key_weights=expressions.key_weights(),
    )


def make_map(seed: int, amplitude_mm: float = 0.4) -> FloatArray:
    """(n, n) float32 mm: stripes whose direction and pitch depend on the seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:MAP_SIZE, :MAP_SIZE] / MAP_SIZE
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(6, 14)
    return (amplitude_mm * np.sin(2 * np.pi * pitch * (x * np.cos(angle) + y * np.sin(angle)))).astype(np.float32)


def make_photo() -> Photo:
    """A 200 x 260 px picture: skin-coloured ellipse on blue."""
    y, x = np.mgrid[:260, :200]
    image = np.full((260, 200, 3), (40, 60, 120), np.uint8)
    image[((x - 100) / 75) ** 2 + ((y - 130) / 98) ** 2 < 1] = (205, 150, 125)
    return Photo(image=image, name="dome.png", path=None, sha256="0" * 64)


def make_asset(seed: int = 0, *, keys: bool = True) -> FaceAsset:
    """A complete face; ``keys=False`` leaves the 20 key maps to come."""
    topology, rig = make_topology(), make_rig(seed)
    expression = np.zeros(52, np.float32)
    expression[0], expression[1 + expressions.SHAPE_INDEX["jawOpen"]] = 1.0, 0.3
    landmark_vertices = np.linspace(0, ROWS * ROWS - 1, 68).astype(np.int32)
    dense = np.stack(np.meshgrid(np.linspace(40, 160, 18), np.linspace(50, 210, 26)), -1).reshape(-1, 2)
    y, x = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE] / TEXTURE_SIZE
    texture = np.stack([210 - 30 * y, 150 + 20 * x, 120 + 0 * x], -1).astype(np.uint8)
    return FaceAsset(
        pack="open",
        topology=topology,
        photo=make_photo(),
        landmarks=Landmarks(
            dense.astype(np.float32), dense[:68].astype(np.float32), FaceBox(25, 32, 175, 228, 1.0, 20.0)
        ),
        fit=Fit(
            camera=WeakPerspective(np.zeros(3, np.float32), 1.05, np.array([100, 130], np.float32)),
            identity=np.zeros(50, np.float32),
            expression=expression,
            landmark_vertices=landmark_vertices,
            error68=0.02,
            error_dense=0.015,
            yaw_deg=0.0,
        ),
        texture=SkinTexture(texture, np.ones((MAP_SIZE, MAP_SIZE), np.float32)),
        rig=rig,
        static_map=make_map(100 + seed),
        confidence=np.ones((MAP_SIZE, MAP_SIZE), np.float32),
        key_maps=tuple(make_map(200 + 20 * seed + k) if keys else None for k in range(20)),
    )


def make_pose(asset: FaceAsset, weights: FloatArray | None = None) -> Pose:
    """A pose by the plain linear rule, with a simple share for key map 1 where shape 30 acts (tests of consumers only)."""
    a = np.zeros(51, np.float32) if weights is None else np.asarray(weights, np.float32)
    vertices = asset.rig.neutral + np.tensordot(a, asset.rig.deltas, 1)
    share = np.zeros((len(vertices), 20), np.float32)
    share[:, 1] = np.clip(a[30] * asset.rig.activation[30], 0, 1)
    share[:, 0] = 1 - share[:, 1]
    return Pose(weights=a.copy(), vertices=vertices.astype(np.float32), map_weights=share)
