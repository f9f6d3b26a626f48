"""What the tests of the shapes measure with: weights by name, folded triangles, plausible combinations."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from engine import expressions
from engine.training import cage as p
from engine.training.regions import LIPS

INDEX = expressions.SHAPE_INDEX
LIDS = {*p.LID_UPPER_R, *p.LID_LOWER_R, *p.LID_UPPER_L, *p.LID_LOWER_L}
LIDS |= {p.EYE_OUTER_R, p.EYE_INNER_R, p.EYE_OUTER_L, p.EYE_INNER_L}
SEED = 7


def weights_of(**values):
    """(51,) float32; a name without Left or Right stands for both."""
    weights = np.zeros(51, np.float32)
    for name, value in values.items():
        for full in (name,) if name in INDEX else (name + "Left", name + "Right"):
            weights[INDEX[full]] = value
    return weights


class Folds:
    """Finds triangles that are folded over: their normal looks against the mean of their surroundings'.

    Surroundings are the triangles around their corners that look their way (within 60 degrees) on the neutral face: where
    the closed lips face each other, the other lip does not count.
    """

    def __init__(self, pack, basis) -> None:
        self._V, F = pack.topology.skin.vertices[1], pack.topology.skin.faces[1]
        self.faces = pack.topology.faces[:F]
        ones, corner = np.ones(3 * F, np.float32), np.repeat(np.arange(F), 3)
        touching = csr_matrix((ones, (self.faces.ravel(), corner)), shape=(self._V, F))
        beside = (touching.T @ touching).tocoo()
        a, b, c = (basis.neutral[self.faces[:, i]] for i in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.linalg.norm(normals, axis=1)[:, None]
        alike = (normals[beside.row] * normals[beside.col]).sum(1) > 0.5
        rows, columns = beside.row[alike], beside.col[alike]
        self._around = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(F, F))
        fields = [*basis.deltas, *(c.delta for c in basis.correctives)]
        self._fields = np.array([f[: self._V].ravel() for f in fields])
        self._neutral = basis.neutral[: self._V].ravel()
        self._pairs = [c.shapes for c in basis.correctives]
        _, nearest = cKDTree(basis.neutral[:468]).query(basis.neutral[: self._V])
        held = np.isin(nearest, list(LIPS | LIDS))
        self.soft = held[self.faces].any(1)
        """(F,) triangles of lips and lids."""

    def positions(self, weights):
        """(n, 51) -> (V, 3, n): the same sum as ``posed_vertices``, for many at once."""
        first, second = np.array(self._pairs).T
        a, b = weights[:, first], weights[:, second]
        shares = np.where(first == second, 4 * a * (1 - a), a * b)
        moved = np.concatenate([weights, shares], 1) @ self._fields + self._neutral
        return np.ascontiguousarray(moved.T).reshape(self._V, 3, -1)

    def __call__(self, weights):
        """(n, 51) -> (F, n) bool."""
        found = []
        for start in range(0, len(weights), 32):
            points = self.positions(weights[start : start + 32].astype(np.float32))
            a, b, c = (points[self.faces[:, i]] for i in range(3))
            b -= a
            c -= a
            normal = np.empty_like(a)
            for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
                normal[:, i] = b[:, j] * c[:, k] - b[:, k] * c[:, j]
            flat = normal.reshape(len(normal), -1)
            around = (self._around @ flat).reshape(normal.shape)
            found.append((normal * around).sum(1) < 0)
        return np.concatenate(found, 1)


# What no face does at once.
_OPPOSED = (
    ("mouthSmile", "mouthFrown", "mouthPucker", "mouthFunnel", "mouthStretch", "mouthPress", "mouthDimple"),
    ("mouthRollUpper", "mouthUpperUp", "mouthPucker", "mouthFunnel", "mouthShrugUpper", "mouthPress"),
    ("mouthRollLower", "mouthLowerDown", "mouthPucker", "mouthFunnel", "mouthShrugLower", "mouthPress"),
    ("mouthLeft", "mouthRight"),
    ("jawLeft", "jawRight"),
    ("eyeBlink", "eyeWide"),
    ("eyeLookUp", "eyeLookDown"),
    ("eyeLookIn", "eyeLookOut"),
    ("browDown", "browInnerUp"),
    ("browDown", "browOuterUp"),
    ("cheekPuff", "mouthSmile", "mouthFunnel", "mouthUpperUp", "mouthLowerDown"),
)


def plausible(count, seed=SEED):
    """(count, 51) float32: two to five motions of the face at once, some of them one-sided, none against each other."""
    rng = np.random.default_rng(seed)
    stems = sorted({s.name.removesuffix("Left").removesuffix("Right") for s in expressions.SHAPES})
    stems = [s for s in stems if s not in ("mouth", "jaw", "mouthClose")] + [
        "mouthLeft",
        "mouthRight",
        "jawLeft",
        "jawRight",
    ]
    table = np.zeros((count, 51), np.float32)
    for row in table:
        chosen: list[str] = []
        for stem in rng.permutation(stems):
            if not any(stem in group and set(group) & set(chosen) for group in _OPPOSED):
                chosen.append(stem)
        chosen = chosen[: rng.integers(2, 6)]
        for stem in chosen:
            value = rng.uniform(0.2, 1.0)
            if stem in INDEX:
                row[INDEX[stem]] = value
                continue
            left, right = (value, value) if rng.uniform() < 0.7 else rng.permutation([value, 0.0])
            row[INDEX[stem + "Left"]], row[INDEX[stem + "Right"]] = left, right
        if rng.uniform() < 0.3:
            row[INDEX["mouthClose"]] = rng.uniform(0, 1) * row[INDEX["jawOpen"]]
    return table
