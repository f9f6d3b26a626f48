from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.engine_thread import EngineThread
from app.expression_controller import ExpressionController
from app.photo_controller import PhotoController, reprojected_landmarks
from app.session import Session
from engine.camera import project
from engine.errors import ModelFileError, NoFaceFound
from engine.expressions import KEY_NAMES
from engine.types import FaceBox
from tests import synthetic
from tests.app.invented_engine import NO_FACE, InventedEngine, invented_pose


@pytest.fixture
def engine():
    return InventedEngine()


@pytest.fixture
def session(qapp):
    return Session()


@pytest.fixture
def expressions(session):
    return ExpressionController(session, invented_pose)


@pytest.fixture
def photos(session, expressions, engine):
    thread = EngineThread()
    yield PhotoController(session, engine, thread)
    engine.hold.set()
    assert thread.stop()


def all_maps_there(session) -> bool:
    return session.face is not None and all(key_map is not None for key_map in session.face.key_maps)


def test_a_photo_becomes_the_shown_face_in_its_own_expression(photos, session, qtbot):
    with qtbot.waitSignal(photos.opened) as opened:
        photos.open(Path("anna.jpg"))
    assert opened.args == [Path("anna.jpg")]
    assert session.face.photo.name == "anna.jpg"
    np.testing.assert_array_equal(session.weights, session.face.fit.weights)
    np.testing.assert_array_equal(session.pose.weights, session.face.fit.weights)


def test_the_photo_is_shown_before_its_face(photos, session, engine, qtbot):
    engine.hold.clear()
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: session.photo is not None)
    assert session.face is None
    qtbot.waitUntil(lambda: session.progress is not None and session.progress.stage == "Fitting the face")
    engine.hold.set()
    qtbot.waitUntil(lambda: all_maps_there(session))
    qtbot.waitUntil(lambda: session.progress is None)


def test_a_stale_result_is_dropped(photos, session, engine, qtbot):
    engine.hold.clear()
    shown = []
    session.face_changed.connect(lambda face: shown.append(face.photo.name))
    photos.open(Path("first.jpg"))
    qtbot.waitUntil(lambda: session.photo is not None)
    photos.open(Path("second.jpg"))
    engine.hold.set()
    qtbot.waitUntil(lambda: all_maps_there(session))
    assert shown == ["second.jpg"]


def test_failure_keeps_the_old_face_and_photo(photos, session, qtbot):
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: all_maps_there(session))
    face = session.face
    with qtbot.waitSignal(photos.failed) as failed:
        photos.open(Path(NO_FACE))
    assert isinstance(failed.args[0], NoFaceFound)
    assert session.face is face
    assert session.photo is face.photo
    assert session.progress is None


def test_cancel_keeps_the_old_face_and_shows_nothing(photos, session, engine, qtbot):
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: all_maps_there(session))
    face = session.face
    engine.hold.clear()
    with qtbot.assertNotEmitted(photos.failed):
        photos.open(Path("second.jpg"))
        qtbot.waitUntil(lambda: session.photo is not face.photo)
        photos.cancel()
        qtbot.waitUntil(lambda: session.photo is face.photo)
    assert session.face is face
    assert session.progress is None


def test_all_key_maps_arrive_one_by_one(photos, session, engine, qtbot):
    counts = []
    session.face_refined.connect(lambda face: counts.append(sum(m is not None for m in face.key_maps)))
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: all_maps_there(session))
    assert counts == list(range(1, 21))
    assert sorted(engine.asked_keys) == list(range(20))


def test_the_maps_of_the_shown_expression_come_first(photos, session, expressions, engine, qtbot):
    jaw_open, cheeks = KEY_NAMES.index("mouth_stretch"), KEY_NAMES.index("cheek_blowing")
    session.face_changed.connect(lambda _: (engine.hold.clear(), expressions.apply_preset(cheeks)))
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: session.pose is not None and session.pose.weights.any())
    qtbot.wait(20)  # the timer that computes the pose of the preset
    before = len(engine.asked_keys)
    engine.hold.set()
    qtbot.waitUntil(lambda: all_maps_there(session))
    assert engine.asked_keys.index(cheeks) <= before + 1  # one may have been under way
    assert engine.asked_keys.index(jaw_open) < 20


