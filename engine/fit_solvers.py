"""Small exact solvers of the fit: weak perspective pose, and quadratics in a box."""

from __future__ import annotations

import numpy as np

from engine.arrays import DoubleArray, FloatArray
from engine.camera import rotation_matrix, rotation_vector
from engine.types import WeakPerspective

_POSE_STEPS = 8
_SWEEPS = 400
_STILL = 1e-9


def aligned_camera(positions: DoubleArray, targets: FloatArray, weights: DoubleArray) -> WeakPerspective:
    """Weak perspective pose without a first guess, from an affine fit made orthonormal.

    Args:
        positions: (n, 3) mm, not all in one plane.
        targets: (n, 2) px, y down.
        weights: (n,) at least 0.

    Source: scaled orthography of POSIT, DeMenthon & Davis (1995), as one linear least-squares problem.
    """
    share = weights / weights.sum()
    p0, q0 = share @ positions, share @ targets
    p, q = positions - p0, (targets - q0) * (1.0, -1.0)  # y up
    root = np.sqrt(share)[:, None]
    affine = np.linalg.lstsq(root * p, root * q, rcond=None)[0].T  # (2, 3)
    u, stretch, vt = np.linalg.svd(affine, full_matrices=False)
    first_two = u @ vt
    turn = np.vstack([first_two, np.cross(first_two[0], first_two[1])])
    scale = float(stretch.mean())
    camera_shift = q0 - scale * (turn[:2] @ p0) * (1.0, -1.0)
    return WeakPerspective(rotation_vector(turn).astype(np.float32), scale, camera_shift.astype(np.float32))


def gauss_newton_pose(
    camera: WeakPerspective, positions: DoubleArray, targets: FloatArray, weights: DoubleArray
) -> WeakPerspective:
    """The camera that minimises the weighted squared reprojection distance, from a near start; (n, 3) mm, (n, 2) px."""
    turn = rotation_matrix(camera.rotation)
    s, shift = camera.scale_px_per_mm, camera.translation_px.astype(np.float64)
    root = np.sqrt(weights)[:, None]
    for _ in range(_POSE_STEPS):
        v = positions @ turn.T
        residual = targets - np.stack([s * v[:, 0] + shift[0], shift[1] - s * v[:, 1]], -1)
        zero, one = np.zeros(len(v)), np.ones(len(v))
        rows_x = np.stack([zero, s * v[:, 2], -s * v[:, 1], v[:, 0], one, zero], -1)
        rows_y = np.stack([s * v[:, 2], zero, -s * v[:, 0], -v[:, 1], zero, one], -1)
        jacobian = np.stack([rows_x, rows_y], 1) * root[..., None]
        step = np.linalg.lstsq(jacobian.reshape(-1, 6), (root * residual).ravel(), rcond=None)[0]
        turn = rotation_matrix(step[:3]) @ turn
        s, shift = s + float(step[3]), shift + step[4:]
        if np.abs(step[:3]).max() < _STILL:
            break
    return WeakPerspective(rotation_vector(turn).astype(np.float32), s, shift.astype(np.float32))


def shifted_and_scaled(
    camera: WeakPerspective, positions: DoubleArray, targets: FloatArray, weights: DoubleArray
) -> WeakPerspective:
    """The camera with its rotation kept and the best scale and shift, weighted least squares; (n, 3) mm, (n, 2) px."""
    flat = (positions @ rotation_matrix(camera.rotation).T)[:, :2] * (1.0, -1.0)
    share = weights / weights.sum()
    p0, q0 = share @ flat, share @ targets
    p, q = flat - p0, targets - q0
    scale = float((share @ (p * q).sum(1)) / (share @ (p * p).sum(1)))
    return WeakPerspective(camera.rotation.copy(), scale, (q0 - scale * p0).astype(np.float32))


def bounded_quadratic(
    normal: DoubleArray, right: DoubleArray, start: DoubleArray, low: DoubleArray, high: DoubleArray
) -> DoubleArray:
    """Minimiser of x' A x / 2 - b' x in a box, A symmetric positive definite.

    Projected Newton on the free variables, with coordinate descent to find which bounds hold: exact to rounding for the
    sizes here (at most about 110 unknowns).
    """
    x = np.clip(start, low, high)
    diagonal = np.diag(normal).copy()
    gradient = normal @ x - right
    for _ in range(_SWEEPS):
        free = ~(((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0)))
        step = np.zeros_like(x)
        if free.any():
            step[free] = np.linalg.solve(normal[np.ix_(free, free)], -gradient[free])
        moved = np.clip(x + step, low, high)
        if _value(normal, right, moved) > _value(normal, right, x) or (moved == x).all():
            moved = x.copy()
        for i in range(len(x)):  # one sweep repairs what clipping spoilt and cannot raise the value
            slope = normal[i] @ moved - right[i]
            moved[i] = min(max(moved[i] - slope / diagonal[i], low[i]), high[i])
        done = np.abs(moved - x).max() < _STILL * (1.0 + np.abs(x).max())
        x = moved
        gradient = normal @ x - right
        if done:
            break
    return x


def _value(normal: DoubleArray, right: DoubleArray, x: DoubleArray) -> float:
    return float(0.5 * x @ normal @ x - right @ x)
