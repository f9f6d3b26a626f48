"""The camera that looks at a photo: one mapping between view and photo for pixels, faces, zoom and drags."""

from __future__ import annotations

import numpy as np
import pytest

from engine.camera import PhotoCamera, photo_of_face, project, whole_photo
from engine.types import WeakPerspective

FACE = WeakPerspective(np.array([0.2, -0.4, 0.1], np.float32), 1.7, np.array([310.0, 205.0], np.float32))
CAMERA = PhotoCamera((300.0, 220.0), (180.0, 240.0), (640, 480), zoom=1.6)
VIEWS = [(700, 500), (240, 900), (1361, 877), (1, 1)]


@pytest.mark.parametrize("size", VIEWS)
def test_the_model_lands_where_its_photo_point_is_shown(size):
    points = np.random.default_rng(3).uniform(-100, 100, (50, 3)).astype(np.float32)
    clip = np.c_[points, np.ones(50, np.float32)] @ CAMERA.clip_from_model(FACE, size).T
    drawn = (clip[:, :2] * (0.5, -0.5) + 0.5) * size
    expected = [CAMERA.view_from_photo((float(x), float(y)), size) for x, y in project(FACE, points)]
    assert np.abs(drawn - expected).max() < 0.01
    assert (clip[:, 3] == 1.0).all()
    assert np.abs(clip[:, 2]).max() < 1.0, "nothing is cut off in depth"


@pytest.mark.parametrize("size", VIEWS)
def test_view_and_photo_are_each_others_inverse(size):
    point = CAMERA.photo_from_view((31.5, 77.25), size)
    assert CAMERA.view_from_photo(point, size) == pytest.approx((31.5, 77.25))
    assert CAMERA.photo_from_view((size[0] / 2, size[1] / 2), size) == pytest.approx(CAMERA.centre_px)


@pytest.mark.parametrize("size", VIEWS)
def test_the_frame_just_fits_into_a_view_of_any_shape(size):
    camera = whole_photo(640, 480)
    left, top = camera.view_from_photo((0.0, 0.0), size)
    right, bottom = camera.view_from_photo((640.0, 480.0), size)
    assert min(left, top) == pytest.approx(0.0, abs=1e-9)
    assert (right - left) / (bottom - top) == pytest.approx(640 / 480)
    assert (right + left, bottom + top) == pytest.approx(size)


@pytest.mark.parametrize("factor", [1.4, 0.8])
def test_zooming_about_a_point_keeps_it(factor):
    size, at = (700, 500), (420.0, 180.0)
    zoomed = CAMERA.zoomed(factor, at, size)
    assert zoomed.zoom == pytest.approx(1.6 * factor)
    assert zoomed.photo_from_view(at, size) == pytest.approx(CAMERA.photo_from_view(at, size))


def test_a_drag_takes_the_picture_along():
    size = (700, 500)
    under_hand = CAMERA.photo_from_view((300.0, 300.0), size)
    assert CAMERA.panned(20.0, -15.0, size).view_from_photo(under_hand, size) == pytest.approx((320.0, 285.0))


def test_the_picture_cannot_get_lost():
    size = (700, 500)
    camera = CAMERA
    for _ in range(50):
        camera = camera.panned(400.0, -300.0, size)
    assert camera.centre_px == (0.0, 480.0)
    for _ in range(50):
        camera = camera.zoomed(0.5, (0.0, 0.0), size)
    left, top = camera.view_from_photo((0.0, 0.0), size)
    right, bottom = camera.view_from_photo((640.0, 480.0), size)
    assert max((right - left) / size[0], (bottom - top) / size[1]) >= 0.8 - 1e-9
    for _ in range(50):
        camera = camera.zoomed(2.0, (350.0, 250.0), size)
    assert camera.zoom == 12.0


def test_the_frame_of_a_face_has_room_around_it_within_the_photo():
    box = np.array([[200.0, 100.0], [300.0, 240.0]], np.float32)
    inside = photo_of_face(box, 640, 480)
    assert inside.centre_px == (250.0, 170.0)
    assert 1.2 < inside.frame_px[1] / 140 < 1.7
    assert inside.frame_px[0] - 100 == pytest.approx(inside.frame_px[1] - 140)
    at_border = photo_of_face(box, 305, 245)
    assert at_border.centre_px[0] + at_border.frame_px[0] / 2 == pytest.approx(305)
    assert at_border.centre_px[1] + at_border.frame_px[1] / 2 == pytest.approx(245)


def test_a_face_beyond_its_photo_is_framed_whole_and_may_be_moved():
    box = np.array([[-120.0, 30.0], [40.0, 200.0]], np.float32)
    camera = photo_of_face(box, 200, 220)
    size = (400, 600)
    corners = [camera.view_from_photo((float(x), float(y)), size) for x, y in box]
    assert min(map(min, corners)) >= -1e-6
    assert np.all(np.array(corners) <= np.array(size) + 1e-6)
    assert camera.centre_px[0] < 0, "the middle of this face is not on the photo"
    assert camera.panned(0.0, 3.0, size).centre_px[0] == camera.centre_px[0]
    assert camera.panned(50.0, 0.0, size).centre_px[0] == camera.centre_px[0], "no further out"
    assert camera.panned(-50.0, 0.0, size).centre_px[0] > camera.centre_px[0]


def test_fading_stays_between_face_and_photo():
    assert [CAMERA.faded(fade).fade for fade in (-1.0, 0.3, 2.0)] == [0.0, 0.3, 1.0]
    assert CAMERA.faded(0.3).centre_px == CAMERA.centre_px
