"""The displacement map as a picture with its scale in mm, which map to show, and the strengths of the detail."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QShowEvent, QStandardItemModel
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from engine.arrays import ByteArray, FloatArray, check
from engine.detail.bands import CUTOFFS_MM
from engine.expressions import ALL_KEY_NAMES, KEY_NAMES
from engine.relief_colours import RANGE_MM, STOPS
from engine.types import FaceAsset
from widgets.detail_strengths import DetailStrengths
from widgets.plotting import when_plotting_is_ready
from widgets.style import GAP_PX, MARGIN_PX, PANEL, TEXT, named

STATIC, BLENDED = "static", "blended"
"""Choices besides the names of the key expressions."""

_TABLE_COLOURS = 513  # 2 micrometres each; an odd number, so that no depth at all is exactly neutral
_LEAST_PICTURE_PX = 190  # the map itself and its scale

_EMPTY = "The wrinkles and pores of a face appear here."
_PENDING = "Blending the maps of this expression …"


class DetailPanel(QWidget):
    """Shows one displacement map at a time; reports the chosen map; ``strengths`` reports its own edits."""

    map_chosen = Signal(str)  # STATIC, BLENDED or a key expression's name: answer BLENDED with set_blended
    exact_toggled = Signal(bool)
    confidence_toggled = Signal(bool)
    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._face: FaceAsset | None = None
        self._blended: FloatArray | None = None
        self._shown: FloatArray | None = None
        self._overlay_rgba: ByteArray | None = None
        self._spot: tuple[int, int] | None = None
        self._view: Any = None  # pyqtgraph.GraphicsLayoutWidget, built when first needed
        self._build_started = False
        self._build_layout()
        self._fill_choices()
        self._show_map()

    def set_face(self, face: FaceAsset | None) -> None:
        """Show the maps of another face, or of the same one with more maps; the choice stays where it can."""
        if face is None or self._face is None or face.rig is not self._face.rig:
            self._blended = None
        self._face = face
        self._fill_choices()
        self._show_map()

    def set_blended(self, map_mm: FloatArray | None) -> None:
        """Give the map of the current expression, (H, W) float32 mm, row 0 at the forehead; None while unknown."""
        self._blended = None if map_mm is None else check("map_mm", map_mm, (None, None))
        if self.chosen() == BLENDED:
            self._show_map()

    def set_overlay(self, rgba: ByteArray | None) -> None:
        """Lay a picture over the map, (H, W, 4) uint8 RGBA; None takes it away."""
        self._overlay_rgba = rgba
        if self._view is not None:
            self._overlay.setImage(rgba) if rgba is not None else self._overlay.clear()

    def set_spot(self, texel: tuple[int, int] | None, text: str = "") -> None:
        """Mark what the cursor points at in the 3D view, row and column of the map, and say ``text``; None: nothing."""
        if texel is None and self._spot is None:
            return  # the reading may be that of the cursor over the map
        self._spot = texel
        if self._view is not None:
            self._mark.setVisible(texel is not None)
        if texel is None:
            self._describe()
            return
        if self._view is not None:
            self._mark.setPos(texel[1] + 0.5, texel[0] + 0.5)
        self._reading.setText(text)

    def set_confidence(self, on: bool) -> None:
        """Show whether the skin is coloured by how well the photo shows it, silently."""
        with QSignalBlocker(self._confidence):
            self._confidence.setChecked(on)

    def set_exact(self, exact: bool) -> None:
        """Show whether the maps are blended with the published masks, silently."""
        with QSignalBlocker(self._exact):
            self._exact.setChecked(exact)

    def chosen(self) -> str:
        """Which map is shown: STATIC, BLENDED or a key expression's name."""
        return str(self._choice.currentData())

    def showEvent(self, event: QShowEvent) -> None:
        """Build the pyqtgraph view once the panel is on screen."""
        super().showEvent(event)
        if not self._build_started:
            self._build_started = True
            when_plotting_is_ready(self, self._build_view)
        self.shown.emit()

    def _build_layout(self) -> None:
        self._choice = QComboBox()
        self._choice.setToolTip("Which displacement map to look at")
        self._choice.currentIndexChanged.connect(self._on_chosen)
        self._reading = QLabel()
        self._empty = QLabel()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for label in (self._reading, self._empty):
            label.setObjectName("muted")
        self._empty.setWordWrap(True)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._exact = QCheckBox("&Blend as published")
        self._exact.setToolTip(
            "Mix the key expressions' maps with the masks of the FaceScape paper, which show less of them.\n"
            "Off: at its own sliders each key expression shows its own map."
        )
        self._exact.toggled.connect(self.exact_toggled)
        self._confidence = QCheckBox("Seen and in&vented skin")
        self._confidence.setToolTip(
            "Colour map and face by how well the photo shows the skin; the legend lies below the face (Ctrl+K)"
        )
        self._confidence.toggled.connect(self.confidence_toggled)
        self.strengths = DetailStrengths(CUTOFFS_MM, self)
        self._add_all()

    def _add_all(self) -> None:
        """The panel scrolls where it is too low for map and sliders; the map keeps a size at which one sees something."""
        choice_label = QLabel("&Map")
        choice_label.setBuddy(self._choice)
        top = QHBoxLayout()
        top.addWidget(choice_label)
        top.addWidget(self._choice, 1)
        picture = QWidget()
        picture.setMinimumHeight(_LEAST_PICTURE_PX)
        picture.setLayout(self._stack)
        options = QHBoxLayout()
        options.addWidget(self._confidence)
        options.addWidget(self._exact)
        options.addStretch()
        content = named(QWidget(), "content")
        layout = QVBoxLayout(content)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        layout.setSpacing(GAP_PX)
        layout.addLayout(top)
        layout.addWidget(picture, 1)
        layout.addWidget(self._reading)
        layout.addWidget(self.strengths)
        layout.addLayout(options)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def _build_view(self) -> None:
        import pyqtgraph

        view = pyqtgraph.GraphicsLayoutWidget()
        view.setBackground(PANEL)
        view.ci.layout.setContentsMargins(0, 0, 0, 0)
        plot = view.addPlot()
        for axis in ("left", "bottom"):
            plot.hideAxis(axis)
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setAspectLocked(True)
        plot.invertY(True)  # row 0 at the forehead
        depths_mm, colours = zip(*STOPS, strict=True)
        places = 0.5 + 0.5 * np.array(depths_mm) / RANGE_MM
        colour_map = pyqtgraph.ColorMap(places, np.array(colours, np.uint8))
        self._image = pyqtgraph.ImageItem(axisOrder="row-major", autoDownsample=True)
        plot.addItem(self._image)
        self._overlay = pyqtgraph.ImageItem(axisOrder="row-major", autoDownsample=True)
        self._overlay.setZValue(1)  # above the map
        plot.addItem(self._overlay)
        self._bar = pyqtgraph.ColorBarItem(
            values=(-RANGE_MM, RANGE_MM),
            width=12,
            colorMap=colour_map,
            interactive=False,
            orientation="h",
        )
        self._bar.axis.enableAutoSIPrefix(False)  # 0.1 mm, not 100 (x0.001)
        self._bar.layout.setContentsMargins(16, 6, 16, 0)  # room for the numbers at both ends
        self._bar.setToolTip("mm: blue in, orange out; the same colours as in the 3D view's Relief look")
        self._bar.setImageItem(self._image, insert_in=plot)
        self._image.setLookupTable(colour_map.getLookupTable(nPts=_TABLE_COLOURS))
        self._mark = pyqtgraph.TargetItem(movable=False, size=14, pen=pyqtgraph.mkPen(TEXT, width=1.5))
        self._mark.setZValue(2)
        self._mark.hide()
        plot.addItem(self._mark)
        view.scene().sigMouseMoved.connect(self._on_moved)
        view.scene().sigMouseClicked.connect(self._on_clicked)
        self._view, self._plot = view, plot
        self._stack.addWidget(view)
        self.set_overlay(self._overlay_rgba)
        self._show_map()

    def _fill_choices(self) -> None:
        """List all maps; the ones that are not there yet are greyed out, so that one sees that they will come."""
        previous = self.chosen() if self._choice.count() else STATIC
        keys = self._face.key_maps if self._face is not None else (None,) * len(KEY_NAMES)
        entries = [("Detail in the photo", STATIC, self._face is not None)]
        entries.append(("Current expression (blended)", BLENDED, self._face is not None))
        for name, key_map in zip(ALL_KEY_NAMES, keys, strict=False):
            entries.append((f"Key expression: {_title(name)}", name, key_map is not None))
        with QSignalBlocker(self._choice):
            self._choice.clear()
            for row, (title, data, available) in enumerate(entries):
                self._choice.addItem(title, data)
                model = self._choice.model()
                if isinstance(model, QStandardItemModel):
                    model.item(row).setEnabled(available)
                if data == previous and available:
                    self._choice.setCurrentIndex(row)
        self._choice.setEnabled(self._face is not None)

    def _map(self) -> FloatArray | None:
        if self._face is None:
            return None
        choice = self.chosen()
        if choice == STATIC:
            return self._face.static_map
        return self._blended if choice == BLENDED else self._face.key_maps[ALL_KEY_NAMES.index(choice)]

    def _show_map(self) -> None:
        shown = self._map()
        if shown is None or self._view is None:
            self._shown = None
            self._empty.setText(_EMPTY if self._face is None else _PENDING)
            self._stack.setCurrentIndex(0)
            self._reading.setText("")
            return
        if shown is not self._shown:
            first = self._shown is None or self._shown.shape != shown.shape
            self._shown = shown
            self._image.setImage(shown, autoLevels=False)
            if first:
                self._reset_view()
        self._stack.setCurrentWidget(self._view)
        self._describe()

    def _reset_view(self) -> None:
        if self._shown is not None:
            H, W = self._shown.shape
            self._plot.setRange(QRectF(0, 0, W, H), padding=0)

    def _describe(self) -> None:
        """Text under the map while the cursor is elsewhere."""
        if self._shown is not None and self._spot is None:
            self._reading.setText(f"{self._shown.min():+.2f} mm (in) to {self._shown.max():+.2f} mm (out)")

    def _on_moved(self, scene_point: QPointF) -> None:
        if self._shown is None:
            return
        point = self._image.mapFromScene(scene_point)
        column, row = int(np.floor(point.x())), int(np.floor(point.y()))
        H, W = self._shown.shape
        if 0 <= row < H and 0 <= column < W:
            self._reading.setText(depth_text(float(self._shown[row, column])))
        else:
            self._describe()

    def _on_clicked(self, event: Any) -> None:
        if event.double():
            self._reset_view()

    def _on_chosen(self, _row: int) -> None:
        self._show_map()
        self.map_chosen.emit(self.chosen())


def depth_text(depth_mm: float) -> str:
    """One depth, signed, with the word for it."""
    text = f"{depth_mm:+.2f}"
    if float(text) == 0.0:
        return "0.00 mm (level)"
    return f"{text} mm ({'bump' if depth_mm > 0 else 'dent'})"


def _title(key_name: str) -> str:
    return key_name.replace("_", " ")
