from __future__ import annotations

import gc
import time

import numpy as np
import pytest

from engine.rasterize import Raster, rasterize, uv_points_px, uv_raster, uv_square_raster
from tests.engine.dome import dome


def _jittered_grid(side: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(3, size - 3, side), np.linspace(3, size - 3, side), indexing="ij")
    step = (size - 6) / (side - 1)
    points = np.stack([x, y], -1) + rng.uniform(-0.3, 0.3, (side, side, 2)) * step
    index = np.arange(side * side).reshape(side, side)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    faces = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)])
    return points.reshape(-1, 2).astype(np.float32), faces.astype(np.int32)


def _inside(points: np.ndarray, face: np.ndarray, H: int, W: int) -> np.ndarray:
    y, x = np.mgrid[:H, :W] + 0.5
    sides = []
    for i in range(3):
        (x0, y0), (x1, y1) = points[face[i]].astype(float), points[face[(i + 1) % 3]].astype(float)
        sides.append((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0))
    sides = np.stack(sides)
    return (sides > 0).all(0) | (sides < 0).all(0)


def test_covers_exactly_the_pixels_whose_centre_is_inside() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-10, 50, (60, 2)).astype(np.float32)  # some reach beyond the picture
    for face in rng.permutation(60).reshape(20, 3).astype(np.int32):
        drawn = rasterize(points, face[None], (37, 41)).covered
        np.testing.assert_array_equal(drawn, _inside(points, face, 37, 41))


def test_neighbours_share_every_pixel_between_them_once() -> None:
    points, faces = _jittered_grid(24, 90)
    counts = sum(rasterize(points, face[None], (90, 90)).covered.astype(int) for face in faces)
    assert counts.max() == 1
    assert counts[8:-8, 8:-8].min() == 1  # no gap inside either


def test_interpolation_returns_the_pixel_centre_for_the_corner_positions() -> None:
    points, faces = _jittered_grid(16, 120)
    raster = rasterize(points, faces, (120, 120))
    found = raster.interpolate(points, faces)
    y, x = np.mgrid[:120, :120] + 0.5
    inside = raster.covered
    assert inside.mean() > 0.8
    np.testing.assert_allclose(found[inside], np.stack([x, y], -1)[inside], atol=2e-3)
    assert not found[~inside].any()


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_the_nearer_face_wins_whatever_the_order(order: slice) -> None:
    points = np.array([[0, 0], [40, 0], [0, 40], [0, 0], [40, 0], [0, 40]], np.float32)
    depth = np.array([0, 10, 0, 5, 5, 5], np.float32)  # a slope through a plane: they meet half-way along x
    faces = np.array([[0, 1, 2], [3, 4, 5]], np.int32)[order]
    raster = rasterize(points, faces, (40, 40), depth)
    winner = faces[raster.face_index[2], 0]
    assert (winner[1:18] == 3).all()
    assert (winner[23:36] == 0).all()


def test_broken_and_empty_faces_are_left_out() -> None:
    points = np.array([[1, 1], [9, 1], [1, 9], [np.nan, 3], [5, 5], [5, 5], [np.inf, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 3], [4, 5, 1], [0, 1, 6]], np.int32)
    raster = rasterize(points, faces, (10, 10))
    assert set(np.unique(raster.face_index)) == {-1, 0}
    assert np.isfinite(raster.barycentric).all()
    assert not rasterize(points, np.zeros((0, 3), np.int32), (4, 4)).covered.any()


def test_wrong_arrays_are_named() -> None:
    with pytest.raises(ValueError, match="points_px"):
        rasterize(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int32), (4, 4))
    with pytest.raises(ValueError, match="depth"):
        rasterize(np.zeros((3, 2), np.float32), np.zeros((1, 3), np.int32), (4, 4), np.zeros(2, np.float32))


