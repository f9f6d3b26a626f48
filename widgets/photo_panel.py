"""The photo with what was found in it: landmarks, their outlines, other faces to pick; photos may be dropped here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QImage, QPainterPath, QPen, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QGraphicsItem,
    QGraphicsPathItem,
    QGraphicsPixmapItem,
    QGraphicsRectItem,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.arrays import ByteArray, FloatArray, IntArray, check
from engine.types import FaceBox, Landmarks
from widgets.plotting import when_plotting_is_ready
from widgets.style import GAP_PX, MARGIN_PX

POLYLINES: tuple[tuple[tuple[int, ...], bool], ...] = (
    (tuple(range(0, 17)), False),  # jaw
    (tuple(range(17, 22)), False),  # right brow
    (tuple(range(22, 27)), False),  # left brow
    (tuple(range(27, 31)), False),  # bridge of the nose
    (tuple(range(31, 36)), False),  # nostrils
    (tuple(range(36, 42)), True),  # right eye
    (tuple(range(42, 48)), True),  # left eye
    (tuple(range(48, 60)), True),  # outer lips
    (tuple(range(60, 68)), True),  # inner lips
)
"""iBUG points joined by a line, and whether the line closes."""

SHOWN_SIDE = 1600  # px of the longer side: sharp in a panel, and a 48 MP photo does not stop the window
POINT_COLOUR = QColor(255, 255, 255, 190)
LINE_COLOUR = QColor(94, 208, 255)
MESH_COLOUR = QColor(255, 255, 255, 70)
MODEL_COLOUR = QColor(255, 176, 66)
BOX_COLOUR = QColor(255, 214, 102)
DOT_PX, RING_PX = 2.5, 6
FACE_MARGIN = 0.45  # of the face box: what is shown around the face when it was found


class PhotoPanel(QWidget):
    """Shows a photo and the points on it; reports dropped files and picked faces."""

    photo_dropped = Signal(Path)
    face_picked = Signal(object)  # FaceBox, one of Landmarks.others
    open_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAcceptDrops(True)
        self._image: ByteArray | None = None
        self._landmarks: Landmarks | None = None
        self._reprojected: FloatArray | None = None
        self._mesh_edges: IntArray | None = None
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
        self._landmarks = self._reprojected = None
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

    def set_mesh_edges(self, edges: IntArray | None) -> None:
        """Pairs of dense points that 'Mesh lines' joins: (n, 2) int32."""
        self._mesh_edges = None if edges is None else check("edges", edges, (None, 2), np.int32)
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
        face = _rect(self._landmarks.box)
        margin = FACE_MARGIN * max(face.width(), face.height())
        wanted = face.adjusted(-margin, -margin, margin, margin)
        for rect, _ in self._boxes:
            wanted = wanted.united(rect)
        self._view.getViewBox().setRange(wanted.intersected(self._photo_rect()), padding=0.02)

    def _photo_rect(self) -> QRectF:
        H, W = (0, 0) if self._image is None else self._image.shape[:2]
        return QRectF(0, 0, W, H)

    def showEvent(self, event: QShowEvent) -> None:
        """Build the pyqtgraph view once the panel is on screen."""
        super().showEvent(event)
        if not self._build_started:
            self._build_started = True
            when_plotting_is_ready(self, self._build_view)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept local files; what is in them is for the engine to say."""
        if self._dropped_file(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Report the first dropped file."""
        path = self._dropped_file(event)
        if path is not None:
            event.acceptProposedAction()
            self.photo_dropped.emit(path)

    @staticmethod
    def _dropped_file(event: QDropEvent) -> Path | None:
        files = (url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile())
        first = next(files, None)
        return Path(first) if first else None

    def _build_layout(self) -> None:
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty_page())
        self._points = self._toggle("&Points", "The points found in the photo, and their outlines", checked=True)
        self._mesh = self._toggle("Mesh &lines", "The net between the dense points")
        self._model = self._toggle("&Model points", "Where the fitted face puts the same 68 points")
        self._others = _button("Other faces", "Rebuild from another face in this photo, or click its dashed box")
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
        for widgets in ((self._points, self._mesh, self._model), (self._to_face, self._to_photo, self._others)):
            row = QHBoxLayout()
            for widget in widgets:
                row.addWidget(widget)
            row.addStretch()
            rows.addLayout(row)
        self._caption = _text_label("muted")
        self._warnings = _text_label("photo_warnings")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        layout.setSpacing(GAP_PX)
        layout.addLayout(self._stack, 1)
        layout.addWidget(self._tools)
        layout.addWidget(self._caption)
        layout.addWidget(self._warnings)

    def _empty_page(self) -> QWidget:
        page = QWidget()
        text = QLabel("Drop a photo of a face here")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text.setWordWrap(True)
        button = QPushButton("&Open photo…")
        button.setObjectName("open")
        button.setToolTip("Choose a photo from your disk")
        button.clicked.connect(self.open_requested)
        layout = QVBoxLayout(page)
        layout.setSpacing(MARGIN_PX)
        layout.addStretch()
        layout.addWidget(text)
        layout.addWidget(button, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addStretch()
        return page

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
        self._view = view
        self._stack.addWidget(view)
        self._draw_photo()
        self._draw_overlays()
        self.show_face()

    def _draw_photo(self) -> None:
        if self._view is None or self._image is None:
            self._stack.setCurrentIndex(0)
            return
        pixmap = QPixmap.fromImage(_reduced(self._image))
        self._photo_item.setPixmap(pixmap)
        self._photo_item.setScale(self._image.shape[1] / pixmap.width())
        self._stack.setCurrentWidget(self._view)
        self.show_whole_photo()

    def _draw_overlays(self) -> None:
        self._boxes = []
        if self._landmarks is not None:
            self._boxes = [(_rect(box), box) for box in self._landmarks.others]
        self._update_controls()
        if self._view is None:
            return
        box = self._view.getViewBox()
        for item in self._overlays:
            box.removeItem(item)
        boxes = [self._box_item(rect) for rect, _ in self._boxes]
        self._overlays = [*self._landmark_items(), *self._model_items(), *boxes]
        for item in self._overlays:
            box.addItem(item, ignoreBounds=True)

    def _update_controls(self) -> None:
        shown = self._landmarks is not None
        self._points.setEnabled(shown)
        self._mesh.setEnabled(shown)
        self._mesh.setVisible(self._mesh_edges is not None)
        self._model.setEnabled(self._reprojected is not None)
        self._to_face.setEnabled(shown)
        self._tools.setVisible(self._image is not None)
        self._others.setVisible(bool(self._boxes))
        self._others.setText(f"Other faces ({len(self._boxes)})")
        self._others_menu.clear()
        for number, (_, face) in enumerate(sorted(self._boxes, key=lambda pair: pair[0].x()), start=1):
            action = self._others_menu.addAction(f"Face &{number} from the left")
            action.triggered.connect(lambda _checked=False, face=face: self.face_picked.emit(face))

    def _landmark_items(self) -> list[QGraphicsItem]:
        items: list[QGraphicsItem] = []
        if self._landmarks is None:
            return items
        dense = self._landmarks.dense
        if self._mesh.isChecked() and self._mesh_edges is not None:
            items.append(_path_item(_segments(dense[self._mesh_edges]), MESH_COLOUR, 1.0))
        if self._points.isChecked():
            import pyqtgraph

            brush = pyqtgraph.mkBrush(POINT_COLOUR)
            items.append(pyqtgraph.ScatterPlotItem(pos=dense, size=DOT_PX, pen=None, brush=brush, pxMode=True))
            if self._landmarks.points68 is not None:
                items.append(_path_item(_outlines(self._landmarks.points68), LINE_COLOUR, 1.5))
        return items

    def _model_items(self) -> list[QGraphicsItem]:
        if self._reprojected is None or not self._model.isChecked():
            return []
        import pyqtgraph

        found = self._reprojected[np.isfinite(self._reprojected).all(axis=1)]
        pen = pyqtgraph.mkPen(MODEL_COLOUR, width=1.5)
        return [pyqtgraph.ScatterPlotItem(pos=found, size=RING_PX, symbol="o", pen=pen, brush=None, pxMode=True)]

    def _box_item(self, rect: QRectF) -> QGraphicsItem:
        item = QGraphicsRectItem(rect)
        item.setPen(_cosmetic_pen(BOX_COLOUR, 2.0, Qt.PenStyle.DashLine))
        return item

    def _box_at(self, scene_point: QPointF) -> FaceBox | None:
        if not self._boxes:
            return None
        point = self._view.getViewBox().mapSceneToView(scene_point)
        return next((face for rect, face in self._boxes if rect.contains(point)), None)

    def _on_clicked(self, event: Any) -> None:
        if event.double():
            self.show_whole_photo()
            return
        face = self._box_at(event.scenePos())
        if face is not None and event.button() == Qt.MouseButton.LeftButton:
            self.face_picked.emit(face)

    def _on_moved(self, scene_point: QPointF) -> None:
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


def _reduced(image: ByteArray) -> QImage:
    """The picture at most ``SHOWN_SIDE`` px long; coarse steps first, because smooth ones take 8 ns a pixel."""
    step = max(1, max(image.shape[:2]) // (2 * SHOWN_SIDE))
    coarse = np.ascontiguousarray(image[::step, ::step])
    H, W, _ = coarse.shape
    picture = QImage(coarse.data, W, H, 3 * W, QImage.Format.Format_RGB888)
    if max(H, W) <= SHOWN_SIDE:
        return picture.copy()  # ours: the array above is gone when this returns
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return picture.scaled(SHOWN_SIDE, SHOWN_SIDE, keep, smooth)


def _rect(box: FaceBox) -> QRectF:
    return QRectF(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0)


def _outlines(points68: FloatArray) -> QPainterPath:
    path = QPainterPath()
    for indices, closed in POLYLINES:
        corners = [QPointF(float(x), float(y)) for x, y in points68[list(indices)]]
        path.moveTo(corners[0])
        for corner in corners[1:]:
            path.lineTo(corner)
        if closed:
            path.closeSubpath()
    return path


def _segments(pairs: FloatArray) -> QPainterPath:
    path = QPainterPath()
    for (x0, y0), (x1, y1) in pairs.tolist():
        path.moveTo(x0, y0)
        path.lineTo(x1, y1)
    return path


def _path_item(path: QPainterPath, colour: QColor, width_px: float) -> QGraphicsPathItem:
    item = QGraphicsPathItem(path)
    item.setPen(_cosmetic_pen(colour, width_px, Qt.PenStyle.SolidLine))
    return item


def _cosmetic_pen(colour: QColor, width_px: float, style: Qt.PenStyle) -> QPen:
    pen = QPen(colour, width_px, style)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCosmetic(True)  # width in screen px, however far the photo is zoomed
    return pen
