"""What the menus, the toolbar and the empty state's buttons do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication, QImageWriter
from PySide6.QtWidgets import QFileDialog, QMessageBox

from app import expression_text, help_dialogs, incoming
from app.problems import open_log_folder
from engine.errors import AppError, ExportError
from engine.types import Photo

if TYPE_CHECKING:
    from app.export_controller import ExportController
    from app.main_window import MainWindow
    from app.webcam_controller import WebcamController

_PHOTO_FILTER = "Photos (*.jpg *.jpeg *.png *.webp *.heic *.heif *.bmp *.tif *.tiff *.gif);;All files (*)"
_PICTURE_FILTER = "Pictures (*.png *.jpg)"
_FOLDER_KEY = "photo_folder"


class WindowCommands(QObject):
    """One method per command; asks with dialogs, then tells the controllers."""

    def __init__(self, window: MainWindow, camera_file: Path | None = None) -> None:
        super().__init__(window)
        self._window = window
        self._camera_file = camera_file
        self._export: ExportController | None = None
        self._webcam: WebcamController | None = None

    @Slot(Path)
    def open_source(self, source: Path | Photo) -> None:
        """Start turning a file or a picture into the shown face."""
        if isinstance(source, Photo):
            self._window.photos.open_photo(source)
        else:
            self._window.photos.open(Path(source))

    @Slot()
    def choose_photo(self) -> None:
        """Ask for a photo with the system's dialog."""
        settings = self._window.settings
        folder = str(settings.value(_FOLDER_KEY, str(Path.home())))
        name, _ = QFileDialog.getOpenFileName(self._window, "Open Photo", folder, _PHOTO_FILTER)
        if name:
            settings.setValue(_FOLDER_KEY, str(Path(name).parent))
            self.open_source(Path(name))

    @Slot()
    def open_sample(self) -> None:
        """Open the default sample photo."""
        try:
            self.open_source(incoming.samples()[0].path)
        except AppError as error:
            self._window.problems.report(error)

    @Slot()
    def paste(self) -> None:
        """Open the picture in the clipboard."""
        source = incoming.photo_in(QGuiApplication.clipboard().mimeData())
        if source is None:
            self._window.say("There is no picture in the clipboard. Copy one first, then paste it here.")
        else:
            self.open_source(source)

    @Slot()
    def open_webcam(self) -> None:
        """Take a photo with the webcam."""
        if self._webcam is None:
            from app.webcam_controller import WebcamController
            from engine.landmark_live import LiveFaceFinder

            self._webcam = WebcamController(self._window, self._camera_file, LiveFaceFinder().find)
            self._webcam.photo_taken.connect(self._window.photos.open_photo)
        self._webcam.open()

    def close(self) -> None:
        """Give the camera back."""
        if self._webcam is not None:
            self._webcam.close()

    @Slot()
    def export(self) -> None:
        """Open the export dialog."""
        if self._export is None:
            from app.export_controller import ExportController

            self._export = ExportController(
                self._window.session,
                self._window.engine,
                self._window.engine_thread,
                self._window,
                self._window.settings,
            )
        self._export.map_scale_mm = self._window.map_scale_mm
        self._export.open_dialog()

    @Slot()
    def save_picture(self) -> None:
        """Save what the viewport shows."""
        face = self._window.session.face
        name = f"{Path(face.photo.name).stem}_view.png" if face else "view.png"
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Save Picture of the View", name, _PICTURE_FILTER)
        if not chosen:
            return
        target = _picture_file(Path(chosen))
        if target != Path(chosen) and target.exists() and not self._may_replace(target):
            return
        if self._window.viewport.picture().save(str(target)):
            self._window.say(f"Saved {target.name}.")
        else:
            self._window.problems.report(ExportError(f"{target.name} could not be written.", "Choose another folder."))

    def _may_replace(self, path: Path) -> bool:
        """Ask; the system's dialog has asked for the name that was typed, not for this one."""
        buttons = QMessageBox.StandardButton
        text = f"{path.name} exists already. Replace it?"
        answer = QMessageBox.question(
            self._window, "Save Picture of the View", text, buttons.Yes | buttons.No, buttons.No
        )
        return answer == buttons.Yes

    def edit_view(self, **changes: Any) -> None:
        """Change some of the session's ViewOptions."""
        session = self._window.session
        session.set_view(replace(session.view, **changes))

    def toggle_wireframe(self) -> None:
        """Show or hide the edges of the mesh."""
        self.edit_view(wireframe=not self._window.session.view.wireframe)

    @Slot()
    def copy_expression(self) -> None:
        """Put the weights into the clipboard, as text."""
        QGuiApplication.clipboard().setText(expression_text.text_of(self._window.session.weights))
        self._window.say("Copied the expression: paste it onto another face, or keep the text.")

    @Slot()
    def paste_expression(self) -> None:
        """Take the weights in the clipboard's text."""
        weights = expression_text.weights_in(QGuiApplication.clipboard().text())
        if weights is None:
            hint = 'Copy one with Edit > Copy Expression, or text such as {"jawOpen": 0.5}.'
            self._window.say(f"There is no expression in the clipboard. {hint}")
        else:
            self._window.expressions.apply_weights(weights)

    def find_expression(self) -> None:
        """Show the expression panel and put the cursor into its search field."""
        self._window.docks["expressions"].show()
        self._window.docks["expressions"].raise_()
        self._window.expression_panel.focus_search()

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back."""
        window = self._window
        window.showNormal() if window.isFullScreen() else window.showFullScreen()

    @Slot(str)
    def press(self, key: str) -> None:
        """Run a command by its key, as the buttons of the empty state do."""
        self.handlers()[key]()

    def handlers(self) -> dict[str, Callable[[], object]]:
        """Every command of the table, by key."""
        window = self._window
        expressions, views = window.expressions, window.views
        handlers: dict[str, Callable[[], object]] = {
            "open": self.choose_photo,
            "sample": self.open_sample,
            "paste": self.paste,
            "webcam": self.open_webcam,
            "export": self.export,
            "save_picture": self.save_picture,
            "quit": window.close,
            "undo": expressions.undo_stack.undo,
            "redo": expressions.undo_stack.redo,
            "photo_expression": expressions.apply_photo_expression,
            "reset_expression": expressions.reset,
            "copy_expression": self.copy_expression,
            "paste_expression": self.paste_expression,
            "adjust_points": window.points.adjust,
            "place_points": window.points.place,
            "find": self.find_expression,
            "wireframe": self.toggle_wireframe,
            "confidence": window.detail.toggle_confidence,
            "full_screen": self.toggle_full_screen,
            "shortcuts": lambda: help_dialogs.shortcut_dialog(window).open(),
            "about": lambda: help_dialogs.about_dialog(window, window.pack_title).open(),
            "log_folder": open_log_folder,
        }
        for look in ("texture", "clay", "map"):
            handlers[f"look_{look}"] = partial(self.edit_view, look=look)
        for view in ("front", "three-quarter", "side", "over-photo", "reset"):
            handlers[view] = partial(views.look_from, view)
        return handlers


def _picture_file(chosen: Path) -> Path:
    """The chosen file, with .png behind a name that does not end in a kind of picture that can be written."""
    kinds = {bytes(kind.data()).decode() for kind in QImageWriter.supportedImageFormats()}
    return chosen if chosen.suffix.lower().lstrip(".") in kinds else chosen.with_name(f"{chosen.name}.png")
