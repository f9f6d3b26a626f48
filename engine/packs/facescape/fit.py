"""From 68 landmarks to pose, identity and expression of the FaceScape model.

The costs, the four loops and the contour update are the original's. Where it follows numeric gradients until a limit of
iterations, each step here is solved exactly; and a last step lowers both costs together, from every component of the
mixture, because the original stays in the component that it happens to meet first.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.arrays import DoubleArray, FloatArray, IntArray
from engine.camera import rotation_matrix
from engine.errors import PhotoError
from engine.fit_solvers import aligned_camera
from engine.packs.facescape.contour import CHIN, Outline
from engine.packs.facescape.costs import Priors, View
from engine.packs.facescape.data import LANDMARKS, FaceScapeData
from engine.packs.facescape.fit_steps import (
    Points,
    State,
    joint,
    posed,
    scaled_and_shifted,
    towards_components,
    with_expression,
    with_identity,
)
from engine.types import Progress

LOOPS = 4
_START_ROTATION = (0.0, 0.1, 0.0)  # Rodrigues vector, rad
_JAW = 2 * CHIN + 1
_STEPS = 60
_FOLLOWED = 4  # components that are followed to their minimum after one step to each
_ROUGHLY = 1e-5
_LEAST_POINTS, _LEAST_SPREAD_PX = 6, 1.0
_STAGE = "Fitting the face model"


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What the fit found, in the original's terms."""

    view: View
    identity: DoubleArray
    """(I,)."""
    expression: DoubleArray
    """(E,) with [0] = 1."""
    landmark_vertices: IntArray
    """(68,) int32 vertices of the whole head that stood for the landmarks in the last step, -1 for unknown ones."""
    cost_id: float
    cost_exp: float
    distances_px: DoubleArray
    """(68,) reprojection error of each landmark, NaN for unknown ones."""


def solve(data: FaceScapeData, points68: FloatArray | DoubleArray) -> Generator[Progress, None, Solution]:
    """Fit the model to landmarks; yields after every loop.

    Args:
        data: the imported pack.
        points68: (68, 2) px, x right, y DOWN, in iBUG order; NaN where a point is not known.

    Raises:
        PhotoError: the landmarks are too few or lie in one place.
    """
    known = np.flatnonzero(np.isfinite(points68).all(axis=1))
    targets = points68[known].astype(np.float64) * (1.0, -1.0)
    if len(known) < _LEAST_POINTS or np.ptp(targets, axis=0).min() < _LEAST_SPREAD_PX:
        raise PhotoError(
            "The landmarks of this face are too few, or lie all in one place.", "Place more of them by hand."
        )
    yield Progress(_STAGE, 0.0)
    outline = Outline.of(data)
    chosen = _Chosen(outline, known, data.landmark_vertices[known])
    points = Points(outline.rows(chosen.vertices), targets, Priors.of(data))
    state = _posed_from_anywhere(points, _start(data))
    upright = _quarter_turn(state.view)  # the contour's rule knows left, right and below
    points = replace(points, targets=points.targets @ upright[:2, :2].T)
    state = replace(state, view=_rolled(state.view, upright))
    for loop in range(LOOPS):
        yield Progress(_STAGE, (loop + 1) / (LOOPS + 3))
        if loop:
            state = posed(points, scaled_and_shifted(points, state))
        state = with_expression(points, with_identity(points, state))
        points, chosen = chosen.seen_now(points, state)
    yield Progress(_STAGE, (LOOPS + 1) / (LOOPS + 3))
    state = joint(points, _best_component(points, state), _STEPS)
    yield Progress(_STAGE, (LOOPS + 2) / (LOOPS + 3))
    points_now, chosen_now = chosen.seen_now(points, state)
    state_now = joint(points_now, state, _STEPS)
    if points_now.cost_sum(state_now) <= points.cost_sum(state):  # the outline may jump to a worse one
        points, chosen, state = points_now, chosen_now, state_now
    return _solution(points, chosen, state, _rolled(state.view, upright.T))


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """Which vertices stand for the known landmarks."""

    outline: Outline
    known: npt.NDArray[np.intp]
    """(n,) numbers of the landmarks, ascending."""
    vertices: IntArray
    """(n,)."""

    def seen_now(self, points: Points, state: State) -> tuple[Points, _Chosen]:
        """The jaw's landmarks on the vertices that form the outline now; the others stay."""
        jaw = self.outline.jaw(state.view.turn, state.identity, state.expression)[self.known[self.known < _JAW]]
        moved = np.flatnonzero(jaw != self.vertices[: len(jaw)])
        if not len(moved):
            return points, self
        rows, vertices = points.rows.copy(), self.vertices.copy()
        rows[moved] = self.outline.rows(jaw[moved])
        vertices[moved] = jaw[moved]
        return replace(points, rows=rows), replace(self, vertices=vertices)


