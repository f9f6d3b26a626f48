"""Points placed by hand: all of a face's points from a few clicks, and the dense points that go with moved ones.

Points are landmarks in photo px: whole numbers name pixel centres, x right, y down.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.arrays import DoubleArray, FloatArray, IntArray, check
from engine.camera import project
from engine.fit_points import HALF_PX, collect
from engine.fit_solvers import aligned_camera
from engine.fitting import fit
from engine.landmark_mirror import IBUG_MIRROR
from engine.morphable import person_shapes
from engine.packs.pack import ModelPack
from engine.types import FaceBox, Fit, Landmarks

FEWEST_CLICKS = 5

_RIGHT_EYE, _LEFT_EYE, _BELOW_THE_EYES = (36, 39), (42, 45), (8, 30, 48, 54, 57)
_FLATTEST = 0.1
"""Smallest extent of the clicks over their largest: on a line they say nothing about the pose."""
_STIFFNESS = 1e-4  # of the warp, against points that lie on each other

_PLACED = "The points were placed by hand."
_MOVED = "Some points were moved by hand."


def enough_clicks(clicks: FloatArray) -> bool:
    """Whether these clicks (68, 2), NaN where there is none, say how the face lies."""
    placed = clicks[np.isfinite(clicks).all(1)].astype(np.float64)
    if len(placed) < FEWEST_CLICKS:
        return False
    extent = np.linalg.svd(placed - placed.mean(0), compute_uv=False)
    return bool(extent[1] > _FLATTEST * extent[0])


def predicted_landmarks(clicks: FloatArray, pack: ModelPack) -> Landmarks:
    """All points of a face of which a few are known.

    The model is fitted to the clicks; a smooth warp then takes its points through them. Where right and left were mixed
    up, they are swapped.

    Args:
        clicks: (68, 2) float32 in iBUG order, NaN where there was no click.
        pack: a face model that maps the 68 and the dense points.

    Raises:
        ValueError: too few clicks, or all on one line, or the model lacks a map.
    """
    if not enough_clicks(check("clicks", clicks, (68, 2))):
        raise ValueError(f"clicks: expected at least {FEWEST_CLICKS} that are not on one line")
    clicks = _unmirrored(clicks)
    known = np.flatnonzero(np.isfinite(clicks).all(1)).astype(np.int32)
    placed = _laid_over(clicks, known, pack)
    found = _fitted(placed, pack)
    points68 = _projected(pack, found, _contour(placed, found, pack))
    dense = _projected(pack, found, _dense_vertices(pack))
    at, shift = points68[known], clicks[known] - points68[known]
    points68, dense = warped(points68, at, shift), warped(dense, at, shift)
    points68[known] = clicks[known]
    return replace(placed, dense=dense, points68=points68, box=_box(dense))


def moved_landmarks(landmarks: Landmarks, before: FloatArray, after: FloatArray) -> Landmarks:
    """The landmarks after the user moved some of the 68 points; the dense points near them go along.

    Args:
        landmarks: as found or predicted.
        before: (68, 2) float32, the points that the user started from.
        after: (68, 2) float32, where they are now.
    """
    shift = check("after", after, (68, 2)) - check("before", before, (68, 2))
    dense = warped(landmarks.dense, before, shift)
    box = replace(_box(dense), score=landmarks.box.score, face_score=landmarks.box.face_score)
    note = () if {_PLACED, _MOVED} & {*landmarks.warnings} else (_MOVED,)
    return replace(landmarks, dense=dense, points68=after.copy(), box=box, warnings=(*landmarks.warnings, *note))


def warped(points: FloatArray, at: FloatArray, shift: FloatArray) -> FloatArray:
    """Points moved by the smoothest field that moves ``at`` by ``shift``: (n, 2) float32.

    Args:
        points: (n, 2) float32.
        at: (m, 2) float32, at least three that are not on one line.
        shift: (m, 2) float32.

    Source:
        Thin-plate spline: Bookstein, Principal warps (PAMI 1989), with a little smoothing.
    """
    centre, size = at.mean(0), max(float(np.ptp(at, axis=0).max()), 1.0)
    knots, where = ((p - centre).astype(np.float64) / size for p in (at, points))
    m = len(knots)
    affine = np.column_stack([np.ones(m), knots])
    system = np.block([[_plate(knots, knots) + _STIFFNESS * np.eye(m), affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.lstsq(system, np.concatenate([shift, np.zeros((3, 2))]), rcond=None)[0]
    field = np.column_stack([_plate(where, knots), np.ones(len(where)), where]) @ weights
    return np.asarray(points + field, np.float32)


def _plate(points: DoubleArray, knots: DoubleArray) -> DoubleArray:
    squared = ((points[:, None] - knots) ** 2).sum(2)
    return np.asarray(squared * np.log(np.maximum(squared, 1e-12)) / 2.0)


def _unmirrored(clicks: FloatArray) -> FloatArray:
    """The clicks, with right and left swapped where eyes and what lies below them say that they were mixed up."""
    right, left, below = (_mean(clicks[list(group)]) for group in (_RIGHT_EYE, _LEFT_EYE, _BELOW_THE_EYES))
    along, down = left - right, below - (left + right) / 2
    mixed_up = along[0] * down[1] - along[1] * down[0] < 0  # y is down; False where an eye or all below is missing
    return clicks[IBUG_MIRROR] if mixed_up else clicks


def _mean(group: FloatArray) -> FloatArray:
    """Mean of those that were placed, NaN where none was."""
    placed = group[np.isfinite(group).all(1)]
    return np.asarray(placed.mean(0) if len(placed) else np.full(2, np.nan), np.float32)


def _fitted(landmarks: Landmarks, pack: ModelPack) -> Fit:
    steps = fit(landmarks, pack)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: Fit = done.value
            return found


def _laid_over(clicks: FloatArray, known: IntArray, pack: ModelPack) -> Landmarks:
    """The clicks, with the mean face's dense points laid over them: they tell the fit the size of the face."""
    neutral = np.eye(1, 1 + pack.key_weights.shape[1])[0]
    vertices = np.concatenate([pack.landmark_vertices[known], _dense_vertices(pack)])
    positions = _positions(pack, vertices, pack.identity_mean, neutral)
    count = len(known)
    camera = aligned_camera(positions[:count], clicks[known] + HALF_PX, np.ones(count))
    dense = project(camera, positions[count:].astype(np.float32)) - HALF_PX
    return Landmarks(dense, clicks.copy(), _box(dense), warnings=(_PLACED,), by_hand=True)


