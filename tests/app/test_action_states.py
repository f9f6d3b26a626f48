"""What the menus and the toolbar offer: ticks that follow the panels, and nothing that cannot act."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from engine.expressions import SHAPE_INDEX

pytestmark = pytest.mark.gl
LEFT = Qt.MouseButton.LeftButton
LOOKS = ("look_texture", "look_clay", "look_map")
OF_THE_FACE = (*LOOKS, "wireframe", "confidence", "over-photo")


def ticked(window) -> set[str]:
    return {key for key, action in window.actions_by_key.items() if action.isChecked()}


def offered(window, *keys: str) -> list[bool]:
    return [window.actions_by_key[key].isEnabled() for key in keys]


def test_the_view_menu_shows_the_present_state(with_face):
    actions = with_face.actions_by_key
    assert ticked(with_face) == {"look_texture"}
    assert all(actions[key].isCheckable() for key in OF_THE_FACE)
    actions["look_clay"].trigger()
    actions["wireframe"].trigger()
    assert ticked(with_face) == {"look_clay", "wireframe"}
    actions["look_clay"].trigger()  # the look that is on stays on
    assert ticked(with_face) == {"look_clay", "wireframe"}
    assert with_face.session.view.look == "clay"
    actions["confidence"].trigger()  # the colours lie on the photo's texture
    assert ticked(with_face) == {"look_texture", "wireframe", "confidence"}


def test_the_view_menu_follows_the_panels(with_face, qtbot):
    relief = next(b for b in with_face.view_panel.findChildren(QPushButton) if b.text() == "Relief")
    QTest.mouseClick(relief, LEFT)
    with_face.view_panel._wireframe.click()
    assert ticked(with_face) == {"look_map", "wireframe"}
    with_face.detail_panel._confidence.click()
    assert ticked(with_face) == {"look_texture", "wireframe", "confidence"}


def test_without_a_face_there_is_no_look_and_no_legend(window):
    assert offered(window, *OF_THE_FACE) == [False] * 6
    window.detail.set_confidence(True)
    assert not window.legend.isVisible()


def test_the_legend_goes_and_comes_with_the_face(with_face):
    with_face.actions_by_key["confidence"].trigger()
    assert offered(with_face, *OF_THE_FACE) == [True] * 6
    assert with_face.legend.isVisible()
    face = with_face.session.face
    with_face.session.set_face(None)
    assert not with_face.legend.isVisible()
    assert offered(with_face, *OF_THE_FACE) == [False] * 6
    with_face.session.set_face(face)
    assert with_face.legend.isVisible()


def test_the_legend_of_seen_and_invented_skin_is_there_with_its_colours_alone(with_face):
    with_face.actions_by_key["confidence"].trigger()
    words = with_face.legend.text()
    assert "invented" in words
    with_face.actions_by_key["look_clay"].trigger()
    assert not with_face.legend.isVisible()
    with_face.actions_by_key["look_map"].trigger()
    assert "invented" not in with_face.legend.text()
    with_face.actions_by_key["look_texture"].trigger()
    assert with_face.legend.isVisible()
    assert with_face.legend.text() == words
    assert ticked(with_face) == {"look_texture", "confidence"}


def test_what_acts_on_the_face_waits_until_the_points_are_placed(with_face, qtbot):
    jaw, keys = SHAPE_INDEX["jawOpen"], ("export", "undo", "redo", "adjust_points")
    with_face.expressions.edit_weight(jaw, 0.9)
    with_face.expressions.end_edit()
    before = offered(with_face, *keys)
    assert before == [True, True, False, True]
    with_face.actions_by_key["adjust_points"].trigger()
    assert offered(with_face, *keys) == [False] * 4
    with_face.actions_by_key["undo"].trigger()
    assert with_face.session.weights[jaw] == np.float32(0.9)
    with_face.expressions.edit_weight(jaw, 0.5)
    assert offered(with_face, *keys) == [False] * 4, "nor do they come back on the way"
    QTest.mouseClick(with_face.photo_panel._editor._cancel, LEFT)
    assert offered(with_face, *keys) == before


def test_the_sentence_about_placing_points_goes_with_it(with_face):
    of_face = with_face.message.sentence
    with_face.actions_by_key["adjust_points"].trigger()
    assert "Placing points" in with_face.message.sentence
    QTest.mouseClick(with_face.photo_panel._editor._cancel, LEFT)
    assert with_face.message.sentence == of_face
