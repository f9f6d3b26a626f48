"""What the tests and the benchmarks run in: everything installed, a display of their own, a home of their own.

Standard library only until ``prepare`` has returned, so that it works on a bare machine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app import bootstrap

SCREEN = "1400x1000x24"
DISPLAY_SECONDS = 30.0
PARENT_DEATH_SIGNAL = 1  # prctl's PR_SET_PDEATHSIG


def prepare() -> None:
    """Return only in a process that has everything the tests need."""
    bootstrap.ensure(extras=True)


@contextlib.contextmanager
def prepared_display() -> Iterator[None]:
    """Prepare, then give this process and its children a virtual display (Linux) and a home folder of their own.

    The variables are set in ``os.environ``, so enter it before Qt is imported. Display and folder are gone at the end,
    whatever happens: also after SIGTERM, and the display even after SIGKILL.
    """
    prepare()
    former = dict(os.environ)
    signal.signal(signal.SIGTERM, _end)
    try:
        with tempfile.TemporaryDirectory(prefix="detailed-face-home-") as home, contextlib.ExitStack() as stack:
            os.environ.update(_variables(Path(home)))
            if sys.platform.startswith("linux"):
                os.environ["DISPLAY"] = stack.enter_context(_virtual_display())
            yield
    finally:
        os.environ.clear()
        os.environ.update(former)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _variables(home: Path) -> dict[str, str]:
    """Return the variables that keep tests away from the user's settings and alike on every machine."""
    variables = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "LOCALAPPDATA": str(home / "AppData" / "Local"),
        "APPDATA": str(home / "AppData" / "Roaming"),
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1))),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        folder = home / name.lower()
        folder.mkdir(mode=0o700)
        variables[name] = str(folder)
    if sys.platform.startswith("linux"):
        variables |= {"QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1", "QT_ACCESSIBILITY": "0"}
        for name in ("WAYLAND_DISPLAY", "QT_SCALE_FACTOR", "QT_SCREEN_SCALE_FACTORS", "QT_STYLE_OVERRIDE"):
            os.environ.pop(name, None)
    return variables


@contextlib.contextmanager
def _virtual_display() -> Iterator[str]:
    """Run Xvfb on a free display number; yield the value of DISPLAY."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"]
    try:
        server = subprocess.Popen(
            command, pass_fds=(write_end,), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_die_with_us
        )
    except FileNotFoundError:
        raise SystemExit("The tests need a virtual display; install Xvfb (Debian, Ubuntu: xvfb).") from None
    finally:
        os.close(write_end)
    try:
        with os.fdopen(read_end) as numbers:
            number = numbers.readline().strip()  # "" if Xvfb ended without one
        if not number:
            raise SystemExit(f"Xvfb did not start (status {server.wait(DISPLAY_SECONDS)}).")
        yield f":{number}"
    finally:
        server.terminate()
        try:
            server.wait(5.0)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _die_with_us() -> None:
    """In the child: have the kernel end it when its parent dies, however that happens."""
    import ctypes

    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)
