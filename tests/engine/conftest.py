"""Files and folders that the tests of FaceScape's import share; made when a test asks for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import facescape_standin as standin


@pytest.fixture(scope="session")
def facescape_files(tmp_path_factory):
    """All files of the original but the position maps, small. Not to be changed: take a ``copy``."""
    return standin.make(tmp_path_factory.mktemp("facescape"), width=2)


@pytest.fixture
def facescape_copy(facescape_files, tmp_path):
    """A copy of all files that a test may spoil."""
    return Path(shutil.copytree(facescape_files, tmp_path / "copy"))


@pytest.fixture
def facescape_model(facescape_copy):
    """The same without networks: quicker to look through."""
    shutil.rmtree(facescape_copy / "checkpoints")
    return facescape_copy


@pytest.fixture
def facescape_pack(tmp_path):
    """Where the pack goes: a folder that does not exist yet."""
    return tmp_path / "user data" / "packs" / "facescape"
