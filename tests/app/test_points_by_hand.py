"""Points by hand in the window: offered where no face is found, and for faces that were found badly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox, QPushButton

from engine.errors import ModelFileError
from tests.app.invented_engine import NO_FACE, InventedEngine
from tests.app.window_fixture import shown_window
from widgets.points_editor import CLICKS

pytestmark = pytest.mark.gl
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def place_of(window, x: float, y: float) -> QPoint:
    """Where landmark px (x, y) lie in the photo's view."""
    view = window.photo_panel._view
    return view.mapFromScene(view.getViewBox().mapViewToScene(QPointF(x + 0.5, y + 0.5)))


def click_points(window, qtbot, places) -> None:
    for x, y in places:
        qtbot.wait(5)
        QTest.mouseClick(window.photo_panel._view.viewport(), LEFT, NONE, place_of(window, x, y))


def dialog_of(window, qtbot) -> QMessageBox:
    qtbot.waitUntil(lambda: any(box.isVisible() for box in window.findChildren(QMessageBox)))
    return next(box for box in window.findChildren(QMessageBox) if box.isVisible())


def open_faceless(window, qtbot, *, by_hand: bool) -> None:
    """Open a photo without a face and answer the dialog."""
    window.commands.open_source(Path(NO_FACE))
    buttons = {button.text(): button for button in dialog_of(window, qtbot).findChildren(QPushButton)}
    QTest.mouseClick(buttons["Place points by hand" if by_hand else "OK"], LEFT)


def open_with_face(window, qtbot) -> None:
    window.commands.open_sample()
    qtbot.waitUntil(lambda: window.session.face is not None and window.engine_thread.is_idle())


SPOTS = [(30 + 12 * i, 60 + 60 * (i % 3)) for i in range(len(CLICKS))]


def test_a_photo_without_a_face_becomes_one_by_hand(window, engine, qtbot):
    open_faceless(window, qtbot, by_hand=True)
    qtbot.waitUntil(lambda: window.photo_panel._editor.phase == "clicks")
    assert window.session.photo.name == NO_FACE
    assert "by hand" in window.card.text
    click_points(window, qtbot, SPOTS)
    qtbot.waitUntil(lambda: window.photo_panel._editor.phase == "points")
    QTest.mouseClick(window.photo_panel._editor._use, LEFT)
    qtbot.waitUntil(lambda: window.session.face is not None)
    found = window.session.face.landmarks
    assert found.by_hand
    scale = window.photo_panel._view.getViewBox().viewPixelSize()[0]
    np.testing.assert_allclose(found.points68[[index for index, _ in CLICKS]], SPOTS, atol=2 * scale + 1)
    assert not window.photo_panel.is_editing


def test_the_photo_gets_room_and_the_panels_come_back(window, qtbot):
    open_with_face(window, qtbot)
    width = window.docks["photo"].width()
    QTest.mouseClick(window.photo_panel._adjust, LEFT)
    qtbot.waitUntil(lambda: window.docks["photo"].width() > 1.3 * width)
    assert not window.docks["view"].isVisible()
    QTest.keyClick(window.photo_panel._view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.docks["view"].isVisible() and window.docks["photo"].width() < 1.1 * width)


def test_found_points_are_moved_and_the_face_is_made_again(window, engine, qtbot):
    open_with_face(window, qtbot)
    face = window.session.face
    window.actions_by_key["adjust_points"].trigger()
    qtbot.waitUntil(lambda: window.photo_panel._editor.phase == "points")
    view = window.photo_panel._view
    QTest.keyClick(view, Qt.Key.Key_Down)
    moved = int(window.photo_panel._editor.item.chosen)
    QTest.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.session.face.landmarks is not face.landmarks)  # a new map makes a new face, too
    landmarks = window.session.face.landmarks
    shift = landmarks.points68 - face.landmarks.points68
    assert shift[moved, 1] > 0.1
    assert np.abs(np.delete(shift, moved, 0)).max() < 1e-3
    assert landmarks.warnings == ("Some points were moved by hand.",)
    assert window.session.face.photo is face.photo


def test_ctrl_z_belongs_to_the_points_while_they_are_placed(window, qtbot):
    open_with_face(window, qtbot)
    window.expressions.apply_preset(3)
    weights = window.session.weights
    window.points.adjust()
    with qtbot.waitActive(window):
        window.activateWindow()
    view = window.photo_panel._view
    before = window.photo_panel._editor.item.points
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_array_equal(window.photo_panel._editor.item.points, before)
    assert window.session.weights is weights


def test_cancel_brings_the_shown_face_back(window, qtbot):
    open_with_face(window, qtbot)
    face = window.session.face
    open_faceless(window, qtbot, by_hand=True)
    qtbot.waitUntil(lambda: window.photo_panel.is_editing)
    assert window.session.photo.name == NO_FACE
    assert window.session.face.rig is face.rig
    QTest.mouseClick(window.photo_panel._editor._cancel, LEFT)
    assert window.session.photo is face.photo
    assert not window.photo_panel.is_editing
    qtbot.waitUntil(lambda: window.photo_panel._landmarks is face.landmarks)


def test_the_way_by_hand_stays_open_after_the_dialog(window, qtbot):
    assert not window.actions_by_key["place_points"].isEnabled()
    open_faceless(window, qtbot, by_hand=False)
    assert window.session.photo is None
    window.actions_by_key["place_points"].trigger()
    assert window.session.photo.name == NO_FACE
    assert window.photo_panel._editor.phase == "clicks"


def test_another_photo_ends_the_placing(window, qtbot):
    open_faceless(window, qtbot, by_hand=True)
    qtbot.waitUntil(lambda: window.photo_panel.is_editing)
    open_with_face(window, qtbot)
    assert not window.photo_panel.is_editing
    assert window.docks["view"].isVisible()


def test_clicks_on_one_line_are_refused_with_a_sentence(window, qtbot):
    open_faceless(window, qtbot, by_hand=True)
    qtbot.waitUntil(lambda: window.photo_panel.is_editing)
    click_points(window, qtbot, [(30 + 12 * i, 100) for i in range(len(CLICKS))])
    assert "one line" in window.message.sentence
    assert window.photo_panel._editor.phase == "clicks"
    assert len(window.photo_panel._editor.item.points) == 0


def test_a_failing_prediction_is_said_and_leaves_nothing_behind(window, engine, qtbot):
    engine.click_error = ModelFileError("The face model is damaged.", "Download the program again.")
    open_faceless(window, qtbot, by_hand=True)
    qtbot.waitUntil(lambda: window.photo_panel.is_editing)
    click_points(window, qtbot, SPOTS)
    qtbot.waitUntil(lambda: not window.photo_panel.is_editing)
    dialog = dialog_of(window, qtbot)
    assert dialog.text() == "The face model is damaged."
    dialog.accept()


def test_points_wait_while_a_face_is_made(window, engine, qtbot):
    open_with_face(window, qtbot)
    engine.hold.clear()
    window.commands.open_source(Path("anna.jpg"))
    qtbot.waitUntil(lambda: window.session.photo.name == "anna.jpg")
    window.points.place()
    assert not window.photo_panel.is_editing
    assert "cancel it" in window.message.sentence


def test_closing_while_points_are_placed_keeps_the_layout(window, qtbot, tmp_path):
    open_with_face(window, qtbot)
    window.points.adjust()
    window.close()
    with shown_window(tmp_path, InventedEngine()) as again:
        assert again.docks["view"].isVisible()
