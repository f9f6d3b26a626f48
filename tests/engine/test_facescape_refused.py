"""Files that are refused: hostile, swapped, of another model, with impossible numbers; and why, in a sentence."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.packs.facescape import data as pack_data
from engine.packs.facescape.checkpoint import GeneratorShape, expected_shapes, read_architecture
from engine.packs.facescape.convert import convert
from engine.packs.facescape.convert_predef import READERS
from engine.packs.facescape.inventory import CHECKPOINTS, CORE, FACTORS, POSITION_MAPS, SPECS, take_inventory
from engine.packs.facescape.restricted import WrongContent
from tests import facescape_standin as standin
from tests.engine.test_facescape_restricted import Hostile
from tests.facescape_standin import file_of, import_files, with_number

SMALL = [spec.name for spec in SPECS if spec.name in READERS]


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
def test_hostile_pickle_in_place_of_each_file_is_never_run(facescape_copy, facescape_pack, tmp_path, name, bare):
    marker = tmp_path / "ran"
    target = next(facescape_copy.rglob(name), facescape_copy / "predef" / name)
    if not name.endswith(".pth"):
        shutil.rmtree(facescape_copy / "checkpoints")
    spoil(target, marker)
    if bare:
        target.write_bytes(pickle.dumps(Hostile(marker), 2))
    inventory = take_inventory([facescape_copy])
    finding = inventory[name]
    assert finding.status == "wrong"
    assert finding.path == target
    assert finding.why.startswith(target.name)
    if finding.spec.required:
        assert inventory.model is None
        with pytest.raises(ModelFileError) as refused:
            next(convert(inventory, facescape_pack))
        assert target.name in refused.value.hint
        assert not facescape_pack.exists()
    else:
        written = import_files([facescape_copy], facescape_pack)
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


def test_another_network_is_refused_naming_both_lists(facescape_copy):
    import torch

    path = facescape_copy / "checkpoints" / "dpmap_single_net_G.pth"
    state = standin.make_state_dict("single", 2)
    del state["model.4.bias"]
    state["model.40.weight"] = torch.zeros(3)
    torch.save(state, path)
    why = take_inventory([facescape_copy])["dpmap_single_net_G.pth"].why
    assert why.startswith("dpmap_single_net_G.pth is not a detail network of FaceScape.")
    assert "Missing: model.4.bias." in why
    assert "Unexpected: model.40.weight." in why
    torch.save({"conv.weight": torch.zeros(3, 3)}, path)
    why = take_inventory([facescape_copy])["dpmap_single_net_G.pth"].why
    assert "Missing: model.1.weight, " in why
    assert "Unexpected: conv.weight." in why


def test_other_widths_are_refused():
    shapes = expected_shapes(GeneratorShape(3, 8, 4, 9))
    shapes["model.7.weight"] = (32, 15, 3, 3)
    with pytest.raises(ModelFileError) as refused:
        read_architecture(shapes)
    assert "model.7.weight is 32 x 15 x 3 x 3 instead of 32 x 16 x 3 x 3" in refused.value.hint


@pytest.mark.parametrize("what", ["swapped", "nan", "integers", "no dict", "compressed", "one channel"])
def test_wrong_checkpoints(facescape_copy, facescape_pack, what):
    import zipfile

    import torch

    single, rig = (facescape_copy / "checkpoints" / name for name in CHECKPOINTS)
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
            import_files([facescape_copy], facescape_pack)
        assert not facescape_pack.exists()
        return
    expected = {
        "swapped": "holds the network dpmap_rig (6 input channels), not dpmap_single.",
        "integers": "holds weights of an unusual kind.",
        "no dict": "holds no state dict of a network.",
        "compressed": "is packed in an unusual way.",
        "one channel": "is a network for 1 input channels instead of 3 or 6.",
    }
    assert take_inventory([facescape_copy])["dpmap_single_net_G.pth"].why == f"dpmap_single_net_G.pth {expected[what]}"


def test_files_swapped_with_each_other_are_noticed(facescape_model):
    """Every pair of small files: one of the two is refused by itself, or both contradict the others."""
    contents = {name: (facescape_model / "predef" / name).read_bytes() for name in SMALL}
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
        (facescape_model / "predef" / one).write_bytes(contents[other])
        (facescape_model / "predef" / other).write_bytes(contents[one])
        inventory = take_inventory([facescape_model])
        assert inventory.model is None, (one, other)
        assert {finding.spec.name for finding in inventory.wrong} & {one, other}
        for name in (one, other):
            (facescape_model / "predef" / name).write_bytes(contents[name])
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
def test_core_of_another_shape_or_type(facescape_model, change, why):
    path = file_of(facescape_model, CORE)
    np.save(path, change(np.load(path)))
    finding = take_inventory([facescape_model])[CORE]
    assert finding.status == "wrong"
    assert why in finding.why


def _relative(core: np.ndarray) -> np.ndarray:
    core[:, 1:] -= core[:, :1]
    return core


def _shuffled(core: np.ndarray) -> np.ndarray:
    order = np.random.default_rng(1).permutation(core.shape[2] // 3)
    return core.reshape(*core.shape[:2], -1, 3)[:, :, order].reshape(core.shape)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (with_number(np.nan), "not finite"),
        (with_number(np.inf), "not finite"),
        (with_number(1e30), "impossibly large"),
        (_relative, "no absolute shapes"),
        (_shuffled, "no face in the order of vertices"),
        (np.zeros_like, "no face"),
    ],
)
def test_core_with_wrong_numbers_leaves_nothing_behind(facescape_model, facescape_pack, change, why):
    path = file_of(facescape_model, CORE)
    np.save(path, change(np.load(path)))
    with pytest.raises(ModelFileError, match=why) as refused:
        import_files([facescape_model], facescape_pack)
    assert str(refused.value).startswith(CORE)
    assert not facescape_pack.exists()


def test_core_of_another_topology_contradicts_the_small_files(facescape_model):
    path = file_of(facescape_model, CORE)
    np.save(path, np.load(path)[:, :, :1500])
    inventory = take_inventory([facescape_model])
    assert inventory.model is None
    assert "faces.pkl does not belong to this model: it points to number 513 of 500." in [
        f.why for f in inventory.wrong
    ]


def test_factors_of_another_model(facescape_model):
    path = file_of(facescape_model, FACTORS)
    np.save(path, np.load(path)[:, :5])
    assert take_inventory([facescape_model])[FACTORS].why == f"{FACTORS} has 5 factors for a model of 6 identities."


def test_one_changed_index_in_the_front_mesh_is_noticed(facescape_model):
    path = file_of(facescape_model, "front_faces.pkl")
    faces = pickle.loads(path.read_bytes())
    faces[100][0][1] += 1
    path.write_bytes(pickle.dumps(faces, 0))
    assert "triangles that do not go with faces.pkl" in take_inventory([facescape_model])["front_faces.pkl"].why


@pytest.mark.parametrize("what", ["float16 is fine", "nan", "integers", "other shape", "cut", "checksum"])
def test_position_maps_of_other_kinds(facescape_model, facescape_pack, what):
    path = facescape_model / "predef" / POSITION_MAPS
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
        import_files([facescape_model], facescape_pack)
        assert pack_data.load(facescape_pack).position_maps.dtype == np.float32
    elif what in ("nan", "checksum"):
        with pytest.raises(ModelFileError, match=r"posmaps.npz (holds numbers that are not finite|is damaged)"):
            import_files([facescape_model], facescape_pack)
        assert not facescape_pack.exists()
    else:
        assert take_inventory([facescape_model])[POSITION_MAPS].status == "wrong"


def test_index_files_out_of_range_or_short(facescape_model):
    path = facescape_model / "predef" / "index_68.txt"
    path.write_text("\n".join(["9999"] * 68))
    assert "index_68.txt does not belong to this model" in take_inventory([facescape_model])["index_68.txt"].why
    path.write_text("\n".join(["1"] * 67))
    assert take_inventory([facescape_model])["index_68.txt"].why == "index_68.txt holds 67 lines instead of 68."
    path.write_bytes(b"\r\n".join(str(i).encode() + b" # note" for i in range(68)))
    assert take_inventory([facescape_model]).model is not None
    (facescape_model / "predef" / "index_chin.txt").unlink()
    inventory = take_inventory([facescape_model])
    assert inventory.model is None
    assert "index_chin.txt is needed" in inventory["index_68.txt"].why
