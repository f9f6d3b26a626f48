"""The photo with what was found in it: landmarks, their outlines, other faces to pick; photos may be dropped here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QGraphicsItem,
    QGraphicsPixmapItem,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.arrays import ByteArray, FloatArray, check
from engine.types import FaceBox, Landmarks
from widgets.empty_photo import EmptyPhoto
from widgets.photo_overlays import (
    CENTRE_PX,
    LINE_COLOUR,
    MESH_COLOUR,
    MODEL_COLOUR,
    POINT_COLOUR,
    box_item,
    outlines,
    path_item,
    rect_of,
    reduced,
    segments,
)
from widgets.plotting import when_plotting_is_ready
from widgets.points_editor import PointsEditor
from widgets.style import GAP_PX, MARGIN_PX

DOT_PX, RING_PX = 2.5, 6
FACE_MARGIN = 0.45  # of the face box: what is shown around the face when it was found
CLOSE = 0.4  # of the view's height that a face must fill for its points to be dragged


class PhotoPanel(QWidget):
    """Shows a photo and the points on it; reports dropped files, picked faces and points placed by hand."""

    photos_dropped = Signal(list)  # of Paths
    face_picked = Signal(object)  # FaceBox, one of Landmarks.others
    open_requested = Signal()
    adjust_requested = Signal()  # answer with begin_points
    restart_requested = Signal()  # answer with begin_clicks
    clicks_placed = Signal(object)  # (68, 2) float32 landmarks px, NaN where there was no click: begin_points
    points_accepted = Signal(object)  # (68, 2) float32 landmarks px
    editing_cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAcceptDrops(True)
        self._image: ByteArray | None = None
        self._landmarks: Landmarks | None = None
        self._reprojected: FloatArray | None = None
        self._mesh_lines: FloatArray | None = None
        self._view: Any = None  # pyqtgraph.PlotWidget, built when first needed
        self._build_started = False
        self._photo_item = QGraphicsPixmapItem()
        self._overlays: list[QGraphicsItem] = []
        self._boxes: list[tuple[QRectF, FaceBox]] = []
        self._build_layout()
        self._update_controls()

    def set_photo(self, image: ByteArray | None) -> None:
        """Show a picture, (H, W, 3) uint8 RGB, row 0 top; None for the empty panel. Points are cleared."""
        self._image = None if image is None else check("image", image, (None, None, 3), np.uint8)
        self._landmarks = self._reprojected = self._mesh_lines = None
        self._draw_photo()
        self._draw_overlays()

    def set_landmarks(self, landmarks: Landmarks | None) -> None:
        """Draw the points, and the other faces as boxes to click, and move close to them."""
        self._landmarks = landmarks
        self._draw_overlays()
        self.show_face()

    def set_reprojected(self, points_px: FloatArray | None) -> None:
        """Draw where the fitted model puts its landmarks: (68, 2) float32 image px, rows of NaN where it has none."""
        self._reprojected = None if points_px is None else check("points_px", points_px, (68, 2))
        self._draw_overlays()

    def set_mesh_lines(self, lines_px: FloatArray | None) -> None:
        """Give the lines of the fitted face that 'Mesh lines' shows: (n, 2, 2) float32 image px."""
        self._mesh_lines = None if lines_px is None else check("lines_px", lines_px, (None, 2, 2))
        self._draw_overlays()

    @property
    def is_editing(self) -> bool:
        """Whether points are being placed by hand."""
        return bool(self._editor.phase)

    def begin_clicks(self) -> None:
        """Ask for the first few points of the face in the photo on show; nothing where there is none."""
        if self._view is not None and self._image is not None:
            self._editor.begin_clicks(self._view, self._photo_rect())
            self._draw_overlays()

    def begin_points(self, points68: FloatArray) -> None:
        """Let these points be dragged, (68, 2) float32 landmarks px."""
        if self._view is not None and self._image is not None:
            self._editor.begin_points(self._view, self._photo_rect(), points68)
            self._draw_overlays()
            self._show_near(QRectF(QPointF(*points68.min(0).tolist()), QPointF(*points68.max(0).tolist())))

    def end_editing(self) -> None:
        """Back to looking."""
        if self.is_editing:
            self._editor.end()
            self._view.viewport().unsetCursor()
            self._view.setToolTip("")
            self._draw_overlays()

    def set_caption(self, text: str) -> None:
        """One line under the photo: name, size, error of the fit."""
        self._caption.setText(text)
        self._caption.setVisible(bool(text))

    def set_warnings(self, warnings: tuple[str, ...]) -> None:
        """Plain sentences about what deserves care; none hides the list."""
        self._warnings.setText("\n".join(f"•  {sentence}" for sentence in warnings))
        self._warnings.setVisible(bool(warnings))

    def show_whole_photo(self) -> None:
        """Fit the whole photo into the panel."""
        if self._view is not None and self._image is not None:
            self._view.getViewBox().setRange(self._photo_rect(), padding=0.02)

    def show_face(self) -> None:
        """Fit the faces that were found into the panel."""
        if self._view is None or self._image is None or self._landmarks is None:
            return
        face = rect_of(self._landmarks.box)
        margin = FACE_MARGIN * max(face.width(), face.height())
        wanted = face.adjusted(-margin, -margin, margin, margin)
        for rect, _ in self._boxes:
            wanted = wanted.united(rect)
        self._view.getViewBox().setRange(wanted.intersected(self._photo_rect()), padding=0.02)

    def _show_near(self, points: QRectF) -> None:
        """Move close to the points, unless the user did that already."""
        seen = self._view.getViewBox().viewRect()
        if not seen.contains(points) or points.height() < CLOSE * seen.height():
            margin = FACE_MARGIN * points.height()
            self._view.getViewBox().setRange(points.adjusted(-margin, -margin, margin, margin), padding=0)

    def _photo_rect(self) -> QRectF:
        H, W = (0, 0) if self._image is None else self._image.shape[:2]
        return QRectF(0, 0, W, H)

    def showEvent(self, event: QShowEvent) -> None:
        """Build the pyqtgraph view once the panel is on screen."""
        super().showEvent(event)
        if not self._build_started:
            self._build_started = True
            when_plotting_is_ready(self, self._build_view)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the editor have the keys that the photo's view gets."""
        return self._takes_key(event) or super().eventFilter(watched, event)

    def event(self, event: QEvent) -> bool:
        """The same for the keys that nothing else in the panel wanted."""
        return self._takes_key(event) or super().event(event)

    def _takes_key(self, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or not self.is_editing:
            return False
        if event.type() == QEvent.Type.ShortcutOverride and self._editor.wants_key(event):
            event.accept()
            return True
        return event.type() == QEvent.Type.KeyPress and self._editor.handle_key(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept local files; what is in them is for the engine to say."""
        if self._dropped_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Report the dropped files."""
        paths = self._dropped_files(event)
        if paths:
            event.acceptProposedAction()
            self.photos_dropped.emit(paths)

    @staticmethod
    def _dropped_files(event: QDropEvent) -> list[Path]:
        return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]

    def _build_layout(self) -> None:
        self._stack = QStackedLayout()
        empty = EmptyPhoto()
        empty.open_requested.connect(self.open_requested)
        self._stack.addWidget(empty)
        self._points = self._toggle("&Points", "The points found in the photo, and their outlines", checked=True)
        self._mesh = self._toggle("Mesh &lines", "The fitted face as a net over the photo")
        self._model = self._toggle("&Model points", "Where the fitted face puts the same 68 points")
        self._adjust = _button(
            "&Adjust points", "Move points that were found in the wrong place, then rebuild the face"
        )
        self._adjust.clicked.connect(self.adjust_requested)
        self._others = _button("Other faces", "Rebuild from another face in this photo, or click its dashed box")
        self._others.setStyleSheet("QToolButton::menu-indicator { image: none; }")  # the text has an arrow of its own
        self._others.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._others_menu = QMenu(self._others)
        self._others.setMenu(self._others_menu)
        self._to_face = _button("Face", "Show the face; the wheel zooms, dragging moves")
        self._to_face.clicked.connect(self.show_face)
        self._to_photo = _button("Photo", "Show the whole photo; a double click does the same")
        self._to_photo.clicked.connect(self.show_whole_photo)
        self._tools = QWidget()
        rows = QVBoxLayout(self._tools)  # two rows, so that the panel may be narrow
        rows.setContentsMargins(0, 0, 0, 0)
        for widgets in (
            (self._points, self._mesh, self._model),
            (self._to_face, self._to_photo, self._adjust, self._others),
        ):
            row = QHBoxLayout()
            for tool in widgets:
                row.addWidget(tool)
            row.addStretch()
            rows.addLayout(row)
        self._caption, self._warnings = _text_label("muted"), _text_label("photo_warnings")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        layout.setSpacing(GAP_PX)
        layout.addLayout(self._stack, 1)
        for widget in (self._tools, self._make_editor(), self._caption, self._warnings):
            layout.addWidget(widget)

    def _make_editor(self) -> PointsEditor:
        self._editor = PointsEditor()
        self._editor.clicks_placed.connect(self.clicks_placed)
        self._editor.points_accepted.connect(self.points_accepted)
        self._editor.cancelled.connect(self.editing_cancelled)
        self._editor.restart_requested.connect(self.restart_requested)
        return self._editor

    def _toggle(self, text: str, tip: str, *, checked: bool = False) -> QCheckBox:
        box = QCheckBox(text)
        box.setChecked(checked)
        box.setToolTip(tip)
        box.toggled.connect(self._draw_overlays)
        return box

    def _build_view(self) -> None:
        import pyqtgraph

        view = pyqtgraph.PlotWidget(background=None)
        view.setObjectName("photo_view")
        view.setAcceptDrops(False)  # so that drops reach the panel
        view.viewport().setAcceptDrops(False)
        view.hideAxis("left")
        view.hideAxis("bottom")
        view.hideButtons()
        view.setMenuEnabled(False)
        view.setAntialiasing(True)
        box = view.getViewBox()
        box.setAspectLocked(True)
        box.invertY(True)  # image px: y down
        self._photo_item.setTransformationMode(Qt.TransformationMode.SmoothTransformation)
        box.addItem(self._photo_item, ignoreBounds=True)
        view.scene().sigMouseClicked.connect(self._on_clicked)
        view.scene().sigMouseMoved.connect(self._on_moved)
        view.installEventFilter(self)  # keys, while points are placed
        self._view = view
        self._stack.addWidget(view)
        self._draw_photo()
        self._draw_overlays()
        self.show_face()

    def _draw_photo(self) -> None:
        if self._view is None or self._image is None:
            self._stack.setCurrentIndex(0)
            return
        pixmap = QPixmap.fromImage(reduced(self._image))
        self._photo_item.setPixmap(pixmap)
        self._photo_item.setScale(self._image.shape[1] / pixmap.width())
        self._stack.setCurrentWidget(self._view)
        self.show_whole_photo()

    def _draw_overlays(self) -> None:
        self._boxes = []
        if self._landmarks is not None:
            self._boxes = [(rect_of(box), box) for box in self._landmarks.others]
        self._update_controls()
        if self._view is None:
            return
        box = self._view.getViewBox()
        for item in self._overlays:
            box.removeItem(item)
        boxes = [box_item(rect) for rect, _ in self._boxes]
        editing = self.is_editing
        self._overlays = [] if editing else [*self._landmark_items(), *self._model_items(), *boxes]
        for item in self._overlays:
            box.addItem(item, ignoreBounds=True)

    def _update_controls(self) -> None:
        shown = self._landmarks is not None
        self._points.setEnabled(shown)
        self._mesh.setEnabled(self._mesh_lines is not None)
        self._model.setEnabled(self._reprojected is not None)
        self._to_face.setEnabled(shown)
        self._adjust.setEnabled(shown)
        self._tools.setVisible(self._image is not None and not self.is_editing)
        self._others.setVisible(bool(self._boxes))
        self._others.setText(f"Other faces ({len(self._boxes)}) ▾")
        self._others_menu.clear()
        for number, (_, face) in enumerate(sorted(self._boxes, key=lambda pair: pair[0].x()), start=1):
            action = self._others_menu.addAction(f"Face &{number} from the left")
            action.triggered.connect(lambda _checked=False, face=face: self.face_picked.emit(face))

    def _landmark_items(self) -> list[QGraphicsItem]:
        items: list[QGraphicsItem] = []
        if self._landmarks is None:
            return items
        if self._mesh.isChecked() and self._mesh_lines is not None:
            items.append(path_item(segments(self._mesh_lines), MESH_COLOUR, 1.0))
        if self._points.isChecked():
            import pyqtgraph

            brush = pyqtgraph.mkBrush(POINT_COLOUR)
            dense = self._landmarks.dense + CENTRE_PX
            items.append(pyqtgraph.ScatterPlotItem(pos=dense, size=DOT_PX, pen=None, brush=brush, pxMode=True))
            if self._landmarks.points68 is not None:
                items.append(path_item(outlines(self._landmarks.points68 + CENTRE_PX), LINE_COLOUR, 1.5))
        return items

    def _model_items(self) -> list[QGraphicsItem]:
        if self._reprojected is None or not self._model.isChecked():
            return []
        import pyqtgraph

        found = self._reprojected[np.isfinite(self._reprojected).all(axis=1)]
        pen = pyqtgraph.mkPen(MODEL_COLOUR, width=1.5)
        return [pyqtgraph.ScatterPlotItem(pos=found, size=RING_PX, symbol="o", pen=pen, brush=None, pxMode=True)]

    def _box_at(self, scene_point: QPointF) -> FaceBox | None:
        if not self._boxes or self.is_editing:
            return None
        point = self._view.getViewBox().mapSceneToView(scene_point)
        return next((face for rect, face in self._boxes if rect.contains(point)), None)

    def _on_clicked(self, event: Any) -> None:
        if self.is_editing:
            if event.button() == Qt.MouseButton.LeftButton and not event.double():
                self._editor.click(self._view.getViewBox().mapSceneToView(event.scenePos()))
        elif event.double():
            self.show_whole_photo()
        elif event.button() == Qt.MouseButton.LeftButton and (face := self._box_at(event.scenePos())) is not None:
            self.face_picked.emit(face)

    def _on_moved(self, scene_point: QPointF) -> None:
        if self.is_editing:
            return
        over = self._box_at(scene_point) is not None
        self._view.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)
        self._view.setToolTip("Click to use this face instead" if over else "")


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName("chip")
    button.setText(text)
    button.setToolTip(tip)
    return button


def _text_label(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    label.hide()
    return label
