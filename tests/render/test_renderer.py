"""Pictures of the invented face: orientation, light, cameras, looks, and what the renderer keeps or lets go."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace

import moderngl
import numpy as np
import pytest

from engine.arrays import ByteArray, FloatArray
from engine.camera import OrbitCamera, project
from engine.packs.open_pack import load_open_pack
from engine.render.context import standalone_context
from engine.render.offscreen import draw_image, render_image, render_over_photo
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from engine.rig import make_basis
from engine.types import FaceAsset, Photo, Pose, SkinTexture, ViewOptions, WeakPerspective
from tests.render.plain_face import face_of
from tests.synthetic import ROWS, make_asset, make_map, make_pose

pytestmark = pytest.mark.gl

SIZE = (240, 260)
UNLIT = ViewOptions(unlit=True, detail_strength=0.0, background=(0.0, 0.0, 0.0))
TURNED = WeakPerspective(np.array([0.15, 0.3, -0.1], np.float32), 2.1, np.array([310, 290], np.float32))


@pytest.fixture
def renderer(ctx: moderngl.Context) -> Iterator[FaceRenderer]:
    made = FaceRenderer(ctx)
    yield made
    made.release()


def shoot(renderer: FaceRenderer, state: RenderState, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The picture as (H, W, 3) int, so that differences do not wrap."""
    return draw_image(renderer, state, size).astype(int)


def with_texture(face: FaceAsset, image: ByteArray) -> FaceAsset:
    return replace(face, texture=SkinTexture(image, face.texture.visibility))


def uv_coloured(face: FaceAsset, size: int = 256) -> FaceAsset:
    """Texture whose red tells u and whose green tells v."""
    row, column = np.mgrid[:size, :size]
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 0] = 255 * (column + 0.5) / size
    image[..., 1] = 255 * (1 - (row + 0.5) / size)
    return with_texture(face, image)


def large_photo(face: FaceAsset) -> FaceAsset:
    """A photo of 620 x 560 px with noise, and a turned camera."""
    image = np.random.default_rng(1).integers(0, 256, (560, 620, 3)).astype(np.uint8)
    return replace(face, photo=Photo(image, "noise.png", None, "0" * 64), fit=replace(face.fit, camera=TURNED))


def inner_vertices() -> np.ndarray:
    """Skin vertices away from the border."""
    return np.arange(ROWS * ROWS).reshape(ROWS, ROWS)[2:-2, 2:-2].ravel()


def brightness(picture: np.ndarray) -> FloatArray:
    return picture.mean(-1)


def seamed(face: FaceAsset) -> FaceAsset:
    """The same face with its right half of the skin moved to another place of the texture: a seam in the middle."""
    topology = face.topology
    uvs, faces = topology.uvs, topology.faces
    right = faces[: topology.skin.faces[1]]
    side = (right % ROWS).min(1) >= ROWS // 2
    moved = uvs.copy()
    moved[:, 1] -= 0.24
    uv_faces = topology.uv_faces.copy()
    uv_faces[: len(side)][side] += len(uvs)
    return replace(face, topology=replace(topology, uvs=np.concatenate([uvs, moved]), uv_faces=uv_faces))


@pytest.mark.parametrize("interactive", [False, True], ids=["rest", "interactive"])
def test_texture_lies_the_right_way_round(renderer: FaceRenderer, interactive: bool):
    face = large_photo(uv_coloured(make_asset()))
    picture = shoot(renderer, RenderState(face, None, UNLIT, TURNED, interactive), (620, 560))
    chosen = inner_vertices()
    column, row = np.floor(project(TURNED, face.rig.neutral[chosen])).astype(int).T
    u, v = face.topology.uvs[chosen].T
    assert np.abs(picture[row, column, 0] - 255 * u).max() < 4
    assert np.abs(picture[row, column, 1] - 255 * v).max() < 4


def test_nothing_smears_across_a_seam(renderer: FaceRenderer):
    face = large_photo(uv_coloured(seamed(make_asset())))
    picture = shoot(renderer, RenderState(face, None, UNLIT, TURNED), (620, 560))
    faces = face.topology.faces[: face.topology.skin.faces[1]]
    centres = face.rig.neutral[faces].mean(1)
    uvs = face.topology.uvs[face.topology.uv_faces[: len(faces)]].mean(1)
    inner = np.isin(faces, inner_vertices()).all(1)
    column, row = np.floor(project(TURNED, centres[inner].astype(np.float32))).astype(int).T
    assert np.abs(picture[row, column, 1] - 255 * uvs[inner, 1]).max() < 4


def test_unlit_shows_the_photo_as_it_is(renderer: FaceRenderer):
    face = with_texture(make_asset(), np.full((64, 64, 3), (203, 131, 57), np.uint8))
    middle = shoot(renderer, RenderState(face, None, UNLIT))[130, 120]
    assert np.abs(middle - (203, 131, 57)).max() <= 1


