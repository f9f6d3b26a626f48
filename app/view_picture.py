"""File > Save Picture of the View: how large, where, and the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from engine.atomic import FileSet
from engine.errors import AppError, ExportError

if TYPE_CHECKING:
    from app.main_window import MainWindow

_TITLE = "Save Picture of the View"
_FILTER = "Pictures (*.png *.jpg)"
_FACTORS = {1: "As on the screen", 2: "Twice as large", 4: "Four times as large"}
_FIRST_FACTOR = 2
_FACTOR_KEY = "picture_factor"


def save_picture(window: MainWindow) -> None:
    """Ask for size and file, then draw the view anew and write it; a failure is shown, and the old file stays."""
    size_px = _asked_size(window)
    target = _asked_file(window) if size_px is not None else None
    if size_px is None or target is None:
        return
    QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)  # seconds without a graphics card
    try:
        write_picture(window.viewport.picture(size_px), target)
        window.say(f"Saved {target.name}, {size_px[0]:,} x {size_px[1]:,} px.")
    except AppError as error:
        window.problems.report(error)
    finally:
        QGuiApplication.restoreOverrideCursor()


def write_picture(picture: QImage, target: Path) -> None:
    """Write a picture in the kind that its name ends in; the file is whole or as it was before.

    Raises:
        ExportError: the kind cannot hold the picture, or the file cannot be written.
    """
    encoded = QByteArray()
    buffer = QBuffer(encoded)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(target.suffix.lstrip(".").lower().encode()))
    if not writer.write(picture):
        message = f"{target.name} could not be written ({writer.errorString()})."
        raise ExportError(message, "Choose PNG or a smaller size.")
    with FileSet(target.parent) as files:
        list(files.write(target.name, [bytes(encoded.data())]))
        files.commit()


def _asked_size(window: MainWindow) -> tuple[int, int] | None:
    """Width and height in pixels, None where the user thought better of it."""
    from engine.render.offscreen import MOST_PIXELS

    view, ratio = window.viewport, window.viewport.devicePixelRatio()
    width, height = round(ratio * view.width()), round(ratio * view.height())
    sizes = {f: (f * width, f * height) for f in _FACTORS if f == 1 or f * width * f * height <= MOST_PIXELS}
    texts = [f"{_FACTORS[f]}: {across:,} x {down:,} px" for f, (across, down) in sizes.items()]
    last = str(window.settings.value(_FACTOR_KEY, _FIRST_FACTOR))
    before = next((row for row, factor in enumerate(sizes) if str(factor) == last), 0)
    text, accepted = QInputDialog.getItem(window, _TITLE, "Size of the picture:", texts, before, editable=False)
    if not accepted:
        return None
    factor = list(sizes)[texts.index(text)]
    window.settings.setValue(_FACTOR_KEY, factor)
    return sizes[factor]


def _asked_file(window: MainWindow) -> Path | None:
    face = window.session.face
    name = f"{Path(face.photo.name).stem}_view.png" if face else "view.png"
    chosen, _ = QFileDialog.getSaveFileName(window, _TITLE, name, _FILTER)
    if not chosen:
        return None
    target = _picture_file(Path(chosen))
    if target != Path(chosen) and target.exists() and not _may_replace(window, target):
        return None
    return target


def _picture_file(chosen: Path) -> Path:
    """The chosen file, with .png behind a name that does not end in a kind of picture that can be written."""
    kinds = {bytes(kind.data()).decode() for kind in QImageWriter.supportedImageFormats()}
    return chosen if chosen.suffix.lower().lstrip(".") in kinds else chosen.with_name(f"{chosen.name}.png")


def _may_replace(window: MainWindow, path: Path) -> bool:
    """Ask; the system's dialog has asked for the name that was typed, not for this one."""
    buttons = QMessageBox.StandardButton
    text = f"{path.name} exists already. Replace it?"
    return QMessageBox.question(window, _TITLE, text, buttons.Yes | buttons.No, buttons.No) == buttons.Yes
