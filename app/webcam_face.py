"""Looks for the face beside the camera: a thread of its own, the newest picture, a few times a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from engine.arrays import ByteArray
from engine.types import FaceBox, Landmarks

FIND_INTERVAL_S = 0.1
"""The outline may lag a little; the preview may not."""

FaceFinder = Callable[[ByteArray], "FaceBox | Landmarks | None"]
"""Looks for a face in (H, W, 3) uint8 RGB; called in a thread of its own."""

_log = logging.getLogger("detailed_face")


class FaceWatch:
    """``offer`` pictures and read ``face``: neither waits for the search."""

    def __init__(self, find_face: FaceFinder) -> None:
        self._find_face = find_face
        self._wake = threading.Condition()
        self._picture: ByteArray | None = None
        self._face: FaceBox | Landmarks | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="face outline", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, wait_s: float) -> bool:
        """End the thread; True when it is done."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(wait_s)
        return not self._thread.is_alive()

    def offer(self, picture: ByteArray) -> None:
        """Look at this one next, and forget the one before, (H, W, 3) uint8 RGB."""
        with self._wake:
            self._picture = picture
            self._wake.notify()

    @property
    def face(self) -> FaceBox | Landmarks | None:
        """What was seen last."""
        with self._wake:
            return self._face

    def _run(self) -> None:
        while (picture := self._next()) is not None:
            began = time.monotonic()
            try:
                face = self._find_face(picture)
            except Exception:  # noqa: BLE001 - without the outline the camera still takes photos
                _log.warning("the face outline is off", exc_info=True)
                self._see(None)
                return
            self._see(face)
            with self._wake:
                self._wake.wait_for(lambda: self._stopped, began + FIND_INTERVAL_S - time.monotonic())

    def _next(self) -> ByteArray | None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopped or self._picture is not None)
            picture, self._picture = self._picture, None
            return None if self._stopped else picture

    def _see(self, face: FaceBox | Landmarks | None) -> None:
        with self._wake:
            self._face = face
