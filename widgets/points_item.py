"""Points over a photo that can be dragged, and a cross that keys move."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QApplication, QGraphicsObject, QGraphicsSceneMouseEvent, QStyleOptionGraphicsItem, QWidget

from engine.arrays import FloatArray
from widgets.photo_overlays import LINE_COLOUR, POLYLINES, outlines

REACH_PX = 9.0
"""Screen px around a point within which the mouse takes it."""

_POINT_COUNT = 1 + max(index for indices, _ in POLYLINES for index in indices)
_DOT_PX, _CHOSEN_PX, _CROSS_PX = 3.0, 6.0, 12.0
_DOT_COLOUR = QColor(255, 255, 255)
_CHOSEN_COLOUR = QColor(255, 176, 66)
_SHADOW = QColor(0, 0, 0, 150)


class PointsItem(QGraphicsObject):
    """Any number of points in the coordinates of the drawing; all 68 are joined by lines."""

    grabbed = Signal()  # a drag begins: what was before can be kept
    pressed = Signal(QPointF)  # a point was taken and let go where it was
    changed = Signal()  # points moved or another one was chosen

    def __init__(self, area: QRectF) -> None:
        """``area``: the photo; points may lie a little beyond it."""
        super().__init__()
        self._area = area.adjusted(-area.width(), -area.height(), area.width(), area.height())
        self.points: FloatArray = np.zeros((0, 2), np.float32)
        self.chosen: int | None = None
        self.cross: QPointF | None = None
        self._offset = QPointF()
        self._dragged = False
        self.setAcceptedMouseButtons(Qt.MouseButton.LeftButton)
        self.setCursor(Qt.CursorShape.SizeAllCursor)
        self.setZValue(10)

    def set_points(self, points: FloatArray, chosen: int | None = None) -> None:
        """Show these (n, 2) points; ``chosen``: which one the keys move."""
        self.points, self.chosen = points, chosen
        self.update()
        self.changed.emit()

    def move_chosen(self, dx: float, dy: float) -> None:
        """Shift the chosen point."""
        if self.chosen is not None:
            self._move(self.chosen, QPointF(*self.points[self.chosen].tolist()) + QPointF(dx, dy))

    def screen_scale(self) -> float:
        """Screen px per px of the photo."""
        return max(abs(self.sceneTransform().m11()), 1e-6)

    def boundingRect(self) -> QRectF:
        """The photo and as much again on every side."""
        return self._area

    def shape(self) -> QPainterPath:
        """Where the mouse takes a point; elsewhere it moves the photo."""
        radius = REACH_PX / self.screen_scale()
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.WindingFill)
        for x, y in self.points.tolist():
            path.addEllipse(QPointF(x, y), radius, radius)
        return path

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """Draw lines, points, the chosen one and the cross."""
        pixel = 1.0 / self.screen_scale()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if len(self.points) == _POINT_COUNT:
            painter.setPen(QPen(LINE_COLOUR, 1.5 * pixel))
            painter.drawPath(outlines(self.points))
        painter.setPen(QPen(_SHADOW, pixel))
        for index, (x, y) in enumerate(self.points.tolist()):
            chosen = index == self.chosen
            radius = (_CHOSEN_PX if chosen else _DOT_PX) * pixel
            painter.setBrush(_CHOSEN_COLOUR if chosen else _DOT_COLOUR)
            painter.drawEllipse(QPointF(x, y), radius, radius)
        if self.cross is not None:
            self._draw_cross(painter, self.cross, pixel)

    def mousePressEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        """Take the nearest point within reach."""
        index = self._nearest(event.pos())
        if index is None:
            event.ignore()
            return
        self._dragged = False
        self._offset = QPointF(*self.points[index].tolist()) - event.pos()
        self.chosen = index
        self.update()
        self.changed.emit()

    def mouseMoveEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        """Let it follow."""
        far = (event.screenPos() - event.buttonDownScreenPos(Qt.MouseButton.LeftButton)).manhattanLength()
        if self.chosen is None or (not self._dragged and far < QApplication.startDragDistance() / 3):
            return
        if not self._dragged:
            self._dragged = True
            self.grabbed.emit()
        self._move(self.chosen, event.pos() + self._offset)

    def mouseReleaseEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        """Tell of a mere click."""
        if not self._dragged:
            self.pressed.emit(event.pos())

    def mouseDoubleClickEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        """Nothing: the second click of a hasty user places no point."""

    def _move(self, index: int, to: QPointF) -> None:
        x = min(max(to.x(), self._area.left()), self._area.right())
        y = min(max(to.y(), self._area.top()), self._area.bottom())
        self.points = self.points.copy()
        self.points[index] = x, y
        self.update()
        self.changed.emit()

    def _nearest(self, place: QPointF) -> int | None:
        if not len(self.points):
            return None
        distance = np.hypot(*(self.points - (place.x(), place.y())).T)
        index = int(distance.argmin())
        return index if distance[index] <= REACH_PX / self.screen_scale() else None

    @staticmethod
    def _draw_cross(painter: QPainter, at: QPointF, pixel: float) -> None:
        for colour, width in ((_SHADOW, 4.0), (_CHOSEN_COLOUR, 1.6)):
            painter.setPen(QPen(colour, width * pixel))
            for dx, dy in ((1, 0), (0, 1)):
                reach = QPointF(dx, dy) * _CROSS_PX * pixel
                painter.drawLine(at - reach, at + reach)
