"""Pictures from a webcam, or from a video file standing in for one: a capture thread with a mailbox.

No Qt in here: the window polls ``Capture.newest`` and ``Capture.check`` from a timer, so that a driver that hangs can
never freeze it, and no signal can arrive after its receiver is gone.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from app.webcam_face import FaceFinder, FaceWatch
from engine.arrays import ByteArray, FloatArray, check
from engine.errors import CameraError
from engine.images import bgr_to_rgb
from engine.types import FaceBox, Landmarks

OPEN_TIMEOUT_S = 8.0  # slow USB cameras need up to five seconds on Windows
FAILING_READS_S = 1.0  # a single failed read is a hiccup, a second of them is an unplugged camera
SILENCE_S = 4.0  # some drivers block in a read instead of failing
RECENT_FRAMES = 5  # among which the sharpest is taken: at 30 frames/s a sixth of a second
PROBED_CAMERAS = 5
WANTED_SIZE = (1920, 1080)  # detail needs pixels; cameras give the nearest size they have


@dataclass(frozen=True, slots=True)
class Camera:
    """Something that pictures can come from, and its name in the window."""

    label: str
    source: int | Path
    """Device number, or a video file that stands in for a camera."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture, upright and not mirrored, with the face last seen near it."""

    image: ByteArray
    """(H, W, 3) uint8 RGB, row 0 top."""
    number: int
    """1 for the first."""
    face: FaceBox | Landmarks | None


class Stream(Protocol):
    """An opened camera or video."""

    period_s: float
    """Time between frames where we have to keep it (files), 0 where the device does."""

    def read(self) -> ByteArray | None:
        """The next frame, (H, W, 3) uint8 RGB, or None where there is none (yet)."""
        ...

    def release(self) -> None:
        """Give the device back."""
        ...


def video_camera(path: Path) -> Camera:
    """A video file as a camera."""
    return Camera(f"{path.name} (video)", path)


def list_cameras() -> tuple[Camera, ...]:
    """Cameras of this machine. At once on Linux; elsewhere it opens each briefly, so call it off the main thread."""
    return _linux_cameras() if sys.platform.startswith("linux") else _probed_cameras()


def _linux_cameras(devices: Path = Path("/dev"), details: Path = Path("/sys/class/video4linux")) -> tuple[Camera, ...]:
    cameras = []
    for node in sorted(devices.glob("video*"), key=lambda path: (len(path.name), path.name)):
        number = node.name.removeprefix("video")
        index = _first_line(details / node.name / "index")
        if number.isdigit() and index in ("", "0"):  # others of the same camera carry metadata, not pictures
            cameras.append(Camera(_first_line(details / node.name / "name") or f"Camera {number}", int(number)))
    return tuple(cameras)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _probed_cameras() -> tuple[Camera, ...]:
    found = []
    for number in range(PROBED_CAMERAS):
        device = _open_device(number)
        if device.isOpened():
            found.append(Camera(f"Camera {number + 1}", number))
        device.release()
    return tuple(found)


def _open_device(number: int) -> Any:
    # macOS asks for permission only on the main thread; the system shows its own question all the same.
    os.environ.setdefault("OPENCV_AVFOUNDATION_SKIP_AUTH", "1")
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # a missing camera is our sentence, not a warning
    backends = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
    return cv2.VideoCapture(number, backends.get(sys.platform, cv2.CAP_ANY))


class _CvStream:
    """A camera or a video file opened by OpenCV."""

    def __init__(self, capture: Any, *, is_file: bool) -> None:
        import cv2

        self._cv2 = cv2
        self._capture = capture
        self._is_file = is_file
        fps = float(capture.get(cv2.CAP_PROP_FPS)) if is_file else 0.0
        self.period_s = 1.0 / min(max(fps, 1.0), 120.0) if is_file else 0.0

    def read(self) -> ByteArray | None:
        """The next frame as RGB; a file starts again at its end."""
        arrived, image = self._capture.read()
        if not arrived and self._is_file:
            self._capture.set(self._cv2.CAP_PROP_POS_FRAMES, 0)
            arrived, image = self._capture.read()
        if not arrived:
            return None
        return bgr_to_rgb(image)

    def release(self) -> None:
        """Close the device or file."""
        self._capture.release()


def open_stream(source: int | Path) -> Stream:
    """Open a camera by its number or a video by its path.

    Raises:
        CameraError: missing, busy, not permitted or not a video.
    """
    return _open_file(source) if isinstance(source, Path) else _open_camera(source)


def _open_file(path: Path) -> Stream:
    if not path.is_file():
        raise CameraError(f"The video {path.name} was not found.", "Check the path given with --camera.")
    if not os.access(path, os.R_OK):
        raise CameraError(f"The video {path.name} may not be read.", "Check the permissions of the file.")
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    stream = _CvStream(capture, is_file=True)
    if not capture.isOpened() or stream.read() is None:
        stream.release()
        raise CameraError(f"{path.name} could not be read as a video.", "Use an MP4, MOV or AVI file.")
    capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
    return stream


