from __future__ import annotations

import numpy as np
import pytest

from app.expression_controller import ExpressionController, partners
from app.session import Session
from engine.expressions import KEY_NAMES, SHAPE_INDEX, key_weights
from tests import synthetic
from tests.app.invented_engine import invented_pose


@pytest.fixture
def session(qapp):
    return Session()


@pytest.fixture
def controller(session):
    return ExpressionController(session, invented_pose)


def index(name: str) -> int:
    return SHAPE_INDEX[name]


def test_left_and_right_move_together_until_told_otherwise(controller, session):
    left, right = index("mouthSmileLeft"), index("mouthSmileRight")
    controller.edit_weight(left, 0.7)
    assert session.weights[left] == session.weights[right] == np.float32(0.7)
    controller.set_symmetric(False)
    controller.edit_weight(right, 0.2)
    assert session.weights[left] == np.float32(0.7)
    assert session.weights[right] == np.float32(0.2)


@pytest.mark.parametrize("name", ["jawLeft", "jawRight", "mouthLeft", "mouthRight"])
def test_shapes_that_push_to_one_side_do_not_fight_themselves(name):
    assert partners()[index(name)] == index(name)


def test_both_eyes_look_the_same_way():
    assert partners()[index("eyeLookInLeft")] == index("eyeLookOutRight")
    assert partners()[index("eyeLookOutRight")] == index("eyeLookInLeft")
    assert partners()[index("eyeLookUpLeft")] == index("eyeLookUpRight")


def test_partners_are_mutual():
    table = partners()
    assert all(table[table[i]] == i for i in range(51))


@pytest.mark.parametrize("key", range(20), ids=KEY_NAMES)
def test_presets_are_the_published_weights(controller, session, key):
    controller.edit_weight(3, 0.9)
    controller.apply_preset(key)
    np.testing.assert_array_equal(session.weights, key_weights()[key])


def test_a_drag_is_one_step_of_undo(controller, session):
    jaw = index("jawOpen")
    for weight in (0.1, 0.2, 0.3):
        controller.edit_weight(jaw, weight)
    controller.end_edit()
    controller.edit_weight(jaw, 0.9)
    controller.end_edit()
    assert controller.undo_stack.count() == 2
    controller.undo_stack.undo()
    assert session.weights[jaw] == np.float32(0.3)
    controller.undo_stack.undo()
    assert session.weights[jaw] == 0.0
    controller.undo_stack.redo()
    assert session.weights[jaw] == np.float32(0.3)


def test_reset_and_photo_expression_can_be_undone(controller, session):
    face = synthetic.make_asset()
    session.set_face(face)
    controller.reset()
    assert not session.weights.any()
    controller.undo_stack.undo()
    np.testing.assert_array_equal(session.weights, face.fit.weights)
    controller.reset()
    controller.apply_photo_expression()
    np.testing.assert_array_equal(session.weights, face.fit.weights)


def test_another_face_starts_in_its_photos_expression_with_its_pose(controller, session):
    controller.edit_weight(4, 1.0)
    face = synthetic.make_asset()
    session.set_face(face)
    np.testing.assert_array_equal(session.weights, face.fit.weights)
    assert session.pose.vertices.shape == face.rig.neutral.shape
    assert not controller.undo_stack.canUndo()


def test_many_moves_between_two_paints_cost_one_pose(session, qtbot):
    asked = []

    def counted(rig, weights, exact):
        asked.append(weights)
        return invented_pose(rig, weights, exact)

    controller = ExpressionController(session, counted)
    session.set_face(synthetic.make_asset())
    asked.clear()
    for weight in np.linspace(0.1, 1.0, 30):
        controller.edit_weight(11, float(weight))
    with qtbot.waitSignal(session.pose_changed):
        pass
    assert len(asked) == 1
    assert session.pose.weights[11] == 1.0


def test_a_live_source_is_no_step_of_undo(controller, session):
    controller.follow(np.full(51, 0.4, np.float32))
    assert session.weights[7] == np.float32(0.4)
    assert not controller.undo_stack.canUndo()


def test_the_published_masks_pose_the_face_anew(session, qtbot):
    controller = ExpressionController(session, invented_pose)
    session.set_face(synthetic.make_asset())
    ours = session.pose
    with qtbot.waitSignal(session.pose_changed):
        session.set_exact(True)
    assert (session.pose.map_weights[:, 0] >= ours.map_weights[:, 0]).all()
    assert session.pose.map_weights[:, 1:].max() < ours.map_weights[:, 1:].max()
    np.testing.assert_array_equal(session.pose.vertices, ours.vertices)
    assert controller.undo_stack.count() == 0  # a way of drawing, no edit of the expression