def _contour(landmarks: Landmarks, found: Fit, pack: ModelPack) -> IntArray:
    """(68,) vertex of each iBUG point as the pose shows it: those of the jaw lie on the visible outline."""
    complete = replace(landmarks, points68=_projected(pack, found, pack.landmark_vertices))
    camera, identity = found.camera, found.identity.astype(np.float64)
    return collect(complete, pack).with_contour(camera, identity, found.expression.astype(np.float64)).landmark_vertices


def _dense_vertices(pack: ModelPack) -> IntArray:
    if pack.dense_vertices is None:
        raise ValueError("pack: expected one with a map of the dense points")
    return pack.dense_vertices


def _projected(pack: ModelPack, found: Fit, vertices: IntArray) -> FloatArray:
    """Where the fit puts vertices, as landmarks (n, 2)."""
    return (
        project(found.camera, _positions(pack, vertices, found.identity, found.expression).astype(np.float32)) - HALF_PX
    )


def _positions(
    pack: ModelPack, vertices: IntArray, identity: FloatArray, expression: FloatArray | DoubleArray
) -> DoubleArray:
    mean, core = pack.bilinear(vertices)
    return person_shapes(mean, core, identity.astype(np.float64)) @ expression


def _box(points: FloatArray) -> FaceBox:
    (x0, y0), (x1, y1) = points.min(0).tolist(), points.max(0).tolist()
    return FaceBox(x0, y0, x1, y1, 1.0)
