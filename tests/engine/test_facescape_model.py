"""The FaceScape pack behind the contract of all packs, and the passes over its mapped core."""

from __future__ import annotations

import mmap
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import camera as cameras
from engine import expressions
from engine.errors import PhotoError
from engine.packs.facescape import model_core
from engine.packs.facescape.contour import Outline, candidates
from engine.packs.facescape.model import FaceScapePack, load_facescape_pack, points_of_original
from engine.packs.pack import ModelPack
from engine.rig import make_basis, pose
from engine.types import FaceBox, Landmarks, WeakPerspective
from tests.facescape_standin import make_pack
from tests.running import finish


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_pack(tmp_path_factory.mktemp("model"), networks=False)


@pytest.fixture(scope="module")
def pack(data):
    return FaceScapePack(data)


def _person(data, seed=0):
    rng = np.random.default_rng(seed)
    identity = (data.id_mean + rng.normal(size=len(data.id_mean)) * np.sqrt(data.id_var)).astype(np.float32)
    return identity, np.concatenate([[1.0], rng.uniform(0, 0.5, 51)]).astype(np.float32)


def _relative(data):
    """The core as plain float64 with the neutral subtracted: (I, 52, V, 3)."""
    core = np.array(data.core, np.float64).reshape(*data.core.shape[:2], -1, 3)
    core[:, 1:] -= core[:, :1]
    return core


@pytest.mark.parametrize("block", [1, 64_000_000])
@pytest.mark.parametrize("mapped", [True, False])
def test_contractions_equal_plain_sums(data, monkeypatch, block, mapped):
    monkeypatch.setattr(model_core, "_BLOCK_BYTES", block)
    core = data.core if mapped else np.array(data.core)
    assert hasattr(core, "_mmap") == mapped
    identity, expression = _person(data)
    plain = np.einsum("i,iejc->ejc", identity, _relative(data))
    np.testing.assert_allclose(model_core.person_shapes(core, identity), plain, atol=2e-3)
    found = model_core.positions(core, identity.astype(np.float64), expression.astype(np.float64))
    np.testing.assert_allclose(found, np.tensordot(expression, plain, 1), atol=2e-3)
    vertices = np.array([5, 2, 90], np.int32)
    rows = model_core.as_rows(model_core.gathered(core, vertices))
    np.testing.assert_allclose(rows, _relative(data)[:, :, vertices].transpose(2, 3, 1, 0), rtol=1e-4, atol=1e-2)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's account of mapped memory")
def test_a_pass_over_a_mapped_core_keeps_little_of_it_in_memory(tmp_path):
    path = tmp_path / "core.npy"
    np.lib.format.open_memmap(path, "w+", np.float32, (20, 52, 60_000)).flush()  # 250 MB, a hole on disk
    core = np.load(path, mmap_mode="r")

    def resident_mb():
        lines = Path("/proc/self/smaps").read_text().splitlines()
        own = False
        for line in lines:
            own = line.endswith(str(path)) or (own and ":" in line.split()[0] and "-" not in line.split()[0])
            if own and line.startswith("Rss:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the file is not mapped")

    identity = np.ones(20)
    for work in (
        lambda: model_core.positions(core, identity, np.ones(52)),
        lambda: model_core.person_shapes(core, identity),
        lambda: model_core.gathered(core, np.arange(0, 20_000, 100, dtype=np.int32)),
    ):
        work()
        assert resident_mb() < 20
    assert float(core[3, 3].sum()) == 0.0  # the file is still there to be read
    assert hasattr(mmap, "MADV_DONTNEED")


def test_the_pack_keeps_the_contract(pack, data):
    typed: ModelPack = pack
    topology = typed.topology
    np.testing.assert_array_equal(topology.faces, data.front_faces)
    np.testing.assert_array_equal(topology.uv_faces, data.front_uv_faces)
    assert topology.vertex_count == len(data.front_vertices)
    window = topology.window
    assert (window.u0 * 4096, (1 - window.v1) * 4096) == (1100, 600)
    assert (window.u1 * 4096, (1 - window.v0) * 4096, window.map_size) == (3000, 2500, 1024)
    assert typed.map_scale_mm == 0.914
    assert typed.key_names == expressions.KEY_NAMES
    assert typed.dense_vertices is None
    assert typed.eye_charts == ()
    assert len(typed.contour_candidates) == 17
    np.testing.assert_allclose(typed.identity_sd**2, data.id_var, rtol=1e-6)


def test_landmarks_and_contours_are_vertices_of_the_front_or_nothing(pack, data):
    inside = np.isin(data.landmark_vertices, data.front_vertices)
    np.testing.assert_array_equal(pack.landmark_vertices >= 0, inside)
    np.testing.assert_array_equal(data.front_vertices[pack.landmark_vertices[inside]], data.landmark_vertices[inside])
    for mine, whole in zip(pack.contour_candidates, candidates(data), strict=True):
        np.testing.assert_array_equal(data.front_vertices[mine], whole[np.isin(whole, data.front_vertices)])


