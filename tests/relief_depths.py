"""Depths at which the 3D view and the picture of the map are held against the one scale of colours."""

from __future__ import annotations

import numpy as np

from engine.relief_colours import STOPS

DEPTHS_MM = (-0.9, -0.5, -0.3, -0.1, -0.02, 0.0, 0.03, 0.05, 0.2, 0.5, 2.0)


def colour_of(depth_mm: float) -> np.ndarray:
    """(3,) sRGB, worked out without the code that draws."""
    depths, colours = zip(*STOPS, strict=True)
    return np.array([np.interp(depth_mm, depths, channel) for channel in np.array(colours).T])
