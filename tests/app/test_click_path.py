"""The whole way with mouse and keyboard, the real engine and real files: nothing is called, everything is clicked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, QPointF, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QMenu, QMessageBox, QPushButton, QStyle, QStyleOptionSlider

from app.engine_service import EngineService
from app.main_window import MainWindow
from engine.expressions import SHAPE_INDEX
from engine.images import load_photo
from engine.landmark_live import LiveFaceFinder
from engine.resources import resource_path
from widgets.points_editor import CLICKS
from widgets.style import apply_style
from widgets.viewport import request_core_profile

pytestmark = pytest.mark.gl
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
INNER_LIPS = (62, 66)  # iBUG: upper and lower, in the middle
PATIENCE_MS = 60_000  # for a computer that others use as well

# iBUG points among the dense ones: where a person would click.
DENSE_OF_CLICK = {36: 33, 39: 133, 42: 362, 45: 263, 30: 4, 48: 61, 54: 291, 57: 17, 8: 152, 4: 172, 12: 397}


@pytest.fixture
def window(qapp: QApplication, tmp_path: Path) -> Iterator[MainWindow]:
    """The window as a user gets it, with the real engine."""
    if qapp.platformName() == "offscreen":
        pytest.skip("the window needs a display; python3 -m tests starts a virtual one")
    request_core_profile()
    apply_style(qapp)
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    settings.setValue("export/folder", str(tmp_path))
    window = MainWindow(EngineService(), settings)
    window.show()
    yield window
    window.close()
    window.engine_thread.wait(60_000)  # a step may outlast the patience of a closing window
    window.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def choose(qtbot, menu: QMenu, text: str) -> QMenu | None:
    """Click an entry of an open menu; returns the menu that it opens, if any."""
    qtbot.waitUntil(menu.isVisible)
    action = next(action for action in menu.actions() if text in action.text().replace("&", ""))
    QTest.mouseMove(menu, menu.actionGeometry(action).center())
    QTest.mouseClick(menu, LEFT, NONE, menu.actionGeometry(action).center())
    return action.menu()


def open_sample(window: MainWindow, qtbot) -> None:
    """File > Open Sample > the first one."""
    bar = window.menuBar()
    file = bar.actions()[0]
    QTest.mouseClick(bar, LEFT, NONE, bar.actionGeometry(file).center())
    samples = choose(qtbot, file.menu(), "Open Sample")
    choose(qtbot, samples, "Biden")


def drag_slider(slider, share: float) -> None:
    """Take the handle with the mouse and draw it to a share of the way."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    control, part = QStyle.ComplexControl.CC_Slider, QStyle.SubControl.SC_SliderHandle
    handle = slider.style().subControlRect(control, option, part, slider).center()
    end = QPoint(round(handle.x() + share * (slider.width() - handle.x())), handle.y())
    QTest.mousePress(slider, LEFT, NONE, handle)
    for step in np.linspace(0, 1, 8)[1:]:
        QTest.mouseMove(slider, handle + (end - handle) * float(step))
        QTest.qWait(10)
    QTest.mouseRelease(slider, LEFT, NONE, end)


def pick(box: QComboBox, data: str) -> None:
    """Choose an entry of a combo box with the keys."""
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Home)
    for _ in range(box.findData(data)):
        QTest.keyClick(box, Qt.Key.Key_Down)
    assert box.currentData() == data


def mouth_opening_mm(vertices: np.ndarray, landmark_vertices: np.ndarray) -> float:
    upper, lower = (vertices[landmark_vertices[index]] for index in INNER_LIPS)
    return float(np.linalg.norm(upper - lower))


