"""Fixtures of the tests that start the command line with FaceScape's files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import facescape_standin as standin
from tests.app.facescape_runs import WIDTH, at_home, call, shared_detector


@pytest.fixture(scope="module")
def detector() -> Iterator[None]:
    """One detector for all runs in this process."""
    with shared_detector():
        yield


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small stand-in of all files but the position maps. Not to be changed."""
    return standin.make(tmp_path_factory.mktemp("original"), width=WIDTH)


@pytest.fixture(scope="session")
def user(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of somebody who has imported it. Not to be changed."""
    place = tmp_path_factory.mktemp("user")
    with at_home(place):
        status, out, err = call("--import-facescape", original)
    assert status == 0, err
    assert "Imported the shapes" in out
    return place


@pytest.fixture
def own(user: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of that home that a test may spoil, without maps kept by other tests, and the process its."""
    place = Path(shutil.copytree(user, tmp_path / "own", ignore=shutil.ignore_patterns("*.map")))
    with at_home(place):
        yield place
