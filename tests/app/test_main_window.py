from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QPushButton

from app.version import version
from engine.errors import NoFaceFound
from engine.expressions import SHAPE_INDEX
from tests.app.invented_engine import NO_FACE, InventedEngine
from tests.app.window_fixture import shown_window

pytestmark = pytest.mark.gl
ROOT = Path(__file__).resolve().parents[2]


def picture(window) -> np.ndarray:
    rows = window.viewport.picture().convertToFormat(QImage.Format.Format_RGB888)
    flat = np.frombuffer(rows.constBits(), np.uint8).reshape(rows.height(), rows.bytesPerLine())
    return flat[:, : 3 * rows.width()].astype(int)


def focus(window, qtbot) -> None:
    """Give the window the keyboard."""
    with qtbot.waitActive(window):
        window.activateWindow()


def dialog_of(window, qtbot) -> QMessageBox:
    qtbot.waitUntil(lambda: any(box.isVisible() for box in window.findChildren(QMessageBox)))
    return next(box for box in window.findChildren(QMessageBox) if box.isVisible())


def test_the_empty_window_says_how_to_begin(window):
    assert "Drop a photo" in window.card.text
    labels = [button.text() for button in window.card.findChildren(QPushButton)]
    assert labels == ["Open photo…", "Try the sample"]
    assert not window.expression_panel.isEnabled()
    assert not window.actions_by_key["export"].isEnabled()
    assert window.pack_label.text() == "Invented model 1.0"


def test_the_sample_becomes_a_face(window, qtbot):
    sample = next(b for b in window.card.findChildren(QPushButton) if b.text() == "Try the sample")
    empty = picture(window)
    qtbot.mouseClick(sample, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.face is not None)
    assert window.card.text == ""
    assert "portrait_biden.jpg" in window.windowTitle()
    assert window.message.sentence == "Face of portrait_biden.jpg: 307 vertices, reprojection error 2.0 %."
    assert window.expression_panel.isEnabled()
    assert window.actions_by_key["export"].isEnabled()
    assert window.expression_panel.slider(SHAPE_INDEX["jawOpen"]).value() == 30  # the photo's own expression
    qtbot.waitUntil(lambda: np.abs(picture(window) - empty).mean() > 10)
    qtbot.waitUntil(lambda: not window.work.isVisible())


