"""The lower jaw: a rigid motion about the joint in front of the ear, shared out over chin, lower lip and cheek.

Sources: widest opening between the incisors 44.3 +- 6.7 mm (36..56) in women and 51.3 +- 8.3 mm (39..70) in men (894
Indian adults, PMC3428458); the shape's 40 mm lies in both ranges. Sideways 9.4 and 11.8 mm, forwards 8.8 mm on
average at most (500 patients with jaw complaints, Swiss Dental Journal); the shapes stay below. The angle and the
condyle's glide are ours, chosen to reach that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import DoubleArray
from engine.training import cage as p
from engine.training.face_frame import FaceFrame
from engine.training.regions import BROWS, EYES, FOREHEAD, LOWER_RINGS, MOUTH_FIXED, NOSE, UPPER_RINGS

_OPEN_RAD = np.radians(28.6)
_GLIDE_MM = np.array([0.0, -10.0, 14.0])
_CORNER = 0.44
_ASIDE_RAD = np.radians(4.0)


@dataclass(frozen=True, slots=True, eq=False)
class JawWeights:
    """Shares (468,) of the jaw's motion: 1 on chin and lower lip, 0 above the mouth, smooth over the cheek."""

    opening: DoubleArray
    """The lips part to an oval."""
    sliding: DoubleArray
    """For shifts to the side and forwards: the lips drag each other along where they touch."""


def jaw_weights(template: FaceFrame) -> JawWeights:
    """How the skin of the average face shares in the jaw's motions."""
    return JawWeights(opening=_weight(template, 2.3, 3.2), sliding=_weight(template, 1.2, 1.5))


def _weight(frame: FaceFrame, lower_power: float, upper_power: float) -> DoubleArray:
    """Shares (468,); over the lips they pass from the middle to the corner by a power of the distance."""
    one = {18, 200, 199, 175, 152, 148, 83, 182, 176, 171, 140, 32, 208, 201, 194, 204, 211}
    part = {150: 0.92, 149: 0.98, 136: 0.75, 172: 0.5, 58: 0.25, 132: 0.08}
    for r in range(len(LOWER_RINGS)):
        for k in range(6):
            corner = k == 0
            c = 1 - k / 5
            part[LOWER_RINGS[r][k]] = _CORNER if corner else _CORNER + (1 - _CORNER) * (1 - c**lower_power)
            if not corner:
                part[UPPER_RINGS[r][k]] = _CORNER * c**upper_power
    handles = {i: np.array([1.0]) for i in one} | {i: np.array([w]) for i, w in part.items()}
    handles |= {int(frame.mirror[i]): w for i, w in handles.items()}
    fixed = FOREHEAD | {127, 234, 93, 356, 454, 323} | NOSE | EYES | BROWS | {50, 280, 101, 330}
    weight = frame.spread(handles, fixed)[:, 0]
    return np.clip((weight + weight[frame.mirror]) / 2, 0, 1)


def jaw_affine(face: DoubleArray, open_share: float) -> DoubleArray:
    """(4, 3): [x y z 1] @ it is the displacement in mm of a point of the jaw opened by a share."""
    angle = open_share * _OPEN_RAD
    c, s = np.cos(angle), np.sin(angle)
    return _affine(_joint(face), np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), open_share * _GLIDE_MM)


def jaw_affines(frame: FaceFrame) -> dict[str, DoubleArray]:
    """Rigid motion of the lower jaw per shape, each (4, 3) as ``jaw_affine``."""
    reach = frame.half_mouth / 26.0
    turn = _ASIDE_RAD * reach
    yaw = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    joint, aside = _joint(frame.face), np.array([2.0, -0.5, 0.0]) * reach
    return {
        "jawOpen": jaw_affine(frame.face, 1.0),
        "jawLeft": _affine(joint, yaw, aside),
        "jawRight": _affine(joint, yaw.T, aside * (-1, 1, 1)),
        "jawForward": _affine(joint, np.eye(3), np.array([0.0, -0.8, 6.0]) * reach),
    }


def jaw_shapes(frame: FaceFrame, weights: JawWeights) -> dict[str, DoubleArray]:
    """The four motions of the jaw and mouthClose, which closes the lips over the opened jaw."""
    fields = {
        name: carried(frame.face, weights.opening if name == "jawOpen" else weights.sliding, affine)
        for name, affine in jaw_affines(frame).items()
    }
    fields["jawOpen"] += _narrowing(frame)
    return fields | {"mouthClose": closing(frame, fields["jawOpen"])}


def half_open(frame: FaceFrame, weight: DoubleArray) -> DoubleArray:
    """What the jaw's arc adds half-way to half of jawOpen; ``weight`` (468,) is the opening's."""
    whole = carried(frame.face, weight, jaw_affine(frame.face, 1.0))
    return carried(frame.face, weight, jaw_affine(frame.face, 0.5)) - whole / 2


def carried(points: DoubleArray, weight: DoubleArray, affine: DoubleArray) -> DoubleArray:
    """(n, 3) mm: points (n, 3) moved by their share (n,) of a rigid motion."""
    return np.asarray(weight[:, None] * (np.concatenate([points, np.ones((len(points), 1))], 1) @ affine))


def turned_along(frame: FaceFrame, weight: DoubleArray, field: DoubleArray) -> DoubleArray:
    """What a motion of the lower lip lacks on the opened jaw: there it turns with the jaw."""
    return np.asarray(weight[:, None] * (field @ jaw_affine(frame.face, 1.0)[:3]))


def _joint(face: DoubleArray) -> DoubleArray:
    """Centre between the jaw joints: a little before and above the outline's point at the ear."""
    return np.asarray((face[234] + face[454]) / 2 + (0.0, 5.0, 3.0))


def _affine(joint: DoubleArray, rotation: DoubleArray, shift: DoubleArray) -> DoubleArray:
    linear = rotation.T - np.eye(3)
    return np.concatenate([linear, (shift - joint @ linear)[None]])


def _narrowing(frame: FaceFrame) -> DoubleArray:
    """An opened mouth draws its corners inwards and back."""
    corner = {i: np.array([2.4, 0, -1.0]) for i in (61, 76, 62, 78)} | {57: np.array([1.6, 0, -0.6])}
    return frame.symmetric(corner, MOUTH_FIXED | {0, 17, 37, 84, 205, 204})


def closing(frame: FaceFrame, opened: DoubleArray) -> DoubleArray:
    """What brings the lips together over a motion (468, 3) mm that parts them; the lower one turns back upright."""
    handles: dict[int, DoubleArray] = {}
    for rings, share in ((LOWER_RINGS, -0.72), (UPPER_RINGS, 0.28)):
        for ring in rings:
            for k, i in enumerate(ring):
                parted = opened[i if rings is LOWER_RINGS else p.INNER_LOWER[k]] - opened[p.INNER_UPPER[k]]
                handles[i] = share * parted if 0 < k < 10 else np.zeros(3)
    closed = frame.spread(handles, MOUTH_FIXED | {199, 175})
    return np.asarray((closed + frame.mirrored(closed)) / 2)
