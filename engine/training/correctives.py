"""What combinations of shapes need beside their sum: fields that the rig adds by the product of two weights.

A pair of the same shape is an in-between: it acts half-way, where lids and jaw run on an arc and not on its chord.
"""

from __future__ import annotations

import numpy as np

from engine import expressions
from engine.arrays import DoubleArray, IntArray
from engine.training import jaw, lids
from engine.training.face_frame import FaceFrame
from engine.training.regions import LOWER_RINGS, MOUTH_FIXED, UPPER_RINGS

_SIDES = ("Left", "Right")
# Shapes of the lower lip that turn with the opened jaw.
_ON_THE_JAW = ("mouthPucker", "mouthFunnel", "mouthRollLower", "mouthShrugLower")
_ON_THE_JAW_SIDES = ("mouthSmile", "mouthLowerDown", "mouthFrown", "mouthStretch", "mouthPress")


def _names() -> tuple[tuple[str, str], ...]:
    found = [("jawOpen", "jawOpen"), ("mouthClose", "mouthClose")]
    found += [("jawOpen", name) for name in _ON_THE_JAW]
    found += [("jawOpen", name + side) for name in _ON_THE_JAW_SIDES for side in _SIDES]
    found += [("mouthPucker", "mouthFunnel")]
    found += [("mouthRoll" + lip, "mouthPress" + side) for lip in ("Upper", "Lower") for side in _SIDES]
    for side in _SIDES:
        found += [("eyeBlink" + side, other + side) for other in ("eyeBlink", *lids.CLOSED_WITH)]
    return tuple(found)


NAMES: tuple[tuple[str, str], ...] = _names()


def pairs() -> IntArray:
    """(C, 2) int32: the two shapes of each corrective."""
    index = expressions.SHAPE_INDEX
    return np.array([(index[a], index[b]) for a, b in NAMES], np.int32)


def corrective_fields(frame: FaceFrame, jaw_weight: DoubleArray, shapes: DoubleArray) -> DoubleArray:
    """(C, 468, 3) mm of one face.

    Args:
        frame: the face.
        jaw_weight: (468,) share of the jaw's opening.
        shapes: (51, 468, 3) mm: the face's shapes.
    """
    by_name = dict(zip(expressions.SHAPE_NAMES, shapes, strict=True))
    eyes = frame.left_share(6.0)[:, None]
    fields: dict[tuple[str, str], DoubleArray] = {}
    for name in lids.CLOSED_WITH:
        both = lids.closed_with(frame, name, by_name[name + "Left"] + by_name[name + "Right"])
        fields["eyeBlink", name] = both
    fields["eyeBlink", "eyeBlink"] = lids.half_blink(frame)
    result = []
    for first, second in NAMES:
        if first.startswith("eyeBlink"):
            side = "Left" if first.endswith("Left") else "Right"
            left = eyes * fields["eyeBlink", second.removesuffix(side)]
            result.append(left if side == "Left" else frame.mirrored(left))
        elif first == second:
            arc = jaw.half_open(frame, jaw_weight)
            result.append(arc if first == "jawOpen" else jaw.closing(frame, arc))
        elif first == "jawOpen":
            result.append(jaw.turned_along(frame, jaw_weight, by_name[second]) + _rounded(frame, second, by_name))
        else:
            result.append(_shared(frame, first, by_name[first], by_name[second]))
    return np.array(result)


def _rounded(frame: FaceFrame, name: str, by_name: dict[str, DoubleArray]) -> DoubleArray:
    """An open mouth that smiles or puckers keeps a round outline."""
    if name == "mouthPucker":
        return np.asarray(-0.25 * by_name[name])
    if name == "mouthFunnel":
        return np.asarray(-0.2 * by_name[name])
    return np.zeros_like(frame.face)


def _shared(frame: FaceFrame, first: str, a: DoubleArray, b: DoubleArray) -> DoubleArray:
    """Two motions of the same muscle do not add up."""
    if first == "mouthPucker":
        return -0.4 * (a + b)
    rings = UPPER_RINGS if first == "mouthRollUpper" else LOWER_RINGS
    lip = {point: -0.85 * b[point] for ring in rings for point in ring[1:-1]}
    still = {p: np.zeros(3) for other in (UPPER_RINGS, LOWER_RINGS) for ring in other for p in ring if p not in lip}
    return frame.spread(lip | still, MOUTH_FIXED | {199, 205, 425})
