"""The window with the invented engine, and what the tests need that start the command line with FaceScape's files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import facescape_standin as standin
from tests.app.facescape_runs import WIDTH, at_home, call, shared_detector


@pytest.fixture
def engine():
    from tests.app.invented_engine import InventedEngine

    return InventedEngine()


@pytest.fixture
def window(qapp, qtbot, tmp_path, engine):
    """Shown, painted and warmed up."""
    if qapp.platformName() == "offscreen":
        pytest.skip("the window needs a display; python3 -m tests starts a virtual one")
    from tests.app.window_fixture import shown_window

    with shown_window(tmp_path, engine) as window:
        qtbot.waitUntil(lambda: window.map_scale_mm is not None)
        yield window


@pytest.fixture
def with_face(window, qtbot):
    """The same window with the sample's face."""
    window.commands.open_sample()
    qtbot.waitUntil(lambda: window.session.face is not None)
    qtbot.waitUntil(lambda: window.engine_thread.is_idle() and window.session.progress is None)
    return window


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
