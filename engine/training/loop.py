"""Loop subdivision of a triangle mesh with borders, as one sparse matrix.

Source: Loop, 'Smooth subdivision surfaces based on triangles' (1987), with Warren's weights; cubic B-spline rule on borders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_WARREN_REGULAR, _WARREN_OTHER = 3.0 / 16.0, 3.0 / 8.0


def _edges(faces: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Unique edges (n, 2), edge of each face side (F, 3), the far corners of each edge (n, 2), faces per edge (n,)."""
    sides = np.stack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]], 1).reshape(-1, 2)
    edges, of_side = np.unique(np.sort(sides, 1), axis=0, return_inverse=True)
    of_side = of_side.reshape(-1)
    opposite = faces[:, [2, 0, 1]].reshape(-1)
    order = np.argsort(of_side, kind="stable")
    count = np.bincount(of_side, minlength=len(edges))
    if count.max() > 2:
        raise ValueError("An edge has more than two faces.")
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    far = np.full((len(edges), 2), -1, np.int64)
    far[:, 0] = opposite[order[start]]
    far[count == 2, 1] = opposite[order[start[count == 2] + 1]]
    return edges.astype(np.int32), of_side.reshape(-1, 3).astype(np.int32), far.astype(np.int32), count.astype(np.int32)


def loop_once(faces: IntArray, vertex_count: int) -> tuple[csr_matrix, IntArray]:
    """One Loop step: matrix (V', V) with rows that sum to 1, and the new faces (4 F, 3). Old vertices keep their index."""
    from scipy.sparse import csr_matrix

    edges, of_side, far, count = _edges(faces)
    V, n = vertex_count, len(edges)
    inner = count == 2
    rows, columns, weights = [], [], []

    def put(row: np.ndarray, column: np.ndarray, weight: np.ndarray | float) -> None:
        rows.append(row)
        columns.append(column)
        weights.append(np.broadcast_to(weight, row.shape).astype(np.float64))

    edge_row = V + np.arange(n)
    for end in (0, 1):
        put(edge_row, edges[:, end], np.where(inner, 3 / 8, 1 / 2))
        put(edge_row[inner], far[inner, end], 1 / 8)

    on_border = np.zeros(V, bool)
    on_border[edges[~inner]] = True
    valence = np.bincount(edges.reshape(-1), minlength=V)
    beta = np.where(valence == 3, _WARREN_REGULAR, _WARREN_OTHER / np.maximum(valence, 1))
    put(np.arange(V), np.arange(V), np.where(on_border, 3 / 4, 1 - valence * beta))
    for a, b in ((0, 1), (1, 0)):
        here, there = edges[:, a], edges[:, b]
        smooth = ~on_border[here]
        put(here[smooth], there[smooth], beta[here[smooth]])
        along = on_border[here] & ~inner
        put(here[along], there[along], 1 / 8)
    matrix = csr_matrix((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(V + n, V))
    m0, m1, m2 = (V + of_side).T
    a, b, c = faces.T
    new_faces = np.stack([np.stack(t, -1) for t in ((a, m0, m2), (m0, b, m1), (m2, m1, c), (m0, m1, m2))], 1)
    return matrix, new_faces.reshape(-1, 3).astype(np.int32)


def loop_matrix(faces: IntArray, vertex_count: int, times: int) -> tuple[csr_matrix, IntArray]:
    """``times`` Loop steps as one matrix (V', V) and the faces (4^times F, 3)."""
    from scipy.sparse import identity

    total = identity(vertex_count, format="csr")
    for _ in range(times):
        step, faces = loop_once(faces, total.shape[0])
        total = step @ total
    return total.tocsr(), faces
