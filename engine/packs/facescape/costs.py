"""The costs of the original fit at a few vertices, with exact derivatives.

Both are sums of squared reprojection distances in mm (px over the view's scale) and a prior: Gaussian on the identity,
a Gaussian mixture on the 51 expression weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import DoubleArray
from engine.packs.facescape.data import FaceScapeData


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Weak perspective with y up, as the original has it: p = scale (turn v)_xy + shift. float64, for the solver."""

    turn: DoubleArray
    """(3, 3) rotation matrix."""
    scale: float
    """px per mm."""
    shift: DoubleArray
    """(2,) px."""

    def project(self, positions: DoubleArray) -> DoubleArray:
        """Picture px (n, 2), y up, of model points (n, 3) mm."""
        return np.asarray(self.scale * (positions @ self.turn[:2].T) + self.shift)


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A mixture of K Gaussians over J numbers, by the Cholesky factors of the precisions."""

    means: DoubleArray
    """(K, J)."""
    factors: DoubleArray
    """(K, J, J): precision k is factors[k] @ factors[k].T."""
    precisions: DoubleArray
    """(K, J, J)."""
    offsets: DoubleArray
    """(K,): log density of component k at its mean, with the logarithm of its weight."""

    @classmethod
    def of(cls, weights: DoubleArray, means: DoubleArray, factors: DoubleArray) -> Mixture:
        """From weights (K,), means (K, J) and lower Cholesky factors (K, J, J) as scikit-learn stores them."""
        log_det = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)
        with np.errstate(divide="ignore"):  # a component of weight 0 is never chosen
            offsets = np.log(weights) + log_det - 0.5 * means.shape[1] * np.log(2.0 * np.pi)
        return cls(means, factors, factors @ factors.transpose(0, 2, 1), offsets)

    def log_density(self, x: DoubleArray) -> tuple[float, DoubleArray]:
        """Logarithm of the density at ``x`` (J,), and its gradient (J,)."""
        away = x - self.means
        whitened = np.einsum("kj,kji->ki", away, self.factors)
        logs = self.offsets - 0.5 * (whitened**2).sum(1)
        top = logs.max()
        shares = np.exp(logs - top)
        total = shares.sum()
        gradient = -np.einsum("kji,ki,k->j", self.factors, whitened, shares / total)
        return float(top + np.log(total)), gradient

    def bound(self, x: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """Q (J, J) and b (J,) of y' Q y / 2 - b' y, which touches -log density at ``x`` and lies above it elsewhere.

        Source: the expectation step of EM (Dempster, Laird & Rubin, 1977).
        """
        whitened = np.einsum("kj,kji->ki", x - self.means, self.factors)
        logs = self.offsets - 0.5 * (whitened**2).sum(1)
        shares = np.exp(logs - logs.max())
        shares /= shares.sum()
        used = np.flatnonzero(shares > 1e-12)
        precision = np.einsum("k,kij->ij", shares[used], self.precisions[used])
        return precision, np.einsum("k,kij,kj->i", shares[used], self.precisions[used], self.means[used])


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """What the fit believes about a face before it has seen one."""

    id_mean: DoubleArray
    """(I,)."""
    id_var: DoubleArray
    """(I,)."""
    mixture: Mixture

    @classmethod
    def of(cls, data: FaceScapeData) -> Priors:
        """Those of an imported pack."""
        mixture = Mixture.of(data.gmm_weights, data.gmm_means, data.gmm_precisions_cholesky)
        return cls(data.id_mean, data.id_var, mixture)


def person_rows(rows: DoubleArray, identity: DoubleArray) -> DoubleArray:
    """One person's expression basis (n, 3, E), mm.

    Args:
        rows: (n, 3, E, I) float64; [:, :, 0] neutral, [:, :, 1:] shape minus neutral.
        identity: (I,).
    """
    return np.asarray(rows @ identity)


def identity_rows(rows: DoubleArray, expression: DoubleArray) -> DoubleArray:
    """Derivative (n, 3, I) of the positions by the identity at one expression (E,), mm; rows as ``person_rows``."""
    return np.asarray(expression @ rows)


def identity_cost(
    rows: DoubleArray,
    view: View,
    identity: DoubleArray,
    expression: DoubleArray,
    targets: DoubleArray,
    priors: Priors,
) -> tuple[float, DoubleArray]:
    """|projected - targets|^2 / scale^2 + sum (identity - mean)^2 / variance, and its gradient by the identity (I,).

    Args:
        rows: (n, 3, E, I) float64 mm, as ``person_rows``.
        view: the camera.
        identity: (I,).
        expression: (E,) with [0] = 1.
        targets: (n, 2) px, y up.
        priors: the pack's.
    """
    basis = identity_rows(rows, expression)
    residual = (view.project(basis @ identity) - targets) / view.scale
    away = (identity - priors.id_mean) / priors.id_var
    gradient = 2.0 * np.einsum("nk,kc,nci->i", residual, view.turn[:2], basis, optimize=True) + 2.0 * away
    return float((residual**2).sum() + away @ (identity - priors.id_mean)), gradient


def expression_cost(
    rows: DoubleArray,
    view: View,
    identity: DoubleArray,
    expression: DoubleArray,
    targets: DoubleArray,
    priors: Priors,
) -> tuple[float, DoubleArray]:
    """|projected - targets|^2 / scale^2 - log mixture density, and its gradient by the weights (J,).

    The arguments are those of ``identity_cost``.
    """
    shapes = person_rows(rows, identity)
    residual = (view.project(shapes @ expression) - targets) / view.scale
    log_density, slope = priors.mixture.log_density(expression[1:])
    gradient = 2.0 * np.einsum("nk,kc,nce->e", residual, view.turn[:2], shapes[:, :, 1:], optimize=True) - slope
    return float((residual**2).sum() - log_density), gradient


def rigid_residuals(view: View, positions: DoubleArray, targets: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Projected minus targets, point by point x then y, (2n,) px, and the Jacobian (2n, 6).

    Columns: a small turn (3,) rad after ``view.turn``, the scale, the shift (2,).

    Args:
        view: the camera.
        positions: (n, 3) mm.
        targets: (n, 2) px, y up.
    """
    s, turned = view.scale, positions @ view.turn.T
    jacobian = np.zeros((len(positions), 2, 6))
    jacobian[:, 0, 1], jacobian[:, 0, 2] = s * turned[:, 2], -s * turned[:, 1]
    jacobian[:, 1, 0], jacobian[:, 1, 2] = -s * turned[:, 2], s * turned[:, 0]
    jacobian[:, :, 3] = turned[:, :2]
    jacobian[:, 0, 4] = jacobian[:, 1, 5] = 1.0
    residual = s * turned[:, :2] + view.shift - targets
    return residual.ravel(), jacobian.reshape(-1, 6)
