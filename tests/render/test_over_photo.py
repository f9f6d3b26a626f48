"""The face in its photo as a window shows it: part of the photo, zoomed, faded, in views of any shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import moderngl
import numpy as np
import pytest

from engine.camera import PhotoCamera, photo_of_face, project
from engine.packs.open_pack import load_open_pack
from engine.render.draft import DraftBuffer
from engine.render.mesh import mesh_tables
from engine.render.offscreen import draw_image
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from engine.types import FaceAsset, Photo, SkinTexture, ViewOptions, WeakPerspective
from tests.synthetic import ROWS, make_asset

pytestmark = pytest.mark.gl

VIEW = ViewOptions(unlit=True, detail_strength=0.0, background=(0.0, 0.5, 0.0))
TURNED = WeakPerspective(np.array([0.15, 0.3, -0.1], np.float32), 2.1, np.array([310, 290], np.float32))
SIZES = [(500, 360), (260, 420)]


@pytest.fixture
def renderer(ctx: moderngl.Context) -> Iterator[FaceRenderer]:
    made = FaceRenderer(ctx)
    yield made
    made.release()


def smooth_photo(height: int, width: int) -> Photo:
    """Red tells the column, green the row: where a pixel came from can be read off it."""
    row, column = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 255 * column / width, 255 * row / height, 90
    return Photo(image, "smooth.png", None, "0" * 64)


def wearing_its_photo(face: FaceAsset, camera: WeakPerspective, photo: Photo, size: int = 512) -> FaceAsset:
    """The texture holds at each (u, v) what the photo shows where that spot of the neutral skin lies in it."""
    height, width = photo.image.shape[:2]
    # The dome's chart is a regular grid: its vertices' places in the photo are an image to be enlarged.
    at = project(camera, face.rig.neutral[: ROWS * ROWS]).reshape(ROWS, ROWS, 2)
    u = np.interp((np.arange(size) + 0.5) / size, np.linspace(0.15, 0.85, ROWS), np.arange(ROWS))
    v = np.interp(1 - (np.arange(size) + 0.5) / size, np.linspace(0.25, 0.95, ROWS), np.arange(ROWS)[::-1])
    i, j = np.minimum(v.astype(int), ROWS - 2)[:, None], np.minimum(u.astype(int), ROWS - 2)[None]
    b, a = v[:, None] - i, u[None] - j
    b, a = b[..., None], a[..., None]
    places = (1 - a) * (1 - b) * at[i, j] + a * (1 - b) * at[i, j + 1] + (1 - a) * b * at[i + 1, j]
    places = places + a * b * at[i + 1, j + 1]
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 0] = np.clip(255 * places[..., 0] / width, 0, 255)
    image[..., 1] = np.clip(255 * places[..., 1] / height, 0, 255)
    image[..., 2] = 90
    texture = SkinTexture(image, face.texture.visibility)
    return replace(face, photo=photo, fit=replace(face.fit, camera=camera), texture=texture)


def camera_of(face: FaceAsset) -> PhotoCamera:
    height, width = face.photo.image.shape[:2]
    return photo_of_face(project(face.fit.camera, face.rig.neutral), width, height)


def shoot(renderer: FaceRenderer, face: FaceAsset, camera: PhotoCamera, size: tuple[int, int], **more) -> np.ndarray:
    """The picture as (H, W, 3) int, so that differences do not wrap."""
    state = RenderState(face, None, more.pop("view", VIEW), camera, photo_background=True, **more)
    return draw_image(renderer, state, size).astype(int)


def expected(photo: Photo, camera: PhotoCamera, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Red and green that the view shows where the smooth photo is, and where that is: (H, W, 2), (H, W)."""
    height, width = photo.image.shape[:2]
    left, top = camera.photo_from_view((0.5, 0.5), size)
    x = left + np.arange(size[0]) / camera.scale(size)
    y = top + np.arange(size[1]) / camera.scale(size)
    inside = ((x > 1) & (x < width - 1))[None] & ((y > 1) & (y < height - 1))[:, None]
    colours = np.stack(np.broadcast_arrays(255 * (x - 0.5)[None] / width, 255 * (y - 0.5)[:, None] / height), -1)
    return colours, inside


