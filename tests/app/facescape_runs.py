"""Starting the command line as somebody with an imported FaceScape stand-in, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app import cli
from engine.landmarks import LandmarkDetector
from engine.packs.facescape import data as pack_data

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 2
"""Of the networks' first layers; the original's: 64."""
VARIABLES = ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "LOCALAPPDATA")


def home(place: Path) -> dict[str, str]:
    """Variables that make ``place`` the user's own."""
    return {name: str(place / name.lower()) for name in VARIABLES} | {"HOME": str(place), "OMP_NUM_THREADS": "1"}


class SharedDetector(LandmarkDetector):
    """Outlives the runs of the command line: its process takes a second to start."""

    def close(self) -> None:
        """Not yet."""


@contextlib.contextmanager
def shared_detector() -> Iterator[None]:
    """One detector and one thread (the networks are tiny) for all runs in this process."""
    shared, threads = SharedDetector(), torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.landmarks.LandmarkDetector", lambda: shared)
        yield
    torch.set_num_threads(threads)
    LandmarkDetector.close(shared)


@contextlib.contextmanager
def at_home(place: Path) -> Iterator[None]:
    """This process as that user's."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in home(place).items():
            patch.setenv(name, value)
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        yield


def imported() -> dict[str, Path]:
    """The files of this user's pack by their part."""
    return pack_data.pack_files(pack_data.default_folder())


def call(*arguments: object) -> tuple[int, str, str]:
    """Run the command line in this process; pictures are drawn in one of their own.

    Headless OpenGL in the process of the tests would leave the windows of later tests without a context.
    """
    if "--render" in arguments:
        command = [sys.executable, "-W", "error", str(ROOT / "main.py"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        return done.returncode, done.stdout, done.stderr
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
    return status, out.getvalue(), err.getvalue()


def start(*arguments: object, cwd: Path, place: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run ``main.py`` from another folder."""
    environment = {**os.environ, "DISPLAY": "", "WAYLAND_DISPLAY": "", **home(place), **changes}
    command = [sys.executable, "-W", "error", str(ROOT / "main.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
