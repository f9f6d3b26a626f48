"""Fixtures that every test may need: fixed seeds, a headless OpenGL context, a home folder, a check for left-overs."""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import moderngl

SEED = 20200614


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Make the global generators start alike in every test (own code takes an explicit generator)."""
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 - for libraries that use it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(SEED)


@pytest.fixture(autouse=True)
def no_qt_left_overs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a top-level widget or a running QThread behind."""
    if not {"qtbot", "qapp"} & set(request.fixturenames):
        yield
        return
    request.getfixturevalue("qapp")
    before = {id(thing) for thing in _qt_things()}
    yield
    if left := _qt_left_overs(before):
        gc.collect()  # a cycle may hold what the test has let go of
        left = _qt_left_overs(before)
    assert not left, f"left behind: {left}"


def _qt_left_overs(before: set[int]) -> list[str]:
    return [repr(thing) for thing in _qt_things() if id(thing) not in before]


def _qt_things() -> list[object]:
    """Return the top-level widgets without a parent and the running threads.

    Menus are left out: pyqtgraph keeps the context menus of its views without a parent.
    """
    from PySide6.QtCore import QCoreApplication, QEvent, QThread
    from PySide6.QtWidgets import QApplication, QMenu
    from shiboken6 import isValid

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    widgets = [w for w in QApplication.topLevelWidgets() if w.parent() is None and not isinstance(w, QMenu)]
    application = QCoreApplication.instance()
    main = application.thread() if application else None
    threads = [thing for thing in gc.get_objects() if issubclass(type(thing), QThread)]
    return [*widgets, *(t for t in threads if isValid(t) and t.isRunning() and t is not main)]


@pytest.fixture(scope="session", autouse=True)
def windows_first(request: pytest.FixtureRequest) -> None:
    """Load the display's OpenGL before the headless one: the other way round Mesa gives windows no context."""
    if os.environ.get("QT_QPA_PLATFORM", "") in ("", "xcb") and os.environ.get("DISPLAY"):
        request.getfixturevalue("qapp")
        from PySide6.QtGui import QOffscreenSurface, QOpenGLContext

        surface, context = QOffscreenSurface(), QOpenGLContext()
        surface.create()
        if context.create() and context.makeCurrent(surface):
            context.doneCurrent()


@pytest.fixture(scope="session")
def gl_ctx() -> Iterator[moderngl.Context]:
    """The one headless OpenGL context of the session; tests use ``ctx``."""
    from engine.render.context import standalone_context

    context = standalone_context()
    yield context
    context.release()


@pytest.fixture
def ctx(gl_ctx: moderngl.Context) -> Iterator[moderngl.Context]:
    """The shared headless context, current; a test that leaves an OpenGL error fails by name."""
    with gl_ctx:
        assert gl_ctx.error == "GL_NO_ERROR", "left by an earlier test"
        yield gl_ctx
        assert gl_ctx.error == "GL_NO_ERROR"


@pytest.fixture
def tmp_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder that the process takes for the user's."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name, place in (
        ("DATA", ".local/share"),
        ("CONFIG", ".config"),
        ("CACHE", ".cache"),
        ("STATE", ".local/state"),
    ):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / place))
    monkeypatch.setenv("LOCALAPPDATA", str(home / "AppData" / "Local"))
    return home
