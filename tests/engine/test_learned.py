from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.detail import learned
from engine.detail.learned import LearnedPredictor, best_predictor, load_detail_network
from engine.detail.map_cache import MapCache
from engine.detail.network import DetailNetwork, NetworkConfig
from engine.detail.photometric import PhotometricPredictor
from engine.detail.predictor import STATIC, DetailRequest
from engine.errors import ModelFileError
from engine.expressions import ALL_KEY_NAMES, KEY_NAMES, SHAPE_NAMES, all_key_weights, key_weights
from engine.packs.open_pack import load_open_pack
from engine.resources import MANIFEST, ResourceEntry
from engine.training import detail, detail_ship
from engine.training.detail import TrainingConfig, train
from engine.training.skin.batches import SkinExamples, mirrored, network_planes
from engine.training.skin.heads import Head, load_heads
from engine.training.skin.person import invent_person
from engine.training.skin.relief import Relief, express, make_relief
from engine.training.skin.samples import known, make_sample, random_smoothness, wanted
from engine.training.skin.window import cut, cut_key
from tests.bench import detail as bench
from tests.engine.dome import flat_request

N = 256
PLACE = (96, 384, N)
TINY = NetworkConfig(widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), key_width=8, key_blocks=1, key_fine=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heads")


@pytest.fixture(scope="module")
def head(folder: Path) -> Head:
    return load_heads(load_open_pack(), (1001,), folder)[0]


def _person(age: float):
    return replace(
        invent_person(np.random.default_rng(1)),
        age=age, creases=0.1 + 1.1 * age, crease_depth=0.3 + 0.6 * age, fold_mm=0.06 + 0.36 * age,
        onset=0.045 - 0.03 * age,
    )  # fmt: skip


def _key(name: str) -> int:
    return ALL_KEY_NAMES.index(name)


# -- data ----------------------------------------------------------------------------------------------------------


