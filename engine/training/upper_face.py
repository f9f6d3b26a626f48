"""Brows, cheeks and the nose's wings.

Sources: the brow's middle rises by 7.57..9.02 mm on average (Cruz & Cruz, 'Quantification of frontalis muscle
action', 2004). The hairline is held still, a simplification: the upper forehead's skin really moves down (Cotofana et
al., bidirectional movement of the frontalis). Muscles after Ekman & Friesen (1978), action units 1, 2, 4, 6, 9;
amounts other than the brow's rise are ours.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import DoubleArray
from engine.training import cage as p
from engine.training.face_frame import FaceFrame, Move
from engine.training.regions import BROWS, EYES, EYES_L, EYES_R, FOREHEAD, JAWLINE, LIPS, NOSE, SIDES

_BONE_FROM_MM = 28.0  # height above subnasale from which skin slides over the brow's bone
_SLIDE_UP, _SLIDE_DOWN = 0.8, 0.35  # raised skin thins over the bone, lowered skin bunches before the eye


def brow_shapes(frame: FaceFrame) -> dict[str, DoubleArray]:
    """browDown, browInnerUp and browOuterUp of both sides."""
    face = frame.face
    reach = float(np.linalg.norm(face[105] - face[159])) / 20.0  # brow to lid, 1 on the average face
    fixed = frame.both(FOREHEAD | SIDES | (NOSE - {168}) | EYES | LIPS | JAWLINE | {50, 101})

    def moved(upper: tuple[Move, ...], share: float, middle: dict[int, Move]) -> dict[int, DoubleArray]:
        handles = {i: reach * np.array(move) for i, move in middle.items()}
        for i, j, move in zip(p.BROW_UPPER_R, p.BROW_LOWER_R, upper, strict=True):
            handles[i], handles[j] = reach * np.array(move), reach * share * np.array(move)
        return handles

    down = moved(
        ((0, -1.0, 0), (0.5, -2.6, 0), (1.2, -4.4, 0), (2.2, -5.6, 0.2), (3.0, -5.8, 0.4)),
        0.92,
        {9: (0, -3.6, 0.6), 8: (0, -3.4, 0.8), 168: (0, -1.2, 0.4)},
    )
    inner = moved(
        ((0, 0, 0), (0, 0.8, 0), (-0.2, 2.8, 0), (-0.5, 6.4, 0), (-0.6, 8.4, 0)),
        0.9,
        {9: (0, 7.0, 0), 151: (0, 2.6, 0), 8: (0, 5.0, 0)},
    )
    outer = moved(((-0.4, 5.8, 0), (-0.3, 7.6, 0), (0, 5.5, 0), (0, 2.4, 0), (0, 0.5, 0)), 0.9, {})
    return {
        "browDown": _slid(frame, frame.symmetric(down, fixed), _SLIDE_DOWN),
        "browInnerUp": _slid(frame, frame.symmetric(inner, fixed), _SLIDE_UP),
        "browOuterUp": _slid(frame, frame.symmetric(outer, fixed), _SLIDE_UP),
    }


def _slid(frame: FaceFrame, field: DoubleArray, share: float) -> DoubleArray:
    """The motion kept across and up, its depth taken by ``share`` from the surface over which the skin slides."""
    from scipy.interpolate import RBFInterpolator

    face = frame.face
    upper = np.flatnonzero(face[:, 1] > _BONE_FROM_MM)
    bone = RBFInterpolator(face[upper, :2], face[upper, 2], kernel="thin_plate_spline", smoothing=0.5)
    slid = field.copy()
    slid[upper, 2] += share * (bone(face[upper, :2] + field[upper, :2]) - bone(face[upper, :2]))
    return (slid + frame.mirrored(slid)) / 2


_PUFF: dict[int, Move] = {
    205: (-1.6, 0, 6.4), 187: (-5.0, 0, 5.0), 207: (-3.2, -0.5, 6.4), 214: (-4.4, -0.8, 5.4), 50: (-1.6, 0.4, 2.2),
    216: (-1.4, 0, 5.4), 192: (-5.0, -0.4, 3.6), 212: (-1.6, -0.4, 4.6), 164: (0, 0, 1.8), 18: (0, 0, 1.8),
}  # fmt: skip
_CHEEK: dict[int, Move] = {
    117: (0.2, 3.2, 1.4), 118: (0.1, 3.2, 1.5), 119: (0.1, 2.4, 1.0), 50: (-0.4, 4.4, 2.4), 101: (0, 3.6, 1.9),
    36: (0, 2.0, 0.8), 205: (-0.4, 2.4, 1.0), 145: (0, 1.2, 0.1), 144: (0, 1.1, 0.1), 153: (0, 0.9, 0.1), 163: (0, 0.7, 0.1),
    23: (0, 1.8, 0.4), 24: (0, 1.8, 0.4),
}  # fmt: skip
_SNEER: dict[int, Move] = {
    129: (-0.6, 5.2, -0.2), 64: (-0.7, 4.2, -0.2), 48: (-0.6, 3.8, 0), 98: (-0.4, 3.6, 0), 203: (-0.5, 4.6, 0.3),
    36: (0.3, 3.8, 1.3), 126: (0.5, 3.2, 1.1), 198: (0.3, 3.4, 0.8), 122: (0.7, 1.1, 0.8), 193: (0.7, -0.9, 0.7),
    39: (0, 2.8, 0.1), 37: (0, 1.8, 0.1), 92: (0, 2.8, 0.1), 165: (0, 3.2, 0.1),
}  # fmt: skip


def cheek_shapes(frame: FaceFrame) -> dict[str, DoubleArray]:
    """cheekPuff, and cheekSquint and noseSneer of both sides."""
    fixed = FOREHEAD | SIDES | JAWLINE | BROWS | EYES | LIPS | NOSE
    lids = {33, 133, 263, 362, *p.LID_UPPER_R, *p.LID_UPPER_L}

    def scaled(table: dict[int, Move]) -> dict[int, DoubleArray]:
        return {i: frame.width * np.array(move) for i, move in table.items()}

    return {
        "cheekPuff": frame.symmetric(scaled(_PUFF), fixed),
        "cheekSquint": frame.symmetric(scaled(_CHEEK), fixed - EYES_R - EYES_L | lids),
        "noseSneer": frame.symmetric(scaled(_SNEER), fixed - NOSE - {37, 39, 267, 269} | {168, 1, 2, 4, 5, 6}),
    }
