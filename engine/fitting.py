"""From landmarks to pose, identity and expression of a face model.

Minimised: sum of weighted squared reprojection distances + Gaussian prior on identity + box-bounded, sparse prior on
expression. As in the original system the blocks alternate (pose, identity, expression, visible contour), here with exact
derivatives; a few joint Gauss-Newton steps finish.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from engine import camera as cameras
from engine import expressions
from engine.arrays import DoubleArray, FloatArray
from engine.fit_points import HALF_PX, FitPoints, collect, expression_prior
from engine.fit_solvers import aligned_camera, bounded_quadratic, gauss_newton_pose, shifted_and_scaled
from engine.morphable import identity_basis, person_shapes
from engine.packs.pack import ModelPack
from engine.types import Fit, Landmarks, Progress, WeakPerspective

_LOOPS = 4
_JOINT_STEPS = 4
_NOISE = 0.0185
"""Expected error of one landmark over the outer-eye distance."""
_LARGE_YAW_DEG, _LIMIT_YAW_DEG = 35.0, 58.0
# Yaw that the fit finds for a true one, both sides: own renderings and portraits turned in 3D (tests.bench turned).
_SEEN_YAW_DEG, _TRUE_YAW_DEG = (0.0, 30.0, 42.0, 50.5), (0.0, 30.5, 45.0, 60.0)
_EYE_OUTER = (36, 45)
_DENSE_EYE_OUTER = (33, 263)
_POOR_ERROR = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Where the solver stands; replaced, never changed."""

    camera: WeakPerspective
    identity: DoubleArray
    expression: DoubleArray
    """(E,) with [0] = 1."""


def fit(landmarks: Landmarks, pack: ModelPack) -> Generator[Progress, None, Fit]:
    """Pose, identity and expression that explain the landmarks; yields progress after every loop.

    Args:
        landmarks: dense points, and the 68 iBUG points where that detector found them.
        pack: any model with a dense map or a 68-point map.
    """
    points = collect(landmarks, pack)
    modes = len(pack.identity_mean)
    expression = np.zeros(1 + len(expressions.SHAPES))
    expression[0] = 1.0
    start = person_shapes(points.mean, points.core, pack.identity_mean.astype(np.float64))[:, :, 0]
    state = _State(aligned_camera(start, points.targets, points.weights), np.zeros(modes), expression)
    for loop in range(_LOOPS):
        points = points.seen_from(state.camera, _positions(points, state))
        state = _pose_step(points, state)
        state = _identity_step(points, state, pack)
        state = _expression_step(points, state)
        points = points.with_contour(state.camera, state.identity, state.expression)
        yield Progress("Fitting the face model", (loop + 1) / (_LOOPS + 1))
    for _ in range(_JOINT_STEPS):
        points = points.seen_from(state.camera, _positions(points, state))
        state = _joint_step(points, state, pack)
        points = points.with_contour(state.camera, state.identity, state.expression)
    if not landmarks.by_hand:  # people place points where they are
        state = _turned_back(points, state, pack)
    yield Progress("Fitting the face model", 1.0)
    return _result(landmarks, points, state)


def _positions(points: FitPoints, state: _State) -> DoubleArray:
    return person_shapes(points.mean, points.core, state.identity) @ state.expression


def _noise_px(points: FitPoints) -> float:
    return _NOISE * points.eye_distance_px


def _pose_step(points: FitPoints, state: _State) -> _State:
    return replace(
        state, camera=gauss_newton_pose(state.camera, _positions(points, state), points.targets, points.weights)
    )


def _screen(camera: WeakPerspective) -> DoubleArray:
    """(2, 3): model mm -> image px without the shift, y down."""
    turn = cameras.rotation_matrix(camera.rotation)
    return np.asarray(camera.scale_px_per_mm * np.stack([turn[0], -turn[1]]))


