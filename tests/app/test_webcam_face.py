"""The face outline in front of the camera: looked for beside the capture, never in its way."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np

from app import webcam_face
from engine.errors import ModelFileError
from engine.images import load_photo
from engine.landmark_live import LiveFaceFinder
from engine.resources import resource_path
from tests.app.test_webcam import BOX, FakeStream, _controller, _started, _wait


def test_face_finder_is_asked_at_a_low_rate_and_its_failure_costs_only_the_outline(monkeypatch, caplog):
    monkeypatch.setattr(webcam_face, "FIND_INTERVAL_S", 0.05)
    asked = []

    def find(image):
        asked.append(image.shape)
        if len(asked) == 3:
            raise ModelFileError("missing")
        return BOX

    capture = _started(FakeStream(100000), find)
    _wait(lambda: (newest := capture.newest()) and newest.face is BOX)
    frame = _wait(lambda: (newest := capture.newest()) and newest.face is None and newest)
    assert len(asked) == 3
    assert frame.number > 8  # far more frames than questions
    assert "outline is off" in caplog.text
    capture.check()
    assert capture.stop()


def test_a_slow_face_finder_does_not_slow_the_camera_down():
    release = threading.Event()

    def find(_image):
        release.wait(10)

    capture = _started(FakeStream(100000), find)
    numbers = [_wait(capture.newest).number]
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        if (frame := capture.newest()) is not None:
            numbers.append(frame.number)
        time.sleep(0.005)
    assert numbers[-1] - numbers[0] > 15  # of 80 that the stream could send
    release.set()
    assert capture.stop()


def test_the_real_face_finder_follows_a_face_in_a_video(qtbot, tmp_path):
    portrait = load_photo(resource_path("samples/portrait_biden.jpg")).image
    face = np.array([581.0, 396.0])  # the middle of its box
    path = tmp_path / "person.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (640, 480))
    for left in (150, 200, 250, 300, 250, 200):
        writer.write(np.ascontiguousarray(portrait[150:630, left : left + 640, ::-1]))
    writer.release()
    controller = _controller(tmp_path, video=path, find_face=LiveFaceFinder().find)
    controller.open()
    seen = []

    def follows() -> bool:
        shown = controller.dialog._preview._face
        if shown is not None and (not seen or shown is not seen[-1]):
            seen.append(shown)
        return len(seen) >= 8

    qtbot.waitUntil(follows, timeout=15000)
    capture = controller._capture
    controller.close()
    assert capture.stop(2.0)
    middles = np.array([[(f.box.x0 + f.box.x1) / 2, (f.box.y0 + f.box.y1) / 2] for f in seen]) + (0, 150)
    assert np.abs(middles[:, 1] - face[1]).max() < 25
    lefts = face[0] - middles[:, 0]  # the crop that each was found in
    assert (np.abs(lefts[:, None] - (150, 200, 250, 300)).min(1) < 25).all()
    assert np.ptp(lefts) > 40  # it moved
