"""Talks to the helper process that owns dlib: starts it early, restarts it when it dies, never leaves it behind."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import weakref
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine import dlib_process
from engine.arrays import ByteArray, IntArray

_ROOT = Path(__file__).resolve().parent.parent
_START_TIMEOUT_S = 60.0  # reads 100 MB, perhaps from a slow disk
_ATTEMPTS = 2  # the request is repeated once in a fresh process
_MAX_FAILURES = 3  # then dlib is given up for this session

Message = tuple[int, ByteArray | None, IntArray]
Reply = tuple[int, ByteArray, IntArray]


class DlibGone(Exception):
    """dlib cannot answer; the text says why, for a warning."""


class _ChildEnded(Exception):
    """The helper process died, was closed or wrote nonsense."""


@dataclass(frozen=True, slots=True, eq=False)
class DlibBox:
    """A face found by dlib's frontal detector, px of the picture that was sent (right and bottom inclusive)."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


class _Child:
    """One running helper process and the thread that exchanges messages with it, strictly one after the other."""

    def __init__(self, module: str) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONSAFEPATH", None)  # it would hide the working folder from '-m'
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env=environment,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._requests: queue.SimpleQueue[tuple[Message, Future[Reply]] | None] = queue.SimpleQueue()
        self._over = threading.Event()
        self.ready: Future[Reply] = Future()
        self._thread = threading.Thread(target=self._exchange, name="dlib helper", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return not self._over.is_set() and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def submit(self, message: Message) -> Future[Reply]:
        reply: Future[Reply] = Future()
        self._requests.put((message, reply))
        if self._over.is_set():
            self._refuse_waiting()
        return reply

    def stop(self) -> None:
        """End the process and wait for it, so that neither it nor a zombie stays. It has nothing to lose: kill."""
        self._process.kill()
        self._requests.put(None)
        self._process.wait()
        self._thread.join()

    def _exchange(self) -> None:
        requests, replies = self._process.stdin, self._process.stdout
        if requests is None or replies is None:
            return
        current = self.ready
        try:
            current.set_result(dlib_process.receive(replies))
            while (item := self._requests.get()) is not None:
                message, current = item
                dlib_process.send(requests, *message)
                current.set_result(dlib_process.receive(replies))
        except (OSError, EOFError, ValueError) as error:
            current.set_exception(_ChildEnded(str(error)))
        self._over.set()
        self._refuse_waiting()
        for pipe in (requests, replies):
            try:
                pipe.close()
            except OSError:
                pass  # unsent bytes for a process that is gone

    def _refuse_waiting(self) -> None:
        while True:
            try:
                item = self._requests.get_nowait()
            except queue.Empty:
                return
            if item is not None:
                item[1].set_exception(_ChildEnded("closed"))


class DlibHelper:
    """dlib as seen by the engine. All methods may be called from any thread."""

    def __init__(self, timeout_s: float = 20.0, module: str = "engine.dlib_process") -> None:
        """``timeout_s``: how long one request may take before the process counts as hung."""
        self._timeout_s = timeout_s
        self._module = module
        self._lock = threading.RLock()
        self._child: _Child | None = None
        self._closed = False
        self._failures = 0
        self._finalizer: weakref.finalize[..., DlibHelper] | None = None

    def start(self) -> None:
        """Start loading in the helper process and return at once; also after ``close``."""
        with self._lock:
            self._closed = False
            if self._child is None and self._failures < _MAX_FAILURES:
                try:
                    self._child = _Child(self._module)
                except OSError:  # no more processes, no memory: the next request says so
                    self._failures += 1
                    return
                self._finalizer = weakref.finalize(self, self._child.stop)

    def close(self) -> None:
        """End the helper process for good, also for requests that wait in other threads, until ``start``."""
        with self._lock:
            self._closed = True
        self._drop()

    @property
    def pid(self) -> int | None:
        """Process id of the helper, None while there is none."""
        with self._lock:
            return self._child.pid if self._child is not None else None

    def detect(self, picture: ByteArray, upsample: int) -> list[DlibBox]:
        """Faces in a picture (H, W, 3) uint8 RGB, doubled ``upsample`` times before the search.

        Raises:
            DlibGone: dlib is missing or its process cannot be kept alive.
        """
        values = self._ask((dlib_process.DETECT, picture, np.array([upsample], np.int32)), needs=0).reshape(-1, 5)
        return [
            DlibBox(left, top, right, bottom, score * dlib_process.SCORE_UNIT)
            for left, top, right, bottom, score in values.tolist()
        ]

    def predict(self, grey: ByteArray, boxes: IntArray) -> IntArray:
        """68 points (n, 68, 2) int32 px of a picture (H, W) uint8, one set for each of the boxes (n, 4) int32.

        Raises:
            DlibGone: dlib or its model is missing, or its process cannot be kept alive.
        """
        return self._ask((dlib_process.PREDICT, grey[:, :, None], boxes), needs=1).reshape(len(boxes), 68, 2)

    def _ask(self, message: Message, needs: int) -> IntArray:
        """Values of the reply. ``needs``: which flag of the READY message must be set."""
        reason = "its helper process is closed" if self._closed else "its helper process cannot be started"
        for _ in range(_ATTEMPTS):
            child = self._running()
            if child is None:
                break
            try:
                _, problem, flags = child.ready.result(_START_TIMEOUT_S)
                if not flags[needs]:
                    raise DlibGone(bytes(problem).decode(errors="replace"))
                kind, text, values = child.submit(message).result(self._timeout_s)
            except TimeoutError:
                reason = "its helper process does not answer"
            except _ChildEnded as error:
                reason = f"its helper process ended: {error}"
            else:
                self._failures = 0
                if kind == dlib_process.PROBLEM:
                    raise DlibGone(bytes(text).decode(errors="replace"))
                return values
            self._failures += 1
            self._drop(only=child)
        raise DlibGone(reason)

    def _running(self) -> _Child | None:
        with self._lock:
            if self._child is not None and not self._child.alive:
                self._drop()
            if not self._closed:
                self.start()
            return self._child

    def _drop(self, only: _Child | None = None) -> None:
        with self._lock:
            child = self._child
            if child is None or (only is not None and child is not only):
                return
            self._child = None
            if self._finalizer is not None:
                self._finalizer.detach()
        child.stop()
