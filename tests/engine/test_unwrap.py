from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.camera import project
from engine.fields import push_pull
from engine.rasterize import uv_points_px, uv_raster, uv_square_raster
from engine.types import Part, Photo, Topology, UvWindow, WeakPerspective
from engine.unwrap import atlas_size, misfit_of, unwrap
from tests.engine.dome import dome, photographed, turned

SIZE = 512
BASE = np.full((128, 128, 3), (30, 90, 220), np.uint8)  # blue: eyes


def _symmetric_skin(position: np.ndarray) -> np.ndarray:
    """Skin colours that are the same on both sides of the face."""
    x, y = np.abs(position[..., 0]), position[..., 1]
    wave = 14 * np.sin(x / 5.0) * np.cos(y / 6.0)
    return np.stack([205 - 0.2 * y + wave, 150 - 0.2 * x + wave, 125 + wave], -1)


def _expected(topology: Topology, vertices: np.ndarray, colour=_symmetric_skin) -> tuple[np.ndarray, np.ndarray]:
    raster = uv_square_raster(topology, SIZE)
    return colour(raster.interpolate(vertices, topology.faces)), raster.covered


def _over_square(visibility: np.ndarray, topology: Topology) -> np.ndarray:
    w, n = topology.window, len(visibility)
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
    column = np.clip(((x - w.u0) / (w.u1 - w.u0) * n).astype(int), 0, n - 1)
    row = np.clip(((w.v1 - (1 - y)) / (w.v1 - w.v0) * n).astype(int), 0, n - 1)
    return visibility[row, column]


def test_a_frontal_photo_gives_each_texel_its_own_colour() -> None:
    topology, vertices = dome()
    camera = turned(0, 2.3)
    photo = photographed(topology, vertices, camera, _symmetric_skin)
    texture = unwrap(photo, camera, topology, vertices, BASE, SIZE)
    expected, skin = _expected(topology, vertices)
    seen = skin & (_over_square(texture.visibility, topology) > 0.95)
    assert seen.sum() > 0.5 * skin.sum()
    error = np.abs(texture.image - expected)[seen]
    assert error.mean() < 1.0
    assert np.quantile(error, 0.99) < 4.0


@pytest.mark.parametrize("degrees", [-45.0, 45.0])
def test_the_hidden_side_comes_from_the_mirrored_one_without_background(degrees: float) -> None:
    topology, vertices = dome()
    camera = turned(degrees)
    photo = photographed(topology, vertices, camera, _symmetric_skin)
    texture = unwrap(photo, camera, topology, vertices, BASE, SIZE)
    expected, skin = _expected(topology, vertices)
    hidden = skin & (_over_square(texture.visibility, topology) < 0.02)
    assert 0.15 * skin.sum() < hidden.sum() < 0.6 * skin.sum()
    side = np.flatnonzero(hidden.sum(0) > 0.5 * SIZE / 2).mean() / SIZE
    assert (side < 0.5) == (degrees < 0)  # turned to the image's left, the far side is the image's left
    assert np.abs(texture.image - expected)[hidden].mean() < 4.0
    red, green, _ = np.moveaxis(texture.image[skin].astype(int), -1, 0)
    assert (red > green + 20).all()  # the photo's background is pure green
    assert texture.image[skin].min() > 40  # no black hole


def test_what_stands_behind_something_is_not_seen() -> None:
    topology, vertices = _two_plates()
    camera = WeakPerspective(np.zeros(3, np.float32), 2.0, np.array([150, 150], np.float32))
    photo = photographed(topology, vertices, camera, _red_in_front, (300, 300))
    texture = unwrap(photo, camera, topology, vertices, BASE, SIZE)
    raster = uv_square_raster(topology, SIZE)
    x, y, z = np.moveaxis(raster.interpolate(vertices, topology.faces), -1, 0)
    visible = _over_square(texture.visibility, topology)
    back = raster.covered & (z < 1)
    assert visible[back & (np.abs(x) < 19.5)].max() < 0.05  # the front plate reaches to 20 mm
    assert visible[back & (np.abs(x) < 21.0)].max() < 0.7  # and close beside it, caution
    assert visible[back & (np.abs(x) > 24.0) & (np.abs(x) < 35.0) & (np.abs(y) < 40.0)].min() > 0.8
    assert visible[raster.covered & (z > 20) & (np.abs(x) < 15) & (np.abs(y) < 40.0)].min() > 0.9
    red, green, _ = np.moveaxis(texture.image[back].astype(int), -1, 0)
    assert (red < green).all()  # nothing of the front plate is smeared over the back


