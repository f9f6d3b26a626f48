"""The network's pictures and maps, and the predictor of the FaceScape pack on small networks."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.detail.generator import load_network, run
from engine.detail.map_cache import MapCache
from engine.detail.predictor import STATIC, DetailRequest, DetailResult
from engine.errors import ModelFileError
from engine.packs.facescape import maps, network_predictor
from engine.packs.facescape.color import transfer_colors
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.network_predictor import NetworkPredictor
from engine.packs.facescape.switches import DetailSwitches
from tests import facescape_standin

GOLDEN = Path(__file__).parents[3] / "shared" / "facescape" / "golden"
N = maps.MAP_SIZE


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine lose seconds where threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FaceScapeData:
    """The stand-in's pack with smaller networks still, and position maps that take no memory."""
    folder = tmp_path_factory.mktemp("pack")
    pack = facescape_standin.make_pack(folder, networks=False)
    checkpoints = {kind: folder / f"{kind}.safetensors" for kind in ("single", "rig")}
    for kind, path in checkpoints.items():
        save_file(facescape_standin.make_state_dict(kind, down=3, blocks=1), path)
    channel = np.linspace(0, 1, 60, dtype=np.float32)[:, None, None]
    slope = np.broadcast_to(channel * np.linspace(-1, 1, N, dtype=np.float32), (60, N, N))
    return dataclasses.replace(pack, position_maps=slope, checkpoints=checkpoints)


def _request(*keys: int, seed: int = 0) -> DetailRequest:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:N, :N] / N
    coarse = np.asarray(rng.integers(0, 40, (64, 64, 3)), np.float32).repeat(16, 0).repeat(16, 1)
    texture = np.stack([180 - 40 * y, 130 + 20 * x, 110 + 0 * x], -1) + coarse
    deformation = rng.normal(size=(20, 16, 16, 3)).astype(np.float32)
    deformation[0] = 0
    return DetailRequest(
        texture=texture.astype(np.uint8),
        visibility=np.asarray(x, np.float32),
        skin=np.ones((N, N), bool),
        deformation_mm=deformation,
        position_mm=np.zeros((16, 16, 3), np.float32),
        keys=keys,
    )


