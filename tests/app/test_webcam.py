"""Capture thread, hints and the whole way from a video to a photo."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QSettings, QTimer

from app import webcam, webcam_hints
from app.webcam import Camera, Capture, Frame, open_stream, sharpest, video_camera
from app.webcam_controller import WebcamController
from engine.errors import CameraError
from engine.types import FaceBox, Landmarks

FPS, FRAMES = 40, 8
BOX = FaceBox(110.0, 60.0, 210.0, 180.0, 1.0)


def _picture(number: int) -> np.ndarray:
    """240 x 320 px: grey, redder on the left, its brightness says which frame it is."""
    image = np.full((240, 320, 3), 60 + 15 * number, np.uint8)
    image[:, :160, 0] += 60
    return image


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "camera.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    for number in range(FRAMES):
        writer.write(np.ascontiguousarray(_picture(number)[..., ::-1]))
    writer.release()
    return path


class FakeStream:
    """A camera that sends so many pictures and then fails or hangs."""

    period_s = 0.0

    def __init__(self, pictures: int, hang: threading.Event | None = None) -> None:
        self.left, self.hang, self.released = pictures, hang, False

    def read(self) -> np.ndarray | None:
        time.sleep(0.005)
        if self.left > 0:
            self.left -= 1
            return _picture(self.left % FRAMES)
        if self.hang is not None:
            self.hang.wait(20)
        return None

    def release(self) -> None:
        self.released = True


def _started(stream: FakeStream, find_face=None) -> Capture:
    capture = Capture(Camera("fake", 0), find_face, lambda _source: stream)
    capture.start()
    return capture


def _wait(condition, seconds: float = 5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.005)
    raise AssertionError("waited in vain")


def _failure(capture: Capture) -> CameraError | None:
    try:
        capture.check()
    except CameraError as error:
        return error
    return None


def test_video_plays_in_colour_at_its_own_speed_and_starts_again(video):
    capture = Capture(video_camera(video))
    capture.start()
    first = _wait(capture.newest)
    assert np.abs(first.image.astype(int) - _picture(first.number - 1)).mean() < 4  # RGB, upright, not mirrored
    begin, start = first.number, time.monotonic()
    later = _wait(lambda: (frame := capture.newest()) and frame.number > begin + FRAMES and frame)
    assert later.number - begin <= FPS * (time.monotonic() - start) + 2
    capture.check()
    assert capture.stop()


def test_mailbox_holds_only_the_newest_and_the_last_few_are_kept():
    stream = FakeStream(1000)
    capture = _started(stream)
    _wait(lambda: len(capture.recent()) == webcam.RECENT_FRAMES)
    frame = _wait(capture.newest)
    time.sleep(0.1)
    newer = capture.newest()
    assert newer.number > frame.number + 1  # those between are gone
    numbers = [kept.number for kept in capture.recent()]
    assert numbers == list(range(numbers[0], numbers[0] + webcam.RECENT_FRAMES))
    assert capture.stop()
    assert stream.released


def test_missing_video_and_no_video_are_sentences(tmp_path, capfd):
    with pytest.raises(CameraError, match=r"gone\.avi was not found"):
        open_stream(tmp_path / "gone.avi")
    for name, data in (("empty.avi", b""), ("text.mp4", b"not a video" * 50)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CameraError, match=f"{name} could not be read as a video") as caught:
            open_stream(tmp_path / name)
        assert caught.value.hint
    assert "Traceback" not in capfd.readouterr().err


def test_truncated_video_is_a_sentence(video, tmp_path):
    cut = tmp_path / "cut.avi"
    cut.write_bytes(video.read_bytes()[:400])
    with pytest.raises(CameraError, match="could not be read"):
        open_stream(cut)


@pytest.mark.skipif(sys.platform != "linux", reason="device files")
def test_missing_camera_is_a_sentence():
    with pytest.raises(CameraError, match="not connected"):
        open_stream(63)


def test_unplugged_camera_is_reported_after_a_second(monkeypatch):
    monkeypatch.setattr(webcam, "FAILING_READS_S", 0.2)
    stream = FakeStream(5)
    capture = _started(stream)
    error = _wait(lambda: _failure(capture))
    assert "stopped sending pictures" in str(error)
    assert error.hint
    _wait(lambda: stream.released)
    assert capture.stop()


def test_camera_that_blocks_instead_of_failing_is_reported_too(monkeypatch):
    monkeypatch.setattr(webcam, "SILENCE_S", 0.2)
    hang = threading.Event()
    capture = _started(FakeStream(3, hang))
    assert "stopped sending pictures" in str(_wait(lambda: _failure(capture)))
    assert not capture.stop(wait_s=0.05)  # does not wait for the driver
    hang.set()
    assert capture.stop()


def test_camera_that_never_opens_is_reported(monkeypatch):
    monkeypatch.setattr(webcam, "OPEN_TIMEOUT_S", 0.2)
    hang = threading.Event()

    def opener(_source):
        hang.wait(20)
        return FakeStream(0)

    capture = Capture(Camera("fake", 0), None, opener)
    capture.start()
    assert "does not answer" in str(_wait(lambda: _failure(capture)))
    hang.set()
    assert capture.stop()


def test_driver_that_raises_is_a_sentence_with_its_cause():
    def opener(_source):
        raise RuntimeError("driver bug 42")

    capture = Capture(Camera("fake", 0), None, opener)
    capture.start()
    error = _wait(lambda: _failure(capture))
    assert str(error) == "The camera failed."
    assert "42" in str(error.__cause__)


def test_sharpest_of_the_recent_frames_is_taken():
    texture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    blurred = [cv2.GaussianBlur(texture, (0, 0), sigma) for sigma in (2.0, 0.6, 4.0)]
    frames = [Frame(image, number, None) for number, image in enumerate(blurred, start=1)]
    assert sharpest(frames).number == 2
    assert sharpest([Frame(texture, 1, None), Frame(texture.copy(), 2, None)]).number == 2
    with pytest.raises(ValueError, match="frames"):
        sharpest([])


def test_linux_cameras_have_names_and_no_metadata_nodes(tmp_path):
    devices, details = tmp_path / "dev", tmp_path / "sys"
    devices.mkdir()
    for number, index, name in ((0, "0", "Integrated Camera"), (1, "1", "Integrated Camera"), (10, "0", "USB")):
        (devices / f"video{number}").touch()
        (details / f"video{number}").mkdir(parents=True)
        (details / f"video{number}" / "index").write_text(index + "\n")
        (details / f"video{number}" / "name").write_text(name + "\n")
    (devices / "video2").touch()
    found = webcam._linux_cameras(devices, details)
    assert found == (Camera("Integrated Camera", 0), Camera("Camera 2", 2), Camera("USB", 10))


def _hint(box: FaceBox | None, grey: int = 120, landmarks: Landmarks | None = None) -> str:
    image = np.full((240, 320, 3), grey, np.uint8)
    return webcam_hints.hint_for(Frame(image, 1, landmarks or box))[0]


def test_hints_name_the_problem():
    assert _hint(BOX) == webcam_hints.READY
    assert "outline" in _hint(None)
    assert "light" in _hint(None, grey=10)
    assert "light" in _hint(BOX, grey=30)
    assert "bright" in _hint(BOX, grey=250)
    assert "closer" in _hint(FaceBox(140, 100, 180, 150, 1.0))
    assert "back" in _hint(FaceBox(40, 10, 280, 230, 1.0))
    assert "middle" in _hint(FaceBox(0, 60, 100, 180, 1.0))
    assert "middle" in _hint(FaceBox(-120, 40, -10, 160, 1.0))  # outside: nothing to measure the light of


@pytest.mark.parametrize(("nose", "straight"), [(160.0, True), (150.0, True), (135.0, False), (185.0, False)])
def test_turned_head_is_seen_by_the_nose(nose, straight):
    dense = np.full((468, 2), 120.0, np.float32)
    for number, x in ((234, 110.0), (1, nose), (454, 210.0)):
        dense[number, 0] = x
    text = _hint(None, landmarks=Landmarks(dense, None, BOX))
    assert (text == webcam_hints.READY) is straight
    assert straight or "straight" in text


def _settings(tmp_path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


def _controller(tmp_path, **kwargs) -> WebcamController:
    return WebcamController(None, settings=_settings(tmp_path), **{"find_cameras": tuple, **kwargs})


def test_from_the_video_to_an_unmirrored_photo(qtbot, tmp_path, video):
    controller = _controller(tmp_path, video=video, find_face=lambda image: BOX)
    controller.open()
    dialog = controller.dialog
    dialog._countdown.setInterval(10)
    qtbot.waitUntil(dialog._take.isEnabled, timeout=5000)
    assert dialog._cameras.currentText() == "camera.avi (video)"
    qtbot.waitUntil(lambda: dialog._message.text() == webcam_hints.READY, timeout=2000)
    dialog._take.click()
    qtbot.waitUntil(lambda: not dialog.is_live, timeout=2000)
    capture = controller._capture
    with qtbot.waitSignal(controller.photo_taken) as taken:
        dialog._use.click()
    photo = taken.args[0]
    assert min(np.abs(photo.image.astype(int) - _picture(number)).mean() for number in range(FRAMES)) < 4
    assert photo.name.startswith("webcam_")
    assert photo.path is None
    assert controller.dialog is None
    assert capture.stop(0)  # the camera was given back


def test_no_camera_is_said_and_looked_for_again(qtbot, tmp_path):
    found = []
    controller = _controller(tmp_path, find_cameras=lambda: tuple(found), opener=lambda _source: FakeStream(10**6))
    controller.open()
    qtbot.waitUntil(lambda: controller.dialog._message.text() == "No camera was found.", timeout=2000)
    found.append(Camera("Plugged in", 0))
    controller.dialog._refresh.click()
    qtbot.waitUntil(controller.dialog._take.isEnabled, timeout=2000)
    assert controller.dialog._cameras.currentText() == "Plugged in"
    controller.close()
    assert controller.dialog is None


def test_camera_that_fails_while_running_is_said_in_the_dialog(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(webcam, "FAILING_READS_S", 0.1)
    cameras = (Camera("Loose", 0), Camera("Firm", 1))
    streams = {0: FakeStream(10), 1: FakeStream(10**6)}
    controller = _controller(tmp_path, find_cameras=lambda: cameras, opener=streams.get)
    controller.open()
    dialog = controller.dialog
    qtbot.waitUntil(lambda: "stopped sending" in dialog._message.text(), timeout=3000)
    dialog._cameras.setCurrentIndex(1)
    dialog._cameras.activated.emit(1)
    qtbot.waitUntil(dialog._take.isEnabled, timeout=2000)
    assert _settings(tmp_path).value("webcam/camera") == "Firm"
    controller.close()


def test_photo_outlives_the_camera(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(webcam, "FAILING_READS_S", 0.1)
    stream = FakeStream(10**6)
    controller = _controller(tmp_path, find_cameras=lambda: (Camera("Loose", 0),), opener=lambda _source: stream)
    controller.open()
    dialog = controller.dialog
    qtbot.waitUntil(dialog._take.isEnabled, timeout=2000)
    dialog.shot_wanted.emit()
    assert not dialog.is_live
    stream.left = 0
    qtbot.waitUntil(lambda: controller._capture is None, timeout=2000)
    assert not dialog.is_live
    with qtbot.waitSignal(controller.photo_taken):
        dialog._use.click()


@pytest.mark.alone
def test_window_stays_awake_while_a_camera_hangs(qtbot, tmp_path):
    hang = threading.Event()

    def opener(_source):
        hang.wait(20)
        return FakeStream(0)

    gaps, last = [], [time.monotonic()]

    def tick():
        now = time.monotonic()
        gaps.append(now - last[0])
        last[0] = now

    controller = _controller(tmp_path, find_cameras=lambda: (Camera("Hangs", 0),), opener=opener)
    controller.open()
    timer = QTimer(interval=5, timeout=tick)
    last[0] = time.monotonic()
    timer.start()
    qtbot.wait(400)
    timer.stop()
    assert max(gaps) < 0.25  # a frozen window would show seconds; a busy machine may cost a little
    assert "Starting" in controller.dialog._message.text()
    started = time.monotonic()
    controller.close()
    assert time.monotonic() - started < 1.0
    hang.set()


def test_importing_the_controller_imports_no_opencv():
    code = "import sys, app.webcam_controller\nsys.exit(int('cv2' in sys.modules or 'torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