def test_uv_rasters_agree_with_the_window_and_are_kept() -> None:
    topology, _ = dome(31, 128)
    whole, window = uv_square_raster(topology, 512), uv_raster(topology)
    assert uv_raster(topology, 128) is window
    texel = window.interpolate(topology.uvs, topology.uv_faces)
    w = topology.window
    y, x = np.mgrid[:128, :128] + 0.5
    expected = np.stack([w.u0 + x / 128 * (w.u1 - w.u0), w.v1 - y / 128 * (w.v1 - w.v0)], -1)
    np.testing.assert_allclose(texel[window.covered], expected[window.covered], atol=1e-5)
    assert whole.face_index.max() < topology.skin.faces[1]  # the eye's chart is not drawn
    assert uv_square_raster(dome(31, 128)[0], 512) is not whole  # another topology has its own


def test_a_raster_goes_with_its_topology() -> None:
    from engine import rasterize as module

    topology, _ = dome(11, 32)
    before = len(module._CACHE)
    uv_raster(topology)
    assert len(module._CACHE) == before + 1
    del topology
    gc.collect()
    assert len(module._CACHE) == before


def test_a_dense_mesh_takes_no_python_loop() -> None:
    points, faces = _jittered_grid(166, 1024)
    depth = np.sin(points[:, 0] / 40).astype(np.float32)
    assert len(faces) > 54_000
    best = min(_seconds(points, faces, (1024, 1024), None) for _ in range(3))
    best_z = min(_seconds(points * 0.68, faces, (700, 700), depth) for _ in range(3))
    # 0.08 s and 0.06 s alone on one core; the limits leave room for a busy machine
    assert best < 0.7
    assert best_z < 0.5


def _seconds(points: np.ndarray, faces: np.ndarray, size: tuple[int, int], depth: np.ndarray | None) -> float:
    start = time.perf_counter()
    rasterize(points.astype(np.float32), faces, size, depth)
    return time.perf_counter() - start


@pytest.mark.gl
def test_opengl_draws_the_same_chart() -> None:
    from engine.render.context import standalone_context

    topology, vertices = dome(41, 256)
    raster = uv_raster(topology, 256)
    ours = raster.interpolate(vertices, topology.faces)
    with standalone_context() as ctx:
        theirs = _drawn(ctx, topology, vertices, 256)
    both = raster.covered & (theirs[..., 3] > 0)
    assert np.count_nonzero(raster.covered ^ (theirs[..., 3] > 0)) < 0.002 * both.sum()
    difference = np.abs(ours - theirs[..., :3])[both]
    assert difference.mean() < 0.01  # mm
    assert np.quantile(difference, 0.999) < 0.2


def _drawn(ctx: object, topology: object, vertices: np.ndarray, size: int) -> np.ndarray:
    points = uv_points_px(topology.uvs, topology.window, size)
    clip = np.stack([points[:, 0] / size * 2 - 1, 1 - points[:, 1] / size * 2], -1)
    count = topology.skin.faces[1]
    corners = np.concatenate([clip[topology.uv_faces[:count]], vertices[topology.faces[:count]]], -1)
    program = ctx.program(
        vertex_shader="#version 330\nin vec2 p; in vec3 q; out vec3 c; void main(){gl_Position=vec4(p,0,1); c=q;}",
        fragment_shader="#version 330\nin vec3 c; out vec4 o; void main(){o=vec4(c,1);}",
    )
    array = ctx.vertex_array(program, [(ctx.buffer(corners.astype("f4").tobytes()), "2f 3f", "p", "q")])
    target = ctx.framebuffer([ctx.texture((size, size), 4, dtype="f4")])
    target.use()
    ctx.clear()
    array.render()
    picture = np.frombuffer(target.read(components=4, dtype="f4"), np.float32).reshape(size, size, 4)
    return picture[::-1]


def test_rasters_are_checked() -> None:
    with pytest.raises(ValueError, match="barycentric"):
        Raster(np.zeros((2, 2), np.int32), np.zeros((2, 3, 2), np.float32))
