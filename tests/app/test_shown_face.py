"""The drawn face: the found one as long as nothing is asked for, then weighed and tinted beside the window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.engine_thread import EngineThread
from app.session import Session
from app.shown_face import ShownFace
from engine.detail.bands import texel_mm, weighted
from engine.rig import pose
from tests import synthetic

DEEP = (0.0, 1.0, 2.0)


@pytest.fixture
def thread(qapp):
    thread = EngineThread()
    yield thread
    assert thread.stop()


@pytest.fixture
def session(qapp):
    return Session()


@pytest.fixture
def shown(session, thread):
    shown = ShownFace(session, thread)
    shown.heard = []
    shown.changed.connect(lambda face: shown.heard.append(("changed", face)))
    shown.refined.connect(lambda face: shown.heard.append(("refined", face)))
    return shown


def set_view(session, **changes) -> None:
    session.set_view(replace(session.view, **changes))


def expected(face, key_map):
    return weighted(key_map, texel_mm(face.topology, face.rig.neutral), DEEP)


def test_untouched_the_drawn_face_is_the_found_one_at_once(shown, session):
    face = synthetic.make_asset(keys=False)
    session.set_face(face)
    assert shown.face is face
    more = face.with_map(1, synthetic.make_map(5))
    session.refine_face(more)
    assert shown.face is session.face
    assert [kind for kind, _ in shown.heard] == ["changed", "refined"]
    set_view(session, wireframe=True, detail_strength=0.5)
    assert len(shown.heard) == 2
    session.set_face(None)
    assert shown.face is None


def test_strengths_weigh_all_maps_and_going_back_is_immediate(shown, session, qtbot):
    face = synthetic.make_asset()
    session.set_face(face)
    session.set_pose(pose(face.rig, face.rig.key_weights[2]))
    set_view(session, detail_bands=DEEP)
    assert shown.face is face, "nothing waits"
    qtbot.waitUntil(lambda: shown._job is None)
    np.testing.assert_array_equal(shown.face.static_map, expected(face, face.static_map))
    for drawn, found in zip(shown.face.key_maps, face.key_maps, strict=True):
        np.testing.assert_array_equal(drawn, expected(face, found))
    assert shown.face.rig is face.rig
    assert shown.face.texture is face.texture
    assert session.face is face
    set_view(session, detail_bands=(1.0, 1.0, 1.0))
    assert shown.face is face


def test_what_is_on_show_comes_first(shown, session, qtbot):
    face = synthetic.make_asset()
    session.set_face(face)
    session.set_pose(pose(face.rig, face.rig.key_weights[18]))
    acting = np.flatnonzero(session.pose.map_weights.max(0) > 0)
    assert len(acting) < 20
    set_view(session, detail_bands=DEEP)
    qtbot.waitUntil(lambda: shown._job is None)
    kinds = [kind for kind, _ in shown.heard]
    first = shown.heard[1][1]
    assert kinds[1:] == ["changed", "refined"]
    for key in range(20):
        done = first.key_maps[key] is not face.key_maps[key]
        assert done == (key == 0 or key in acting), key


def test_further_maps_are_weighed_too_and_the_others_stay(shown, session, qtbot):
    face = synthetic.make_asset(keys=False).with_map(1, synthetic.make_map(5))
    session.set_face(face)
    set_view(session, detail_bands=DEEP)
    qtbot.waitUntil(lambda: shown._job is None)
    before = shown.face
    session.refine_face(face.with_map(4, synthetic.make_map(6)))
    qtbot.waitUntil(lambda: shown.face.key_maps[4] is not None)
    np.testing.assert_array_equal(shown.face.key_maps[4], expected(face, session.face.key_maps[4]))
    assert shown.face.key_maps[1] is before.key_maps[1], "not sent to the graphics card again"
    assert shown.face.static_map is before.static_map
    assert shown.heard[-1][0] == "refined"


def test_a_drag_of_the_strengths_is_seen_while_it_lasts_and_ends_where_it_ends(shown, session, qtbot):
    face = synthetic.make_asset()
    session.set_face(face)
    for step in range(1, 41):
        set_view(session, detail_bands=(1.0, 1.0, 1.0 + step / 40))
        qtbot.wait(2)
    during = len({id(drawn.static_map) for kind, drawn in shown.heard if kind == "changed"})
    assert during > 3
    qtbot.waitUntil(lambda: shown._job is None)
    texel = texel_mm(face.topology, face.rig.neutral)
    np.testing.assert_array_equal(shown.face.key_maps[7], weighted(face.key_maps[7], texel, (1.0, 1.0, 2.0)))


def test_confidence_tints_the_texture_and_tells_the_classes(shown, session, qtbot):
    classes = []
    shown.classes_changed.connect(classes.append)
    face = synthetic.make_asset()
    session.set_face(face)
    set_view(session, confidence=True)
    qtbot.waitUntil(lambda: shown._job is None)
    assert (shown.face.texture.image != face.texture.image).any()
    assert shown.face.static_map is face.static_map
    picture = shown.face.texture.image
    assert classes[-1].shape == face.static_map.shape
    set_view(session, detail_bands=DEEP)
    qtbot.waitUntil(lambda: shown._job is None)
    assert shown.face.texture.image is picture, "the strengths do not tint it again"
    set_view(session, confidence=False, detail_bands=(1.0, 1.0, 1.0))
    assert shown.face is face
    assert classes[-1] is None


def test_another_face_takes_the_strengths_over(shown, session, qtbot):
    session.set_face(synthetic.make_asset())
    set_view(session, detail_bands=DEEP)
    other = synthetic.make_asset(2)
    session.set_face(other)
    assert shown.face is other
    qtbot.waitUntil(lambda: shown._job is None and shown.face is not other)
    np.testing.assert_array_equal(shown.face.static_map, expected(other, other.static_map))
