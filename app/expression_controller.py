"""Slider, preset, webcam, undo -> weights of the session -> pose of the session."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtGui import QUndoCommand, QUndoStack

from app.session import Session
from engine.arrays import FloatArray
from engine.expressions import SHAPE_INDEX, SHAPES, key_weights, mirror_shapes
from engine.types import FaceAsset, Pose, RigBasis

PoseFunction = Callable[[RigBasis, FloatArray, bool], Pose]  # the last one: with the paper's masks


def partners() -> tuple[int, ...]:
    """Index of the shape that moves along with each one while left and right are edited together.

    The mirrored shape, except that the eyes look the same way together (in with out) and that the shapes which push
    jaw or mouth to one side stay alone.
    """
    partner = list(mirror_shapes())
    for base in ("jaw", "mouth"):
        for side in ("Left", "Right"):
            index = SHAPE_INDEX[base + side]
            partner[index] = index
    for side, other in (("Left", "Right"), ("Right", "Left")):
        inward, outward = SHAPE_INDEX["eyeLookIn" + side], SHAPE_INDEX["eyeLookOut" + other]
        partner[inward], partner[outward] = outward, inward
    return tuple(partner)


class ExpressionController(QObject):
    """The only place that changes the session's weights and computes its pose."""

    def __init__(self, session: Session, pose: PoseFunction | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.pose_function = pose
        self._partners = partners()
        self.symmetric = True
        self._gesture = 0  # edits of one drag share a number and become one step of undo
        self.undo_stack = QUndoStack(self)
        self._due = QTimer(self, singleShot=True, interval=0)  # many moves between two paints cost one pose
        self._due.timeout.connect(self._compute_pose)
        session.face_changed.connect(self._on_face_changed)
        session.weights_changed.connect(self._due.start)
        session.exact_changed.connect(self._due.start)

    @Slot(int, float)
    def edit_weight(self, index: int, weight: float) -> None:
        """Set one shape, and its partner while left and right move together."""
        weights = self._session.weights.copy()
        weights[index] = weight
        if self.symmetric:
            weights[self._partners[index]] = weight
        self._change(weights, SHAPES[index].name, self._gesture)

    @Slot()
    def end_edit(self) -> None:
        """The drag is over: the next edit is a step of undo of its own."""
        self._gesture += 1

    @Slot(int)
    def apply_preset(self, key: int) -> None:
        """Take the weights of key expression ``key`` (0 = neutral)."""
        face = self._session.face
        table = key_weights() if face is None else face.rig.key_weights
        self._set_all(table[key], "preset")

    @Slot()
    def reset(self) -> None:
        """Back to the neutral face."""
        self._set_all(np.zeros_like(self._session.weights), "reset")

    @Slot()
    def apply_photo_expression(self) -> None:
        """Back to the expression that the photo shows."""
        if self._session.face is not None:
            self._set_all(self._session.face.fit.weights, "photo's expression")

    @Slot(object)
    def apply_weights(self, weights: FloatArray) -> None:
        """Take weights (51,) as one step of undo."""
        self._set_all(weights, "pasted expression")

    @Slot(bool)
    def set_symmetric(self, symmetric: bool) -> None:
        """Edit left and right together, or each alone."""
        self.symmetric = symmetric

    @Slot(object)
    def follow(self, weights: FloatArray) -> None:
        """Take weights from a live source; these are no steps of undo."""
        self._session.set_weights(weights)

    def _set_all(self, weights: FloatArray, text: str) -> None:
        self.end_edit()
        self._change(np.array(weights, np.float32), text, self._gesture)
        self.end_edit()

    def _change(self, weights: FloatArray, text: str, gesture: int) -> None:
        weights = np.clip(weights, 0.0, 1.0)
        if not np.array_equal(weights, self._session.weights):
            self.undo_stack.push(_WeightsCommand(self._session, weights, text, gesture))

    @Slot(object)
    def _on_face_changed(self, face: FaceAsset | None) -> None:
        self.undo_stack.clear()
        if face is not None:
            self._session.set_weights(face.fit.weights)
        self._compute_pose()  # at once: a face is never shown without its pose

    @Slot()
    def _compute_pose(self) -> None:
        self._due.stop()
        face = self._session.face
        if face is None:
            self._session.set_pose(None)
            return
        if self.pose_function is None:
            from engine.rig import pose

            self.pose_function = pose
        self._session.set_pose(self.pose_function(face.rig, self._session.weights, self._session.exact))


class _WeightsCommand(QUndoCommand):
    """One change of the weights; changes of the same drag melt into one."""

    def __init__(self, session: Session, weights: FloatArray, text: str, gesture: int) -> None:
        super().__init__(text)
        self._session = session
        self._before = session.weights
        self._after = weights
        self._gesture = gesture

    def id(self) -> int:
        return self._gesture

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _WeightsCommand) or other.id() != self._gesture:
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        self._session.set_weights(self._after)

    def undo(self) -> None:
        self._session.set_weights(self._before)
