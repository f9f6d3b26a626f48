"""What is drawn over a photo: lines through landmarks, boxes, and the picture itself at a size that suits a panel."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsPathItem, QGraphicsRectItem

from engine.arrays import ByteArray, FloatArray
from engine.types import FaceBox

POLYLINES: tuple[tuple[tuple[int, ...], bool], ...] = (
    (tuple(range(0, 17)), False),  # jaw
    (tuple(range(17, 22)), False),  # right brow
    (tuple(range(22, 27)), False),  # left brow
    (tuple(range(27, 31)), False),  # bridge of the nose
    (tuple(range(31, 36)), False),  # nostrils
    (tuple(range(36, 42)), True),  # right eye
    (tuple(range(42, 48)), True),  # left eye
    (tuple(range(48, 60)), True),  # outer lips
    (tuple(range(60, 68)), True),  # inner lips
)
"""iBUG points joined by a line, and whether the line closes."""

CENTRE_PX = np.float32(0.5)
"""Landmarks name a pixel's centre with whole numbers; the picture is drawn from 0 to its width."""

SHOWN_SIDE = 1600  # px of the longer side: sharp in a panel, and a 48 MP photo does not stop the window
POINT_COLOUR = QColor(255, 255, 255, 190)
LINE_COLOUR = QColor(94, 208, 255)
MESH_COLOUR = QColor(255, 255, 255, 110)
MODEL_COLOUR = QColor(255, 176, 66)
BOX_COLOUR = QColor(255, 214, 102)


def rect_of(box: FaceBox) -> QRectF:
    """The box in the coordinates of the drawing."""
    shift = float(CENTRE_PX)
    return QRectF(box.x0 + shift, box.y0 + shift, box.x1 - box.x0, box.y1 - box.y0)


def outlines(points68: FloatArray) -> QPainterPath:
    """Lines through the 68 iBUG points (68, 2)."""
    path = QPainterPath()
    for indices, closed in POLYLINES:
        corners = [QPointF(float(x), float(y)) for x, y in points68[list(indices)]]
        path.moveTo(corners[0])
        for corner in corners[1:]:
            path.lineTo(corner)
        if closed:
            path.closeSubpath()
    return path


def segments(pairs: FloatArray) -> QPainterPath:
    """Single lines (n, 2, 2)."""
    path = QPainterPath()
    for (x0, y0), (x1, y1) in pairs.tolist():
        path.moveTo(x0, y0)
        path.lineTo(x1, y1)
    return path


def path_item(path: QPainterPath, colour: QColor, width_px: float) -> QGraphicsPathItem:
    """A path as part of the drawing, its lines ``width_px`` wide at every zoom."""
    item = QGraphicsPathItem(path)
    item.setPen(cosmetic_pen(colour, width_px))
    return item


def box_item(rect: QRectF) -> QGraphicsRectItem:
    """The dashed box of a face that may be picked."""
    item = QGraphicsRectItem(rect)
    item.setPen(cosmetic_pen(BOX_COLOUR, 2.0, Qt.PenStyle.DashLine))
    return item


def cosmetic_pen(colour: QColor, width_px: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """A pen whose width is in screen px, however far the photo is zoomed."""
    pen = QPen(colour, width_px, style)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCosmetic(True)
    return pen


def reduced(image: ByteArray) -> QImage:
    """The picture at most ``SHOWN_SIDE`` px long; coarse steps first, because smooth ones take 8 ns a pixel."""
    step = max(1, max(image.shape[:2]) // (2 * SHOWN_SIDE))
    coarse = np.ascontiguousarray(image[::step, ::step])
    H, W, _ = coarse.shape
    picture = QImage(coarse.data, W, H, 3 * W, QImage.Format.Format_RGB888)
    if max(H, W) <= SHOWN_SIDE:
        return picture.copy()  # ours: the array above is gone when this returns
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return picture.scaled(SHOWN_SIDE, SHOWN_SIDE, keep, smooth)