def _moved(camera: WeakPerspective, right_mm: float) -> WeakPerspective:
    shift = np.array([right_mm * camera.scale_px_per_mm, 0.0], np.float32)
    return replace(camera, translation_px=camera.translation_px + shift)


def test_a_fit_beside_the_photo_takes_no_background_where_it_knows_of_its_error() -> None:
    topology, vertices = dome()
    camera = turned(45.0)
    skin_colour, wall = np.array([205.0, 150.0, 125.0]), (212, 162, 137)  # too like skin to be told by its colour

    def even(position: np.ndarray) -> np.ndarray:
        return np.broadcast_to(skin_colour, position.shape).copy()

    photo = photographed(topology, vertices, camera, even, background=wall)
    _, skin = _expected(topology, vertices)

    def of_the_wall(misfit_mm: float) -> int:
        moved = _moved(camera, 3.0)
        found = unwrap(photo, moved, topology, vertices, BASE, SIZE, misfit_mm=misfit_mm).image[skin]
        return int((np.abs(found - skin_colour).max(-1) > 4).sum())

    assert of_the_wall(0.0) > 50
    assert of_the_wall(4.0) == 0


def test_a_ridge_beside_the_photos_shows_nothing_of_what_it_hides() -> None:
    topology, vertices = _two_plates()
    camera = WeakPerspective(np.zeros(3, np.float32), 2.0, np.array([150, 150], np.float32))
    photo = photographed(topology, vertices, camera, _red_in_front, (300, 300))
    raster = uv_square_raster(topology, SIZE)
    front = raster.covered & (raster.interpolate(vertices, topology.faces)[..., 2] > 20)

    def of_the_back(misfit_mm: float) -> int:
        found = unwrap(photo, _moved(camera, 2.0), topology, vertices, BASE, SIZE, misfit_mm=misfit_mm).image[front]
        return int((found[:, 0] < found[:, 1]).sum())

    assert of_the_back(0.0) > 50
    assert of_the_back(4.5) == 0


@pytest.mark.parametrize(("error", "misfit_mm"), [(0.012, 0.0), (0.035, 1.5), (0.2, 3.0), (float("nan"), 0.0)])
def test_how_far_a_fit_may_be_off_is_read_from_its_error(error: float, misfit_mm: float) -> None:
    assert misfit_of(error) == pytest.approx(misfit_mm, abs=0.01)


def _red_in_front(position: np.ndarray) -> np.ndarray:
    front = position[..., 2:] > 10
    return np.where(front, np.array([220.0, 60, 60]), np.array([60.0, 160, 90]))


def _two_plates() -> tuple[Topology, np.ndarray]:
    """A plate 100 mm wide, and a narrow one 30 mm in front of it; both are skin."""
    side = 21
    index = np.arange(side * side).reshape(side, side)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    grid = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)])
    y, x = np.meshgrid(np.linspace(1, -1, side), np.linspace(-1, 1, side), indexing="ij")
    flat = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
    vertices = np.concatenate([flat * (50, 60, 0), flat * (20, 50, 0) + (0, 0, 30)]).astype(np.float32)
    uv = np.stack([x, y], -1).reshape(-1, 2)
    uvs = np.concatenate([uv * 0.22 + (0.25, 0.6), uv * 0.2 + (0.75, 0.6)]).astype(np.float32)
    faces = np.concatenate([grid, grid + side * side]).astype(np.int32)
    V = len(vertices)
    mirror = np.concatenate([index[:, ::-1].ravel(), index[:, ::-1].ravel() + side * side]).astype(np.int32)
    skin = Part("skin", "skin", (0, len(faces)), (0, V))
    window = UvWindow(0.0, 0.0, 1.0, 1.0, 512)
    front = np.arange(len(faces), dtype=np.int32)
    return Topology(faces, uvs, faces.copy(), V, (skin,), mirror, front, window), vertices


