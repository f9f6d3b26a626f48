"""What to tell a person in front of the camera: one short sentence, or that all is well."""

from __future__ import annotations

import numpy as np

from app.webcam import Frame
from engine.types import FaceBox, Landmarks

DARK, BRIGHT = 55.0, 225.0  # mean grey of the face, of 255
NEAR_ENOUGH, TOO_NEAR = 0.28, 0.80  # height of the face box over the picture's
OFF_CENTRE = 0.20  # distance of the face from the middle over the picture's height
TURNED = 0.13  # share of the face's width by which the nose is off its middle: about 15 degrees
NOSE_TIP, RIGHT_CHEEK, LEFT_CHEEK = 1, 234, 454  # dense landmark numbers

READY = "Good. Hold still."


def hint_for(frame: Frame) -> tuple[str, bool]:
    """Sentence for the preview, and whether the photo would be good as it is."""
    H, W, _ = frame.image.shape
    box = face_box(frame.face)
    if box is None:
        if _brightness(frame, FaceBox(W * 0.3, H * 0.2, W * 0.7, H * 0.8, 0.0)) < DARK:
            return "More light, please.", False
        return "Put your face into the outline.", False
    height = (box.y1 - box.y0) / H
    offset = np.hypot((box.x0 + box.x1 - W) / 2, (box.y0 + box.y1 - H) / 2) / H
    light = _brightness(frame, box)
    problems = (
        (light < DARK, "More light, please."),
        (light > BRIGHT, "Too bright: turn away from the light a little."),
        (height < NEAR_ENOUGH, "Come closer."),
        (height > TOO_NEAR, "Move back a little."),
        (offset > OFF_CENTRE, "Move into the middle of the outline."),
        (abs(_turn(frame.face)) > TURNED, "Look straight into the camera."),
    )
    return next(((text, False) for wrong, text in problems if wrong), (READY, True))


def face_box(face: FaceBox | Landmarks | None) -> FaceBox | None:
    """The box of whatever the face finder returned."""
    return face.box if isinstance(face, Landmarks) else face


def _brightness(frame: Frame, box: FaceBox) -> float:
    H, W, _ = frame.image.shape
    rows = slice(max(int(box.y0), 0), min(int(box.y1), H))
    columns = slice(max(int(box.x0), 0), min(int(box.x1), W))
    face = frame.image[rows, columns][::4, ::4]  # every fourth pixel tells as much
    return float(face.mean()) if face.size else 128.0


def _turn(face: FaceBox | Landmarks | None) -> float:
    """How far the nose is from the middle between the cheeks, in face widths; 0 for a mere box."""
    if not isinstance(face, Landmarks):
        return 0.0
    right, nose, left = face.dense[[RIGHT_CHEEK, NOSE_TIP, LEFT_CHEEK], 0]
    width = abs(float(left - right))
    return float(nose - (left + right) / 2) / width if width > 1 else 0.0
