"""What the menus, the toolbar and the empty state's buttons do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from app import expression_text, help_dialogs, incoming, wording
from app.problems import open_log_folder
from engine.errors import AppError
from engine.types import Photo

if TYPE_CHECKING:
    from app.export_controller import ExportController
    from app.main_window import MainWindow
    from app.webcam_controller import WebcamController

_PHOTO_FILTER = "Photos (*.jpg *.jpeg *.png *.webp *.heic *.heif *.bmp *.tif *.tiff *.gif);;All files (*)"
_FOLDER_KEY = "photo_folder"


class WindowCommands(QObject):
    """One method per command; asks with dialogs, then tells the controllers."""

    def __init__(self, window: MainWindow, camera_file: Path | None = None) -> None:
        super().__init__(window)
        self._window = window
        self._camera_file = camera_file
        self._export: ExportController | None = None
        self._webcam: WebcamController | None = None
        self._first_of: tuple[Path | Photo | None, int] = (None, 0)  # what was opened last, and of how many

    @Slot(list)
    def open_first(self, sources: Sequence[Path | Photo]) -> None:
        """Open the first of what came at once; where there are more, the status line says so as long as it is shown."""
        if sources:
            self.open_source(sources[0])
            self._first_of = sources[0], len(sources)
            if len(sources) > 1:
                self._window.say(wording.first_of(len(sources)))

    def note_on(self, photo: Photo) -> str:
        """What the status line says before all else about a photo that came with others, which were left alone."""
        source, count = self._first_of
        return f"{wording.first_of(count)} " if count > 1 and photo.path == source else ""

    @Slot(Path)
    def open_source(self, source: Path | Photo) -> None:
        """Start turning a file or a picture into the shown face."""
        self._first_of = source, 1
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
        sources = incoming.photos_in(QGuiApplication.clipboard().mimeData())
        self.open_first(sources)
        if not sources:
            self._window.say("There is no picture in the clipboard. Copy one first, then paste it here.")

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
        from app.view_picture import save_picture

        save_picture(self._window)

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