def test_a_photo_that_cuts_the_face_hides_what_lies_outside() -> None:
    topology, vertices = dome()
    camera = turned(0, 2.0, (60.0, 240.0))  # the person's right half is beyond the left border
    photo = photographed(topology, vertices, camera, _symmetric_skin, (480, 300))
    texture = unwrap(photo, camera, topology, vertices, BASE, SIZE)
    raster = uv_raster(topology)
    x = raster.interpolate(project(camera, vertices), topology.faces)[..., 0]
    assert texture.visibility[raster.covered & (x < 0)].max() == 0.0
    assert texture.visibility[raster.covered & (x > 10) & (x < 90)].mean() > 0.9
    expected, skin = _expected(topology, vertices)
    assert np.abs(texture.image - expected)[skin].mean() < 6.0


def test_sides_lit_differently_meet_without_a_seam() -> None:
    def lit(position: np.ndarray) -> np.ndarray:
        lamp = 1.0 + 0.006 * position[..., :1]
        return lamp * np.stack([180 + 0 * position[..., 0], 130 + 0 * position[..., 0], 105 + 0 * position[..., 0]], -1)

    topology, vertices = dome()
    camera = turned(40)
    texture = unwrap(photographed(topology, vertices, camera, lit), camera, topology, vertices, BASE, SIZE)
    skin = uv_square_raster(topology, SIZE).covered
    both = skin[:, 1:] & skin[:, :-1]
    step = np.abs(np.diff(texture.image.astype(float), axis=1)).max(-1)[both]
    assert step.max() < 6.0  # the light itself changes by at most 1.5 levels from texel to texel
    assert np.quantile(step, 0.999) < 4.0


