"""Line icons, drawn here so that they are sharp at every size and need no files."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

from widgets.style import DISABLED, TEXT

_GRID = 24.0
_SIZES_PX = (20, 40)


def icon(name: str) -> QIcon:
    """The icon called ``name`` (a key of the table below) in the colours of the style."""
    result = QIcon()
    for size in _SIZES_PX:
        result.addPixmap(_pixmap(name, size, TEXT), QIcon.Mode.Normal)
        result.addPixmap(_pixmap(name, size, DISABLED), QIcon.Mode.Disabled)
    return result


def _pixmap(name: str, size: int, colour: str) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / _GRID, size / _GRID)
    painter.setPen(QPen(QColor(colour), 1.7, c=Qt.PenCapStyle.RoundCap, j=Qt.PenJoinStyle.RoundJoin))
    painter.drawPath(_path(name))
    painter.end()
    return pixmap


def _path(name: str) -> QPainterPath:
    path = QPainterPath()
    for stroke in _STROKES[name]:
        if stroke[0] == "circle":
            _, x, y, radius = stroke
            path.addEllipse(QPointF(x, y), radius, radius)
        elif stroke[0] == "ellipse":
            _, x, y, rx, ry = stroke
            path.addEllipse(QPointF(x, y), rx, ry)
        elif stroke[0] == "arc":
            _, x, y, radius, start, span = stroke
            box = QRectF(x - radius, y - radius, 2 * radius, 2 * radius)
            path.arcMoveTo(box, start)
            path.arcTo(box, start, span)
        else:
            points = [QPointF(x, y) for x, y in zip(stroke[1::2], stroke[2::2], strict=True)]
            path.moveTo(points[0])
            for point in points[1:]:
                path.lineTo(point)
    return path


# Strokes on a grid of 24 x 24, y down: line x y ..., circle x y r, ellipse x y rx ry, arc x y r start span (degrees).
_STROKES: dict[str, tuple[tuple[Any, ...], ...]] = {
    "open": (("line", 3, 19, 3, 5, 9, 5, 11.5, 8, 21, 8, 21, 19, 3, 19),),
    "webcam": (
        ("line", 3, 7, 15, 7, 15, 17, 3, 17, 3, 7),
        ("line", 15, 11, 21, 7.5, 21, 16.5, 15, 13),
    ),
    "export": (("line", 12, 15, 12, 3.5), ("line", 7.5, 8, 12, 3.5, 16.5, 8), ("line", 4, 14, 4, 20, 20, 20, 20, 14)),
    "undo": (
        ("line", 8, 4.5, 3.5, 9, 8, 13.5),
        ("line", 3.5, 9, 14, 9),
        ("arc", 14, 14, 5, 90, -180),
        ("line", 14, 19, 8, 19),
    ),
    "redo": (
        ("line", 16, 4.5, 20.5, 9, 16, 13.5),
        ("line", 20.5, 9, 10, 9),
        ("arc", 10, 14, 5, 90, 180),
        ("line", 10, 19, 16, 19),
    ),
    "front": (
        ("ellipse", 12, 12, 6.5, 8.5),
        ("line", 9.3, 10, 9.4, 10),
        ("line", 14.6, 10, 14.7, 10),
        ("arc", 12, 14, 2.6, 200, 140),
    ),
    "three-quarter": (
        ("ellipse", 12, 12, 6.5, 8.5),
        ("line", 12, 10, 12.1, 10),
        ("line", 16.2, 10, 16.3, 10),
        ("arc", 14, 14, 2.4, 200, 140),
    ),
    "side": (
        ("line", 8, 20.5, 13.5, 20.5, 15, 17.5, 14.6, 15.6, 15.6, 15.2, 15.2, 13.4, 17.5, 12.8, 15, 9, 15, 6.8),
        ("arc", 10.5, 7.9, 4.6, 14, 190),
        ("line", 6.1, 9.6, 8, 14, 8, 20.5),
    ),
    "over-photo": (
        ("line", 3, 3.5, 21, 3.5, 21, 20.5, 3, 20.5, 3, 3.5),
        ("ellipse", 12, 12, 4.4, 5.9),
        ("line", 10.3, 10.8, 10.4, 10.8),
        ("line", 13.6, 10.8, 13.7, 10.8),
        ("arc", 12, 13.2, 1.8, 200, 140),
    ),
    "reset": (("arc", 12, 12, 7.5, 60, 280), ("line", 15.5, 1.8, 16, 5.6, 12.2, 6.4)),
    "photo": (
        ("line", 3, 5, 21, 5, 21, 19, 3, 19, 3, 5),
        ("circle", 8, 9.5, 1.6),
        ("line", 3, 17, 9, 12.5, 13, 16, 16.5, 12.5, 21, 16.5),
    ),
}
