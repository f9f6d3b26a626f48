"""The statistical prior and the fairing of the average face on the shipped cage; the accuracy benchmark's measure."""

from __future__ import annotations

import io

import numpy as np
import pytest

from engine.packs.open_pack import PACK_FILE, load_open_pack
from engine.resources import read_resource
from engine.training import build_open_pack, variation
from engine.training.fairing import faired
from tests.bench.accuracy import closeness


@pytest.fixture(scope="module")
def cage():
    with np.load(io.BytesIO(read_resource(PACK_FILE)), allow_pickle=False) as archive:
        return build_open_pack.cage_of({key: archive[key] for key in archive.files})


@pytest.fixture(scope="module")
def template():
    face = load_open_pack().shapes(np.zeros(50, np.float32))[0][:468].astype(float)
    mirror = load_open_pack().topology.mirror[:468]
    return (face + (face * (-1, 1, 1))[mirror]) / 2


@pytest.fixture(scope="module")
def modes(cage, template):
    rng = np.random.default_rng(0)
    wide, tall = template * (1, 0, 0), template * (0, 1, 0)
    samples = np.array([0.03 * a * wide + 0.03 * b * tall for a, b in rng.normal(size=(40, 2))])
    smile = np.zeros((1, 468, 3))
    smile[0, [61, 291], 1] = 10.0
    return variation.identity_modes(samples, template, cage.faces, cage.mirror, smile, 20)


def test_modes_are_even_but_for_a_few_and_ordered_by_size(cage, modes):
    even = [variation.is_even(field, cage.mirror) for field in modes.directions]
    assert sum(even) == 18
    assert (np.diff(modes.sd_mm) <= 0).all()
    np.testing.assert_allclose(modes.sd_mm, np.sqrt((modes.directions**2).sum(2).mean(1)))
    assert 0.5 < modes.share.sum() <= 1.0


def test_what_is_rather_expression_is_less_identity(cage, template, modes):
    other = np.zeros((1, 468, 3))
    other[0, 10, 1] = 1.0
    samples = np.zeros((5, 468, 3))
    samples[:] = np.linspace(-1, 1, 5)[:, None, None] * 0.03 * template
    corners = [
        np.linalg.norm(found.directions[:, [61, 291], 1].sum(1))
        for found in (modes, variation.identity_modes(samples, template, cage.faces, cage.mirror, other, 20))
    ]
    assert corners[0] < 0.95 * corners[1]


def test_fairing_takes_a_bump_off_the_cheek_and_leaves_the_lips(cage, template):
    smooth = faired(template, cage)
    bumpy = template.copy()
    bumpy[[205, 425], 2] += 3.0
    mended = faired(bumpy, cage)
    assert np.abs(mended[205, 2] - smooth[205, 2]) < 1.8  # of 3 mm
    assert np.linalg.norm(mended[[13, 14, 61, 78]] - bumpy[[13, 14, 61, 78]], axis=1).max() < 0.3
    np.testing.assert_allclose((mended * (-1, 1, 1))[cage.mirror], mended, atol=1e-9)


def test_closeness_sees_shape_and_no_pose_or_scale():
    pack = load_open_pack()
    V, F = pack.topology.skin.vertices[1], pack.topology.skin.faces[1]
    true, faces = pack.shapes(np.zeros(50, np.float32))[0][:V].astype(float), pack.topology.faces[:F]
    c, s = np.cos(0.3), np.sin(0.3)
    moved = 1.2 * true @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) + (5, -8, 20)
    same = closeness(moved, true, faces)
    assert same.distance_mm < 0.05
    assert same.normals_deg < 0.5
    longer = true * (1, 1, 1) + np.where(true[:, 1:2] < -30, 3.0, 0.0) * (0, -1, 1)
    other = closeness(longer, true, faces)
    assert other.distance_mm > 5 * same.distance_mm
    assert other.p90_mm > 0.8
