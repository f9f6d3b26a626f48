"""The camera picture as in a mirror, with the outline to fit the face into, what was found, and the countdown."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.arrays import ByteArray, check
from engine.types import FaceBox, Landmarks
from widgets.style import BACKDROP

OUTLINE_HEIGHT = 0.78  # of the picture's height
OUTLINE_ASPECT = 0.74  # width over height of a head with hair
GOOD_COLOUR = QColor(110, 220, 140)
PLAIN_COLOUR = QColor(255, 255, 255, 200)
SHADE = QColor(0, 0, 0, 110)
FACE_COLOUR = QColor(140, 225, 255, 210)

FACE_LINES: tuple[tuple[int, ...], ...] = (
    (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
     152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10),
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7, 33),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249, 263),
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146, 61),
    (70, 63, 105, 66, 107),
    (336, 296, 334, 293, 300),
    (168, 6, 197, 195, 5, 4),
)  # fmt: skip
"""Dense points joined by lines: outline, eyes, lips, brows, bridge of the nose."""


class CameraPreview(QWidget):
    """Paints one frame at a time, as large as it fits."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumSize(480, 320)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._pixels: ByteArray | None = None  # kept alive for the QImage that looks into it
        self._picture: QImage | None = None
        self._face: FaceBox | Landmarks | None = None
        self._mirrored = True
        self._good = False
        self._count = 0
        self._dimmed = False

    def sizeHint(self) -> QSize:
        """Wide enough for a 16:9 camera."""
        return QSize(800, 450)

    def set_live(self, image: ByteArray, face: FaceBox | Landmarks | None) -> None:
        """Show a camera frame mirrored, with the outline; (H, W, 3) uint8 RGB."""
        self._set_picture(image)
        self._face, self._mirrored, self._dimmed = face, True, False
        self.update()

    def set_still(self, image: ByteArray) -> None:
        """Show the photo that was taken, as others see it; (H, W, 3) uint8 RGB."""
        self._set_picture(image)
        self._face, self._mirrored, self._dimmed = None, False, False
        self.update()

    def set_good(self, good: bool) -> None:
        """Colour the outline: the photo would be good."""
        self._good = good
        self.update()

    def set_count(self, count: int) -> None:
        """Show the seconds to the photo; 0 hides them."""
        self._count = count
        self.update()

    def dim(self) -> None:
        """Darken the last picture: it is old, the camera has failed or is starting."""
        self._dimmed = True
        self.update()

    def _set_picture(self, image: ByteArray) -> None:
        self._pixels = np.ascontiguousarray(check("image", image, (None, None, 3), np.uint8))
        H, W, _ = self._pixels.shape
        self._picture = QImage(self._pixels.data, W, H, 3 * W, QImage.Format.Format_RGB888)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture and what lies over it."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(BACKDROP))
        if self._picture is not None:
            target = self._target(self._picture.size())
            self._draw_picture(painter, target, self._picture)
            if self._dimmed:
                painter.fillRect(target, QColor(0, 0, 0, 190))
            elif self._mirrored:
                self._draw_outline(painter, target)
        if self._count:
            self._draw_count(painter)
        painter.end()

    def _target(self, size: QSize) -> QRectF:
        fitted = QRectF(QPointF(0, 0), size.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio).toSizeF())
        fitted.moveCenter(QRectF(self.rect()).center())
        return fitted

    def _draw_picture(self, painter: QPainter, target: QRectF, picture: QImage) -> None:
        painter.save()
        if self._mirrored:
            painter.translate(2 * target.center().x(), 0)
            painter.scale(-1, 1)
        painter.drawImage(target, picture)
        painter.translate(target.topLeft())
        painter.scale(target.width() / picture.width(), target.height() / picture.height())
        if not self._dimmed:
            self._draw_face(painter, picture.width() / max(target.width(), 1.0))
        painter.restore()

    def _draw_face(self, painter: QPainter, pixel: float) -> None:
        """Draw what was found, in image px; ``pixel`` is the size of a screen pixel there."""
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if isinstance(self._face, Landmarks):
            painter.setPen(QPen(FACE_COLOUR, 1.6 * pixel, c=Qt.PenCapStyle.RoundCap, j=Qt.PenJoinStyle.RoundJoin))
            places = [QPointF(float(x), float(y)) for x, y in self._face.dense + 0.5]
            for line in FACE_LINES:
                painter.drawPolyline([places[index] for index in line])
        elif self._face is not None:
            box = self._face
            painter.setPen(QPen(FACE_COLOUR, 1.5 * pixel, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(QRectF(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0), 8 * pixel, 8 * pixel)

    def _draw_outline(self, painter: QPainter, target: QRectF) -> None:
        height = min(OUTLINE_HEIGHT * target.height(), 0.9 * target.width() / OUTLINE_ASPECT)
        oval = QRectF(0, 0, height * OUTLINE_ASPECT, height)
        oval.moveCenter(target.center())
        shade, hole = QPainterPath(), QPainterPath()
        shade.addRect(target)
        hole.addEllipse(oval)
        painter.fillPath(shade.subtracted(hole), SHADE)
        painter.setPen(QPen(GOOD_COLOUR if self._good else PLAIN_COLOUR, 2.5))
        painter.drawEllipse(oval)

    def _draw_count(self, painter: QPainter) -> None:
        font = QFont(self.font())
        font.setPixelSize(max(48, self.height() // 4))
        font.setBold(True)
        path = QPainterPath()
        path.addText(0, 0, font, str(self._count))
        path.translate(QRectF(self.rect()).center() - path.boundingRect().center())
        painter.setPen(QPen(QColor(0, 0, 0, 150), 6, j=Qt.PenJoinStyle.RoundJoin))
        painter.drawPath(path)
        painter.fillPath(path, QColor(255, 255, 255))
