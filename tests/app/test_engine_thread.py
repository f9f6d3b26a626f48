from __future__ import annotations

import threading
import time

import pytest
from PySide6.QtCore import QObject, QThread, Slot

from app.engine_thread import EngineThread, Job, Lane
from engine.errors import PhotoError
from engine.types import Progress


class Listener(QObject):
    """Writes down what a job reports, and on which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, object]] = []
        self.threads: set[QThread] = set()

    def listen(self, job: Job) -> Job:
        job.progressed.connect(self.progressed)
        job.delivered.connect(self.delivered)
        job.finished.connect(self.finished)
        job.failed.connect(self.failed)
        job.cancelled.connect(self.cancelled)
        return job

    def _note(self, kind: str, value: object = None) -> None:
        self.heard.append((kind, value))
        self.threads.add(QThread.currentThread())

    @Slot(object)
    def progressed(self, progress: Progress) -> None:
        self._note("progressed", progress.fraction)

    @Slot(object)
    def delivered(self, part: object) -> None:
        self._note("delivered", part)

    @Slot(object)
    def finished(self, result: object) -> None:
        self._note("finished", result)

    @Slot(object)
    def failed(self, error: Exception) -> None:
        self._note("failed", error)

    @Slot()
    def cancelled(self) -> None:
        self._note("cancelled")

    @property
    def ending(self) -> str:
        endings = [kind for kind, _ in self.heard if kind not in ("progressed", "delivered")]
        assert len(endings) <= 1
        return endings[0] if endings else ""


@pytest.fixture
def thread(qapp):
    thread = EngineThread()
    yield thread
    assert thread.stop()


@pytest.fixture
def listener(qapp):
    return Listener()


def three_steps():
    yield Progress("one", 0.0)
    yield "a part"
    yield Progress("two", 0.5)
    return "face"


def until(event: threading.Event, ran: list[str], name: str):
    while not event.wait(0.002):
        ran.append(name)
        yield Progress(name, 0.5)
    return name


def test_reports_parts_and_result_reach_the_main_thread_in_order(thread, listener, qtbot, qapp):
    thread.submit(listener.listen(Job(three_steps())))
    qtbot.waitUntil(lambda: listener.ending == "finished")
    expected = [("progressed", 0.0), ("delivered", "a part"), ("progressed", 0.5), ("finished", "face")]
    assert listener.heard == expected
    assert listener.threads == {qapp.thread()}
    assert thread.is_idle()


def test_a_failure_is_reported_and_the_thread_goes_on(thread, qtbot):
    def broken():
        yield Progress("one", 0.0)
        raise PhotoError("No face.", "Another photo.")

    first, second = Listener(), Listener()
    thread.submit(first.listen(Job(broken())))
    qtbot.waitUntil(lambda: first.ending == "failed")
    assert str(first.heard[-1][1]) == "No face."
    thread.submit(second.listen(Job(three_steps())))
    qtbot.waitUntil(lambda: second.ending == "finished")


def test_cancel_closes_the_generator(thread, listener, qtbot):
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield Progress("on and on", 0.5)
                time.sleep(0.002)
        finally:
            closed.set()

    job = listener.listen(Job(endless()))
    thread.submit(job)
    qtbot.waitUntil(lambda: len(listener.heard) > 2)
    job.cancel()
    qtbot.waitUntil(lambda: listener.ending == "cancelled")
    assert closed.is_set()


def test_the_newest_request_of_a_lane_wins(thread, qtbot):
    listeners = [Listener() for _ in range(4)]
    release, ran = threading.Event(), []
    for number, listener in enumerate(listeners):
        thread.submit(listener.listen(Job(until(release, ran, f"job {number}"))))
    qtbot.waitUntil(lambda: all(listener.ending == "cancelled" for listener in listeners[:3]))
    assert listeners[3].ending == ""
    release.set()
    qtbot.waitUntil(lambda: listeners[3].ending == "finished")


def test_a_photo_interrupts_the_key_maps_which_go_on_after_it(thread, qtbot):
    maps, photo = Listener(), Listener()
    maps_done, photo_done, ran = threading.Event(), threading.Event(), []
    thread.submit(maps.listen(Job(until(maps_done, ran, "maps"), Lane.KEY_MAPS)))
    qtbot.waitUntil(lambda: "maps" in ran)
    thread.submit(photo.listen(Job(until(photo_done, ran, "photo"))))
    qtbot.waitUntil(lambda: "photo" in ran)
    before = ran.count("maps")
    qtbot.waitUntil(lambda: ran.count("photo") > 5)
    assert ran.count("maps") == before
    photo_done.set()
    qtbot.waitUntil(lambda: photo.ending == "finished" and ran.count("maps") > before)
    maps_done.set()
    qtbot.waitUntil(lambda: maps.ending == "finished")


def test_stop_cancels_waiting_and_running_jobs(qapp, qtbot):
    thread, first, second = EngineThread(), Listener(), Listener()
    never, ran = threading.Event(), []
    thread.submit(first.listen(Job(until(never, ran, "photo"))))
    thread.submit(second.listen(Job(until(never, ran, "maps"), Lane.KEY_MAPS)))
    qtbot.waitUntil(lambda: bool(ran))
    assert thread.stop()
    qtbot.waitUntil(lambda: first.ending == second.ending == "cancelled")
    late = Listener()
    thread.submit(late.listen(Job(three_steps())))
    assert not thread.isRunning()


def test_stop_says_when_a_step_does_not_end_in_time(qapp, qtbot):
    thread, going, release = EngineThread(), threading.Event(), threading.Event()

    def one_long_step():
        going.set()
        release.wait(5)
        yield Progress("done", 1.0)

    thread.submit(Job(one_long_step()))
    assert going.wait(2)
    began = time.monotonic()
    assert not thread.stop(limit_ms=100)
    assert time.monotonic() - began < 1.0
    release.set()
    assert thread.stop()


def test_stop_of_an_unused_thread(qapp):
    assert EngineThread().stop()
