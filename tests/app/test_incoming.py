from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QGuiApplication, QImage

from app import incoming

pytestmark = pytest.mark.gl


def drop(window, *paths: Path) -> QDropEvent:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPointF(600, 400), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    assert incoming.holds_photo(mime)
    window.dropEvent(event)
    return event


def test_a_dropped_file_is_opened(window, qtbot, tmp_path):
    assert drop(window, tmp_path / "dropped.jpg").isAccepted()
    qtbot.waitUntil(lambda: window.session.face is not None)
    assert window.session.face.photo.name == "dropped.jpg"
    assert "first of" not in window.message.sentence


def test_of_several_dropped_files_the_first_is_taken_and_that_is_said(window, engine, qtbot, tmp_path):
    first, second, third = (tmp_path / f"{name}.jpg" for name in ("anna", "bert", "carla"))
    note = "The first of 3 files was taken; for a whole folder: main.py --input FOLDER --output FOLDER."
    engine.hold.clear()
    drop(window, first, second, third)
    assert window.message.sentence == note
    qtbot.waitUntil(lambda: "Making" in window.message.sentence)
    assert window.message.sentence == f"{note} Making a face of anna.jpg …"
    engine.hold.set()
    qtbot.waitUntil(lambda: window.session.face is not None)
    assert window.message.sentence.startswith(f"{note} Face of anna.jpg: ")
    window.photo_panel.photos_dropped.emit([second])
    qtbot.waitUntil(lambda: window.session.face.photo.name == "bert.jpg")
    assert window.message.sentence.startswith("Face of bert.jpg: ")
    window.photo_panel.photos_dropped.emit([third, second])
    qtbot.waitUntil(lambda: window.session.face.photo.name == "carla.jpg")
    assert window.message.sentence.startswith("The first of 2 files")
    window.commands.open_source(third)
    qtbot.waitUntil(lambda: engine.faces == 4)
    qtbot.waitUntil(lambda: window.message.sentence.startswith("Face of carla.jpg: "))


def test_a_copied_picture_is_pasted(window, qtbot):
    copied = QImage(40, 30, QImage.Format.Format_ARGB32)
    copied.fill(QColor(200, 100, 50))
    copied.setPixelColor(0, 0, QColor(0, 0, 0, 0))
    QGuiApplication.clipboard().setImage(copied)
    window.commands.paste()
    qtbot.waitUntil(lambda: window.session.face is not None)
    image = window.session.face.photo.image
    assert image.shape == (30, 40, 3)
    assert tuple(image[20, 20]) == (200, 100, 50)
    assert tuple(image[0, 0]) == (255, 255, 255)  # see-through


def test_pasting_nothing_is_said(window):
    QGuiApplication.clipboard().setText("only words")
    window.commands.paste()
    assert "no picture" in window.message.sentence
