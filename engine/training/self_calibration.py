"""Which vertices the landmark detectors point at, found by showing them heads whose every vertex is known.

The dense network's points carry the names of the cage's, but they do not lie there once the template has the size and depth
that published measures give it: on pictures of invented heads its jaw line lies 7 mm above the cage's, its forehead 7 mm
below. A fit that takes the names at their word makes every jaw wide and every forehead low.

What this evidence sees: where the detectors look on a head of our shape. What it cannot see: an error of the shape itself.
That real faces are read the same way is seen on photos that had no part in it: the points of five portraits fit 15 % better,
and their faces lie 19 % nearer to the mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.arrays import DoubleArray, FloatArray, IntArray
from engine.fit_points import HALF_PX
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import OpenPack
from engine.render.context import standalone_context
from engine.training.cage import EYE_OUTER_L, EYE_OUTER_R
from engine.training.distill import REFERENCE_EYES_MM
from engine.training.invented_heads import invented_head
from engine.training.landmark_map import MIRROR_68
from engine.training.studio import Studio, portrait_textures

HEADS = 160
_FIRST_SEED = 6000  # tests.bench accuracy measures on others
_SEARCH_MM = 16.0
_STRAY_MM = 10.0  # a detection further away than this says no more than that
_STAY = 0.03  # mm^2 of mean squared error that a move of 1 mm must earn
_WRONG_FACE_MM = 12.0  # mean distance of dlib's points from where they should be, above which it saw something else


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """Skin vertices, exactly symmetric."""

    dense: IntArray
    """(468,) of the dense points."""
    ibug: IntArray
    """(68,) of the iBUG points."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """One head as the detectors saw it."""

    vertices_px: DoubleArray
    """(V, 2) where the skin lies."""
    dense_px: FloatArray
    ibug_px: FloatArray | None
    px_per_mm: float


def _sights(pack: OpenPack, heads: int) -> Iterator[_Sight]:
    """Pictures of heads at rest and moving, and what was found in them."""
    neutral, deltas = pack.shapes(pack.identity_mean)
    skin = pack.topology.skin.vertices[1]
    ctx = standalone_context()
    with LandmarkDetector() as detector:
        studio = Studio(ctx, pack.topology, portrait_textures(pack, detector))
        for seed in range(_FIRST_SEED, _FIRST_SEED + heads):
            head = invented_head(neutral, deltas, seed, moving=seed % 2 == 1)
            shot = studio.picture(head)
            found = detector.detect(shot.photo)
            at = shot.positions_px(head.vertices[:skin])
            scale = float(np.linalg.norm(found.dense[EYE_OUTER_L] - found.dense[EYE_OUTER_R])) / REFERENCE_EYES_MM
            ibug = None if found.points68 is None else found.points68 + HALF_PX
            if ibug is not None:
                off = np.linalg.norm(at[pack.landmark_vertices] - ibug, axis=1).mean()
                ibug = ibug if off < _WRONG_FACE_MM * scale else None
            yield _Sight(at, found.dense + HALF_PX, ibug, scale)
        studio.release()
    ctx.release()


def calibrated(pack: OpenPack, heads: int = HEADS) -> Calibrated:
    """The vertices that the detectors' points lie nearest to over many heads.

    Args:
        pack: whose maps are the start.
        heads: to be shown.

    Raises:
        ModelFileError: a landmark model is missing.
        GpuError: there is no OpenGL 3.3 here.
    """
    surface = pack.shapes(pack.identity_mean)[0][: pack.topology.skin.vertices[1]].astype(np.float64)
    sights = list(_sights(pack, heads))
    mirror = pack.topology.mirror[: len(surface)]
    cage_mirror = mirror[: pack.cage_matrix.shape[1]]
    start = np.arange(len(cage_mirror), dtype=np.int32)
    dense = _nearest(surface, mirror, start, cage_mirror, [(s.vertices_px, s.dense_px, s.px_per_mm) for s in sights])
    seen = [(s.vertices_px, s.ibug_px, s.px_per_mm) for s in sights if s.ibug_px is not None]
    return Calibrated(dense, _nearest(surface, mirror, pack.landmark_vertices, np.array(MIRROR_68), seen))


def _nearest(
    surface: DoubleArray,
    mirror: IntArray,
    start: IntArray,
    partner: IntArray,
    seen: list[tuple[DoubleArray, FloatArray, float]],
) -> IntArray:
    """The vertex of each point, and its mirror image for the point's partner.

    Args:
        surface: (V, 3) mm, symmetric.
        mirror: (V,) partner of each vertex.
        start: (n,) vertex that each point has now.
        partner: (n,) index of each point's partner.
        seen: per head where the vertices lie (V, 2) px, where the points were found (n, 2) px, and px per mm.
    """
    chosen = start.copy()
    for i, vertex in enumerate(start):
        j = int(partner[i])
        if j < i:
            continue
        moved = np.linalg.norm(surface - surface[vertex], axis=1)
        near = moved < _SEARCH_MM
        if j == i:
            near &= mirror == np.arange(len(mirror))
        here = np.flatnonzero(near)
        cost = np.zeros(len(here))
        for at, points, scale in seen:
            for candidates, point in ((here, i), (mirror[here], j)):
                off = ((at[candidates] - points[point]) ** 2).sum(1) / scale**2
                cost += np.minimum(off, _STRAY_MM**2)
        best = here[(cost / (2 * len(seen)) + _STAY * moved[here] ** 2).argmin()]
        chosen[i], chosen[j] = best, mirror[best]
    return chosen
