"""A small drawing of a face that shows which point to click next."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.photo_overlays import outlines
from widgets.style import ACCENT_BRIGHT, DISABLED

# The model's mean face from the front: 68 iBUG points, x from the middle, y down from the brows, chin at 100.
_TEMPLATE = np.array(
    [
        (-49, 28), (-49, 41), (-48, 54), (-44, 68), (-38, 79), (-30, 89), (-21, 97), (-11, 100), (0, 100),
        (11, 100), (21, 97), (30, 89), (38, 79), (44, 68), (48, 54), (49, 41), (49, 28),
        (-41, 13), (-35, 5), (-26, 1), (-17, 0), (-8, 3), (8, 3), (17, 0), (26, 1), (35, 5), (41, 13),
        (0, 14), (0, 23), (0, 33), (0, 42), (-9, 49), (-5, 50), (0, 52), (5, 50), (9, 49),
        (-31, 19), (-24, 14), (-19, 14), (-14, 20), (-20, 21), (-25, 21),
        (14, 20), (19, 14), (24, 14), (31, 19), (25, 21), (20, 21),
        (-19, 67), (-12, 64), (-5, 61), (0, 62), (5, 61), (12, 64), (19, 67), (12, 71), (5, 73), (0, 74), (-5, 73),
        (-12, 71), (-17, 67), (-5, 66), (0, 66), (5, 66), (17, 67), (5, 67), (0, 67), (-5, 67),
    ],
    np.float32,
)  # fmt: skip
_SIZE_PX = 88
_MARGIN_PX = 7


class FaceGuide(QWidget):
    """Draws the template with one point marked and those that were done before."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._wanted: int | None = None
        self._done: tuple[int, ...] = ()

    def sizeHint(self) -> QSize:
        """A small square."""
        return QSize(_SIZE_PX, _SIZE_PX)

    def set_points(self, wanted: int | None, done: tuple[int, ...]) -> None:
        """Mark iBUG point ``wanted`` and dot the ``done`` ones."""
        self._wanted, self._done = wanted, done
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        scale = (self.height() - 2 * _MARGIN_PX) / 100.0
        points = (_TEMPLATE * np.float32(scale) + (self.width() / 2, _MARGIN_PX)).astype(np.float32)
        painter.setPen(QPen(QColor(DISABLED), 1.3))
        painter.drawPath(outlines(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ACCENT_BRIGHT))
        for index in self._done:
            painter.drawEllipse(_point(points, index), 2.0, 2.0)
        if self._wanted is not None:
            painter.drawEllipse(_point(points, self._wanted), 3.2, 3.2)
            painter.setPen(QPen(QColor(ACCENT_BRIGHT), 1.4))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(_point(points, self._wanted), 6.0, 6.0)
        painter.end()


def _point(points: np.ndarray, index: int) -> QPointF:
    return QPointF(float(points[index, 0]), float(points[index, 1]))
