"""Colour and direction of eyes, read back from drawings of heads whose eyes are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.camera import project, rotation_vector
from engine.expressions import SHAPE_INDEX
from engine.eyes import Eye, read_eyes, toned_eyes, with_gaze
from engine.images import photo_from_array
from engine.packs.open_pack import load_open_pack
from engine.render.offscreen import render_image
from engine.render.state import RenderState
from engine.rig import make_basis, pose
from engine.types import FaceBox, Landmarks, SkinTexture, ViewOptions, WeakPerspective
from tests.render.plain_face import face_of

COLOURS = {
    "brown": (88, 58, 38),
    "blue": (88, 118, 150),
    "green": (96, 108, 70),
    "grey": (110, 114, 116),
    "dark": (46, 32, 26),
}
SIZE = (700, 800)
SCALE = 3.2


@pytest.fixture(scope="module")
def pack():
    return load_open_pack()


def _eyes(colour) -> tuple[Eye, Eye]:
    eye = Eye(np.zeros(2, np.float32), 20.0, np.array(colour, np.float32), np.full(3, 205, np.float32), 400)
    return eye, eye


def _drawn(pack, ctx, weights=None, colour=(88, 58, 38), scale=SCALE, yaw=0.0):
    """A drawing of the mean face, its points and its fit."""
    face = face_of(make_basis(pack, np.zeros(len(pack.identity_sd), np.float32)))
    base = toned_eyes(pack.base_texture, pack.eye_charts, _eyes(colour), 160.0)
    face = replace(face, texture=SkinTexture(base, face.texture.visibility.copy()))
    expression = np.zeros(51, np.float32)
    for name, weight in (weights or {}).items():
        expression[SHAPE_INDEX[name]] = weight
    posed = pose(face.rig, expression)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    size = tuple(round(n * scale / SCALE) for n in SIZE)
    camera = WeakPerspective(
        rotation_vector(turn).astype(np.float32), scale, np.array([size[0] / 2, size[1] / 2], np.float32)
    )
    photo = photo_from_array(np.zeros((size[1], size[0], 3), np.uint8), "empty.png")
    state = RenderState(replace(face, photo=photo), posed, ViewOptions(unlit=True), camera)
    image = render_image(state, size, ctx)
    dense = project(camera, posed.vertices[:468])
    landmarks = Landmarks(dense, None, FaceBox(0, 0, *size, 1.0))
    fit = replace(face.fit, camera=camera, expression=np.concatenate([[1], expression]).astype(np.float32))
    return photo_from_array(image, "drawn.png"), landmarks, fit, posed.vertices


@pytest.mark.gl
@pytest.mark.parametrize("name", COLOURS)
def test_the_iris_of_a_drawn_head_has_its_known_colour(pack, ctx, name):
    photo, landmarks, fit, _ = _drawn(pack, ctx, colour=COLOURS[name])
    eyes = read_eyes(photo, landmarks, fit.camera)
    assert None not in eyes
    again = toned_eyes(pack.base_texture, pack.eye_charts, eyes, 160.0)
    wanted = toned_eyes(pack.base_texture, pack.eye_charts, _eyes(COLOURS[name]), 160.0)
    for chart in pack.eye_charts:
        S = len(again)
        row, column = np.mgrid[:S, :S]
        away = np.hypot((column + 0.5) / S - chart.u, 1 - (row + 0.5) / S - chart.v) / chart.iris_radius
        ring = (away > 0.5) & (away < 0.8)
        found, known = again[ring].mean(0), wanted[ring].mean(0)
        assert np.abs(found - known).max() < 22, f"{name}: found {found.round()}, painted {known.round()}"


@pytest.mark.gl
@pytest.mark.parametrize("yaw", [0.0, 0.3])
@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5},
        {"eyeLookInLeft": 0.4, "eyeLookOutRight": 0.4},
        {"eyeLookUpLeft": 0.5, "eyeLookUpRight": 0.5, "eyeWideLeft": 0.6, "eyeWideRight": 0.6},
    ],
)
def test_the_gaze_of_a_drawn_head_is_found(pack, ctx, weights, yaw):
    photo, landmarks, fit, vertices = _drawn(pack, ctx, weights=weights, yaw=yaw)
    blind = replace(fit, expression=np.concatenate([[1], np.zeros(51)]).astype(np.float32))
    found = with_gaze(blind, read_eyes(photo, landmarks, fit.camera), pack.topology, vertices)
    for name in SHAPE_INDEX:
        if name.startswith("eyeLook"):
            assert found.weights[SHAPE_INDEX[name]] == pytest.approx(weights.get(name, 0.0), abs=0.22), name
    others = [i for name, i in SHAPE_INDEX.items() if not name.startswith("eyeLook")]
    np.testing.assert_array_equal(found.weights[others], blind.weights[others])


@pytest.mark.gl
def test_closed_and_tiny_eyes_are_not_read_and_keep_their_paint(pack, ctx):
    photo, landmarks, fit, vertices = _drawn(pack, ctx, weights={"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})
    assert read_eyes(photo, landmarks, fit.camera) == (None, None)
    assert with_gaze(fit, (None, None), pack.topology, vertices) is fit
    photo, landmarks, fit, _ = _drawn(pack, ctx, scale=0.3)
    assert read_eyes(photo, landmarks, fit.camera) == (None, None)
    np.testing.assert_array_equal(toned_eyes(pack.base_texture, pack.eye_charts, (None, None), 90.0), pack.base_texture)


@pytest.mark.gl
def test_half_closed_eyes_are_still_read(pack, ctx):
    photo, landmarks, fit, _ = _drawn(
        pack, ctx, weights={"eyeBlinkLeft": 0.4, "eyeBlinkRight": 0.4}, colour=COLOURS["blue"]
    )
    read = [eye for eye in read_eyes(photo, landmarks, fit.camera) if eye is not None]
    assert read
    for eye in read:
        assert eye.iris[2] > eye.iris[0] + 15  # blue


def test_a_dark_photo_darkens_teeth_and_a_dark_skin_does_not(pack):
    bright = toned_eyes(pack.base_texture, pack.eye_charts, _eyes((88, 58, 38)), 70.0)
    eye = Eye(np.zeros(2, np.float32), 20.0, np.array((40, 30, 20), np.float32), np.full(3, 90, np.float32), 400)
    dim = toned_eyes(pack.base_texture, pack.eye_charts, (eye, None), 70.0)
    S = len(bright)
    teeth = (slice(int(0.86 * S), int(0.88 * S)), slice(int(0.8 * S), int(0.9 * S)))
    assert bright[teeth].mean() > 0.95 * pack.base_texture[teeth].mean()
    assert dim[teeth].mean() < 0.75 * bright[teeth].mean()
