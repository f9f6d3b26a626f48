"""The blended map of the shown expression for the detail panel: worked out at rest, and only while it is looked at."""

from __future__ import annotations

from collections.abc import Generator

from PySide6.QtCore import QObject, QTimer, Slot

from app.engine_thread import EngineThread, Job, Lane
from app.session import Session
from engine.arrays import FloatArray
from engine.types import FaceAsset, Pose, Progress
from widgets.detail_panel import BLENDED, DetailPanel

REST_MS = 250  # after the last change of the expression


class DetailController(QObject):
    """Answers the panel's wish for the blended map."""

    def __init__(
        self, session: Session, thread: EngineThread, panel: DetailPanel, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._thread = thread
        self._panel = panel
        self._job: Job | None = None
        self._made_of: tuple[FaceAsset | None, Pose | None] = (None, None)  # of the map on show, or on the way
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._blend)
        for change in (session.pose_changed, session.face_refined, panel.shown):
            change.connect(self._rest.start)
        panel.map_chosen.connect(self._blend)

    @Slot()
    def _blend(self) -> None:
        face, pose = self._session.face, self._session.pose
        if face is None or pose is None or not self._panel.isVisible() or self._panel.chosen() != BLENDED:
            return
        if self._made_of == (face, pose):
            return
        self._made_of = face, pose
        self._job = Job(_blended(face, pose), Lane.BLEND)
        self._job.finished.connect(self._on_finished)
        self._job.failed.connect(self._on_ended)
        self._job.cancelled.connect(self._on_ended)
        self._thread.submit(self._job)

    @Slot(object)
    def _on_finished(self, map_mm: FloatArray) -> None:
        face, shown = self._made_of[0], self._session.face
        if self.sender() is self._job:
            self._job = None
            if face is not None and shown is not None and face.rig is shown.rig:
                self._panel.set_blended(map_mm)

    @Slot()
    def _on_ended(self) -> None:
        if self.sender() is self._job:
            self._job, self._made_of = None, (None, None)


def _blended(face: FaceAsset, pose: Pose) -> Generator[Progress, None, FloatArray]:
    """Engine thread. The first ``yield`` lets newer requests cancel this one before it costs anything."""
    yield Progress("Blending the maps", 0.0)
    from engine.rig import blend_maps

    return blend_maps(face, pose)