def _open_camera(number: int) -> Stream:
    node = Path(f"/dev/video{number}")
    if sys.platform.startswith("linux"):
        if not node.exists():
            raise CameraError("The camera is not connected any more.", "Plug it in and choose it again.")
        if not os.access(node, os.R_OK | os.W_OK):
            raise CameraError(
                "You have no permission to use the camera.", "Add your user to the group 'video', then log in again."
            )
    capture = _open_device(number)
    if not capture.isOpened():
        capture.release()
        raise CameraError(
            "The camera could not be opened.",
            "Close other programs that use it, and allow camera access in the system's privacy settings.",
        )
    import cv2

    # Compressed: USB carries uncompressed 1080p at 5 frames/s only.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, WANTED_SIZE[0])
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, WANTED_SIZE[1])
    return _CvStream(capture, is_file=False)


class Capture:
    """One camera being read in its own thread. ``start`` once, poll ``newest`` and ``check``, then ``stop``."""

    def __init__(
        self,
        camera: Camera,
        find_face: FaceFinder | None = None,
        opener: Callable[[int | Path], Stream] = open_stream,
    ) -> None:
        self.camera = camera
        self._watch = FaceWatch(find_face) if find_face is not None else None
        self._opener = opener
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._mailbox: Frame | None = None
        self._recent: deque[Frame] = deque(maxlen=RECENT_FRAMES)
        self._error: CameraError | None = None
        self._opened = False
        self._alive_at = time.monotonic()
        # A daemon: a driver that never returns must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="webcam", daemon=True)

    def start(self) -> None:
        """Open the camera and read it, both in the thread."""
        self._alive_at = time.monotonic()
        self._thread.start()
        if self._watch is not None:
            self._watch.start()

    def stop(self, wait_s: float = 2.0) -> bool:
        """End the thread and give the camera back; True when it is done (a hanging driver finishes on its own)."""
        self._stop.set()
        end = time.monotonic() + wait_s
        if self._thread.is_alive():
            self._thread.join(wait_s)
        watching = self._watch is not None and not self._watch.stop(max(0.0, end - time.monotonic()))
        return not (self._thread.is_alive() or watching)

    def newest(self) -> Frame | None:
        """Take the newest frame out of the mailbox; None when none arrived since the last call."""
        with self._lock:
            frame, self._mailbox = self._mailbox, None
        return frame

    def recent(self) -> tuple[Frame, ...]:
        """The last few frames, oldest first."""
        with self._lock:
            return tuple(self._recent)

    def check(self) -> None:
        """Do nothing while all is well.

        Raises:
            CameraError: the camera could not be opened in time, failed, or went silent.
        """
        with self._lock:
            error, opened, silent_s = self._error, self._opened, time.monotonic() - self._alive_at
        if error is not None:
            raise error
        if not opened and silent_s > OPEN_TIMEOUT_S:
            raise CameraError("The camera does not answer.", "Unplug it, plug it in again, and choose it once more.")
        if opened and silent_s > SILENCE_S:
            raise _unplugged()

    def _run(self) -> None:
        try:
            stream = self._opener(self.camera.source)
            try:
                self._read(stream)
            finally:
                stream.release()
        except CameraError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - nothing may die silently in a thread; the window shows the sentence
            failure = CameraError("The camera failed.", "Choose it again, or use another one.")
            failure.__cause__ = error
            self._fail(failure)

    def _fail(self, error: CameraError) -> None:
        with self._lock:
            self._error = error

    def _read(self, stream: Stream) -> None:
        with self._lock:
            self._opened, self._alive_at = True, time.monotonic()
        number = 0
        due = last_good = time.monotonic()
        while not self._stop.is_set():
            image = stream.read()
            now = time.monotonic()
            if image is None:
                if now - last_good > FAILING_READS_S:
                    raise _unplugged()
                self._stop.wait(0.02)
                continue
            last_good, number = now, number + 1
            self._post(image, number)
            due = max(due + stream.period_s, now)
            self._stop.wait(due - now)

    def _post(self, image: ByteArray, number: int) -> None:
        image.flags.writeable = False
        face = None
        if self._watch is not None:
            face = self._watch.face
            self._watch.offer(image)
        frame = Frame(image, number, face)
        with self._lock:
            self._mailbox = frame
            self._recent.append(frame)
            self._alive_at = time.monotonic()


def _unplugged() -> CameraError:
    return CameraError("The camera stopped sending pictures.", "Check that it is plugged in, then choose it again.")


def sharpest(frames: Sequence[Frame]) -> Frame:
    """The frame with the strongest gradients; the newest of equals.

    Raises:
        ValueError: there is no frame.
    """
    if not frames:
        raise ValueError("frames: expected at least one, got none")
    return max(reversed(frames), key=lambda frame: sharpness(frame.image))


def sharpness(image: ByteArray) -> float:
    """Mean squared gradient of the middle of a picture: higher is sharper.

    Args:
        image: (H, W, 3) uint8 RGB.

    Source:
        The Tenengrad focus measure (Krotkov, Focusing, IJCV 1988), with plain differences.
    """
    H, W, _ = check("image", image, (None, None, 3), np.uint8).shape
    middle: FloatArray = image[H // 5 : H - H // 5, W // 4 : W - W // 4, 1].astype(np.float32)
    if min(middle.shape) < 2:
        return 0.0
    return float(np.mean(np.diff(middle, axis=0) ** 2) + np.mean(np.diff(middle, axis=1) ** 2))
