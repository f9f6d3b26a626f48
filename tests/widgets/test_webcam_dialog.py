"""The webcam dialog with frames handed to it."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor

from engine.types import FaceBox, Landmarks
from widgets import webcam_dialog
from widgets.camera_preview import FACE_LINES, GOOD_COLOUR
from widgets.webcam_dialog import WebcamDialog

RED, BLUE = (200, 30, 30), (30, 30, 200)


def _frame() -> np.ndarray:
    """160 x 240 px: red on the left, blue on the right, as the camera sees it."""
    frame = np.full((160, 240, 3), RED, np.uint8)
    frame[:, 120:] = BLUE
    return frame


@pytest.fixture
def dialog(qtbot, monkeypatch):
    monkeypatch.setattr(webcam_dialog, "SECOND_MS", 20)
    dialog = WebcamDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def _picture(dialog: WebcamDialog) -> np.ndarray:
    """What the preview paints, (H, W, 3)."""
    image = dialog._preview.grab().toImage()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return pixels[:, : 4 * image.width()].reshape(image.height(), image.width(), 4)[..., 2::-1].copy()


def _colour(dialog: WebcamDialog, across: float) -> tuple[int, int, int]:
    """Of the preview at half height, ``across`` 0..1 of its width."""
    point = QPoint(int(across * dialog._preview.width()), dialog._preview.height() // 2)
    return QColor(dialog._preview.grab().toImage().pixel(point)).toTuple()[:3]


def test_live_picture_is_a_mirror_and_the_photo_is_not(dialog):
    dialog.show_frame(_frame(), None)
    assert (_colour(dialog, 0.45), _colour(dialog, 0.55)) == (BLUE, RED)
    dialog.show_shot(_frame())
    assert (_colour(dialog, 0.45), _colour(dialog, 0.55)) == (RED, BLUE)


def test_face_is_drawn_where_the_mirror_shows_it(dialog):
    dense = np.full((468, 2), (60.0, 80.0), np.float32)  # on the camera's left, so on the mirror's right
    dense[list(FACE_LINES[0][:18])] += (10.0, 15.0)
    dialog.show_frame(_frame(), None)
    before = _picture(dialog)
    dialog.show_frame(_frame(), Landmarks(dense, None, FaceBox(40, 60, 80, 100, 1.0)))
    changed = np.argwhere((_picture(dialog) != before).any(-1))
    assert len(changed) > 0
    assert changed[:, 1].min() > 0.6 * before.shape[1]
    dialog.show_frame(_frame(), FaceBox(40.0, 60.0, 80.0, 100.0, 1.0))
    assert (_picture(dialog) != before).any()


def test_outline_turns_green_when_all_is_well(dialog):
    dialog.show_frame(np.zeros((160, 240, 3), np.uint8), None)
    dialog.show_hint("Come closer.", False)
    assert dialog._message.text() == "Come closer."
    green = np.array(GOOD_COLOUR.toTuple()[:3])
    assert not (np.abs(_picture(dialog).astype(int) - green).max(-1) < 30).any()
    dialog.show_hint("Good. Hold still.", True)
    assert (np.abs(_picture(dialog).astype(int) - green).max(-1) < 30).sum() > 100


def test_countdown_ends_in_a_photo_to_accept(dialog, qtbot):
    dialog._countdown.setInterval(20)
    dialog.show_frame(_frame(), None)
    plain = _picture(dialog)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert dialog._count == 3
    assert (_picture(dialog) != plain).any()  # the number
    with qtbot.waitSignal(dialog.shot_wanted, timeout=2000):
        pass
    dialog.show_shot(_frame())
    assert not dialog.is_live
    with qtbot.waitSignals([dialog.shot_accepted, dialog.accepted]):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)


def test_escape_goes_back_one_step_at_a_time(dialog, qtbot):
    dialog._countdown.setInterval(10_000)
    dialog.show_frame(_frame(), None)
    dialog._take.click()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog._countdown.isActive()
    assert dialog.isVisible()
    dialog.show_shot(_frame())
    with qtbot.waitSignal(dialog.shot_rejected):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.is_live
    with qtbot.waitSignal(dialog.rejected):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)


def test_no_photo_without_a_picture(dialog, qtbot):
    dialog.show_waiting("Starting the camera…")
    assert not dialog._take.isEnabled()
    dialog.show_frame(_frame(), None)
    assert dialog._take.isEnabled()
    dialog.show_error("The camera stopped sending pictures.", "Check that it is plugged in.")
    assert not dialog._take.isEnabled()
    assert dialog._message.text() == "The camera stopped sending pictures."
    assert dialog._hint.text() == "Check that it is plugged in."


def test_a_failing_camera_ends_the_countdown(dialog, qtbot):
    dialog._countdown.setInterval(30)
    dialog.show_frame(_frame(), None)
    dialog._take.click()
    with qtbot.assertNotEmitted(dialog.shot_wanted, wait=200):
        dialog.show_error("The camera stopped sending pictures.", "")


def test_cameras_are_listed_silently_and_chosen_again_after_a_failure(dialog, qtbot):
    with qtbot.assertNotEmitted(dialog.camera_chosen):
        dialog.set_cameras(["Front", "Back"], 1)
    assert dialog._cameras.currentText() == "Back"
    dialog._cameras.setFocus()
    with qtbot.waitSignal(dialog.camera_chosen) as chosen:
        dialog._cameras.activated.emit(1)
    assert chosen.args == [1]
    dialog.set_cameras([], -1)
    assert not dialog._cameras.isEnabled()