def test_eyes_come_from_the_base_texture_and_nothing_black_surrounds_the_chart() -> None:
    topology, vertices = dome()
    camera = turned(0)
    photo = photographed(topology, vertices, camera, _symmetric_skin, background=(0, 0, 0))
    image = unwrap(photo, camera, topology, vertices, BASE, SIZE).image
    assert (image[int(0.9 * SIZE), SIZE // 2] == BASE[0, 0]).all()
    skin = uv_square_raster(topology, SIZE).covered
    columns, rows = np.flatnonzero(skin.any(0)), np.flatnonzero(skin.any(1))
    ring = image[rows[0] - 6 : rows[-1] + 4, columns[0] - 6 : columns[-1] + 7]
    assert ring.min() > 60


@pytest.mark.gl
def test_opengl_paints_the_same_texture() -> None:
    from engine.render.context import standalone_context

    topology, vertices = dome()
    camera = turned(10, 2.3)
    photo = photographed(topology, vertices, camera, _symmetric_skin)
    texture = unwrap(photo, camera, topology, vertices, BASE, SIZE)
    with standalone_context() as ctx:
        theirs = _painted(ctx, topology, project(camera, vertices), photo)
    seen = _over_square(texture.visibility, topology) > 0.95
    seen &= uv_square_raster(topology, SIZE).covered
    assert seen.sum() > 0.2 * SIZE**2
    difference = texture.image[seen].astype(float) - theirs[seen]
    assert np.abs(difference.mean(0)).max() < 0.5
    assert np.abs(difference).mean() < 1.0


def _painted(ctx: object, topology: Topology, photo_px: np.ndarray, photo: Photo) -> np.ndarray:
    H, W = photo.image.shape[:2]
    clip = uv_points_px(topology.uvs, UvWindow(0, 0, 1, 1, 0), 2) * (1, -1) + (-1, 1)
    count = topology.skin.faces[1]
    lookup = photo_px / (W, H)
    corners = np.concatenate([clip[topology.uv_faces[:count]], lookup[topology.faces[:count]]], -1)
    program = ctx.program(
        vertex_shader="#version 330\nin vec2 p; in vec2 q; out vec2 c; void main(){gl_Position=vec4(p,0,1); c=q;}",
        fragment_shader="#version 330\nin vec2 c; out vec4 o; uniform sampler2D t; void main(){o=texture(t,c);}",
    )
    source = ctx.texture((W, H), 3, photo.image.tobytes(), alignment=1)
    source.use(0)
    array = ctx.vertex_array(program, [(ctx.buffer(corners.astype("f4").tobytes()), "2f 2f", "p", "q")])
    target = ctx.framebuffer([ctx.texture((SIZE, SIZE), 4, dtype="f4")])
    target.use()
    ctx.clear()
    array.render()
    picture = np.frombuffer(target.read(components=4, dtype="f4"), np.float32).reshape(SIZE, SIZE, 4)
    return picture[::-1, :, :3] * 255.0


def test_the_atlas_grows_with_the_face() -> None:
    topology, vertices = dome()
    sizes = [atlas_size(turned(0, scale), topology, vertices) for scale in (1.0, 6.0, 12.0, 40.0)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1024
    assert sizes[1] == 2048
    assert sizes[-1] == 4096
    assert atlas_size(turned(50, 6.0), topology, vertices) == 2048


def test_a_photo_finer_than_the_texture_is_averaged() -> None:
    def checkered(position: np.ndarray) -> np.ndarray:
        dark = (np.floor(position[..., 0] / 0.5) + np.floor(position[..., 1] / 0.5)) % 2
        return np.repeat(120.0 + 80.0 * dark[..., None], 3, -1)

    topology, vertices = dome()
    camera = turned(0, 8.0, (600.0, 760.0))
    photo = photographed(topology, vertices, camera, checkered, (1520, 1200))
    image = unwrap(photo, camera, topology, vertices, BASE, 128).image
    middle = image[40:70, 50:78].astype(float)
    assert abs(middle.mean() - 160.0) < 5.0
    assert middle.std() < 12.0  # single samples would give 40


def test_the_same_photo_gives_the_same_texture() -> None:
    topology, vertices = dome()
    camera = turned(25)
    photo = photographed(topology, vertices, camera, _symmetric_skin)
    first, second = (unwrap(photo, camera, topology, vertices, BASE, SIZE) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.visibility, second.visibility)


def test_a_face_outside_its_photo_still_gets_a_texture() -> None:
    topology, vertices = dome()
    camera = turned(0, 2.0, (5000.0, 5000.0))
    photo = Photo(np.full((60, 50, 3), 180, np.uint8), "away.png", None, "0" * 64)
    texture = unwrap(photo, camera, topology, vertices, BASE, SIZE)
    assert texture.visibility.max() == 0.0
    assert texture.image.shape == (SIZE, SIZE, 3)


def test_push_pull_keeps_what_is_known_and_fills_smoothly() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    image = np.stack([100 + x, 50 + y], -1)
    weight = ((x < 16) | (x > 48)).astype(np.float32)
    filled = push_pull(image, weight, np.zeros(2, np.float32))
    np.testing.assert_array_equal(filled[weight > 0], image[weight > 0])
    assert np.abs(filled - image)[weight == 0].mean() < 6.0
    assert np.abs(np.diff(filled, axis=1)).max() < 8.0
    nothing = push_pull(image, 0 * weight, np.array([7, 9], np.float32))
    np.testing.assert_allclose(nothing, np.broadcast_to(np.array([7, 9], np.float32), image.shape), atol=1e-3)


def test_wrong_arrays_are_named() -> None:
    topology, vertices = dome(11)
    photo = photographed(topology, vertices, turned(0), _symmetric_skin)
    with pytest.raises(ValueError, match="vertices"):
        unwrap(photo, turned(0), topology, vertices[:5], BASE)
    with pytest.raises(ValueError, match="base_texture"):
        unwrap(photo, turned(0), topology, vertices, BASE.astype(np.float32))
