"""The jaw's landmarks follow the visible outline as in the original."""

from __future__ import annotations

import numpy as np
import pytest

from engine.camera import rotation_matrix
from engine.packs.facescape import contour, model_core
from engine.packs.facescape.contour import Outline, candidates, outermost
from tests.facescape_standin import make_pack


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_pack(tmp_path_factory.mktemp("contour"), networks=False)


def _neutral():
    return np.eye(1, 52)[0]


def test_each_side_takes_its_outermost_and_the_chin_its_lowest_vertex(data):
    lines = candidates(data)
    points = np.random.default_rng(0).normal(size=(data.vertex_count, 2))
    chosen = outermost(lines, points)
    assert chosen.dtype == np.int32
    for landmark, vertex in enumerate(chosen.tolist()):
        x, y = points[lines[landmark]].T
        if landmark < 8:
            assert points[vertex, 0] == x.min()
        elif landmark == 8:
            assert points[vertex, 1] == y.min()
        else:
            assert points[vertex, 0] == x.max()
        assert vertex in lines[landmark]


def test_of_equals_the_first_in_the_files_order_wins():
    lines = tuple(np.array([3, 1, 2], np.int32) for _ in range(17))
    assert outermost(lines, np.zeros((4, 2))).tolist() == [3] * 17


def test_copied_candidates_give_what_the_whole_core_gives(data, monkeypatch):
    quick = Outline.of(data)
    monkeypatch.setattr(contour, "_GATHER_BYTES", 0)
    whole = Outline.of(data)
    assert whole.part is data.core
    assert quick.part.nbytes < data.core.nbytes
    vertices = np.array([*data.landmark_vertices[17:], *candidates(data)[3][:4]], np.int32)
    np.testing.assert_array_equal(quick.rows(vertices), whole.rows(vertices))
    for turn in ([0.0, 0.1, 0.0], [0.2, -0.6, 0.1]):
        R = rotation_matrix(np.array(turn))
        jaw = quick.jaw(R, data.start_identity, _neutral())
        np.testing.assert_array_equal(jaw, whole.jaw(R, data.start_identity, _neutral()))
        head = model_core.positions(data.core, data.start_identity, _neutral()).astype(np.float64)
        np.testing.assert_array_equal(jaw, outermost(candidates(data), head @ R.T))


def test_outline_of_a_turned_head_lies_elsewhere(data):
    outline = Outline.of(data)
    front, turned = (
        outline.jaw(rotation_matrix(np.array([0.0, yaw, 0.0])), data.start_identity, _neutral()) for yaw in (0.0, 0.7)
    )
    assert (front != turned).sum() >= 5
