"""An invented face at full size for benches and pictures: a dome with features, 20 maps of 1024, no model file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine import expressions
from engine.arrays import FloatArray
from engine.types import FaceAsset, Part, Pose, RigBasis, SkinTexture, Topology, UvWindow
from tests.synthetic import make_asset

ROWS = 167  # 27,889 vertices, 55,112 triangles
_MAP_SIZE = 1024
_TEXTURE_SIZE = 1024


def _grid() -> tuple[FloatArray, FloatArray]:
    y, x = np.meshgrid(np.linspace(1, -1, ROWS), np.linspace(-1, 1, ROWS), indexing="ij")
    return x.astype(np.float32), y.astype(np.float32)


def _topology() -> Topology:
    index = np.arange(ROWS * ROWS, dtype=np.int32).reshape(ROWS, ROWS)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    x, y = _grid()
    return Topology(
        faces=faces,
        uvs=np.stack([0.5 + 0.46 * x, 0.5 + 0.46 * y], -1).reshape(-1, 2),
        uv_faces=faces.copy(),
        vertex_count=ROWS * ROWS,
        parts=(Part("skin", "skin", (0, len(faces)), (0, ROWS * ROWS)),),
        mirror=np.ascontiguousarray(index[:, ::-1]).ravel(),
        front_faces=np.arange(len(faces), dtype=np.int32),
        window=UvWindow(0.0, 0.0, 1.0, 1.0, _MAP_SIZE),
    )


def _bump(x: FloatArray, y: FloatArray, at: tuple[float, float], radius: tuple[float, float]) -> FloatArray:
    return np.exp(-(((x - at[0]) / radius[0]) ** 2) - ((y - at[1]) / radius[1]) ** 2)


def _neutral() -> FloatArray:
    """(V, 3) float32 mm: a rounded mask with nose, sockets, lips and chin, so that light has something to read."""
    x, y = _grid()
    z = 75.0 * np.sqrt(np.clip(1.08 - 0.72 * x**2 - 0.38 * y**2, 0.0, None))
    z = z + 17 * _bump(x, y, (0, -0.12), (0.13, 0.17)) + 8 * _bump(x, y, (0, 0.1), (0.09, 0.2))
    z = z + 4 * _bump(x, y, (0, -0.42), (0.3, 0.05)) + 4 * _bump(x, y, (0, -0.53), (0.25, 0.06))
    z = z + 7 * _bump(x, y, (0, -0.8), (0.25, 0.14))
    for side in (-0.36, 0.36):
        z = z - 8 * _bump(x, y, (side, 0.17), (0.2, 0.11)) + 4 * _bump(x, y, (side, 0.36), (0.28, 0.07))
    return np.stack([72 * x * (1 - 0.15 * (y < 0) * y**2), 105 * y, z - 30], -1).reshape(-1, 3).astype(np.float32)


def _map(seed: int) -> FloatArray:
    """(n, n) float32 mm: forehead lines, crow's feet, folds and pores; each seed with its own strengths."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:_MAP_SIZE, :_MAP_SIZE] / (_MAP_SIZE - 1)
    x, y = ((across - 0.5) / 0.46).astype(np.float32), ((0.5 - down) / 0.46).astype(np.float32)
    lines = np.sin(60 * (y - 0.06 * x**2)) * _bump(x, y, (0, 0.68), (0.55, 0.16))
    folds = sum(
        -_bump(x, y, (0, -0.28), (9, 0.22)) * np.exp(-(((s * x - 0.34 + 0.25 * y) / 0.03) ** 2)) for s in (-1, 1)
    )
    feet = sum(np.sin(70 * y + 25 * s * x) * _bump(x, y, (0.66 * s, 0.2), (0.1, 0.12)) for s in (-1, 1))
    coarse = rng.standard_normal((_MAP_SIZE // 4, _MAP_SIZE // 4)).astype(np.float32)
    pores = np.kron(coarse, np.ones((4, 4), np.float32))
    for axis in (0, 1):
        pores = sum(np.roll(pores, shift, axis) for shift in range(-2, 3)) / 5
    gains = rng.uniform(0.5, 1.0, 3)
    relief = 0.28 * gains[0] * lines + 0.5 * gains[1] * folds + 0.22 * gains[2] * feet + 0.05 * pores
    inside = (np.abs(x) < 1) & (np.abs(y) < 1)
    return np.where(inside, relief, 0).astype(np.float32)


def _texture() -> SkinTexture:
    """Skin colour with lips, brows and cheeks in paint."""
    down, across = np.mgrid[:_TEXTURE_SIZE, :_TEXTURE_SIZE] / (_TEXTURE_SIZE - 1)
    x, y = (across - 0.5) / 0.46, (0.5 - down) / 0.46
    colour = np.full((_TEXTURE_SIZE, _TEXTURE_SIZE, 3), (214.0, 168.0, 145.0))
    paints = [(_bump(x, y, (0, -0.47), (0.24, 0.09)), (170, 90, 90))]
    for side in (-0.36, 0.36):
        paints += [
            (_bump(x, y, (side, 0.38), (0.2, 0.035)), (80, 55, 45)),
            (0.5 * _bump(x, y, (1.4 * side, -0.15), (0.25, 0.2)), (210, 130, 115)),
            (_bump(x, y, (side, 0.17), (0.12, 0.05)), (235, 232, 228)),
            (_bump(x, y, (side, 0.17), (0.045, 0.045)), (60, 70, 80)),
        ]
    for amount, paint in paints:
        colour += np.clip(1.3 * amount, 0, 1)[..., None] * (np.array(paint) - colour)
    return SkinTexture(colour.astype(np.uint8), np.ones((_MAP_SIZE, _MAP_SIZE), np.float32))


def make_full_size_asset() -> FaceAsset:
    """A face of 27,889 vertices and 55,112 triangles with a static map, 20 key maps of 1024 and local shapes."""
    topology, neutral = _topology(), _neutral()
    rng = np.random.default_rng(5)
    x, y = _grid()
    deltas = np.zeros((len(expressions.SHAPES), len(neutral), 3), np.float32)
    for delta in deltas:
        centre, towards = rng.uniform(-0.7, 0.7, 2), rng.uniform(-5, 5, 3)
        delta[:] = _bump(x, y, (centre[0], centre[1]), (0.3, 0.3)).ravel()[:, None] * towards
    length = np.linalg.norm(deltas, axis=2)
    activation = (length / length.max(axis=1, keepdims=True)).astype(np.float32)
    return replace(
        make_asset(),
        topology=topology,
        texture=_texture(),
        rig=RigBasis(neutral, deltas, activation, expressions.key_weights()),
        static_map=_map(100),
        confidence=np.ones((_MAP_SIZE, _MAP_SIZE), np.float32),
        key_maps=tuple(_map(200 + key) for key in range(20)),
    )


def make_full_size_pose(asset: FaceAsset, step: int, active_keys: int = 20) -> Pose:
    """Pose number ``step`` of a made-up slider drag in which ``active_keys`` keys have weight, each in its region."""
    a = np.zeros(len(asset.rig.deltas), np.float32)
    a[:8] = 0.5 + 0.5 * np.sin(0.3 * step + np.arange(8))
    vertices = asset.rig.neutral + np.tensordot(a[:8], asset.rig.deltas[:8], 1)
    share = np.zeros((len(vertices), len(asset.key_maps)), np.float32)
    share[:, 1:active_keys] = (asset.rig.activation[: active_keys - 1] * (0.6 + 0.4 * np.sin(0.2 * step))).T
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1.0)
    share[:, 0] = 1 - share.sum(axis=1)
    return Pose(a, vertices.astype(np.float32), np.clip(share, 0, 1).astype(np.float32))
