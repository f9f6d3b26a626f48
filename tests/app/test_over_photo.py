"""View > Over the Photo in the window: on and off, its slider, its colours, and what it survives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent
from PySide6.QtWidgets import QApplication, QSlider

from app.view_controller import CAMERA_VIEWS, framing, framing_in_photo
from engine.camera import PhotoCamera, project
from engine.types import SkinTexture

pytestmark = pytest.mark.gl


@pytest.fixture
def over_photo(with_face, qtbot):
    """The window with the face over its photo."""
    qtbot.keyClick(with_face.viewport, Qt.Key.Key_4)
    assert isinstance(with_face.session.camera, PhotoCamera)
    return with_face


def picture(window) -> np.ndarray:
    rows = window.viewport.picture().convertToFormat(QImage.Format.Format_RGB888)
    flat = np.frombuffer(rows.constBits(), np.uint8).reshape(rows.height(), rows.bytesPerLine())
    return flat[:, : 3 * rows.width()].reshape(rows.height(), rows.width(), 3).astype(int)


def is_over_photo(window) -> bool:
    on = isinstance(window.session.camera, PhotoCamera)
    assert window.actions_by_key["over-photo"].isChecked() is on
    assert window.fade_bar.isVisible() is on
    return on


def colour_at(window, x: float, y: float) -> np.ndarray:
    """What the viewport shows at a point of the photo, px."""
    shown = picture(window)
    size = shown.shape[1], shown.shape[0]
    column, row = window.session.camera.view_from_photo((x, y), size)
    return shown[int(row), int(column)]


def test_it_goes_on_and_off_with_its_key_and_its_action(with_face, qtbot):
    before = with_face.session.camera.orbited(20.0, 5.0)
    with_face.session.set_camera(before)
    assert not is_over_photo(with_face)
    qtbot.keyClick(with_face.viewport, Qt.Key.Key_4)
    assert is_over_photo(with_face)
    assert with_face.session.camera == framing_in_photo(with_face.session.face)
    with_face.actions_by_key["over-photo"].trigger()
    assert not is_over_photo(with_face)
    assert with_face.session.camera == before, "back where one came from"
    with_face.actions_by_key["over-photo"].trigger()
    assert is_over_photo(with_face)


@pytest.mark.parametrize(
    ("key", "name"), [(Qt.Key.Key_1, "front"), (Qt.Key.Key_2, "three-quarter"), (Qt.Key.Key_3, "side")]
)
def test_the_other_views_leave_it(over_photo, qtbot, key, name):
    qtbot.keyClick(over_photo.viewport, key)
    assert not is_over_photo(over_photo)
    camera = over_photo.session.camera
    assert (camera.azimuth_deg, camera.elevation_deg) == CAMERA_VIEWS[name]


def test_reset_leaves_it_for_the_front(over_photo, qtbot):
    qtbot.keyClick(over_photo.viewport, Qt.Key.Key_R)
    assert not is_over_photo(over_photo)
    assert over_photo.session.camera == framing(over_photo.session.face)


def test_without_a_face_there_is_no_such_view(window, qtbot):
    assert not window.actions_by_key["over-photo"].isEnabled()
    qtbot.keyClick(window.viewport, Qt.Key.Key_4)
    assert not is_over_photo(window)


def test_it_goes_with_the_face(over_photo):
    over_photo.session.set_face(None)
    assert not is_over_photo(over_photo)


def test_a_new_photo_is_shown_in_the_same_way(over_photo, qtbot):
    face = over_photo.session.face
    over_photo.session.set_camera(over_photo.session.camera.zoomed(3.0, (10.0, 10.0), (400, 400)).faded(0.4))
    over_photo.commands.open_source(Path("anna.jpg"))
    qtbot.waitUntil(lambda: over_photo.session.face is not face)
    assert is_over_photo(over_photo)
    assert over_photo.session.camera == framing_in_photo(over_photo.session.face).faded(0.4)
    qtbot.keyClick(over_photo.viewport, Qt.Key.Key_4)
    assert over_photo.session.camera == framing(over_photo.session.face), "not where the other face was seen from"


def test_the_face_has_its_own_colours_and_the_photo_lies_around_it(over_photo):
    session = over_photo.session
    plain = np.full((64, 64, 3), (203, 131, 57), np.uint8)
    face = session.face
    session.set_face(replace(face, texture=SkinTexture(plain, face.texture.visibility)))
    x, y = project(face.fit.camera, face.rig.neutral[17 * 11 + 8 : 17 * 11 + 9])[0]
    assert np.abs(colour_at(over_photo, float(x), float(y)) - (203, 131, 57)).max() <= 1, "unlit"
    assert np.abs(colour_at(over_photo, 3.0, 130.0) - face.photo.image[130, 3]).max() <= 1
    over_photo.session.set_camera(session.camera.faded(1.0))
    shown = colour_at(over_photo, float(x), float(y))
    assert np.abs(shown - face.photo.image[int(y), int(x)]).max() <= 1


def test_turning_the_light_does_not_make_the_usual_view_unlit(over_photo):
    viewport, right = over_photo.viewport, Qt.MouseButton.RightButton
    before = over_photo.session.view
    for kind, at, held in (
        (QMouseEvent.Type.MouseButtonPress, QPoint(100, 100), right),
        (QMouseEvent.Type.MouseMove, QPoint(140, 100), right),
        (QMouseEvent.Type.MouseButtonRelease, QPoint(140, 100), Qt.MouseButton.NoButton),
    ):
        place = QPointF(at)
        event = QMouseEvent(kind, place, viewport.mapToGlobal(place), right, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(viewport, event)
    assert over_photo.session.view == replace(before, light_azimuth_deg=before.light_azimuth_deg + 20.0)


def test_the_slider_fades_to_the_photo_and_the_keys_still_work_beside_it(over_photo, qtbot):
    face_alone = picture(over_photo)
    slider = over_photo.fade_bar.findChild(QSlider)
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert over_photo.session.camera.fade == 1.0
    photo_alone = picture(over_photo)
    assert np.abs(photo_alone - face_alone).mean() > 3
    over_photo.session.set_camera(over_photo.session.camera.faded(0.25))
    assert slider.value() == 25
    qtbot.keyClick(slider, Qt.Key.Key_1)
    assert not is_over_photo(over_photo)


def test_a_double_click_shows_the_whole_face_again(over_photo, qtbot):
    framed = over_photo.session.camera
    over_photo.session.set_camera(framed.zoomed(4.0, (5.0, 5.0), (300, 300)).faded(0.5))
    qtbot.mouseDClick(over_photo.viewport, Qt.MouseButton.LeftButton)
    assert over_photo.session.camera == framed.faded(0.5)


def test_drags_are_drawn_lightly_and_expressions_in_place(over_photo, qtbot):
    viewport = over_photo.viewport
    picture(over_photo)
    for step in range(1, 4):
        over_photo.session.set_camera(over_photo.session.camera.panned(step, 0.0, (300, 300)))
    assert viewport._newest().interactive
    assert viewport._newest().photo_background
    qtbot.waitUntil(lambda: not viewport._newest().interactive)
    before = picture(over_photo)
    weights = over_photo.session.weights.copy()
    weights[:] = 0.8
    over_photo.expressions.apply_weights(weights)
    qtbot.waitUntil(lambda: np.array_equal(over_photo.session.pose.weights, over_photo.session.weights))
    assert is_over_photo(over_photo)
    assert np.abs(picture(over_photo) - before).max() > 20


def test_the_legend_and_the_slider_do_not_hide_each_other(over_photo):
    over_photo.actions_by_key["confidence"].trigger()
    assert over_photo.legend.isVisible()
    assert not over_photo.legend.geometry().intersects(over_photo.fade_bar.geometry())
    over_photo.resize(760, 700)
    assert not over_photo.legend.geometry().intersects(over_photo.fade_bar.geometry())
