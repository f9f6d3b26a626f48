"""Opens a photo in the window with the FaceScape pack, with nothing in the networks' place: for its memory."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from app.engine_service import EngineService
from app.main_window import MainWindow
from engine.detail.predictor import DetailResult
from engine.packs.facescape.network_predictor import NetworkPredictor
from widgets.style import apply_style
from widgets.viewport import request_core_profile

_LIMIT_S = 120.0


def _no_detail(_predictor, request):
    """In place of ``NetworkPredictor.steps``: what surrounds the networks, and not they, is measured."""
    n = len(request.texture)
    for key in request.keys:
        yield DetailResult(key, np.zeros((n, n), np.float32), np.ones((n, n), np.float32))


def main() -> int:
    """Show the face of the photo that is named on the command line, turn it, move a slider, close."""
    NetworkPredictor.steps = _no_detail
    request_core_profile()
    app = QApplication(sys.argv[:1])
    apply_style(app)
    with TemporaryDirectory() as folder:
        settings = QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat)
        window = MainWindow(EngineService("facescape"), settings)
        window.ready.connect(lambda: window.commands.open_source(Path(sys.argv[1])))
        window.show()
        end = time.monotonic() + _LIMIT_S
        while time.monotonic() < end and (window.session.face is None or not window.engine_thread.is_idle()):
            app.processEvents()
            time.sleep(0.005)
        if window.session.face is None:
            return 1
        window.expressions.apply_preset(1)
        window.views.look_from("side")
        for _ in range(100):
            app.processEvents()
            time.sleep(0.005)
        window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
