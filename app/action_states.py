"""Which commands the menus and the toolbar offer right now, and which of them are ticked."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QUndoStack

from app.points_controller import PointsController
from app.session import Session
from engine.camera import OrbitCamera, PhotoCamera

_NEED_A_FACE = (
    *("export", "save_picture", "photo_expression", "reset_expression", "adjust_points"),
    *("copy_expression", "paste_expression"),
    *("look_texture", "look_clay", "look_map", "wireframe", "confidence", "over-photo"),
)
_NOT_WHILE_PLACING = ("export", "undo", "redo", "adjust_points")
"""While points are placed by hand these would act on the face behind them."""


class ActionStates(QObject):
    """Keeps the actions equal to the session, the undo stack and the placing of points."""

    def __init__(
        self,
        actions: Mapping[str, QAction],
        session: Session,
        points: PointsController,
        undo_stack: QUndoStack,
        parent: QObject | None = None,
    ) -> None:
        """actions: by command key."""
        super().__init__(parent)
        self._actions = actions
        self._session = session
        self._points = points
        self._can_undo, self._can_redo = undo_stack.canUndo(), undo_stack.canRedo()
        for change in (session.photo_changed, session.face_changed, session.view_changed, points.editing_changed):
            change.connect(self.update)
        session.camera_changed.connect(self._on_camera_changed)
        undo_stack.canUndoChanged.connect(self._on_can_undo)
        undo_stack.canRedoChanged.connect(self._on_can_redo)
        self.update()

    @Slot()
    def update(self) -> None:
        """Show the present state."""
        enabled = dict.fromkeys(_NEED_A_FACE, self._session.face is not None)
        enabled["undo"], enabled["redo"] = self._can_undo, self._can_redo
        enabled["place_points"] = self._points.can_place
        if self._points.is_editing:
            enabled |= dict.fromkeys(_NOT_WHILE_PLACING, False)
        for key, on in enabled.items():
            self._actions[key].setEnabled(on)
        view = self._session.view
        self._actions[f"look_{view.look}"].setChecked(True)  # the others of its group go out
        self._actions["wireframe"].setChecked(view.wireframe)
        self._actions["confidence"].setChecked(view.confidence)

        self._on_camera_changed(self._session.camera)

    @Slot(object)
    def _on_camera_changed(self, camera: OrbitCamera | PhotoCamera) -> None:
        self._actions["over-photo"].setChecked(isinstance(camera, PhotoCamera))

    @Slot(bool)
    def _on_can_undo(self, can: bool) -> None:  # kept: the stack also says so while it is being deleted
        self._can_undo = can
        self.update()

    @Slot(bool)
    def _on_can_redo(self, can: bool) -> None:
        self._can_redo = can
        self.update()
