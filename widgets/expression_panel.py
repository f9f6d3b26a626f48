"""51 sliders grouped by region, with search, presets, reset and left-right editing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.expressions import KEY_NAMES, REGIONS, SHAPES, Shape
from widgets.expression_tips import KEY_TIPS, SHAPE_TIPS
from widgets.style import GAP_PX, MARGIN_PX, heading, named

_PRESET_COLUMNS = 3
_SLIDER_PX = 64  # at least: shorter ones jump by several percent under the mouse
_SPIN_MARGINS_PX = 24
_PERCENT = 100


def readable_name(name: str) -> str:
    """ARKit name in plain words: 'mouthSmileLeft' -> 'Mouth smile · left'."""
    words = re.sub(r"([A-Z])", r" \1", name).lower().split()
    side = ""
    if len(words) > 2 and words[-1] in ("left", "right"):
        side = f" · {words.pop()}"
    return " ".join(words).capitalize() + side


def readable_key(key: str) -> str:
    """Key expression in plain words: 'brow_raiser' -> 'Brow raiser'."""
    return key.replace("_", " ").capitalize()


class ExpressionPanel(QWidget):
    """Reports edits by signals; ``set_weights`` moves the sliders without an echo."""

    weight_edited = Signal(int, float)  # shape index, weight in [0, 1]
    edit_finished = Signal()  # a drag, a key press or a typed number is over
    preset_chosen = Signal(int)  # key expression
    reset_requested = Signal()
    photo_expression_requested = Signal()
    symmetry_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        label_px = max(self.fontMetrics().horizontalAdvance(readable_name(shape.name)) for shape in SHAPES)
        self._rows = [_ShapeRow(index, shape, label_px) for index, shape in enumerate(SHAPES)]
        self._headings = {region: heading(region) for region in REGIONS}
        self._nothing_found = named(QLabel("No expression has this name."), "muted")
        self._nothing_found.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, 4, GAP_PX)
        layout.setSpacing(GAP_PX)
        layout.addLayout(self._make_buttons())
        layout.addLayout(self._make_presets())
        layout.addLayout(self._make_search())
        layout.addWidget(self._make_sliders(), 1)
        for row in self._rows:
            row.edited.connect(self.weight_edited)
            row.finished.connect(self.edit_finished)

    def set_weights(self, weights: Sequence[float]) -> None:
        """Move all sliders, silently. ``weights``: 51 values in [0, 1]."""
        for row, weight in zip(self._rows, weights, strict=True):
            row.set_weight(float(weight))

    def set_symmetric(self, symmetric: bool) -> None:
        """Tick or clear 'Left and right together', silently."""
        with QSignalBlocker(self._symmetric):
            self._symmetric.setChecked(symmetric)

    def slider(self, index: int) -> QSlider:
        """The slider of shape ``index``."""
        return self._rows[index].slider

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self._search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._search.selectAll()

    def _make_buttons(self) -> QHBoxLayout:
        photo = QPushButton("Photo's expression")
        photo.setToolTip("The expression that the photo shows")
        photo.clicked.connect(self.photo_expression_requested)
        reset = QPushButton("Reset")
        reset.setToolTip("All sliders to zero: the neutral face")
        reset.clicked.connect(self.reset_requested)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, GAP_PX, 0)
        line.setSpacing(GAP_PX)
        line.addWidget(photo, 1)
        line.addWidget(reset, 1)
        return line

    def _make_presets(self) -> QVBoxLayout:
        fold = named(QToolButton(), "fold")
        fold.setText("Key expressions")
        fold.setCheckable(True)
        fold.setChecked(True)
        fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        fold.setArrowType(Qt.ArrowType.DownArrow)
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, GAP_PX, 0)
        grid.setSpacing(4)
        for key, name in enumerate(KEY_NAMES):
            chip = named(QToolButton(), "chip")
            chip.setText(readable_key(name))
            chip.setToolTip(KEY_TIPS[name])
            chip.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
            chip.clicked.connect(lambda _checked=False, key=key: self.preset_chosen.emit(key))
            grid.addWidget(chip, key // _PRESET_COLUMNS, key % _PRESET_COLUMNS)
        for place in range(_PRESET_COLUMNS):
            grid.setColumnStretch(place, 1)

        def unfold(opened: bool) -> None:
            box.setVisible(opened)
            fold.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)

        fold.toggled.connect(unfold)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(fold)
        column.addWidget(box)
        return column

    def _make_search(self) -> QHBoxLayout:
        self._search = QLineEdit()
        self._search.setPlaceholderText("Find an expression")
        self._search.setClearButtonEnabled(True)
        self._search.setAccessibleName("Find an expression")
        self._search.textChanged.connect(self._filter)
        self._symmetric = QCheckBox("Left/right together")
        self._symmetric.setChecked(True)
        self._symmetric.setToolTip("Moving one side moves the other side as well")
        self._symmetric.toggled.connect(self.symmetry_toggled)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, GAP_PX, 0)
        line.setSpacing(GAP_PX)
        line.addWidget(self._search, 1)
        line.addWidget(self._symmetric)
        return line

    def _make_sliders(self) -> QScrollArea:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(1)
        for region, title in self._headings.items():
            title.setContentsMargins(0, 8, 0, 2)
            column.addWidget(title)
            for row in self._rows:
                if row.shape.region == region:
                    column.addWidget(row)
        column.addWidget(self._nothing_found)
        column.addStretch()
        area = _Column()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return area

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        shown = [row for row in self._rows if row.matches(words)]
        for row in self._rows:
            row.setVisible(row in shown)
        for region, title in self._headings.items():
            title.setVisible(any(row.shape.region == region for row in shown))
        self._nothing_found.setVisible(not shown)


# Small subclasses instead of event filters: a filter in Python would run for every event of all 150 widgets, and each
# run waits for the interpreter while the engine has it.
class _Name(QLabel):
    double_clicked = Signal()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.double_clicked.emit()


class _Column(QScrollArea):
    def minimumSizeHint(self) -> QSize:
        """As wide as what is inside: it scrolls up and down only."""
        content = self.widget()
        width = 0 if content is None else content.minimumSizeHint().width()
        return QSize(width + self.verticalScrollBar().sizeHint().width(), super().minimumSizeHint().height())


class _Slider(QSlider):
    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the wheel scrolls the list; it must not move sliders on the way


class _Number(QSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class _ShapeRow(QWidget):
    """Name, slider and number of one shape. A double click on the name sets it to zero."""

    edited = Signal(int, float)
    finished = Signal()

    def __init__(self, index: int, shape: Shape, label_px: int) -> None:
        """label_px: room for the name, the same in all rows."""
        super().__init__()
        self.shape = shape
        self._index = index
        title = readable_name(shape.name)
        self._haystack = f"{title} {shape.name} {shape.facescape} {shape.region}".lower()
        self._label = _Name(title)
        self._label.setFixedWidth(label_px)
        tip = (
            f"{shape.name} (FaceScape: {shape.facescape})",
            *([SHAPE_TIPS[shape.name]] if shape.name in SHAPE_TIPS else ()),
            "Left and right are the person's own. Double-click to reset.",
        )
        self._label.setToolTip("\n".join(tip))
        self._label.double_clicked.connect(self._reset)
        self.slider: QSlider = _Slider(Qt.Orientation.Horizontal)
        self.slider.setMinimumWidth(_SLIDER_PX)
        self.slider.setMaximum(_PERCENT)
        self.slider.setPageStep(10)
        self.slider.setAccessibleName(title)
        self._number = named(_Number(), "weight")
        self._number.setMaximum(_PERCENT)
        self._number.setSuffix(" %")
        self._number.setKeyboardTracking(False)
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._number.setFixedWidth(self._number.fontMetrics().horizontalAdvance("100 %") + _SPIN_MARGINS_PX)
        self._number.setAccessibleName(f"{title}, percent")
        self._number.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # Tab goes from slider to slider
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderReleased.connect(self.finished)
        self._number.valueChanged.connect(self._on_number)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        line.addWidget(self._label)
        line.addWidget(self.slider, 1)
        line.addWidget(self._number)
        self._mark(0)

    def set_weight(self, weight: float) -> None:
        value = round(_PERCENT * weight)
        if value == self.slider.value():
            return
        with QSignalBlocker(self.slider), QSignalBlocker(self._number):
            self.slider.setValue(value)
            self._number.setValue(value)
        self._mark(value)

    def matches(self, words: Sequence[str]) -> bool:
        return all(word in self._haystack for word in words)

    def _reset(self) -> None:
        self.slider.setValue(0)
        self.finished.emit()

    def _on_slider(self, value: int) -> None:
        with QSignalBlocker(self._number):
            self._number.setValue(value)
        self._mark(value)
        self.edited.emit(self._index, value / _PERCENT)
        if not self.slider.isSliderDown():  # keyboard or a click beside the handle
            self.finished.emit()

    def _on_number(self, value: int) -> None:
        self.slider.setValue(value)

    def _mark(self, value: int) -> None:
        active = "true" if value else "false"
        if self._label.property("active") != active:
            self._label.setProperty("active", active)
            self._label.style().polish(self._label)
