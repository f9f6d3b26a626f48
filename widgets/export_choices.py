"""What the export dialog offers, in the user's words."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QComboBox, QSpinBox

from engine.export import ExportOptions

MESHES = (("base", "Smooth: the fitted face"), ("displaced", "Detailed: wrinkles and pores as geometry"))
EXPRESSIONS = (
    ("current", "As shown in the window"),
    ("neutral", "Neutral"),
    ("all", "Neutral and all 51 shapes, as a set of files"),
)
MAPS = (
    ("none", "None"),
    ("static", "Detail in the photo (one 16-bit PNG)"),
    ("all", "All 20 key expressions (16-bit PNGs)"),
)
UNITS = (("mm", "Millimetres"), ("cm", "Centimetres"), ("m", "Metres"))
FIRST_CHOICES = ExportOptions(maps="static")
"""Until the user chooses: the smooth mesh holds no detail, so its map comes with it."""
DETAIL_LEVEL = 2  # subdivisions: edges of less than half a millimetre, as fine as the lines
COARSE_HINT = f"Below {DETAIL_LEVEL} the triangles are too large for fine lines and pores."
MOST_LISTED = 6  # files named in the question about replacing


def choice_box(choices: Sequence[tuple[str, str]], tip: str) -> QComboBox:
    """A box with these (value, text) choices."""
    combo = QComboBox()
    for value, text in choices:
        combo.addItem(text, value)
    combo.setToolTip(tip)
    return combo


def strength_box(most: float) -> QSpinBox:
    """Percent from none to ``most`` (a factor)."""
    box = QSpinBox()
    box.setRange(0, round(100 * most))
    box.setSingleStep(10)
    box.setSuffix(" %")
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setToolTip(
        "How deep the detail is, in the mesh and in the maps: 100 % as found; starts as in the window.\n"
        "Pores, fine lines and wrinkles are as deep as in the Detail panel."
    )
    return box


def size_text(size: int) -> str:
    """Bytes as people say them."""
    return QLocale().formattedDataSize(size, 1, QLocale.DataSizeFormat.DataSizeSIFormat)


def question(existing: Sequence[str]) -> tuple[str, str]:
    """Question and list of names."""
    count = len(existing)
    names = ", ".join(existing[:MOST_LISTED]) + (f" and {count - MOST_LISTED} more" if count > MOST_LISTED else "")
    if count == 1:
        return "This file exists already. Replace it?", names
    return f"{count} of these files exist already. Replace them?", names
