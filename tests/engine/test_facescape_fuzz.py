"""Damaged files of every kind: each is either read as something sound or refused in a sentence; nothing else happens."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.packs.facescape import inventory_files as files
from engine.packs.facescape.convert_core import core_rows, inspect_core
from engine.packs.facescape.convert_network import open_checkpoint, recognise, safetensors_chunks
from engine.packs.facescape.convert_predef import READERS
from engine.packs.facescape.inventory import CHECKPOINTS, CORE, FACTORS, SPECS, take_inventory
from tests import facescape_standin as standin
from tests.engine import test_facescape_bilinear16 as of16

ROUNDS = 16
MEMORY_LIMIT = 400 << 20  # bytes that reading a damaged small file may take at most
ALL = [*(spec.name for spec in SPECS), of16.NAME]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = standin.make(tmp_path_factory.mktemp("facescape"), identities=2, width=1)
    core = np.load(folder / "model" / CORE).reshape(2, 52, of16.OLD, 3)
    small = of16.entries(np.concatenate([core] * 3))
    np.savez(folder / "model" / of16.NAME, **small)
    np.savez_compressed(folder / "predef" / "posmaps.npz", np.zeros((60, 1024, 1024), np.float16))
    return folder


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """``data`` with one kind of damage: cut, bits flipped, a piece doubled, moved, zeroed or replaced."""
    raw = bytearray(data)
    at, length = int(rng.integers(len(raw))), int(rng.integers(1, 200))
    kind = int(rng.integers(7))
    near_start = int(rng.integers(min(len(raw), 300)))
    if kind == 0:
        return bytes(raw[:at])
    if kind == 1:
        for place in rng.integers(0, len(raw), 8):
            raw[place] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        raw[near_start] ^= 1 << int(rng.integers(8))
    elif kind == 3:
        raw[at:at] = raw[at : at + length]
    elif kind == 4:
        raw[at : at + length] = bytes(len(raw[at : at + length]))
    elif kind == 5:
        raw[near_start : near_start + 4] = b"\xff\xff\xff\x7f"
    else:
        raw[at : at + length] = rng.integers(0, 256, len(raw[at : at + length])).astype(np.uint8).tobytes()
    return bytes(raw)


def read_whole(name: str) -> Callable[[Path], None]:
    """What the import does with a file, up to its last number."""

    def core(path: Path) -> None:
        for row in core_rows(inspect_core(path), lambda vertices: vertices):
            assert row is None or np.isfinite(row).all()

    def network(path: Path) -> None:
        state = open_checkpoint(path)
        recognise(path, state)
        assert sum(len(chunk) for chunk in safetensors_chunks(state)) > 1000

    def small(path: Path) -> None:
        arrays, _ = files.check_predef(name, path)
        for array in arrays.values():
            assert array.size
            assert np.isfinite(array).all()

    if name == CORE:
        return core
    if name == FACTORS:
        return lambda path: np.testing.assert_array_less(0, files.check_factors(path, 2).var(0))
    if name == of16.NAME:
        return lambda path: np.testing.assert_array_less(0, files.check_core(path).id_var)
    if name in CHECKPOINTS:
        return network
    return small if name in READERS else lambda path: files.check_position_maps(path)


@pytest.mark.parametrize("name", ALL)
def test_damaged_files_are_sound_or_refused(original, tmp_path, name):
    data = next(original.rglob(name)).read_bytes()
    rng = np.random.default_rng([ord(letter) for letter in name])
    read = read_whole(name)
    path = tmp_path / name
    refused = []
    tracemalloc.start()
    try:
        for _ in range(ROUNDS):
            path.write_bytes(damaged(data, rng))
            try:
                read(path)
            except ModelFileError as error:
                refused.append(str(error))
        assert tracemalloc.get_traced_memory()[1] < MEMORY_LIMIT
    finally:
        tracemalloc.stop()
    assert not any("\n" in text or not text for text in refused)
    assert len(refused) >= ROUNDS // 8  # cuts alone are more; otherwise nothing is being damaged


@pytest.mark.parametrize("name", ALL)
def test_empty_and_foreign_files_are_refused(original, tmp_path, name):
    path = tmp_path / name
    read = read_whole(name)
    for content in (b"", b"\0" * 5000, b"hello", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x02.", b"<html>404</html>"):
        path.write_bytes(content)
        with pytest.raises(ModelFileError):
            read(path)


def test_every_file_in_place_of_every_other(original, tmp_path):
    """No file is taken for another, but for the two lists of indices (which contradict the rest) and the networks."""
    taken = set()
    for name in ALL:
        read = read_whole(name)
        path = tmp_path / name
        for other in ALL:
            path.write_bytes(next(original.rglob(other)).read_bytes())
            try:
                read(path)
            except ModelFileError:
                continue
            if other != name:
                taken.add((name, other))
        path.unlink()
    lists = {"front_verts_indices.pkl", "front_face_indices.pkl"}
    networks = set(CHECKPOINTS)  # told apart by the inventory, which knows which one it looks for
    # A variance can be read as a mean, but never a mean as a variance.
    assert all(set(pair) in (lists, networks) or pair == ("id_mean.pkl", "id_var.pkl") for pair in taken), taken


def test_damaged_files_all_at_once(original, tmp_path):
    """The inventory survives folders in which everything is damaged."""
    rng = np.random.default_rng(99)
    for round_ in range(3):
        folder = tmp_path / str(round_)
        folder.mkdir()
        for name in ALL:
            (folder / name).write_bytes(damaged(next(original.rglob(name)).read_bytes(), rng))
        inventory = take_inventory([folder])
        assert inventory.wrong
        assert all(finding.why.endswith(".") for finding in inventory.wrong)