def test_lit_frontal_view_stays_near_the_photo(renderer: FaceRenderer):
    face = with_texture(make_asset(), np.full((64, 64, 3), (200, 150, 130), np.uint8))
    view = ViewOptions(detail_strength=0.0)
    picture = shoot(renderer, RenderState(face, None, view))
    skin = picture[70:190, 80:160].reshape(-1, 3)
    assert np.abs(skin.mean(0) - (200, 150, 130)).max() < 20


def test_face_lands_on_its_photo_within_a_pixel(ctx: moderngl.Context):
    """A white spot in the texture at a vertex must appear where the camera projects that vertex."""
    face = large_photo(make_asset())
    texture_size = 512
    for vertex in (ROWS * 5 + 4, ROWS * 8 + 8, ROWS * 12 + 11):
        u, v = face.topology.uvs[vertex]
        row, column = np.mgrid[:texture_size, :texture_size]
        away = np.hypot((column + 0.5) / texture_size - u, 1 - (row + 0.5) / texture_size - v)
        spot = np.repeat((255 * np.exp(-((away / 0.012) ** 2)))[..., None], 3, -1).astype(np.uint8)
        picture = render_over_photo(with_texture(face, spot), None, UNLIT, ctx).astype(float)
        picture[face.photo.image == picture] = 0  # what is left of the noise around the face
        x, y = project(TURNED, face.rig.neutral[vertex : vertex + 1])[0]
        near = np.s_[int(y) - 15 : int(y) + 16, int(x) - 15 : int(x) + 16]
        weight = brightness(picture[near])
        rows, columns = np.mgrid[near]
        assert (columns * weight).sum() / weight.sum() + 0.5 == pytest.approx(x, abs=1.0)
        assert (rows * weight).sum() / weight.sum() + 0.5 == pytest.approx(y, abs=1.0)


def test_over_photo_keeps_the_photo_around_the_face(ctx: moderngl.Context):
    face = large_photo(make_asset())
    picture = render_over_photo(face, make_pose(face), ViewOptions(), ctx)
    assert picture.shape == face.photo.image.shape
    outline = project(TURNED, face.rig.neutral)
    (left, top), (right, bottom) = np.floor(outline.min(0)).astype(int), np.ceil(outline.max(0)).astype(int)
    same = (picture == face.photo.image).all(-1)
    outside = np.ones(same.shape, bool)
    outside[top - 2 : bottom + 2, left - 2 : right + 2] = False
    assert same[outside].all(), "the photo's own bytes"
    changed = np.argwhere(~same)
    assert np.abs(changed.min(0) - (top, left)).max() <= 2
    assert np.abs(changed.max(0) + 1 - (bottom, right)).max() <= 2


def test_a_large_photo_is_shown_at_2048_pixels(ctx: moderngl.Context):
    face = make_asset()
    image = np.full((1500, 3000, 3), 90, np.uint8)
    camera = WeakPerspective(np.zeros(3, np.float32), 6.0, np.array([1500, 750], np.float32))
    face = replace(face, photo=Photo(image, "wide.png", None, "0" * 64), fit=replace(face.fit, camera=camera))
    picture = render_over_photo(face, None, UNLIT, ctx)
    assert picture.shape == (1024, 2048, 3)
    changed = np.argwhere((picture != 90).any(-1))
    expected = project(camera, face.rig.neutral)[:, ::-1] * 2048 / 3000
    assert np.abs(changed.min(0) - expected.min(0)).max() <= 2
    assert np.abs(changed.max(0) + 1 - expected.max(0)).max() <= 2


def test_photo_fits_into_a_view_of_another_shape(renderer: FaceRenderer):
    face = large_photo(make_asset())
    view = replace(UNLIT, background=(0.0, 0.5, 0.0))
    picture = shoot(renderer, RenderState(face, None, view, TURNED, photo_background=True), (1240, 560))
    framed = render_over_photo(face, None, view, renderer.ctx).astype(int)
    inside = picture[:, 310:930]
    assert np.abs(inside - framed).max(-1).mean() < 0.5
    assert (picture[:, :305, 1] > 80).all(), "background beside the photo"
    assert (picture[:, :305, 0] == 0).all()


@pytest.mark.parametrize("look", ["clay", "texture"])
def test_light_from_a_side_brightens_that_side(renderer: FaceRenderer, look: str):
    halves = []
    for azimuth in (-70.0, 70.0):
        view = ViewOptions(look=look, light_azimuth_deg=azimuth, light_elevation_deg=0.0, detail_strength=0.0)
        picture = brightness(shoot(renderer, RenderState(make_asset(), None, view)))
        halves.append((picture[60:200, 60:110].mean(), picture[60:200, 130:180].mean()))
    assert halves[0][0] > halves[0][1] + 8
    assert halves[1][1] > halves[1][0] + 8


