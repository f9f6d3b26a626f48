"""The blended map against plain arithmetic, and how little work it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import moderngl
import numpy as np
import pytest

from engine.arrays import FloatArray
from engine.render.blend import BlendTarget, MapBlender
from engine.types import FaceAsset, Pose, Topology
from tests.synthetic import MAP_SIZE, make_asset, make_map

pytestmark = pytest.mark.gl
OFF_SKIN = 1e8


@pytest.fixture
def blender(ctx: moderngl.Context) -> Iterator[MapBlender]:
    made = MapBlender(ctx)
    yield made
    made.release()


def varied_pose(face: FaceAsset, seed: int = 0, keys: tuple[int, ...] = tuple(range(20))) -> Pose:
    """Random shares of the given keys at each vertex, rows sum to 1."""
    shares = np.zeros((face.topology.vertex_count, len(face.key_maps)), np.float32)
    shares[:, keys] = np.random.default_rng(seed).dirichlet(np.ones(len(keys)), len(shares))
    return Pose(np.zeros(51, np.float32), face.rig.neutral, shares)


def heights(target: BlendTarget) -> FloatArray:
    """(n, n) float32 mm, row 0 at the window's upper edge."""
    return np.frombuffer(target.heights.read(), np.float32).reshape(target.size, target.size)


def relief(target: BlendTarget) -> FloatArray:
    """(n, n, 4) float32: height, slopes, cavity."""
    return np.frombuffer(target.relief.read(), np.float16).reshape(target.size, target.size, 4).astype(np.float32)


