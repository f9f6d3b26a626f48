"""The 51 expression shapes as motions of the cage, measured on the face they act on.

Each shape says how its muscles move lips, lids, brows, cheek or jaw, in units of that face (half mouth width, lid opening,
distance to the jaw joint ...); ``handles.Spreader`` carries the motion into the surrounding skin. So the shapes
follow identity: a wide mouth smiles wide.

Sources: Ekman & Friesen, Facial Action Coding System (1978) for which muscle pulls where; Apple's ARKit definitions of the
shapes; extents after Frey et al. (1999, facial motion amplitudes) and FACS' maximum (E) intensity.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from engine import expressions
from engine.arrays import DoubleArray, IntArray
from engine.training import cage as p
from engine.training import lip_motions
from engine.training.anthropometry import EYE_CENTRE_MM, EYE_RADIUS_MM
from engine.training.handles import Spreader
from engine.training.regions import (
    BROWS,
    EYES,
    EYES_L,
    EYES_R,
    FOREHEAD,
    JAWLINE,
    LIPS,
    LOWER_RINGS,
    MOUTH_FIXED,
    NOSE,
    SIDES,
    UPPER_RINGS,
)

_JAW_OPEN_RAD = np.radians(18.0)
_LID_MM = 0.7

LipMotion = Callable[[float, int, bool], tuple[float, float, float]]
"""(t from -1 right corner to 1 left corner, ring 0 skin .. 3 inside, upper?) -> motion in half mouth widths."""


class ExpressionRig:
    """Makes the 51 displacement fields of any face on the cage."""

    def __init__(self, template: DoubleArray, faces: IntArray, mirror: IntArray) -> None:
        self._template, self._faces, self._mirror = template, faces, mirror
        self._spreader = Spreader(template, faces)
        self._jaw = self._jaw_weight()

    def shapes(self, face: DoubleArray) -> DoubleArray:
        """(51, 468, 3) float64 mm: displacement of each shape at weight 1 on ``face`` (468, 3) mm."""
        return self._on(face)._all(face)

    def _on(self, face: DoubleArray) -> ExpressionRig:
        """This rig with its motions spread over ``face`` instead of the template."""
        own = copy.copy(self)
        own._spreader = Spreader(face, self._faces)
        return own

    def _all(self, face: DoubleArray) -> DoubleArray:
        pairs = self._lid_shapes(face) | self._brow_shapes(face) | self._lip_pairs(face) | self._cheek_shapes(face)
        fields = {
            **self._jaw_shapes(face),
            **self._whole_lip_shapes(face),
            "browInnerUp": pairs.pop("browInnerUp"),
            "cheekPuff": pairs.pop("cheekPuff"),
        }
        for name, both in pairs.items():
            left = self._left_share(face, name)[:, None]
            fields[f"{name}Left"] = left * both
            fields[f"{name}Right"] = self._mirrored(left * both)
        return np.array([fields[name] for name in expressions.SHAPE_NAMES])

    # -- helpers ---------------------------------------------------------------------------------------------------

    def _mirrored(self, field: DoubleArray) -> DoubleArray:
        return np.asarray((field * (-1, 1, 1))[self._mirror])

    def _symmetric(self, handles: dict[int, DoubleArray], fixed: set[int]) -> DoubleArray:
        """Spread right-side (and mid-line) handles to both sides."""
        both = {point: np.asarray(move, float) for point, move in handles.items()}
        both |= {int(self._mirror[i]): m * (-1, 1, 1) for i, m in both.items() if self._mirror[i] != i}
        field = self._spreader.spread(both, fixed - set(both))
        return (field + self._mirrored(field)) / 2

    def _left_share(self, face: DoubleArray, name: str) -> DoubleArray:
        """(468,) share of a two-sided motion that its left half takes: 0.5 on the mid-line, shares of a pair sum to 1."""
        half_width = 6.0 if name.startswith(("eye", "brow")) else 0.45 * self._half_mouth(face)
        t = np.clip(self._template[:, 0] / half_width, -1, 1)
        return np.asarray(0.5 + 0.75 * t - 0.25 * t**3)

    @staticmethod
    def _half_mouth(face: DoubleArray) -> float:
        return float(np.linalg.norm(face[p.MOUTH_CORNER_L] - face[p.MOUTH_CORNER_R]) / 2)

    def _lip_units(self, face: DoubleArray) -> DoubleArray:
        """(3,) mm per unit of lip motion: half the mouth's width across; its height and depth enter up and forwards."""
        wide = self._half_mouth(face)

        def ratio(a: int, b: int, axis: int) -> float:
            return float((face[a] - face[b])[axis] / (self._template[a] - self._template[b])[axis])

        tall = wide * 0.5 + 13.0 * ratio(p.SUBNASALE, 18, 1)
        deep = wide * 0.5 + 13.0 * ratio(p.UPPER_LIP_TOP, p.MOUTH_CORNER_R, 2)
        return np.array([wide, tall, deep])

    # -- jaw -------------------------------------------------------------------------------------------------------

    def _jaw_weight(self) -> DoubleArray:
        """(468,) share of the jaw's motion: 1 on chin and lower lip, 0 above the mouth, smooth over the cheek."""
        one = {i for ring in LOWER_RINGS for i in ring[2:-2]} | {18, 200, 199, 175, 152, 148, 377, 83, 313, 182, 406}
        one |= {176, 400, 149, 378, 171, 396, 140, 369, 32, 262, 208, 428, 201, 421, 194, 418, 204, 424, 211, 431}
        part = {61: 0.42, 76: 0.44, 62: 0.46, 78: 0.48, 150: 0.92, 136: 0.75, 172: 0.5, 58: 0.25, 132: 0.08}
        for ring in LOWER_RINGS:
            part[ring[1]] = 0.74
        for ring in UPPER_RINGS:
            part |= {ring[1]: 0.16, ring[2]: 0.05}
        handles = {i: np.array([1.0]) for i in one}
        handles |= {i: np.array([w]) for i, w in part.items()}
        handles |= {int(self._mirror[i]): np.array([w]) for i, w in part.items()}
        above = {i for ring in UPPER_RINGS for i in ring[3:-3]}
        fixed = FOREHEAD | {127, 234, 93, 356, 454, 323} | NOSE | EYES | BROWS | above | {50, 280, 101, 330}
        weight = self._spreader.spread(handles, fixed - set(handles))[:, 0]
        weight = (weight + weight[self._mirror]) / 2
        return np.clip(weight, 0, 1)

    def _joint(self, face: DoubleArray) -> DoubleArray:
        """Centre between the jaw joints: a little before and above the outline's point at the ear."""
        middle = (face[234] + face[454]) / 2
        return np.asarray(middle + (0.0, 4.0, 0.0))

    def jaw_affines(self, face: DoubleArray) -> dict[str, DoubleArray]:
        """Rigid motion of the lower jaw per shape, as (4, 3) with [x y z 1] @ it = displacement in mm."""
        c, s = np.cos(_JAW_OPEN_RAD), np.sin(_JAW_OPEN_RAD)
        swing = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])  # about X: the chin goes down and back
        reach = self._half_mouth(face) / 26.0
        turn = np.radians(4.0) * reach
        yaw = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        joint = self._joint(face)

        def affine(rotation: DoubleArray, shift: DoubleArray) -> DoubleArray:
            linear = rotation.T - np.eye(3)
            return np.concatenate([linear, (shift - joint @ linear)[None]])

        aside = np.array([2.0, -0.5, 0.0]) * reach
        return {
            "jawOpen": affine(swing, np.array([0.0, -5.0, 10.0])),  # the condyle glides forwards and down
            "jawLeft": affine(yaw, aside),
            "jawRight": affine(yaw.T, aside * (-1, 1, 1)),
            "jawForward": affine(np.eye(3), np.array([0.0, -0.8, 6.0]) * reach),
        }

    def _jaw_shapes(self, face: DoubleArray) -> dict[str, DoubleArray]:
        homogeneous = np.concatenate([face, np.ones((len(face), 1))], 1)
        rigid = {name: self._jaw[:, None] * (homogeneous @ affine) for name, affine in self.jaw_affines(face).items()}
        corner = {61: (1.6, 0, -0.8), 291: (-1.6, 0, -0.8)}  # corners draw inwards
        narrowing = self._spreader.spread({i: np.array(m, float) for i, m in corner.items()}, MOUTH_FIXED | {0, 17})
        opened = rigid["jawOpen"] + narrowing
        gap = opened[p.LOWER_LIP_IN] - opened[p.UPPER_LIP_IN]
        close: dict[int, DoubleArray] = {}
        for rings, share in ((LOWER_RINGS, -0.72), (UPPER_RINGS, 0.28)):
            for ring in rings:
                for k, i in enumerate(ring):
                    target = opened[p.INNER_LOWER[k]] - opened[p.INNER_UPPER[k]] if 0 < k < 10 else 0 * gap
                    close[i] = share * target
        closed = self._spreader.spread(close, MOUTH_FIXED | {199, 175})
        return {
            **rigid,
            "jawOpen": opened,
            "mouthClose": (closed + self._mirrored(closed)) / 2,
        }

    # -- lips ------------------------------------------------------------------------------------------------------

    def _lips(self, face: DoubleArray, motion: LipMotion, extra: dict[int, tuple[float, float, float]]) -> DoubleArray:
        """Spread a motion of all lip rings plus ``extra`` handles (mm at an average face; right side and mid-line)."""
        unit = self._lip_units(face)
        handles: dict[int, DoubleArray] = {}
        for rings, upper in ((LOWER_RINGS, False), (UPPER_RINGS, True)):
            for r, ring in enumerate(rings):
                for k, point in enumerate(ring):
                    handles[point] = unit * motion((k - 5) / 5.0, r, upper)
        for point, move in extra.items():
            scaled = np.array(move) * unit / 26.0
            handles[point] = scaled
            handles[int(self._mirror[point])] = scaled * (-1, 1, 1) if self._mirror[point] != point else scaled
        return self._spreader.spread(handles, MOUTH_FIXED - set(handles))

    def _lip_pairs(self, face: DoubleArray) -> dict[str, DoubleArray]:
        return {
            "mouthSmile": self._lips(
                face,
                lip_motions.smile,
                {
                    205: (-1.5, 3.6, 1.0),
                    50: (-0.8, 3.4, 1.6),
                    101: (-0.3, 2.4, 1.2),
                    187: (-2.0, 3.0, 0.4),
                    129: (-0.8, 0.8, 0),
                },
            ),
            "mouthDimple": self._lips(face, lip_motions.dimple, {205: (-0.4, 0.4, 0.4), 214: (-0.5, 0.3, 0.2)}),
            "mouthFrown": self._lips(
                face, lip_motions.frown, {204: (-0.3, -3.2, 0), 32: (0, -1.2, 0.4), 199: (0, 0.8, 0.4)}
            ),
            "mouthStretch": self._lips(face, lip_motions.stretch, {214: (-3.0, -1.6, -1.2), 204: (-3.0, -2.4, -1.0)}),
            "mouthPress": self._lips(face, lip_motions.press, {199: (0, 0.7, 0.3), 205: (-0.2, 0.2, 0.4)}),
            "mouthUpperUp": self._lips(
                face, lip_motions.upper_up, {205: (-0.4, 2.8, 0.6), 203: (-0.6, 3.2, 0.2), 129: (-0.4, 1.2, 0)}
            ),
            "mouthLowerDown": self._lips(
                face, lip_motions.lower_down, {204: (-0.4, -3.2, 0.2), 194: (-0.4, -3.6, 0.2)}
            ),
        }

    def _whole_lip_shapes(self, face: DoubleArray) -> dict[str, DoubleArray]:
        sign = lip_motions.sign

        def pucker(t: float, r: int, up: bool) -> tuple[float, float, float]:
            c = abs(t)
            swell = (0.07, 0.05, 0.02, 0.0)[r] * (1 - c**2)
            return -0.42 * sign(t) * c**1.1, swell if up else -swell, 0.30 - 0.16 * c + (0.0, 0.05, 0.06, 0.04)[r]

        def funnel(t: float, r: int, up: bool) -> tuple[float, float, float]:
            c = abs(t)
            part = (0.20 if up else -0.25) * (1 - c**2)
            return -0.28 * sign(t) * c, part, (0.24 + (0.08, 0.10, 0.06, 0.0)[r]) * (1 - 0.45 * c)

        def aside(t: float, r: int, up: bool) -> tuple[float, float, float]:
            return 0.30 - 0.05 * t**2, 0.05 * t, -0.06 * abs(t) - 0.05 * t

        def roll_upper(t: float, r: int, up: bool) -> tuple[float, float, float]:
            c = abs(t)
            if not up:
                return 0.0, 0.02 * (1 - c**2), 0.0
            return 0.0, (-0.24, -0.20, -0.10, -0.02)[r] * (1 - c**3), (-0.10, -0.24, -0.30, -0.26)[r] * (1 - c**3)

        def roll_lower(t: float, r: int, up: bool) -> tuple[float, float, float]:
            c = abs(t)
            if up:
                return 0.0, -0.02 * (1 - c**2), 0.0
            return 0.0, (0.26, 0.20, 0.10, 0.02)[r] * (1 - c**3), (-0.08, -0.24, -0.30, -0.26)[r] * (1 - c**3)

        def shrug_lower(t: float, r: int, up: bool) -> tuple[float, float, float]:
            c = abs(t)
            return (
                (0.0, 0.04 * (1 - c**2), 0.0)
                if up
                else (0.0, (0.22, 0.20, 0.12, 0.04)[r] * (1 - c**2), 0.16 * (1 - c**2))
            )

        def shrug_upper(t: float, r: int, up: bool) -> tuple[float, float, float]:
            c = abs(t)
            lift = 0.20 * (1 - c**2) - 0.06 * c**2
            return 0.0, lift, (0.12 if up else 0.05) * (1 - c**2)

        left = self._lips(face, aside, {})
        handles = {205: np.array([2.2, 0.4, -0.4]), 425: np.array([1.6, 0.6, 0.8]), 200: np.array([1.8, 0, 0])}
        left = left + 0.6 * self._spreader.spread(handles, (MOUTH_FIXED | LIPS) - set(handles))
        chin = {200: (0, 3.0, 1.0), 199: (0, 3.4, 0.6), 201: (0, 2.6, 0.8), 175: (0, 2.0, 0.2)}
        return {
            "mouthPucker": self._lips(face, pucker, {205: (1.6, 0, 1.0), 204: (1.6, 0.4, 1.2), 187: (1.0, 0, 0.2)}),
            "mouthFunnel": self._lips(face, funnel, {205: (1.0, 0.2, 0.6), 204: (1.0, -1.0, 0.8), 164: (0, 1.0, 1.6)}),
            "mouthLeft": left,
            "mouthRight": self._mirrored(left),
            "mouthRollUpper": self._lips(face, roll_upper, {164: (0, -1.0, -0.4)}),
            "mouthRollLower": self._lips(face, roll_lower, {18: (0, 1.6, -0.6)}),
            "mouthShrugLower": self._lips(face, shrug_lower, {**chin, 18: (0, 3.6, 1.6)}),
            "mouthShrugUpper": self._lips(
                face, shrug_upper, {164: (0, 2.4, 1.0), 203: (0, 0.6, 0), 200: (0, 1.8, 0.4), 199: (0, 1.6, 0.2)}
            ),
        }

    # -- eyes, brows, cheeks ---------------------------------------------------------------------------------------

    def eye_centre(self, face: DoubleArray) -> DoubleArray:
        """Centre (3,) of the right eyeball: as far from the corners and lids as on the template."""
        rim = [p.EYE_OUTER_R, p.EYE_INNER_R, *p.LID_UPPER_R, *p.LID_LOWER_R]
        return np.asarray(face[rim].mean(0) - self._template[rim].mean(0) + EYE_CENTRE_MM)

    def _on_ball(self, face: DoubleArray, point: DoubleArray) -> DoubleArray:
        """``point`` moved along Z onto the lid's path around the eyeball (unchanged where it already lies outside)."""
        centre = self.eye_centre(face)
        flat = (EYE_RADIUS_MM + _LID_MM) ** 2 - ((point - centre)[:2] ** 2).sum()
        lifted = point.copy()
        lifted[2] = max(point[2], centre[2] + np.sqrt(max(flat, 0.0)))
        return lifted

    def _lids(self, face: DoubleArray, upper: float, lower: float, aside_mm: float = 0.0) -> dict[int, DoubleArray]:
        """Handles that move both lids by a share of the opening (+ closes), sliding on the eyeball."""
        handles: dict[int, DoubleArray] = {p.EYE_OUTER_R: np.zeros(3), p.EYE_INNER_R: np.zeros(3)}
        above = (247, 30, 29, 27, 28, 56, 190)
        below = (25, 110, 24, 23, 22, 26, 112)
        for k, (u, d) in enumerate(zip(p.LID_UPPER_R, p.LID_LOWER_R, strict=True)):
            opening = face[d] - face[u]
            middle = 1 - abs(k - 3) / 4
            shift = np.array([aside_mm * middle, 0.0, 0.0])
            for point, share, outside in ((u, upper, above[k]), (d, -lower, below[k])):
                goal = self._on_ball(face, face[point] + share * opening + shift)
                handles[point] = goal - face[point]
                follow = 0.45 if share * (1 if point == u else -1) > 0 else 0.65
                handles[outside] = handles[point] * (follow, follow, 0.25)
        return handles

    def _lid_shapes(self, face: DoubleArray) -> dict[str, DoubleArray]:
        fixed = FOREHEAD | SIDES | JAWLINE | NOSE | LIPS | BROWS | {50, 101, 205, 193}
        fixed |= {int(self._mirror[i]) for i in fixed}
        squint = self._lids(face, 0.16, 0.30) | {117: np.array([0.2, 1.4, 0.3]), 101: np.array([0.1, 1.2, 0.4])}
        table = {
            "eyeBlink": self._lids(face, 0.80, 0.20),
            "eyeSquint": squint,
            "eyeLookDown": self._lids(face, 0.38, -0.10),
            "eyeLookIn": self._lids(face, 0.04, 0.0, 0.7),
            "eyeWide": self._lids(face, -0.30, -0.08),
            "eyeLookOut": self._lids(face, 0.02, 0.02, -0.7),
            "eyeLookUp": self._lids(face, -0.14, 0.06),
        }
        return {name: self._symmetric(handles, fixed) for name, handles in table.items()}

    def _brow_shapes(self, face: DoubleArray) -> dict[str, DoubleArray]:
        reach = float(np.linalg.norm(face[105] - face[159])) / 17.0  # brow to lid, 1 on the average face
        fixed = FOREHEAD | SIDES | NOSE - {168} | EYES | LIPS | JAWLINE | {50, 101}
        fixed |= {int(self._mirror[i]) for i in fixed}

        def moved(upper: tuple[tuple[float, float, float], ...], share: float) -> dict[int, DoubleArray]:
            handles = {}
            for i, j, move in zip(p.BROW_UPPER_R, p.BROW_LOWER_R, upper, strict=True):
                handles[i], handles[j] = reach * np.array(move), reach * share * np.array(move)
            return handles

        down = moved(((0, -1.0, 0), (0.4, -2.4, 0), (1.0, -4.2, 0.2), (1.8, -5.4, 0.4), (2.4, -5.6, 0.6)), 0.95)
        inner = moved(((0, 0, 0), (0, 0.8, 0), (-0.2, 3.2, -0.2), (-0.5, 7.0, -0.6), (-0.6, 8.2, -0.8)), 0.85)
        outer = moved(((-0.4, 6.2, -0.8), (-0.3, 7.4, -0.9), (0, 6.0, -0.6), (0, 2.4, -0.2), (0, 0.4, 0)), 0.85)
        return {
            "browDown": self._symmetric(
                down | {9: reach * np.array([0, -3.0, 0.8]), 8: reach * np.array([0, -3.4, 0.9])}, fixed
            ),
            "browInnerUp": self._symmetric(inner | {9: reach * np.array([0, 6.0, -0.5])}, fixed),
            "browOuterUp": self._symmetric(outer, fixed),
        }

    def _cheek_shapes(self, face: DoubleArray) -> dict[str, DoubleArray]:
        width = float(face[454, 0] - face[234, 0]) / 133.5
        fixed = FOREHEAD | SIDES | JAWLINE | BROWS | EYES | LIPS | NOSE
        puff = {
            205: (-1.6, 0, 6.0),
            187: (-4.6, 0, 4.6),
            207: (-3.0, -0.5, 5.6),
            214: (-4.4, -0.8, 5.0),
            50: (-2.0, 0.4, 2.6),
            216: (-1.4, 0, 5.0),
        }
        puff |= {164: (0, 0, 1.6), 18: (0, 0, 1.8)}
        squint = {
            117: (0.2, 3.2, 1.2),
            118: (0.1, 3.0, 1.2),
            50: (-0.4, 4.4, 2.0),
            101: (0, 3.4, 1.6),
            205: (-0.4, 2.2, 0.8),
        }
        squint |= {
            145: (0, 1.2, 0.1),
            144: (0, 1.1, 0.1),
            153: (0, 0.9, 0.1),
            163: (0, 0.7, 0.1),
            23: (0, 1.8, 0.4),
            24: (0, 1.8, 0.4),
        }
        sneer = {
            129: (-0.6, 5.4, -0.2),
            64: (-0.8, 4.8, -0.2),
            48: (-0.7, 4.6, 0),
            98: (-0.4, 3.4, 0),
            203: (-0.5, 4.4, 0.2),
        }
        sneer |= {
            36: (0.3, 3.6, 1.1),
            126: (0.5, 3.0, 0.9),
            198: (0.3, 3.3, 0.6),
            122: (0.7, 1.1, 0.7),
            193: (0.7, -0.9, 0.6),
        }
        sneer |= {39: (0, 2.6, 0.1), 37: (0, 1.6, 0.1)}

        def scaled(table: dict[int, tuple[float, float, float]]) -> dict[int, DoubleArray]:
            return {i: width * np.array(move) for i, move in table.items()}

        sneer_fixed = fixed - NOSE - {37, 39, 267, 269} | {168, 1, 2, 4, 5, 6}
        return {
            "cheekPuff": self._symmetric(scaled(puff), fixed),
            "cheekSquint": self._symmetric(
                scaled(squint), fixed - EYES_R - EYES_L | {33, 133, 263, 362, *p.LID_UPPER_R, *p.LID_UPPER_L}
            ),
            "noseSneer": self._symmetric(scaled(sneer), sneer_fixed),
        }
