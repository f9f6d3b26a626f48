"""The disk cache of predicted maps."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from engine.detail.map_cache import MapCache, cache_key, default_folder


def _map(seed: int, size: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)


def _age(folder: Path, key: str, seconds: float) -> None:
    path = folder / f"{key}.map"
    os.utime(path, (path.stat().st_mtime - seconds,) * 2)


def test_what_is_put_comes_back_in_another_process_start(tmp_path):
    MapCache(tmp_path).put("a", _map(1))
    found = MapCache(tmp_path).get("a")
    assert found is not None
    assert found.dtype == np.float32
    assert (found == _map(1)).all()
    assert found.flags.writeable


def test_unknown_key_and_missing_folder_give_nothing(tmp_path):
    assert MapCache(tmp_path).get("a") is None
    assert MapCache(tmp_path / "missing").get("a") is None
    assert MapCache(tmp_path / "missing").size_bytes() == 0
    MapCache(tmp_path / "missing").clear()


@pytest.mark.parametrize("fault", ["empty", "short", "flipped", "other dtype", "text"])
def test_damaged_entries_are_ignored_and_removed(tmp_path, fault):
    cache = MapCache(tmp_path)
    cache.put("a", _map(1))
    path = tmp_path / "a.map"
    data = bytearray(path.read_bytes())
    if fault == "flipped":
        data[-1] ^= 1
    elif fault == "other dtype":
        from engine.detail import map_cache

        stored = map_cache._packed(_map(1))
        data = bytearray(stored.replace(b"<f4", b"<i4"))
    else:
        data = {"empty": bytearray(), "short": data[:100], "text": bytearray(b"not a map")}[fault]
    path.write_bytes(bytes(data))
    assert cache.get("a") is None
    assert not path.exists()
    cache.put("a", _map(2))
    assert (cache.get("a") == _map(2)).all()


def test_longest_unused_goes_first(tmp_path):
    one = _map(0)
    cache = MapCache(tmp_path, limit_bytes=3 * (one.nbytes + 200))
    for index, name in enumerate("abc"):
        cache.put(name, _map(index))
        _age(tmp_path, name, 100 - index)
    assert cache.get("a") is not None  # used again, so b is the oldest now
    cache.put("d", _map(3))
    assert cache.get("b") is None
    assert all(cache.get(name) is not None for name in "acd")
    assert cache.size_bytes() <= 3 * (one.nbytes + 200)


def test_map_larger_than_the_cache_is_not_stored(tmp_path):
    cache = MapCache(tmp_path, limit_bytes=1000)
    cache.put("a", _map(0))
    assert cache.get("a") is None


def test_left_over_temporary_files_go_and_fresh_ones_stay(tmp_path):
    old, fresh = tmp_path / ".writing-old", tmp_path / ".writing-fresh"
    for path in (old, fresh):
        path.write_bytes(b"half a map")
    os.utime(old, (old.stat().st_mtime - 7200,) * 2)
    MapCache(tmp_path).put("a", _map(1))
    assert not old.exists()
    assert fresh.exists()


def test_unwritable_place_costs_no_result(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    MapCache(blocked).put("a", _map(1))
    assert "could not be stored" in caplog.text
    assert MapCache(blocked).get("a") is None


def test_failed_write_leaves_the_old_map(tmp_path, monkeypatch, caplog):
    cache = MapCache(tmp_path)
    cache.put("a", _map(1))

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.put("a", _map(2))
    assert "no space left" in caplog.text
    assert (cache.get("a") == _map(1)).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.map"]


def test_clear_empties(tmp_path):
    cache = MapCache(tmp_path)
    for name in "ab":
        cache.put(name, _map(1))
    (tmp_path / "other.txt").write_text("not ours")
    cache.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def _write_often(folder: Path, seed: int) -> None:
    cache = MapCache(folder, limit_bytes=4 * (64 * 64 * 4 + 200))
    for index in range(40):
        cache.put("shared", _map(seed))
        cache.put(f"{seed}-{index}", _map(index))


def test_processes_may_share_a_folder(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_often, args=(tmp_path, seed)) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    found = MapCache(tmp_path).get("shared")
    assert found is None or any((found == _map(seed)).all() for seed in (1, 2))
    assert not list(tmp_path.glob(".writing-*"))


def test_keys_do_not_run_together():
    assert cache_key("ab", "c") != cache_key("a", "bc")
    assert cache_key("a", b"") != cache_key("a")
    assert cache_key("a", b"b") == cache_key("a", "b")


def test_default_folder_is_the_users_cache(tmp_home):
    assert default_folder("facescape").is_relative_to(tmp_home)
    assert default_folder("open") != default_folder("facescape")
