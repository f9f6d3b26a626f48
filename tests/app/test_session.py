from __future__ import annotations

import numpy as np
import pytest

from app.session import Session
from engine.camera import OrbitCamera
from engine.types import Progress, ViewOptions
from tests import synthetic


@pytest.fixture
def session(qapp):
    return Session()


def test_signals_come_only_with_a_change(session, qtbot):
    weights = np.zeros(51, np.float32)
    with qtbot.assertNotEmitted(session.weights_changed):
        session.set_weights(weights)
    weights[3] = 0.5
    with qtbot.waitSignal(session.weights_changed):
        session.set_weights(weights)
    for setter, signal, value in (
        (session.set_view, session.view_changed, ViewOptions(look="clay")),
        (session.set_camera, session.camera_changed, OrbitCamera(azimuth_deg=20.0)),
        (session.set_progress, session.progress_changed, Progress("Fitting", 0.5)),
        (session.set_face, session.face_changed, synthetic.make_asset()),
        (session.set_photo, session.photo_changed, synthetic.make_photo()),
    ):
        with qtbot.waitSignal(signal) as change:
            setter(value)
        assert change.args == [value]
        with qtbot.assertNotEmitted(signal):
            setter(value)


def test_weights_are_clipped_copied_and_read_only(session):
    mine = np.full(51, 1.5, np.float32)
    mine[0] = -1.0
    session.set_weights(mine)
    assert session.weights.max() == 1.0
    assert session.weights.min() == 0.0
    mine[:] = 0.3
    assert session.weights[5] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        session.weights[0] = 0.5


@pytest.mark.parametrize("bad", [np.zeros(50, np.float32), np.zeros(51)], ids=["too few", "float64"])
def test_wrong_weights_are_named(session, bad):
    with pytest.raises(ValueError, match="weights"):
        session.set_weights(bad)


def test_another_face_drops_the_pose_and_a_refined_one_keeps_it(session, qtbot):
    face = synthetic.make_asset(keys=False)
    session.set_face(face)
    pose = synthetic.make_pose(face)
    session.set_pose(pose)
    with qtbot.waitSignal(session.face_refined), qtbot.assertNotEmitted(session.face_changed):
        session.refine_face(face.with_map(2, synthetic.make_map(2)))
    assert session.pose is pose
    session.refine_face(face.with_map(3, synthetic.make_map(3)))
    assert all(session.face.key_maps[k] is not None for k in (2, 3)), "maps come from two sides: none gets lost"
    session.set_face(synthetic.make_asset(1))
    assert session.pose is None
    with pytest.raises(ValueError, match="the shown face"):
        session.refine_face(face)
