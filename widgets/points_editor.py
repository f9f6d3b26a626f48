"""Placing a face's points by hand: a few guided clicks first, then all 68 to drag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.arrays import FloatArray, check
from widgets.face_guide import FaceGuide
from widgets.photo_overlays import CENTRE_PX
from widgets.points_item import PointsItem
from widgets.style import GAP_PX

CLICKS: tuple[tuple[int, str], ...] = (
    (36, "outer corner of the right eye"),
    (39, "inner corner of the right eye"),
    (42, "inner corner of the left eye"),
    (45, "outer corner of the left eye"),
    (30, "tip of the nose"),
    (48, "right corner of the mouth"),
    (54, "left corner of the mouth"),
    (57, "lower edge of the lower lip, in the middle"),
    (8, "lowest point of the chin"),
    (4, "corner of the jaw below the right ear"),
    (12, "corner of the jaw below the left ear"),
)
"""iBUG point and where to click for it; right and left are the person's."""

FEWEST_CLICKS = 5
STEP_PX, FINE_STEP_PX = 6.0, 1.0  # of the arrow keys, on the screen

_HELP = "Right and left are the person's. The wheel zooms, dragging moves the photo."
_CLICK_KEYS = "Keys: arrows move a cross (Shift: finer), Space sets the point, Backspace takes it back, Esc ends."
_DRAG_KEYS = (
    "Keys: Page Up and Page Down choose a point, arrows move it (Shift: finer), Enter uses the points, Esc ends."
)
_ARROWS = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """What undo goes back to."""

    points: FloatArray
    placed: tuple[int, ...]
    next_click: int


