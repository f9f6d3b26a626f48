"""One face on the cage with the measures and the spreading that all expression shapes are made with."""

from __future__ import annotations

import numpy as np

from engine.arrays import DoubleArray, IntArray
from engine.training import cage as p
from engine.training.anthropometry import EYE_CENTRE_MM, EYE_RADIUS_MM
from engine.training.handles import Spreader

Move = tuple[float, float, float]

_LID_MM = 0.8
"""Thickness of a lid on the eyeball."""


class FaceFrame:
    """Measures of one face (468, 3) mm, and motions spread over its own surface."""

    def __init__(self, face: DoubleArray, template: DoubleArray, faces: IntArray, mirror: IntArray) -> None:
        self.face, self.template, self.mirror = face, template, mirror
        self._spreader = Spreader(face, faces)

    # -- measures --------------------------------------------------------------------------------------------------

    @property
    def half_mouth(self) -> float:
        """Half the distance of the mouth's corners, mm."""
        return float(np.linalg.norm(self.face[p.MOUTH_CORNER_L] - self.face[p.MOUTH_CORNER_R]) / 2)

    @property
    def width(self) -> float:
        """The face's width over that of the average face."""
        return float(self.face[454, 0] - self.face[234, 0]) / 133.5

    def lip_units(self) -> DoubleArray:
        """(3,) mm per unit of lip motion: half the mouth's width across; its height and depth enter up and forwards."""
        wide = self.half_mouth

        def ratio(a: int, b: int, axis: int) -> float:
            return float((self.face[a] - self.face[b])[axis] / (self.template[a] - self.template[b])[axis])

        tall = wide * 0.5 + 13.0 * ratio(p.SUBNASALE, 18, 1)
        deep = wide * 0.5 + 13.0 * ratio(p.UPPER_LIP_TOP, p.MOUTH_CORNER_R, 2)
        return np.array([wide, tall, deep])

    def eye_centre(self) -> DoubleArray:
        """Centre (3,) of the right eyeball: as far from the corners and lids as on the template."""
        rim = [p.EYE_OUTER_R, p.EYE_INNER_R, *p.LID_UPPER_R, *p.LID_LOWER_R]
        return np.asarray(self.face[rim].mean(0) - self.template[rim].mean(0) + EYE_CENTRE_MM)

    def on_ball(self, point: DoubleArray) -> DoubleArray:
        """``point`` moved along Z onto the lid's path around the eyeball (unchanged where it already lies outside)."""
        centre = self.eye_centre()
        flat = (EYE_RADIUS_MM + _LID_MM) ** 2 - ((point - centre)[:2] ** 2).sum()
        lifted = point.copy()
        lifted[2] = max(point[2], centre[2] + np.sqrt(max(flat, 0.0)))
        return lifted

    # -- spreading -------------------------------------------------------------------------------------------------

    def spread(self, handles: dict[int, DoubleArray], fixed: set[int]) -> DoubleArray:
        """(468, 3) mm, see ``Spreader.spread``; handles win over fixed points."""
        return self._spreader.spread(handles, fixed - set(handles))

    def mirrored(self, field: DoubleArray) -> DoubleArray:
        """The field of the other side."""
        return np.asarray((field * (-1, 1, 1))[self.mirror])

    def both(self, points: set[int]) -> set[int]:
        """The points of one side and their partners."""
        return points | {int(self.mirror[i]) for i in points}

    def symmetric(self, handles: dict[int, DoubleArray], fixed: set[int]) -> DoubleArray:
        """Spread right-side (and mid-line) handles to both sides."""
        every = {point: np.asarray(move, float) for point, move in handles.items()}
        every |= {int(self.mirror[i]): m * (-1, 1, 1) for i, m in every.items() if self.mirror[i] != i}
        field = self.spread(every, fixed)
        return (field + self.mirrored(field)) / 2

    def left_share(self, half_width: float) -> DoubleArray:
        """(468,) share of a two-sided motion that its left half takes: shares of a pair sum to 1, half on the mid-line."""
        t = np.clip(self.template[:, 0] / half_width, -1, 1)
        return np.asarray(0.5 + 0.75 * t - 0.25 * t**3)
