"""UV coordinates of the skin: one symmetric chart with little stretch and no flipped triangle.

Source: symmetric Dirichlet energy, Smith & Schaefer, 'Bijective parameterization with free boundaries' (2015), started from a
harmonic map, Tutte (1963).
"""

from __future__ import annotations

import numpy as np

from engine.arrays import DoubleArray, IntArray


def _frames(vertices: DoubleArray, faces: IntArray) -> tuple[DoubleArray, DoubleArray]:
    """Inverse rest edges (F, 2, 2) of each triangle laid flat, and areas (F,)."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    e1, e2 = b - a, c - a
    length = np.linalg.norm(e1, axis=1)
    x2 = (e1 * e2).sum(1) / length
    y2 = np.linalg.norm(np.cross(e1, e2), axis=1) / length
    rest = np.zeros((len(faces), 2, 2))
    rest[:, 0, 0], rest[:, 0, 1], rest[:, 1, 1] = length, x2, y2
    return np.asarray(np.linalg.inv(rest)), np.asarray(length * y2 / 2)


def _with_fans(vertices: DoubleArray, faces: IntArray, holes: tuple[IntArray, ...]) -> tuple[DoubleArray, IntArray]:
    """The surface with each hole closed by a fan about its middle, so that its rims cannot cross in the chart."""
    V = len(vertices)
    middles = [vertices[loop].mean(0) for loop in holes]
    fans = [np.stack([np.roll(loop, -1), loop, np.full(len(loop), V + k)], -1) for k, loop in enumerate(holes)]
    return np.concatenate([vertices, middles]), np.concatenate([faces, *fans]).astype(np.int32)


def _harmonic_start(vertices: DoubleArray, faces: IntArray, outline: IntArray) -> DoubleArray:
    """Tutte's embedding of a disc with the outline on an ellipse: never a flipped triangle."""
    n = len(vertices)
    weights = np.zeros((n, n))
    for i in range(3):
        weights[faces[:, i], faces[:, (i + 1) % 3]] = weights[faces[:, (i + 1) % 3], faces[:, i]] = 1.0
    system = np.diag(weights.sum(1)) - weights
    rim = vertices[outline]
    angle = np.arctan2(rim[:, 1] - vertices[:, 1].mean(), rim[:, 0])
    even = np.empty(len(outline))
    even[np.argsort(angle)] = np.linspace(-np.pi, np.pi, len(outline), endpoint=False)
    even = 0.5 * even + 0.5 * angle
    free = np.setdiff1d(np.arange(n), outline)
    uv = np.zeros((n, 2))
    uv[outline] = np.stack([110 * np.cos(even), 105 * np.sin(even)], -1)
    uv[free] = np.linalg.solve(system[np.ix_(free, free)], -system[np.ix_(free, outline)] @ uv[outline])
    return uv


# The sides of the head, which a photo shows worst, get less of the chart: scale by how far the surface looks forwards.
_SIDE_SCALE = 0.6
_FAN_WEIGHT = 0.2


def _rest(vertices: DoubleArray, faces: IntArray, skin_faces: int) -> tuple[DoubleArray, DoubleArray]:
    """Inverse rest edges and weights of the energy, with the sides scaled down."""
    inverse, area = _frames(vertices, faces)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    reach = np.clip(np.abs((a + b + c)[:, 0] / 3) / np.abs(vertices[:, 0]).max(), 0, 1)
    scale = 1.0 - (1.0 - _SIDE_SCALE) * reach**2
    weight = area * np.where(np.arange(len(faces)) < skin_faces, 1.0, _FAN_WEIGHT)
    return inverse / scale[:, None, None], weight / weight.sum()


def unfold(vertices: DoubleArray, faces: IntArray, loops: tuple[IntArray, ...], mirror: IntArray) -> DoubleArray:
    """Flat positions (V, 2) mm with x = 0 on the mid-line.

    Args:
        vertices: (V, 3) mm with mouth and eyes open, so that their holes have an area.
        faces: (F, 3) int32.
        loops: border loops, the outline first, then mouth, right and left eye.
        mirror: (V,) partner of each vertex.

    Raises:
        ValueError: a triangle flipped.
    """
    from scipy.optimize import minimize

    outline, *holes = loops
    V, skin_faces = len(vertices), len(faces)
    whole, triangles = _with_fans(vertices, faces, tuple(holes))
    partner = np.concatenate([mirror, V + np.array([0, 2, 1])])  # the mouth's middle is its own partner
    inverse, weight = _rest(whole, triangles, skin_faces)
    start = _harmonic_start(whole, triangles, outline)
    start = (start + (start * (-1, 1))[partner]) / 2

    def energy(flat: DoubleArray) -> tuple[float, DoubleArray]:
        uv = flat.reshape(-1, 2)
        a, b, c = (uv[triangles[:, i]] for i in range(3))
        jacobian = np.stack([b - a, c - a], -1) @ inverse  # (F, 2, 2)
        det = np.linalg.det(jacobian)
        if det.min() <= 1e-4:
            return 1e12, np.zeros_like(flat)
        squared = (jacobian**2).sum((1, 2))
        value = (weight * squared * (1 + det**-2)).sum()
        cofactor = np.empty_like(jacobian)
        cofactor[:, 0, 0], cofactor[:, 0, 1] = jacobian[:, 1, 1], -jacobian[:, 1, 0]
        cofactor[:, 1, 0], cofactor[:, 1, 1] = -jacobian[:, 0, 1], jacobian[:, 0, 0]
        slope = 2 * jacobian * (1 + det**-2)[:, None, None] - 2 * (squared * det**-3)[:, None, None] * cofactor
        edge = weight[:, None, None] * slope @ inverse.transpose(0, 2, 1)
        gradient = np.zeros_like(uv)
        np.add.at(gradient, triangles[:, 1], edge[:, :, 0])
        np.add.at(gradient, triangles[:, 2], edge[:, :, 1])
        np.add.at(gradient, triangles[:, 0], -edge.sum(2))
        gradient = (gradient + (gradient * (-1, 1))[partner]) / 2
        return float(value), gradient.ravel()

    found = minimize(energy, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 4000, "maxcor": 30})
    uv = np.asarray(found.x).reshape(-1, 2)
    uv = (uv + (uv * (-1, 1))[partner]) / 2
    a, b, c = (uv[triangles[:, i]] for i in range(3))
    if (np.linalg.det(np.stack([b - a, c - a], -1)) <= 0).any():
        raise ValueError("The chart has a flipped triangle.")
    return np.asarray(uv[:V])


def stretch(vertices: DoubleArray, faces: IntArray, uv: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Largest and smallest singular value (F,) of the map from the surface to the chart, per triangle."""
    inverse, _ = _frames(vertices, faces)
    a, b, c = (uv[faces[:, i]] for i in range(3))
    values = np.linalg.svd(np.stack([b - a, c - a], -1) @ inverse, compute_uv=False)
    return np.asarray(values[:, 0]), np.asarray(values[:, 1])
