"""Import of the original's files: found by name and content, checked, converted whole or not at all, removed."""

from __future__ import annotations

import os
import pickle
import shutil
import time
import tracemalloc
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.packs.facescape import convert as convert_module
from engine.packs.facescape import data as pack_data
from engine.packs.facescape.checkpoint import GeneratorShape, expected_shapes, read_architecture
from engine.packs.facescape.convert import convert, remove
from engine.packs.facescape.convert_core import core_rows, inspect_core
from engine.packs.facescape.convert_predef import READERS, read_faces
from engine.packs.facescape.inventory import CHECKPOINTS, CORE, FACTORS, POSITION_MAPS, SPECS, take_inventory
from engine.packs.facescape.restricted import WrongContent
from tests import facescape_standin as standin
from tests.engine.test_facescape_restricted import PREDEF, Hostile, needs_originals

SMALL = [spec.name for spec in SPECS if spec.name in READERS]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """All files of the original but the position maps, small. Not to be changed: take a ``copy``."""
    return standin.make(tmp_path_factory.mktemp("facescape"), width=2)


@pytest.fixture
def copy(original, tmp_path):
    """A copy of all files that a test may spoil."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


@pytest.fixture
def model_only(copy):
    """The same without networks: quicker to look through."""
    shutil.rmtree(copy / "checkpoints")
    return copy


@pytest.fixture
def pack(tmp_path):
    return tmp_path / "user data" / "packs" / "facescape"


def run(folders: list[Path], pack: Path) -> tuple[str, ...]:
    steps = convert(take_inventory(folders), pack)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def file_of(folder: Path, name: str) -> Path:
    return next(folder.rglob(name))


# ---------------------------------------------------------------------------------------------------- what is written


def test_imported_arrays_are_those_of_the_files(original, pack):
    assert run([original], pack) == ("core", "model", "single", "rig")
    data = pack_data.load(pack)
    core = np.load(original / "model" / CORE)
    np.testing.assert_array_equal(data.core, core)
    assert isinstance(data.core, np.memmap)
    uvs, faces = pickle.loads((original / "predef" / "faces.pkl").read_bytes())
    np.testing.assert_array_equal(data.faces, np.array([face[0] for face in faces]) - 1)
    np.testing.assert_array_equal(data.uv_faces, np.array([face[2] for face in faces]) - 1)
    np.testing.assert_array_equal(data.uvs, np.array(uvs, np.float32))
    front = pickle.loads((original / "predef" / "front_faces.pkl").read_bytes())
    np.testing.assert_array_equal(data.front_faces, np.array([face[0] for face in front]) - 1)
    right, left = pickle.loads((original / "predef" / "contour_line_68.pkl").read_bytes())
    for found, line in zip(data.contour_right + data.contour_left, right + left, strict=True):
        np.testing.assert_array_equal(found, line)
    mixture = standin.make_mixture()
    np.testing.assert_array_equal(data.gmm_precisions_cholesky, mixture.precisions_cholesky_)
    np.testing.assert_array_equal(data.gmm_means, mixture.means_)
    np.testing.assert_array_equal(data.start_identity, np.load(original / "model" / FACTORS)[0])
    np.testing.assert_array_equal(data.id_mean, pickle.loads((original / "predef" / "id_mean.pkl").read_bytes()))
    np.testing.assert_array_equal(data.landmark_vertices, np.arange(68))
    assert data.position_maps is None
    assert data.folder == pack


def test_arrays_are_read_only_and_front_mesh_belongs_to_the_head(original, pack):
    run([original], pack)
    data = pack_data.load(pack)
    for field in fields(data):
        value = getattr(data, field.name)
        for array in value if isinstance(value, tuple) else [value]:
            assert not isinstance(array, np.ndarray) or not array.flags.writeable, field.name
    front = {tuple(face) for face in data.front_vertices[data.front_faces]}
    assert front <= {tuple(face) for face in data.faces[data.texture_faces]}
    assert 0.3 < data.front_mask.mean() < 1


def test_networks_are_the_same_numbers_read_by_the_format_s_own_library(original, pack):
    import torch
    from safetensors.torch import load_file

    run([original], pack)
    data = pack_data.load(pack)
    for name, kind in CHECKPOINTS.items():
        state = torch.load(original / "checkpoints" / name, weights_only=True)
        stored = load_file(data.checkpoints[kind])
        assert stored.keys() == state.keys()
        assert all(torch.equal(stored[key], state[key]) for key in state)


def test_position_maps_are_unpacked(model_only, pack):
    maps = standin.make_position_maps()
    np.savez(model_only / "predef" / "posmaps.npz", maps.astype(np.float32))
    assert run([model_only], pack) == ("core", "model", "position_maps")
    stored = pack_data.load(pack).position_maps
    assert isinstance(stored, np.memmap)
    np.testing.assert_array_equal(stored[::7], maps[::7])


@needs_originals
def test_the_original_s_own_small_files_belong_together(tmp_path):
    inventory = take_inventory([PREDEF])
    for name in SMALL:
        assert (inventory[name].status, inventory[name].why) == ("found", ""), name
    assert inventory[CORE].status == inventory[FACTORS].status == "missing"
    front = inventory["front_verts_indices.pkl"].content["front_vertices"]
    assert (len(front), front[0], front[-1]) == (12483, 6, 26316)
    with pytest.raises(ModelFileError, match="not complete") as refused:
        next(convert(inventory, tmp_path / "pack"))
    assert refused.value.hint == f"Missing: {CORE}, {FACTORS}."
    assert not (tmp_path / "pack").exists()


# --------------------------------------------------------------------------------------------- what is found and where


def test_files_anywhere_in_several_folders(model_only, tmp_path, pack):
    other = tmp_path / "Downloads" / "bilinear model" / "v1"
    other.mkdir(parents=True)
    for name in (CORE, FACTORS):
        shutil.move(model_only / "model" / name, other / name)
    assert take_inventory([model_only]).model is None
    run([model_only, tmp_path / "Downloads"], pack)
    assert pack_data.load(pack).vertex_count == 514


def test_single_files_may_be_named(model_only, pack):
    files = sorted(path for path in model_only.rglob("*") if path.is_file())
    assert run(files, pack) == ("core", "model")


def test_copies_as_browsers_name_them(model_only):
    for old, new in (
        (CORE, "core_847_50_52 (1).npy"),
        ("faces.pkl", "Faces - Copy.pkl"),
        ("front_mask.png", "FRONT_MASK.PNG"),
    ):
        path = file_of(model_only, old)
        path.rename(path.with_name(new))
    assert take_inventory([model_only]).model is not None


def test_renamed_arrays_and_networks_are_known_by_their_content(copy):
    for old, new in ((CORE, "a.npy"), (FACTORS, "b.npy"), ("dpmap_rig_net_G.pth", "latest.pth")):
        path = file_of(copy, old)
        path.rename(path.with_name(new))
    inventory = take_inventory([copy])
    assert inventory.model is not None
    assert [inventory[name].path.name for name in (CORE, FACTORS, "dpmap_rig_net_G.pth")] == [
        "a.npy",
        "b.npy",
        "latest.pth",
    ]


def test_hidden_folders_and_imported_packs_are_no_sources(model_only, pack):
    run([model_only], pack)
    shutil.copytree(model_only, model_only.parent / "other" / ".git")
    assert not take_inventory([model_only.parent / "other"]).found_any
    assert not take_inventory([pack.parent]).found_any


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelFileError, match="no such place is no folder"):
        take_inventory([tmp_path / "no such place"])


def test_empty_folder_says_what_is_missing_where_to_get_it_and_what_its_licence_forbids(tmp_path):
    inventory = take_inventory([tmp_path])
    assert {finding.status for finding in inventory.findings} == {"missing"}
    for finding in inventory.findings:
        assert "yanght321" in finding.spec.source or "facescape.nju.edu.cn" in finding.spec.source
        assert "non-commercial" in finding.spec.licence or "MIT" in finding.spec.licence
    assert not inventory.found_any


def test_priors_of_a_model_with_other_identities_come_from_its_factors(model_only, pack):
    """As for core_847_300_52, with which the original's id_mean and id_var do not go."""
    for name in (CORE, FACTORS):
        file_of(model_only, name).unlink()
    core = standin.make_core(identities=9)
    np.save(model_only / "core_847_300_52.npy", core)
    factors = np.random.default_rng(5).normal(0, 0.03, (40, 9)).astype(np.float32)
    factors[:, 0] += standin.ID_MEAN_0
    np.save(model_only / "factors_id_847_300_52.npy", factors)
    inventory = take_inventory([model_only])
    assert (inventory["id_mean.pkl"].status, inventory["id_mean.pkl"].why) == (
        "not needed",
        "computed from the factors",
    )
    run([model_only], pack)
    data = pack_data.load(pack)
    np.testing.assert_array_equal(data.core, core)
    np.testing.assert_allclose(data.id_mean, factors.astype(float).mean(0))
    np.testing.assert_allclose(data.id_var, factors.astype(float).var(0))


