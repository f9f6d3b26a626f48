"""Points by hand: prediction from clicks on real faces, and faces built from nothing but such points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.camera import project
from engine.fitting import fit
from engine.hand_points import enough_clicks, moved_landmarks, predicted_landmarks, warped
from engine.images import load_photo
from engine.landmark_mirror import IBUG_MIRROR
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from tests.running import finish

SAMPLES = Path(__file__).resolve().parents[2] / "resources" / "samples"
CLICKED = [36, 39, 42, 45, 30, 48, 54, 57, 8, 4, 12]


@pytest.fixture(scope="module")
def found():
    with LandmarkDetector() as detector:
        return detector.detect(load_photo(SAMPLES / "portrait_biden.jpg"))


def clicks_on(points: np.ndarray, indices=CLICKED) -> np.ndarray:
    clicks = np.full((68, 2), np.nan, np.float32)
    clicks[indices] = points[indices]
    return clicks


def eye_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[36] - points[45]))


def mean_error(points: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance over the outer-eye distance."""
    return float(np.linalg.norm(points - expected, axis=-1).mean() / eye_distance(expected))


def test_clicks_predict_the_points_that_were_not_clicked(found):
    predicted = predicted_landmarks(clicks_on(found.points68), load_open_pack())
    np.testing.assert_allclose(predicted.points68[CLICKED], found.points68[CLICKED], atol=1e-3)
    unseen = np.setdiff1d(np.arange(68), CLICKED)
    assert mean_error(predicted.points68, found.points68) < 0.05
    assert np.linalg.norm((predicted.points68 - found.points68)[unseen], axis=1).max() < 0.2 * eye_distance(
        found.points68
    )
    assert np.linalg.norm(predicted.dense - found.dense, axis=1).mean() < 0.05 * eye_distance(found.points68)
    assert predicted.by_hand


def test_five_sloppy_clicks_are_enough(found):
    rng = np.random.default_rng(3)
    clicks = clicks_on(found.points68, [36, 45, 30, 48, 54])
    clicks += (0.015 * eye_distance(found.points68) * rng.standard_normal(clicks.shape)).astype(np.float32)
    assert mean_error(predicted_landmarks(clicks, load_open_pack()).points68, found.points68) < 0.09


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_heads_may_lie_in_any_way(found, quarter_turns):
    angle = quarter_turns * np.pi / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    upright = predicted_landmarks(clicks_on(found.points68), load_open_pack()).points68
    turned = predicted_landmarks(clicks_on(found.points68) @ turn.T, load_open_pack()).points68
    np.testing.assert_allclose(turned, upright @ turn.T, atol=0.02 * eye_distance(upright))


def test_right_and_left_mixed_up_are_swapped(found):
    clicks = clicks_on(found.points68)
    expected = predicted_landmarks(clicks, load_open_pack()).points68
    np.testing.assert_array_equal(predicted_landmarks(clicks[IBUG_MIRROR], load_open_pack()).points68, expected)


def test_too_few_clicks_and_a_line_of_clicks_are_refused(found):
    few = clicks_on(found.points68, [36, 45, 30, 48])
    assert not enough_clicks(few)
    line = np.full((68, 2), np.nan, np.float32)
    line[CLICKED] = np.linspace((10, 20), (50, 80), len(CLICKED))
    assert not enough_clicks(line)
    for clicks in (few, line):
        with pytest.raises(ValueError, match="clicks"):
            predicted_landmarks(clicks, load_open_pack())


def test_the_fit_follows_points_placed_by_hand_not_the_dense_ones(found):
    by_hand = replace(found, dense=found.dense + 500.0, by_hand=True)
    result = finish(fit(by_hand, load_open_pack()))[0]
    assert result.error68 < 0.035
    assert np.isnan(result.error_dense)


def test_a_moved_point_takes_its_dense_neighbours_along(found):
    after = found.points68.copy()
    after[48] += (12.0, 5.0)  # the right corner of the mouth; dense point 61 lies there
    moved = moved_landmarks(found, found.points68, after)
    np.testing.assert_array_equal(moved.points68, after)
    shift = moved.dense - found.dense
    assert np.linalg.norm(shift[61] - (12.0, 5.0)) < 6.0
    assert np.linalg.norm(shift[263]) < 1.0  # the other eye stays
    assert moved.warnings[-1] == "Some points were moved by hand."
    again = moved_landmarks(moved, after, after)
    assert again.warnings == moved.warnings


def test_the_fit_follows_moved_points(found):
    pack = load_open_pack()
    after = found.points68.copy()
    after[6:11, 1] += 25.0  # a longer chin
    before, moved = (finish(fit(lm, pack))[0] for lm in (found, moved_landmarks(found, found.points68, after)))

    def chin_px(result) -> float:
        mean, core = pack.bilinear(result.landmark_vertices[[8]])
        return float(project(result.camera, (mean + core @ result.identity) @ result.expression)[0, 1])

    assert 8.0 < chin_px(moved) - chin_px(before) < 30.0


def test_warps_are_exact_for_shifts_turns_and_scales():
    rng = np.random.default_rng(0)
    knots, points = (rng.uniform(0, 100, (n, 2)).astype(np.float32) for n in (12, 30))
    change = np.array([[1.1, 0.3], [-0.2, 0.9]], np.float32)
    moved = warped(points, knots, knots @ change.T + 7 - knots)
    np.testing.assert_allclose(moved, points @ change.T + 7, atol=1e-2)
