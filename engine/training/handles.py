"""Spreading of prescribed motions over the cage: the smoothest surface deformation through the handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import DoubleArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import SuperLU


def cotangent_laplacian(vertices: DoubleArray, faces: IntArray) -> tuple[csr_matrix, DoubleArray]:
    """Cotangent stiffness (V, V) and lumped vertex areas (V,).

    Source: Pinkall & Polthier, 'Computing discrete minimal surfaces' (1993).
    """
    from scipy.sparse import csr_matrix, diags

    V = len(vertices)
    rows, columns, weights = [], [], []
    area = np.zeros(V)
    for i in range(3):
        a, b, c = faces[:, i], faces[:, (i + 1) % 3], faces[:, (i + 2) % 3]
        u, v = vertices[b] - vertices[a], vertices[c] - vertices[a]
        double_area = np.linalg.norm(np.cross(u, v), axis=1)
        cotangent = np.clip((u * v).sum(1) / np.maximum(double_area, 1e-9), 0.02, 20.0)  # slivers must not dominate
        rows += [b, c]
        columns += [c, b]
        weights += [cotangent / 2, cotangent / 2]
        np.add.at(area, a, double_area / 6)
    off = csr_matrix((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(V, V))
    return (diags(np.asarray(off.sum(1)).ravel()) - off).tocsr(), area


class Spreader:
    """Biharmonic interpolation over one surface: handles move as told, the rest follows as smoothly as it can.

    Source: Botsch & Kobbelt, 'An intuitive framework for real-time freeform modeling' (2004).
    """

    def __init__(self, vertices: DoubleArray, faces: IntArray) -> None:
        from scipy.sparse import diags

        laplacian, area = cotangent_laplacian(vertices, faces)
        self._energy = (laplacian @ diags(1.0 / area) @ laplacian).tocsc()
        self._solvers: dict[tuple[int, ...], tuple[IntArray, SuperLU]] = {}

    def spread(self, handles: dict[int, DoubleArray], fixed: set[int]) -> DoubleArray:
        """Displacements (V, 3) or values (V, 1): ``handles`` as given, ``fixed`` still, the rest in between."""
        held = tuple(sorted(set(handles) | fixed))
        field = np.zeros((self._energy.shape[0], len(next(iter(handles.values())))))
        for point, value in handles.items():
            field[point] = value
        free, solver = self._solver(held)
        field[free] = solver.solve(-(self._energy @ field)[free])
        return field

    def _solver(self, held: tuple[int, ...]) -> tuple[IntArray, SuperLU]:
        """The points that are not held, and the factors of their equations."""
        from scipy.sparse.linalg import splu

        if held not in self._solvers:
            free = np.setdiff1d(np.arange(self._energy.shape[0]), held).astype(np.int32)
            self._solvers[held] = free, splu(self._energy[free][:, free])
        return self._solvers[held]
