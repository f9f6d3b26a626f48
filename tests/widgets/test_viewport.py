from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QMainWindow

from engine.camera import OrbitCamera, PhotoCamera
from engine.render.state import RenderState
from engine.types import ViewOptions
from tests import synthetic
from widgets.viewport import Viewport, request_core_profile

pytestmark = pytest.mark.gl


@pytest.fixture
def viewport(qapp, qtbot):
    if qapp.platformName() == "offscreen":
        pytest.skip("a QOpenGLWidget needs a display; python3 -m tests starts a virtual one")
    request_core_profile()
    viewport = Viewport()
    qtbot.addWidget(viewport)
    viewport.resize(320, 320)
    viewport.show()
    qtbot.waitExposed(viewport)
    return viewport


@pytest.fixture(scope="module")
def state():
    face = synthetic.make_asset()
    return RenderState(face, synthetic.make_pose(face), ViewOptions(look="clay"), OrbitCamera())


def picture(viewport) -> np.ndarray:
    """What the viewport shows: (H, W, 3) uint8."""
    rows = viewport.picture().convertToFormat(QImage.Format.Format_RGB888)
    flat = np.frombuffer(rows.constBits(), np.uint8).reshape(rows.height(), rows.bytesPerLine())
    return flat[:, : 3 * rows.width()].reshape(rows.height(), rows.width(), 3).copy()


