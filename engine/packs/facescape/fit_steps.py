"""The steps of the fit: each lowers one of the original's costs, or both together, by exact derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import DoubleArray
from engine.camera import rotation_matrix
from engine.packs.facescape.costs import Priors, View, identity_rows, person_rows, rigid_residuals
from engine.packs.facescape.fit_box import box_quadratic

_POSE_STEPS = 30
_EM_STEPS = 30
_STILL_RAD = 1e-10
_CONVERGED = 1e-8
"""Relative change of a cost at which a loop ends."""
_DAMPING = (1e-9, 1e-6, 1e6)  # least, at the start, and where the search for a better point is given up


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Where the fit stands; replaced, never changed."""

    view: View
    identity: DoubleArray
    """(I,)."""
    expression: DoubleArray
    """(E,) with [0] = 1 and weights in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """n landmarks and the model's rows of the vertices that stand for them."""

    rows: DoubleArray
    """(n, 3, E, I), see ``costs.person_rows``."""
    targets: DoubleArray
    """(n, 2) px, y up."""
    priors: Priors

    def positions(self, state: State) -> DoubleArray:
        """The model's points (n, 3) mm."""
        return np.asarray(person_rows(self.rows, state.identity) @ state.expression)

    def distances_px(self, state: State) -> DoubleArray:
        """Reprojection error of each landmark (n,)."""
        return np.asarray(np.linalg.norm(state.view.project(self.positions(state)) - self.targets, axis=1))

    def data_cost(self, state: State) -> float:
        """Squared reprojection distances over the squared scale, the part that both costs share."""
        return float((self.distances_px(state) ** 2).sum()) / state.view.scale**2

    def identity_prior(self, state: State) -> float:
        """The part of the identity cost beside ``data_cost``."""
        return float(((state.identity - self.priors.id_mean) ** 2 / self.priors.id_var).sum())

    def expression_prior(self, state: State) -> float:
        """The part of the expression cost beside ``data_cost``."""
        return -self.priors.mixture.log_density(state.expression[1:])[0]

    def joint_cost(self, state: State) -> float:
        """What ``joint`` lowers: the data cost once, and both priors."""
        return self.data_cost(state) + self.identity_prior(state) + self.expression_prior(state)

    def cost_sum(self, state: State) -> float:
        """Identity cost plus expression cost: the data counts twice."""
        return self.data_cost(state) + self.joint_cost(state)


def scaled_and_shifted(points: Points, state: State) -> State:
    """The present rotation with the scale from the ratio of summed centred norms, and the shift of the centres."""
    flat = points.positions(state) @ state.view.turn[:2].T
    middle, goal = flat.mean(0), points.targets.mean(0)
    spread = np.linalg.norm(flat - middle, axis=1).sum()
    scale = float(np.linalg.norm(points.targets - goal, axis=1).sum() / spread)
    return replace(state, view=View(state.view.turn, scale, goal - scale * middle))


def posed(points: Points, state: State) -> State:
    """Rotation, scale and shift that minimise the reprojection distances in px (Gauss-Newton)."""
    positions, view = points.positions(state), state.view
    for _ in range(_POSE_STEPS):
        residual, jacobian = rigid_residuals(view, positions, points.targets)
        step = np.linalg.lstsq(jacobian, -residual, rcond=None)[0]
        view = View(rotation_matrix(step[:3]) @ view.turn, view.scale + float(step[3]), view.shift + step[4:])
        if np.abs(step[:3]).max() < _STILL_RAD:
            break
    return replace(state, view=view)


def with_identity(points: Points, state: State) -> State:
    """The identity that minimises the identity cost; it is quadratic, so one solve is exact."""
    view, priors = state.view, points.priors
    basis = identity_rows(points.rows, state.expression)
    jacobian = (view.turn[:2] @ basis).reshape(-1, basis.shape[2])
    goal = ((points.targets - view.shift) / view.scale).ravel()
    normal = jacobian.T @ jacobian + np.diag(1.0 / priors.id_var)
    identity = np.linalg.solve(normal, jacobian.T @ goal + priors.id_mean / priors.id_var)
    return replace(state, identity=np.asarray(identity))


def with_expression(points: Points, state: State) -> State:
    """The weights that minimise the expression cost, in the valley of the mixture where the state lies."""
    view, mixture = state.view, points.priors.mixture
    shapes = person_rows(points.rows, state.identity)
    seen = (view.turn[:2] @ shapes).reshape(-1, shapes.shape[2])
    neutral, jacobian = seen[:, 0], seen[:, 1:]
    goal = ((points.targets - view.shift) / view.scale).ravel() - neutral
    normal, right = 2.0 * jacobian.T @ jacobian, 2.0 * jacobian.T @ goal
    low, high = np.zeros(len(right)), np.ones(len(right))
    weights, cost = state.expression[1:], np.inf
    for _ in range(_EM_STEPS):
        precision, pull = mixture.bound(weights)
        weights = box_quadratic(normal + precision, right + pull, weights, low, high)
        before, cost = cost, float(((jacobian @ weights - goal) ** 2).sum()) - mixture.log_density(weights)[0]
        if before - cost < _CONVERGED * abs(cost):
            break
    return replace(state, expression=np.concatenate([[1.0], weights]))