@pytest.mark.parametrize(
    "how", ["as float64", "Fortran order", "coordinates first", "coordinates first, Fortran order"]
)
def test_core_stored_in_another_order(model_only, pack, how, monkeypatch):
    from engine.packs.facescape import convert_core

    path = file_of(model_only, CORE)
    core = np.load(path)
    stored = core.astype(np.float64) if how == "as float64" else core
    if "coordinates first" in how:
        stored = np.ascontiguousarray(stored.transpose(2, 1, 0))
    np.save(path, np.asfortranarray(stored) if "Fortran" in how else stored)
    monkeypatch.setattr(convert_core, "_BATCH_BYTES", core[0].nbytes * 4)  # six identities: two batches
    monkeypatch.setattr(convert_core, "_PIECE_BYTES", 1 << 20)
    run([model_only], pack)
    np.testing.assert_array_equal(pack_data.load(pack).core, core)


# -------------------------------------------------------------------------------------------------- what is refused


def spoil(path: Path, marker: Path) -> None:
    """Put something in the place of ``path`` that makes ``marker`` when it is read without care."""
    hostile = pickle.dumps(Hostile(marker), 2)
    if path.suffix == ".pth":
        import torch

        torch.save({"model.1.weight": Hostile(marker)}, path)
    elif path.suffix == ".npz":
        np.savez(path, arr_0=np.array([Hostile(marker)], dtype=object))
    elif path.suffix == ".npy":
        np.save(path, np.array([Hostile(marker)], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(hostile)


@pytest.mark.parametrize("bare", [False, True], ids=["in the file's own wrapping", "a bare pickle"])
@pytest.mark.parametrize("name", [spec.name for spec in SPECS])
def test_hostile_pickle_in_place_of_each_file_is_refused_without_running(copy, pack, tmp_path, name, bare):
    marker = tmp_path / "ran"
    target = next(copy.rglob(name), copy / "predef" / name)
    if not name.endswith(".pth"):
        shutil.rmtree(copy / "checkpoints")
    spoil(target, marker)
    if bare:
        target.write_bytes(pickle.dumps(Hostile(marker), 2))
    inventory = take_inventory([copy])
    finding = inventory[name]
    assert finding.status == "wrong"
    assert finding.path == target
    assert finding.why.startswith(target.name)
    if finding.spec.required:
        assert inventory.model is None
        with pytest.raises(ModelFileError) as refused:
            next(convert(inventory, pack))
        assert target.name in refused.value.hint
        assert not pack.exists()
    else:
        written = run([copy], pack)
        assert CHECKPOINTS.get(name, "position_maps") not in written
    assert not marker.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_checkpoint_of_both_torch_formats(tmp_path, legacy):
    """Files from before torch 1.6 are no zip files; both are read, hostile ones of both are refused."""
    import torch

    from engine.packs.facescape.convert_network import open_checkpoint, recognise

    state = standin.make_state_dict("single", 2)
    path, marker = tmp_path / "dpmap_single_net_G.pth", tmp_path / "ran"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    assert path.read_bytes().startswith(b"PK") != legacy
    assert recognise(path, open_checkpoint(path)) == ("single", GeneratorShape(3, 2, 4, 9))
    torch.save({**state, "more": Hostile(marker)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WrongContent, match="nothing of it was run"):
        open_checkpoint(path)
    assert not marker.exists()


def test_network_shapes_are_read_from_the_weights():
    for shape in (GeneratorShape(3, 64, 4, 9), GeneratorShape(6, 8, 3, 5), GeneratorShape(3, 2, 1, 1)):
        assert read_architecture(expected_shapes(shape)) == shape


def test_another_network_is_refused_naming_both_lists(copy):
    import torch

    path = copy / "checkpoints" / "dpmap_single_net_G.pth"
    state = standin.make_state_dict("single", 2)
    del state["model.4.bias"]
    state["model.40.weight"] = torch.zeros(3)
    torch.save(state, path)
    why = take_inventory([copy])["dpmap_single_net_G.pth"].why
    assert why.startswith("dpmap_single_net_G.pth is not a detail network of FaceScape.")
    assert "Missing: model.4.bias." in why
    assert "Unexpected: model.40.weight." in why
    torch.save({"conv.weight": torch.zeros(3, 3)}, path)
    why = take_inventory([copy])["dpmap_single_net_G.pth"].why
    assert "Missing: model.1.weight, " in why
    assert "Unexpected: conv.weight." in why


def test_other_widths_are_refused():
    shapes = expected_shapes(GeneratorShape(3, 8, 4, 9))
    shapes["model.7.weight"] = (32, 15, 3, 3)
    with pytest.raises(ModelFileError) as refused:
        read_architecture(shapes)
    assert "model.7.weight is 32 x 15 x 3 x 3 instead of 32 x 16 x 3 x 3" in refused.value.hint


@pytest.mark.parametrize("what", ["swapped", "nan", "integers", "no dict", "compressed", "one channel"])
def test_wrong_checkpoints(copy, pack, what):
    import zipfile

    import torch

    single, rig = (copy / "checkpoints" / name for name in CHECKPOINTS)
    state = standin.make_state_dict("single", 2)
    if what == "swapped":
        shutil.copy(rig, single)
    elif what == "nan":
        state["model.4.bias"][0] = float("nan")
        torch.save(state, single)
    elif what == "integers":
        torch.save({key: value.int() for key, value in state.items()}, single)
    elif what == "no dict":
        torch.save(list(state.values()), single)
    elif what == "one channel":
        state["model.1.weight"] = state["model.1.weight"][:, :1].clone()
        torch.save(state, single)
    else:
        members = {}
        with zipfile.ZipFile(single) as archive:
            members = {entry: archive.read(entry) for entry in archive.namelist()}
        with zipfile.ZipFile(single, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in members.items():
                archive.writestr(entry, content)
    if what == "nan":  # seen only when every number is read
        with pytest.raises(ModelFileError, match=r"dpmap_single_net_G.pth has weights that are not finite"):
            run([copy], pack)
        assert not pack.exists()
        return
    expected = {
        "swapped": "holds the network dpmap_rig (6 input channels), not dpmap_single.",
        "integers": "holds weights of an unusual kind.",
        "no dict": "holds no state dict of a network.",
        "compressed": "is packed in an unusual way.",
        "one channel": "is a network for 1 input channels instead of 3 or 6.",
    }
    assert take_inventory([copy])["dpmap_single_net_G.pth"].why == f"dpmap_single_net_G.pth {expected[what]}"


def test_files_swapped_with_each_other_are_noticed(model_only):
    """Every pair of small files: one of the two is refused by itself, or both contradict the others."""
    contents = {name: (model_only / "predef" / name).read_bytes() for name in SMALL}
    unnoticed = []
    for index, one in enumerate(SMALL):
        for other in SMALL[index + 1 :]:
            refused = 0
            for name, source in ((one, other), (other, one)):
                try:
                    READERS[name](contents[source])
                except WrongContent:
                    refused += 1
            if not refused:
                unnoticed.append((one, other))
    for one, other in unnoticed:
        (model_only / "predef" / one).write_bytes(contents[other])
        (model_only / "predef" / other).write_bytes(contents[one])
        inventory = take_inventory([model_only])
        assert inventory.model is None, (one, other)
        assert {finding.spec.name for finding in inventory.wrong} & {one, other}
        for name in (one, other):
            (model_only / "predef" / name).write_bytes(contents[name])
    assert len(unnoticed) == 1, unnoticed  # the two lists of ascending indices


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda core: core[:, :51], "6 x 51 x 1542 instead of identities x 52 x coordinates"),
        (lambda core: core[0], "52 x 1542 instead of"),
        (lambda core: core[:, :, :1541], "no model of a face has that size"),
        (lambda core: core.astype(np.int32), "something else than decimal numbers"),
        (lambda core: core.astype(np.float16), "something else than decimal numbers"),
    ],
)
def test_core_of_another_shape_or_type(model_only, change, why):
    path = file_of(model_only, CORE)
    np.save(path, change(np.load(path)))
    finding = take_inventory([model_only])[CORE]
    assert finding.status == "wrong"
    assert why in finding.why


def _relative(core: np.ndarray) -> np.ndarray:
    core[:, 1:] -= core[:, :1]
    return core


def _shuffled(core: np.ndarray) -> np.ndarray:
    order = np.random.default_rng(1).permutation(core.shape[2] // 3)
    return core.reshape(*core.shape[:2], -1, 3)[:, :, order].reshape(core.shape)


def _with(value: float):
    def change(core: np.ndarray) -> np.ndarray:
        core[-1, 30, 700] = value
        return core

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_with(np.nan), "not finite"),
        (_with(np.inf), "not finite"),
        (_with(1e30), "impossibly large"),
        (_relative, "no absolute shapes"),
        (_shuffled, "no face in the order of vertices"),
        (np.zeros_like, "no face"),
    ],
)
def test_core_with_wrong_numbers_leaves_nothing_behind(model_only, pack, change, why):
    path = file_of(model_only, CORE)
    np.save(path, change(np.load(path)))
    with pytest.raises(ModelFileError, match=why) as refused:
        run([model_only], pack)
    assert str(refused.value).startswith(CORE)
    assert not pack.exists()


