"""How deep the detail is: as a whole, and its pores, fine lines and wrinkles each for itself."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QSlider, QSpinBox, QToolButton, QWidget

from engine.types import AS_FOUND, BandStrengths
from widgets.icons import icon
from widgets.style import named

MAX_PERCENT = 200
_ROWS = (
    ("All detail", "How deep the detail is on the face: 0 % none, 100 % as found, 200 % doubled"),
    ("Pores", "Detail finer than {0:g} mm from crest to crest"),
    ("Fine lines", "Detail of {0:g} to {1:g} mm from crest to crest"),
    ("Wrinkles", "Folds wider than {1:g} mm from crest to crest"),
)


class DetailStrengths(QWidget):
    """Four sliders with their numbers, and a button that puts all back; reports edits, ``set_*`` are silent."""

    strength_edited = Signal(float)  # factor on the whole map, 0..2
    bands_edited = Signal(tuple)  # factors on pores, fine lines and wrinkles, 0..2 each
    edit_finished = Signal()  # the slider was let go
    reset_requested = Signal()

    def __init__(self, cutoffs_mm: tuple[float, float], parent: QWidget | None = None) -> None:
        """cutoffs_mm: wavelengths between pores and fine lines, and between those and wrinkles."""
        super().__init__(parent)
        self.sliders: list[QSlider] = []
        self.numbers: list[QSpinBox] = []
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        for row, (title, tip) in enumerate(_ROWS):
            self._add_row(grid, row, title, tip.format(*cutoffs_mm))
        self.reset = named(QToolButton(), "chip")
        self.reset.setIcon(icon("reset"))
        self.reset.setToolTip("All detail as it was found: 100 %")
        self.reset.setAccessibleName("Reset the detail")
        self.reset.clicked.connect(self.reset_requested)
        grid.addWidget(self.reset, 0, 3)
        grid.setColumnStretch(1, 1)
        self._update_reset()

    def set_strength(self, factor: float) -> None:
        """Show the strength of the whole, 1 = as found."""
        self._set(0, factor)

    def set_bands(self, factors: BandStrengths) -> None:
        """Show the strengths of pores, fine lines and wrinkles, 1 = as found."""
        for row, factor in enumerate(factors, start=1):
            self._set(row, factor)

    def bands(self) -> BandStrengths:
        """What the three band sliders show."""
        pores, lines, wrinkles = (number.value() / 100 for number in self.numbers[1:])
        return pores, lines, wrinkles

    def _add_row(self, grid: QGridLayout, row: int, title: str, tip: str) -> None:
        slider, number = QSlider(Qt.Orientation.Horizontal), named(QSpinBox(), "weight")
        slider.setPageStep(10)
        number.setSuffix(" %")
        for control in (slider, number):
            control.setRange(0, MAX_PERCENT)
            control.setValue(100)
            control.setToolTip(tip)
            control.setAccessibleName(f"{title}, strength")
            control.valueChanged.connect(lambda percent, row=row: self._on_edited(row, percent))
        slider.sliderReleased.connect(self.edit_finished)
        number.editingFinished.connect(self.edit_finished)
        label = QLabel(title)
        label.setToolTip(tip)
        for column, widget in enumerate((label, slider, number)):
            grid.addWidget(widget, row, column)
        self.sliders.append(slider)
        self.numbers.append(number)

    def _set(self, row: int, factor: float) -> None:
        for control in (self.sliders[row], self.numbers[row]):
            with QSignalBlocker(control):
                control.setValue(round(100 * factor))
        self._update_reset()

    def _update_reset(self) -> None:
        if len(self.numbers) == len(_ROWS):
            self.reset.setEnabled(self.numbers[0].value() != 100 or self.bands() != AS_FOUND)

    def _on_edited(self, row: int, percent: int) -> None:
        self._set(row, percent / 100)
        if row == 0:
            self.strength_edited.emit(percent / 100)
        else:
            self.bands_edited.emit(self.bands())
