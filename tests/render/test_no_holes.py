"""No slider position opens a hole: through no shape, from no side, does the background show inside the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine import expressions
from engine.camera import OrbitCamera
from engine.packs.open_pack import load_open_pack
from engine.render import offscreen
from engine.render.offscreen import draw_image
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from engine.rig import make_basis, pose
from engine.types import ViewOptions
from tests.render.plain_face import face_of

pytestmark = pytest.mark.gl

GREEN = (0.0, 1.0, 0.0)
SIZE = (360, 420)
CLOSE = OrbitCamera(target_mm=(0.0, 10.0, -30.0), zoom=1.3)


@pytest.fixture(scope="module")
def face():
    return face_of(make_basis(load_open_pack(), np.zeros(50, np.float32)))


@pytest.fixture
def renderer(ctx, monkeypatch):
    """Takes one sample of each pixel, as sharp an eye for holes as four that are mixed, in a third of the time."""
    monkeypatch.setattr(offscreen, "_SAMPLES", 0)
    one = FaceRenderer(ctx)
    yield one
    one.release()


def enclosed_background_px(picture) -> int:
    """Background pixels that are not connected with the picture's border."""
    red, green, blue = (picture[..., i].astype(int) for i in range(3))
    background = ((green > 60) & (red < 0.35 * green) & (blue < 0.35 * green)).astype(np.uint8)
    framed = np.pad(background, 1, constant_values=1)
    cv2.floodFill(framed, None, (0, 0), 0)
    return int(framed[1:-1, 1:-1].sum())


def _drawn(renderer, face, posed, camera):
    view = ViewOptions(look="clay", background=GREEN)
    return draw_image(renderer, RenderState(face=face, pose=posed, view=view, camera=camera), SIZE)


def test_the_measure_sees_a_hole(renderer, face):
    picture = _drawn(renderer, face, pose(face.rig, np.zeros(51, np.float32)), CLOSE).copy()
    picture[200:204, 170:174] = (0, 255, 0)
    assert enclosed_background_px(picture) >= 16


def test_no_shape_opens_a_hole(renderer, face):
    holes = {}
    for j, name in enumerate(("neutral", *expressions.SHAPE_NAMES)):
        weights = np.zeros(51, np.float32)
        if j:
            weights[j - 1] = 1.0
        posed = pose(face.rig, weights)
        for azimuth in (0.0, 35.0, -35.0):  # what was prepared for the first serves the others
            picture = _drawn(renderer, face, posed, CLOSE.orbited(azimuth, -8.0))
            if (found := enclosed_background_px(picture)) > 0:
                holes[name, azimuth] = found
    assert not holes


def test_no_mixture_opens_a_hole(renderer, face):
    rng = np.random.default_rng(0)
    for _ in range(12):
        weights = (rng.uniform(0, 1, 51) * (rng.uniform(0, 1, 51) < 0.25)).astype(np.float32)
        assert enclosed_background_px(_drawn(renderer, face, pose(face.rig, weights), CLOSE.orbited(20.0, 5.0))) == 0
