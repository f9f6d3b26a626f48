"""The lips' shapes: motions of the lip rings, with the cheek and chin that follow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.arrays import DoubleArray
from engine.training import lip_motions
from engine.training.cage import MOUTH_CORNER_L
from engine.training.face_frame import FaceFrame, Move
from engine.training.regions import LIPS, LOWER_RINGS, MOUTH_FIXED, UPPER_RINGS

LipMotion = Callable[[float, int, bool], Move]
"""(t from -1 right corner to 1 left corner, ring 0 skin .. 3 inside, upper?) -> motion in half mouth widths."""

# Motion of skin beside the lips, mm on an average face, right side and mid-line.
_CHIN: dict[int, Move] = {200: (0, 3.0, 1.0), 199: (0, 3.4, 0.6), 201: (0, 2.6, 0.8), 175: (0, 2.0, 0.2)}
_PAIRS: dict[str, tuple[LipMotion, dict[int, Move]]] = {
    "mouthSmile": (
        lip_motions.smile,
        {
            216: (-4.2, 4.8, -1.4), 206: (-2.2, 3.2, 0.0), 205: (-2.0, 3.9, 1.6), 50: (-1.0, 3.6, 2.0),
            101: (-0.3, 2.4, 1.4), 187: (-2.2, 3.0, 0.6), 129: (-0.9, 0.8, 0), 118: (-0.2, 1.6, 0.7), 203: (-1.0, 1.6, 0.0),
        },
    ),
    "mouthDimple": (lip_motions.dimple, {205: (-0.4, 0.4, 0.4), 214: (-0.5, 0.3, 0.2)}),
    "mouthFrown": (lip_motions.frown, {204: (-0.3, -3.2, 0), 32: (0, -1.2, 0.4), 199: (0, 0.8, 0.4)}),
    "mouthStretch": (lip_motions.stretch, {214: (-3.0, -1.6, -1.2), 204: (-3.0, -2.4, -1.0)}),
    "mouthPress": (
        lip_motions.press,
        {
            199: (0, 0.7, 0.3), 205: (-0.2, 0.2, 0.4), 200: (0, 1.6, 0.2), 201: (0, 1.6, 0.2), 204: (0, 0.8, 0.2),
            32: (0, 0.5, 0.1),
        },
    ),
    "mouthUpperUp": (
        lip_motions.upper_up,
        {205: (-0.4, 2.8, 0.8), 203: (-0.6, 3.4, 0.3), 129: (-0.4, 1.4, 0), 165: (-0.1, 5.2, 0.2), 92: (0, 4.8, 0)},
    ),
    "mouthLowerDown": (lip_motions.lower_down, {204: (-0.4, -3.2, 0.2), 194: (-0.4, -3.6, 0.2)}),
}  # fmt: skip
_WHOLE: dict[str, tuple[LipMotion, dict[int, Move]]] = {
    "mouthPucker": (
        lip_motions.pucker,
        {
            205: (1.6, 0, 1.0),
            204: (3.0, 0.4, 2.4),
            187: (1.0, 0, 0.2),
            164: (0, 0.2, 4.8),
            167: (2.0, 0.2, 4.6),
            165: (5.0, 0.4, 4.0),
            92: (7.0, 0.6, 3.4),
            18: (0, -0.4, 3.2),
            83: (0.8, -0.4, 3.0),
            57: (9.0, 0, 2.6),
            186: (8.0, 0.3, 3.0),
            43: (8.0, -0.3, 3.0),
            216: (5.0, 0, 1.8),
            212: (5.0, 0, 1.6),
        },
    ),
    "mouthFunnel": (lip_motions.funnel, {205: (1.0, 0.2, 0.6), 204: (1.0, -1.0, 0.8), 164: (0, 1.0, 1.6)}),
    "mouthRollUpper": (lip_motions.roll_upper, {164: (0, -1.2, -0.6), 167: (0, -1.2, -0.6), 165: (0, -1.0, -0.6)}),
    "mouthRollLower": (lip_motions.roll_lower, {18: (0, 1.8, -0.8), 83: (0, 1.8, -0.8), 182: (0, 1.4, -0.6)}),
    "mouthShrugLower": (lip_motions.shrug_lower, {**_CHIN, 18: (0, 3.6, 1.6), 83: (0, 3.4, 1.5)}),
    "mouthShrugUpper": (
        lip_motions.shrug_upper,
        {164: (0, 2.4, 1.0), 203: (0, 0.6, 0), 200: (0, 1.8, 0.4), 199: (0, 1.6, 0.2)},
    ),
}


def lip_pairs(frame: FaceFrame) -> dict[str, DoubleArray]:
    """Two-sided motions that come as a left and a right shape."""
    return {name: _lips(frame, *motion) for name, motion in _PAIRS.items()}


def whole_lip_shapes(frame: FaceFrame) -> dict[str, DoubleArray]:
    """Shapes of the whole mouth."""
    left = _lips(frame, lip_motions.aside, {})
    # The left cheek bunches before the corner, the right one is drawn flat.
    cheeks: dict[int, Move] = {205: (1.3, 0.2, 0.4), 425: (1.2, 0.5, 2.6), 411: (1.0, 0.2, 1.8), 200: (1.1, 0, 0)}
    left = left + frame.spread({i: np.array(pull) for i, pull in cheeks.items()}, MOUTH_FIXED | LIPS)
    fields = {name: _lips(frame, *motion) for name, motion in _WHOLE.items()}
    return fields | {"mouthLeft": left, "mouthRight": frame.mirrored(left)}


def _lips(frame: FaceFrame, motion: LipMotion, beside: dict[int, Move]) -> DoubleArray:
    """Spread a motion of all lip rings, and of the skin ``beside`` them."""
    unit = frame.lip_units()
    # By the place across the mouth, not by column: neighbours in thin corners move alike, so nothing folds there.
    across = frame.template[:, 0] / frame.template[MOUTH_CORNER_L, 0]
    handles: dict[int, DoubleArray] = {}
    for rings, upper in ((LOWER_RINGS, False), (UPPER_RINGS, True)):
        for r, ring in enumerate(rings):
            for point in ring:
                moved = unit * motion(float(across[point]), r, upper)
                handles[point] = (handles[point] + moved) / 2 if point in handles else moved  # corners: of both lips
    for point, move in beside.items():
        scaled = np.array(move) * unit / 26.0
        handles[point] = scaled
        if frame.mirror[point] != point:
            handles[int(frame.mirror[point])] = scaled * (-1, 1, 1)
    return frame.spread(handles, MOUTH_FIXED)