def test_from_the_sample_to_a_file_with_an_open_mouth(window, qtbot, tmp_path):
    qtbot.waitUntil(lambda: window.map_scale_mm is not None, timeout=PATIENCE_MS)
    open_sample(window, qtbot)
    qtbot.waitUntil(lambda: window.session.face is not None, timeout=PATIENCE_MS)
    assert "portrait_biden.jpg" in window.windowTitle()
    neutral = next(b for b in window.expression_panel.findChildren(QPushButton) if b.text() == "Reset")
    QTest.mouseClick(neutral, LEFT)
    assert not window.session.weights.any()
    with qtbot.waitActive(window):
        window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(window.focusWidget(), "jaw open")
    slider = window.expression_panel.slider(SHAPE_INDEX["jawOpen"])
    qtbot.waitUntil(lambda: slider.isVisible() and not slider.visibleRegion().isEmpty())
    drag_slider(slider, 1.0)
    qtbot.waitUntil(lambda: window.session.weights[SHAPE_INDEX["jawOpen"]] > 0.9)
    assert np.count_nonzero(window.session.weights) == 1
    QTest.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    dialog = window.commands._export.dialog
    qtbot.waitUntil(dialog.isVisible)
    pick(dialog._units, "mm")
    dialog._name.selectAll()
    QTest.keyClicks(dialog._name, "open mouth")
    qtbot.waitUntil(dialog._main.isEnabled, timeout=PATIENCE_MS)
    QTest.mouseClick(dialog._main, LEFT)
    qtbot.waitUntil(lambda: "Exported 5 files" in dialog._message.text(), timeout=PATIENCE_MS)
    QTest.mouseClick(dialog._main, LEFT)
    with Image.open(tmp_path / "open mouth_dpmap.png") as relief:
        assert np.ptp(np.asarray(relief)) > 1000, "the first export has the detail, nothing chosen"
    exported = trimesh.load(tmp_path / "open mouth.obj", process=False, maintain_order=True)
    face = window.session.face
    assert len(exported.vertices) == face.topology.vertex_count
    assert exported.visual.material.image.size == (face.texture.image.shape[1], face.texture.image.shape[0])
    landmarks = face.fit.landmark_vertices
    closed = mouth_opening_mm(face.rig.neutral, landmarks)
    assert mouth_opening_mm(exported.vertices, landmarks) > closed + 10.0
    np.testing.assert_allclose(exported.vertices, window.session.pose.vertices, atol=1e-3)


def faceless(folder: Path) -> tuple[Path, dict[int, tuple[float, float]]]:
    """A portrait as a coarse negative, which no detector takes for a face, and where its points are."""
    image = load_photo(resource_path("samples/portrait_obama.jpg")).image[:700]
    found = LiveFaceFinder().find(image)
    path = folder / "negative.png"
    Image.fromarray((255 - image) // 64 * 64).save(path)
    return path, {index: tuple(found.dense[dense].tolist()) for index, dense in DENSE_OF_CLICK.items()}


def test_from_a_photo_without_a_face_by_hand_to_a_face(window, qtbot, tmp_path):
    path, places = faceless(tmp_path)
    qtbot.waitUntil(lambda: window.map_scale_mm is not None, timeout=PATIENCE_MS)
    window.commands.open_source(path)  # as the system's file dialog would
    qtbot.waitUntil(lambda: any(box.isVisible() for box in window.findChildren(QMessageBox)), timeout=PATIENCE_MS)
    box = next(box for box in window.findChildren(QMessageBox) if box.isVisible())
    QTest.mouseClick(next(b for b in box.findChildren(QPushButton) if "by hand" in b.text()), LEFT)
    panel = window.photo_panel
    qtbot.waitUntil(lambda: panel.is_editing)
    qtbot.wait(200)  # the photo gets its room
    for index, _ in CLICKS:
        x, y = places[index]
        view = panel._view
        spot = view.mapFromScene(view.getViewBox().mapViewToScene(QPointF(x + 0.5, y + 0.5)))
        QTest.mouseClick(view.viewport(), LEFT, NONE, spot)
        qtbot.wait(5)
    qtbot.waitUntil(lambda: panel._editor.phase == "points", timeout=PATIENCE_MS)
    QTest.mouseClick(panel._editor._use, LEFT)
    qtbot.waitUntil(lambda: window.session.face is not None, timeout=PATIENCE_MS)
    face = window.session.face
    assert face.landmarks.by_hand
    assert face.photo.name == "negative.png"
    assert face.fit.error68 < 0.02
    assert abs(face.fit.yaw_deg) < 15
    painted = face.texture.image[face.texture.image.shape[0] // 2]
    assert painted.std() > 5  # the photo is on the face
    assert window.card.text == ""
