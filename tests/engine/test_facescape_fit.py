"""The FaceScape fit: exact steps, never worse than the original's path, heads in any position, points that miss."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from engine.camera import rotation_matrix
from engine.errors import PhotoError
from engine.packs.facescape import model_core
from engine.packs.facescape.contour import Outline, candidates, outermost
from engine.packs.facescape.convert_predef import CHIN, READERS
from engine.packs.facescape.costs import Priors, View, expression_cost, identity_cost
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.fit import LOOPS, solve
from engine.packs.facescape.fit_box import box_quadratic
from engine.packs.facescape.fit_steps import Points, State, joint, posed, with_expression, with_identity
from tests.facescape_standin import make_pack
from tests.running import finish

SHARED = Path(__file__).parents[3] / "shared"
FACESCAPE = SHARED / "facescape"
PHOTOS = {"astronaut": "astronaut.png", "obama": "obama.jpg", "biden": "biden.jpg"}
DOWN = np.array([1.0, -1.0])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_pack(tmp_path_factory.mktemp("fit"), networks=False)


def _landmarks(data, seed, rotation=(0.05, 0.2, -0.1), noise=2.0, roll=0.0):
    """A random face seen from somewhere, the picture then rolled: (68, 2) px, y down."""
    rng = np.random.default_rng(seed)
    identity = data.id_mean + rng.normal(size=len(data.id_mean)) * np.sqrt(data.id_var)
    expression = np.concatenate([[1.0], np.clip(data.gmm_means[seed % 20] + rng.normal(0, 0.1, 51), 0, 1)])
    head = model_core.positions(data.core, identity, expression).astype(np.float64)
    R = rotation_matrix(np.array(rotation))
    vertices = data.landmark_vertices.copy()
    vertices[:17] = outermost(candidates(data), head @ R.T)
    R = rotation_matrix(np.array([0.0, 0.0, roll])) @ R
    seen = View(R, 2.2, np.array([250.0, -300.0])).project(head[vertices])
    return (seen + rng.normal(0, noise, seen.shape)) * DOWN


def _original_path(data, points68):
    """The original's loops as described: numeric gradients, at most 100 iterations, the component that is met first."""
    from scipy.optimize import least_squares, minimize

    priors, outline, vertices = Priors.of(data), Outline.of(data), data.landmark_vertices.copy()
    targets = points68 * DOWN
    rotation, identity, expression = np.array([0, 0.1, 0]), data.start_identity, np.eye(1, 52)[0]
    for _ in range(LOOPS):
        rows = outline.rows(vertices)
        positions = rows @ identity @ expression
        flat = positions @ rotation_matrix(rotation)[:2].T
        centred, goal = flat - flat.mean(0), targets - targets.mean(0)
        scale = np.linalg.norm(goal, axis=1).sum() / np.linalg.norm(centred, axis=1).sum()
        start = np.concatenate([[scale], targets.mean(0) - scale * flat.mean(0), rotation])

        def misfit(p, positions=positions):
            return (View(rotation_matrix(p[3:]), p[0], p[1:3]).project(positions) - targets).ravel()

        pose = least_squares(misfit, start, method="lm", x_scale="jac", ftol=1e-5).x
        rotation = pose[3:]
        view = View(rotation_matrix(rotation), pose[0], pose[1:3])

        def of_identity(i, rows=rows, view=view, expression=expression):
            return identity_cost(rows, view, i, expression, targets, priors)[0]

        identity = minimize(of_identity, identity, method="L-BFGS-B", options={"maxiter": 100}).x

        def of_weights(a, rows=rows, view=view, identity=identity):
            return expression_cost(rows, view, identity, np.concatenate([[1.0], a]), targets, priors)[0]

        weights = minimize(
            of_weights, expression[1:], method="L-BFGS-B", bounds=[(0, 1)] * 51, options={"maxiter": 30}
        ).x
        expression = np.concatenate([[1.0], weights])
        vertices[:17] = outline.jaw(view.turn, identity, expression)
    rows = outline.rows(vertices)
    error = np.linalg.norm(view.project(rows @ identity @ expression) - targets, axis=1).mean()
    costs = (f(rows, view, identity, expression, targets, priors)[0] for f in (identity_cost, expression_cost))
    return *costs, error


