"""Import of the original's files: found by name and content, converted as they are, never held as a whole."""

from __future__ import annotations

import pickle
import shutil
import time
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.packs.facescape import data as pack_data
from engine.packs.facescape import inventory_files
from engine.packs.facescape.convert import convert
from engine.packs.facescape.convert_core import core_rows, inspect_core
from engine.packs.facescape.convert_predef import READERS, read_faces
from engine.packs.facescape.inventory import CHECKPOINTS, CORE, FACTORS, SPECS, take_inventory
from engine.packs.facescape.restricted import WrongContent
from tests import facescape_standin as standin
from tests.engine.test_facescape_restricted import PREDEF, needs_originals
from tests.facescape_standin import file_of, import_files

SMALL = [spec.name for spec in SPECS if spec.name in READERS]


def test_imported_arrays_are_those_of_the_files(facescape_files, facescape_pack):
    assert import_files([facescape_files], facescape_pack) == ("core", "model", "single", "rig")
    data = pack_data.load(facescape_pack)
    core = np.load(facescape_files / "model" / CORE)
    np.testing.assert_array_equal(data.core, core)
    assert isinstance(data.core, np.memmap)
    uvs, faces = pickle.loads((facescape_files / "predef" / "faces.pkl").read_bytes())
    np.testing.assert_array_equal(data.faces, np.array([face[0] for face in faces]) - 1)
    np.testing.assert_array_equal(data.uv_faces, np.array([face[2] for face in faces]) - 1)
    np.testing.assert_array_equal(data.uvs, np.array(uvs, np.float32))
    front = pickle.loads((facescape_files / "predef" / "front_faces.pkl").read_bytes())
    np.testing.assert_array_equal(data.front_faces, np.array([face[0] for face in front]) - 1)
    right, left = pickle.loads((facescape_files / "predef" / "contour_line_68.pkl").read_bytes())
    for found, line in zip(data.contour_right + data.contour_left, right + left, strict=True):
        np.testing.assert_array_equal(found, line)
    mixture = standin.make_mixture()
    np.testing.assert_array_equal(data.gmm_precisions_cholesky, mixture.precisions_cholesky_)
    np.testing.assert_array_equal(data.gmm_means, mixture.means_)
    np.testing.assert_array_equal(data.start_identity, np.load(facescape_files / "model" / FACTORS)[0])
    np.testing.assert_array_equal(data.id_mean, pickle.loads((facescape_files / "predef" / "id_mean.pkl").read_bytes()))
    np.testing.assert_array_equal(data.landmark_vertices, np.arange(68))
    assert data.position_maps is None
    assert data.folder == facescape_pack


def test_arrays_are_read_only_and_front_mesh_belongs_to_the_head(facescape_files, facescape_pack):
    import_files([facescape_files], facescape_pack)
    data = pack_data.load(facescape_pack)
    for field in fields(data):
        value = getattr(data, field.name)
        for array in value if isinstance(value, tuple) else [value]:
            assert not isinstance(array, np.ndarray) or not array.flags.writeable, field.name
    front = {tuple(face) for face in data.front_vertices[data.front_faces]}
    assert front <= {tuple(face) for face in data.faces[data.texture_faces]}
    assert 0.3 < data.front_mask.mean() < 1


def test_networks_are_the_same_numbers_read_by_the_format_s_own_library(facescape_files, facescape_pack):
    import torch
    from safetensors.torch import load_file

    import_files([facescape_files], facescape_pack)
    data = pack_data.load(facescape_pack)
    for name, kind in CHECKPOINTS.items():
        state = torch.load(facescape_files / "checkpoints" / name, weights_only=True)
        stored = load_file(data.checkpoints[kind])
        assert stored.keys() == state.keys()
        assert all(torch.equal(stored[key], state[key]) for key in state)


def test_position_maps_are_unpacked(facescape_model, facescape_pack):
    maps = standin.make_position_maps()
    np.savez(facescape_model / "predef" / "posmaps.npz", maps.astype(np.float32))
    assert import_files([facescape_model], facescape_pack) == ("core", "model", "position_maps")
    stored = pack_data.load(facescape_pack).position_maps
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


def test_files_anywhere_in_several_folders(facescape_model, tmp_path, facescape_pack):
    other = tmp_path / "Downloads" / "bilinear model" / "v1"
    other.mkdir(parents=True)
    for name in (CORE, FACTORS):
        shutil.move(facescape_model / "model" / name, other / name)
    assert take_inventory([facescape_model]).model is None
    import_files([facescape_model, tmp_path / "Downloads"], facescape_pack)
    assert pack_data.load(facescape_pack).vertex_count == 514


