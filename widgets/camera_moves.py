"""What a gesture in the viewport does to the camera, whichever it is."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize

from engine.camera import OrbitCamera, PhotoCamera

Camera = OrbitCamera | PhotoCamera

_DEGREES_PER_PX = 0.35
_KEY_TURN_DEG = 10.0
_KEY_SHARE = 0.1  # of the view's height, by which an arrow key moves the picture


def dragged(camera: Camera, move: QPointF, size: QSize, *, shift: bool) -> Camera:
    """The face or the picture follows the hand; ``shift`` moves the face instead of turning it."""
    if isinstance(camera, PhotoCamera):
        return camera.panned(move.x(), move.y(), size.toTuple())
    if shift:
        return camera.panned(move.x(), -move.y(), size.height())
    # Dragged to the right, the camera moves to the left.
    return camera.orbited(-move.x() * _DEGREES_PER_PX, move.y() * _DEGREES_PER_PX)


def stepped(camera: Camera, right: int, up: int, size: QSize) -> Camera:
    """The camera goes one step of an arrow key."""
    if isinstance(camera, PhotoCamera):
        step = _KEY_SHARE * size.height()
        return camera.panned(-right * step, up * step, size.toTuple())
    return camera.orbited(right * _KEY_TURN_DEG, up * _KEY_TURN_DEG)


def zoomed(camera: Camera, factor: float, at: QPointF | None, size: QSize) -> Camera:
    """Closer by ``factor``; over the photo the point ``at`` stays, None: the middle."""
    if isinstance(camera, PhotoCamera):
        place = QPointF(size.width() / 2, size.height() / 2) if at is None else at
        return camera.zoomed(factor, place.toTuple(), size.toTuple())
    return camera.zoomed(factor)
