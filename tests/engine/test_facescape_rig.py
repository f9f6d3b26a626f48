"""The rig with the FaceScape pack: 20 maps blended by this person's shapes, made when needed, kept between runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine import expressions, rig
from engine.detail.map_cache import MapCache
from engine.packs.facescape.model import FaceScapePack
from engine.packs.facescape.network_predictor import NetworkPredictor
from engine.pipeline import Models, add_key_maps
from engine.types import FaceAsset, SkinTexture, WeakPerspective
from tests.bare_face import bare_face
from tests.facescape_standin import make_pack
from tests.running import finish
from tests.synthetic import make_photo

KEYS = expressions.key_weights()
UNLISTED = np.flatnonzero(~KEYS.any(0))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny layers: threads that wait for each other cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    found = make_pack(tmp_path_factory.mktemp("rig"))
    waves = np.sin(np.arange(1, 61)[:, None] * np.linspace(0, 3, 1024))  # each channel its own
    return replace(found, position_maps=np.broadcast_to(waves.astype(np.float32)[:, None], (60, 1024, 1024)))


@pytest.fixture(scope="module")
def face(data) -> FaceAsset:
    """A person of the model without any map."""
    pack = FaceScapePack(data)
    identity = (data.id_mean + 0.5 * np.sqrt(data.id_var)).astype(np.float32)
    basis = rig.make_basis(pack, identity)
    camera = WeakPerspective(np.zeros(3, np.float32), 1.0, np.array([100, 120], np.float32))
    flat = np.zeros((1024, 1024), np.float32)
    bare, _ = bare_face(make_photo(), camera, pack.topology, basis.neutral, flat)
    pixels = np.random.default_rng(5).integers(60, 200, (4096, 4096, 1), np.uint8).repeat(3, axis=2)
    texture = SkinTexture(pixels, np.ones((1024, 1024), np.float32))
    return replace(bare, rig=basis, texture=texture, key_maps=(None,) * len(KEYS))


def with_waves(face: FaceAsset) -> FaceAsset:
    """The face with a wave of its own for each key."""
    y, x = np.mgrid[:1024, :1024].astype(np.float32) / 1024
    for k in range(len(KEYS)):
        face = face.with_map(k, 0.2 * np.sin((30 + 7 * k) * x + k) * np.cos((50 - 2 * k) * y))
    return face


@pytest.mark.parametrize("exact", [False, True])
def test_shapes_without_a_key_keep_the_neutral_detail(face, exact):
    assert len(UNLISTED) == 22
    weights = np.zeros(len(expressions.SHAPES), np.float32)
    weights[UNLISTED] = 1.0
    posed = rig.pose(face.rig, weights, exact)
    assert np.abs(posed.vertices - face.rig.neutral).max() > 3, "the mesh moves"
    assert (posed.map_weights[:, 0] == 1).all(), "the detail does not"


def test_every_listed_shape_brings_its_key_s_map_where_it_moves_the_skin(face):
    for shape in np.flatnonzero(KEYS.any(0)):
        weights = np.zeros(len(expressions.SHAPES), np.float32)
        weights[shape] = 1.0
        shares = rig.pose(face.rig, weights).map_weights
        keys = np.flatnonzero(KEYS[:, shape])
        assert shares[:, keys].max() > 0.1, expressions.SHAPE_NAMES[shape]
        assert not shares[:, np.setdiff1d(np.arange(1, len(KEYS)), keys)].any()
        still = face.rig.activation[shape] == 0
        assert (shares[still, 0] == 1).all()


def test_the_keys_are_reached_at_their_own_weights_and_less_with_the_published_masks(face):
    complete = with_waves(face)
    ours, paper = rig.closeness(complete), rig.closeness(complete, exact=True)
    assert ours[0] == paper[0] == 0
    assert (ours[1:] <= 0.35).sum() >= 15
    assert ours[1:].mean() < 0.6 * paper[1:].mean()


def test_maps_are_as_deep_in_the_blend_as_by_themselves(face):
    """No dark maps: a blend of equal maps is that map, whatever the sliders say."""
    same = with_waves(face).key_maps[4]
    for k in range(len(KEYS)):
        face = face.with_map(k, same)
    weights = np.random.default_rng(6).uniform(0, 1, len(expressions.SHAPES)).astype(np.float32)
    for exact in (False, True):
        np.testing.assert_allclose(rig.blend_maps(face, rig.pose(face.rig, weights, exact)), same, atol=1e-5)


def test_closeness_without_relief_is_no_number(face):
    flat = np.zeros((1024, 1024), np.float32)
    assert np.isnan(rig.closeness(face.with_map(1, flat))[1])


def test_an_interrupted_run_goes_on_where_it_was_and_a_second_one_makes_nothing(face, data, tmp_path, monkeypatch):
    runs = []
    networks = NetworkPredictor._network
    monkeypatch.setattr(NetworkPredictor, "_network", lambda self, kind: runs.append(kind) or networks(self, kind))

    def models() -> Models:  # as a new start of the program makes them
        return Models(FaceScapePack(data, NetworkPredictor(data, cache=MapCache(tmp_path), device="cpu")), None)

    steps = add_key_maps(face, models(), (0, 1, 2))
    while len(runs) < 3:
        next(steps)
    steps.close()  # in the middle of the third map
    again = finish(add_key_maps(face, models(), (0, 1, 2)))[0]
    assert runs == ["rig"] * 4, "two maps, one that was interrupted, the same once more"
    third = finish(add_key_maps(face, models(), (2, 1, 0)))[0]
    assert len(runs) == 4
    for k in range(3):
        np.testing.assert_array_equal(again.key_maps[k], third.key_maps[k])
    assert np.abs(again.key_maps[0] - again.key_maps[1]).max() > 1e-3
    assert all(key_map is None for key_map in again.key_maps[3:]), "only what was asked for"
