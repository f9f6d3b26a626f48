"""How the muscles of one side pull the lips: motions of the lip rings in half mouth widths.

Each function takes t (-1 right corner .. 1 left corner), the ring r (0 skin .. 3 inside) and whether it is the upper lip.

Source: muscles and directions after Ekman & Friesen, Facial Action Coding System (1978).
"""

from __future__ import annotations

import numpy as np


def sign(t: float) -> float:
    """Side of the mouth: -1 right, 0 middle, 1 left."""
    return float(np.sign(t))


def smile(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Zygomaticus major: corners out, up and back."""
    c = abs(t)
    thin = (-0.02 if up else 0.05) * (1 - c) * (1 if r == 0 else 0.5)
    return 0.23 * sign(t) * c**1.3, 0.31 * c**1.8 + thin + 0.03, -0.20 * c**1.5 - 0.05


def dimple(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Buccinator: corners back into the cheek."""
    c = abs(t)
    return 0.14 * sign(t) * c**2, 0.06 * c**3 + (-0.03 if up else 0.03) * (r < 2), -0.22 * c**2


def frown(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Depressor anguli oris: corners down."""
    c = abs(t)
    return 0.05 * sign(t) * c**2, -0.30 * c**1.8, -0.07 * c**2


def stretch(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Risorius: corners out and back."""
    c = abs(t)
    return 0.30 * sign(t) * c**1.2, -0.14 * c**2 + (-0.04 if up else 0.03) * (r == 0) * (1 - c), -0.22 * c**1.2


def press(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Orbicularis oris: the lips on each other."""
    c = abs(t)
    roll = (-0.16, -0.09, -0.04, 0.0)[r] * (1 - c**4)
    return 0.04 * sign(t) * c**3, roll if up else -roll, (-0.05, -0.08, -0.09, -0.08)[r] * (1 - 0.3 * c)


def upper_up(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Levator labii superioris: the upper lip up."""
    c = abs(t)
    bump = (1 - c**2.5) * (0.75 + 0.25 * np.cos(2 * np.pi * (c - 0.4)))
    return 0.0, (0.30 * bump if up else 0.0), (-0.02 * bump if up else 0.0)


def lower_down(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Depressor labii inferioris: the lower lip down."""
    c = abs(t)
    bump = (1 - c**2.5) * (0.8 + 0.2 * np.cos(2 * np.pi * (c - 0.4)))
    return (0.0, 0.0, 0.0) if up else (0.04 * sign(t) * bump, -0.34 * bump, 0.03 * bump)
