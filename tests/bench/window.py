"""Frames per second and event-loop gaps of the real window with the real engine: for ``tests.bench window``."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from app.engine_service import EngineService
from app.main_window import MainWindow
from app.window import SWITCH_INTERVAL_S
from engine.expressions import SHAPE_INDEX
from engine.resources import DEFAULT_SAMPLE, resource_path
from tests.app.test_responsiveness import Heartbeat
from widgets.style import apply_style
from widgets.viewport import request_core_profile

_DRAG_S = 6.0


def _until(app: QApplication, condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        app.processEvents()
        time.sleep(0.001)


def main() -> int:
    """Open the sample, drag a slider for some seconds, print the table."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    request_core_profile()
    app = QApplication(sys.argv[:1])
    apply_style(app)
    with TemporaryDirectory() as folder:
        settings = QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat)
        window = MainWindow(EngineService(), settings)
        window.viewport.setFixedSize(1000, 800)
        window.show()
        _until(app, lambda: window.engine_thread.is_idle(), 60)
        _until(app, lambda: False, 2.0)  # the first start of all compiles the shaders for so long
        heart, began = Heartbeat(), time.monotonic()
        window.commands.open_source(resource_path(DEFAULT_SAMPLE))
        _until(app, lambda: window.session.face is not None, 120)
        shown = time.monotonic() - began
        _until(app, lambda: all(m is not None for m in window.session.face.key_maps), 120)
        complete, gap = time.monotonic() - began, heart.stop()
        _until(app, lambda: False, 1.0)
        frames, times = _drag(app, window)
        window.close()
    lines = [
        "| measure | value | limit |",
        "|---|---|---|",
        f"| photo to face on the screen, in the window | {shown:.1f} s | |",
        f"| all key maps too | {complete:.1f} s | |",
        f"| longest event-loop gap while the engine works | {gap:.0f} ms | 100 ms |",
        f"| slider drag at 1000x800 | {frames:.1f} frames/s | 20 |",
        f"| slowest frame of the drag | {1e3 * max(times):.0f} ms | |",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _drag(app: QApplication, window: MainWindow) -> tuple[float, list[float]]:
    """Frames per second on the screen while jawOpen is dragged to and fro, and the time between frames."""
    stamps: list[float] = []
    window.viewport.frameSwapped.connect(lambda: stamps.append(time.perf_counter()))
    slider = window.expression_panel.slider(SHAPE_INDEX["jawOpen"])
    slider.setSliderDown(True)
    end, value, step = time.monotonic() + _DRAG_S, 0, 4
    while time.monotonic() < end:
        value += step
        if not 0 < value < 100:
            step = -step
        slider.setValue(min(max(value, 0), 100))
        app.processEvents()
    slider.setSliderDown(False)
    steady = stamps[2:]
    gaps = [b - a for a, b in itertools.pairwise(steady)]
    return (len(gaps) / sum(gaps) if gaps else 0.0), gaps or [float("nan")]


if __name__ == "__main__":
    sys.exit(main())
