"""The 468-point cage: triangles, outline, eye and lip loops, and the names of the points that the builders use."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from engine.arrays import IntArray

POINTS = 468

# Two 3-cliques of the edge graph that are not triangles of the surface (they span other triangles).
_FALSE_TRIANGLES = {(49, 64, 129), (279, 294, 358)}

# Named points, the person's own right (R) and left (L).
CHIN, NOSE_TIP, SUBNASALE, NASION, FOREHEAD_TOP, CHIN_DENT = 152, 1, 2, 168, 10, 200
UPPER_LIP_TOP, LOWER_LIP_BOTTOM, UPPER_LIP_IN, LOWER_LIP_IN = 0, 17, 13, 14
MOUTH_CORNER_R, MOUTH_CORNER_L = 61, 291
EYE_OUTER_R, EYE_INNER_R, EYE_INNER_L, EYE_OUTER_L = 33, 133, 362, 263
ALARE_R, ALARE_L = 129, 358

# Eye rims from the outer to the inner corner; upper and lower points face each other.
LID_UPPER_R = (246, 161, 160, 159, 158, 157, 173)
LID_LOWER_R = (7, 163, 144, 145, 153, 154, 155)
LID_UPPER_L = (466, 388, 387, 386, 385, 384, 398)
LID_LOWER_L = (249, 390, 373, 374, 380, 381, 382)

# Lip rings from the person's right corner to the left.
OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

BROW_UPPER_R = (70, 63, 105, 66, 107)  # outer to inner
BROW_LOWER_R = (46, 53, 52, 65, 55)
BROW_UPPER_L = (300, 293, 334, 296, 336)
BROW_LOWER_L = (276, 283, 282, 295, 285)


@dataclass(frozen=True, slots=True, eq=False)
class Cage:
    """Connectivity of the 468 points."""

    faces: IntArray
    """(852, 3) int32, counter-clockwise seen from outside."""
    mirror: IntArray
    """(468,) int32: partner on the other side."""
    loops: tuple[IntArray, ...]
    """Border loops in order: outline (36), inner lips (20), right eye (16), left eye (16)."""


def tessellation_edges(source: str) -> set[tuple[int, int]]:
    """The undirected edges listed under FACEMESH_TESSELATION in the text of the wheel's connection table."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FACEMESH_TESSELATION":
            call = node.value
            if isinstance(call, ast.Call):
                pairs = ast.literal_eval(call.args[0])
                return {(min(a, b), max(a, b)) for a, b in pairs}
    raise ValueError("The connection table lacks FACEMESH_TESSELATION.")


def _triangles(edges: set[tuple[int, int]]) -> list[tuple[int, int, int]]:
    beside: dict[int, set[int]] = defaultdict(set)
    for a, b in edges:
        beside[a].add(b)
        beside[b].add(a)
    found = {tuple(sorted((a, b, c))) for a, b in edges for c in beside[a] & beside[b]}
    return sorted((t[0], t[1], t[2]) for t in found if t not in _FALSE_TRIANGLES)


def _oriented(triangles: list[tuple[int, int, int]], points: np.ndarray) -> IntArray:
    """Give all triangles one orientation by walking over shared edges; the majority looks towards +Z."""
    by_edge: dict[frozenset[int], list[int]] = defaultdict(list)
    for t, tri in enumerate(triangles):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            by_edge[frozenset((tri[a], tri[b]))].append(t)
    oriented: dict[int, tuple[int, int, int]] = {0: triangles[0]}
    stack = [0]
    while stack:
        a, b, c = oriented[t := stack.pop()]
        for p, q in ((a, b), (b, c), (c, a)):
            for other in by_edge[frozenset((p, q))]:
                if other != t and other not in oriented:
                    r = next(v for v in triangles[other] if v not in (p, q))
                    oriented[other] = (q, p, r)
                    stack.append(other)
    if len(oriented) != len(triangles):
        raise ValueError("The cage is not connected.")
    faces = np.array([oriented[t] for t in range(len(triangles))], np.int32)
    first, second, third = (points[faces[:, i]] for i in range(3))
    if np.median(np.cross(second - first, third - first)[:, 2]) < 0:
        faces = faces[:, [0, 2, 1]]
    return faces


def border_loops(faces: IntArray) -> tuple[IntArray, ...]:
    """Closed border loops of a triangle mesh, longest first."""
    directed = {(int(f[i]), int(f[(i + 1) % 3])) for f in faces for i in range(3)}
    following = {a: b for a, b in directed if (b, a) not in directed}
    loops = []
    while following:
        start, point = next(iter(sorted(following.items())))
        loop = [start]
        del following[start]
        while point != start:
            loop.append(point)
            point = following.pop(point)
        loops.append(np.array(loop, np.int32))
    return tuple(sorted(loops, key=len, reverse=True))


def _mirror(points: np.ndarray) -> IntArray:
    """Partner of each point of a frontal face (468, 3): the nearest after laying the face on its own mirror image."""
    from scipy.optimize import linear_sum_assignment

    centred = points - points.mean(0)
    target = centred * (-1, 1, 1)
    for _ in range(5):
        distance = np.linalg.norm(target[:, None] - centred[None], axis=2)
        _, partner = linear_sum_assignment(distance**2)
        u, _, vt = np.linalg.svd((centred * (-1, 1, 1)).T @ centred[partner])
        target = (centred * (-1, 1, 1)) @ (u @ vt)
    if (partner[partner] != np.arange(len(points))).any():
        raise ValueError("The points have no mirror symmetry.")
    return np.asarray(partner, np.int32)


def _symmetric(faces: IntArray, mirror: IntArray, points: np.ndarray) -> IntArray:
    """Faces with the left side's few differing diagonals replaced by the right side's, mirrored."""
    known = {frozenset(f) for f in faces.tolist()}
    lone = np.array([frozenset(mirror[f].tolist()) not in known for f in faces])
    right = points[faces][:, :, 0].mean(1) < points[:, 0].mean()
    mended = mirror[faces[lone & right]][:, ::-1]
    return np.concatenate([faces[~lone], faces[lone & right], mended]).astype(np.int32)


def make_cage(connections: str, points: np.ndarray) -> Cage:
    """Connectivity from the wheel's table and one roughly symmetric face (468, 3), +Y up, +Z to the viewer."""
    mirror = _mirror(points)
    faces = _symmetric(_oriented(_triangles(tessellation_edges(connections)), points), mirror, points)
    loops = border_loops(faces)
    if [len(loop) for loop in loops] != [36, 20, 16, 16] or len(faces) != 852:
        raise ValueError(f"The cage has {len(faces)} triangles and loops of {[len(loop) for loop in loops]}.")
    outline, lips, *eyes = loops
    eyes.sort(key=lambda loop: EYE_OUTER_L in loop)
    return Cage(faces=faces, mirror=mirror, loops=(outline, lips, *eyes))
