"""The detail panel: its map is the drawn one, blended at rest; its strengths are the session's, with undo."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtGui import QUndoCommand, QUndoStack

from app.engine_thread import EngineThread, Job, Lane
from app.session import Session
from app.shown_face import ShownFace
from engine.arrays import ByteArray, FloatArray
from engine.types import AS_FOUND, BandStrengths, FaceAsset, Pose, Progress, ViewOptions
from widgets.detail_panel import BLENDED, DetailPanel

REST_MS = 250  # after the last change of the expression


class DetailController(QObject):
    """Answers the panel's wish for the blended map, and takes its strengths to the session."""

    def __init__(
        self,
        session: Session,
        thread: EngineThread,
        shown: ShownFace,
        panel: DetailPanel,
        undo_stack: QUndoStack,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._thread = thread
        self._shown = shown
        self._panel = panel
        self._undo_stack = undo_stack
        self._gesture = 0  # edits of one drag share a number and become one step of undo
        self._job: Job | None = None
        self._made_of: tuple[FaceAsset | None, Pose | None] = (None, None)  # of the map on show, or on the way
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._blend)
        for change in (session.pose_changed, shown.changed, shown.refined, panel.shown):
            change.connect(self._rest.start)
        panel.map_chosen.connect(self._blend)
        self._connect_panel()

    def _connect_panel(self) -> None:
        session, shown, panel = self._session, self._shown, self._panel
        shown.changed.connect(panel.set_face)
        shown.refined.connect(panel.set_face)
        shown.classes_changed.connect(self._on_classes_changed)
        session.view_changed.connect(self._on_view_changed)
        session.exact_changed.connect(panel.set_exact)
        panel.exact_toggled.connect(session.set_exact)
        panel.confidence_toggled.connect(self.set_confidence)
        panel.strengths.strength_edited.connect(self._on_strength_edited)
        panel.strengths.bands_edited.connect(self._on_bands_edited)
        panel.strengths.edit_finished.connect(self._end_edit)
        panel.strengths.reset_requested.connect(self.reset)

    @Slot()
    def reset(self) -> None:
        """All detail as it was found."""
        self._end_edit()
        self._edit("detail as found", detail_strength=1.0, detail_bands=AS_FOUND)
        self._end_edit()

    @Slot(bool)
    def set_confidence(self, on: bool) -> None:
        """Show or hide how well the photo shows the skin; shown, the face wears its texture, which carries the colours."""
        view = self._session.view
        self._session.set_view(replace(view, confidence=on, look="texture" if on else view.look))

    def toggle_confidence(self) -> None:
        """Show the colours, or hide them."""
        self.set_confidence(not self._session.view.confidence)

    @Slot(float)
    def _on_strength_edited(self, factor: float) -> None:
        self._edit("detail strength", detail_strength=factor)

    @Slot(tuple)
    def _on_bands_edited(self, factors: BandStrengths) -> None:
        self._edit("strength of pores, lines and wrinkles", detail_bands=factors)

    @Slot()
    def _end_edit(self) -> None:
        self._gesture += 1

    def _edit(self, text: str, **changes: Any) -> None:
        view = self._session.view
        before = {name: getattr(view, name) for name in changes}
        if before != changes:
            self._undo_stack.push(_ViewCommand(self._session, before, changes, text, self._gesture))

    @Slot(object)
    def _on_view_changed(self, view: ViewOptions) -> None:
        self._panel.strengths.set_strength(view.detail_strength)
        self._panel.strengths.set_bands(view.detail_bands)
        self._panel.set_confidence(view.confidence)

    @Slot(object)
    def _on_classes_changed(self, classes: ByteArray | None) -> None:
        from engine.trust import map_overlay

        self._panel.set_overlay(None if classes is None else map_overlay(classes))

    @Slot()
    def _blend(self) -> None:
        face, pose = self._shown.face, self._session.pose
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


class _ViewCommand(QUndoCommand):
    """One change of the strengths; changes of the same drag melt into one."""

    def __init__(
        self, session: Session, before: dict[str, Any], after: dict[str, Any], text: str, gesture: int
    ) -> None:
        super().__init__(text)
        self._session = session
        self._before, self._after = before, after
        self._gesture = gesture

    def id(self) -> int:
        return self._gesture

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _ViewCommand) or other.id() != self._gesture or set(other._after) != set(self._after):
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        self._session.set_view(replace(self._session.view, **self._after))

    def undo(self) -> None:
        self._session.set_view(replace(self._session.view, **self._before))


def _blended(face: FaceAsset, pose: Pose) -> Generator[Progress, None, FloatArray]:
    """Engine thread. The first ``yield`` lets newer requests cancel this one before it costs anything."""
    yield Progress("Blending the maps", 0.0)
    from engine.rig import blend_maps

    return blend_maps(face, pose)
