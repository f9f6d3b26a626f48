"""The webcam dialog and the capture thread: frames in, one photo out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.webcam import Camera, Capture, Stream, list_cameras, open_stream, sharpest, video_camera
from app.webcam_face import FaceFinder
from app.webcam_hints import hint_for
from engine.errors import CameraError, PhotoError
from engine.images import photo_from_array
from engine.types import Photo
from widgets.webcam_dialog import WebcamDialog

POLL_MS = 25  # a little faster than cameras are
_LAST_CAMERA = "webcam/camera"


class WebcamController(QObject):
    """Opens the dialog when asked, and reports the photo that the user took and accepted."""

    photo_taken = Signal(object)  # Photo

    def __init__(
        self,
        window: QWidget | None,
        video: Path | None = None,
        find_face: FaceFinder | None = None,
        settings: QSettings | None = None,
        *,
        find_cameras: Callable[[], tuple[Camera, ...]] = list_cameras,
        opener: Callable[[int | Path], Stream] = open_stream,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._video = video
        self._find_face = find_face
        self._find_cameras = find_cameras
        self._opener = opener
        self._settings = settings if settings is not None else QSettings("detailed-face", "detailed-face")
        self._dialog: WebcamDialog | None = None
        self._cameras: tuple[Camera, ...] = ()
        self._search: _Search | None = None
        self._capture: Capture | None = None
        self._camera: Camera | None = None
        self._shot: Photo | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def dialog(self) -> WebcamDialog | None:
        """The open dialog, if any."""
        return self._dialog

    @Slot()
    def open(self) -> None:
        """Show the dialog and start looking for cameras; a second call brings it to the front."""
        if self._dialog is not None:
            self._dialog.raise_()
            self._dialog.activateWindow()
            return
        dialog = WebcamDialog(self._window)
        dialog.camera_chosen.connect(self._on_camera_chosen)
        dialog.list_requested.connect(self._look_for_cameras)
        dialog.shot_wanted.connect(self._on_shot_wanted)
        dialog.shot_accepted.connect(self._on_shot_accepted)
        dialog.shot_rejected.connect(self._on_shot_rejected)
        dialog.finished.connect(self._on_finished)
        self._dialog = dialog
        self._look_for_cameras()
        self._timer.start()
        dialog.open()

    def close(self) -> None:
        """Close the dialog and give the camera back."""
        if self._dialog is not None:
            self._dialog.reject()

    @Slot()
    def _look_for_cameras(self) -> None:
        self._stop_capture()
        if self._dialog is not None:
            self._dialog.show_waiting("Looking for cameras…")
        self._search = _Search(self._find_cameras)

    def _show_cameras(self, found: tuple[Camera, ...]) -> None:
        if self._dialog is None:
            return
        self._cameras = (video_camera(self._video), *found) if self._video is not None else found
        labels = [camera.label for camera in self._cameras]
        last = str(self._settings.value(_LAST_CAMERA, ""))
        current = labels.index(last) if last in labels and self._video is None else 0
        self._dialog.set_cameras(labels, current if labels else -1)
        if labels:
            self._start_capture(self._cameras[current])
        else:
            self._dialog.show_error("No camera was found.", "Plug one in, then choose 'Look again'.")

    @Slot(int)
    def _on_camera_chosen(self, row: int) -> None:
        self._settings.setValue(_LAST_CAMERA, self._cameras[row].label)
        self._start_capture(self._cameras[row])

    def _start_capture(self, camera: Camera) -> None:
        self._stop_capture()
        if self._dialog is not None:
            self._dialog.show_waiting(f"Starting {camera.label}…")
        self._camera = camera
        self._capture = Capture(camera, self._find_face, self._opener)
        self._capture.start()

    def _stop_capture(self) -> None:
        if self._capture is not None:
            self._capture.stop(wait_s=0.5)  # a frame's time is enough; a hanging driver may finish alone
            self._capture = None

    @Slot()
    def _poll(self) -> None:
        if self._search is not None and (found := self._search.result()) is not None:
            self._search = None
            self._show_cameras(found)
        if self._capture is None or self._dialog is None:
            return
        try:
            self._capture.check()
        except CameraError as error:
            self._stop_capture()
            if self._dialog.is_live:  # a photo that was taken stays usable
                self._dialog.show_error(str(error), error.hint)
            return
        frame = self._capture.newest()
        if frame is not None and self._dialog.is_live:
            self._dialog.show_frame(frame.image, frame.face)
            self._dialog.show_hint(*hint_for(frame))

    @Slot()
    def _on_shot_wanted(self) -> None:
        frames = self._capture.recent() if self._capture is not None else ()
        if not frames or self._dialog is None:
            return
        name = f"webcam_{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}.png"
        try:
            self._shot = photo_from_array(sharpest(frames).image, name)
        except PhotoError as error:  # a camera or video with a tiny picture
            self._dialog.show_error(str(error), error.hint)
            return
        self._dialog.show_shot(self._shot.image)

    @Slot()
    def _on_shot_rejected(self) -> None:
        self._shot = None
        if self._capture is None and self._camera is not None:  # it failed while the photo was looked at
            self._start_capture(self._camera)

    @Slot()
    def _on_shot_accepted(self) -> None:
        if self._shot is not None:
            self.photo_taken.emit(self._shot)

    @Slot()
    def _on_finished(self) -> None:
        self._timer.stop()
        self._stop_capture()
        self._search = self._shot = None
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None


class _Search:
    """Looks for cameras in a thread: drivers may take seconds to say that there is none."""

    def __init__(self, find_cameras: Callable[[], tuple[Camera, ...]]) -> None:
        self._find_cameras = find_cameras
        self._found: tuple[Camera, ...] = ()
        self._thread = threading.Thread(target=self._run, name="camera search", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._found = self._find_cameras()

    def result(self) -> tuple[Camera, ...] | None:
        """The cameras, or None while the search goes on."""
        return None if self._thread.is_alive() else self._found
