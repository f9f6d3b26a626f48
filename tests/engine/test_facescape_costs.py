"""The costs of the FaceScape fit: equal to the original's recordings, gradients equal to finite differences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.camera import rotation_matrix
from engine.packs.facescape.costs import (
    Mixture,
    Priors,
    View,
    expression_cost,
    identity_cost,
    rigid_residuals,
)

FACESCAPE = Path(__file__).parents[3] / "shared" / "facescape"
needs_recordings = pytest.mark.skipif(not FACESCAPE.is_dir(), reason="the recordings of the original are not here")


def _mixture(rng, K=3, J=51):
    factors = np.tril(rng.normal(0, 0.4, (K, J, J))) + 6.0 * np.eye(J)
    return Mixture.of(np.array([0.2, 0.5, 0.3][:K]), rng.uniform(0, 0.6, (K, J)), factors)


def _problem(seed=0, n=20, modes=7):
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1, (n, 3, 52, modes))
    priors = Priors(rng.normal(size=modes), rng.uniform(0.2, 2.0, modes), _mixture(rng))
    view = View(rotation_matrix(np.array([0.1, -0.3, 0.2])), 1.7, np.array([30.0, -40.0]))
    expression = np.concatenate([[1.0], rng.uniform(0.1, 0.5, 51)])
    return rows, view, rng.normal(size=modes), expression, rng.normal(0, 40, (n, 2)), priors


def _slope(cost, x, step=1e-5):
    """Central differences of a function of one vector."""
    return np.array([(cost(x + step * d) - cost(x - step * d)) / (2 * step) for d in np.eye(len(x))])


@needs_recordings
def test_both_costs_and_the_mixture_equal_the_recorded_ones():
    from engine.packs.facescape.convert_predef import READERS

    arrays = {}
    for name in ("exp_GMM.pkl", "id_mean.pkl", "id_var.pkl"):
        arrays |= READERS[name]((FACESCAPE / "predef" / name).read_bytes())
    mixture = Mixture.of(*(arrays[f"gmm_{part}"] for part in ("weights", "means", "precisions_cholesky")))
    priors = Priors(arrays["id_mean"], arrays["id_var"], mixture)
    with np.load(FACESCAPE / "golden" / "residuals.npz") as golden:
        rows = golden["lm_core"].astype(np.float64).reshape(68, 3, 52, 50)
        view = View(rotation_matrix(golden["rot"]), float(golden["scale"]), golden["trans"])
        identity, expression, targets = golden["id"], golden["exp"], golden["lm"]
        found = identity_cost(rows, view, identity, expression, targets, priors)[0]
        assert found == pytest.approx(float(golden["cost_id"][0]), rel=1e-10)
        found = expression_cost(rows, view, identity, expression, targets, priors)[0]
        assert found == pytest.approx(float(golden["cost_exp"]), rel=1e-10)
        assert mixture.log_density(expression[1:])[0] == pytest.approx(float(golden["gmm_score"][0]), rel=1e-10)
        assert mixture.log_density(np.zeros(51))[0] == pytest.approx(float(golden["gmm_score0"][0]), rel=1e-10)
        residual, _ = rigid_residuals(view, rows @ identity @ expression, targets)
        np.testing.assert_allclose(residual, golden["rigid_res"], atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_equal_finite_differences(seed):
    rows, view, identity, expression, targets, priors = _problem(seed)
    _, gradient = identity_cost(rows, view, identity, expression, targets, priors)
    numeric = _slope(lambda i: identity_cost(rows, view, i, expression, targets, priors)[0], identity)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-4)

    def at(weights):
        return expression_cost(rows, view, identity, np.concatenate([[1.0], weights]), targets, priors)[0]

    _, gradient = expression_cost(rows, view, identity, expression, targets, priors)
    np.testing.assert_allclose(gradient, _slope(at, expression[1:]), rtol=1e-6, atol=1e-4)


def test_rigid_jacobian_equals_finite_differences():
    rows, view, identity, expression, targets, _ = _problem()
    positions = rows @ identity @ expression

    def at(step):
        turned = View(rotation_matrix(step[:3]) @ view.turn, view.scale + step[3], view.shift + step[4:])
        return rigid_residuals(turned, positions, targets)[0]

    _, jacobian = rigid_residuals(view, positions, targets)
    numeric = np.stack([(at(1e-5 * d) - at(-1e-5 * d)) / 2e-5 for d in np.eye(6)], 1)
    np.testing.assert_allclose(jacobian, numeric, rtol=1e-6, atol=1e-5)


def test_log_density_equals_scipys():
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    mixture = _mixture(np.random.default_rng(2), J=6)
    x = np.linspace(0, 0.5, 6)
    covariances = np.linalg.inv(mixture.precisions)
    logs = [
        multivariate_normal.logpdf(x, mean, covariance)
        for mean, covariance in zip(mixture.means, covariances, strict=True)
    ]
    assert mixture.log_density(x)[0] == pytest.approx(logsumexp(np.log([0.2, 0.5, 0.3]) + logs), rel=1e-10)


def test_bound_touches_the_density_and_lies_above_it():
    rng = np.random.default_rng(3)
    mixture = _mixture(rng)
    x = mixture.means[1] + rng.normal(0, 0.05, 51)
    precision, pull = mixture.bound(x)
    value, gradient = mixture.log_density(x)
    np.testing.assert_allclose(precision @ x - pull, -gradient, rtol=1e-8, atol=1e-8)
    offset = -value - (0.5 * x @ precision @ x - pull @ x)
    for y in x + rng.normal(0, 0.3, (50, 51)):
        assert 0.5 * y @ precision @ y - pull @ y + offset >= -mixture.log_density(y)[0] - 1e-6


def test_component_without_weight_counts_for_nothing():
    mixture = _mixture(np.random.default_rng(4))
    alone = Mixture.of(np.array([0.0, 1.0, 0.0]), mixture.means, mixture.factors)
    value, gradient = alone.log_density(mixture.means[0])  # here the missing component would be the strongest
    single = replace(
        alone, means=mixture.means[1:2], factors=mixture.factors[1:2], precisions=mixture.precisions[1:2],
        offsets=alone.offsets[1:2],
    )  # fmt: skip
    assert value == pytest.approx(single.log_density(mixture.means[0])[0])
    assert np.isfinite(gradient).all()
    assert np.isfinite(alone.bound(mixture.means[0])[0]).all()
