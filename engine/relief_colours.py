"""Which colour shows which depth of the skin's detail: one scale for the 3D view and for the picture of the map."""

from __future__ import annotations

Colour = tuple[int, int, int]
"""sRGB."""

STOPS: tuple[tuple[float, Colour], ...] = (
    (-0.5, (8, 48, 120)),
    (-0.15, (45, 120, 190)),
    (-0.05, (150, 200, 228)),
    (0.0, (232, 232, 230)),
    (0.05, (250, 195, 150)),
    (0.15, (224, 100, 40)),
    (0.5, (120, 30, 10)),
)
"""mm along the normal, negative for hollows, and the colour; linear in between, the same beyond the ends.

Blue and orange are told apart by all eyes, and both sides darken alike. Most skin lies within a twentieth of a millimetre
of its surface: a scale in even steps up to the deepest fold would show next to nothing of it.
"""

RANGE_MM = STOPS[-1][0]
"""The colours reach from minus this to this."""


def _words(depth_mm: float) -> str:
    """The ends of the legend say what the numbers between them are."""
    if not depth_mm:
        return "level"
    side = "" if abs(depth_mm) < RANGE_MM else " mm in" if depth_mm < 0.0 else " mm out"
    return f"{abs(depth_mm):g}{side}"


LEGEND: tuple[tuple[Colour, str], ...] = tuple((colour, _words(depth)) for depth, colour in STOPS)
