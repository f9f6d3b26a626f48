"""The picture of the view as a file: its size, its kind, and what stays where it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from app.view_picture import write_picture
from engine.errors import ExportError
from engine.render import offscreen

pytestmark = pytest.mark.gl


def dialog_of(window, qtbot) -> QMessageBox:
    qtbot.waitUntil(lambda: any(box.isVisible() for box in window.findChildren(QMessageBox)))
    return next(box for box in window.findChildren(QMessageBox) if box.isVisible())


def view_size(window) -> np.ndarray:
    """Device pixels across and down."""
    ratio = window.viewport.devicePixelRatio()
    return np.array([round(ratio * window.viewport.width()), round(ratio * window.viewport.height())])


def rgb(picture: QImage) -> np.ndarray:
    rows = picture.convertToFormat(QImage.Format.Format_RGB888)
    flat = np.frombuffer(rows.constBits(), np.uint8).reshape(rows.height(), rows.bytesPerLine())
    return flat[:, : 3 * rows.width()].reshape(rows.height(), rows.width(), 3).astype(int)


@pytest.fixture
def choose(monkeypatch):
    """Choose a size by its words (None: give up) and a file; the sizes that were offered come in a list."""
    offered: list[tuple[list[str], int]] = []

    def prepare(size: str | None, target: Path) -> list[tuple[list[str], int]]:
        def item(_parent, _title, _label, texts, before, editable):
            offered.append((list(texts), before))
            return next((text for text in texts if size and text.startswith(size)), ""), size is not None

        monkeypatch.setattr(QInputDialog, "getItem", item)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(target), ""))
        return offered

    return prepare


@pytest.mark.parametrize(("words", "factor"), [("As on the screen", 1), ("Twice", 2), ("Four times", 4)])
def test_the_picture_is_drawn_in_the_size_that_was_chosen(with_face, choose, tmp_path, words, factor):
    across, down = factor * view_size(with_face)
    choose(words, tmp_path / "view.png")
    with_face.commands.save_picture()
    saved = QImage(str(tmp_path / "view.png"))
    assert (saved.width(), saved.height()) == (across, down)
    assert with_face.message.sentence == f"Saved view.png, {across:,} x {down:,} px."
    shown, drawn = rgb(with_face.viewport.picture()), rgb(saved)
    small = drawn.reshape(down // factor, factor, across // factor, factor, 3).mean((1, 3))
    assert np.abs(small - shown).mean() < 2, "the same view"
    if factor > 1:  # drawn anew, not enlarged
        enlarged = np.repeat(np.repeat(shown, factor, 0), factor, 1)
        assert np.abs(drawn - enlarged).max() > 20


def test_the_sizes_are_told_in_pixels_and_the_choice_is_kept(with_face, choose, tmp_path):
    width, height = view_size(with_face)
    offered = choose("Four times", tmp_path / "view.png")
    with_face.commands.save_picture()
    with_face.commands.save_picture()
    texts, first = offered[0]
    assert texts[first] == f"Twice as large: {2 * width:,} x {2 * height:,} px"
    assert offered[1][0][offered[1][1]].startswith("Four times")


def test_sizes_that_would_take_too_much_memory_are_not_offered(with_face, choose, tmp_path, monkeypatch):
    monkeypatch.setattr(offscreen, "MOST_PIXELS", 5 * int(np.prod(view_size(with_face))))
    with_face.settings.setValue("picture_factor", 4)
    offered = choose(None, tmp_path / "view.png")
    with_face.commands.save_picture()
    assert not (tmp_path / "view.png").exists()  # given up
    ((texts, first),) = offered
    assert [text.split(":")[0] for text in texts] == ["As on the screen", "Twice as large"]
    assert first == 0


def test_a_card_that_cannot_draw_it_is_said_and_the_old_file_stays(with_face, choose, qtbot, tmp_path, monkeypatch):
    target = tmp_path / "view.png"
    target.write_text("precious")
    choose("Twice", target)
    before = rgb(with_face.viewport.picture())

    def refuse(_renderer, _state, size_px):
        raise offscreen._too_large(size_px, "")

    monkeypatch.setattr(offscreen, "draw_image", refuse)
    with_face.commands.save_picture()
    box = dialog_of(with_face, qtbot)
    assert "too large for this graphics card" in box.text()
    assert box.informativeText() == "Choose a smaller size."
    box.accept()
    assert target.read_text() == "precious"
    # Not equal to the pixel: a map or the full quality of a movement's end may have arrived since.
    assert np.abs(rgb(with_face.viewport.picture()) - before).mean() < 2, "the view goes on"


def test_a_place_that_cannot_be_written_is_said(with_face, choose, qtbot, tmp_path):
    (tmp_path / "file").write_text("a file")
    choose("As", tmp_path / "file" / "view.png")
    with_face.commands.save_picture()
    box = dialog_of(with_face, qtbot)
    assert "is a file where a folder is needed" in box.text()
    box.accept()


def test_what_cannot_be_encoded_leaves_the_old_file(tmp_path):
    target = tmp_path / "view.jpg"
    target.write_text("precious")
    with pytest.raises(ExportError, match=r"view\.jpg could not be written"):
        write_picture(QImage(), target)
    assert target.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("typed", "written"), [("pic", "pic.png"), ("pic.v2", "pic.v2.png"), ("pic.JPG", "pic.JPG"), ("pic.png", "pic.png")]
)
def test_a_picture_without_a_kind_becomes_a_png(with_face, choose, tmp_path, typed, written):
    choose("As", tmp_path / typed)
    with_face.commands.save_picture()
    assert with_face.message.sentence.startswith(f"Saved {written}, ")
    assert not QImage(str(tmp_path / written)).isNull()


@pytest.mark.parametrize(("answer", "replaced"), [("No", False), ("Yes", True)])
def test_a_picture_that_the_added_ending_would_replace_is_asked_for(
    with_face, choose, qtbot, tmp_path, answer, replaced
):
    """The system's dialog has asked for 'pic', which is not there."""
    (tmp_path / "pic.png").write_text("precious")
    choose("As", tmp_path / "pic")
    said = []

    def press() -> None:
        box = dialog_of(with_face, qtbot)
        said.append(box.text())
        box.button(getattr(QMessageBox.StandardButton, answer)).click()

    QTimer.singleShot(0, press)
    with_face.commands.save_picture()
    assert said == ["pic.png exists already. Replace it?"]
    assert ((tmp_path / "pic.png").read_bytes() != b"precious") == replaced