def test_the_network_is_told_how_fine_the_photo_is(head: Head) -> None:
    rng = np.random.default_rng(3)
    coarse, fine = (make_sample(head, np.random.default_rng(3), (), PLACE, px) for px in (300.0, 1500.0))
    sharper = fine.photo_px_per_mm / coarse.photo_px_per_mm
    assert 3.5 < sharper < 7.0  # five times, but for what a fit takes the scale for
    levels = [sample.planes()[1][..., -1] for sample in (coarse, fine)]
    assert all(np.ptp(level) == 0.0 for level in levels)
    assert float(levels[1].mean() - levels[0].mean()) == pytest.approx(np.log2(sharper), abs=1e-4)
    unknown = replace(flat_request(rng.integers(0, 255, (N, N, 3)).astype(np.uint8), m=N // 4), photo_px_per_mm=None)
    network = DetailNetwork(TINY).eval()
    assert np.isfinite(next(iter(LearnedPredictor(network, "x").predict(unknown))).map_mm).all()


def test_the_extra_keys_drive_the_shapes_that_the_20_leave_out() -> None:
    np.testing.assert_array_equal(all_key_weights()[:20], key_weights())
    flat = {SHAPE_NAMES[j] for j in np.flatnonzero(key_weights().sum(0) == 0)}
    assert len(flat) == 22
    assert (all_key_weights().sum(0) > 0).all()
    assert ALL_KEY_NAMES[:20] == KEY_NAMES


def test_an_example_depends_on_its_number_alone(head: Head) -> None:
    examples = SkinExamples([head], seed=3, crop=128, keys=1)
    first, again, other = examples[4], examples[4], examples[5]
    for name, plane in first.items():
        assert np.isfinite(plane).all(), name
        np.testing.assert_array_equal(plane, again[name])
    assert (first["texture"] != other["texture"]).mean() > 0.5


def test_mirroring_an_example_twice_gives_it_back(head: Head) -> None:
    sample = make_sample(head, np.random.default_rng(2), (_key("smile"),), (400, 200, 128))
    planes = network_planes(sample)
    turned = mirrored(planes)
    assert not np.array_equal(planes["surface"], turned["surface"])
    for name, plane in mirrored(turned).items():
        np.testing.assert_array_equal(plane, planes[name])


def test_relief_is_known_and_darkens_the_photo_where_it_is_deep(head: Head) -> None:
    darker = []
    for seed in range(9):
        sample = make_sample(head, np.random.default_rng(seed), (), (96, 384, N), 1500, _person(0.8))
        texture, _ = sample.planes()
        bare = (sample.bare > 0.95) & (sample.visibility > 0.9)
        if bare.mean() < 0.1:  # hair over all of it, or a head turned away
            continue
        assert 0.01 < sample.static_mm[bare].std() < 0.3
        deep = bare & (sample.static_mm < np.quantile(sample.static_mm[bare], 0.02))
        darker.append(texture[deep].mean() - texture[bare].mean())
    assert len(darker) > 4
    assert np.median(darker) < -0.6  # stubble or a lamp from the side may hide it in one of them


def test_expressions_fold_old_skin_deeper_and_leave_the_rest_alone(head: Head) -> None:
    place = (32, 352, N)  # forehead
    window = cut(head, *place)
    added = {}
    for age in (0.1, 0.9):
        relief = make_relief(np.random.default_rng(4), window, _person(age))
        raised = express(relief, cut_key(head, _key("brow_raiser"), *place), window, _person(age))
        added[age] = (raised - relief.whole).std()
        smiling = express(relief, cut_key(head, _key("jaw_left"), *place), window, _person(age))
        np.testing.assert_allclose(smiling, relief.whole, atol=1e-4)
    assert added[0.9] > 2.0 * added[0.1] > 0.004


def test_creases_deepen_under_compression_and_pores_do_not(head: Head) -> None:
    place = (32, 352, N)
    window, person = cut(head, *place), _person(0.9)
    flat = np.zeros((N, N), np.float32)
    line = flat.copy()
    line[100:103] = -0.1
    key = cut_key(head, _key("brow_raiser"), *place)
    key = replace(key, guide=np.zeros_like(key.guide))
    crease = express(Relief(flat, line, flat), key, window, person)
    pore = express(Relief(line, flat, flat), key, window, person)
    middle = (slice(100, 103), slice(100, 150))
    assert crease[middle].min() < 1.3 * pore[middle].min() < 0


def test_what_hides_the_skin_is_to_be_flat_and_counts_in_full(head: Head) -> None:
    sample = next(
        s
        for seed in range(20)
        if ((s := make_sample(head, np.random.default_rng(seed), (_key("anger"),), PLACE)).bare < 0.1).mean() > 0.01
    )
    hidden = (sample.bare < 0.1) & (sample.visibility > 0.9) & (sample.window.skin > 0)
    static, (expressed,) = wanted(sample)
    assert np.abs(static[hidden]).max() < 0.1 * np.abs(sample.static_mm).max()
    assert known(sample)[hidden].min() > 0.9
    bare = (sample.bare == 1.0) & (sample.window.skin > 0)
    np.testing.assert_array_equal(static[bare], sample.static_mm[bare])
    np.testing.assert_allclose(expressed[bare], sample.key_mm[0][bare], atol=1e-6)


def test_some_skin_of_the_training_is_smooth_below_all_that_looks_like_relief(head: Head) -> None:
    rough, smooth = (make_sample(head, np.random.default_rng(7), (), PLACE, smoothness=s) for s in (0.0, 1.0))
    skin = smooth.window.skin > 0
    assert rough.static_mm[skin].std() > 0.005
    assert np.abs(smooth.static_mm).max() == 0.0
    assert smooth.planes()[0][skin].std() > 0.3 * rough.planes()[0][skin].std()
    drawn = [random_smoothness(np.random.default_rng(i)) for i in range(200)]
    assert 0.15 < np.mean(np.array(drawn) > 0) < 0.35
    assert min(x for x in drawn if x) >= 0.7


def test_old_lids_fold_at_least_twice_as_deep_when_they_close(head: Head) -> None:
    """What the network is judged by must be in its data."""
    rows, columns = (np.flatnonzero((head.eyes_mm == 0).any(axis)) for axis in (1, 0))
    step = len(head.skin) // len(head.eyes_mm)
    place = (int(rows.mean()) * step - 128, int(columns[: len(columns) // 2].mean()) * step // 4 * 4 - 128, N)
    ratios = []
    for seed in range(3):
        sample = make_sample(head, np.random.default_rng(seed), (_key("eye_closed"),), place, 900, _person(0.85))
        lids = (sample.window.eyes_mm > 1) & (sample.window.eyes_mm < 9) & (sample.window.skin > 0)
        assert lids.mean() > 0.02
        ratios.append(sample.key_mm[0][lids].std() / sample.static_mm[lids].std())
    assert np.median(ratios) > 2.0


# -- training ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(head: Head, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    shutil.copytree(folder, run / "heads")
    config = TrainingConfig(
        network=TINY, crop=64, batch=2, fresh=1, pool=4, keys=1, steps=2, heads=(1001,), warm_up=1, mixed=0
    )
    settings = {"workers": 0, "device": "cpu", "pack": load_open_pack(), "every": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detail, "VALIDATION_HEADS", (1001,))
        train(config, run, **settings)
        return train(replace(config, steps=4), run, **settings)


def test_training_goes_on_where_it_stopped(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained.parent / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert all(np.isfinite(line["loss"]) for line in lines)
    content = torch.load(trained, weights_only=True)
    assert content["step"] == 4
    assert content["optimizer"]["state"][0]["step"] == 4
    fresh = DetailNetwork(TINY).state_dict()
    assert any(not torch.equal(value, fresh[name]) for name, value in content["model"].items())
    assert len(list(trained.parent.glob("validation_*.png"))) == 4


def test_a_run_of_some_minutes_stops_with_a_checkpoint(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained.parent, tmp_path / "run")
    content = torch.load(trained, weights_only=True)
    config = json.loads(content["config"])
    config["network"] = TINY
    longer = TrainingConfig(**{**config, "heads": (1001,), "steps": 50})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detail, "VALIDATION_HEADS", (1001,))
        path = train(longer, tmp_path / "run", workers=0, device="cpu", pack=load_open_pack(), every=10, minutes=0.0)
    assert torch.load(path, weights_only=True)["step"] == 5


@pytest.fixture
def shipped(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    manifest = tmp_path / "manifest.json"
    shutil.copy(MANIFEST, manifest)
    monkeypatch.setattr(detail_ship, "RESOURCES", tmp_path)
    monkeypatch.setattr(detail_ship, "MANIFEST", manifest)
    detail_ship.ship(trained, "a test")
    return tmp_path


def test_shipping_writes_weights_card_and_manifest(shipped: Path) -> None:
    weights = shipped / learned.WEIGHTS_FILE
    assert weights.stat().st_size < 20e6
    card = json.loads((shipped / learned.CARD_FILE).read_text())
    assert card["config"]["seed"] == 1
    assert card["steps"] == 4
    assert card["hardware"] == "a test"
    entries = {e["path"]: e for e in json.loads((shipped / "manifest.json").read_text())["files"]}
    assert {learned.WEIGHTS_FILE, learned.CARD_FILE} <= set(entries)
    ResourceEntry(**entries[learned.WEIGHTS_FILE])


# -- predictor -----------------------------------------------------------------------------------------------------


@pytest.fixture
def predictor(shipped: Path) -> LearnedPredictor:
    return LearnedPredictor(load_detail_network((shipped / learned.WEIGHTS_FILE).read_bytes()), "test")


@pytest.fixture
def request_() -> DetailRequest:
    from tests.engine.dome import plane

    rng = np.random.default_rng(0)
    texture = np.clip(rng.normal(140, 10, (N, N, 3)), 0, 255).astype(np.uint8)
    deformation = np.zeros((3, 64, 64, 3), np.float32)
    deformation[1, :32, :, 1] = -0.12 * plane(64)[:32, :, 1]
    return flat_request(texture, m=64, deformation_mm=deformation, keys=(1, STATIC, 0, 2))


def test_maps_come_in_the_order_asked_and_change_where_the_skin_moves(
    predictor: LearnedPredictor, request_: DetailRequest
) -> None:
    results = list(predictor.predict(request_))
    assert [result.key for result in results] == [1, STATIC, 0, 2]
    by_key = {result.key: result.map_mm for result in results}
    for result in results:
        assert result.map_mm.dtype == np.float32
        assert 0.0 <= result.confidence.min() <= result.confidence.max() <= 1.0
    np.testing.assert_array_equal(by_key[STATIC], by_key[0])
    np.testing.assert_array_equal(by_key[STATIC], by_key[2])
    change = np.abs(by_key[1] - by_key[STATIC])
    assert change[: N // 3].max() > 0.0
    assert change[2 * N // 3 :].max() == 0.0
    assert not by_key[STATIC][~request_.skin].any()


def test_the_texture_is_read_once_for_all_maps(predictor: LearnedPredictor, request_: DetailRequest) -> None:
    calls = []
    read = predictor._network._features
    predictor._network._features = lambda *planes: calls.append(1) or read(*planes)
    for key in (STATIC, 1, 0):
        list(predictor.predict(replace(request_, keys=(key,))))
    assert len(calls) == 2  # the face and its mirror image
    list(predictor.predict(replace(request_, texture=request_.texture.copy())))
    assert len(calls) == 4


def test_the_mirrored_face_has_the_mirrored_relief(predictor: LearnedPredictor, request_: DetailRequest) -> None:
    from tests.bench.detail import _mirrored

    first = next(iter(predictor.predict(replace(request_, keys=(STATIC,))))).map_mm
    other = next(iter(predictor.predict(replace(_mirrored(request_), keys=(STATIC,))))).map_mm
    np.testing.assert_allclose(other[:, ::-1], first, atol=0.02 * np.abs(first).max())


def test_stored_maps_are_those_that_were_made(shipped: Path, request_: DetailRequest, tmp_path: Path) -> None:
    network = load_detail_network((shipped / learned.WEIGHTS_FILE).read_bytes())
    cache = MapCache(tmp_path / "maps")
    first = list(LearnedPredictor(network, "a", cache=cache).predict(request_))
    again = LearnedPredictor(network, "a", cache=cache)
    again._network = None  # type: ignore[assignment]
    for old, new in zip(first, again.predict(request_), strict=True):
        np.testing.assert_array_equal(old.map_mm, new.map_mm)
        np.testing.assert_array_equal(old.confidence, new.confidence)
    assert cache._limit_bytes
    other = LearnedPredictor(network, "another version", cache=cache)
    before = cache.size_bytes()
    list(other.predict(request_))
    assert cache.size_bytes() > before


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"x" * 64, lambda data: b""])
def test_damaged_weights_are_told_apart(shipped: Path, damage) -> None:
    with pytest.raises(ModelFileError, match="weights of the detail network"):
        load_detail_network(damage((shipped / learned.WEIGHTS_FILE).read_bytes()))


def test_without_its_weights_the_photometric_method_stands_in_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ResourceEntry(learned.WEIGHTS_FILE, "network", "1", "0" * 64, "MIT", "here")
    monkeypatch.setattr(learned, "manifest", lambda: {learned.WEIGHTS_FILE: entry})

    def missing(relative: str) -> bytes:
        raise ModelFileError(f"The program's file resources/{relative} is missing.", "")

    monkeypatch.setattr(learned, "read_resource", missing)
    predictor, notes = best_predictor()
    assert isinstance(predictor, PhotometricPredictor)
    assert len(notes) == 1
    assert "photometric" in notes[0]
    monkeypatch.setattr(learned, "read_resource", lambda relative: b"no weights at all")
    assert best_predictor()[1] == notes
    monkeypatch.setattr(learned, "manifest", dict)
    assert best_predictor()[1] == ()


def test_the_bench_says_what_to_do_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "manifest", dict)
    told = " ".join(bench.measure())
    assert "engine.training.detail" in told
    assert "--weights" in told
    assert "|" not in told, "no table of nothing"


def test_the_weights_of_a_run_are_read_by_the_predictor(trained: Path, tmp_path: Path) -> None:
    network = load_detail_network(detail_ship.write_weights(trained, tmp_path / "weights.safetensors").read_bytes())
    mean = torch.load(trained, weights_only=True)["mean"]
    assert all(torch.equal(value, mean[name]) for name, value in network.state_dict().items())
