"""Where eyes, mouth and brows lie in the map, read from the holes that they leave in the skin chart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import BoolArray, FloatArray
from engine.fields import blurred

_FEWEST_TEXELS = 5  # a smaller hole is a crack between two faces
# The brow, in widths of the eye's opening: above its upper edge, and sideways beyond its corners.
_BROW_ABOVE = (0.16, 0.95)
_BROW_BESIDE = 0.45
_BROW_SOFTNESS = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class Openings:
    """The holes that the skin encloses, (n, n) bool each; the chart stands upright, so the mouth is the lowest."""

    eyes: tuple[BoolArray, ...]
    mouth: BoolArray | None

    @classmethod
    def of(cls, skin: BoolArray) -> Openings:
        """Find the holes of a skin mask (n, n); what reaches the frame is outside, no hole."""
        import cv2

        count, labels = cv2.connectedComponents(np.pad(~skin, 1, constant_values=True).astype(np.uint8))
        regions, outside = labels[1:-1, 1:-1], labels[0, 0]
        sizes = np.bincount(regions.ravel(), minlength=count)
        found = [i for i in range(1, count) if i != outside and sizes[i] >= _FEWEST_TEXELS]
        holes = sorted((np.asarray(regions == i) for i in found), key=_middle_row)
        if not holes:
            return cls((), None)
        # Three holes are eyes and mouth; whatever else there is, the lowest one cannot be an eye.
        return cls(tuple(holes[:-1]), holes[-1])

    def brows(self) -> FloatArray | None:
        """(n, n) float32 in [0, 1], soft: where brows grow; None where no eye was found."""
        if not self.eyes:
            return None
        zone = np.zeros(self.eyes[0].shape, np.float32)
        widest = 1
        for eye in self.eyes:
            rows, columns = np.flatnonzero(eye.any(1)), np.flatnonzero(eye.any(0))
            width = int(columns[-1] - columns[0] + 1)
            top = max(0, rows[0] - round(_BROW_ABOVE[1] * width))
            bottom = max(0, rows[0] - round(_BROW_ABOVE[0] * width))
            beside = round(_BROW_BESIDE * width)
            zone[top:bottom, max(0, columns[0] - beside) : columns[-1] + 1 + beside] = 1.0
            widest = max(widest, width)
        return blurred(zone, max(0.5, _BROW_SOFTNESS * widest))


def _middle_row(hole: BoolArray) -> float:
    return float(np.flatnonzero(hole.any(1)).mean())