def joint(points: Points, state: State, steps: int, enough: float = _CONVERGED) -> State:
    """Rotation, shift, identity and weights that minimise ``Points.joint_cost``, the scale held.

    The scale has to be held because the costs are measured in mm of the model: a smaller model with a larger scale
    lowers them without fitting better.

    Args:
        points: the landmarks.
        state: where to start; its valley of the mixture is not left on purpose.
        steps: at most so many.
        enough: relative change of the cost at which it ends.

    Source: Levenberg-Marquardt on the bound of ``Mixture.bound``, each step in the box of the weights.
    """
    cost = points.joint_cost(state)
    least, damping, most = _DAMPING
    for _ in range(steps):
        system, bound = _System.at(points, state), points.priors.mixture.bound(state.expression[1:])
        before = cost
        while damping < most:
            trial = system.minimum(*bound, state.expression[1:], damping)
            cost = points.joint_cost(trial)
            if cost <= before:
                break
            damping *= 10.0
        else:
            return state
        state, damping = trial, max(damping / 5.0, least)
        if before - cost < enough * abs(before):
            break
    return state


def towards_components(points: Points, state: State) -> list[State]:
    """One joint step from ``state`` for each component of the mixture, as if it were alone."""
    mixture = points.priors.mixture
    system = _System.at(points, state)
    return [
        system.minimum(precision, precision @ mean, np.clip(mean, 0.0, 1.0), _DAMPING[0])
        for precision, mean in zip(mixture.precisions, mixture.means, strict=True)
    ]


_POSE = 5
"""Unknowns of a joint step before the identity: a turn (3,) and a shift (2,) in mm."""


@dataclass(frozen=True, slots=True, eq=False)
class _System:
    """Half the Hessian and minus half the gradient of the joint cost without the mixture, linear in a step.

    The unknowns are those without bounds, u = (turn, shift, identity), and the weights w.
    """

    state: State
    normal_uu: DoubleArray
    normal_uw: DoubleArray
    normal_ww: DoubleArray
    right_u: DoubleArray
    right_w: DoubleArray

    @classmethod
    def at(cls, points: Points, state: State) -> _System:
        """Linearised around ``state``."""
        view, priors = state.view, points.priors
        shapes, basis = person_rows(points.rows, state.identity), identity_rows(points.rows, state.expression)
        residual, rigid = rigid_residuals(view, shapes @ state.expression, points.targets)
        count = len(residual)
        u = np.empty((count, _POSE + basis.shape[2]))
        u[:, :3], u[:, 3:_POSE] = rigid[:, :3] / view.scale, rigid[:, 4:]
        u[:, _POSE:] = (view.turn[:2] @ basis).reshape(count, -1)
        w = (view.turn[:2] @ shapes[:, :, 1:]).reshape(count, -1)
        residual = residual / view.scale
        normal_uu, right_u = u.T @ u, -u.T @ residual
        normal_uu[range(_POSE, len(right_u)), range(_POSE, len(right_u))] += 1.0 / priors.id_var
        right_u[_POSE:] -= (state.identity - priors.id_mean) / priors.id_var
        return cls(state, normal_uu, u.T @ w, w.T @ w, right_u, -w.T @ residual)

    def minimum(self, precision: DoubleArray, pull: DoubleArray, start: DoubleArray, damping: float) -> State:
        """Where this system plus the prior w' P w / 2 - p' w of the weights has its minimum in the weights' box.

        Args:
            precision: P, (J, J).
            pull: p, (J,).
            start: (J,) weights where the search for the bounds that hold begins.
            damping: grows the diagonal by this share, for shorter steps.
        """
        weights = self.state.expression[1:]
        normal_uu = self.normal_uu + np.diag(damping * np.diag(self.normal_uu))
        normal_ww = self.normal_ww + precision / 2.0
        normal_ww = normal_ww + np.diag(damping * np.diag(normal_ww))
        right_w = self.right_w + (pull - precision @ weights) / 2.0
        solved = np.linalg.solve(normal_uu, np.column_stack([self.right_u, self.normal_uw]))
        without_u, follows = solved[:, 0], solved[:, 1:]  # u = without_u - follows @ w
        schur = normal_ww - self.normal_uw.T @ follows
        step_w = box_quadratic(
            (schur + schur.T) / 2.0, right_w - self.normal_uw.T @ without_u, start - weights, -weights, 1.0 - weights
        )
        step_u = without_u - follows @ step_w
        view = self.state.view
        turn = rotation_matrix(step_u[:3]) @ view.turn
        return State(
            View(turn, view.scale, view.shift + view.scale * step_u[3:_POSE]),
            self.state.identity + step_u[_POSE:],
            np.concatenate([[1.0], np.clip(weights + step_w, 0.0, 1.0)]),
        )
