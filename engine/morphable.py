"""The bilinear model on a few vertices: the products that the fit needs.

Source: bilinear face model of FaceWarehouse (Cao et al., TVCG 2014), with a mean beside the identity modes.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import DoubleArray, FloatArray, check


def person_shapes(mean: FloatArray, core: FloatArray, identity: DoubleArray) -> DoubleArray:
    """Expression basis of one person on n vertices.

    Args:
        mean: (n, 3, E) float32 mm: [..., 0] neutral, [..., 1:] shape minus neutral, of the mean person.
        core: (n, 3, E, I) float32 mm per unit of identity.
        identity: (I,) coefficients.

    Returns:
        (n, 3, E) float64 mm; positions are this @ expression.

    Raises:
        ValueError: shapes do not fit.
    """
    n, _, E, modes = check("core", core, (None, 3, None, None)).shape
    check("mean", mean, (n, 3, E))
    if identity.shape != (modes,):
        raise ValueError(f"identity: expected ({modes},), got {identity.shape}")
    return np.asarray(mean + core @ identity.astype(np.float32), np.float64)


def identity_basis(mean: FloatArray, core: FloatArray, expression: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Position of the mean person (n, 3) and its derivative by identity (n, 3, I) at one expression, float64 mm.

    Args:
        mean: (n, 3, E) float32, as for ``person_shapes``.
        core: (n, 3, E, I) float32, likewise.
        expression: (E,) with [0] = 1.
    """
    weights = expression.astype(np.float32)
    active = np.flatnonzero(weights)  # most shapes rest: skip their slices of the core
    base = mean[:, :, active] @ weights[active]
    basis = np.einsum("ncei,e->nci", core[:, :, active], weights[active], optimize=True)
    return np.asarray(base, np.float64), np.asarray(basis, np.float64)
