"""How deep the detail of an export is, and which masks blend it."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image

from engine.detail.bands import face_steps
from engine.export import ExportOptions, export_face
from engine.expressions import SHAPE_INDEX
from engine.rig import pose
from tests.running import finish
from tests.synthetic import make_asset, make_pose


@pytest.fixture(scope="module")
def face():
    return make_asset()


def vertices(face, folder, name="a", **options) -> np.ndarray:
    shown = make_pose(face)
    finish(export_face(face, shown, ExportOptions(subdivisions=1, texture=False, **options), folder, name))
    return trimesh.load(folder / f"{name}.obj", process=False, maintain_order=True).vertices


def test_strength_scales_how_far_vertices_move(face, tmp_path):
    base = vertices(face, tmp_path)
    moved = {
        strength: vertices(face, tmp_path, mesh="displaced", detail_strength=strength) - base
        for strength in (0.0, 0.5, 1.0, 2.0)
    }
    assert np.abs(moved[1.0]).max() > 0.2
    np.testing.assert_allclose(moved[0.0], 0.0, atol=2e-6)
    np.testing.assert_allclose(moved[0.5], 0.5 * moved[1.0], atol=2e-5)
    np.testing.assert_allclose(moved[2.0], 2.0 * moved[1.0], atol=2e-5)


def test_strength_scales_the_maps_and_the_note_says_so(face, tmp_path):
    grey = {}
    for strength in (0.5, 1.0):
        options = ExportOptions(maps="static", map_scale_mm=2.0, detail_strength=strength)
        finish(export_face(face, make_pose(face), options, tmp_path, "a"))
        with Image.open(tmp_path / "a_dpmap.png") as picture:
            grey[strength] = np.array(picture).astype(int) - 32768
    assert np.abs(grey[1.0]).max() > 1000
    np.testing.assert_allclose(grey[0.5], 0.5 * grey[1.0], atol=1)
    note = (tmp_path / "a_dpmap.txt").read_text()
    assert "100 % as deep" in note


def test_published_masks_reach_the_shapes_of_a_set(face, tmp_path):
    folder, shape = tmp_path / "a_blendshapes", "jawOpen"
    found = {}
    for exact in (False, True):
        options = ExportOptions(mesh="displaced", expression="all", texture=False, exact=exact)
        finish(export_face(face, make_pose(face), options, tmp_path, "a"))
        found[exact] = trimesh.load(folder / f"{shape}.obj", process=False, maintain_order=True).vertices
    weights = np.eye(51, dtype=np.float32)[SHAPE_INDEX[shape]]
    differ = np.abs(pose(face.rig, weights).map_weights - pose(face.rig, weights, True).map_weights).max()
    assert differ > 0.1
    assert np.abs(found[True] - found[False]).max() > 0.01


def test_bands_reach_the_maps_and_the_mesh_as_in_the_window(face, tmp_path):
    bands = (0.0, 0.5, 2.0)
    drawn = finish(face_steps(face, bands))[0]
    same = {"mesh": "displaced", "maps": "all", "map_scale_mm": 2.0}
    weighed = vertices(face, tmp_path / "a", detail_bands=bands, **same)
    np.testing.assert_array_equal(weighed, vertices(drawn, tmp_path / "b", **same))
    assert np.abs(weighed - vertices(face, tmp_path / "c", **same)).max() > 0.01
    for name in ("a_dpmap_0.png", "a_dpmap_19.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "pores (below 2 mm from crest to crest) 0 %" in (tmp_path / "a" / "a_dpmap.txt").read_text()
    assert "pores" not in (tmp_path / "b" / "a_dpmap.txt").read_text()


@pytest.mark.parametrize("bands", [(1.0, 1.0), (1.0, -0.1, 1.0), (1.0, 1.0, 2.1)])
def test_impossible_bands_are_named(bands):
    with pytest.raises(ValueError, match="detail_bands"):
        ExportOptions(detail_bands=bands)


@pytest.mark.parametrize("strength", [-0.1, 2.5, float("nan")])
def test_impossible_strengths_are_named(strength):
    with pytest.raises(ValueError, match="detail_strength"):
        ExportOptions(detail_strength=strength)
