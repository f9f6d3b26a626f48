"""Whole programs with the FaceScape pack: seconds and memory of our command line and window, and of the original's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.resources import resource_path

ROOT = Path(__file__).parents[2]
PHOTO = "samples/portrait_obama.jpg"
_LOOK_S = 0.05  # between two looks at a program's memory, whose peak the kernel remembers
_LINES_OF_A_FAILURE = 1

WAYS = {"single": ("--name", "dpmap_single"), "single, rendered": ("--name", "dpmap_single", "--render")}
RIG = {"20 maps": ("--name", "dpmap_rig")}


@dataclass(frozen=True)
class Outcome:
    """One run of a program."""

    seconds: float
    peak_mb: float
    """Of its largest process; nan where the system does not tell."""
    all_mb: float
    """The peaks of all its processes added up."""
    problem: str = ""
    """Its last words, if it failed."""

    def cells(self) -> str:
        """Seconds and memory for a table."""
        if self.problem:
            return f"failed: {self.problem} | "
        return f"{self.seconds:.1f} s | {self.peak_mb:.0f} MB"


def compared(
    folder: Path, against: Path | None, python: Path | None, *, all_maps: bool = False, window: bool = True
) -> Iterator[str]:
    """Memory of the window before the networks run, and each command line beside the original's.

    Args:
        folder: the imported pack.
        against: a copy of the original program; None leaves its columns out.
        python: runs it.
        all_maps: the 20 maps as well.
        window: the window, too.
    """
    if not sys.platform.startswith("linux"):
        yield "Whole programs are measured on Linux only."
        return
    with tempfile.TemporaryDirectory(prefix="detailed-face-bench-") as place:
        variables = _home(Path(place), folder)
        yield "| whole program, one photo | original | its memory | ours | our memory | limit |"
        yield "|---|---|---|---|---|---|"
        if window:
            yield _window_row(variables)
        for name, options in (WAYS | RIG if all_maps else WAYS).items():
            theirs = (
                "| " if against is None else _original(against, python, Path(place) / f"their {name}", options).cells()
            )
            ours = watched(
                _ours(Path(place) / f"our {name}", options), variables | {"XDG_CACHE_HOME": f"{place}/{name}"}
            )
            limit = "2.5 GB" if name == "single" else ""
            yield f"| main.py, {name} | {theirs} | {ours.cells()} | {limit} |"


def _window_row(variables: dict[str, str]) -> str:
    shown = watched([sys.executable, "-m", "tests.bench.facescape_window", str(resource_path(PHOTO))], variables)
    with_helper = f"{shown.cells()} ({shown.all_mb:.0f} MB with the detector's process)"
    return f"| window, before a network runs | | 2.9 GB, recorded | {with_helper} | 1.6 GB |"


def _home(place: Path, folder: Path) -> dict[str, str]:
    """Variables under which ``folder`` is this user's pack and nothing was computed before."""
    link = place / "data" / "detailed-face" / "packs" / "facescape"
    link.parent.mkdir(parents=True)
    link.symlink_to(folder.resolve(), target_is_directory=True)
    return {"XDG_DATA_HOME": str(place / "data"), "XDG_CACHE_HOME": str(place / "cache")}


def _ours(output: Path, options: Sequence[str]) -> list[str]:
    photo = str(resource_path(PHOTO))
    return [
        sys.executable,
        str(ROOT / "main.py"),
        "--pack",
        "facescape",
        "--input",
        photo,
        "--output",
        str(output),
        *options,
    ]


def _original(program: Path, python: Path | None, output: Path, options: Sequence[str]) -> Outcome:
    """The original's own command line, from its own folder, with a folder of one photo."""
    photos = output.with_name(output.name + " photos")
    photos.mkdir()
    (photos / "photo.jpg").write_bytes(resource_path(PHOTO).read_bytes())
    output.mkdir()
    command = [str(python or sys.executable), "main.py", "--input", str(photos), "--output", str(output)]
    command += ["--predef_dir", "./predef", "--checkpoints_dir", "./checkpoints", *options]
    outcome = watched(command, {}, program)
    if not outcome.problem and not any(output.rglob("*.png")):
        return Outcome(outcome.seconds, outcome.peak_mb, outcome.all_mb, "it wrote no map")
    return outcome


def watched(command: Sequence[str], variables: dict[str, str], cwd: Path = ROOT) -> Outcome:
    """Run a program to its end and watch its memory."""
    began = time.perf_counter()
    peaks: dict[int, float] = {}
    with tempfile.TemporaryFile("w+") as words:
        try:
            process = subprocess.Popen(
                command, cwd=cwd, env={**os.environ, **variables}, stdout=subprocess.DEVNULL, stderr=words
            )
        except OSError as error:
            return Outcome(0.0, 0.0, 0.0, str(error))
        while process.poll() is None:
            for member in _family(process.pid):
                peaks[member] = max(peaks.get(member, 0.0), _peak_mb(member))
            time.sleep(_LOOK_S)
        spent = time.perf_counter() - began
        words.seek(0)
        said = [line for line in words.read().splitlines() if line.strip()]
    problem = ""
    if process.returncode:
        problem = " ".join(said[-_LINES_OF_A_FAILURE:]) or f"exit status {process.returncode}"
    return Outcome(spent, max(peaks.values(), default=float("nan")), sum(peaks.values()), problem)


def _family(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return []


def _peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    peaks = [float(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return peaks[0] if peaks else 0.0
