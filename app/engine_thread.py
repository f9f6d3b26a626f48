"""The background thread: engine generators run there step by step, the most important one first."""

from __future__ import annotations

import threading
from collections.abc import Generator
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal, Slot

from engine.types import Progress

STOP_LIMIT_MS = 2000
"""How long closing the window waits for the running step."""

_STACK_BYTES = 16 * 2**20  # macOS gives such threads 512 KiB, too little for the linear algebra


class Lane(IntEnum):
    """Kinds of work, the most important first. A new job cancels the older ones of its own lane."""

    PHOTO = 0
    EXPORT = 1
    DETAIL = 2
    BLEND = 3
    WARM_UP = 4
    KEY_MAPS = 5


class Job(QObject):
    """Drives one engine generator on the engine thread. Each ``yield`` is a report and a cancel point.

    A yielded ``Progress`` goes to ``progressed``, any other yielded value (a part of the result) to ``delivered``.
    Exactly one of ``finished``, ``failed`` and ``cancelled`` ends it. Connect slots of QObjects of the main thread
    only: Qt then calls them there.
    """

    progressed = Signal(object)  # Progress
    delivered = Signal(object)  # what the generator yields besides Progress
    finished = Signal(object)  # the generator's return value
    failed = Signal(object)  # Exception
    cancelled = Signal()

    def __init__(self, steps: Generator[Any, None, Any], lane: Lane = Lane.PHOTO) -> None:
        super().__init__()
        self.lane = lane
        self._steps = steps
        self._stop = threading.Event()

    def cancel(self) -> None:
        """Stop at the next ``yield``. Cancelling is not an error."""
        self._stop.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def advance(self) -> bool:
        """Run one step; False once the job has ended. Engine thread: emits signals only, touches no widget."""
        try:
            if self._stop.is_set():
                self._steps.close()
                self.cancelled.emit()
                return False
            report = next(self._steps)
        except StopIteration as end:
            self.finished.emit(end.value)
            return False
        except Exception as error:  # noqa: BLE001 - the one broad except: nothing dies silently here
            self.failed.emit(error)
            return False
        (self.progressed if isinstance(report, Progress) else self.delivered).emit(report)
        return True


class EngineThread(QThread):
    """Runs jobs, one step at a time: a photo interrupts the key maps of the last one, which go on after it."""

    _retired = Signal(object)  # Job, once this thread has let go of it

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._retired.connect(self._delete)
        self.setObjectName("engine")
        self.setStackSize(_STACK_BYTES)
        self._wake = threading.Condition()
        self._jobs: list[Job] = []
        self._closing = False

    def submit(self, job: Job) -> None:
        """Queue ``job`` and own it until its end; older jobs of the same lane are cancelled.

        Starts the thread when first used. Connect to the job before, so that its end reaches you before it is deleted.
        """
        job.setParent(self)
        with self._wake:
            if self._closing:
                job.cancel()
                return
            for older in self._jobs:
                if older.lane == job.lane:
                    older.cancel()
            self._jobs.append(job)
            self._wake.notify()
        if not self.isRunning():
            self.start()

    def cancel_all(self) -> None:
        """Ask every job to stop; jobs that are submitted after this run once these have let go of what they hold."""
        with self._wake:
            for job in self._jobs:
                job.cancel()

    def is_idle(self) -> bool:
        """Whether no job is running or waiting."""
        with self._wake:
            return not self._jobs

    def run(self) -> None:
        """Step the most important job until told to stop (called by Qt on the new thread)."""
        while (job := self._next_job()) is not None:
            if not job.advance():
                with self._wake:
                    self._jobs.remove(job)
                self._retired.emit(job)

    def stop(self, limit_ms: int = STOP_LIMIT_MS) -> bool:
        """Cancel everything and end the thread; False when a step is still running after ``limit_ms``."""
        with self._wake:
            self._closing = True
            for job in self._jobs:
                job.cancel()
            self._wake.notify()
        return not self.isRunning() or self.wait(limit_ms)

    @Slot(object)
    def _delete(self, job: Job) -> None:
        # Not by the job's own last signal: the main thread would delete the sender while this thread is still in it.
        job.deleteLater()

    def _next_job(self) -> Job | None:
        with self._wake:
            self._wake.wait_for(lambda: self._jobs or self._closing)
            if not self._jobs:
                return None
            cancelled = [job for job in self._jobs if job.is_cancelled]  # close these at once: they hold memory
            return min(cancelled or self._jobs, key=lambda job: job.lane)