def test_single_files_may_be_named(facescape_model, facescape_pack):
    files = sorted(path for path in facescape_model.rglob("*") if path.is_file())
    assert import_files(files, facescape_pack) == ("core", "model")


def test_copies_as_browsers_name_them(facescape_model):
    for old, new in (
        (CORE, "core_847_50_52 (1).npy"),
        ("faces.pkl", "Faces - Copy.pkl"),
        ("front_mask.png", "FRONT_MASK.PNG"),
    ):
        path = file_of(facescape_model, old)
        path.rename(path.with_name(new))
    assert take_inventory([facescape_model]).model is not None


def test_renamed_arrays_and_networks_are_known_by_their_content(facescape_copy):
    for old, new in ((CORE, "a.npy"), (FACTORS, "b.npy"), ("dpmap_rig_net_G.pth", "latest.pth")):
        path = file_of(facescape_copy, old)
        path.rename(path.with_name(new))
    inventory = take_inventory([facescape_copy])
    assert inventory.model is not None
    assert [inventory[name].path.name for name in (CORE, FACTORS, "dpmap_rig_net_G.pth")] == [
        "a.npy",
        "b.npy",
        "latest.pth",
    ]


def test_hidden_folders_and_imported_packs_are_no_sources(facescape_model, facescape_pack):
    import_files([facescape_model], facescape_pack)
    shutil.copytree(facescape_model, facescape_model.parent / "other" / ".git")
    assert not take_inventory([facescape_model.parent / "other"]).found_any
    assert not take_inventory([facescape_pack.parent]).found_any


def test_folder_that_is_too_large_is_searched_in_part_and_said_so(facescape_model, monkeypatch):
    for name in "abcdef":
        (facescape_model / "0" / name).mkdir(parents=True)
    monkeypatch.setattr(inventory_files, "_MOST_FOLDERS", 5)
    inventory = take_inventory([facescape_model])
    assert inventory.model is None
    assert inventory.notes[0].startswith(f"{facescape_model} is too large to be searched whole")


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


def test_priors_of_a_model_with_other_identities_come_from_its_factors(facescape_model, facescape_pack):
    """As for core_847_300_52, with which the original's id_mean and id_var do not go."""
    for name in (CORE, FACTORS):
        file_of(facescape_model, name).unlink()
    core = standin.make_core(identities=9)
    np.save(facescape_model / "core_847_300_52.npy", core)
    factors = np.random.default_rng(5).normal(0, 0.03, (40, 9)).astype(np.float32)
    factors[:, 0] += standin.ID_MEAN_0
    np.save(facescape_model / "factors_id_847_300_52.npy", factors)
    inventory = take_inventory([facescape_model])
    assert (inventory["id_mean.pkl"].status, inventory["id_mean.pkl"].why) == (
        "not needed",
        "computed from the factors",
    )
    import_files([facescape_model], facescape_pack)
    data = pack_data.load(facescape_pack)
    np.testing.assert_array_equal(data.core, core)
    np.testing.assert_allclose(data.id_mean, factors.astype(float).mean(0))
    np.testing.assert_allclose(data.id_var, factors.astype(float).var(0))


@pytest.mark.parametrize(
    "how", ["as float64", "Fortran order", "coordinates first", "coordinates first, Fortran order"]
)
def test_core_stored_in_another_order(facescape_model, facescape_pack, how, monkeypatch):
    from engine.packs.facescape import convert_core

    path = file_of(facescape_model, CORE)
    core = np.load(path)
    stored = core.astype(np.float64) if how == "as float64" else core
    if "coordinates first" in how:
        stored = np.ascontiguousarray(stored.transpose(2, 1, 0))
    np.save(path, np.asfortranarray(stored) if "Fortran" in how else stored)
    monkeypatch.setattr(convert_core, "_BATCH_BYTES", core[0].nbytes * 4)  # six identities: two batches
    monkeypatch.setattr(convert_core, "_PIECE_BYTES", 1 << 20)
    import_files([facescape_model], facescape_pack)
    np.testing.assert_array_equal(pack_data.load(facescape_pack).core, core)


@pytest.mark.slow
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


def test_pack_is_loaded_in_no_time(facescape_files, facescape_pack):
    import_files([facescape_files], facescape_pack)
    pack_data.load(facescape_pack)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        pack_data.load(facescape_pack)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3


def test_faces_with_texture_indices_outside(facescape_files):
    uvs, faces = pickle.loads((facescape_files / "predef" / "faces.pkl").read_bytes())
    with pytest.raises(WrongContent, match="texture coordinates that are not there"):
        read_faces(pickle.dumps((uvs[:100], faces), 2))
