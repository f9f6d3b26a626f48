"""The blended map in the detail panel: at rest, when looked at, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.detail_controller import DetailController
from app.engine_thread import EngineThread
from app.expression_controller import ExpressionController
from app.session import Session
from app.shown_face import ShownFace
from engine.detail.bands import texel_mm, weighted
from engine.rig import blend_maps, pose
from tests import synthetic
from widgets.detail_panel import BLENDED, STATIC, DetailPanel


@pytest.fixture
def session(qapp):
    return Session()


@pytest.fixture
def thread(qapp):
    thread = EngineThread()
    yield thread
    assert thread.stop()


@pytest.fixture
def panel(qtbot, session, thread):
    panel = DetailPanel()
    qtbot.addWidget(panel)
    panel.drawn = ShownFace(session, thread, panel)
    panel.expressions = ExpressionController(session, parent=panel)
    stack = panel.expressions.undo_stack
    panel.controller = DetailController(session, thread, panel.drawn, panel, stack, panel)
    panel.show()
    qtbot.waitUntil(lambda: panel._view is not None, timeout=5000)
    session.set_face(synthetic.make_asset())
    return panel


def choose(panel, choice: str) -> None:
    panel._choice.setCurrentIndex(panel._choice.findData(choice))


def shown_blend(session) -> np.ndarray:
    return blend_maps(session.face, session.pose)


def test_the_blended_map_comes_when_it_is_chosen(panel, session, qtbot):
    qtbot.wait(350)
    assert panel._blended is None  # nobody looked
    panel.expressions.apply_preset(2)
    qtbot.waitUntil(lambda: np.array_equal(session.pose.weights, session.weights))
    choose(panel, BLENDED)
    assert "Blending" in panel._empty.text()
    qtbot.waitUntil(lambda: panel._blended is not None)
    np.testing.assert_array_equal(panel._blended, shown_blend(session))
    assert np.array_equal(panel._image.image, panel._blended)


def test_it_follows_the_expression_once_that_rests(panel, session, thread, qtbot):
    choose(panel, BLENDED)
    qtbot.waitUntil(lambda: panel._blended is not None)
    first, given = panel._blended, []
    panel.set_blended, keep = lambda map_mm: (given.append(map_mm), keep(map_mm)), panel.set_blended
    for weight in np.linspace(0.1, 1.0, 10):
        panel.expressions.edit_weight(14, float(weight))
        qtbot.wait(10)
    assert panel._blended is first
    qtbot.waitUntil(lambda: panel._blended is not first)
    assert len(given) == 1
    np.testing.assert_array_equal(panel._blended, shown_blend(session))


def test_another_map_costs_nothing_and_coming_back_shows_the_new_blend(panel, session, thread, qtbot):
    choose(panel, BLENDED)
    qtbot.waitUntil(lambda: panel._blended is not None)
    first = panel._blended
    choose(panel, STATIC)
    panel.expressions.apply_preset(2)
    qtbot.wait(350)
    assert panel._blended is first
    choose(panel, BLENDED)
    qtbot.waitUntil(lambda: panel._blended is not first)


def test_a_panel_that_is_hidden_waits_until_it_is_shown(panel, session, qtbot):
    panel.hide()
    choose(panel, BLENDED)
    qtbot.wait(350)
    assert panel._blended is None
    panel.show()
    qtbot.waitUntil(lambda: panel._blended is not None)


def test_the_published_masks_blend_another_map(panel, session, qtbot):
    panel.expressions.apply_preset(2)
    choose(panel, BLENDED)
    qtbot.waitUntil(lambda: panel._blended is not None)
    ours = panel._blended
    panel._exact.click()
    assert session.exact
    qtbot.waitUntil(lambda: panel._blended is not ours)
    expected = blend_maps(session.face, pose(session.face.rig, session.weights, exact=True))
    np.testing.assert_array_equal(panel._blended, expected)
    assert np.abs(expected - ours).max() > 0.01
    session.set_exact(False)
    assert not panel._exact.isChecked()


def test_a_new_face_forgets_the_map_of_the_last_one(panel, session, qtbot):
    choose(panel, BLENDED)
    qtbot.waitUntil(lambda: panel._blended is not None)
    session.set_face(synthetic.make_asset(1))
    assert panel._blended is None
    qtbot.waitUntil(lambda: panel._blended is not None)
    np.testing.assert_array_equal(panel._blended, shown_blend(session))


def test_a_drag_of_a_band_is_one_step_of_undo_and_reset_another(panel, session, qtbot):
    strengths, stack = panel.strengths, panel.expressions.undo_stack
    for percent in (120, 150, 180):
        strengths.sliders[3].setValue(percent)
    strengths.sliders[3].sliderReleased.emit()
    strengths.sliders[0].setValue(50)
    strengths.sliders[0].sliderReleased.emit()
    assert session.view.detail_bands == (1.0, 1.0, 1.8)
    assert session.view.detail_strength == 0.5
    strengths.reset.click()
    assert (session.view.detail_bands, session.view.detail_strength) == ((1.0, 1.0, 1.0), 1.0)
    assert not strengths.reset.isEnabled()
    stack.undo()
    assert (session.view.detail_bands, session.view.detail_strength) == ((1.0, 1.0, 1.8), 0.5)
    assert strengths.numbers[3].value() == 180
    stack.undo()
    stack.undo()
    assert (session.view.detail_bands, session.view.detail_strength) == ((1.0, 1.0, 1.0), 1.0)
    stack.redo()
    assert session.view.detail_bands == (1.0, 1.0, 1.8)


def test_undo_of_the_detail_leaves_the_rest_of_the_view(panel, session):
    panel.strengths.numbers[1].setValue(0)
    session.set_view(replace(session.view, look="clay"))
    panel.expressions.undo_stack.undo()
    assert session.view.detail_bands == (1.0, 1.0, 1.0)
    assert session.view.look == "clay"


def test_the_picture_of_the_map_is_as_deep_as_the_face(panel, session, qtbot):
    found = session.face.static_map
    panel.strengths.numbers[3].setValue(0)
    qtbot.waitUntil(lambda: panel._shown is not found)
    texel = texel_mm(session.face.topology, session.face.rig.neutral)
    np.testing.assert_array_equal(panel._image.image, weighted(found, texel, (1.0, 1.0, 0.0)))
    choose(panel, BLENDED)
    qtbot.waitUntil(lambda: panel._blended is not None)
    np.testing.assert_array_equal(panel._blended, blend_maps(panel.drawn.face, session.pose))


def test_confidence_lies_over_the_map_and_the_textured_face(panel, session, qtbot):
    session.set_view(replace(session.view, look="clay"))
    panel._confidence.click()
    assert session.view.confidence
    assert session.view.look == "texture"
    qtbot.waitUntil(lambda: panel._overlay.image is not None)
    assert panel._overlay.image.shape == (*session.face.static_map.shape, 4)
    panel.controller.toggle_confidence()
    assert not panel._confidence.isChecked()
    assert panel._overlay.image is None
