"""The window answers while the engine works: no gap of its event loop above 100 ms."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer

from app.window import SWITCH_INTERVAL_S
from engine.expressions import SHAPE_INDEX
from engine.types import Progress
from tests.app.invented_engine import InventedEngine
from tests.app.window_fixture import shown_window

pytestmark = [pytest.mark.gl, pytest.mark.alone]

LIMIT_MS = 100.0
BEAT_MS = 10
TRIES = 4  # other programs may take the processor away; a window that blocks fails every time


class BusyEngine(InventedEngine):
    """Works as hard as it can, with and without the interpreter lock, and reports all half second only."""

    def __init__(self, work_s: float) -> None:
        super().__init__()
        self._work_s = work_s

    def face(self, photo, box=None, landmarks=None):
        for stage in ("Pure Python", "Linear algebra"):
            yield Progress(stage, 0.1)
            self._strain(stage)
        return (yield from super().face(photo, box, landmarks))

    def _strain(self, stage: str) -> None:
        matrix = np.eye(300, dtype=np.float32)
        end = time.monotonic() + self._work_s
        while time.monotonic() < end:
            if stage == "Pure Python":
                sum(number * number for number in range(20_000))  # holds the lock all the time
            else:
                np.linalg.svd(matrix + np.tri(300, dtype=np.float32))


class Heartbeat:
    """Notes the longest time between two turns of the event loop, less what other programs took away."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._last, self._waited = time.perf_counter(), waited_ms()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now, waited = time.perf_counter(), waited_ms()
        taken = sorted(waited[thread] - self._waited.get(thread, 0.0) for thread in waited)
        # The window may wait for the interpreter, its holder for a processor: a chain of at most three threads.
        gap = 1000.0 * (now - self._last) - sum(taken[-3:]) - BEAT_MS
        self.longest_ms = max(self.longest_ms, gap)
        self._last, self._waited = now, waited

    def stop(self) -> float:
        self._timer.stop()
        return self.longest_ms


def waited_ms() -> dict[str, float]:
    """How long each thread of this process was ready but had no processor, by thread id; empty where unknown."""
    waited = {}
    for thread in Path("/proc/self/task").glob("*/schedstat"):
        try:
            waited[thread.parent.name] = int(thread.read_text().split()[1]) / 1e6
        except OSError:  # ended meanwhile
            continue
    return waited


@pytest.fixture
def switching():
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def window(qapp, qtbot, tmp_path, switching):
    if qapp.platformName() == "offscreen":
        pytest.skip("the window needs a display; python3 -m tests starts a virtual one")
    with shown_window(tmp_path, BusyEngine(work_s=0.5)) as window:
        qtbot.waitUntil(lambda: window.map_scale_mm is not None)
        window.commands.open_source(Path("first.jpg"))  # panels and programs are built with the first face
        qtbot.waitUntil(lambda: window.session.face is not None, timeout=15000)
        qtbot.waitUntil(lambda: window.engine_thread.is_idle() and window.session.progress is None, timeout=15000)
        qtbot.wait(300)
        yield window


def test_the_event_loop_never_waits_for_the_engine(window, qtbot):
    gaps = []
    for number in range(TRIES):
        shown = window.session.face
        heart = Heartbeat()
        window.commands.open_source(Path(f"photo {number}.jpg"))
        qtbot.waitUntil(lambda shown=shown: window.session.face is not shown, timeout=15000)
        qtbot.waitUntil(lambda: window.engine_thread.is_idle(), timeout=15000)
        gaps.append(heart.stop())
        if gaps[-1] <= LIMIT_MS:
            break
    assert min(gaps) <= LIMIT_MS, f"longest gaps: {[round(gap) for gap in gaps]} ms"


def test_sliders_move_the_face_while_the_engine_works(window, qtbot):
    jaw, start = SHAPE_INDEX["jawOpen"], window.session.pose
    window.commands.open_source(Path("second.jpg"))
    qtbot.waitUntil(lambda: window.session.progress is not None)
    window.expression_panel.slider(jaw).setValue(80)
    began = time.monotonic()
    qtbot.waitUntil(lambda: window.session.pose is not start)
    assert window.session.pose.weights[jaw] == np.float32(0.8)
    assert time.monotonic() - began < 0.4
    assert window.session.progress is not None  # it still works
