"""The detail panel, by what it paints and what it reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor

from engine.expressions import KEY_NAMES
from engine.relief_colours import RANGE_MM
from tests import synthetic
from tests.relief_depths import DEPTHS_MM, colour_of
from widgets.detail_panel import BLENDED, STATIC, DetailPanel

N = synthetic.MAP_SIZE


@pytest.fixture
def panel(qtbot):
    panel = DetailPanel()
    qtbot.addWidget(panel)
    panel.resize(400, 520)
    panel.show()
    qtbot.waitUntil(lambda: panel._view is not None, timeout=5000)
    return panel


def _face_with(map_mm: np.ndarray):
    return replace(synthetic.make_asset(), static_map=map_mm.astype(np.float32))


def _scene_point(panel: DetailPanel, column: float, row: float) -> QPointF:
    return panel._image.mapToScene(QPointF(column, row))


def _colour(panel: DetailPanel, column: float, row: float) -> tuple[int, int, int]:
    picture = panel._view.grab().toImage()
    return QColor(picture.pixel(panel._view.mapFromScene(_scene_point(panel, column, row)))).toTuple()[:3]


def _hover(panel: DetailPanel, column: float, row: float) -> str:
    panel._view.scene().sigMouseMoved.emit(_scene_point(panel, column, row))
    return panel._reading.text()


def test_forehead_is_above_and_the_colours_say_in_or_out(panel):
    relief = np.zeros((N, N))
    relief[: N // 4], relief[-N // 4 :] = 0.3, -0.3
    panel.set_face(_face_with(relief))
    top, middle, bottom = (_colour(panel, N / 2 + 0.5, row + 0.5) for row in (N // 8, N // 2, N - N // 8))
    assert top[0] > top[2] + 50  # warm: out
    assert bottom[2] > bottom[0] + 50  # blue: in
    assert np.ptp(middle) <= 3  # level: no hue
    assert _scene_point(panel, 0, 0).y() < _scene_point(panel, 0, N).y()


@pytest.mark.parametrize("largest", [0.0, 9.0])
@pytest.mark.parametrize("depth", DEPTHS_MM)
def test_a_depth_has_the_same_colour_in_every_map_as_on_the_face(panel, depth, largest):
    relief = np.full((N, N), depth)
    relief[0, 0] = largest  # does not change the others' colours
    panel.set_face(_face_with(relief))
    assert panel._bar.levels() == (-RANGE_MM, RANGE_MM)
    assert np.abs(_colour(panel, N / 2, N / 2) - colour_of(depth)).max() <= 6


def test_hover_reads_the_depth_under_the_cursor(panel):
    relief = np.zeros((N, N))
    relief[3, 7], relief[7, 3] = 0.12, -0.34
    panel.set_face(_face_with(relief))
    assert _hover(panel, 7.5, 3.5) == "+0.12 mm (bump)"
    assert _hover(panel, 3.5, 7.5) == "-0.34 mm (dent)"
    assert _hover(panel, 20.5, 20.5) == "0.00 mm (level)"
    assert _hover(panel, -5, 3) == "-0.34 mm (in) to +0.12 mm (out)"


def test_only_maps_that_are_there_can_be_chosen(panel, qtbot):
    face = synthetic.make_asset(keys=False)
    panel.set_face(face)
    model = panel._choice.model()
    assert [row for row in range(panel._choice.count()) if model.item(row).isEnabled()] == [
        0,
        1,
    ]  # the second is worked out
    smile = synthetic.make_map(7)
    panel.set_face(face.with_map(1, smile))
    row = panel._choice.findData(KEY_NAMES[1])
    assert "smile" in panel._choice.itemText(row)
    with qtbot.waitSignal(panel.map_chosen) as chosen:
        panel._choice.setCurrentIndex(row)
    assert chosen.args == ["smile"]
    assert np.array_equal(panel._image.image, smile)


def test_choice_survives_a_new_map_and_falls_back_for_a_face_without_it(panel, qtbot):
    face = synthetic.make_asset(keys=False).with_map(1, synthetic.make_map(7))
    panel.set_face(face)
    panel._choice.setCurrentIndex(panel._choice.findData("smile"))
    with qtbot.assertNotEmitted(panel.map_chosen):
        panel.set_face(face.with_map(2, synthetic.make_map(8)))
        assert panel.chosen() == "smile"
        panel.set_face(synthetic.make_asset(3, keys=False))
    assert panel.chosen() == STATIC


def test_blended_map_is_shown_when_given_and_forgotten_with_its_face(panel):
    panel.set_face(synthetic.make_asset())
    blended = synthetic.make_map(5)
    panel.set_blended(blended)
    panel._choice.setCurrentIndex(panel._choice.findData(BLENDED))
    assert np.array_equal(panel._image.image, blended)
    changed = synthetic.make_map(6)
    panel.set_blended(changed)
    assert np.array_equal(panel._image.image, changed)
    panel.set_face(synthetic.make_asset(1))
    assert panel.chosen() == BLENDED
    assert panel._stack.currentIndex() == 0
    assert "Blending" in panel._empty.text()


def test_published_masks_are_reported_and_not_echoed(panel, qtbot):
    with qtbot.waitSignal(panel.exact_toggled) as toggled:
        panel._exact.click()
    assert toggled.args == [True]
    with qtbot.assertNotEmitted(panel.exact_toggled):
        panel.set_exact(False)
    assert not panel._exact.isChecked()


def test_strength_is_reported_once_and_not_echoed(panel):
    strengths, factors = panel.strengths, []
    strengths.strength_edited.connect(factors.append)
    strengths.sliders[0].setValue(140)
    assert factors == [1.4]
    assert strengths.numbers[0].value() == 140
    strengths.numbers[0].setValue(30)
    assert factors == [1.4, 0.3]
    strengths.set_strength(2.0)
    assert factors == [1.4, 0.3]
    assert (strengths.sliders[0].value(), strengths.numbers[0].value()) == (200, 200)


def test_bands_are_reported_together_and_not_echoed(panel, qtbot):
    strengths, edits = panel.strengths, []
    strengths.bands_edited.connect(edits.append)
    strengths.sliders[1].setValue(0)
    strengths.numbers[3].setValue(150)
    assert edits == [(0.0, 1.0, 1.0), (0.0, 1.0, 1.5)]
    strengths.set_bands((1.0, 1.2, 1.0))
    assert len(edits) == 2
    assert [number.value() for number in strengths.numbers] == [100, 100, 120, 100]
    assert strengths.reset.isEnabled()
    with qtbot.waitSignal(strengths.reset_requested):
        strengths.reset.click()
    strengths.set_bands((1.0, 1.0, 1.0))
    assert not strengths.reset.isEnabled()
    assert "2 mm" in strengths.sliders[1].toolTip()
    assert "5 mm" in strengths.sliders[3].toolTip()


def test_the_overlay_colours_the_map_it_lies_on(panel):
    panel.set_face(_face_with(np.zeros((N, N))))
    plain = _colour(panel, N / 4, N / 2)
    rgba = np.zeros((N, N, 4), np.uint8)
    rgba[:, : N // 2] = (0, 200, 0, 120)
    panel.set_overlay(rgba)
    covered = _colour(panel, N / 4, N / 2)
    assert covered[1] > covered[0] + 40
    assert _colour(panel, 3 * N / 4, N / 2) == plain
    panel.set_overlay(None)
    assert _colour(panel, N / 4, N / 2) == plain


def test_maps_of_further_keys_can_be_chosen(panel):
    face = synthetic.make_asset()
    sneer = synthetic.make_map(9)
    panel.set_face(replace(face, key_maps=(*face.key_maps, *(None,) * 11, sneer)))
    panel._choice.setCurrentIndex(panel._choice.findData("sneer"))
    assert np.array_equal(panel._image.image, sneer)


def test_no_face_shows_no_map(panel):
    panel.set_face(synthetic.make_asset())
    panel.set_face(None)
    assert panel._stack.currentIndex() == 0
    assert panel._reading.text() == ""
    assert not panel._choice.isEnabled()
