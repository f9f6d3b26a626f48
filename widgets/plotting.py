"""pyqtgraph when it is needed: imported after the window is there, so that nobody waits for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer


def when_plotting_is_ready(owner: QObject, build: Callable[[], None]) -> None:
    """Call ``build`` from the event loop with pyqtgraph imported; never when ``owner`` is gone by then.

    The import belongs to the main thread: beside a running event loop it can crash the Qt binding.
    """
    timer = QTimer(owner)
    timer.setSingleShot(True)

    def start() -> None:
        importlib.import_module("pyqtgraph")
        timer.deleteLater()
        build()

    timer.timeout.connect(start)
    timer.start(0)
