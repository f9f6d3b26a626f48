"""No expression folds the skin over: single shapes, key expressions, a thousand plausible combinations."""

from __future__ import annotations

import numpy as np
import pytest

from engine import expressions
from engine.packs.open_pack import load_open_pack
from engine.rig import make_basis, posed_vertices
from tests.engine.shape_measures import INDEX, Folds, plausible, weights_of


@pytest.fixture(scope="module")
def pack():
    return load_open_pack()


@pytest.fixture(scope="module")
def mean(pack):
    return make_basis(pack, pack.identity_mean)


@pytest.fixture(scope="module")
def folds(pack, mean):
    return Folds(pack, mean)


def _worst(folds, mean, table):
    """Largest share of folded triangles, and the folded ones on lips and lids that are more than slivers."""
    found = folds(table)
    a, b, c = (mean.neutral[folds.faces[:, i]] for i in range(3))
    # In the mouth's inner corners lie slivers a tenth of a millimetre wide; some turn over. They count in the share only.
    large = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2 > 0.02
    return found.mean(0).max(), int((found & (folds.soft & large)[:, None]).sum())


def test_the_measure_sees_folds(folds, mean):
    torn = weights_of(mouthPucker=2.5)[None]  # the mouth's corners pass each other
    assert _worst(folds, mean, torn)[1] > 0


def test_the_quick_sum_is_the_rigs_own(folds, mean):
    table = plausible(3)
    for weights, points in zip(table, folds.positions(table).transpose(2, 0, 1), strict=True):
        np.testing.assert_allclose(points, posed_vertices(mean, weights)[: len(points)], atol=2e-3)


def test_no_shape_and_no_key_expression_folds_the_skin(folds, mean):
    """ARKit's mouthClose closes the lips over the opened jaw; alone it is no expression, so it is tried with jawOpen."""
    singles = np.eye(51, dtype=np.float32)
    singles[INDEX["mouthClose"], INDEX["jawOpen"]] = 1.0
    table = np.concatenate([singles, singles / 2, expressions.key_weights()])
    share, soft = _worst(folds, mean, table)
    assert share < 1e-3
    assert soft == 0


def test_plausible_combinations_do_not_fold_the_skin(folds, mean):
    share, soft = _worst(folds, mean, plausible(1000))
    assert share < 1e-3
    assert soft == 0