def test_core_of_another_topology_contradicts_the_small_files(model_only):
    path = file_of(model_only, CORE)
    np.save(path, np.load(path)[:, :, :1500])
    inventory = take_inventory([model_only])
    assert inventory.model is None
    assert "faces.pkl does not belong to this model: it points to number 513 of 500." in [
        f.why for f in inventory.wrong
    ]


def test_factors_of_another_model(model_only):
    path = file_of(model_only, FACTORS)
    np.save(path, np.load(path)[:, :5])
    assert take_inventory([model_only])[FACTORS].why == f"{FACTORS} has 5 factors for a model of 6 identities."


def test_one_changed_index_in_the_front_mesh_is_noticed(model_only):
    path = file_of(model_only, "front_faces.pkl")
    faces = pickle.loads(path.read_bytes())
    faces[100][0][1] += 1
    path.write_bytes(pickle.dumps(faces, 0))
    assert "triangles that do not go with faces.pkl" in take_inventory([model_only])["front_faces.pkl"].why


@pytest.mark.parametrize("what", ["float16 is fine", "nan", "integers", "other shape", "cut", "checksum"])
def test_position_maps_of_other_kinds(model_only, pack, what):
    path = model_only / "predef" / POSITION_MAPS
    maps = np.broadcast_to(np.arange(1024, dtype=np.float16), (60, 1024, 1024)).copy()
    if what == "nan":
        maps[59, 1023, 1023] = np.nan
    np.savez_compressed(
        path, maps[:5] if what == "other shape" else maps.astype(np.int8) if what == "integers" else maps
    )
    raw = bytearray(path.read_bytes())
    if what == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif what == "checksum":
        raw[len(raw) // 2] ^= 0x10
        path.write_bytes(raw)
    if what == "float16 is fine":
        run([model_only], pack)
        assert pack_data.load(pack).position_maps.dtype == np.float32
    elif what in ("nan", "checksum"):
        with pytest.raises(ModelFileError, match=r"posmaps.npz (holds numbers that are not finite|is damaged)"):
            run([model_only], pack)
        assert not pack.exists()
    else:
        assert take_inventory([model_only])[POSITION_MAPS].status == "wrong"


def test_index_files_out_of_range_or_short(model_only):
    path = model_only / "predef" / "index_68.txt"
    path.write_text("\n".join(["9999"] * 68))
    assert "index_68.txt does not belong to this model" in take_inventory([model_only])["index_68.txt"].why
    path.write_text("\n".join(["1"] * 67))
    assert take_inventory([model_only])["index_68.txt"].why == "index_68.txt holds 67 lines instead of 68."
    path.write_bytes(b"\r\n".join(str(i).encode() + b" # note" for i in range(68)))
    assert take_inventory([model_only]).model is not None
    (model_only / "predef" / "index_chin.txt").unlink()
    inventory = take_inventory([model_only])
    assert inventory.model is None
    assert "index_chin.txt is needed" in inventory["index_68.txt"].why


# ----------------------------------------------------------------------------------- whole or absent, again, and removal


def test_cancelled_import_leaves_nothing_behind(original, pack):
    steps = convert(take_inventory([original]), pack)
    for _ in range(5):
        next(steps)
    steps.close()
    assert not pack.exists()
    assert not pack.parent.exists()


def test_cancelled_or_failed_import_keeps_the_earlier_pack(copy, pack, monkeypatch):
    run([copy], pack)
    before = {path.name: path.read_bytes() for path in pack.iterdir()}
    steps = convert(take_inventory([copy]), pack)
    for _ in range(8):
        next(steps)
    steps.close()
    assert {path.name: path.read_bytes() for path in pack.iterdir()} == before
    path = file_of(copy, CORE)
    np.save(path, _with(np.nan)(np.load(path)))
    with pytest.raises(ModelFileError):
        run([copy], pack)
    assert {path.name: path.read_bytes() for path in pack.iterdir()} == before
    assert pack_data.load(pack).vertex_count == 514


def test_second_import_replaces_the_first_and_leaves_no_old_files(model_only, pack):
    run([model_only], pack)
    first = {path.name for path in pack.iterdir()}
    (pack / ".detailed-face-killed").mkdir()
    (pack / ".detailed-face-killed" / "core").write_bytes(b"left by a process that was killed")
    run([model_only], pack)
    second = {path.name for path in pack.iterdir()}
    assert len(second) == 3
    assert first & second == {"pack.json"}


def test_networks_can_be_imported_later_and_stay_when_the_model_is_imported_again(copy, pack, tmp_path):
    networks = tmp_path / "networks"
    shutil.move(copy / "checkpoints", networks)
    run([copy], pack)
    assert not pack_data.load(pack).checkpoints
    assert run([networks], pack) == ("single", "rig")
    assert sorted(pack_data.load(pack).checkpoints) == ["rig", "single"]
    run([copy], pack)
    data = pack_data.load(pack)
    assert sorted(data.checkpoints) == ["rig", "single"]
    assert data.vertex_count == 514
    info = pack_data.read_info(pack)
    assert info["version"] == "1.0-1.3"
    assert set(info["sources"]) >= {CORE, "faces.pkl"}


def test_networks_alone_are_no_pack(original, pack):
    with pytest.raises(ModelFileError, match="not complete") as refused:
        run([original / "checkpoints"], pack)
    assert CORE in refused.value.hint
    assert "faces.pkl" in refused.value.hint
    assert not pack.exists()


def test_nothing_new_to_import(original, pack):
    run([original], pack)
    with pytest.raises(ModelFileError, match="nothing to import"):
        run([pack.parent], pack)


def test_removal_leaves_nothing_of_the_pack_and_everything_else(original, pack):
    assert remove(pack) is False
    run([original], pack)
    assert remove(pack) is True
    assert not pack.exists()
    run([original], pack)
    (pack / "my notes.txt").write_text("mine")
    assert remove(pack) is True
    assert [path.name for path in pack.iterdir()] == ["my notes.txt"]
    assert not pack_data.is_imported(pack)


def test_sources_are_never_changed(original, pack, tmp_path):
    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in original.rglob("*")}

    before = state()
    run([original], pack)
    remove(pack)
    assert state() == before


