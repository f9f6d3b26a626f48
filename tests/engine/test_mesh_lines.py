"""The net that is drawn over the photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.camera import project
from engine.mesh_lines import coarse_faces, lines_over_photo
from engine.packs.open_pack import load_open_pack
from engine.rig import make_basis
from engine.types import WeakPerspective
from tests import synthetic


@pytest.fixture(scope="module")
def open_face():
    """The open pack's mean face, seen from the front."""
    pack = load_open_pack()
    asset = synthetic.make_asset()
    window = asset.topology.window
    topology = replace(pack.topology, window=window)
    fit = replace(asset.fit, identity=pack.identity_mean, landmark_vertices=pack.landmark_vertices)
    return replace(asset, topology=topology, rig=make_basis(pack, pack.identity_mean), fit=fit)


def test_a_subdivided_mesh_gives_the_cage_that_it_was_cut_from(open_face):
    faces = coarse_faces(open_face.topology)
    assert faces.shape == (852, 3)
    assert faces.max() == 467  # the dense points come first in this pack
    fine = open_face.topology.faces[: len(faces) * 64].reshape(-1, 192)
    for parent, parts in zip(faces[::50], fine[::50], strict=True):
        assert np.isin(parent, parts).all()


def test_other_meshes_give_few_triangles_that_still_cover_the_face(open_face):
    faces = open_face.topology.faces.copy()
    skin = open_face.topology.skin.faces[1]
    order = np.random.default_rng(0).permutation(skin)
    faces[:skin] = faces[order]
    uv_faces = open_face.topology.uv_faces.copy()
    uv_faces[:skin] = uv_faces[order]
    shuffled = replace(open_face.topology, faces=faces, uv_faces=uv_faces)
    few = coarse_faces(shuffled)
    assert 300 < len(few) < 3000

    def area(triangles: np.ndarray) -> float:
        a, b, c = (open_face.rig.neutral[triangles[:, i]] for i in range(3))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)

    assert 0.6 < area(few) / area(faces[:skin]) < 1.1


def test_lines_lie_on_the_projected_face(open_face):
    lines = lines_over_photo(open_face)
    rig, fit = open_face.rig, open_face.fit
    posed = rig.neutral + np.tensordot(fit.weights, rig.deltas, 1)
    points = project(fit.camera, posed[np.unique(coarse_faces(open_face.topology))].astype(np.float32))
    distance = np.linalg.norm(lines.reshape(-1, 1, 2) - points, axis=2).min(1)
    assert distance.max() < 1e-3
    assert len(lines) > 800


def test_the_far_side_of_a_turned_head_is_left_out(open_face):
    turned = WeakPerspective(np.array([0, np.pi / 2, 0], np.float32), 1.05, np.array([100, 130], np.float32))
    front = lines_over_photo(open_face)
    side = lines_over_photo(replace(open_face, fit=replace(open_face.fit, camera=turned)))
    assert 0.3 < len(side) / len(front) < 0.7
