"""Points by hand: where no face is found the user places a few, where one is found the user may move its points."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Protocol

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_thread import EngineThread, Job, Lane
from app.photo_controller import PhotoController, reprojected_landmarks
from app.session import Session
from engine.arrays import FloatArray
from engine.errors import NoFaceFound
from engine.types import FaceAsset, Landmarks, Photo, Progress
from widgets.photo_panel import PhotoPanel


class ClickEngine(Protocol):
    """What this controller needs of ``EngineService``."""

    def landmarks_from_clicks(self, clicks: FloatArray) -> Generator[Progress, None, Landmarks]:
        """All points of a face from a few."""
        ...


class PointsController(QObject):
    """Leads the photo panel through placing and moving points; the photo controller builds the face from them."""

    editing_changed = Signal(bool)
    refused = Signal(str)  # a sentence: what is wrong with the clicks
    failed = Signal(object)  # Exception

    def __init__(
        self,
        session: Session,
        engine: ClickEngine,
        thread: EngineThread,
        photos: PhotoController,
        panel: PhotoPanel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._thread = thread
        self._photos = photos
        self._panel = panel
        self._faceless: Photo | None = None  # the last photo that did not become a face
        self._photo: Photo | None = None  # the one whose points are placed now
        self._landmarks: Landmarks | None = None  # that the shown points started from
        self._job: Job | None = None
        session.photo_changed.connect(self._on_photo_changed)
        session.face_changed.connect(self._on_face_changed)
        panel.adjust_requested.connect(self.adjust)
        panel.restart_requested.connect(self.place)
        panel.clicks_placed.connect(self._on_clicks)
        panel.points_accepted.connect(self._on_accepted)
        panel.editing_cancelled.connect(self.cancel)

    @property
    def is_editing(self) -> bool:
        """Whether the user is at it."""
        return self._photo is not None

    @property
    def can_place(self) -> bool:
        """Whether there is a photo to place points on."""
        return self._candidate() is not None

    def helps_with(self, error: Exception) -> bool:
        """Whether placing points is a way on after this failure."""
        return isinstance(error, NoFaceFound) and self.can_place

    @Slot()
    def place(self) -> None:
        """Ask for the points of the photo in which no face was found, else of the one on show."""
        photo = self._photo or self._candidate()
        if photo is not None and self._begin(photo):
            self._panel.begin_clicks()

    @Slot()
    def adjust(self) -> None:
        """Let the points of the shown face be moved."""
        face = self._session.face
        if face is None or self._session.photo is not face.photo:
            return
        landmarks = face.landmarks
        if landmarks.points68 is None:  # only the dense points were found
            landmarks = replace(landmarks, points68=reprojected_landmarks(face))
        if self._begin(face.photo):
            self._show(landmarks)

    @Slot()
    def cancel(self) -> None:
        """Leave everything as it was."""
        if self.is_editing:
            self._end()
            face = self._session.face
            self._session.set_photo(None if face is None else face.photo)

    def _candidate(self) -> Photo | None:
        return self._faceless or self._session.photo

    def _begin(self, photo: Photo) -> bool:
        if self._photos.is_building:
            self.refused.emit("A face is being made: wait for it, or cancel it, before placing points.")
            return False
        began = not self.is_editing
        self._photo = photo
        self._session.set_photo(photo)
        if began:
            self.editing_changed.emit(True)
        return True

    def _end(self) -> None:
        if self.is_editing:
            self._photo = self._landmarks = None
            if self._job is not None:
                self._job.cancel()
                self._job = None
            self._panel.end_editing()
            self.editing_changed.emit(False)

    def _show(self, landmarks: Landmarks) -> None:
        self._landmarks = landmarks
        if landmarks.points68 is not None:
            self._panel.begin_points(landmarks.points68)

    @Slot(object)
    def _on_clicks(self, clicks: FloatArray) -> None:
        from engine.hand_points import enough_clicks

        if not enough_clicks(clicks):
            self.refused.emit("These points lie almost on one line: place them anew, on both sides of the face.")
            self._panel.begin_clicks()
            return
        self._job = Job(self._engine.landmarks_from_clicks(clicks), Lane.PHOTO)
        self._job.finished.connect(self._on_predicted)
        self._job.failed.connect(self._on_failed)
        self._thread.submit(self._job)

    @Slot(object)
    def _on_predicted(self, landmarks: Landmarks) -> None:
        if self.sender() is not self._job:
            return
        self._job = None
        face = self._session.face
        if face is not None and face.photo is self._photo:  # its other faces may still be picked
            landmarks = replace(landmarks, others=face.landmarks.others)
        self._show(landmarks)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        if self.sender() is self._job:
            self._job = None
            self.cancel()
            self.failed.emit(error)

    @Slot(object)
    def _on_accepted(self, points68: FloatArray) -> None:
        from engine.hand_points import moved_landmarks

        landmarks = self._landmarks
        if landmarks is None or landmarks.points68 is None:
            return
        if (points68 != landmarks.points68).any():
            landmarks = moved_landmarks(landmarks, landmarks.points68, points68)
        self._end()
        self._photos.use_landmarks(landmarks)

    @Slot(object)
    def _on_photo_changed(self, photo: Photo | None) -> None:
        if self.is_editing and photo is not self._photo:  # another one was opened
            self._end()
        face = self._session.face
        if photo is not None and (face is None or photo is not face.photo):
            self._faceless = photo

    @Slot(object)
    def _on_face_changed(self, face: FaceAsset | None) -> None:
        self._faceless = None