class PointsEditor(QFrame):
    """The bar below the photo while points are placed; draws into the photo's view."""

    clicks_placed = Signal(object)  # (68, 2) float32 landmarks px, NaN where there was no click
    points_accepted = Signal(object)  # (68, 2) float32 landmarks px
    cancelled = Signal()
    restart_requested = Signal()  # from the first click again

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view: Any = None  # pyqtgraph.PlotWidget
        self._item: PointsItem | None = None
        self._phase = ""
        self._placed: tuple[int, ...] = ()  # iBUG numbers of the item's points while clicking
        self._next = 0  # row of CLICKS
        self._undo: list[_Step] = []
        self._build_layout()
        self.hide()

    @property
    def phase(self) -> str:
        """'clicks', 'waiting' (the rest is being worked out), 'points', or '' while nothing is edited."""
        return self._phase

    @property
    def item(self) -> PointsItem | None:
        """The points as drawn."""
        return self._item

    def begin_clicks(self, view: Any, area: QRectF) -> None:
        """Ask for a few points in ``view`` (a pyqtgraph.PlotWidget), whose photo covers ``area``."""
        self._begin(view, area)
        self._placed, self._next = (), 0
        self._enter("clicks")

    def begin_points(self, view: Any, area: QRectF, points68: FloatArray) -> None:
        """Let all 68 points be dragged; (68, 2) float32 landmarks px."""
        self._begin(view, area)
        if self._item is not None:
            self._item.set_points(check("points68", points68, (68, 2)) + CENTRE_PX, 30)
        self._enter("points")

    def end(self) -> None:
        """Take everything off the photo."""
        if self._item is not None:
            self._view.getViewBox().removeItem(self._item)
            self._item.deleteLater()
            self._item = None
        self._phase = ""
        self.hide()

    def click(self, place: QPointF) -> None:
        """Set the point that is asked for, px of the drawing."""
        if self._phase != "clicks" or self._item is None or self._next >= len(CLICKS):
            return
        self._remember()
        index, _ = CLICKS[self._next]
        points = np.concatenate([self._item.points, np.array([[place.x(), place.y()]], np.float32)])
        self._placed, self._next = (*self._placed, index), self._next + 1
        self._item.cross = None
        self._item.set_points(points, len(points) - 1)
        self._go_on()

    def handle_key(self, event: QKeyEvent) -> bool:
        """Do what a key asks; False where it means nothing here."""
        if self._item is None or self._phase not in ("clicks", "points"):
            return self._phase == "waiting" and self._pressed(event, Qt.Key.Key_Escape, self.cancelled.emit)
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.key() in _ARROWS:
            step = FINE_STEP_PX if modifiers & Qt.KeyboardModifier.ShiftModifier else STEP_PX
            self._move(*(step / self._item.screen_scale() * part for part in _ARROWS[Qt.Key(event.key())]))
            return True
        if event.key() == Qt.Key.Key_Z and modifiers == Qt.KeyboardModifier.ControlModifier:
            self._take_back()
            return True
        if modifiers:
            return False
        if self._phase == "clicks":
            return (
                self._pressed(event, Qt.Key.Key_Space, self._click_cross)
                or self._pressed(event, Qt.Key.Key_Backspace, self._take_back)
                or self._pressed(event, Qt.Key.Key_Escape, self.cancelled.emit)
            )
        return (
            self._pressed(event, Qt.Key.Key_PageUp, lambda: self._choose(-1))
            or self._pressed(event, Qt.Key.Key_PageDown, lambda: self._choose(1))
            or self._pressed(event, Qt.Key.Key_Return, self._accept)
            or self._pressed(event, Qt.Key.Key_Enter, self._accept)
            or self._pressed(event, Qt.Key.Key_Escape, self.cancelled.emit)
        )

    def wants_key(self, event: QKeyEvent) -> bool:
        """Whether a key belongs to the editor before it may be a shortcut of the window."""
        undo = event.key() == Qt.Key.Key_Z and event.modifiers() == Qt.KeyboardModifier.ControlModifier
        return bool(self._phase) and (undo or event.key() in _ARROWS or event.key() == Qt.Key.Key_Escape)

    def _build_layout(self) -> None:
        self._guide = FaceGuide()
        self._sentence = QLabel()
        self._sentence.setWordWrap(True)
        self._sentence.setTextFormat(Qt.TextFormat.PlainText)
        self._count = QLabel()
        self._count.setObjectName("muted")
        self._count.setWordWrap(True)
        self._undo_button = _button("&Undo", "Take the last one back (Ctrl+Z)", self._take_back)
        self._skip = _button("&Skip", "This point cannot be seen", self._on_skip)
        self._fill = _button("&Fill in the rest", "Work out all other points from these", self._finish_clicks)
        self._restart = _button("Start &over", "Click the first few points again", self.restart_requested.emit)
        self._use = _button("Use these &points", "Make the face from these points (Enter)", self._accept)
        self._use.setObjectName("primary")
        self._cancel = _button("&Cancel", "Leave everything as it was (Esc)", self.cancelled.emit)
        words = QVBoxLayout()
        words.addStretch()
        words.addWidget(self._sentence)
        words.addWidget(self._count)
        words.addStretch()
        top = QHBoxLayout()
        top.setSpacing(GAP_PX)
        top.addWidget(self._guide)
        top.addLayout(words, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP_PX // 2)
        for button in (self._undo_button, self._skip, self._restart, self._fill, self._use, self._cancel):
            buttons.addWidget(button)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP_PX)
        layout.addLayout(top)
        layout.addLayout(buttons)

    def _begin(self, view: Any, area: QRectF) -> None:
        self.end()
        self._view = view
        self._undo = []
        self._item = PointsItem(area)
        self._item.grabbed.connect(self._remember)
        self._item.pressed.connect(self.click)  # the next point may lie close to the last one
        view.getViewBox().addItem(self._item, ignoreBounds=True)

    def _enter(self, phase: str) -> None:
        self._phase = phase
        clicking = phase == "clicks"
        self._guide.setVisible(phase != "points")
        for button in (self._skip, self._fill):
            button.setVisible(phase != "points")
        for button in (self._restart, self._use):
            button.setVisible(phase == "points")
        for button in (self._undo_button, self._skip, self._fill, self._use):
            button.setEnabled(phase != "waiting")
        self._view.setToolTip({"clicks": _CLICK_KEYS, "points": _DRAG_KEYS}.get(phase, ""))
        shape = Qt.CursorShape.CrossCursor if clicking else Qt.CursorShape.ArrowCursor
        self._view.viewport().setCursor(shape)
        self.show()
        self._view.setFocus()
        self._describe()

    def _describe(self) -> None:
        if self._phase == "clicks" and self._next < len(CLICKS):
            wanted, place = CLICKS[self._next]
            self._sentence.setText(f"Click the {place}.")
            self._count.setText(f"Point {self._next + 1} of {len(CLICKS)}. {_HELP}")
            self._guide.set_points(wanted, self._placed)
        elif self._phase == "points":
            self._sentence.setText("Drag what is off, then use the points. The wheel zooms, dragging elsewhere moves.")
            self._count.setText("")
        else:
            self._sentence.setText("Working out the other points …")
            self._count.setText("")
            self._guide.set_points(None, self._placed)
        self._count.setVisible(bool(self._count.text()))
        self._undo_button.setEnabled(bool(self._undo) and self._phase != "waiting")
        self._fill.setEnabled(self._phase == "clicks" and len(self._placed) >= FEWEST_CLICKS)
        left = len(CLICKS) - self._next
        self._skip.setEnabled(self._phase == "clicks" and len(self._placed) + left > FEWEST_CLICKS)

    def _remember(self) -> None:
        if self._item is not None:
            self._undo.append(_Step(self._item.points, self._placed, self._next))
            self._describe()

    def _take_back(self) -> None:
        if self._undo and self._item is not None and self._phase in ("clicks", "points"):
            step = self._undo.pop()
            self._placed, self._next = step.placed, step.next_click
            chosen = self._item.chosen
            kept = chosen if chosen is not None and chosen < len(step.points) else None
            self._item.set_points(step.points, kept)
            self._describe()

    def _on_skip(self) -> None:
        self._remember()
        self._next += 1
        self._go_on()
        self._view.setFocus()

    def _go_on(self) -> None:
        if self._next >= len(CLICKS):
            self._finish_clicks()
        else:
            self._describe()

    def _finish_clicks(self) -> None:
        if self._item is None or len(self._placed) < FEWEST_CLICKS:
            return
        clicks = np.full((68, 2), np.nan, np.float32)
        clicks[list(self._placed)] = self._item.points - CENTRE_PX
        self._enter("waiting")
        self.clicks_placed.emit(clicks)

    def _accept(self) -> None:
        if self._item is not None and self._phase == "points":
            self.points_accepted.emit(self._item.points - CENTRE_PX)

    def _choose(self, step: int) -> None:
        if self._item is not None and len(self._item.points):
            count = len(self._item.points)
            self._item.set_points(self._item.points, ((self._item.chosen or 0) + step) % count)

    def _move(self, dx: float, dy: float) -> None:
        if self._item is None:
            return
        if self._phase == "points":
            self._remember()
            self._item.move_chosen(dx, dy)
            return
        visible = self._view.getViewBox().viewRect()
        at = self._item.cross if self._item.cross is not None else visible.center()
        x = min(max(at.x() + dx, visible.left()), visible.right())
        y = min(max(at.y() + dy, visible.top()), visible.bottom())
        self._item.cross = QPointF(x, y)
        self._item.update()

    def _click_cross(self) -> None:
        if self._item is not None and self._item.cross is not None:
            at = QPointF(self._item.cross)
            self.click(at)
            if self._item is not None:
                self._item.cross = at

    @staticmethod
    def _pressed(event: QKeyEvent, key: Qt.Key, act: Any) -> bool:
        if event.key() == key:
            act()
            return True
        return False


def _button(text: str, tip: str, act: Any) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _checked=False: act())
    return button