def _identity_step(points: FitPoints, state: _State, pack: ModelPack) -> _State:
    base, basis = identity_basis(points.mean, points.core, state.expression)
    screen, shift = _screen(state.camera), state.camera.translation_px
    root = np.sqrt(points.weights)[:, None] / _noise_px(points)
    jacobian = (root[..., None] * np.einsum("kc,nci->nki", screen, basis)).reshape(-1, basis.shape[2])
    residual = (root * (points.targets - base @ screen.T - shift)).ravel()
    precision = points.identity_precision
    normal = jacobian.T @ jacobian + precision
    right = jacobian.T @ residual + precision @ pack.identity_mean
    return replace(state, identity=np.linalg.solve(normal, right))


def _expression_step(points: FitPoints, state: _State) -> _State:
    shapes = person_shapes(points.mean, points.core, state.identity)
    screen, shift = _screen(state.camera), state.camera.translation_px
    root = np.sqrt(points.weights)[:, None] / _noise_px(points)
    jacobian = (root[..., None] * np.einsum("kc,nce->nke", screen, shapes[:, :, 1:])).reshape(-1, shapes.shape[2] - 1)
    residual = (root * (points.targets - shapes[:, :, 0] @ screen.T - shift)).ravel()
    quadratic, linear = expression_prior(points.parted, state.expression[1:])
    normal = jacobian.T @ jacobian + quadratic
    weights = bounded_quadratic(
        normal, jacobian.T @ residual - linear, state.expression[1:], np.zeros(len(linear)), np.ones(len(linear))
    )
    return replace(state, expression=np.concatenate([[1.0], weights]))


def _joint_step(points: FitPoints, state: _State, pack: ModelPack) -> _State:
    """One Gauss-Newton step in all unknowns at once, with the expression kept in its box."""
    shapes = person_shapes(points.mean, points.core, state.identity)
    position = shapes @ state.expression
    _, basis = identity_basis(points.mean, points.core, state.expression)
    turn = cameras.rotation_matrix(state.camera.rotation)
    screen, shift = _screen(state.camera), state.camera.translation_px
    turned = position @ turn.T
    s = state.camera.scale_px_per_mm
    n, modes, J = len(position), basis.shape[2], shapes.shape[2] - 1
    jacobian = np.zeros((n, 2, 6 + modes + J))
    # A small turn w after R moves a point by w x (R v).
    jacobian[:, 0, 1], jacobian[:, 0, 2] = s * turned[:, 2], -s * turned[:, 1]
    jacobian[:, 1, 0], jacobian[:, 1, 2] = s * turned[:, 2], -s * turned[:, 0]
    jacobian[:, 0, 3], jacobian[:, 1, 3] = turned[:, 0], -turned[:, 1]
    jacobian[:, 0, 4] = jacobian[:, 1, 5] = 1.0
    jacobian[:, :, 6 : 6 + modes] = np.einsum("kc,nci->nki", screen, basis)
    jacobian[:, :, 6 + modes :] = np.einsum("kc,nce->nke", screen, shapes[:, :, 1:])
    root = np.sqrt(points.weights)[:, None] / _noise_px(points)
    flat = (root[..., None] * jacobian).reshape(-1, 6 + modes + J)
    residual = (root * (points.targets - position @ screen.T - shift)).ravel()
    normal, right = flat.T @ flat, flat.T @ residual
    normal[6 : 6 + modes, 6 : 6 + modes] += points.identity_precision
    right[6 : 6 + modes] -= points.identity_precision @ (state.identity - pack.identity_mean)
    quadratic, linear = expression_prior(points.parted, state.expression[1:])
    normal[6 + modes :, 6 + modes :] += quadratic
    right[6 + modes :] -= quadratic @ state.expression[1:] + linear
    low, high = np.full(6 + modes + J, -np.inf), np.full(6 + modes + J, np.inf)
    low[6 + modes :], high[6 + modes :] = -state.expression[1:], 1.0 - state.expression[1:]
    step = bounded_quadratic(normal, right, np.zeros(6 + modes + J), low, high)
    moved = cameras.rotation_vector(cameras.rotation_matrix(step[:3]) @ turn)
    camera = WeakPerspective(moved.astype(np.float32), float(s + step[3]), (shift + step[4:6]).astype(np.float32))
    expression = np.concatenate([[1.0], np.clip(state.expression[1:] + step[6 + modes :], 0.0, 1.0)])
    return _State(camera, state.identity + step[6 : 6 + modes], expression)


