"""A main window with the invented engine, closed again after the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEvent, QSettings
from PySide6.QtWidgets import QApplication

from app.main_window import MainWindow
from tests.app.invented_engine import InventedEngine, invented_pose
from widgets.style import apply_style
from widgets.viewport import request_core_profile


@contextmanager
def shown_window(folder: Path, engine: InventedEngine) -> Iterator[MainWindow]:
    """The window, shown; its settings lie in ``folder``."""
    request_core_profile()
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    if app.style().objectName() != "fusion":
        apply_style(app)
    window = MainWindow(engine, QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat))
    window.expressions.pose_function = invented_pose
    window.show()
    try:
        yield window
    finally:
        engine.hold.set()
        window.close()
        window.deleteLater()
        app.sendPostedEvents(None, QEvent.Type.DeferredDelete)
