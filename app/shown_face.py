"""The face as it is drawn: the session's, with its detail weighed by bands and its skin tinted by confidence."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from app.engine_thread import EngineThread, Job, Lane
from app.session import Session
from engine.arrays import ByteArray, FloatArray
from engine.types import AS_FOUND, BandStrengths, FaceAsset, Pose, Progress, ViewOptions

_STATIC = -1

_log = logging.getLogger("detailed_face")


@dataclass(frozen=True, slots=True)
class _Style:
    """What makes the drawn face differ from the found one."""

    bands: BandStrengths = AS_FOUND
    confidence: bool = False


_PLAIN = _Style()


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """One state of the work: the drawn face and what of it can be used again."""

    face: FaceAsset
    style: _Style
    maps: dict[int, tuple[FloatArray, FloatArray]]
    """By key: the map as found and as drawn."""
    picture: tuple[ByteArray, ByteArray] | None
    """The texture as found and as drawn."""
    classes: ByteArray | None
    """See ``engine.trust``; None unless they are shown."""


class ShownFace(QObject):
    """Keeps the drawn face: at once where it is the found one, else made on the engine thread, what is on show first."""

    changed = Signal(object)  # FaceAsset | None: another face, or the same one drawn in another way
    refined = Signal(object)  # FaceAsset: the same with further maps
    classes_changed = Signal(object)  # (n, n) uint8 of engine.trust, or None while they are not shown

    def __init__(self, session: Session, thread: EngineThread, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._thread = thread
        self._face: FaceAsset | None = None
        self._made: _Made | None = None
        self._classes: ByteArray | None = None
        self._job: Job | None = None
        self._nothing_yet = False  # the job has not delivered: one that is replaced again and again never would
        self._again = False
        session.face_changed.connect(self._on_face_changed)
        session.face_refined.connect(self._on_face_refined)
        session.view_changed.connect(self._on_view_changed)

    @property
    def face(self) -> FaceAsset | None:
        """The face to draw."""
        return self._face

    @property
    def classes(self) -> ByteArray | None:
        """How well the photo shows each texel's skin, while that is shown (see ``engine.trust``)."""
        return self._classes

    @Slot(object)
    def _on_face_changed(self, face: FaceAsset | None) -> None:
        self._drop_job()
        self._made = None
        self._show_found()
        if face is not None and _style(self._session.view) != _PLAIN:
            self._start()

    @Slot(object)
    def _on_face_refined(self, face: FaceAsset) -> None:
        if _style(self._session.view) == _PLAIN:
            self._face = face
            self.refined.emit(face)
        else:
            self._start()

    @Slot(object)
    def _on_view_changed(self, view: ViewOptions) -> None:
        style = _style(view)
        if self._session.face is None or style == (_PLAIN if self._made is None else self._made.style):
            if self._job is not None and self._session.face is not None:
                self._start()  # back to what is drawn already, while something else is on its way
            return
        if style == _PLAIN:
            self._drop_job()
            self._made = None
            self._show_found()
        else:
            self._start()

    def _show_found(self) -> None:
        self._face = self._session.face
        self._set_classes(None)
        self.changed.emit(self._face)

    def _set_classes(self, classes: ByteArray | None) -> None:
        if classes is not self._classes:
            self._classes = classes
            self.classes_changed.emit(classes)

    def _start(self) -> None:
        face, style = self._session.face, _style(self._session.view)
        if face is None:
            return
        if style == _PLAIN:
            self._drop_job()
            return
        if self._job is not None and self._nothing_yet:
            self._again = True
            return
        self._again, self._nothing_yet = False, True
        self._job = Job(_steps(face, self._session.pose, style, self._made), Lane.DETAIL)
        self._job.delivered.connect(self._on_delivered)
        self._job.finished.connect(self._on_finished)
        self._job.failed.connect(self._on_failed)
        self._job.cancelled.connect(self._on_ended)
        self._thread.submit(self._job)

    def _drop_job(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._job, self._again, self._nothing_yet = None, False, False

    @Slot(object)
    def _on_delivered(self, made: _Made) -> None:
        if self.sender() is self._job:
            self._nothing_yet = False
            self._take(made)
            if self._again:
                self._start()

    @Slot(object)
    def _on_finished(self, made: _Made) -> None:
        if self.sender() is self._job:
            again = self._again
            self._job, self._again, self._nothing_yet = None, False, False
            self._take(made)
            if again:
                self._start()

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        _log.error("the detail could not be weighed", exc_info=error)
        self._on_ended()

    @Slot()
    def _on_ended(self) -> None:
        if self.sender() is self._job:
            self._job, self._again, self._nothing_yet = None, False, False

    def _take(self, made: _Made) -> None:
        shown = self._session.face
        if shown is None or shown.rig is not made.face.rig:
            return
        same = self._made is not None and self._made.style == made.style
        self._made, self._face = made, made.face
        self._set_classes(made.classes)
        (self.refined if same else self.changed).emit(made.face)


def _style(view: ViewOptions) -> _Style:
    return _Style(view.detail_bands, view.confidence)


def _steps(face: FaceAsset, pose: Pose | None, style: _Style, before: _Made | None) -> Generator[object, None, _Made]:
    """Engine thread: some milliseconds a step; the drawn face is delivered as soon as what is on show is right."""
    yield Progress("Weighing the detail", 0.0)
    picture, classes = before.picture if before else None, before.classes if before else None
    drawn = face
    if style.confidence:
        from engine import trust

        if classes is None or picture is None or picture[0] is not face.texture.image:
            classes = trust.skin_classes(face)
            yield Progress("Weighing the detail", 0.0)
            picture = (face.texture.image, trust.tinted(face, classes))
            yield Progress("Weighing the detail", 0.1)
        drawn = replace(face, texture=replace(face.texture, image=picture[1]))
    shown_classes = classes if style.confidence else None
    maps = dict(before.maps) if before is not None and before.style.bands == style.bands else {}
    found: dict[int, FloatArray] = {_STATIC: face.static_map}
    found.update((key, key_map) for key, key_map in enumerate(face.key_maps) if key_map is not None)
    if style.bands != AS_FOUND:
        from engine.detail.bands import texel_mm, weighted

        texel = texel_mm(face.topology, face.rig.neutral)
        urgent = _on_show(found, pose)
        for count, key in enumerate([*urgent, *(key for key in found if key not in urgent)]):
            if key not in maps or maps[key][0] is not found[key]:
                maps[key] = found[key], weighted(found[key], texel, style.bands)
                yield Progress("Weighing the detail", 0.1)
            if count == len(urgent) - 1:
                yield _Made(_with_maps(drawn, maps), style, dict(maps), picture, shown_classes)
    return _Made(_with_maps(drawn, maps), style, maps, picture, shown_classes)


def _on_show(found: dict[int, FloatArray], pose: Pose | None) -> list[int]:
    """The maps that the expression shows, and those that stand in for missing ones."""
    acting = [] if pose is None else np.flatnonzero(pose.map_weights.max(axis=0) > 0.0).tolist()
    return [_STATIC, *(key for key in dict.fromkeys([0, *acting]) if key in found)]


def _with_maps(face: FaceAsset, maps: dict[int, tuple[FloatArray, FloatArray]]) -> FaceAsset:
    """The face with its maps as drawn; those that are not made yet are as found."""
    if not maps:
        return face
    drawn = tuple(maps[key][1] if key in maps else key_map for key, key_map in enumerate(face.key_maps))
    return replace(face, static_map=maps[_STATIC][1], key_maps=drawn)
