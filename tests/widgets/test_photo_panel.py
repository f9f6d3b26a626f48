"""The photo panel, by what it paints and what it reports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QPushButton

from engine.types import FaceBox, Landmarks
from widgets import photo_overlays
from widgets.photo_panel import PhotoPanel

RED, BLUE = (200, 30, 30), (30, 30, 200)
BOX = FaceBox(40.0, 30.0, 160.0, 170.0, 1.0)
OTHER = FaceBox(220.0, 40.0, 280.0, 100.0, 0.5)


def _image() -> np.ndarray:
    """200 x 300 px: red above, blue below."""
    image = np.full((200, 300, 3), RED, np.uint8)
    image[100:] = BLUE
    return image


def _landmarks(*others: FaceBox) -> Landmarks:
    """Dense points in a corner; the jaw a horizontal line at y = 50, everything else in one place."""
    dense = np.full((468, 2), 150.0, np.float32)
    points = np.full((68, 2), 150.0, np.float32)
    points[:17] = np.stack([np.linspace(50, 150, 17), np.full(17, 50.0)], 1)
    return Landmarks(dense, points, BOX, others)


@pytest.fixture
def panel(qtbot):
    panel = PhotoPanel()
    qtbot.addWidget(panel)
    panel.resize(500, 600)
    panel.show()
    qtbot.waitUntil(lambda: panel._view is not None, timeout=5000)
    return panel


def _on_screen(panel: PhotoPanel, x: float, y: float) -> QPoint:
    """Position in the view of a point in image px."""
    return panel._view.mapFromScene(panel._view.getViewBox().mapViewToScene(QPointF(x, y)))


def _colour(panel: PhotoPanel, x: float, y: float) -> tuple[int, int, int]:
    picture = panel._view.grab().toImage()
    return QColor(picture.pixel(_on_screen(panel, x, y))).toTuple()[:3]


def test_construction_imports_no_pyqtgraph():
    code = (
        "import sys\nfrom PySide6.QtWidgets import QApplication\napp = QApplication([])\n"
        "from widgets.photo_panel import PhotoPanel\nfrom widgets.detail_panel import DetailPanel\n"
        "panels = PhotoPanel(), DetailPanel()\n"
        "sys.exit(int(any(name in sys.modules for name in ('pyqtgraph', 'scipy', 'cv2'))))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_photo_is_upright_and_fits(panel):
    panel.set_photo(_image())
    assert _colour(panel, 150, 20) == RED
    assert _colour(panel, 150, 180) == BLUE
    assert _on_screen(panel, 150, 20).y() < _on_screen(panel, 150, 180).y()
    corners = [_on_screen(panel, x, y) for x, y in ((0, 0), (300, 200))]
    assert all(panel._view.rect().contains(corner) for corner in corners)


def test_a_photo_set_before_the_view_exists_is_shown(qtbot):
    panel = PhotoPanel()
    qtbot.addWidget(panel)
    panel.set_photo(_image())
    panel.set_landmarks(_landmarks())
    panel.show()
    qtbot.waitUntil(lambda: panel._view is not None, timeout=5000)
    assert _colour(panel, 100, 90) == RED


def test_huge_photo_is_shown_reduced_in_its_own_coordinates(panel):
    image = np.zeros((4000, 6000, 3), np.uint8)
    image[:, 3000:] = BLUE
    panel.set_photo(image)
    pixmap = panel._photo_item.pixmap()
    assert max(pixmap.width(), pixmap.height()) <= photo_overlays.SHOWN_SIDE
    assert _colour(panel, 2900, 2000) == (0, 0, 0)
    assert _colour(panel, 3100, 2000) == BLUE


def test_outlines_are_drawn_where_the_points_are_and_can_be_hidden(panel):
    panel.set_photo(_image())
    panel.set_landmarks(_landmarks())
    line = np.array(photo_overlays.LINE_COLOUR.toTuple()[:3])
    rows = np.linspace(49, 51, 9)
    assert min(np.abs(np.array(_colour(panel, 103, y)) - line).max() for y in rows) < 60
    panel._points.setChecked(False)
    assert {_colour(panel, 103, y) for y in rows} == {RED}


def test_mesh_lines_and_model_points_are_off_until_wanted(panel):
    panel.set_photo(_image())
    landmarks = _landmarks()
    panel.set_landmarks(landmarks)
    assert not panel._mesh.isEnabled()
    assert not panel._model.isEnabled()
    panel.set_mesh_lines(np.array([[[20, 20], [60, 20]], [[20, 30], [60, 60]]], np.float32))
    panel.set_reprojected(np.repeat(np.where(np.arange(68) < 60, 150.0, np.nan)[:, None], 2, 1).astype(np.float32))
    before = len(panel._overlays)
    panel._mesh.setChecked(True)
    panel._model.setChecked(True)
    assert len(panel._overlays) == before + 2


def test_a_click_on_another_face_picks_it(panel, qtbot):
    panel.set_photo(_image())
    panel.set_landmarks(_landmarks(OTHER))
    with qtbot.waitSignal(panel.face_picked) as picked:
        qtbot.mouseClick(panel._view.viewport(), Qt.MouseButton.LeftButton, pos=_on_screen(panel, 250, 70))
    assert picked.args[0] is OTHER
    with qtbot.assertNotEmitted(panel.face_picked, wait=50):
        qtbot.mouseClick(panel._view.viewport(), Qt.MouseButton.LeftButton, pos=_on_screen(panel, 100, 70))


def test_other_faces_can_be_picked_without_a_mouse(panel, qtbot):
    left = FaceBox(0.0, 40.0, 20.0, 60.0, 0.2)
    panel.set_photo(_image())
    panel.set_landmarks(_landmarks(OTHER, left))
    actions = panel._others_menu.actions()
    assert len(actions) == 2
    with qtbot.waitSignal(panel.face_picked) as picked:
        actions[0].trigger()
    assert picked.args[0] is left  # the menu counts from the left
    panel.set_landmarks(_landmarks())
    assert not panel._others.isVisibleTo(panel)


def test_the_view_moves_to_the_face_and_back(panel):
    panel.set_photo(_image())
    whole = _on_screen(panel, 160, 0).x() - _on_screen(panel, 40, 0).x()
    panel.set_landmarks(_landmarks())
    assert _on_screen(panel, 160, 0).x() - _on_screen(panel, 40, 0).x() > 1.2 * whole
    panel._to_photo.click()
    assert abs(_on_screen(panel, 160, 0).x() - _on_screen(panel, 40, 0).x() - whole) <= 1


def _drop(panel: PhotoPanel, *urls: QUrl) -> bool:
    data = QMimeData()
    data.setUrls(urls)
    arguments = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), *arguments)
    enter.ignore()
    panel.dragEnterEvent(enter)
    if enter.isAccepted():
        panel.dropEvent(QDropEvent(QPointF(5, 5), *arguments))
    return enter.isAccepted()


def test_dropped_files_are_reported_and_links_are_not(panel, qtbot, tmp_path):
    photo = tmp_path / "Zoë und Jürgen.jpg"
    other = tmp_path / "other.jpg"
    with qtbot.waitSignal(panel.photos_dropped) as dropped:
        assert _drop(panel, QUrl.fromLocalFile(str(photo)), QUrl.fromLocalFile(str(other)))
    assert dropped.args == [[Path(photo), other]]
    with qtbot.assertNotEmitted(panel.photos_dropped, wait=20):
        assert not _drop(panel, QUrl("https://example.org/face.jpg"))


def test_drops_pass_through_the_picture(panel):
    panel.set_photo(_image())
    assert not panel._view.acceptDrops()
    assert not panel._view.viewport().acceptDrops()


def test_caption_and_warnings(panel):
    assert not panel._warnings.isVisibleTo(panel)
    panel.set_caption("anna.jpg")
    panel.set_warnings(("The face is turned.", "It is <b>dark</b>."))
    assert panel._caption.text() == "anna.jpg"
    assert panel._warnings.text() == "•  The face is turned.\n•  It is <b>dark</b>."
    panel.set_warnings(())
    assert not panel._warnings.isVisibleTo(panel)


def test_empty_panel_offers_to_open(panel, qtbot):
    panel.set_photo(_image())
    panel.set_photo(None)
    assert panel._stack.currentIndex() == 0
    button = panel.findChild(QPushButton, "open")
    with qtbot.waitSignal(panel.open_requested):
        button.click()


def test_wrong_arrays_are_named(panel):
    with pytest.raises(ValueError, match="image: expected"):
        panel.set_photo(np.zeros((5, 5), np.uint8))
    with pytest.raises(ValueError, match="points_px: expected"):
        panel.set_reprojected(np.zeros((67, 2), np.float32))