def _turned_back(points: FitPoints, state: _State, pack: ModelPack) -> _State:
    """Undo the detectors' pull of strongly turned heads towards the front; identity and expression follow the new pose.

    Both detectors answer 60 degrees with points of about 45, and the fit can only follow its points. So the angle is
    corrected by what was measured, and the rest solved again with the head held there.
    """
    yaw = cameras.yaw_deg(state.camera)
    true = float(np.sign(yaw) * np.interp(abs(yaw), _SEEN_YAW_DEG, _TRUE_YAW_DEG))
    if abs(true - yaw) < 1.0:
        return state
    turn = np.array([0.0, np.radians(true - yaw), 0.0])
    rotation = cameras.rotation_vector(cameras.rotation_matrix(state.camera.rotation) @ cameras.rotation_matrix(turn))
    state = replace(state, camera=replace(state.camera, rotation=rotation.astype(np.float32)))
    for _ in range(3):
        points = points.seen_from(state.camera, _positions(points, state))
        state = replace(
            state, camera=shifted_and_scaled(state.camera, _positions(points, state), points.targets, points.weights)
        )
        state = _identity_step(points, state, pack)
        state = _expression_step(points, state)
    return state


def _mean_error(camera: WeakPerspective, positions: DoubleArray, targets: FloatArray, eye_distance_px: float) -> float:
    projected = cameras.project(camera, positions.astype(np.float32)) - HALF_PX
    distance = np.linalg.norm(projected - targets, axis=1)
    return float(distance.mean() / eye_distance_px)


def _result(landmarks: Landmarks, points: FitPoints, state: _State) -> Fit:
    positions = _positions(points, state)
    error68 = error_dense = float("nan")
    if landmarks.points68 is not None:
        known = points.landmark_vertices >= 0
        eyes = float(np.linalg.norm(np.subtract(*landmarks.points68[list(_EYE_OUTER)])))
        error68 = _mean_error(state.camera, positions[points.rows68], landmarks.points68[known], eyes)
    if len(points.rows_dense):
        eyes = float(np.linalg.norm(np.subtract(*landmarks.dense[list(_DENSE_EYE_OUTER)])))
        error_dense = _mean_error(state.camera, positions[points.rows_dense], landmarks.dense, eyes)
    yaw = cameras.yaw_deg(state.camera)
    return Fit(
        camera=state.camera,
        identity=state.identity.astype(np.float32),
        expression=state.expression.astype(np.float32),
        landmark_vertices=points.landmark_vertices.copy(),
        error68=error68,
        error_dense=error_dense,
        yaw_deg=yaw,
        warnings=fit_warnings(yaw, error_dense if np.isfinite(error_dense) else error68),
    )


def fit_warnings(yaw: float, error: float) -> tuple[str, ...]:
    """What the user should know of a fit: degrees of turn, mean error of the points over the outer-eye distance."""
    sentences = []
    if abs(yaw) > _LIMIT_YAW_DEG:
        sentences.append(
            f"The head is turned by {abs(yaw):.0f} degrees, more than the fit can follow; shape and far side are a guess."
        )
    elif abs(yaw) > _LARGE_YAW_DEG:
        sentences.append(f"The head is turned by {abs(yaw):.0f} degrees; the far side of the face is a guess.")
    elif error > _POOR_ERROR:  # of turned heads the detectors' points are themselves that far off
        sentences.append("The face model follows this photo only roughly; a sharper, frontal photo works better.")
    return tuple(sentences)
