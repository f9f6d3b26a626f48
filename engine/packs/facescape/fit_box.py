"""Convex quadratics in a box, solved exactly however stiff they are."""

from __future__ import annotations

import numpy as np

from engine.arrays import BoolArray, DoubleArray

_STILL = 1e-9
_STEPS_PER_UNKNOWN = 6


def box_quadratic(
    normal: DoubleArray, right: DoubleArray, start: DoubleArray, low: DoubleArray, high: DoubleArray
) -> DoubleArray:
    """Minimiser (n,) of x' A x / 2 - b' x between ``low`` and ``high``.

    Args:
        normal: A, (n, n) symmetric positive definite.
        right: b, (n,).
        start: (n,) where the search begins; near the answer it takes few steps.
        low: (n,), may be -inf.
        high: (n,), may be inf.

    Source:
        Primal active sets, as BVLS (Stark & Parker, 1995): go to the minimum over the free unknowns, stop where one
        meets its bound and fix it there; at the minimum free the one that would gain most.
    """
    x = np.clip(start, low, high)
    slope = normal @ x - right
    free = ~(((x <= low) & (slope > 0)) | ((x >= high) & (slope < 0)))
    enough = _STILL * (1.0 + np.abs(right).max())
    for _ in range(_STEPS_PER_UNKNOWN * len(x)):
        step = np.zeros_like(x)
        inner = np.flatnonzero(free)
        if len(inner):
            step[inner] = np.linalg.solve(normal[np.ix_(inner, inner)], -slope[inner])
        share = _shares_to_bound(x, step, low, high)
        reach = float(share.min())
        if reach < 1.0:
            hit = free & (share <= reach)
            x = np.clip(x + reach * step, low, high)
            x[hit] = np.where(step[hit] < 0, low[hit], high[hit])
            free &= ~hit
            slope = normal @ x - right
            continue
        x = x + step
        slope = normal @ x - right
        gain = _gain_of_freeing(x, slope, free, low, high)
        best = int(gain.argmax())
        if gain[best] <= enough:
            break
        free[best] = True
    return x


def _shares_to_bound(x: DoubleArray, step: DoubleArray, low: DoubleArray, high: DoubleArray) -> DoubleArray:
    """How much of the step each unknown can make; infinite where it makes none."""
    share = np.full(len(x), np.inf)
    down, up = step < 0, step > 0
    share[down] = (low[down] - x[down]) / step[down]
    share[up] = (high[up] - x[up]) / step[up]
    return share


def _gain_of_freeing(
    x: DoubleArray, slope: DoubleArray, free: BoolArray, low: DoubleArray, high: DoubleArray
) -> DoubleArray:
    """Slope inwards of each unknown that is fixed at a bound."""
    gain = np.where(x <= low, -slope, np.where(x >= high, slope, 0.0))
    gain[free] = 0.0
    return np.asarray(gain)