@pytest.mark.parametrize("stiff", [1.0, 1e6])
def test_box_quadratic_equals_scipys_solver(stiff):
    from scipy.optimize import lsq_linear

    rng = np.random.default_rng(1)
    for _ in range(10):
        root = rng.normal(size=(40, 30)) * np.geomspace(1, np.sqrt(stiff), 30)
        goal = root @ rng.uniform(-0.5, 1.5, 30)
        found = box_quadratic(root.T @ root, root.T @ goal, rng.uniform(size=30), np.zeros(30), np.ones(30))
        expected = lsq_linear(root, goal, (0, 1), method="bvls", tol=1e-14).x
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_each_step_ends_where_its_cost_has_no_slope(data):
    targets = _landmarks(data, 1) * DOWN
    points = Points(Outline.of(data).rows(data.landmark_vertices), targets, Priors.of(data))
    view = View(rotation_matrix(np.array([0, 0.1, 0])), 2.0, targets.mean(0))
    state = posed(points, State(view, data.start_identity, np.eye(1, 52)[0]))

    def slopes(state):
        arguments = (points.rows, state.view, state.identity, state.expression, targets, points.priors)
        of_weights = expression_cost(*arguments)[1]
        a = state.expression[1:]
        of_weights[((a <= 1e-12) & (of_weights > 0)) | ((a >= 1 - 1e-12) & (of_weights < 0))] = 0.0  # held by the box
        return identity_cost(*arguments)[1] * np.sqrt(data.id_var), of_weights

    before = slopes(state)
    state = with_identity(points, state)
    assert np.abs(slopes(state)[0]).max() < 1e-7 * np.abs(before[0]).max()
    state = with_expression(points, state)
    assert np.abs(slopes(state)[1]).max() < 1e-3 * np.abs(before[1]).max()
    final = joint(points, state, 100, 1e-13)
    assert final.view.scale == state.view.scale
    assert points.joint_cost(final) < points.joint_cost(state)
    for slope, first in zip(slopes(final), before, strict=True):
        assert np.abs(slope).max() < 1e-3 * np.abs(first).max()
    assert final.expression.min() >= 0
    assert final.expression.max() <= 1


def test_costs_and_error_are_no_higher_than_on_the_originals_path(data):
    points68 = _landmarks(data, 3)
    cost_id, cost_exp, error = _original_path(data, points68)
    found, _ = finish(solve(data, points68))
    assert found.cost_id <= cost_id
    assert found.cost_exp <= cost_exp
    assert found.distances_px.mean() <= error


@pytest.mark.parametrize(
    ("rotation", "roll"), [((0, 0, 0), 1.5), ((0.1, 0.2, 0), 3.1), ((0.3, 0.7, 0), 0.0), ((-0.2, -0.7, 0), -0.6)]
)
def test_heads_that_lie_hang_or_turn(data, rotation, roll):
    points68 = _landmarks(data, 5, rotation, noise=0.5, roll=roll)
    found, _ = finish(solve(data, points68))
    assert found.distances_px.mean() < 0.01 * np.ptp(points68, axis=0).max()
    true = rotation_matrix(np.array([0.0, 0.0, roll])) @ rotation_matrix(np.array(rotation, float))
    apart = np.degrees(np.arccos((np.trace(found.view.turn @ true.T) - 1) / 2))
    assert apart < 10
    rows = Outline.of(data).rows(found.landmark_vertices)  # the view belongs to the picture as it came
    again = found.view.project(rows @ found.identity @ found.expression) * DOWN
    np.testing.assert_allclose(np.linalg.norm(again - points68, axis=1), found.distances_px)


def test_it_reports_on_the_way_and_can_be_stopped(data):
    steps = solve(data, _landmarks(data, 2))
    fractions = [next(steps).fraction for _ in range(LOOPS)]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_unknown_points_are_left_out(data):
    points68 = _landmarks(data, 4, noise=0.3)
    hidden = points68.copy()
    hidden[[0, 3, 8, 20, 60]] = np.nan
    found, _ = finish(solve(data, hidden))
    assert (found.landmark_vertices[[0, 3, 8, 20, 60]] == -1).all()
    assert (np.delete(found.landmark_vertices, [0, 3, 8, 20, 60]) >= 0).all()
    assert np.isnan(found.distances_px).sum() == 5
    assert np.nanmean(found.distances_px) < 0.02 * np.ptp(points68, axis=0).max()


@pytest.mark.parametrize("known", [0, 3])
def test_too_few_points_are_refused(data, known):
    points68 = _landmarks(data, 4)
    points68[known:] = np.nan
    with pytest.raises(PhotoError, match="too few"):
        finish(solve(data, points68))


def test_points_in_one_place_are_refused(data):
    for points68 in (np.full((68, 2), 40.0), np.stack([np.arange(68.0), np.full(68, 7.0)], 1)):
        with pytest.raises(PhotoError, match="one place"):
            finish(solve(data, points68))


@pytest.fixture(scope="module")
def full_points(tmp_path_factory):
    """The full-size stand-in at the vertices that a fit can touch, and where each of its vertices went."""
    return _full_points(tmp_path_factory.mktemp("standin"))


