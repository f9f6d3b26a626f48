"""Teeth as photos show them: read back from drawings whose teeth are known, and from the sample portraits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.camera import project, rotation_vector
from engine.expressions import SHAPE_INDEX
from engine.images import load_photo, photo_from_array
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from engine.pipeline import Models, build_face
from engine.rasterize import rasterize
from engine.render.offscreen import render_image
from engine.render.state import RenderState
from engine.resources import resource_path
from engine.rig import make_basis, pose, posed_vertices
from engine.teeth import Teeth, read_teeth, seated, toned_teeth
from engine.types import FaceBox, Landmarks, SkinTexture, ViewOptions, WeakPerspective
from tests.render.plain_face import face_of
from tests.running import finish

SMILE = {
    "mouthSmileLeft": 0.9,
    "mouthSmileRight": 0.9,
    "mouthUpperUpLeft": 0.5,
    "mouthUpperUpRight": 0.5,
    "jawOpen": 0.35,
}
SIZE = (700, 800)
CREAM = np.array([226, 214, 190], np.float32)


@pytest.fixture(scope="module")
def pack():
    return load_open_pack()


@pytest.fixture(scope="module")
def portraits(pack):
    with LandmarkDetector() as detector:
        models = Models(pack, detector)
        names = ("portrait_obama.jpg", "portrait_biden.jpg")
        return [finish(build_face(load_photo(resource_path(f"samples/{name}")), models))[0] for name in names]


def _upper(pack) -> slice:
    return next(slice(*part.vertices) for part in pack.topology.parts if part.name == "teeth_upper")


def _edge(pack, rig, fit) -> np.ndarray:
    """Image px of the middle teeth's lower edge in the photo's expression."""
    rest, posed = rig.neutral[_upper(pack)], posed_vertices(rig, fit.weights)[_upper(pack)]
    front = np.abs(rest[:, 0]) < 6.0
    low = front & (rest[:, 1] < rest[front, 1].min() + 0.4)
    return project(fit.camera, posed[low].mean(0, keepdims=True))[0]


def _photo(pack, ctx, lower_mm=0.0, weights=SMILE, scale=2.6, roll=0.0, colour=CREAM):
    """A drawing of the mean face with teeth as low and of that colour; its points, camera and weights."""
    rig = make_basis(pack, pack.identity_mean)
    neutral = rig.neutral.copy()
    neutral[_upper(pack), 1] -= lower_mm
    face = face_of(replace(rig, neutral=neutral))
    base = toned_teeth(pack.base_texture, pack.topology, Teeth(colour, np.zeros(2, np.float32), False))
    face = replace(face, texture=SkinTexture(base, face.texture.visibility.copy()))
    expression = np.zeros(51, np.float32)
    for name, weight in weights.items():
        expression[SHAPE_INDEX[name]] = weight
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    size = tuple(round(n * scale / 3.2) for n in SIZE)
    camera = WeakPerspective(
        rotation_vector(turn).astype(np.float32), scale, np.array([size[0] / 2, size[1] / 2], np.float32)
    )
    posed = pose(face.rig, expression)
    empty = photo_from_array(np.zeros((size[1], size[0], 3), np.uint8), "empty.png")
    image = render_image(RenderState(replace(face, photo=empty), posed, ViewOptions(unlit=True), camera), size, ctx)
    dense = project(camera, posed.vertices[:468])
    return photo_from_array(image, "drawn.png"), Landmarks(dense, None, FaceBox(0, 0, *size, 1.0)), camera, expression


@pytest.mark.gl
@pytest.mark.parametrize("roll", [0.0, 0.35])
@pytest.mark.parametrize("lower_mm", [0.0, 2.5])
def test_the_edge_is_found_and_the_row_put_there(pack, portraits, ctx, lower_mm, roll):
    photo, landmarks, camera, weights = _photo(pack, ctx, lower_mm, roll=roll)
    teeth = read_teeth(photo, landmarks, camera)
    assert teeth is not None
    assert not teeth.covered
    rig = make_basis(pack, pack.identity_mean)
    fit = replace(portraits[0].fit, camera=camera, expression=np.append(np.float32(1.0), weights))
    moved = rig.neutral[:, 1] - seated(rig, pack.topology, fit, teeth).neutral[:, 1]
    assert moved[_upper(pack)].mean() == pytest.approx(lower_mm, abs=0.8)
    elsewhere = np.ones(len(moved), bool)
    elsewhere[_upper(pack)] = False
    assert (moved[elsewhere] == 0).all()


@pytest.mark.gl
def test_the_colour_is_found(pack, ctx):
    found = [read_teeth(*_photo(pack, ctx, 2.0, colour=colour)[:3]).colour for colour in (CREAM, CREAM * 0.8)]
    assert np.allclose(found[0] / found[0].mean(), CREAM / CREAM.mean(), atol=0.06)
    assert found[1].mean() / found[0].mean() == pytest.approx(0.8, abs=0.06)


@pytest.mark.gl
@pytest.mark.parametrize("weights", [{}, {"jawOpen": 0.03}, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}])
def test_closed_lips_tell_nothing(pack, ctx, weights):
    assert read_teeth(*_photo(pack, ctx, weights=weights)[:3]) is None


@pytest.mark.gl
def test_a_small_face_tells_nothing(pack, ctx):
    assert read_teeth(*_photo(pack, ctx, scale=0.4)[:3]) is None


def test_a_smiling_portrait_keeps_its_teeth(pack, portraits):
    """The smile of this photo shows the middle teeth whole: down to row 339 (read by eye), nearly white."""
    face = portraits[0]
    assert _edge(pack, face.rig, face.fit)[1] == pytest.approx(339.0, abs=2.0)
    plain = make_basis(pack, face.fit.identity)
    assert _edge(pack, plain, face.fit)[1] < 336.0, "the average row ends higher"


def test_closed_lips_leave_the_average_teeth(pack, portraits):
    face = portraits[1]
    assert np.array_equal(face.rig.neutral, make_basis(pack, face.fit.identity).neutral)


def test_a_row_behind_the_lower_lip_reaches_behind_it(pack, portraits):
    face = portraits[0]
    plain = make_basis(pack, face.fit.identity)
    at = _edge(pack, plain, face.fit)
    scale = face.fit.camera.scale_px_per_mm
    for below_mm, expected in ((1.0, 1.7), (-3.0, 0.0)):  # what is covered may be lower, never higher
        teeth = Teeth(CREAM, (at + (0.0, below_mm * scale)).astype(np.float32), covered=True)
        moved = plain.neutral - seated(plain, pack.topology, face.fit, teeth).neutral
        assert moved[_upper(pack), 1].mean() == pytest.approx(expected, abs=0.1)


def test_no_photo_pulls_the_teeth_out(pack, portraits):
    face = portraits[0]
    plain = make_basis(pack, face.fit.identity)
    at = _edge(pack, plain, face.fit)
    for px, expected in ((200.0, 4.5), (-200.0, -1.5)):
        teeth = Teeth(CREAM, (at + (0.0, px)).astype(np.float32), covered=False)
        moved = plain.neutral - seated(plain, pack.topology, face.fit, teeth).neutral
        assert moved[_upper(pack), 1].mean() == pytest.approx(expected, abs=1e-3)


def test_the_lowest_row_stays_behind_the_skin(pack):
    """Under every shape, 4.5 mm lower than usual."""
    rig, run = make_basis(pack, pack.identity_mean), _upper(pack)
    skin = pack.topology.faces[slice(*pack.topology.skin.faces)]
    for weights in np.concatenate([np.zeros((1, 51), np.float32), np.eye(51, dtype=np.float32)]):
        posed = posed_vertices(rig, weights)
        teeth = posed[run] - (0.0, 4.5, 0.0)
        drawn = rasterize((posed[:, :2] * (4, -4) + 400).astype(np.float32), skin, (900, 800), posed[:, 2])
        surface = np.where(drawn.covered, drawn.interpolate(posed[:, 2:], skin)[..., 0], np.inf)
        column, row = (teeth[:, :2] * (4, -4) + 400).astype(int).T
        assert (teeth[:, 2] < surface[row, column]).all()


def test_only_teeth_change_colour(pack):
    base = pack.base_texture
    teeth = Teeth(np.array([190, 176, 140], np.float32), np.zeros(2, np.float32), False)
    toned = toned_teeth(base, pack.topology, teeth)
    S = len(base)
    changed = (toned != base).any(-1)
    rows, columns = np.nonzero(changed)
    parts = [part for part in pack.topology.parts if part.name.startswith("teeth")]
    uv = np.concatenate(
        [pack.topology.uvs[pack.topology.uv_faces[slice(*part.faces)]].reshape(-1, 2) for part in parts]
    )
    assert columns.min() >= int(uv[:, 0].min() * S) - 1
    assert columns.max() <= int(uv[:, 0].max() * S) + 1
    assert rows.min() >= int((1 - uv[:, 1].max()) * S) - 1
    assert rows.max() <= int((1 - uv[:, 1].min()) * S) + 1
    red, green = base[changed].astype(float).T[:2]
    assert ((red - green) / red).max() < 0.3, "gums keep their red"
    bright = toned[changed].astype(float)
    bright = bright[bright.mean(1) > np.quantile(bright.mean(1), 0.6)].mean(0)
    assert np.allclose(bright / bright.mean(), teeth.colour / teeth.colour.mean(), atol=0.05)


def test_a_photo_without_teeth_leaves_the_paint(pack):
    assert np.array_equal(toned_teeth(pack.base_texture, pack.topology, None), pack.base_texture)