def test_work_on_the_first_photo_is_shown_and_can_be_cancelled(window, engine, qtbot):
    engine.hold.clear()
    window.commands.open_source(Path("anna.jpg"))
    qtbot.waitUntil(lambda: "Fitting the face" in window.card.text)
    assert "anna.jpg" in window.card.text
    assert not any(button.isVisible() for button in window.card.findChildren(QPushButton))
    assert window.work.isVisible()
    assert window.message.sentence == "Making a face of anna.jpg …"
    qtbot.mouseClick(window.work.findChild(QPushButton), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Drop a photo" in window.card.text)
    assert not window.work.isVisible()
    assert window.session.face is None
    assert window.message.sentence.startswith("Open a photo")


def test_a_slider_moves_the_picture_and_ctrl_z_takes_it_back(with_face, qtbot):
    window, jaw = with_face, SHAPE_INDEX["jawOpen"]
    before = picture(window)
    window.expression_panel.slider(jaw).setValue(100)
    qtbot.waitUntil(lambda: (np.abs(picture(window) - before).max(1) > 10).any())
    assert window.session.weights[jaw] == 1.0
    focus(window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.session.weights[jaw] == np.float32(0.3)
    assert window.expression_panel.slider(jaw).value() == 30


def test_light_drawing_while_moving_and_full_quality_at_rest(with_face, qtbot, monkeypatch):
    shown = []
    show_state = with_face.viewport.show_state
    monkeypatch.setattr(with_face.viewport, "show_state", lambda state: (shown.append(state), show_state(state)))
    for weight in (0.4, 0.5, 0.6, 0.7):
        with_face.expressions.edit_weight(SHAPE_INDEX["jawOpen"], weight)
        qtbot.wait(10)
    assert any(state.interactive for state in shown)
    qtbot.waitUntil(lambda: not shown[-1].interactive, timeout=1000)
    assert shown[-1].pose is with_face.session.pose


def test_a_photo_without_a_face_is_said_with_a_next_step_and_nothing_is_lost(with_face, qtbot):
    face = with_face.session.face
    with_face.commands.open_source(Path(NO_FACE))
    dialog = dialog_of(with_face, qtbot)
    expected = NoFaceFound(NO_FACE)
    assert dialog.text() == str(expected)
    assert dialog.informativeText() == expected.hint
    dialog.accept()
    assert with_face.session.face is face
    assert with_face.session.photo is face.photo


def test_opened_photos_are_in_the_recent_menu(window, engine, qtbot, tmp_path):
    photo = tmp_path / "anna & co.jpg"
    photo.write_bytes(b"any")
    window.commands.open_source(photo)
    qtbot.waitUntil(lambda: window.recent.paths() == [photo])
    window._recent_menu.aboutToShow.emit()
    entry = window._recent_menu.actions()[0]
    assert entry.text() == "anna && co.jpg"
    engine.faces = 0
    entry.trigger()
    qtbot.waitUntil(lambda: engine.faces == 1)
    window._recent_menu.actions()[-1].trigger()
    assert window.recent.paths() == []


def test_the_samples_menu_lists_what_ships(window, qtbot):
    window._samples.aboutToShow.emit()
    titles = [action.text() for action in window._samples.actions()]
    assert len(titles) >= 2
    assert "Biden" in titles[0]


def test_looks_and_views_from_the_menu_reach_the_panels(with_face):
    actions = with_face.actions_by_key
    actions["look_clay"].trigger()
    actions["wireframe"].trigger()
    assert (with_face.session.view.look, with_face.session.view.wireframe) == ("clay", True)
    assert with_face.view_panel._wireframe.isChecked()
    actions["side"].trigger()
    assert with_face.session.camera.azimuth_deg == 90.0
    actions["reset"].trigger()
    assert with_face.session.camera.azimuth_deg == 0.0


def test_detail_strength_is_part_of_the_view(with_face):
    with_face.detail_panel.strengths.numbers[0].setValue(25)
    assert with_face.session.view.detail_strength == 0.25
    assert with_face.actions_by_key["undo"].isEnabled()
    with_face.actions_by_key["undo"].trigger()
    assert with_face.session.view.detail_strength == 1.0


def test_strengths_of_bands_reach_the_viewport_and_the_export(with_face, qtbot):
    found = with_face.session.face
    with_face.detail_panel.strengths.numbers[3].setValue(180)
    qtbot.waitUntil(lambda: with_face.viewport._newest().face.static_map is not found.static_map)
    assert with_face.session.face is found
    with_face.commands.export()
    dialog = with_face.commands._export.dialog
    assert dialog.options().detail_bands == (1.0, 1.0, 1.8)
    dialog.reject()


def test_confidence_colours_the_face_and_says_what_they_mean(with_face, qtbot):
    found = with_face.session.face.texture.image
    with_face.commands.edit_view(look="clay")
    with_face.actions_by_key["confidence"].trigger()
    qtbot.waitUntil(lambda: with_face.viewport._newest().face.texture.image is not found)
    assert with_face.session.view.look == "texture"
    assert with_face.legend.isVisible()
    with_face.actions_by_key["confidence"].trigger()
    assert with_face.viewport._newest().face.texture.image is found
    assert not with_face.legend.isVisible()


def test_the_relief_look_says_what_its_colours_mean(with_face):
    with_face.commands.edit_view(look="map")
    assert with_face.legend.isVisible()
    assert "0.5&nbsp;mm&nbsp;in" in with_face.legend.text()
    with_face.commands.edit_view(look="texture")
    assert not with_face.legend.isVisible()


def test_every_command_has_a_handler_and_ctrl_f_finds(with_face, qtbot):
    assert set(with_face.actions_by_key) <= set(with_face.commands.handlers())
    focus(with_face, qtbot)
    qtbot.keyClick(with_face, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert with_face.focusWidget() is with_face.expression_panel._search


@pytest.mark.parametrize(("key", "expected"), [("shortcuts", "Ctrl+E"), ("about", "iBUG"), ("about", version())])
def test_help_dialogs_open(window, qtbot, key, expected):
    window.actions_by_key[key].trigger()
    dialog = QApplication.activeModalWidget()
    assert any(expected in label.text() for label in dialog.findChildren(QLabel))
    dialog.reject()


def test_the_layout_is_kept(qapp, qtbot, tmp_path):
    if qapp.platformName() == "offscreen":
        pytest.skip("the window needs a display; python3 -m tests starts a virtual one")
    with shown_window(tmp_path, InventedEngine()) as first:
        first.resize(1111, 777)
        first.docks["photo"].close()
        qtbot.wait(50)
    with shown_window(tmp_path, InventedEngine()) as second:
        assert (second.width(), second.height()) == (1111, 777)
        assert not second.docks["photo"].isVisible()
        assert second.docks["expressions"].isVisible()


def test_closing_while_the_engine_works_is_quick_and_orderly(window, engine, qtbot):
    engine.hold.clear()
    window.commands.open_source(Path("anna.jpg"))
    qtbot.waitUntil(lambda: window.session.photo is not None)
    began = time.monotonic()
    window.close()
    assert time.monotonic() - began < 2.0
    assert window.stopped_in_time
    assert not window.engine_thread.isRunning()
    assert engine.closed


def test_docks_can_float_and_come_back_while_a_face_is_shown(with_face, qtbot):
    for dock in with_face.docks.values():
        dock.setFloating(True)
    qtbot.wait(100)
    for dock in with_face.docks.values():
        dock.setFloating(False)
    qtbot.wait(100)
    assert with_face.viewport.problem is None
    qtbot.waitUntil(lambda: picture(with_face).std() > 10)


def run_python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


_STUCK = """
import sys, time
from PySide6.QtCore import QTimer
import app.window, app.engine_service
def warm_up(self):
    yield None
    time.sleep(30)
app.engine_service.EngineService.warm_up = warm_up
original = app.window.MainWindow
def make(*args):
    window = original(*args)
    QTimer.singleShot(1500, window.close)
    return window
app.window.MainWindow = make
app.window.run()
"""


def test_a_step_that_cannot_be_interrupted_does_not_keep_the_program_alive(window, tmp_path):
    began = time.monotonic()
    done = run_python(_STUCK, XDG_CONFIG_HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 10
    assert (tmp_path / "detailed-face" / "detailed-face.conf").is_file()  # the layout was kept all the same


def test_first_paint_is_reported(window, tmp_path):
    code = "import sys, app.window; sys.exit(app.window.run())"
    variables = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    done = run_python(code, DETAILED_FACE_FIRST_PAINT="quit", **variables)
    assert done.returncode == 0, done.stderr
    words = done.stderr.split()
    assert words[:3] == ["first", "paint", "after"]
    assert 0.1 < float(words[3]) < 10.0


_NO_OPENGL = """
import sys
from PySide6.QtCore import QTimer
import app.window
original = app.window.MainWindow
def make(*args):
    window = original(*args)
    window.first_painted.connect(lambda: QTimer.singleShot(500, lambda: (print(window.card.text), window.close())))
    return window
app.window.MainWindow = make
sys.exit(app.window.run())
"""


def test_without_opengl_the_window_says_so_and_stays(window, tmp_path):
    variables = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    done = run_python(_NO_OPENGL, MESA_GL_VERSION_OVERRIDE="2.1", **variables)
    assert done.returncode == 0, done.stderr
    assert "OpenGL 3.3" in done.stdout
    assert "--input" in done.stdout