def placed(topology: Topology, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangle at each map pixel's centre (n, n), -1 off the skin, and the barycentric weights there (n, n, 3)."""
    window, (first, end) = topology.window, topology.skin.faces
    row, column = np.mgrid[:size, :size]
    u = window.u0 + (column + 0.5) / size * (window.u1 - window.u0)
    v = window.v1 - (row + 0.5) / size * (window.v1 - window.v0)
    where, weights = np.full((size, size), -1), np.zeros((size, size, 3))
    for face in range(first, end):
        a, b, c = topology.uvs[topology.uv_faces[face]].astype(np.float64)
        inverse = np.linalg.inv(np.stack([b - a, c - a], -1))
        along = np.stack([u - a[0], v - a[1]], -1) @ inverse.T
        inside = (along > 1e-6).all(-1) & (along.sum(-1) < 1 - 1e-6)
        where[inside] = face
        weights[inside] = np.concatenate([1 - along.sum(-1, keepdims=True), along], -1)[inside]
    return where, weights


def reference(face: FaceAsset, pose: Pose) -> tuple[FloatArray, np.ndarray]:
    """Sum of barycentric shares times maps, and the pixels where it is defined."""
    where, weights = placed(face.topology, MAP_SIZE)
    shares = np.einsum("rcn,rcnk->rck", weights, pose.map_weights[face.topology.faces[where]])
    maps = np.stack([face.map_or_fallback(key) for key in range(len(face.key_maps))], -1)
    return (shares * maps).sum(-1), where >= 0


@pytest.mark.parametrize("keys", [(0,), (1, 7), (0, 3, 4, 9, 17), tuple(range(20))], ids=len)
def test_blend_equals_plain_arithmetic(blender: MapBlender, keys: tuple[int, ...]):
    face = make_asset()
    pose = varied_pose(face, keys=keys)
    expected, inside = reference(face, pose)
    blended = heights(blender.target(face, pose, interactive=False))
    assert inside.mean() > 0.4
    assert np.abs(blended - expected)[inside].max() < 1e-3


def test_missing_maps_count_as_the_neutral_one(blender: MapBlender):
    face = make_asset()
    some = replace(face, key_maps=tuple(one if key in (0, 5) else None for key, one in enumerate(face.key_maps)))
    pose = varied_pose(some)
    expected, inside = reference(some, pose)
    blended = heights(blender.target(some, pose, interactive=False))
    assert np.abs(blended - expected)[inside].max() < 1e-3
    assert blender.uploads == 2, "the maps that are there, once each"


def test_equal_maps_blend_to_that_map(blender: MapBlender):
    face = make_asset()
    same = make_map(3)
    face = replace(face, key_maps=tuple(same.copy() for _ in range(20)))
    blended = heights(blender.target(face, varied_pose(face), interactive=False))
    inside = placed(face.topology, MAP_SIZE)[0] >= 0
    assert np.abs(blended - same)[inside].max() < 1e-4


def test_more_keys_than_usual(blender: MapBlender):
    face = make_asset()
    face = replace(face, key_maps=tuple(make_map(key) for key in range(51)))
    pose = varied_pose(face, keys=tuple(range(51)))
    expected, inside = reference(face, pose)
    assert np.abs(heights(blender.target(face, pose, interactive=False)) - expected)[inside].max() < 1e-3


def test_half_size_while_interactive_is_the_mean_of_four(blender: MapBlender):
    face = make_asset()
    pose = varied_pose(face, keys=(2,))  # one key with weight 1: the map itself
    target = blender.target(face, pose, interactive=True)
    map_mm = face.map_or_fallback(2)
    expected = map_mm.reshape(MAP_SIZE // 2, 2, MAP_SIZE // 2, 2).mean((1, 3))
    blended = heights(target)
    on_skin = blended < OFF_SKIN
    assert target.size == MAP_SIZE // 2
    assert np.abs(blended - expected)[placed(face.topology, target.size)[0] >= 0].max() < 1e-4
    assert on_skin.mean() > 0.4


def test_map_goes_on_two_pixels_beyond_the_border_and_no_further(blender: MapBlender):
    face = make_asset()
    flat = np.full((MAP_SIZE, MAP_SIZE), 0.3, np.float32)
    face = replace(face, key_maps=(flat,) * 20)
    inside = placed(face.topology, MAP_SIZE)[0] >= 0
    height = relief(blender.target(face, varied_pose(face), interactive=False))[..., 0]
    rows, columns = np.nonzero(inside)
    top, left, bottom, right = rows.min(), columns.min(), rows.max(), columns.max()
    assert height[top - 2 : bottom + 3, left - 2 : right + 3] == pytest.approx(0.3, abs=1e-3)
    outside = height.copy()
    outside[top - 3 : bottom + 4, left - 3 : right + 4] = 0
    assert (outside == 0).all()


def test_static_map_is_used_as_it_is(blender: MapBlender):
    face = make_asset(keys=False)
    target = blender.target(face, varied_pose(face), interactive=True)
    assert (heights(target) == face.static_map).all()
    assert (blender.passes, blender.uploads) == (0, 0)


def test_slopes_are_those_of_the_map(blender: MapBlender):
    row, column = np.mgrid[:MAP_SIZE, :MAP_SIZE].astype(np.float32)
    ramp = 0.01 * column - 0.02 * row
    face = replace(make_asset(keys=False), static_map=ramp.astype(np.float32))
    inner = relief(blender.target(face, varied_pose(face), interactive=False))[2:-2, 2:-2]
    assert inner[..., 1] == pytest.approx(0.01 * MAP_SIZE, rel=2e-3)
    assert inner[..., 2] == pytest.approx(-0.02 * MAP_SIZE, rel=2e-3)
    assert np.abs(inner[..., 3]).max() < 1e-3


def test_nothing_is_done_twice(blender: MapBlender):
    face = make_asset()
    pose = varied_pose(face, keys=(0, 4))
    for _ in range(3):
        blender.target(face, pose, interactive=False)
    assert (blender.passes, blender.uploads) == (1, 2), "only the maps with weight, once"
    blender.target(face, pose, interactive=True)
    assert blender.passes == 1, "the full map of this pose is better than a half one"
    blender.target(face.with_map(9, make_map(900)), pose, interactive=False)
    assert (blender.passes, blender.uploads) == (1, 2), "a new map without weight changes nothing"
    blender.target(face.with_map(4, make_map(901)), pose, interactive=False)
    assert (blender.passes, blender.uploads) == (2, 3)
    blender.target(face, varied_pose(face, 1, (0, 4)), interactive=False)
    assert blender.passes == 3


def test_another_face_replaces_the_old_ones_layers(blender: MapBlender):
    for seed in range(3):
        face = make_asset(seed)
        pose = varied_pose(face, seed)
        expected, inside = reference(face, pose)
        blended = heights(blender.target(face, pose, interactive=False))
        assert np.abs(blended - expected)[inside].max() < 1e-3
    target = blender.target(face, pose, interactive=False)
    assert len(target.layers) == 20, "layers of faces that are gone are used again"