def test_light_from_above_brightens_the_upper_half(renderer: FaceRenderer):
    view = ViewOptions(look="clay", light_azimuth_deg=0.0, light_elevation_deg=70.0, detail_strength=0.0)
    picture = brightness(shoot(renderer, RenderState(make_asset(), None, view)))
    assert picture[50:90, 80:160].mean() > picture[170:210, 80:160].mean() + 8


def test_positive_azimuth_shows_the_persons_left_side(renderer: FaceRenderer):
    _, column = np.mgrid[:64, :64]
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0], image[..., 2] = 255 * (column >= 32), 255 * (column < 32)  # the person's left (+X, u > 0.5) is red
    face = with_texture(make_asset(), image)

    def share_of_red(azimuth: float) -> float:
        picture = shoot(renderer, RenderState(face, None, UNLIT, OrbitCamera(azimuth_deg=azimuth)))
        red, blue = (picture[..., 0] > 128).sum(), (picture[..., 2] > 128).sum()
        return float(red / (red + blue))

    assert share_of_red(60) > 0.7
    assert share_of_red(0) == pytest.approx(0.5, abs=0.05)
    assert share_of_red(-60) < 0.3


def test_zoom_enlarges_and_pan_follows_the_drag(renderer: FaceRenderer):
    def where(camera: OrbitCamera) -> tuple[np.ndarray, int]:
        face_pixels = np.argwhere(brightness(shoot(renderer, RenderState(make_asset(), None, UNLIT, camera))) > 0)
        return face_pixels.mean(0), len(face_pixels)

    (row, column), area = where(OrbitCamera())
    assert where(OrbitCamera(zoom=0.5))[1] == pytest.approx(area / 4, rel=0.1)
    (moved_row, moved_column), _ = where(OrbitCamera().panned(15, 10, SIZE[1]))
    assert moved_column - column == pytest.approx(15, abs=2)
    assert moved_row - row == pytest.approx(-10, abs=2)


def test_the_inside_of_the_mask_is_dull_from_behind(renderer: FaceRenderer):
    for look in ("texture", "clay", "map"):
        picture = shoot(renderer, RenderState(make_asset(), None, ViewOptions(look=look), OrbitCamera(azimuth_deg=180)))
        front = shoot(renderer, RenderState(make_asset(), None, ViewOptions(look=look)))
        assert picture[130, 120].max() < 75
        assert picture[130, 120].mean() < 0.5 * front[130, 120].mean()


@pytest.mark.parametrize("look", ["texture", "clay"])
def test_an_eye_seen_from_the_side_is_as_light_as_a_little_before(renderer: FaceRenderer, look: str):
    face = face_of(make_basis(load_open_pack(), np.zeros(50, np.float32)))
    ball = face.rig.neutral[slice(*next(p for p in face.topology.parts if p.name == "eye_left").vertices)]
    middle = ball[np.argmax(ball[:, 2])]
    off = ball - middle
    outside = ball[(off[:, 0] > 5.5) & (np.abs(off[:, 1]) < 2.5) & (off[:, 2] > -6.0)]  # white between the lids

    def lightness(azimuth_deg: float) -> float:
        camera = OrbitCamera(azimuth_deg, target_mm=(0.0, float(outside[:, 1].mean()), -40.0), zoom=2.5)
        picture = brightness(shoot(renderer, RenderState(face, None, ViewOptions(look=look), camera)))
        at = np.c_[outside, np.ones(len(outside), np.float32)] @ camera.clip_from_model(*SIZE).T
        column, row = ((at[:, :2] / at[:, 3:] * (0.5, -0.5) + 0.5) * SIZE).astype(int).T
        inside = (column >= 0) & (column < SIZE[0]) & (row >= 0) & (row < SIZE[1])
        assert inside.sum() > 10
        return float(np.median(picture[row[inside], column[inside]]))

    assert lightness(90.0) > 0.6 * lightness(80.0)


def test_pose_moves_the_surface_and_blends_its_maps(renderer: FaceRenderer):
    face = make_asset()
    weights = np.zeros(51, np.float32)
    weights[30] = 1.0
    view = ViewOptions(look="clay")
    neutral, moved = (shoot(renderer, RenderState(face, pose, view)) for pose in (None, make_pose(face, weights)))
    still = shoot(renderer, RenderState(face, replace(make_pose(face, weights), vertices=face.rig.neutral), view))
    assert np.abs(moved - neutral).max() > 20
    assert np.abs(still - neutral).max() > 8, "another key map must show even where no vertex moves"


def test_interactive_picture_is_close_to_the_one_at_rest(renderer: FaceRenderer):
    face = make_asset()
    quick, fine = (
        shoot(renderer, RenderState(face, make_pose(face), ViewOptions(look="clay"), None, interactive))
        for interactive in (True, False)
    )
    assert np.abs(quick - fine).mean() < 2.5