@pytest.mark.parametrize(
    "damage", ["no info", "info is no json", "other format", "file missing", "file cut", "other file"]
)
def test_damaged_packs_are_one_sentence(original, pack, damage):
    run([original], pack)
    model = pack_data.pack_files(pack)["model"]
    core = pack_data.pack_files(pack)["core"]
    info = pack / "pack.json"
    if damage == "no info":
        info.unlink()
    elif damage == "info is no json":
        info.write_text("{")
    elif damage == "other format":
        info.write_text(info.read_text().replace('"format": 1', '"format": 0'))
    elif damage == "file missing":
        core.unlink()
    elif damage == "file cut":
        os.truncate(core, core.stat().st_size // 2)
    else:
        model.write_bytes(core.read_bytes())
    with pytest.raises(ModelFileError) as error:
        pack_data.load(pack)
    assert "mport" in error.value.hint
    assert "\n" not in str(error.value)
    run([original], pack)
    assert pack_data.load(pack).vertex_count == 514


def test_no_permission_to_write_is_one_sentence(original, pack, monkeypatch):
    from engine.errors import ExportError

    blocker = pack.parent.parent
    blocker.parent.mkdir(parents=True, exist_ok=True)
    blocker.write_text("a file in the way")
    with pytest.raises(ExportError, match="is a file where a folder is needed"):
        run([original], pack)


def test_default_folder_is_the_user_s(monkeypatch):
    folder = pack_data.default_folder()
    assert folder.parts[-3:] == ("detailed-face", "packs", "facescape")
    assert Path(convert_module.__file__).resolve().parents[3] not in folder.parents


# ---------------------------------------------------------------------------------------------------- memory and time


@pytest.mark.parametrize("coordinates_first", [False, True])
def test_core_of_full_size_is_never_held_as_a_whole(tmp_path, coordinates_first):
    """821 MB of zeros in a sparse file: pieces of a few identities, or batches where the file's order is another."""
    path = tmp_path / "core_847_50_52.npy"
    shape = (78951, 52, 50) if coordinates_first else (50, 52, 78951)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        stream.truncate(stream.tell() + 4 * 50 * 52 * 78951)
    source = inspect_core(path)
    assert (source.identities, source.vertices) == (50, 26317)
    tracemalloc.start()
    try:
        rows = 0
        for row in core_rows(source, lambda vertices: vertices):
            rows += row is not None
            if coordinates_first and rows == 3:
                break  # the first batch is gathered by now: as much memory as it ever takes
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == (3 if coordinates_first else 50)
    assert peak < (1000 << 20 if coordinates_first else 150 << 20)


def test_pack_is_loaded_in_no_time(original, pack):
    run([original], pack)
    pack_data.load(pack)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        pack_data.load(pack)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3


def test_faces_with_texture_indices_outside(original):
    uvs, faces = pickle.loads((original / "predef" / "faces.pkl").read_bytes())
    with pytest.raises(WrongContent, match="texture coordinates that are not there"):
        read_faces(pickle.dumps((uvs[:100], faces), 2))
