"""How the face is drawn: look, light, background and camera views."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from engine.types import ViewOptions
from widgets.icons import icon
from widgets.style import GAP_PX, MARGIN_PX, heading, named

LOOKS: tuple[tuple[str, str, str], ...] = (
    ("texture", "Photo", "The photo's colours on the face"),
    ("clay", "Clay", "Grey: the shape alone"),
    ("map", "Relief", "The displacement map in false colours: blue in, orange out; the legend lies below the face"),
)
"""Look of ViewOptions, its name, its tooltip."""

BACKGROUNDS: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("Charcoal", ViewOptions().background),
    ("Black", (0.0, 0.0, 0.0)),
    ("Grey", (0.5, 0.5, 0.5)),
    ("White", (1.0, 1.0, 1.0)),
)

_VIEWS = (("front", "Front"), ("three-quarter", "Three-quarter"), ("side", "Side"), ("reset", "Reset"))


class ViewPanel(QWidget):
    """Reports a whole new ViewOptions for each edit; ``set_view`` shows one without an echo."""

    view_edited = Signal(object)  # ViewOptions
    camera_requested = Signal(str)  # 'front', 'three-quarter', 'side' or 'reset'

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._view = ViewOptions()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        layout.setSpacing(GAP_PX)
        self._add_look(layout)
        self._add_light(layout)
        self._add_background(layout)
        self._add_camera(layout)
        layout.addStretch()
        self.set_view(self._view)

    def set_view(self, view: ViewOptions) -> None:
        """Show ``view``, silently."""
        self._view = view
        for (look, _, _), button in zip(LOOKS, self._looks.buttons(), strict=True):
            button.setChecked(look == view.look)
        for (_, colour), button in zip(BACKGROUNDS, self._backgrounds.buttons(), strict=True):
            button.setChecked(colour == view.background)
        controls: tuple[tuple[QCheckBox, bool], ...] = ((self._wireframe, view.wireframe), (self._unlit, view.unlit))
        for box, checked in controls:
            with QSignalBlocker(box):
                box.setChecked(checked)
        angles = ((self._azimuth, view.light_azimuth_deg), (self._elevation, view.light_elevation_deg))
        for slider, angle in angles:
            with QSignalBlocker(slider):
                slider.setValue(round(angle))
        self._azimuth_label.setText(f"{view.light_azimuth_deg:+.0f}°")
        self._elevation_label.setText(f"{view.light_elevation_deg:+.0f}°")

    def _add_look(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("Look"))
        self._looks = QButtonGroup(self)
        line = _line(layout)
        for index, (look, title, tip) in enumerate(LOOKS):
            button = _toggle(QPushButton(title), tip)
            button.clicked.connect(lambda _checked=False, look=look: self._edit(look=look))
            self._looks.addButton(button, index)
            line.addWidget(button, 1)
        self._wireframe = QCheckBox("Wireframe")
        self._wireframe.setToolTip("The edges of the mesh over the look")
        self._unlit = QCheckBox("Photo's own light only")
        self._unlit.setToolTip("No shading: the texture as the photo shows it")
        self._wireframe.toggled.connect(lambda on: self._edit(wireframe=on))
        self._unlit.toggled.connect(lambda on: self._edit(unlit=on))
        line = _line(layout)
        line.addWidget(self._wireframe)
        line.addWidget(self._unlit)
        line.addStretch()

    def _add_light(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("Light"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(GAP_PX)
        grid.setVerticalSpacing(2)
        layout.addLayout(grid)
        self._azimuth, self._azimuth_label = _angle(grid, 0, "Direction", 180, "- from your left, + from your right")
        self._elevation, self._elevation_label = _angle(grid, 1, "Height", 90, "- from below, + from above")
        self._azimuth.valueChanged.connect(lambda angle: self._edit(light_azimuth_deg=float(angle)))
        self._elevation.valueChanged.connect(lambda angle: self._edit(light_elevation_deg=float(angle)))

    def _add_background(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("Background"))
        self._backgrounds = QButtonGroup(self)
        line = _line(layout)
        for index, (name, colour) in enumerate(BACKGROUNDS):
            button = _toggle(QPushButton(_swatch(colour), ""), name)
            button.setAccessibleName(f"Background {name.lower()}")
            button.clicked.connect(lambda _checked=False, colour=colour: self._edit(background=colour))
            self._backgrounds.addButton(button, index)
            line.addWidget(button, 1)

    def _add_camera(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("Camera"))
        line = _line(layout)
        for key, title in _VIEWS:
            button = QPushButton(icon(key), "")
            button.setToolTip(title)
            button.setAccessibleName(f"Camera {title.lower()}")
            button.clicked.connect(lambda _checked=False, key=key: self.camera_requested.emit(key))
            line.addWidget(button, 1)

    def _edit(self, **changes: object) -> None:
        self._view = replace(self._view, **changes)  # type: ignore[arg-type]
        self.set_view(self._view)
        self.view_edited.emit(self._view)


def _toggle(button: QPushButton, tip: str) -> QPushButton:
    button.setCheckable(True)
    button.setToolTip(tip)
    return button


def _line(layout: QVBoxLayout) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setSpacing(GAP_PX)
    layout.addLayout(line)
    return line


def _angle(grid: QGridLayout, row: int, title: str, limit: int, tip: str) -> tuple[QSlider, QLabel]:
    slider = named(QSlider(Qt.Orientation.Horizontal), "two_sided")
    slider.setToolTip(tip)
    slider.setRange(-limit, limit)
    slider.setPageStep(15)
    slider.setAccessibleName(f"Light {title.lower()}")
    number = named(QLabel(), "muted")
    number.setAlignment(Qt.AlignmentFlag.AlignRight)
    number.setFixedWidth(number.fontMetrics().horizontalAdvance("+000°"))
    for column, widget in enumerate((QLabel(title), slider, number)):
        grid.addWidget(widget, row, column)
    return slider, number


def _swatch(colour: Iterable[float]) -> QIcon:
    pixmap = QPixmap(32, 16)
    pixmap.fill(QColor.fromRgbF(*colour))
    return QIcon(pixmap)
