"""Light behind lids and lips, and in the skin's own hollows, on the open pack's mean face."""

from __future__ import annotations

import numpy as np
import pytest

from engine.dense_points import NOSTRILS
from engine.expressions import SHAPE_INDEX
from engine.packs.open_pack import load_open_pack
from engine.render.mesh import mesh_tables
from engine.render.shade import Shade
from tests.synthetic import make_asset


@pytest.fixture(scope="module")
def pack():
    return load_open_pack()


@pytest.fixture(scope="module")
def shapes(pack):
    return pack.shapes(np.zeros(len(pack.identity_sd), np.float32))


@pytest.fixture(scope="module")
def shade(pack):
    return Shade(pack.topology)


def _posed(shapes, **weights: float) -> np.ndarray:
    neutral, deltas = shapes
    total = neutral.copy()
    for name, weight in weights.items():
        total += weight * deltas[SHAPE_INDEX[name]]
    return total


def _run(pack, name: str) -> slice:
    first = pack.topology.skin.vertices[1]
    start, end = next(part for part in pack.topology.parts if part.name == name).vertices
    return slice(start - first, end - first)


def test_the_eyeball_is_dark_at_the_lids_and_light_between_them(pack, shapes, shade):
    vertices = _posed(shapes)
    light, first = shade.of_parts(vertices), pack.topology.skin.vertices[1]
    for side, middle in (("right", (159, 145)), ("left", (386, 374))):
        run = _run(pack, f"eye_{side}")
        ball, upper, lower = vertices[first:][run], vertices[middle[0]], vertices[middle[1]]
        column = (np.abs(ball[:, 0] - upper[0]) < 1.5) & (ball[:, 2] > np.median(ball[:, 2]))
        between = (upper[1] + lower[1]) / 2
        centre = light[run][column & (np.abs(ball[:, 1] - between) < 1.5)]
        contact = light[run][column & (np.abs(ball[:, 1] - upper[1]) < 1.0)]
        assert contact.mean() < 0.8 * centre.mean()
        assert centre.mean() > 0.8


def test_closed_eyes_and_mouth_let_no_light_through(pack, shapes, shade):
    open_light = shade.of_parts(_posed(shapes, jawOpen=0.8))
    closed = shade.of_parts(_posed(shapes, eyeBlinkRight=1.0))
    assert closed[_run(pack, "eye_right")].mean() < 0.75 * closed[_run(pack, "eye_left")].mean()
    for part in ("teeth_lower", "tongue"):
        assert closed[_run(pack, part)].max() < 0.25
        assert open_light[_run(pack, part)].max() > 0.5


def test_teeth_behind_a_mere_slit_are_a_dark_line(pack, shapes, shade):
    run = _run(pack, "teeth_upper")
    light = {share: shade.of_parts(_posed(shapes, jawOpen=share))[run] for share in (0.01, 0.04, 0.25)}
    assert light[0.01].max() < 0.1
    assert light[0.01].max() < light[0.04].max() < light[0.25].max()
    assert light[0.25].max() > 0.4


def test_a_quick_pose_keeps_the_sockets_and_what_is_at_rest(pack, shapes, shade):
    start = _posed(shapes)
    before = shade.of_parts(start)
    blinking = _posed(shapes, eyeBlinkLeft=1.0)
    quick, full = shade.of_parts(blinking, (start, before)), shade.of_parts(blinking)
    socket, eye = _run(pack, "socket_left"), _run(pack, "eye_left")
    np.testing.assert_array_equal(quick[socket], before[socket])
    np.testing.assert_array_equal(quick[eye], full[eye])
    assert np.abs(full[socket] - before[socket]).max() > 0.05
    looking = _posed(shapes, eyeLookOutLeft=0.6)
    np.testing.assert_array_equal(shade.of_parts(looking, (start, before))[eye], shade.of_parts(looking)[eye])


def test_hollows_are_darker_than_ridges_and_both_sides_alike(pack, shapes, shade):
    light = shade.of_skin(shapes[0])
    assert len(light) == pack.topology.skin.vertices[1]
    nostrils = light[list(NOSTRILS[0] + NOSTRILS[1])]
    assert nostrils.mean() < light[1] - 0.1
    assert light[1] > 1.0  # the tip of the nose
    partner = pack.topology.mirror[: len(light)]
    np.testing.assert_allclose(light, light[partner], atol=0.05)


def test_a_mesh_without_holes_is_lit_everywhere():
    face = make_asset()
    shade = Shade(face.topology)
    behind = shade.of_parts(face.rig.neutral)
    np.testing.assert_array_equal(behind, np.ones(len(behind)))


def test_lines_of_the_wireframe_are_the_skin_s(pack):
    """Edges of eyeballs, teeth and lining would be drawn through lids and lips, which lines stand in front of."""
    tables = mesh_tables(pack.topology)
    first_corner, first_edge = tables.behind
    skin = pack.topology.skin.vertices[1]
    assert tables.vertex_of_corner[first_corner] == skin
    assert tables.edges[:first_edge].max() < first_corner
    assert tables.edges[first_edge:].min() >= first_corner
