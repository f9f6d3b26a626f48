"""Start of the window: application object, look, hooks, main window."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from app.engine_service import EngineService
from app.main_window import MainWindow
from app.problems import start_logging
from engine.packs.facescape.switches import DetailSwitches
from widgets.style import apply_style
from widgets.viewport import request_core_profile

FIRST_PAINT_VARIABLE = "DETAILED_FACE_FIRST_PAINT"
"""Environment: 'report' writes the seconds from process start to first paint to stderr, 'quit' also ends there."""

SWITCH_INTERVAL_S = 0.0005
"""How soon the window gets the interpreter back from the engine thread; Python's 5 ms add up within one paint."""

_AS_ORIGINAL = DetailSwitches()
_THREADS_LIMIT_S = 2.0

_ICONS = Path(__file__).resolve().parent.parent / "resources" / "icons"


def run(
    photo: Path | None = None,
    pack: str = "open",
    camera_file: Path | None = None,
    *,
    exact: bool = False,
    switches: DetailSwitches = _AS_ORIGINAL,
) -> int:
    """Show the window until it is closed; returns the exit code.

    Args:
        photo: opened at once.
        pack: name of the model pack.
        camera_file: a video that stands in for the webcam.
        exact: blend the maps with the published masks from the start.
        switches: how FaceScape's networks make the maps, beside what is chosen in the menu.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    request_core_profile()
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Detailed Face")
    app.setDesktopFileName("detailed-face")
    app.setWindowIcon(application_icon())
    apply_style(app)
    settings = QSettings("detailed-face", "detailed-face")
    window = MainWindow(EngineService(pack, exact=exact, switches=switches), settings, camera_file)
    window.session.set_exact(exact)
    window.problems.install_hooks()
    window.first_painted.connect(start_logging)
    if photo is not None:
        window.ready.connect(lambda: window.commands.open_source(photo))
    wish = os.environ.get(FIRST_PAINT_VARIABLE, "")
    if wish:
        window.first_painted.connect(lambda: _report_first_paint(window, wish))
    window.show()
    code = app.exec()
    if not window.stopped_in_time or not _threads_ended():
        # A step that cannot be interrupted still runs. Its thread must not outlive the interpreter, so end at once:
        # settings are written, exports are whole or absent.
        os._exit(code)
    return code


def application_icon() -> QIcon:
    """The icon in all sizes that it was drawn in, for title bar, task bar and switcher."""
    icon = QIcon()
    for path in sorted(_ICONS.glob("detailed-face*.png")):
        icon.addFile(str(path))
    return icon


def _threads_ended() -> bool:
    """Wait for Python's threads: one that is in an import or a camera while the interpreter ends crashes it."""
    end = time.monotonic() + _THREADS_LIMIT_S
    for thread in threading.enumerate():
        # 'Dummy': a thread of Qt that has run Python code; it counts as alive for ever.
        if thread is not threading.current_thread() and not thread.name.startswith("Dummy-"):
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                return False
    return True


def _report_first_paint(window: MainWindow, wish: str) -> None:
    sys.stderr.write(f"first paint after {_seconds_since_process_start():.3f} s\n")
    sys.stderr.flush()
    if wish == "quit":
        QTimer.singleShot(0, window.close)  # not within the paint


def _seconds_since_process_start() -> float:
    """Since the operating system started this process, on Linux; else its CPU time, the nearest there is."""
    stat = Path("/proc/self/stat")
    if not stat.is_file():
        return time.process_time()
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])  # field 22: start time in clock ticks since boot
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