def hold_after_the_first_map(engine):
    """The engine would else have made many more before the window hears of the first."""
    make = engine.key_maps

    def make_and_hold(face, keys):
        made = yield from make(face, keys)
        if len(engine.asked_keys) == 1:
            engine.hold.clear()
        return made

    engine.key_maps = make_and_hold


def test_after_a_cancel_only_the_needed_maps_are_fetched(photos, session, expressions, engine, qtbot):
    cheeks = KEY_NAMES.index("cheek_blowing")
    hold_after_the_first_map(engine)

    def cancel(_face):
        photos.cancel()
        engine.hold.set()

    session.face_refined.connect(cancel)
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: session.face is not None and engine.asked_keys != [] and photos._map_job is None)
    session.face_refined.disconnect(cancel)
    asked = len(engine.asked_keys)
    assert asked < 20
    assert session.face.key_maps[cheeks] is None
    expressions.apply_preset(cheeks)
    qtbot.waitUntil(lambda: session.face.key_maps[cheeks] is not None)
    qtbot.waitUntil(lambda: photos._map_job is None)
    assert not all_maps_there(session)


def test_slow_maps_are_made_only_where_the_expression_shows_them(photos, session, expressions, engine, qtbot):
    engine.slow = True
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: session.face is not None and photos._map_job is None)
    session.set_weights(np.zeros(51, np.float32))
    qtbot.waitUntil(lambda: photos._map_job is None)
    before = set(engine.asked_keys)
    assert len(before) < 20
    expressions.apply_preset(KEY_NAMES.index("mouth_stretch"))
    shown = [k for k in range(20) if session.pose.map_weights[:, k].max() > 0.05]
    qtbot.waitUntil(lambda: set(shown) <= set(engine.asked_keys) and photos._map_job is None)
    assert len(engine.asked_keys) == len(set(engine.asked_keys)) < 20


def test_maps_that_an_export_made_are_not_made_again(photos, session, engine, qtbot):
    hold_after_the_first_map(engine)

    def add_once(face):
        session.face_refined.disconnect(add_once)
        for key in range(5, 20):
            session.refine_face(session.face.with_map(key, synthetic.make_map(key)))
        engine.hold.set()

    session.face_refined.connect(add_once)
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: all_maps_there(session) and photos._map_job is None)
    # The first, one that was chosen before the others came, and those that they lack.
    assert len(engine.asked_keys) <= 7


def test_failing_key_maps_are_told_once(photos, session, expressions, engine, qtbot):
    engine.key_error = ModelFileError("The detail network is damaged.", "Download it again.")
    told = []
    photos.failed.connect(told.append)
    photos.open(Path("anna.jpg"))
    qtbot.waitUntil(lambda: bool(told))
    for key in (1, 5, 11):
        expressions.apply_preset(key)
        qtbot.wait(20)
    assert len(told) == 1
    assert session.face is not None


def test_another_face_of_the_photo_can_be_picked(photos, session, engine, qtbot):
    photos.open(Path("two.jpg"))
    qtbot.waitUntil(lambda: all_maps_there(session))
    first, box = session.face, FaceBox(5, 5, 60, 70, 0.8)
    photos.pick_face(box)
    qtbot.waitUntil(lambda: session.face is not first)
    assert engine.boxes == [None, box]
    assert session.face.photo is first.photo


def test_reprojected_landmarks_lie_where_the_model_says():
    face = synthetic.make_asset()
    posed = synthetic.make_pose(face, face.fit.weights).vertices
    expected = project(face.fit.camera, posed[face.fit.landmark_vertices])
    np.testing.assert_allclose(reprojected_landmarks(face), expected, atol=1e-3)