def test_wireframe_draws_lines_on_the_surface(renderer: FaceRenderer):
    face, view = make_asset(), ViewOptions(look="clay", detail_strength=0.0)
    plain, lines = (
        brightness(shoot(renderer, RenderState(face, None, replace(view, wireframe=on), OrbitCamera(zoom=2))))
        for on in (False, True)
    )
    darker = plain - lines > 10
    assert 0.1 < darker[60:200, 60:180].mean() < 0.6
    assert not (lines - plain > 3).any()


def test_background_alone_is_a_quiet_gradient(renderer: FaceRenderer):
    picture = shoot(renderer, RenderState(view=ViewOptions(background=(0.4, 0.2, 0.1))))
    assert np.abs(picture[130].mean(0) - (103, 51, 25)).max() < 3
    assert picture[5].mean() > picture[-5].mean() + 20
    assert np.ptp(picture, axis=1).max() <= 1, "only the dither varies along a row"


def test_same_state_same_bytes(ctx: moderngl.Context, renderer: FaceRenderer):
    face = make_asset()
    state = RenderState(face, make_pose(face), ViewOptions(wireframe=True))
    first = draw_image(renderer, state, SIZE)
    draw_image(renderer, RenderState(make_asset(4), None, ViewOptions(look="map")), (90, 80))
    assert (draw_image(renderer, state, SIZE) == first).all(), "nothing of another picture is left"
    assert (render_image(state, SIZE, ctx) == first).all()


def test_a_new_context_draws_the_same_picture(renderer: FaceRenderer):
    face = make_asset()
    state = RenderState(face, make_pose(face), ViewOptions(look="texture"), OrbitCamera(azimuth_deg=20))
    before = draw_image(renderer, state, SIZE)
    other = standalone_context()
    with other:
        rebuilt = FaceRenderer(other)
        after = draw_image(rebuilt, state, SIZE)
        rebuilt.release()
    other.release()
    assert (before == after).all()


def test_own_context_is_made_and_let_go():
    face = make_asset()
    assert render_image(RenderState(face), (64, 48)).shape == (48, 64, 3)


def test_resting_camera_moves_cost_no_blend(renderer: FaceRenderer):
    face = make_asset()
    pose = make_pose(face)
    for azimuth in (0, 10, 20):
        shoot(renderer, RenderState(face, pose, ViewOptions(), OrbitCamera(azimuth_deg=azimuth)))
    assert renderer.blender.passes == 1
    shoot(renderer, RenderState(face.with_map(0, make_map(77)), pose, ViewOptions()))
    assert renderer.blender.passes == 2


def alive_objects(ctx: moderngl.Context) -> list[object]:
    """All moderngl objects of the context that have not been released."""
    kinds = (
        moderngl.Buffer,
        moderngl.Framebuffer,
        moderngl.Program,
        moderngl.Renderbuffer,
        moderngl.Texture,
        moderngl.TextureArray,
        moderngl.VertexArray,
    )
    return [
        thing
        for thing in gc.get_objects()
        if issubclass(type(thing), kinds)  # isinstance would ask lazy modules of other libraries
        and thing.ctx is ctx
        and type(thing.mglo).__name__ != "InvalidObject"
        and getattr(thing, "glo", 1) != 0  # framebuffer 0 is nobody's
    ]


def test_release_leaves_nothing(ctx: moderngl.Context):
    gc.collect()
    before = {id(thing) for thing in alive_objects(ctx)}
    made = FaceRenderer(ctx)
    for seed in (0, 1):  # the second face replaces what belongs to the first
        face = large_photo(make_asset(seed))
        for look in ("texture", "clay", "map"):
            for interactive in (False, True):
                view = ViewOptions(look=look, wireframe=True)
                shoot(made, RenderState(face, make_pose(face), view, TURNED, interactive, photo_background=True))
    held = [thing for thing in alive_objects(ctx) if id(thing) not in before]
    assert len(held) > 20, "the count must see what a renderer holds"
    made.release()
    made.release()
    del held
    assert [thing for thing in alive_objects(ctx) if id(thing) not in before] == []


def test_contradictions_are_named(renderer: FaceRenderer):
    face = make_asset()
    with pytest.raises(ValueError, match=r"view\.look"):
        shoot(renderer, RenderState(face, view=ViewOptions(look="glass")))
    with pytest.raises(ValueError, match="camera"):
        shoot(renderer, RenderState(face, camera=OrbitCamera(), photo_background=True))
    few = Pose(np.zeros(51, np.float32), np.zeros((5, 3), np.float32), np.ones((5, 20), np.float32))
    with pytest.raises(ValueError, match="pose: expected"):
        shoot(renderer, RenderState(face, few))
