"""Taking bumps out of the average face that no face has: the least bent surface near given points."""

from __future__ import annotations

import numpy as np

from engine.arrays import DoubleArray, IntArray
from engine.training import anthropometry
from engine.training.cage import Cage
from engine.training.handles import cotangent_laplacian
from engine.training.loop import loop_matrix
from engine.training.regions import EYES, LIPS, LOWER_RINGS, UPPER_RINGS

_BENDING = 4.0  # mm squared per bending unit (curvature squared times area): more smooths more
_ROUNDS = 2
_LEAST_AREA_MM2 = 1.0
# How far a point may leave its place along the normal, mm (one SD): what carries the likeness of a face hardly moves.
_FREE, _OUTLINE, _MEASURED, _PROFILE, _BRIDGE, _NOSE, _LIP_EDGE, _HELD = 1.5, 0.6, 0.6, 0.45, 0.5, 0.04, 0.4, 0.02
# Where the nostril's rim meets the wing the network's points lie in a pinch that no nose has.
_WING, _WING_POINTS = 1.0, (59, 60, 75, 98, 166, 219, 235, 240)
# The groove above the chin runs across it in one piece; the chin below keeps its breadth.
_GROOVE = {18: 0.9, 83: 0.9, 182: 0.9, 200: 1.5, 201: 3.0, 194: 3.0, 199: 0.2, 208: 0.2, 171: 0.2, 32: 0.2}


def _leeway(face: DoubleArray, cage: Cage) -> DoubleArray:
    """(468,) mm."""
    leeway = np.full(len(face), _FREE)
    leeway[cage.loops[0]] = _OUTLINE
    leeway[anthropometry.anchors(cage.mirror)[0]] = _MEASURED
    x, y, _ = face.T
    leeway[np.abs(x) < 1.0] = np.minimum(leeway[np.abs(x) < 1.0], _PROFILE)
    for point, free in _GROOVE.items():
        leeway[[point, cage.mirror[point]]] = free
    bridge = (np.abs(x) < 16.0) & (y > 10.0) & (y < 56.0)
    leeway[bridge] = np.minimum(leeway[bridge], _BRIDGE)
    nose = np.linalg.norm((face - (0.0, 10.0, 6.0)) / (21.0, 20.0, 22.0), axis=1) < 1.0
    leeway[nose & ((np.abs(x) < 9.0) | (y < 14.0))] = _NOSE
    leeway[[*_WING_POINTS, *cage.mirror[list(_WING_POINTS)]]] = _WING
    leeway[list(LIPS | EYES)] = _HELD
    leeway[[*UPPER_RINGS[0][1:-1], *LOWER_RINGS[0][1:-1]]] = _LIP_EDGE
    return leeway


def _normals(vertices: DoubleArray, faces: IntArray) -> DoubleArray:
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(total, faces[:, i], across)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True))


def faired(face: DoubleArray, cage: Cage) -> DoubleArray:
    """The face (468, 3) mm moved along its normals until its subdivided surface bends least; exactly symmetric.

    Source: thin-plate energy by the cotangent Laplacian, Botsch & Kobbelt (2004).
    """
    from scipy.sparse import diags

    once, faces = loop_matrix(cage.faces, len(face), 1)
    through = np.asarray(once @ np.linalg.inv(once[: len(face)].toarray()))  # surface that passes through the points
    bent, weight = face.copy(), 1.0 / _leeway(face, cage) ** 2
    for _ in range(_ROUNDS):
        surface = through @ bent
        normals = _normals(surface, faces)[: len(face)]
        laplacian, area = cotangent_laplacian(surface, faces)
        bending = diags(1.0 / np.sqrt(np.maximum(area, _LEAST_AREA_MM2))) @ laplacian @ through
        columns = np.concatenate([bending * normals[:, c] for c in range(3)])
        present = np.concatenate([bending @ bent[:, c] for c in range(3)])
        moved = ((bent - face) * normals).sum(1)
        step = np.linalg.solve(
            _BENDING * columns.T @ columns + np.diag(weight), -_BENDING * columns.T @ present - weight * moved
        )
        bent = bent + step[:, None] * normals
        bent = (bent + (bent * (-1, 1, 1))[cage.mirror]) / 2
    for point, place in anthropometry.touching_lips(bent).items():  # as before
        bent[point] = place
    return np.asarray(bent)