def _start(data: FaceScapeData) -> State:
    """Where the original starts."""
    neutral = np.zeros(data.core.shape[1])
    neutral[0] = 1.0
    view = View(rotation_matrix(np.array(_START_ROTATION)), 1.0, np.zeros(2))
    return State(view, data.start_identity, neutral)


def _posed_from_anywhere(points: Points, state: State) -> State:
    """The first pose: from the original's start, or, for heads that lie or hang, from one without a guess."""
    down = (1.0, -1.0)
    positions = points.positions(state)
    camera = aligned_camera(positions, (points.targets * down).astype(np.float32), np.ones(len(positions)))
    view = View(
        rotation_matrix(camera.rotation), camera.scale_px_per_mm, camera.translation_px.astype(np.float64) * down
    )
    starts = (scaled_and_shifted(points, state), replace(state, view=view))
    return min((posed(points, start) for start in starts), key=lambda found: _misfit(points, found))


def _misfit(points: Points, state: State) -> float:
    """Squared distances in px; mirrored heads, which a search can end in, count as infinitely far."""
    return float((points.distances_px(state) ** 2).sum()) if state.view.scale > 0 else np.inf


def _quarter_turn(view: View) -> DoubleArray:
    """Rotation (3, 3) in the picture by the multiple of 90 degrees that brings the head nearest to upright."""
    roll = np.arctan2(view.turn[1, 0], view.turn[0, 0])
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[round(-2.0 * roll / np.pi) % 4]
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _rolled(view: View, turn: DoubleArray) -> View:
    """The view of the picture rolled by ``turn``."""
    return View(turn @ view.turn, view.scale, turn[:2, :2] @ view.shift)


def _best_component(points: Points, state: State) -> State:
    """The lowest of the joint minima that are reached from the state and from each component of the mixture.

    A narrow component can lower the sum of the costs and yet fit worse: those count that worsen neither cost nor the
    landmark error of the state, which stands where the original would stop.
    """

    def rank(found: State) -> tuple[bool, float]:
        worse = any(new > old for new, old in zip(_measures(points, found), given, strict=True))
        return worse, points.cost_sum(found)

    given = _measures(points, state)
    nearest = sorted(towards_components(points, state), key=rank)[:_FOLLOWED]
    return min((joint(points, start, _STEPS, _ROUGHLY) for start in (state, *nearest)), key=rank)


def _measures(points: Points, state: State) -> tuple[float, float, float]:
    """Identity cost, expression cost and mean landmark error in px: what must not be higher than the original's."""
    shared = points.data_cost(state)
    costs = shared + points.identity_prior(state), shared + points.expression_prior(state)
    return *costs, float(points.distances_px(state).mean())


def _solution(points: Points, chosen: _Chosen, state: State, view: View) -> Solution:
    cost_id, cost_exp, _ = _measures(points, state)
    vertices, distances = np.full(LANDMARKS, -1, np.int32), np.full(LANDMARKS, np.nan)
    vertices[chosen.known], distances[chosen.known] = chosen.vertices, points.distances_px(state)
    return Solution(
        view=view,
        identity=state.identity,
        expression=state.expression,
        landmark_vertices=vertices,
        cost_id=cost_id,
        cost_exp=cost_exp,
        distances_px=distances,
    )