def test_landmark_beyond_the_front_is_marked_absent(data):
    back = np.setdiff1d(np.arange(data.vertex_count), data.front_vertices)[0]
    moved = data.landmark_vertices.copy()
    moved[0] = back
    pack = FaceScapePack(replace(data, landmark_vertices=moved))
    assert pack.landmark_vertices[0] == -1
    assert (pack.landmark_vertices[1:] == FaceScapePack(data).landmark_vertices[1:]).all()


def test_shapes_rows_and_head_agree(pack, data):
    identity, expression = _person(data, 1)
    neutral, deltas = pack.shapes(identity)
    assert neutral.dtype == deltas.dtype == np.float32
    assert deltas.shape == (51, pack.topology.vertex_count, 3)
    whole = np.tensordot(identity.astype(np.float64), _relative(data), 1)
    np.testing.assert_allclose(neutral, whole[0, data.front_vertices], atol=2e-3)
    np.testing.assert_allclose(deltas, whole[1:, data.front_vertices], atol=2e-3)
    vertices = np.array([3, 100, 7], np.int32)
    mean, core = pack.bilinear(vertices)
    assert not mean.any()
    fitted = (mean + core @ identity) @ expression
    front = neutral + np.tensordot(expression[1:], deltas, 1)
    np.testing.assert_allclose(fitted, front[vertices], atol=5e-3)
    np.testing.assert_allclose(pack.head(identity, expression)[data.front_vertices], front, atol=2e-3)


def test_vertices_beyond_the_front_are_refused(pack):
    for bad in (-1, pack.topology.vertex_count):
        with pytest.raises(ValueError, match="front mesh"):
            pack.bilinear(np.array([bad], np.int32))


def test_the_rig_is_made_from_it(pack, data):
    identity, expression = _person(data, 2)
    rig = make_basis(pack, identity)
    posed = pose(rig, expression[1:])
    np.testing.assert_allclose(posed.vertices, pack.head(identity, expression)[data.front_vertices], atol=2e-3)
    assert rig.activation.max() == 1.0


def test_fit_finds_a_face_of_the_model_again(pack, data):
    identity, _ = _person(data, 3)
    expression = np.concatenate([[1.0], data.gmm_means[1]]).astype(np.float32)  # a smile
    camera = WeakPerspective(np.array([0.05, 0.1, -0.05], np.float32), 2.5, np.array([300, 420], np.float32))
    head = pack.head(identity, expression)
    seen = data.landmark_vertices.copy()
    seen[:17] = Outline.of(data).jaw(
        cameras.rotation_matrix(camera.rotation), identity.astype(np.float64), expression.astype(np.float64)
    )
    pixels = cameras.project(camera, head)[seen] - 0.5  # detectors count from pixel centres
    box = FaceBox(*pixels.min(0), *pixels.max(0), 1.0)
    found, reports = finish(pack.fit(Landmarks(np.zeros((0, 2), np.float32), pixels.astype(np.float32), box)))
    again = cameras.project(found.camera, pack.head(found.identity, found.expression)) - 0.5
    eyes = np.linalg.norm(pixels[36] - pixels[45])
    inner = data.landmark_vertices[17:]
    assert np.linalg.norm(again[inner] - pixels[17:], axis=1).mean() < 0.003 * eyes
    assert found.error68 < 0.003
    assert abs(found.yaw_deg - cameras.yaw_deg(camera)) < 1
    assert np.isnan(found.error_dense)
    assert found.landmark_vertices.dtype == np.int32
    assert found.expression[0] == 1.0
    assert np.corrcoef(found.weights, expression[1:])[0, 1] > 0.97
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions)
    assert len(fractions) >= 6


def test_a_face_without_68_points_is_refused_with_a_way_on(pack):
    nowhere = Landmarks(np.zeros((468, 2), np.float32), None, FaceBox(0, 0, 1, 1, 1.0))
    with pytest.raises(PhotoError, match="68 landmarks") as refused:
        finish(pack.fit(nowhere))
    assert refused.value.hint


def test_points_of_the_original_are_y_up_from_pixel_middles():
    camera = WeakPerspective(np.zeros(3, np.float32), 2.0, np.array([100.5, 50.5], np.float32))
    points = points_of_original(camera, np.array([[0, 0, 9], [3, 4, 0]], np.float32), photo_height=200)
    np.testing.assert_allclose(points, [[100, 150], [106, 158]])  # pixel row 50 from the top is 150 = h - 50


@pytest.mark.usefixtures("tmp_home")
def test_predictor_is_made_when_asked_for_and_kept(data):
    without = FaceScapePack(data)
    assert without.predictor() is without.predictor()
    assert without.predictor().name == "photometric"
    assert len(without.notes) == 1
    imported = FaceScapePack(replace(data, checkpoints={"single": Path("not read before it is needed")}))
    assert imported.predictor().name == "network"
    assert imported.notes == ()
    assert FaceScapePack(data, imported.predictor()).predictor() is imported.predictor()


def test_pack_is_loaded_from_its_folder(data):
    pack = load_facescape_pack(data.folder)
    assert pack.name == "facescape"
    assert pack.topology.vertex_count == len(data.front_vertices)
    assert "engine.packs.facescape.model" in sys.modules
