"""The lids: they slide over the eyeball, meet when the eye closes, and follow the gaze.

Sources: fissure of 9..10 mm (Farkas 1994), closed four fifths by the upper lid; the upper lid follows the eye down and up,
the lower lid less (Ekman & Friesen 1978, action units 5, 7, 43, 61-64).
"""

from __future__ import annotations

import numpy as np

from engine.arrays import DoubleArray
from engine.training import cage as p
from engine.training.face_frame import FaceFrame
from engine.training.regions import BROWS, FOREHEAD, JAWLINE, LIPS, NOSE, SIDES

_ABOVE = (247, 30, 29, 27, 28, 56, 190)
_BELOW = (25, 110, 24, 23, 22, 26, 112)
_CLOSED = (0.80, 0.20)
_MOTIONS = {
    # share of the opening that the upper and the lower lid close (+), and mm towards the nose
    "eyeBlink": (*_CLOSED, 0.0),
    "eyeSquint": (0.16, 0.30, 0.0),
    "eyeLookDown": (0.42, -0.12, 0.0),
    "eyeLookIn": (0.03, 0.02, 0.8),
    "eyeWide": (-0.30, -0.08, 0.0),
    "eyeLookOut": (0.03, 0.03, -0.8),
    "eyeLookUp": (-0.26, 0.08, 0.0),
}
_SQUINT_CHEEK = {117: (0.2, 1.4, 0.3), 101: (0.1, 1.2, 0.4)}
CLOSED_WITH = ("eyeSquint", "eyeLookDown", "eyeWide", "eyeLookUp", "cheekSquint")
"""Shapes that move the lids too: where they meet a blink, the lids stay closed and do not cross."""


def lid_shapes(frame: FaceFrame) -> dict[str, DoubleArray]:
    """Both eyes' motions, (468, 3) mm each."""
    fields = {name: _field(frame, *motion) for name, motion in _MOTIONS.items() if name != "eyeSquint"}
    return fields | {"eyeSquint": _field(frame, *_MOTIONS["eyeSquint"], cheek=True)}


def half_blink(frame: FaceFrame) -> DoubleArray:
    """What the lids' arc around the eyeball adds half-way to half of the blink."""
    upper, lower = _CLOSED
    return _field(frame, upper / 2, lower / 2, 0.0) - _field(frame, upper, lower, 0.0) / 2


def closed_with(frame: FaceFrame, name: str, field: DoubleArray) -> DoubleArray:
    """What a full blink together with the shape ``name``, whose field is given, lacks to closed lids."""
    if name == "cheekSquint":
        rim = {i: -field[i] for i in (*p.LID_UPPER_R, *p.LID_LOWER_R)}
        rim |= {outside: -0.6 * field[outside] for outside in _BELOW}
        return frame.symmetric(rim, _fixed(frame) | {117, 118, 119, 346, 347, 348})
    if name == "eyeSquint":
        return _field(frame, *_CLOSED, 0.0, cheek=True) - _field(frame, *_CLOSED, 0.0) - field
    return -field


def _fixed(frame: FaceFrame) -> set[int]:
    return frame.both(FOREHEAD | SIDES | JAWLINE | NOSE | LIPS | BROWS | {50, 101, 205, 193})


def _field(frame: FaceFrame, upper: float, lower: float, inwards_mm: float, *, cheek: bool = False) -> DoubleArray:
    """Lids that close by shares of the opening, sliding on the eyeball."""
    face = frame.face
    handles: dict[int, DoubleArray] = {p.EYE_OUTER_R: np.zeros(3), p.EYE_INNER_R: np.zeros(3)}
    for k, (u, d) in enumerate(zip(p.LID_UPPER_R, p.LID_LOWER_R, strict=True)):
        opening = face[d] - face[u]
        shift = np.array([inwards_mm * (1 - abs(k - 3) / 4), 0.0, 0.0])
        for point, share, outside in ((u, upper, _ABOVE[k]), (d, -lower, _BELOW[k])):
            handles[point] = frame.on_ball(face[point] + share * opening + shift) - face[point]
            follow = 0.45 if share * (1 if point == u else -1) > 0 else 0.65
            handles[outside] = handles[point] * (follow, follow, 0.25)
    fixed = _fixed(frame)
    if cheek:
        handles |= {i: np.array(move) for i, move in _SQUINT_CHEEK.items()}
    return frame.symmetric(handles, fixed)
