"""Eyeballs, sockets, teeth and tongue of the shipped pack, on several people."""

from __future__ import annotations

import numpy as np
import pytest

from engine.expressions import SHAPE_INDEX
from engine.packs.open_pack import load_open_pack
from engine.rasterize import rasterize
from engine.training.anthropometry import EYE_RADIUS_MM
from engine.training.cage import INNER_LOWER, INNER_UPPER, LOWER_LIP_IN


@pytest.fixture(scope="module")
def people():
    pack = load_open_pack()
    rng = np.random.default_rng(1)
    identities = [np.zeros(50, np.float32), *rng.normal(size=(4, 50)).astype(np.float32)]
    return pack, [pack.shapes(one) for one in identities]


def _part(pack, name: str) -> slice:
    return slice(*next(part for part in pack.topology.parts if part.name == name).vertices)


def test_the_cornea_bulges_but_clears_the_lids(people):
    pack, shapes = people
    for neutral, _ in shapes:
        for side in ("right", "left"):
            ball = neutral[_part(pack, f"eye_{side}")]
            around = ball[1:].reshape(-1, 40, 3).mean(1)  # rings about the axis
            centre = np.array([*around[0, :2], ball[0, 2] - EYE_RADIUS_MM - 0.2])
            radius = np.linalg.norm(ball - centre, axis=1)
            assert EYE_RADIUS_MM < radius[0] < EYE_RADIUS_MM + 0.3
            np.testing.assert_allclose(radius[1 + 40 * 6 :], EYE_RADIUS_MM - 0.1, atol=0.05)


def test_the_socket_leaves_no_gap_around_the_eyeball(people):
    """Its last rings lie inside the ball, on every person, with open and with closed lids."""
    pack, shapes = people
    for neutral, deltas in shapes:
        for blink in (0.0, 1.0):
            posed = neutral + blink * (deltas[SHAPE_INDEX["eyeBlinkLeft"]] + deltas[SHAPE_INDEX["eyeBlinkRight"]])
            for side in ("right", "left"):
                ball, socket = posed[_part(pack, f"eye_{side}")], posed[_part(pack, f"socket_{side}")]
                centre = np.array([*ball[1:41, :2].mean(0), ball[0, 2] - EYE_RADIUS_MM - 0.2])
                rings = np.linalg.norm(socket - centre, axis=1).reshape(5, -1)
                assert rings[-1].max() < EYE_RADIUS_MM - 1.0
                assert rings[-2].max() < EYE_RADIUS_MM + 0.6


def test_teeth_are_separate(people):
    """Along the middle of the crowns the surface dips between any two of the fourteen teeth."""
    pack, shapes = people
    for row in ("upper", "lower"):
        points = shapes[0][0][_part(pack, f"teeth_{row}")].reshape(10, -1, 3)
        crown, smooth = points[4], points[0]
        out = np.linalg.norm(crown[:, [0, 2]] - smooth[:, [0, 2]], axis=1)
        dips = (out[1:-1] < out[:-2] - 0.1) & (out[1:-1] < out[2:] - 0.1)
        assert dips.sum() == 13


def test_upper_incisors_show_below_the_resting_lip(people):
    """By 1.9 mm in men and 3.4 mm in women on average (Vig & Brundo 1978)."""
    pack, shapes = people
    mean = pack.shapes(pack.identity_mean)[0]
    for neutral, limits in ((mean, (1.9, 4.0)), *((neutral, (1.0, 5.0)) for neutral, _ in shapes)):
        teeth = neutral[_part(pack, "teeth_upper")]
        edge = teeth[np.abs(teeth[:, 0]) < 3.0, 1].min()
        assert limits[0] < neutral[INNER_UPPER[5], 1] - edge < limits[1]


@pytest.mark.parametrize("lip", ["mouthRollUpper", "mouthRollLower"])
def test_rolled_lips_do_not_cut_into_the_teeth(people, lip):
    pack, shapes = people
    ring = sorted({*INNER_UPPER, *INNER_LOWER})
    for neutral, deltas in shapes:
        posed = neutral + deltas[SHAPE_INDEX[lip]]
        for row in ("upper", "lower"):
            crowns = posed[_part(pack, f"teeth_{row}")].reshape(10, -1, 3)[2:8].reshape(-1, 3)
            for point in posed[ring]:
                beside = np.hypot(*(crowns[:, :2] - point[:2]).T) < 2.0
                assert point[2] > crowns[beside, 2].max(initial=-np.inf) - 0.6


@pytest.mark.parametrize("beside", [(), ("mouthSmileLeft", "mouthSmileRight"), ("mouthShrugLower",), ("mouthFunnel",)])
def test_nothing_of_the_mouth_comes_through_the_skin_under_an_open_lip(people, beside):
    pack, shapes = people
    skin = pack.topology.faces[slice(*pack.topology.skin.faces)]
    for neutral, deltas in shapes:
        posed = neutral + sum(deltas[SHAPE_INDEX[name]] for name in ("jawOpen", *beside))
        flat = posed[:, :2] * (4.0, -4.0) + 400.0  # px of a picture from the front
        drawn = rasterize(np.ascontiguousarray(flat, np.float32), skin, (900, 800), posed[:, 2])
        surface = np.where(drawn.covered, drawn.interpolate(posed[:, 2:], skin)[..., 0], np.inf)
        for part in ("mouth", "teeth_lower", "tongue"):
            lining = posed[_part(pack, part)]
            lining = lining[(lining[:, 1] < posed[LOWER_LIP_IN, 1] - 2.0) & (np.abs(lining[:, 0]) < 40.0)]
            column, row = (lining[:, :2] * (4.0, -4.0) + 400.0).astype(int).T
            assert (lining[:, 2] - surface[row, column]).max(initial=-1.0) < 0.3


def test_upper_and_lower_teeth_meet_and_part(people):
    pack, shapes = people
    for neutral, deltas in shapes:
        upper, lower = (_part(pack, f"teeth_{row}") for row in ("upper", "lower"))
        tongue = _part(pack, "tongue")
        opened = neutral + deltas[SHAPE_INDEX["jawOpen"]]
        biting = [points[run].reshape(10, -1, 3)[6, :, 1] for points in (neutral, opened) for run in (upper, lower)]
        closed_gap, open_gap = biting[0] - biting[1], biting[2] - biting[3]  # place by place along the rows
        overbite = -np.array([closed_gap[k : k + 7].min() for k in range(0, 84, 6)])  # of each tooth, at its tip
        assert overbite.min() > 0.0
        assert overbite.max() < 3.0
        assert open_gap.min() > 8  # of the molars; the front teeth open further
        assert neutral[upper, 2].max() > neutral[lower, 2].max() + 1.5  # overjet
        assert neutral[tongue, 2].max() < neutral[lower, 2].max() - 3.0  # behind the lower teeth
