"""How muscles pull the lips: motions of the lip rings in half mouth widths.

Each function takes t (-1 right corner .. 1 left corner), the ring r (0 skin .. 3 inside) and whether it is the upper lip.

Sources: muscles and directions after Ekman & Friesen, Facial Action Coding System (1978); a spontaneous smile carries
the corners up and out at about 47 degrees and widens the mouth by 27 % (15 children; AJODO 128, 2005, 8-15). Other
amounts are ours.
"""

from __future__ import annotations

import numpy as np


def sign(t: float) -> float:
    """Side of the mouth: -1 right, 0 middle, 1 left."""
    return float(np.sign(t))


def _towards_corner(c: float, power: float, end: float = 0.9) -> float:
    """1 in the middle, 0 from ``end`` outwards: near the corners both lips are one."""
    return float(max(0.0, 1 - (c / end) ** power))


def smile(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Zygomaticus major: corners out, up and back; the lips thin over the teeth."""
    c = abs(t)
    thin = (0.0 if up else 0.05) * (1 - c**2) * (1 if r == 0 else 0.5)
    return 0.25 * sign(t) * c**1.2, 0.28 * c**1.8 + thin + 0.03, -0.09 * c**1.5 - 0.17


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
    return 0.30 * sign(t) * c**1.2, -0.12 * c**2 + (-0.04 if up else 0.03) * (r == 0) * (1 - c**2), -0.22 * c**1.2


def press(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Orbicularis oris: the lips on each other."""
    c = abs(t)
    roll = (-0.17, -0.10, -0.04, 0.0)[r] * _towards_corner(c, 3, 0.85)
    return 0.04 * sign(t) * c**3, roll if up else -roll, (-0.06, -0.10, -0.115, -0.12)[r] * (1 - 0.5 * c**2)


def upper_up(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Levator labii superioris: the upper lip up and towards the teeth, most beside the philtrum."""
    c = abs(t)
    bump = _towards_corner(c, 2.4) * (0.85 + 0.15 * np.cos(2 * np.pi * (c - 0.35)))
    evert = (0.03, 0.0, -0.01, -0.02)[r] * bump
    return 0.0, (0.29 * bump + evert if up else 0.0), (-0.12 * bump if up else 0.0)


def lower_down(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Depressor labii inferioris: the lower lip down, flat along the teeth."""
    c = abs(t)
    bump = _towards_corner(c, 2.4) * (0.9 + 0.1 * np.cos(2 * np.pi * (c - 0.4)))
    if up:
        return 0.0, 0.0, 0.0
    return 0.04 * sign(t) * bump, -0.32 * bump - (0.03, 0.0, -0.01, -0.02)[r] * bump, -0.07 * bump


def pucker(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Orbicularis oris, as for a kiss: corners in, both lips forwards and full."""
    c = abs(t)
    swell = (1.0, 0.6, 0.25, 0.0)[r] * (0.04 + 0.4 * c**2 * (1 - c**2) - 0.04 * c**4)
    forward = (0.36 if up else 0.31) - 0.20 * c**2
    return (
        -0.42 * sign(t) * c * (1 - 0.03 * r),
        swell if up else -swell,
        forward + (0.0, 0.06, 0.08, 0.05)[r] * (1 - 0.5 * c**2),
    )


def funnel(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Orbicularis oris, as for "oh": the lips forwards, apart and turned out."""
    c = abs(t)
    part = (0.20 if up else -0.25) * (1 - c**2) + (1.0, 0.6, 0.2, 0.0)[r] * (0.2 if up else -0.2) * c**2 * (1 - c**2)
    return -0.28 * sign(t) * c, part, (0.24 + (0.08, 0.10, 0.06, 0.0)[r]) * (1 - 0.45 * c**2)


def aside(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Both lips to the left."""
    return 0.30 - 0.05 * t**2, 0.05 * t, -0.06 * t**2 - 0.05 * t


def roll_upper(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """The upper lip over its teeth."""
    c = abs(t)
    if not up:
        return 0.0, 0.02 * (1 - c**2), 0.0
    share = _towards_corner(c, 2, 0.86)
    return 0.0, (-0.24, -0.19, -0.06, 0.04)[r] * share, (-0.08, -0.20, -0.26, -0.27)[r] * share


def roll_lower(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """The lower lip over its teeth."""
    c = abs(t)
    if up:
        return 0.0, -0.02 * (1 - c**2), 0.0
    share = _towards_corner(c, 2, 0.86)
    return 0.0, (0.26, 0.19, 0.06, -0.04)[r] * share, (-0.06, -0.20, -0.26, -0.27)[r] * share


def shrug_lower(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Mentalis: the lower lip up and out."""
    c = abs(t)
    if up:
        return 0.0, 0.04 * (1 - c**2), 0.0
    share = _towards_corner(c, 2, 0.86)
    return 0.0, (0.22, 0.20, 0.14, 0.09)[r] * share, 0.16 * share


def shrug_upper(t: float, r: int, up: bool) -> tuple[float, float, float]:
    """Mentalis and the lower lip push the upper lip up."""
    c = abs(t)
    return 0.0, 0.16 * (1 - c**2) - 0.03 * c**2, (0.15 if up else 0.07) * (1 - c**2)
