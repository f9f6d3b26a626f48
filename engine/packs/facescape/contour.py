"""Which vertices stand for the jaw landmarks in the present pose: the outermost ones of the original's slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import DoubleArray, FloatArray, IntArray
from engine.packs.facescape import model_core
from engine.packs.facescape.data import FaceScapeData

CHIN = 8
"""The jaw landmark in the middle; those before it lie on the picture's left, those after it on its right."""
_GATHER_BYTES = 256_000_000
"""A larger core of the candidates is not copied out of the whole one, but read there again in every loop."""


def candidates(data: FaceScapeData) -> tuple[IntArray, ...]:
    """Vertices among which each of the jaw landmarks 0..16 is chosen, 17 arrays in the original's order."""
    return (*data.contour_left, data.chin_vertices, *data.contour_right)


def outermost(lines: tuple[IntArray, ...], projected: DoubleArray | FloatArray) -> IntArray:
    """The jaw's vertices (17,) int32: leftmost of each left slice, lowest of the chin, rightmost of each right slice.

    Args:
        lines: as ``candidates`` gives them.
        projected: (n, 2) picture px, y up, of the vertices that the lines name.
    """
    chosen = [line[int(projected[line, 0].argmin())] for line in lines[:CHIN]]
    chosen.append(lines[CHIN][int(projected[lines[CHIN], 1].argmin())])
    chosen += [line[int(projected[line, 0].argmax())] for line in lines[CHIN + 1 :]]
    return np.array(chosen, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """All vertices that a landmark may stand on, at hand for quick evaluation."""

    vertices: IntArray
    """(n,) int32 vertices of the whole head, ascending: landmarks and candidates."""
    lines: tuple[IntArray, ...]
    """``candidates`` as positions in ``vertices``."""
    part: FloatArray
    """(I, E, m*3): the core of ``vertices``, or the whole core where that would be too large."""
    places: IntArray
    """(n,) where in ``part`` each of ``vertices`` lies."""

    @classmethod
    def of(cls, data: FaceScapeData) -> Outline:
        """Collect them from a pack; passes over the core once."""
        lines = candidates(data)
        vertices = np.unique(np.concatenate([*lines, data.landmark_vertices]))
        if data.core.shape[0] * data.core.shape[1] * vertices.size * 12 > _GATHER_BYTES:
            part, places = data.core, vertices
        else:
            part, places = model_core.gathered(data.core, vertices), np.arange(len(vertices), dtype=np.int32)
        local = tuple(np.searchsorted(vertices, line).astype(np.int32) for line in lines)
        return cls(vertices, local, part, places)

    def rows(self, landmark_vertices: IntArray) -> DoubleArray:
        """The model's rows of some of ``vertices`` as the costs want them: (n, 3, E, I) float64."""
        places = self.places[np.searchsorted(self.vertices, landmark_vertices)]
        return model_core.as_rows(model_core.gathered(self.part, places)).astype(np.float64)

    def jaw(self, turn: DoubleArray, identity: DoubleArray, expression: DoubleArray) -> IntArray:
        """The vertices (17,) int32 that stand for the jaw when the head is turned by ``turn`` (3, 3)."""
        seen = model_core.positions(self.part, identity, expression)[self.places] @ turn[:2].T
        return self.vertices[outermost(self.lines, seen)]
