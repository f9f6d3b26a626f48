"""A photo with several faces in the window: another one is picked with the mouse or from the menu."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from app import wording
from engine.types import FaceBox
from tests import synthetic
from tests.app.invented_engine import InventedEngine
from tests.app.window_fixture import shown_window

pytestmark = pytest.mark.gl
OTHERS = (FaceBox(5.0, 5.0, 24.0, 30.0, 0.9), FaceBox(160.0, 200.0, 195.0, 240.0, 0.8))


@pytest.fixture
def window(qapp, qtbot, tmp_path):
    if qapp.platformName() == "offscreen":
        pytest.skip("the window needs a display; python3 -m tests starts a virtual one")
    engine = InventedEngine()
    engine.others = OTHERS
    with shown_window(tmp_path, engine) as window:
        qtbot.waitUntil(lambda: window.map_scale_mm is not None)
        window.commands.open_source(Path("two.jpg"))
        qtbot.waitUntil(lambda: window.photo_panel._landmarks is not None)
        yield window


def test_the_others_are_said_and_one_is_picked_by_a_click(window, qtbot):
    assert "2 more faces" in window.message.sentence
    view, first = window.photo_panel._view, window.session.face
    place = view.mapFromScene(view.getViewBox().mapViewToScene(QPointF(178, 220)))
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    qtbot.waitUntil(lambda: window.session.face.rig is not first.rig)
    assert window.engine.boxes == [None, OTHERS[1]]
    assert window.session.face.photo is first.photo


def test_the_others_are_in_a_menu_from_left_to_right(window, qtbot):
    first = window.session.face
    actions = window.photo_panel._others_menu.actions()
    assert [action.text() for action in actions] == ["Face &1 from the left", "Face &2 from the left"]
    actions[0].trigger()
    qtbot.waitUntil(lambda: window.session.face.rig is not first.rig)
    assert window.engine.boxes == [None, OTHERS[0]]


def test_only_doubtful_points_bring_the_advice_to_move_them():
    face = synthetic.make_asset()
    assert wording.advice(face) == ()
    assert "Adjust points" in wording.advice(replace(face, fit=replace(face.fit, error_dense=0.09)))[0]
    box = replace(face.landmarks.box, face_score=1.0)
    assert wording.advice(replace(face, landmarks=replace(face.landmarks, box=box)))
