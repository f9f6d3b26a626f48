"""The rig: linear mesh, per-vertex map shares, closeness at the keys' own weights."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from engine import expressions, rig
from engine.packs.open_pack import load_open_pack
from tests.synthetic import make_asset, make_rig


@pytest.fixture(scope="module")
def basis():
    return rig.make_basis(load_open_pack(), np.zeros(50, np.float32))


def test_no_weights_give_the_neutral_mesh_and_map():
    basis = make_rig()
    posed = rig.pose(basis, np.zeros(51, np.float32))
    np.testing.assert_array_equal(posed.vertices, basis.neutral)
    assert (posed.map_weights[:, 0] == 1).all()


def test_the_mesh_is_linear_in_the_weights():
    basis, rng = make_rig(), np.random.default_rng(1)
    a, b = rng.uniform(0, 0.5, (2, 51)).astype(np.float32)
    moved = [rig.pose(basis, w).vertices - basis.neutral for w in (a, b, a + b)]
    np.testing.assert_allclose(moved[0] + moved[1], moved[2], atol=1e-4)


@pytest.mark.parametrize("exact", [False, True])
def test_shares_are_a_partition(basis, exact):
    rng = np.random.default_rng(2)
    for _ in range(4):
        weights = (rng.uniform(0, 1, 51) * (rng.uniform(0, 1, 51) < 0.3)).astype(np.float32)
        shares = rig.pose(basis, weights, exact).map_weights
        assert shares.min() >= -1e-6
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)


def test_shares_are_continuous_in_the_weights(basis):
    rng = np.random.default_rng(3)
    for _ in range(3):
        a, b = (rng.uniform(0, 1, (2, 51)) * (rng.uniform(0, 1, 51) < 0.2)).astype(np.float32)
        path = [rig.pose(basis, a + t * (b - a)).map_weights for t in np.linspace(0, 1, 201, dtype=np.float32)]
        jumps = [np.abs(q - p).max() for p, q in itertools.pairwise(path)]
        assert max(jumps) < 0.25, "a step of 0.005 in the weights must not swap maps"


def test_newer_vertices_share_as_the_ends_of_their_edge(basis):
    rng = np.random.default_rng(4)
    weights = (rng.uniform(0, 1, 51) * (rng.uniform(0, 1, 51) < 0.3)).astype(np.float32)
    quick = rig.key_shares(basis, weights)
    middles, skin = basis.middles, load_open_pack().topology.skin.vertices[1]
    assert middles.first + len(middles.ends) == skin
    assert middles.ends.max() < middles.first < 0.3 * skin
    ends = basis.neutral[middles.ends].mean(1)
    np.testing.assert_allclose(basis.neutral[middles.first : skin], ends, atol=0.6)  # mm; no edge is taken for another
    np.testing.assert_allclose(quick[middles.first : skin], quick[middles.ends].mean(1), atol=1e-6)
    assert (quick[skin:, 0] == 1).all(), "teeth and eyes have no detail"
    whole = rig.key_shares(replace(basis, activation=basis.activation.copy(), middles=None), weights)
    np.testing.assert_array_equal(quick[: middles.first], whole[: middles.first])
    off = (quick - whole)[:skin]
    assert np.sqrt((off**2).mean()) < 0.01


def test_a_brow_key_leaves_the_chin_alone(basis):
    """One global weight per map would move the chin's share too."""
    brow = expressions.key_weights()[expressions.KEY_NAMES.index("brow_raiser")]
    shares = rig.pose(basis, brow).map_weights
    forehead, chin = 9, 199
    assert shares[forehead, expressions.KEY_NAMES.index("brow_raiser")] > 0.7
    assert shares[chin, 0] > 0.99


def test_equal_maps_blend_to_that_map():
    face = make_asset()
    same = face.key_maps[3]
    for k in range(20):
        face = face.with_map(k, same)
    weights = np.full(51, 0.3, np.float32)
    np.testing.assert_allclose(rig.blend_maps(face, rig.pose(face.rig, weights)), same, atol=1e-6)


def test_missing_key_maps_count_as_the_neutral_or_static_map():
    face = make_asset(keys=False)
    blended = rig.blend_maps(face, rig.pose(face.rig, np.full(51, 0.4, np.float32)))
    np.testing.assert_array_equal(blended, face.static_map)


def test_wrong_weights_are_named():
    with pytest.raises(ValueError, match="weights"):
        rig.pose(make_rig(), np.zeros(50, np.float32))