def where_the_face_is(
    renderer: FaceRenderer, face: FaceAsset, camera: PhotoCamera, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels wholly on the face, and wholly beside it: (H, W) bool each; its edge is in neither."""
    blue = np.zeros_like(face.texture.image)
    blue[..., 2] = 255
    marked = replace(face, texture=SkinTexture(blue, face.texture.visibility))
    blueness = shoot(renderer, marked, camera, size)[..., 2]
    return blueness == 255, blueness <= 90


@pytest.mark.parametrize("size", SIZES, ids=["landscape", "portrait"])
@pytest.mark.parametrize("zoom", [0.6, 1.0, 4.0])
def test_a_face_that_wears_its_photo_cannot_be_told_from_it(renderer, size, zoom):
    face = wearing_its_photo(make_asset(), TURNED, smooth_photo(560, 620))
    camera = replace(camera_of(face), zoom=zoom)
    picture = shoot(renderer, face, camera, size)
    colours, inside = expected(face.photo, camera, size)
    away = np.abs(picture[..., :2] - colours).max(-1)
    on_face, beside = where_the_face_is(renderer, face, camera, size)
    assert on_face.mean() > 0.05
    assert away[inside & beside].max(initial=0.0) < 2.0, "the photo is where the camera says"
    # one photo px is 0.4 grey levels; a face that lay 5 px beside its place would be off by 2 everywhere
    assert away[on_face & inside].mean() < 1.2


def test_the_first_view_shows_the_whole_face_and_not_much_else(renderer):
    face = wearing_its_photo(make_asset(), replace(TURNED, scale_px_per_mm=0.5), smooth_photo(560, 620))
    for size in SIZES:
        rows, columns = np.nonzero(where_the_face_is(renderer, face, camera_of(face), size)[0])
        assert rows.min() > 0
        assert columns.min() > 0
        assert rows.max() < size[1] - 1
        assert columns.max() < size[0] - 1
        assert max(np.ptp(rows) / size[1], np.ptp(columns) / size[0]) > 0.5


def test_faded_to_the_photo_nothing_else_is_left(renderer):
    noise = np.random.default_rng(1).integers(0, 256, (560, 620, 3)).astype(np.uint8)
    face = wearing_its_photo(make_asset(), TURNED, Photo(noise, "noise.png", None, "0" * 64))
    size = (300, 260)
    pixel_for_pixel = PhotoCamera((310.0, 290.0), (300.0, 260.0), (620, 560), fade=1.0)
    with_lines = replace(VIEW, wireframe=True)
    picture = shoot(renderer, face, pixel_for_pixel, size, view=with_lines)
    assert np.array_equal(picture, noise[160:420, 160:460])
    without = shoot(renderer, face, pixel_for_pixel.faded(0.0), size, view=with_lines)
    half = shoot(renderer, face, pixel_for_pixel.faded(0.5), size, view=with_lines)
    assert np.abs(without - picture).mean() > 10
    assert np.abs(half - (without + picture) / 2).max() <= 1


def test_a_face_beyond_the_border_is_drawn_and_fades_to_the_background_there(renderer):
    aside = replace(TURNED, translation_px=np.array([40, 290], np.float32))
    face = wearing_its_photo(make_asset(), aside, smooth_photo(560, 620))
    camera, size = camera_of(face), (400, 400)
    outside = ~expected(face.photo, camera, size)[1]
    border = int(camera.view_from_photo((0.0, 0.0), size)[0])
    outside[:, border - 2 :] = False
    on_face, _ = where_the_face_is(renderer, face, camera, size)
    assert (on_face & outside).sum() > 1000
    gone = shoot(renderer, face, camera.faded(1.0), size)
    assert np.ptp(gone[outside].reshape(-1, 3)[:, [0, 2]]) == 0, "nothing but the green background"


def test_a_tiny_photo_is_shown(renderer):
    camera = WeakPerspective(np.zeros(3, np.float32), 0.16, np.array([20, 20], np.float32))
    face = wearing_its_photo(make_asset(), camera, smooth_photo(40, 40))
    picture = shoot(renderer, face, camera_of(face), (300, 300))
    colours, inside = expected(face.photo, camera_of(face), (300, 300))
    assert np.abs(picture[..., :2] - colours).max(-1)[inside].mean() < 6  # a photo px is 6 grey levels


def test_a_large_photo_keeps_more_of_its_pixels_than_a_picture_of_all_of_it(renderer):
    image = np.zeros((500, 4000, 3), np.uint8)
    image[:, ::2] = 255  # as fine as can be: a smaller copy is grey
    camera = WeakPerspective(np.zeros(3, np.float32), 1.0, np.array([3000, 250], np.float32))
    face = replace(
        make_asset(), photo=Photo(image, "fine.png", None, "0" * 64), fit=replace(make_asset().fit, camera=camera)
    )
    close = PhotoCamera((100.0, 100.0), (100.0, 100.0), (4000, 500))
    assert shoot(renderer, face, close, (400, 400)).std() > 50


def test_the_draft_of_a_drag_shows_the_same_part(renderer):
    face = wearing_its_photo(make_asset(), TURNED, smooth_photo(560, 620))
    renderer._draft = renderer._draft or DraftBuffer(renderer.ctx)  # as on a computer without a graphics card
    camera = replace(camera_of(face), zoom=1.7, fade=0.3)
    rest, moving = (shoot(renderer, face, camera, (401, 303), interactive=moves) for moves in (False, True))
    assert np.abs(rest - moving)[3:-3, 3:-3].mean() < 1.0


def test_clay_and_lines_are_drawn_over_the_photo(renderer):
    face = wearing_its_photo(make_asset(), TURNED, smooth_photo(560, 620))
    camera, size = camera_of(face), (400, 400)
    on_face, beside = where_the_face_is(renderer, face, camera, size)
    clay = shoot(renderer, face, camera, size, view=ViewOptions(look="clay", detail_strength=0.0))
    colours, inside = expected(face.photo, camera, size)
    assert np.abs(clay[..., :2] - colours).max(-1)[inside & beside].max() < 2.0
    assert np.ptp(clay[on_face], axis=-1).mean() < 40, "grey"
    lines = shoot(renderer, face, camera, size, view=replace(VIEW, wireframe=True))
    changed = np.abs(lines - shoot(renderer, face, camera, size)).max(-1) > 10
    assert changed[on_face].mean() > 0.05


def test_the_outline_passes_into_the_photo_and_lips_end_sharply(renderer):
    pack = load_open_pack()
    topology, landmarks = pack.topology, pack.landmark_vertices
    tables = mesh_tables(topology)
    outer = tables.outer[np.searchsorted(tables.vertex_of_corner, np.arange(topology.skin.vertices[1])), 0]
    assert outer[landmarks[[60, 62, 64, 66, 37, 41, 44, 46]]].max() < 0.05, "inner lips and lids"
    assert outer[landmarks[[0, 4, 8, 12, 16]]].min() > 0.95, "jaw"

    sideways = WeakPerspective(np.array([0.0, 1.0, 0.0], np.float32), 2.0, np.array([310, 290], np.float32))
    face = wearing_its_photo(make_asset(), sideways, smooth_photo(600, 640))
    dark = replace(face, texture=SkinTexture(np.zeros_like(face.texture.image), face.texture.visibility))
    camera, size = camera_of(face), (400, 400)
    photo = shoot(renderer, dark, camera.faded(1.0), size)[..., 0]
    cover = 1.0 - shoot(renderer, dark, camera, size)[..., 0] / np.maximum(photo, 1)
    row = cover[200]
    assert row.max() > 0.99
    soft = (row > 0.05) & (row < 0.95)
    assert soft.sum() > 8, "where the dome turns away"
    assert np.abs(np.diff(row))[1:-1].max() > 0.5, "its near end is cut, not turned away"
