"""pyqtgraph when it is needed: imported beside the running window, so that nobody waits for it."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

_POLL_MS = 20
_import_lock = threading.Lock()


def when_plotting_is_ready(owner: QObject, build: Callable[[], None]) -> None:
    """Call ``build`` on the main thread once pyqtgraph is imported; never when ``owner`` is gone by then.

    The import (0.3 s) runs in a thread of its own: on the main thread it would be a gap that the user feels.
    """
    thread = threading.Thread(target=_import_pyqtgraph, name="import pyqtgraph", daemon=True)
    thread.start()
    timer = QTimer(owner)

    def look() -> None:
        if not thread.is_alive():
            timer.stop()
            timer.deleteLater()
            build()

    timer.timeout.connect(look)
    timer.start(0 if "pyqtgraph" in sys.modules else _POLL_MS)


def _import_pyqtgraph() -> None:
    with _import_lock:
        importlib.import_module("pyqtgraph")
