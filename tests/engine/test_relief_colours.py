"""The scale of the relief's colours reads the same for everybody."""

from __future__ import annotations

import numpy as np

from engine.relief_colours import LEGEND, RANGE_MM, STOPS
from tests.relief_depths import colour_of

# Linear RGB as two cones see it that lack the third (Vienot, Brettel & Mollon 1999: no red, no green cones).
DICHROMATS = (
    np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
)


def lightness(linear: np.ndarray) -> float:
    """CIE L*."""
    return float(116 * np.cbrt(linear @ (0.2126, 0.7152, 0.0722)) - 16)


def linear(depth_mm: float) -> np.ndarray:
    return (colour_of(depth_mm) / 255) ** 2.2


def test_level_is_neutral_and_both_sides_darken_alike():
    assert np.ptp(colour_of(0.0)) <= 3
    depths = np.linspace(0.0, RANGE_MM, 41)
    hollows, bumps = ([lightness(linear(sign * depth)) for depth in depths] for sign in (-1, 1))
    assert (np.diff(hollows) < 0).all()
    assert (np.diff(bumps) < 0).all()
    assert np.abs(np.subtract(hollows, bumps)).max() < 8


def test_in_and_out_differ_for_eyes_that_lack_a_cone():
    for seen in DICHROMATS:
        for depth in (0.03, 0.05, 0.15, 0.3, RANGE_MM):
            hollow, bump = seen @ linear(-depth), seen @ linear(depth)
            assert hollow[2] > hollow[0] * 1.1, "blue"
            assert bump[2] < bump[0] * 0.8, "yellow"


def test_the_legend_tells_each_colour_in_mm():
    assert [colour for colour, _ in LEGEND] == [colour for _, colour in STOPS]
    assert [words for _, words in LEGEND] == ["0.5 mm in", "0.15", "0.05", "level", "0.05", "0.15", "0.5 mm out"]