def middle(viewport) -> np.ndarray:
    """Mean colour of the middle: (3,)."""
    shown = picture(viewport)
    H, W, _ = shown.shape
    return shown[2 * H // 5 : 3 * H // 5, 2 * W // 5 : 3 * W // 5].mean((0, 1))


def drag(viewport, by: QPoint, button: Qt.MouseButton, keys=Qt.KeyboardModifier.NoModifier) -> None:
    start = QPoint(160, 160)
    none = Qt.MouseButton.NoButton
    for kind, at, changed, held in (
        (QMouseEvent.Type.MouseButtonPress, start, button, button),
        (QMouseEvent.Type.MouseMove, start + by, none, button),
        (QMouseEvent.Type.MouseButtonRelease, start + by, button, none),
    ):
        place = QPointF(at)
        event = QMouseEvent(kind, place, viewport.mapToGlobal(place), changed, held, keys)
        QApplication.sendEvent(viewport, event)


def test_empty_viewport_shows_the_background(viewport):
    expected = 255 * np.array(ViewOptions().background)
    assert np.abs(middle(viewport) - expected).max() < 2


def test_a_face_appears_and_goes(viewport, state):
    empty = middle(viewport)
    viewport.show_state(state)
    assert np.abs(middle(viewport) - empty).max() > 40
    viewport.show_state(None)
    assert np.abs(middle(viewport) - empty).max() < 2


def test_many_states_are_one_paint(viewport, state, qtbot):
    viewport.show_state(state)
    qtbot.wait(50)
    paints = []
    viewport.painted.connect(lambda: paints.append(1))
    for azimuth in range(20):
        viewport.show_state(replace(state, camera=OrbitCamera(azimuth_deg=float(azimuth))))
    qtbot.waitUntil(lambda: bool(paints))
    qtbot.wait(50)
    assert len(paints) <= 2


def test_survives_moving_to_another_window(viewport, state, qtbot):
    viewport.show_state(state)
    before = picture(viewport)
    first_context = viewport.context()
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setCentralWidget(viewport)
    window.resize(320, 320)
    window.show()
    qtbot.waitExposed(window)
    assert viewport.context() is not first_context
    after = picture(viewport)
    assert viewport.problem is None
    assert after.shape == before.shape
    assert np.abs(after.astype(int) - before.astype(int)).mean() < 1
    viewport.setParent(None)


def test_resize_fills_the_new_size(viewport, state, qtbot):
    viewport.show_state(state)
    viewport.resize(500, 300)
    qtbot.wait(50)
    shown = picture(viewport)
    ratio = viewport.devicePixelRatio()
    assert shown.shape == (round(300 * ratio), round(500 * ratio), 3)
    face = np.abs(shown.astype(int) - shown[2, 2]).max(2) > 60
    columns = np.flatnonzero(face.any(0))
    assert abs((columns[0] + columns[-1]) / 2 - shown.shape[1] / 2) < 8


def test_left_drag_to_the_right_turns_the_face_to_the_right(viewport, state, qtbot):
    viewport.show_state(state)
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        drag(viewport, QPoint(40, 0), Qt.MouseButton.LeftButton)
    assert edit.args[0].azimuth_deg < -5
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        drag(viewport, QPoint(0, 40), Qt.MouseButton.LeftButton)
    assert edit.args[0].elevation_deg > 5


@pytest.mark.parametrize(
    ("button", "key"),
    [
        (Qt.MouseButton.MiddleButton, Qt.KeyboardModifier.NoModifier),
        (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier),
    ],
    ids=["middle", "shift"],
)
def test_panning_follows_the_hand(viewport, state, qtbot, button, key):
    viewport.show_state(state)
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        drag(viewport, QPoint(30, 20), button, key)
    x, y, _ = edit.args[0].target_mm
    assert x < 0 < y  # the camera goes the other way


@pytest.mark.parametrize(
    ("button", "key"),
    [
        (Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier),
        (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier),
    ],
    ids=["right", "ctrl"],
)
def test_turning_the_light(viewport, state, qtbot, button, key):
    viewport.show_state(state)
    with qtbot.waitSignal(viewport.view_edited) as edit, qtbot.assertNotEmitted(viewport.camera_edited):
        drag(viewport, QPoint(40, 0), button, key)
    view = edit.args[0]
    assert view.light_azimuth_deg == pytest.approx(state.view.light_azimuth_deg + 20)
    assert view.look == state.view.look


def turn_wheel(viewport, place: QPointF) -> None:
    turn = QWheelEvent(
        place,
        viewport.mapToGlobal(place),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, turn)


def test_wheel_zooms(viewport, state, qtbot):
    viewport.show_state(state)
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        turn_wheel(viewport, QPointF(160, 160))
    assert edit.args[0].zoom > 1.1


@pytest.fixture(scope="module")
def over_photo(state):
    return replace(state, camera=PhotoCamera((100.0, 130.0), (120.0, 150.0), (200, 260)), photo_background=True)


@pytest.mark.parametrize("button", [Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton], ids=["left", "middle"])
def test_over_the_photo_any_drag_moves_the_picture(viewport, over_photo, qtbot, button):
    viewport.show_state(over_photo)
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        drag(viewport, QPoint(30, 20), button)
    held = over_photo.camera.photo_from_view((160.0, 160.0), (320, 320))
    assert edit.args[0].view_from_photo(held, (320, 320)) == pytest.approx((190.0, 180.0))


def test_over_the_photo_the_light_turns_as_ever(viewport, over_photo, qtbot):
    viewport.show_state(over_photo)
    with qtbot.waitSignal(viewport.view_edited), qtbot.assertNotEmitted(viewport.camera_edited):
        drag(viewport, QPoint(40, 0), Qt.MouseButton.RightButton)


def test_over_the_photo_the_wheel_zooms_about_the_cursor_and_keys_about_the_middle(viewport, over_photo, qtbot):
    viewport.show_state(over_photo)
    before = over_photo.camera
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        turn_wheel(viewport, QPointF(90, 210))
    assert edit.args[0].zoom > 1.1
    at = before.photo_from_view((90.0, 210.0), (320, 320))
    assert edit.args[0].photo_from_view((90.0, 210.0), (320, 320)) == pytest.approx(at)
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        qtbot.keyClick(viewport, Qt.Key.Key_Minus)
    assert edit.args[0].zoom < 1.0
    assert edit.args[0].centre_px == pytest.approx(before.centre_px)
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        qtbot.keyClick(viewport, Qt.Key.Key_Right)
    assert edit.args[0].centre_px[0] > before.centre_px[0]


def test_over_the_photo_a_double_click_shows_the_whole_face_again(viewport, over_photo, qtbot):
    viewport.show_state(over_photo)
    with qtbot.waitSignal(viewport.camera_requested) as wish:
        qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton)
    assert wish.args == ["reframe"]


