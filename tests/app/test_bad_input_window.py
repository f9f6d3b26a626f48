"""Bad input and bad moments in the window: a sentence, a next step, and the old face stays."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QMessageBox

from app import export_controller
from app.webcam import Camera
from app.webcam_controller import WebcamController
from engine.images import load_photo
from engine.resources import resource_path
from engine.types import Photo
from tests.app.invented_engine import InventedEngine
from tests.app.window_fixture import shown_window

pytestmark = pytest.mark.gl


class DecodingEngine(InventedEngine):
    """Decodes files as the program does; the faces are invented."""

    def photo(self, path: Path) -> Photo:
        return load_photo(path)


@pytest.fixture
def window(qapp, qtbot, tmp_path):
    if qapp.platformName() == "offscreen":
        pytest.skip("the window needs a display; python3 -m tests starts a virtual one")
    with shown_window(tmp_path, DecodingEngine()) as window:
        qtbot.waitUntil(lambda: window.map_scale_mm is not None)
        window.commands.open_sample()
        qtbot.waitUntil(lambda: window.session.face is not None)
        qtbot.waitUntil(lambda: window.engine_thread.is_idle() and window.session.progress is None)
        yield window


def drop(window, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(600, 400), copy, mime, left, none))


def dialog_of(window, qtbot) -> QMessageBox:
    qtbot.waitUntil(lambda: any(box.isVisible() for box in window.findChildren(QMessageBox)))
    return next(box for box in window.findChildren(QMessageBox) if box.isVisible())


def _truncated(path: Path) -> None:
    data = resource_path("samples/portrait_obama.jpg").read_bytes()
    path.write_bytes(data[: len(data) // 3])


BAD_FILES = {
    "empty.jpg": lambda path: path.write_bytes(b""),
    "text.png": lambda path: path.write_text("no picture at all"),
    "cut.jpg": _truncated,
    "folder.jpg": lambda path: path.mkdir(),
    "gone.jpg": lambda path: None,
    "notes.docx": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(200)),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_that_is_dropped_is_said_and_the_old_face_stays(window, qtbot, tmp_path, name):
    BAD_FILES[name](tmp_path / name)
    face, sentence, weights = window.session.face, window.message.sentence, window.session.weights
    drop(window, tmp_path / name)
    dialog = dialog_of(window, qtbot)
    assert name in dialog.text()
    assert dialog.informativeText()
    assert "Traceback" not in dialog.text() + dialog.informativeText() + dialog.detailedText()
    dialog.accept()
    assert window.session.face is face
    assert window.session.photo is face.photo
    assert window.session.weights is weights
    assert window.message.sentence == sentence
    assert tmp_path / name not in window.recent.paths()


def test_closing_while_files_are_written_leaves_no_halves(window, qtbot, tmp_path, monkeypatch):
    reached, real = threading.Event(), export_controller.export_face

    def slow(*given):
        steps = real(*given)
        for report in steps:
            yield report
            reached.set()
            time.sleep(0.01)
        raise AssertionError("the window should have ended this")

    monkeypatch.setattr(export_controller, "export_face", slow)
    window.settings.setValue("export/folder", str(tmp_path / "out"))
    window.settings.setValue("export/maps", "static")
    window.commands.export()
    dialog = window.commands._export.dialog
    assert dialog.options().map_scale_mm == window.map_scale_mm == 2.0
    qtbot.waitUntil(dialog._main.isEnabled)
    dialog._main.click()
    qtbot.waitUntil(reached.is_set)
    window.close()
    assert window.stopped_in_time
    assert not (tmp_path / "out").exists() or os.listdir(tmp_path / "out") == []


def test_closing_while_the_camera_runs_gives_it_back(window, qtbot):
    released = threading.Event()

    class Stream:
        period_s = 0.0

        def read(self):
            time.sleep(0.01)

        def release(self):
            released.set()

    window.commands._webcam = WebcamController(
        window, settings=window.settings, find_cameras=lambda: (Camera("fake", 0),), opener=lambda _source: Stream()
    )
    window.commands.open_webcam()
    capture = window.commands._webcam
    qtbot.waitUntil(lambda: capture._capture is not None)
    window.close()
    assert capture.dialog is None
    assert released.wait(1.0)
