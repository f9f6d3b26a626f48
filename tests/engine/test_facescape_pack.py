"""The imported pack: whole or absent, replaced at one stroke, damaged, removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.packs.facescape import convert as convert_module
from engine.packs.facescape import data as pack_data
from engine.packs.facescape.convert import convert, remove
from engine.packs.facescape.inventory import CORE, take_inventory
from tests.facescape_standin import file_of, import_files, with_number


def test_cancelled_import_leaves_nothing_behind(facescape_files, facescape_pack):
    steps = convert(take_inventory([facescape_files]), facescape_pack)
    for _ in range(5):
        next(steps)
    steps.close()
    assert not facescape_pack.exists()
    assert not facescape_pack.parent.exists()


def test_cancelled_or_failed_import_keeps_the_earlier_pack(facescape_copy, facescape_pack, monkeypatch):
    import_files([facescape_copy], facescape_pack)
    before = {path.name: path.read_bytes() for path in facescape_pack.iterdir()}
    steps = convert(take_inventory([facescape_copy]), facescape_pack)
    for _ in range(8):
        next(steps)
    steps.close()
    assert {path.name: path.read_bytes() for path in facescape_pack.iterdir()} == before
    path = file_of(facescape_copy, CORE)
    np.save(path, with_number(np.nan)(np.load(path)))
    with pytest.raises(ModelFileError):
        import_files([facescape_copy], facescape_pack)
    assert {path.name: path.read_bytes() for path in facescape_pack.iterdir()} == before
    assert pack_data.load(facescape_pack).vertex_count == 514


def test_second_import_replaces_the_first_and_leaves_no_old_files(facescape_model, facescape_pack):
    import_files([facescape_model], facescape_pack)
    first = {path.name for path in facescape_pack.iterdir()}
    (facescape_pack / ".detailed-face-killed").mkdir()
    (facescape_pack / ".detailed-face-killed" / "core").write_bytes(b"left by a process that was killed")
    import_files([facescape_model], facescape_pack)
    second = {path.name for path in facescape_pack.iterdir()}
    assert len(second) == 3
    assert first & second == {"pack.json"}


def test_networks_can_be_imported_later_and_stay_when_the_model_is_imported_again(
    facescape_copy, facescape_pack, tmp_path
):
    networks = tmp_path / "networks"
    shutil.move(facescape_copy / "checkpoints", networks)
    import_files([facescape_copy], facescape_pack)
    assert not pack_data.load(facescape_pack).checkpoints
    assert import_files([networks], facescape_pack) == ("single", "rig")
    assert sorted(pack_data.load(facescape_pack).checkpoints) == ["rig", "single"]
    import_files([facescape_copy], facescape_pack)
    data = pack_data.load(facescape_pack)
    assert sorted(data.checkpoints) == ["rig", "single"]
    assert data.vertex_count == 514
    info = pack_data.read_info(facescape_pack)
    assert info["version"] == "1.0-1.3"
    assert set(info["sources"]) >= {CORE, "faces.pkl"}


def test_networks_alone_are_no_pack(facescape_files, facescape_pack):
    with pytest.raises(ModelFileError, match="not complete") as refused:
        import_files([facescape_files / "checkpoints"], facescape_pack)
    assert CORE in refused.value.hint
    assert "faces.pkl" in refused.value.hint
    assert not facescape_pack.exists()


def test_nothing_new_to_import(facescape_files, facescape_pack):
    import_files([facescape_files], facescape_pack)
    with pytest.raises(ModelFileError, match="nothing to import"):
        import_files([facescape_pack.parent], facescape_pack)


def test_removal_leaves_nothing_of_the_pack_and_everything_else(facescape_files, facescape_pack):
    assert remove(facescape_pack) is False
    import_files([facescape_files], facescape_pack)
    assert remove(facescape_pack) is True
    assert not facescape_pack.exists()
    import_files([facescape_files], facescape_pack)
    (facescape_pack / "my notes.txt").write_text("mine")
    assert remove(facescape_pack) is True
    assert [path.name for path in facescape_pack.iterdir()] == ["my notes.txt"]
    assert not pack_data.is_imported(facescape_pack)


def test_sources_are_never_changed(facescape_files, facescape_pack, tmp_path):
    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in facescape_files.rglob("*")}

    before = state()
    import_files([facescape_files], facescape_pack)
    remove(facescape_pack)
    assert state() == before


@pytest.mark.parametrize(
    "damage", ["no info", "info is no json", "other format", "file missing", "file cut", "other file"]
)
def test_damaged_packs_are_one_sentence(facescape_files, facescape_pack, damage):
    import_files([facescape_files], facescape_pack)
    model = pack_data.pack_files(facescape_pack)["model"]
    core = pack_data.pack_files(facescape_pack)["core"]
    info = facescape_pack / "pack.json"
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
        pack_data.load(facescape_pack)
    assert "mport" in error.value.hint
    assert "\n" not in str(error.value)
    import_files([facescape_files], facescape_pack)
    assert pack_data.load(facescape_pack).vertex_count == 514


def test_no_permission_to_write_is_one_sentence(facescape_files, facescape_pack, monkeypatch):
    from engine.errors import ExportError

    blocker = facescape_pack.parent.parent
    blocker.parent.mkdir(parents=True, exist_ok=True)
    blocker.write_text("a file in the way")
    with pytest.raises(ExportError, match="is a file where a folder is needed"):
        import_files([facescape_files], facescape_pack)


def test_default_folder_is_the_user_s(monkeypatch):
    folder = pack_data.default_folder()
    assert folder.parts[-3:] == ("detailed-face", "packs", "facescape")
    assert Path(convert_module.__file__).resolve().parents[3] not in folder.parents