def _full_points(folder):
    predef = FACESCAPE / "predef"
    arrays = {}
    for name in ("exp_GMM.pkl", "id_mean.pkl", "id_var.pkl", "contour_line_68.pkl", "index_68.txt"):
        arrays |= READERS[name]((predef / name).read_bytes())
    touched = (arrays["contour_right"], arrays["contour_left"], arrays["landmark_vertices"], np.array(CHIN))
    kept = np.unique(np.concatenate(touched))
    place = np.full(kept.max() + 1, -1, np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    core, start = _standin_core(folder, kept, arrays["id_mean"], arrays["id_var"])
    lines = {
        side: tuple(np.split(place[arrays[side]], np.cumsum(arrays[f"{side}_sizes"])[:-1]))
        for side in ("contour_right", "contour_left")
    }
    nothing, triangle = np.zeros(1, np.int32), np.zeros((1, 3), np.int32)
    data = FaceScapeData(
        core=core, faces=triangle, uvs=np.zeros((1, 2), np.float32), uv_faces=triangle.copy(),
        front_vertices=nothing, front_faces=triangle.copy(), front_uvs=np.zeros((1, 2), np.float32),
        front_uv_faces=triangle.copy(), texture_faces=nothing.copy(), front_mask=np.zeros((1024, 1024), bool),
        landmark_vertices=place[arrays["landmark_vertices"]], chin_vertices=place[list(CHIN)],
        contour_right=tuple(line.copy() for line in lines["contour_right"]),
        contour_left=tuple(line.copy() for line in lines["contour_left"]),
        id_mean=arrays["id_mean"], id_var=arrays["id_var"], start_identity=start,
        gmm_weights=arrays["gmm_weights"], gmm_means=arrays["gmm_means"],
        gmm_precisions_cholesky=arrays["gmm_precisions_cholesky"], position_maps=None,
    )  # fmt: skip
    return data, place


def _standin_core(folder, kept, id_mean, id_var):
    """Core and starting identity by the maker of the stand-in, at the kept vertices only."""
    text = (FACESCAPE / "make_standin.py").read_text(encoding="utf-8")
    maker = {"__name__": "make_standin"}
    argv, sys.argv = sys.argv, ["make_standin", str(FACESCAPE / "predef"), str(folder)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves its files to be closed by the interpreter
            exec(compile(text.rsplit("main()", 1)[0], "make_standin.py", "exec"), maker)
            mean = maker["mean_shape"]()
    finally:
        sys.argv = argv
    rng = np.random.default_rng(20240607)
    shifts = maker["exp_modes"](mean)[:, kept].reshape(51, -1)
    modes = maker["id_modes"](mean, rng)[:, kept].reshape(49, -1)
    strength = rng.normal(0, 0.12, (50, 51))
    core = np.zeros((50, 52, 3 * len(kept)), np.float32)
    for j in range(50):
        base, unit = (mean[kept].ravel(), 1 / id_mean[0]) if j == 0 else (modes[j - 1], 1 / np.sqrt(id_var[j]))
        core[j, 0] = base * unit
        for e in range(51):
            own = unit if j == 0 else unit * strength[j, e] * 0.5 / (1 + j) ** 0.5
            core[j, e + 1] = base * unit + shifts[e] * own
    people = rng.standard_normal((847, 50))
    people = (people - people.mean(0)) / people.std(0)
    return core, (people * np.sqrt(id_var) + id_mean).astype(np.float32)[0].astype(np.float64)


@pytest.mark.skipif(not FACESCAPE.is_dir(), reason="the recordings of the original are not here")
@pytest.mark.parametrize("name", PHOTOS)
def test_on_the_recorded_photos_costs_and_errors_are_no_higher_than_the_originals(full_points, name):
    import cv2

    data, place = full_points
    height = cv2.imread(str(SHARED / "photos" / PHOTOS[name])).shape[0]
    with np.load(FACESCAPE / "golden" / f"{name}_original.npz") as golden:
        points68 = golden["landmarks_small"] * float(golden["small_scale"])
        targets = points68 * DOWN + (0, height)
        view = View(rotation_matrix(golden["rot"]), float(golden["scale"]), golden["trans"])
        rows = Outline.of(data).rows(place[golden["landmark_index"]])
        arguments = (rows, view, golden["identity"], golden["expression"], targets, Priors.of(data))
        recorded = float(golden["cost_id"]), float(golden["cost_exp"])
        # At the original's own parameters the costs are the original's.
        assert identity_cost(*arguments)[0] == pytest.approx(recorded[0], rel=1e-6)
        assert expression_cost(*arguments)[0] == pytest.approx(recorded[1], rel=1e-6)
        head = model_core.positions(data.core, golden["identity"], golden["expression"]).astype(np.float64)
        jaw = outermost(candidates(data), head @ view.turn.T)
        np.testing.assert_array_equal(jaw, place[golden["landmark_index"][:17]])
        found, _ = finish(solve(data, points68))
        assert found.cost_id <= recorded[0]
        assert found.cost_exp <= recorded[1]
        assert found.distances_px.mean() <= golden["landmark_error_px"].mean()
        assert found.view.scale == pytest.approx(float(golden["scale"]), rel=0.03)  # not lowered by a smaller model
