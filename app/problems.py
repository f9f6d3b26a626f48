"""Failures: an AppError becomes a dialog with a next step, anything else goes to the log file and a plain dialog."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, QUrl, Signal, Slot, qInstallMessageHandler
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMessageBox, QWidget

from engine.errors import AppError

_LOG_BYTES = 1_000_000
_LOG_FILES = 3

WayOn = tuple[str, Callable[[], object]]
"""Text of a button, and what it does."""

_log = logging.getLogger("detailed_face")


def log_folder() -> Path:
    """Where the log files lie on this system."""
    import platformdirs

    return platformdirs.user_log_path("detailed-face", appauthor=False)


def start_logging(folder: Path | None = None) -> Path | None:
    """Write all log records to a rotating file; returns it, or None where the folder cannot be written."""
    folder = log_folder() if folder is None else folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            folder / "detailed-face.log", maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8"
        )
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return Path(handler.baseFilename)


def open_log_folder() -> None:
    """Show the folder in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(log_folder())))


class ProblemReporter(QObject):
    """Shows failures from any thread as dialogs of one window, one at a time."""

    _reported = Signal(object, object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._dialog: QMessageBox | None = None
        self._reported.connect(self._show, Qt.ConnectionType.QueuedConnection)

    @Slot(object)
    def report(self, error: BaseException, way_on: WayOn | None = None) -> None:
        """Log ``error`` unless it is the user's to solve, and show it; ``way_on`` becomes a button."""
        if not isinstance(error, AppError):
            _log.error("unexpected failure", exc_info=error)
        self._reported.emit(error, way_on)

    def install_hooks(self) -> None:
        """Route everything that nobody caught, and Qt's own messages, through here."""
        sys.excepthook = self._on_uncaught
        threading.excepthook = self._on_uncaught_in_thread
        qInstallMessageHandler(_log_qt_message)

    def _on_uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._window.close()
        else:
            self.report(error)

    def _on_uncaught_in_thread(self, failure: Any) -> None:
        if failure.exc_value is not None:
            self.report(failure.exc_value)

    @Slot(object, object)
    def _show(self, error: BaseException, way_on: WayOn | None) -> None:
        if self._dialog is not None:  # one dialog is enough; the log has the rest
            return
        self._dialog = problem_dialog(error, self._window, way_on)
        self._dialog.finished.connect(self._on_closed)
        self._dialog.open()

    @Slot()
    def _on_closed(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None


def problem_dialog(error: BaseException, parent: QWidget | None = None, way_on: WayOn | None = None) -> QMessageBox:
    """The dialog for one failure: message, next step, a button that takes it, and the cause behind another."""
    dialog = QMessageBox(parent)
    dialog.setWindowTitle("Detailed Face")
    dialog.setTextFormat(Qt.TextFormat.PlainText)
    if isinstance(error, AppError):
        dialog.setIcon(QMessageBox.Icon.Warning)
        dialog.setText(str(error))
        dialog.setInformativeText(error.hint)
        if error.__cause__ is not None:
            dialog.setDetailedText(f"{type(error.__cause__).__name__}: {error.__cause__}")
    else:
        dialog.setIcon(QMessageBox.Icon.Critical)
        dialog.setText("Something went wrong inside the program.")
        dialog.setInformativeText("Your work on screen is kept. The log file says what happened; please report it.")
        dialog.setDetailedText(f"{type(error).__name__}: {error}")
        folder = dialog.addButton("Open log folder", QMessageBox.ButtonRole.ActionRole)
        folder.clicked.connect(open_log_folder)
    if way_on is not None:
        text, act = way_on
        dialog.addButton(text, QMessageBox.ButtonRole.ActionRole).clicked.connect(lambda _checked=False: act())
    dialog.addButton(QMessageBox.StandardButton.Ok)
    dialog.setDefaultButton(QMessageBox.StandardButton.Ok)
    return dialog


_QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def _log_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    logging.getLogger("qt").log(_QT_LEVELS[kind], "%s", message)
