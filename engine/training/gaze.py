"""How far the eyeballs turn at each gaze shape.

25 degrees up and down and 30 degrees to each side: ours, a wide but unstrained look.
"""

from __future__ import annotations

import numpy as np

from engine import expressions
from engine.arrays import DoubleArray
from engine.camera import rotation_matrix

_UPWARDS, _SIDEWAYS = np.radians(25.0), np.radians(30.0)


def turns(side: str) -> DoubleArray:
    """(51, 3) rad: rotation vector of the eye on ``side`` ('Right', 'Left') at weight 1 of each shape."""
    outwards = -1.0 if side == "Right" else 1.0
    vectors = {
        "Up": (-_UPWARDS, 0.0, 0.0),
        "Down": (_UPWARDS, 0.0, 0.0),
        "In": (0.0, -outwards * _SIDEWAYS, 0.0),
        "Out": (0.0, outwards * _SIDEWAYS, 0.0),
    }
    table = np.zeros((len(expressions.SHAPES), 3))
    for name, vector in vectors.items():
        table[expressions.SHAPE_INDEX[f"eyeLook{name}{side}"]] = vector
    return table


def motion(ball: DoubleArray, side: str) -> DoubleArray:
    """(51, n, 3) mm: displacement of points (n, 3) of an eyeball around the origin at weight 1 of each shape."""
    return np.array([ball @ rotation_matrix(turn).T - ball for turn in turns(side)])