@pytest.mark.parametrize(
    ("key", "view"),
    [
        (Qt.Key.Key_1, "front"),
        (Qt.Key.Key_2, "three-quarter"),
        (Qt.Key.Key_3, "side"),
        (Qt.Key.Key_4, "over-photo"),
        (Qt.Key.Key_R, "reset"),
    ],
)
def test_camera_keys(viewport, qtbot, key, view):
    with qtbot.waitSignal(viewport.camera_requested) as wish:
        qtbot.keyClick(viewport, key)
    assert wish.args == [view]


def test_arrow_and_zoom_keys(viewport, state, qtbot):
    viewport.show_state(state)
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        qtbot.keyClick(viewport, Qt.Key.Key_Right)
    assert edit.args[0].azimuth_deg == 10
    with qtbot.waitSignal(viewport.camera_edited) as edit:
        qtbot.keyClick(viewport, Qt.Key.Key_Plus)
    assert edit.args[0].zoom > 1


def test_double_click_resets(viewport, qtbot):
    with qtbot.waitSignal(viewport.camera_requested) as wish:
        qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton)
    assert wish.args == ["reset"]


def test_input_without_a_face_does_nothing(viewport, qtbot):
    with qtbot.assertNotEmitted(viewport.camera_edited), qtbot.assertNotEmitted(viewport.view_edited):
        drag(viewport, QPoint(40, 0), Qt.MouseButton.LeftButton)
        drag(viewport, QPoint(40, 0), Qt.MouseButton.RightButton)
        qtbot.keyClick(viewport, Qt.Key.Key_Right)


def test_nothing_of_the_rehearsal_is_seen_and_a_face_follows_it(viewport, state, qtbot):
    viewport.warm_up()
    viewport.expect(state.face.topology)
    background = 255 * np.array(ViewOptions().background)
    for _ in range(20):
        QApplication.processEvents()
        seen = viewport.grab().toImage().pixelColor(160, 160)
        assert np.abs(np.array(seen.getRgb()[:3]) - background).max() <= 2
    viewport.show_state(state)
    with qtbot.waitSignal(viewport.painted):
        pass
    expected = Viewport.picture(viewport)
    assert np.abs(middle(viewport) - background).max() > 40
    viewport.update()
    QApplication.processEvents()
    assert viewport.picture() == expected


def test_a_rehearsal_that_comes_while_a_face_is_prepared_goes_first(viewport, state, qtbot):
    viewport.warm_up()
    with_skin = replace(state, view=ViewOptions(look="texture"))
    viewport.show_state(with_skin)
    while viewport._rehearsal is not None or viewport._renderer._skin[0] is not None:
        viewport._take_step()  # until the skin is there without its mipmaps
    assert viewport._steps is not None
    viewport.expect(state.face.topology)
    with qtbot.waitSignal(viewport.painted):
        pass
    seen = middle(viewport)
    viewport.show_state(with_skin)
    assert np.abs(middle(viewport) - seen).max() <= 1
    assert np.ptp(seen) > 0


_WITHOUT_OPENGL = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from widgets.viewport import Viewport, request_core_profile
request_core_profile()
app = QApplication([])
viewport = Viewport()
viewport.show()
QTimer.singleShot(300, viewport.warm_up)
QTimer.singleShot(600, app.quit)
app.exec()
sys.stdout.write(viewport.problem.sentence())
"""


@pytest.mark.parametrize(
    "settings",
    [{"MESA_GL_VERSION_OVERRIDE": "2.1"}, {"QT_QPA_PLATFORM": "offscreen"}],
    ids=["OpenGL 2.1", "no OpenGL"],
)
def test_too_old_or_no_opengl_is_said_with_the_way_without_a_window(settings):
    environment = {**os.environ, **settings}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_OPENGL],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "OpenGL 3.3" in done.stdout
    assert "--input" in done.stdout


def test_the_cursor_is_told_without_a_button_and_withdrawn_with_one(viewport, state, qtbot):
    viewport.show_state(state)
    places: list[QPointF | None] = []
    viewport.hovered.connect(places.append)
    place, none = QPointF(100, 120), Qt.MouseButton.NoButton
    moved = QMouseEvent(
        QMouseEvent.Type.MouseMove, place, viewport.mapToGlobal(place), none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(viewport, moved)
    assert place in places
    drag(viewport, QPoint(10, 0), Qt.MouseButton.LeftButton)
    assert places[-1] is None
