"""Expressions in the clipboard: text and back, and through the real window."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication

from app.expression_text import text_of, weights_in
from engine.expressions import SHAPE_INDEX
from tests import synthetic


def test_weights_come_back_from_their_text():
    weights = np.random.default_rng(0).uniform(0, 1, 51).astype(np.float32) * (np.arange(51) % 3 == 0)
    np.testing.assert_allclose(weights_in(text_of(weights)), weights, atol=6e-5)
    assert weights_in(text_of(np.zeros(51, np.float32))).max() == 0.0


def test_other_programs_names_and_an_exports_file_are_understood():
    live = weights_in('{"jawOpen": 0.5, "tongueOut": 1, "mouthSmileLeft": 1.7, "mouthSmileRight": -0.1}')
    assert (live[SHAPE_INDEX["jawOpen"]], live[SHAPE_INDEX["mouthSmileLeft"]], live.sum()) == (0.5, 1.0, 1.5)
    exported = weights_in(json.dumps({"photo": "a.jpg", "expression": {"eyeBlinkLeft": 0.25}}))
    assert exported[SHAPE_INDEX["eyeBlinkLeft"]] == 0.25


@pytest.mark.parametrize(
    "text", ["", "hello", "[1, 2]", '{"a": 1}', '{"jawOpen": "wide"}', '{"jawOpen": true}', '{"jawOpen": NaN}', "5"]
)
def test_other_text_is_no_expression(text):
    assert weights_in(text) is None


@pytest.mark.gl
def test_copied_on_one_face_and_pasted_on_another(window):
    window.session.set_face(synthetic.make_asset())
    window.expressions.apply_preset(1)
    smile = window.session.weights.copy()
    window.actions_by_key["copy_expression"].trigger()
    window.session.set_face(synthetic.make_asset())
    window.expressions.reset()
    window.actions_by_key["paste_expression"].trigger()
    np.testing.assert_allclose(window.session.weights, smile, atol=6e-5)
    window.actions_by_key["undo"].trigger()
    assert window.session.weights.max() == 0.0


@pytest.mark.gl
def test_pasting_something_else_says_so_and_changes_nothing(window):
    window.session.set_face(synthetic.make_asset())
    before = window.session.weights.copy()
    QGuiApplication.clipboard().setText("a shopping list")
    window.actions_by_key["paste_expression"].trigger()
    np.testing.assert_array_equal(window.session.weights, before)
    assert window.message.text().startswith("There is no expression in the clipboard.")


@pytest.mark.gl
def test_without_a_face_there_is_nothing_to_copy(window):
    assert not window.actions_by_key["copy_expression"].isEnabled()
    assert not window.actions_by_key["paste_expression"].isEnabled()
