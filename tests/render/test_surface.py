"""Displacement and normals against closed forms, on charts turned and mirrored every way."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest

from engine.camera import project
from engine.render import program
from engine.render.offscreen import draw_image
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from engine.types import FaceAsset, Part, Photo, RigBasis, Topology, UvWindow, ViewOptions, WeakPerspective
from tests.relief_depths import DEPTHS_MM, colour_of
from tests.synthetic import make_asset

pytestmark = pytest.mark.gl

RADIUS_MM, HALF_MM = 60.0, 40.0
GRID, MAP_SIZE, PICTURE = 65, 512, 400
CAMERA = WeakPerspective(np.zeros(3, np.float32), 4.5, np.array([PICTURE / 2, PICTURE / 2], np.float32))

CHARTS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "upright": lambda s, t: (s, t),
    "mirrored": lambda s, t: (1 - s, t),
    "turned": lambda s, t: (t, 1 - s),
    "turned and mirrored": lambda s, t: (t, s),
}
"""Place in the unit square (s right, t up) -> (u, v). All four are their own inverse or undone by ``inverse``."""


def inverse(chart: str, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(u, v) -> (s, t)."""
    return (1 - v, u) if chart == "turned" else CHARTS[chart](u, v)


def height_mm(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The relief, as a function of the place on the sphere."""
    return 0.35 * np.sin(0.45 * x + 0.2 * y) + 0.2 * np.cos(0.6 * y)


def sphere(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y, np.sqrt(RADIUS_MM**2 - x**2 - y**2)], -1)


def displaced(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = sphere(x, y)
    return base + height_mm(x, y)[..., None] * base / RADIUS_MM


def sphere_face(chart: str, relief: Callable[[np.ndarray, np.ndarray], np.ndarray] = height_mm) -> FaceAsset:
    """A cap of a sphere as a face whose static map is the relief."""
    t, s = np.meshgrid(np.linspace(1, 0, GRID), np.linspace(0, 1, GRID), indexing="ij")
    index = np.arange(GRID * GRID, dtype=np.int32).reshape(GRID, GRID)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    neutral = sphere(HALF_MM * (2 * s - 1), HALF_MM * (2 * t - 1)).reshape(-1, 3).astype(np.float32)
    window = UvWindow(0.0, 0.0, 1.0, 1.0, MAP_SIZE)
    topology = Topology(
        faces=faces,
        uvs=np.stack(CHARTS[chart](s, t), -1).reshape(-1, 2).astype(np.float32),
        uv_faces=faces.copy(),
        vertex_count=len(neutral),
        parts=(Part("skin", "skin", (0, len(faces)), (0, len(neutral))),),
        mirror=np.ascontiguousarray(index[:, ::-1]).ravel(),
        front_faces=np.arange(len(faces), dtype=np.int32),
        window=window,
    )
    centres = (np.arange(MAP_SIZE) + 0.5) / MAP_SIZE
    v, u = np.meshgrid(1 - centres, centres, indexing="ij")
    map_s, map_t = inverse(chart, u, v)
    map_mm = relief(HALF_MM * (2 * map_s - 1), HALF_MM * (2 * map_t - 1))
    asset = make_asset(keys=False)
    deltas = np.zeros((51, len(neutral), 3), np.float32)
    return replace(
        asset,
        topology=topology,
        photo=Photo(np.zeros((PICTURE, PICTURE, 3), np.uint8), "sphere.png", None, "0" * 64),
        fit=replace(asset.fit, camera=CAMERA),
        rig=RigBasis(neutral, deltas, deltas[..., 0].copy(), asset.rig.key_weights),
        static_map=np.broadcast_to(map_mm, (MAP_SIZE, MAP_SIZE)).astype(np.float32),
        confidence=np.ones((MAP_SIZE, MAP_SIZE), np.float32),
    )


@pytest.fixture
def normal_renderer(ctx: moderngl.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaceRenderer]:
    """A renderer whose clay look shows the surface's normals as colours, by the product's own functions."""
    folder = tmp_path / "shaders"
    shutil.copytree(program.SHADER_FOLDER, folder)
    show = "color = vec4(0.5 + 0.5 * relief(form_normal()).normal, 1.0);"
    (folder / "face_clay.frag").write_text(
        '#version 330 core\n#include "surface.glsl"\n#include "lighting.glsl"\n'
        f"out vec4 color;\nvoid main() {{ {show} }}\n"
    )
    monkeypatch.setattr(program, "SHADER_FOLDER", folder)
    made = FaceRenderer(ctx)
    yield made
    made.release()


@pytest.fixture
def renderer(ctx: moderngl.Context) -> Iterator[FaceRenderer]:
    made = FaceRenderer(ctx)
    yield made
    made.release()


def true_normals(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the displaced sphere, by differences of the closed form."""
    step = 1e-3
    across = displaced(x + step, y) - displaced(x - step, y)
    up = displaced(x, y + step) - displaced(x, y - step)
    normal = np.cross(across, up)
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def shown_normals(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the picture shows where the displaced points (x, y) land."""
    pixels = project(CAMERA, displaced(x, y).reshape(-1, 3).astype(np.float32))
    column, row = np.floor(pixels).astype(int).T
    normal = picture[row, column].reshape(*x.shape, 3) / 127.5 - 1.0
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("interactive", [False, True], ids=["rest", "interactive"])
def test_normals_of_a_displaced_sphere(normal_renderer: FaceRenderer, chart: str, interactive: bool):
    face = sphere_face(chart)
    state = RenderState(face, None, ViewOptions(look="clay"), CAMERA, interactive)
    picture = draw_image(normal_renderer, state, (PICTURE, PICTURE))
    y, x = np.meshgrid(np.linspace(-34, 34, 120), np.linspace(-34, 34, 120), indexing="ij")
    shown, expected = shown_normals(picture, x, y), true_normals(x, y)
    error = np.degrees(np.arccos(np.clip((shown * expected).sum(-1), -1, 1)))
    without = np.degrees(np.arccos(np.clip((sphere(x, y) / RADIUS_MM * expected).sum(-1), -1, 1)))
    assert without.mean() > 5.0, "the relief must matter"
    assert error.mean() < 0.6
    assert np.quantile(error, 0.99) < 1.6


def test_normals_show_no_blocks_of_two_by_two(normal_renderer: FaceRenderer):
    state = RenderState(sphere_face("upright"), None, ViewOptions(look="clay"), CAMERA)
    middle = draw_image(normal_renderer, state, (PICTURE, PICTURE))[100:300, 100:300].astype(int)
    steps = np.abs(np.diff(middle, axis=1)).sum(-1)
    within, between = steps[:, 0::2].mean(), steps[:, 1::2].mean()
    assert within == pytest.approx(between, rel=0.1)


def covered(renderer: FaceRenderer, face: FaceAsset, view: ViewOptions) -> int:
    picture = draw_image(renderer, RenderState(face, None, view, CAMERA), (PICTURE, PICTURE))
    return int((picture.max(-1) > 0).sum())


def test_positive_is_outwards(renderer: FaceRenderer):
    """The cap's border slopes outwards, so growing along the normal widens the silhouette."""
    black = ViewOptions(look="clay", background=(0.0, 0.0, 0.0))
    areas = [
        covered(renderer, sphere_face("upright", lambda x, y, mm=mm: np.full_like(x, mm)), black) for mm in (-2, 0, 2)
    ]
    assert areas[0] < 0.97 * areas[1]
    assert areas[2] > 1.03 * areas[1]
    half = covered(
        renderer,
        sphere_face("upright", lambda x, y: np.full_like(x, 4.0)),
        replace(black, detail_strength=0.5),
    )
    assert half == pytest.approx(areas[2], rel=1e-3), "strength is a factor on the map"


@pytest.mark.parametrize("look", ["clay", "texture"])
@pytest.mark.parametrize("chart", CHARTS)
def test_a_bump_catches_the_light_on_its_lit_side(renderer: FaceRenderer, look: str, chart: str):
    view = ViewOptions(look=look, light_azimuth_deg=-60.0, light_elevation_deg=0.0)
    pictures = [
        draw_image(
            renderer,
            RenderState(sphere_face(chart, lambda x, y, s=s: s * np.exp(-(x**2 + y**2) / 30.0)), None, view, CAMERA),
            (PICTURE, PICTURE),
        ).astype(float)
        for s in (0.8, 0.0, -0.8)
    ]
    bump, dent = (picture.mean(-1) - pictures[1].mean(-1) for picture in (pictures[0], pictures[2]))
    left, right = np.s_[190:210, 178:192], np.s_[190:210, 208:222]
    assert bump[left].mean() > 3 > -3 > bump[right].mean(), "light from the viewer's left"
    assert dent[left].mean() < -3 < 3 < dent[right].mean()


def test_no_strength_is_no_map(renderer: FaceRenderer):
    off = RenderState(sphere_face("upright"), None, ViewOptions(look="clay", detail_strength=0.0), CAMERA)
    flat = RenderState(sphere_face("upright", lambda x, y: 0 * x), None, ViewOptions(look="clay"), CAMERA)
    on = RenderState(off.face, None, ViewOptions(look="clay"), CAMERA)
    pictures = [draw_image(renderer, state, (200, 200)).astype(int) for state in (off, flat, on)]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1, "but for rounding of the last bit"
    assert np.abs(pictures[2] - pictures[0]).mean() > 2


def test_map_look_shows_sign_and_size(renderer: FaceRenderer):
    ramp = sphere_face("upright", lambda x, y: x / HALF_MM * 0.5)
    light = ViewOptions(look="map", light_azimuth_deg=0.0, light_elevation_deg=0.0)
    row = draw_image(renderer, RenderState(ramp, None, light, CAMERA), (PICTURE, PICTURE))[200].astype(int)
    left, middle, right = row[40], row[200], row[360]
    assert left[2] > left[0] + 60, "inwards is blue"
    assert right[0] > right[2] + 60, "outwards is red"
    assert np.ptp(middle) < 12, "none is neutral"


@pytest.mark.parametrize("depth", DEPTHS_MM)
def test_map_look_gives_a_depth_the_colour_of_the_scale(renderer: FaceRenderer, depth: float):
    level = sphere_face("upright", lambda x, y: np.full_like(x, depth))
    light = ViewOptions(look="map", light_azimuth_deg=0.0, light_elevation_deg=0.0)
    picture = draw_image(renderer, RenderState(level, None, light, CAMERA), (PICTURE, PICTURE)).astype(int)
    assert np.abs(picture[200, 200] - colour_of(depth)).max() <= 6


def test_detail_outside_the_window_is_none(renderer: FaceRenderer):
    face = sphere_face("upright", lambda x, y: np.full_like(x, 0.5))
    small = replace(face, topology=replace(face.topology, window=UvWindow(0.25, 0.25, 0.75, 0.75, MAP_SIZE)))
    view = ViewOptions(look="map", light_azimuth_deg=0.0, light_elevation_deg=0.0)
    picture = draw_image(renderer, RenderState(small, None, view, CAMERA), (PICTURE, PICTURE)).astype(int)
    redness = picture[..., 0] - picture[..., 2]
    assert redness[200, 200] > 60
    assert abs(redness[200, 50]) < 12
    assert abs(redness[50, 200]) < 12
