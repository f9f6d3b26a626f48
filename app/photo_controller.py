"""A photo is chosen -> a job on the engine thread -> the session; stale results are dropped."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from app.engine_thread import EngineThread, Job, Lane
from app.session import Session
from engine.arrays import FloatArray
from engine.camera import project
from engine.types import FaceAsset, FaceBox, Landmarks, Photo, Pose, Progress, RigBasis

_SLOW_SHARE = 0.05  # keys that show less are not worth some seconds of computing


class FaceEngine(Protocol):
    """What this controller needs of ``EngineService``; tests put an invented engine in its place."""

    @property
    def slow_detail(self) -> bool:
        """Whether a map takes seconds: only those that the expression shows are made."""
        ...

    @property
    def has_key_maps(self) -> bool:
        """Whether maps of the key expressions can be made at all."""
        ...

    def photo(self, path: Path) -> Photo:
        """Decode a file."""
        ...

    def face(
        self, photo: Photo, box: FaceBox | None = None, landmarks: Landmarks | None = None
    ) -> Generator[Progress, None, FaceAsset]:
        """Photo -> face without key maps."""
        ...

    def key_maps(self, face: FaceAsset, keys: tuple[int, ...]) -> Generator[Progress, None, FaceAsset]:
        """The same face with these key maps."""
        ...


class PhotoController(QObject):
    """Opens photos, rebuilds with another face of the same photo, and fetches the key maps of the shown face."""

    failed = Signal(object)  # Exception: show it; the old face stays
    opened = Signal(object)  # Path of a photo that became a face

    def __init__(
        self, session: Session, engine: FaceEngine, thread: EngineThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._thread = thread
        self._job: Job | None = None
        self._kept_weights: FloatArray | None = None  # for the face that the job makes
        self._map_job: Job | None = None
        self._map_rig: RigBasis | None = None  # of the face that the map job works on
        self._shown_photo: Photo | None = None
        self._urgent: tuple[int, ...] = ()  # keys that the current expression shows; replaced, never changed in place
        self._only_urgent = False
        self._maps_failed = False
        session.pose_changed.connect(self._on_pose_changed)

    @property
    def is_building(self) -> bool:
        """Whether a photo is being turned into a face."""
        return self._job is not None

    @Slot(Path)
    def open(self, path: Path) -> None:
        """Turn a picture file into the shown face."""
        self._start(self._steps(Path(path)))

    @Slot(object)
    def open_photo(self, photo: Photo) -> None:
        """Turn a decoded picture (webcam, clipboard) into the shown face."""
        self._start(self._steps(photo))

    @Slot(object)
    def pick_face(self, box: FaceBox) -> None:
        """Rebuild from another face of the same photo."""
        if self._session.photo is not None:
            self._start(self._steps(self._session.photo, box=box))

    @Slot(object)
    def use_landmarks(self, landmarks: Landmarks) -> None:
        """Rebuild from points that the user moved."""
        if self._session.photo is not None:
            self._start(self._steps(self._session.photo, landmarks=landmarks))

    def make_again(self, pack: str) -> None:
        """Rebuild the shown photo: the engine's pack, called ``pack``, is another one or makes other maps.

        Points placed by hand stay; with the same pack all points and the expression do.
        """
        face, photo = self._session.face, self._session.photo
        if photo is None:
            return
        same = face is not None and face.photo is photo and face.pack == pack
        keep = face is not None and face.photo is photo and (same or face.landmarks.by_hand)
        self._start(self._steps(photo, landmarks=face.landmarks if face is not None and keep else None))
        self._kept_weights = self._session.weights if same else None

    @Slot()
    def cancel(self) -> None:
        """Stop the photo that is being worked on; else fetch only those key maps that an expression needs."""
        if self._job is not None:
            self._job.cancel()
        elif self._map_job is not None:
            self._map_job.cancel()
            self._only_urgent = True

    def _start(self, steps: Generator[object, None, FaceAsset]) -> None:
        self._job = self._submit(steps, Lane.PHOTO)
        self._kept_weights = None

    def _submit(self, steps: Generator[object, None, FaceAsset], lane: Lane) -> Job:
        job = Job(steps, lane)
        job.progressed.connect(self._on_progressed)
        job.delivered.connect(self._on_delivered)
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        self._thread.submit(job)
        return job

    def _steps(
        self, source: Path | Photo, box: FaceBox | None = None, landmarks: Landmarks | None = None
    ) -> Generator[object, None, FaceAsset]:
        """Engine thread: the whole way of one photo; the decoded photo is delivered on the way."""
        yield Progress("Reading the photo", 0.0)
        photo = source if isinstance(source, Photo) else self._engine.photo(source)
        yield photo
        return (yield from self._engine.face(photo, box, landmarks))

    def _map_steps(self, face: FaceAsset) -> Generator[object, None, FaceAsset]:
        """Engine thread: all key maps, the ones on show first, each delivered as a refined face."""
        count = len(face.key_maps)
        while True:
            face = self._with_new(face)
            missing = [k for k, key_map in enumerate(face.key_maps) if key_map is None]
            done = count - len(missing)
            urgent = [k for k in self._urgent if k in missing]
            if not missing or (self._only_urgent and not urgent):
                break
            key = (urgent or missing)[0]
            steps = self._engine.key_maps(face, (key,))
            while True:
                yield Progress(f"Adding expression detail ({done + 1} of {count})", done / count)
                try:
                    next(steps)
                except StopIteration as end:
                    face = end.value
                    break
            if face.key_maps[key] is None:  # of another pack than the one in use now
                break
            yield face
        return face

    def _with_new(self, face: FaceAsset) -> FaceAsset:
        """The face with the maps that were made meanwhile for an export."""
        shown = self._session.face  # replaced, never changed in place
        return face if shown is None or shown.rig is not face.rig else face.with_maps_of(shown)

    @Slot(object)
    def _on_progressed(self, progress: Progress) -> None:
        sender = self.sender()
        if sender is self._job or (self._job is None and sender is self._map_job):
            self._session.set_progress(progress)

    @Slot(object)
    def _on_delivered(self, part: object) -> None:
        sender = self.sender()
        if sender is self._job and isinstance(part, Photo):
            self._session.set_photo(part)
        elif sender is self._map_job and isinstance(part, FaceAsset) and self._belongs(part):
            self._session.refine_face(part)

    def _belongs(self, face: FaceAsset) -> bool:
        shown = self._session.face
        return shown is not None and shown.rig is face.rig

    @Slot(object)
    def _on_finished(self, face: FaceAsset) -> None:
        if self.sender() is self._map_job:
            self._map_job = None
            self._clear_progress()
        elif self.sender() is self._job:
            self._job = None
            self._session.set_progress(None)
            self._shown_photo = face.photo
            self._only_urgent, self._maps_failed = self._engine.slow_detail, False
            self._session.set_photo(face.photo)
            self._session.set_face(face)
            if self._kept_weights is not None:
                self._session.set_weights(self._kept_weights)
            if face.photo.path is not None:
                self.opened.emit(face.photo.path)
            self._fetch_key_maps()

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        if self.sender() is self._map_job:
            self._map_job = None
            self._maps_failed = True  # once is enough: the face works without these maps
            self._clear_progress()
            self.failed.emit(error)
        elif self.sender() is self._job:
            self._return_to_shown_face()
            self.failed.emit(error)

    @Slot()
    def _on_cancelled(self) -> None:
        if self.sender() is self._map_job:
            self._map_job = None
            self._clear_progress()
        elif self.sender() is self._job:
            self._return_to_shown_face()

    def _return_to_shown_face(self) -> None:
        self._job = None
        self._session.set_progress(None)
        self._session.set_photo(self._shown_photo)

    def _clear_progress(self) -> None:
        if self._job is None:
            self._session.set_progress(None)

    @Slot(object)
    def _on_pose_changed(self, pose: Pose | None) -> None:
        face = self._session.face
        if pose is None or face is None or all(key_map is not None for key_map in face.key_maps):
            self._urgent = ()
            return
        shares = pose.map_weights.max(axis=0)
        least = _SLOW_SHARE if self._engine.slow_detail else 0.0
        # The neutral map last: it stands in for those that are missing, and lacks the folds that the photo shows.
        ordered = sorted(np.flatnonzero(shares > least).tolist(), key=lambda k: (k == 0, -shares[k]))
        self._urgent = tuple(ordered)
        if self._map_job is None and any(face.key_maps[k] is None for k in self._urgent):
            self._fetch_key_maps()

    def _fetch_key_maps(self) -> None:
        face = self._session.face
        if (
            face is None
            or self._maps_failed
            or not self._engine.has_key_maps
            or (self._map_job is not None and self._map_rig is face.rig)
        ):
            return
        if any(key_map is None for key_map in face.key_maps):
            self._map_rig = face.rig
            self._map_job = self._submit(self._map_steps(face), Lane.KEY_MAPS)


def reprojected_landmarks(face: FaceAsset) -> FloatArray:
    """Where the fitted face puts the 68 points: (68, 2) float32 image px, NaN where the model lacks one."""
    from engine.rig import posed_vertices

    fit, rig = face.fit, face.rig
    known = fit.landmark_vertices >= 0
    indices = fit.landmark_vertices[known]
    points = np.full((len(known), 2), np.nan, np.float32)
    points[known] = project(fit.camera, posed_vertices(rig, fit.weights)[indices])
    return points
