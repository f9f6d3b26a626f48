"""The depth under the cursor in the 3D view."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QObject, QPointF, Signal

from app.engine_thread import EngineThread
from app.expression_controller import ExpressionController
from app.hover_controller import HoverController
from app.session import Session
from app.shown_face import ShownFace
from app.view_controller import framing_in_photo
from engine.camera import project
from tests import synthetic
from widgets.detail_panel import DetailPanel


class View(QObject):
    """A viewport's size and its cursor; the real one needs a display and is tried in tests/widgets."""

    hovered = Signal(object)

    def width(self) -> int:
        return 400

    def height(self) -> int:
        return 400


@pytest.fixture
def panel(qtbot):
    session, thread, view = Session(), EngineThread(), View()
    panel = DetailPanel()
    qtbot.addWidget(panel)
    panel.session, panel.view = session, view
    panel.drawn = ShownFace(session, thread, panel)
    panel.expressions = ExpressionController(session, parent=panel)
    panel.hover = HoverController(session, panel.drawn, view, panel, panel)
    session.face_changed.connect(panel.set_face)
    panel.show()
    qtbot.waitUntil(lambda: panel._view is not None, timeout=5000)
    session.set_face(synthetic.make_asset())
    yield panel
    assert thread.stop()


def test_the_panel_tells_depth_and_marks_the_place_until_the_cursor_leaves(panel, qtbot):
    panel.view.hovered.emit(QPointF(200, 200))
    qtbot.waitUntil(lambda: "under the cursor: seen" in panel._reading.text())
    assert panel._mark.isVisible()
    assert " mm (" in panel._reading.text()
    before = panel._mark.pos()
    panel.view.hovered.emit(QPointF(230, 180))
    qtbot.waitUntil(lambda: panel._mark.pos() != before)
    panel.view.hovered.emit(None)
    qtbot.waitUntil(lambda: not panel._mark.isVisible())
    assert "(in) to" in panel._reading.text()


def test_beside_the_face_nothing_is_told(panel, qtbot):
    panel.view.hovered.emit(QPointF(200, 200))
    qtbot.waitUntil(panel._mark.isVisible)
    panel.view.hovered.emit(QPointF(2, 2))
    qtbot.waitUntil(lambda: not panel._mark.isVisible())


def test_over_the_photo_the_spot_is_the_one_that_is_drawn_there(panel, qtbot):
    face = panel.session.face
    camera = framing_in_photo(face)
    panel.session.set_camera(camera)
    vertex = 17 * 8 + 5
    x, y = project(face.fit.camera, panel.session.pose.vertices[vertex : vertex + 1])[0]
    panel.view.hovered.emit(QPointF(*camera.view_from_photo((float(x) + 0.3, float(y) + 0.3), (400, 400))))
    qtbot.waitUntil(panel._mark.isVisible)
    u, v = face.topology.uvs[vertex]
    window, n = face.topology.window, face.topology.window.map_size
    row, column = panel._spot
    assert column == pytest.approx((u - window.u0) / (window.u1 - window.u0) * n, abs=1.5)
    assert row == pytest.approx((window.v1 - v) / (window.v1 - window.v0) * n, abs=1.5)
    panel.view.hovered.emit(QPointF(2, 2))  # the photo beside the face
    qtbot.waitUntil(lambda: not panel._mark.isVisible())


def test_an_unseen_panel_costs_nothing(panel, qtbot):
    panel.hide()
    panel.view.hovered.emit(QPointF(200, 200))
    qtbot.wait(80)
    assert not panel._mark.isVisible()
    assert panel._spot is None