def _only(data: FaceScapeData, *kinds: str) -> FaceScapeData:
    return dataclasses.replace(data, checkpoints={kind: data.checkpoints[kind] for kind in kinds})


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the network files in the order in which they are loaded."""
    loaded: list[str] = []

    def load(path: Path, device: str):
        loaded.append(path.stem)
        return load_network(path, device)

    monkeypatch.setattr(network_predictor, "load_network", load)
    return loaded


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the original's recorded outputs are not here")
def test_words_equal_the_originals():
    with np.load(GOLDEN / "color_tensor2im.npz") as recorded:
        assert (maps.words(recorded["map_in"][0], 475) == recorded["map_out"]).all()


def test_millimetres_and_words_agree():
    output = np.linspace(-1, 1, 4001, dtype=np.float32)
    levels = np.floor((output.astype(np.float64) + 1) / 2 * 65535)
    from_mm = maps.millimetres(output).astype(np.float64) / 0.914 * 32768 + 32768
    assert from_mm == pytest.approx(levels, abs=1.01)
    assert abs(maps.millimetres(np.zeros(1, np.float32))[0]) < 2e-5
    assert maps.millimetres(np.ones(1, np.float32))[0] == pytest.approx(0.914 * 32767 / 32768, rel=1e-6)


def test_canvas_of_a_flat_map_is_flat_and_of_a_step_is_in_place():
    flat = maps.canvas(np.zeros((N, N), np.float32))
    assert abs(flat.astype(int) - 32768).max() <= 1
    raised = np.zeros((N, N), np.float32)
    raised[: N // 2] = 0.457
    canvas = maps.canvas(raised)
    assert canvas[700, 2000] == pytest.approx(32768 + 16384, abs=1)
    assert canvas[2400, 2000] == pytest.approx(32768, abs=1)
    assert canvas[599, 2000] == 32768
    assert canvas[700, 3000] == 32768
    assert (maps.canvas(np.full((N, N), 5.0, np.float32))[700:800, 2000:2100] == 65535).all()


def test_picture_spans_minus_one_to_one():
    picture = maps.network_picture(np.array([[[0, 255, 51]]], np.uint8))
    assert picture.ravel() == pytest.approx([-1, 1, -0.6], abs=1e-6)


def test_position_maps_are_the_keys_moves_where_the_mesh_is(data):
    faces = data.front_vertices[data.front_faces]
    neutral = data.core[0, 0].reshape(-1, 3).astype(np.float32)
    keys = np.stack([neutral, neutral + np.array([1, 2, 3], np.float32)])
    found = maps.position_maps(keys, faces, data.front_uvs, data.front_uv_faces, scale=0.5)
    assert found.shape == (6, N, N)
    assert not found[:3].any()
    inside = found[3] != 0
    assert 0.2 < inside.mean() < 1
    assert not found[3:, :2].any()  # the crop's upper edge lies above the mesh
    for channel, wanted in zip(found[3:], (0.5, 1.0, 1.5), strict=True):
        assert channel[inside] == pytest.approx(wanted, abs=1e-3)
    u, v = data.front_uvs[len(data.front_uvs) // 2]
    row, column = int((maps.WINDOW.v1 - v) * N * 4096 / 1900), int((u - maps.WINDOW.u0) * N * 4096 / 1900)
    assert inside[row, column]


def test_unit_of_the_shipped_position_maps_is_found():
    rng = np.random.default_rng(5)
    moves = rng.normal(size=(20, 16, 16, 3)).astype(np.float32)
    shipped = 0.05 * moves.transpose(0, 3, 1, 2).reshape(60, 16, 16).repeat(4, 1).repeat(4, 2)
    assert maps.position_scale(shipped, moves) == pytest.approx(0.05, rel=1e-5)
    assert maps.position_scale(shipped, np.zeros_like(moves)) == 1.0


def test_static_map_is_the_single_networks(data):
    request = _request(STATIC)
    (result,) = NetworkPredictor(data, device="cpu").predict(request)
    crop = transfer_colors(request.texture, data.front_mask)
    output = run(load_network(data.checkpoints["single"], "cpu"), maps.network_picture(crop)[None])[0]
    assert result.key == STATIC
    assert (result.map_mm == maps.millimetres(output)).all()
    assert (result.confidence == request.visibility).all()
    assert result.map_mm.std() > 0.001


def test_key_maps_see_their_position_maps(data):
    request = _request(3, 0)
    third, neutral = NetworkPredictor(data, device="cpu").predict(request)
    assert (third.key, neutral.key) == (3, 0)
    crop = maps.network_picture(transfer_colors(request.texture, data.front_mask))
    network = load_network(data.checkpoints["rig"], "cpu")
    wanted = run(network, np.concatenate([crop, data.position_maps[9:12]])[None])[0]
    assert (third.map_mm == maps.millimetres(wanted)).all()
    assert abs(third.map_mm - neutral.map_mm).max() > 0.001


def test_maps_come_one_at_a_time_and_networks_when_needed(data, counted):
    results = NetworkPredictor(data, device="cpu").predict(_request(STATIC, 2, 5))
    assert counted == []
    next(results)
    assert counted == ["single"]
    next(results)
    next(results)
    assert counted == ["single", "rig"]


def test_steps_tell_how_far_a_map_is(data):
    steps = list(NetworkPredictor(data, device="cpu").steps(_request(STATIC, 1)))
    kinds = "".join("R" if isinstance(step, DetailResult) else "." for step in steps)
    assert kinds.count("R") == 2
    assert kinds.endswith("R")
    assert min(len(part) for part in kinds.split("R")[:-1]) >= 8


def test_only_rig_network_gives_the_neutral_map_for_the_photo(data):
    static, neutral = NetworkPredictor(_only(data, "rig"), device="cpu").predict(_request(STATIC, 0))
    assert (static.key, neutral.key) == (STATIC, 0)
    assert (static.map_mm == neutral.map_mm).all()


def test_missing_files_are_named(data):
    single = NetworkPredictor(_only(data, "single"), device="cpu")
    assert not single.has_key_maps
    assert NetworkPredictor(data).has_key_maps
    next(iter(single.predict(_request(STATIC))))
    cases = [
        (_only(data, "single"), 4, "dpmap_rig_net_G.pth"),
        (_only(data), STATIC, "neither"),
        (dataclasses.replace(data, position_maps=None), 4, "posmaps.npz"),
    ]
    for pack, key, named in cases:
        with pytest.raises(ModelFileError) as caught:
            list(NetworkPredictor(pack, device="cpu").predict(_request(key)))
        assert named in caught.value.sentence()


def test_cached_maps_need_no_network(data, tmp_path, counted):
    cache = MapCache(tmp_path)
    first = list(NetworkPredictor(data, cache=cache, device="cpu").predict(_request(STATIC, 7)))
    assert counted == ["single", "rig"]
    again = list(NetworkPredictor(data, cache=cache, device="cpu").predict(_request(STATIC, 7)))
    assert counted == ["single", "rig"]
    for one, other in zip(first, again, strict=True):
        assert (one.map_mm == other.map_mm).all()


def test_interrupted_work_goes_on_where_it_was(data, tmp_path, counted):
    cache = MapCache(tmp_path)
    next(iter(NetworkPredictor(data, cache=cache, device="cpu").predict(_request(7, 8, 9))))
    steps = list(NetworkPredictor(data, cache=cache, device="cpu").steps(_request(7, 8)))
    assert isinstance(steps[0], DetailResult)  # the first map was there
    assert len(steps) > 8


def test_cache_knows_photo_network_and_size(data, tmp_path, counted):
    cache = MapCache(tmp_path)

    def made(pack: FaceScapeData = data, seed: int = 0, **switches: bool) -> bool:
        """Whether the network had to run."""
        counted.clear()
        chosen = DetailSwitches(**switches)
        predictor = NetworkPredictor(pack, cache=cache, device="cpu", switches=chosen)
        list(predictor.predict(_request(1, seed=seed)))
        return bool(counted)

    assert made()
    assert not made()
    assert made(seed=1)
    assert made(preview=True)
    assert made(own_positions=True)
    assert not made(own_positions=True)
    assert made(own_positions=True, preview=True)
    assert data.position_maps is not None
    assert made(dataclasses.replace(data, position_maps=data.position_maps * np.float32(0.5))), "imported anew"
    assert not made()
    file = data.checkpoints["rig"]
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 1_000_000_000))
    assert made()


def test_preview_is_smooth_and_full_size(data):
    switches = DetailSwitches(preview=True)
    (result,) = NetworkPredictor(data, device="cpu", switches=switches).predict(_request(STATIC))
    assert result.map_mm.shape == (N, N)
    assert np.isfinite(result.map_mm).all()


def test_own_positions_change_the_map(data):
    shipped = next(iter(NetworkPredictor(data, device="cpu").predict(_request(6))))
    switches = DetailSwitches(own_positions=True)
    own = next(iter(NetworkPredictor(data, device="cpu", switches=switches).predict(_request(6))))
    assert abs(shipped.map_mm - own.map_mm).max() > 1e-4


def test_texture_of_another_size_is_refused(data):
    small = DetailRequest(
        texture=np.zeros((64, 64, 3), np.uint8),
        visibility=np.ones((64, 64), np.float32),
        skin=np.ones((64, 64), bool),
        deformation_mm=np.zeros((20, 16, 16, 3), np.float32),
        position_mm=np.zeros((16, 16, 3), np.float32),
        keys=(STATIC,),
    )
    with pytest.raises(ValueError, match="texture"):
        list(NetworkPredictor(data, device="cpu").predict(small))


def test_torch_stays_out_of_inference_mode_between_steps(data):
    for _ in NetworkPredictor(data, device="cpu").steps(_request(STATIC)):
        assert not torch.is_inference_mode_enabled()
