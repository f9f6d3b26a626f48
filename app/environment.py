"""Makes the Python environment with the pinned packages, safely against every interruption. Standard library only.

The stamp file in the environment says what state it is in: ``incomplete`` while it is being made or changed,
afterwards the packages it holds. An environment without a stamp was made by somebody else and is never removed.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from pathlib import Path

from app import system_packages

NEEDED_BYTES = 3_000_000_000  # without NVIDIA's libraries: 1.7 GB installed, the rest for downloads being unpacked
STAMP = "detailed-face.stamp"
INCOMPLETE = ["incomplete"]
FAILURES = (  # what the error output contains -> what to tell the user; the first that fits is said
    (
        ("No space left on device", "[Errno 28]", "Disk quota exceeded", "not enough space on the disk"),
        "the disk became full during the set-up; make 3 GB (on Linux up to 9 GB) free for {env} and start again.",
    ),
    (
        ("Permission denied", "Read-only file system", "Access is denied"),
        "{env} cannot be written; delete that folder or get the right to write it, and start again.",
    ),
    (
        ("Retrying (", "ConnectionError", "NewConnectionError", "timed out", "ProxyError", "name resolution"),
        "the packages could not be downloaded; check the network connection (and proxy), then start again.",
    ),
    (
        ("No matching distribution", "Could not find a version"),
        "a package was not found for Python {python} on this system; check the network and pip's settings, "
        "or use another version of Python.",
    ),
)


def python_of(env: Path) -> Path:
    """Return the path of an environment's interpreter."""
    return env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_complete(env: Path, wanted: list[str]) -> bool:
    """Tell whether an environment of ours holds everything wanted at the pinned versions."""
    return set(wanted) <= set(_stamp(env) or ()) and python_of(env).exists()


def is_foreign(env: Path) -> bool:
    """Tell whether an environment is there that we did not make."""
    return _stamp(env) is None and python_of(env).exists()


def claim(env: Path) -> None:
    """Make the folder and its stamp, if they are not there yet.

    Raises:
        OSError: the place cannot be written.
    """
    env.mkdir(parents=True, exist_ok=True)
    for name in ("lock", STAMP):
        (env / name).open("a").close()


def mark_incomplete(env: Path) -> None:
    """Say that an environment of ours must be made anew."""
    (env / STAMP).write_text("\n".join(INCOMPLETE), encoding="utf-8")


def set_up(env: Path, wanted: list[str]) -> None:
    """Make a claimed environment or bring it up to date; whatever happens half-way, the stamp says so.

    Raises:
        SystemExit: it failed; one plain sentence says why.
        OSError: a file could not be written or removed.
    """
    import shutil
    import time

    with (env / "lock").open("a+b") as lock:
        _acquire(lock.fileno())
        if is_complete(env, wanted):  # another process has done it while we waited
            return
        free = shutil.disk_usage(env).free
        if free < NEEDED_BYTES:
            need = f"{NEEDED_BYTES / 1e9:.0f} GB are needed and {free / 1e9:.1f} GB are free"
            raise failure(f"about {need} on the disk of {env}; make room and start again.")
        began = time.monotonic()
        say(f"setting up the Python environment in {env}")
        say("it takes 1.7 GB (on Linux up to 5.5 GB, with NVIDIA's libraries) and 1 to 10 minutes, by the network.")
        before = _stamp(env) or INCOMPLETE
        mark_incomplete(env)
        if before == INCOMPLETE or not python_of(env).exists():
            _create(env, lock.fileno())
        contents = _installed(env)
        errors = pip_install(env, wanted, lock.fileno())
        if errors and _installed(env) == contents:  # nothing was touched: the former state holds
            (env / STAMP).write_text("\n".join(before), encoding="utf-8")
        if errors:
            raise failure_of(errors, env)
        (env / "new").write_text("\n".join(wanted), encoding="utf-8")
        (env / "new").replace(env / STAMP)  # the last step: from here on the environment counts as complete
        say(f"set up in {time.monotonic() - began:.0f} s; the next start takes no time.")


def pip_install(env: Path, wanted: list[str], lock: int | None) -> str:
    """Run pip with its own progress on the terminal; return "", or its error output if it failed.

    Args:
        env: the environment.
        wanted: requirements.
        lock: file descriptor of the lock, None if there is none.
    """
    import shutil
    import subprocess

    say("downloading and installing the packages; the last part is silent for about a minute ...")
    scratch = env / "tmp"  # whatever an interrupted download leaves goes with the environment
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    variables = {**os.environ, "TMPDIR": str(scratch), "TMP": str(scratch), "TEMP": str(scratch)}
    for name in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX"):  # they would install to somewhere else
        variables.pop(name, None)
    process = subprocess.Popen(
        [str(python_of(env)), "-I", "-m", "pip", "install", "--no-input", "--use-pep517", *wanted],
        env={**variables, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"},
        stdin=subprocess.DEVNULL,
        stdout=2,  # standard output belongs to the program itself
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        pass_fds=_inherited(lock),
    )
    lines = []
    for line in process.stderr or ():
        sys.stderr.write(line)
        lines.append(line)
    status = process.wait()
    shutil.rmtree(scratch, ignore_errors=True)
    return "".join(lines) + f"pip ended with status {status}" if status else ""


def base_python() -> str:
    """Return the interpreter outside all environments (without PATH, Python may not know its own name)."""
    return getattr(sys, "_base_executable", "") or sys.executable or str(Path(sys.base_prefix) / "bin" / "python3")


def say(sentence: str) -> None:
    """Write a line of progress."""
    sys.stderr.write(f"Detailed Face: {sentence}\n")
    sys.stderr.flush()


def failure(sentence: str) -> SystemExit:
    """Return the exception that ends the program with one plain sentence."""
    return SystemExit(f"Detailed Face: {sentence}")


def failure_of(errors: str, env: Path) -> SystemExit:
    """Return the exception with one plain sentence for the error output of a failed step."""
    python = "{}.{}".format(*sys.version_info[:2])
    for signs, sentence in FAILURES:
        if any(sign in errors for sign in signs):
            return failure(sentence.format(env=env, python=python))
    return failure(f"the set-up of {env} failed: {errors.strip().splitlines()[-1]}")


def _stamp(env: Path) -> list[str] | None:
    try:
        return (env / STAMP).read_text(encoding="utf-8").splitlines() or INCOMPLETE
    except OSError:
        return None


def _installed(env: Path) -> set[str]:
    return {path.name for path in env.glob("Lib/site-packages/*" if os.name == "nt" else "lib/*/site-packages/*")}


def _acquire(lock: int) -> None:
    """Wait for the lock of the set-up. The system frees it when its holder dies, so that it is never stale."""
    import time

    waited = False
    while True:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return  # a file system without locks
            if not waited:
                say("another set-up is at work here; waiting for its end.")
            waited = True
            time.sleep(0.2)


def _inherited(lock: int | None) -> tuple[int, ...]:
    """Return what a child keeps open: if we are killed, the next set-up waits for the end of our orphan."""
    return () if lock is None or os.name == "nt" else (lock,)


def _create(env: Path, lock: int) -> None:
    """Make an empty virtual environment, over the remains of an unfinished one."""
    import shutil
    import subprocess

    for entry in env.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name not in ("lock", STAMP):
            entry.unlink()
    if importlib.util.find_spec("ensurepip") is None:  # Debian and Ubuntu keep it in a package of its own
        packages = [f"python3.{sys.version_info[1]}-venv"]
        if not system_packages.install(packages):
            advice = system_packages.command(packages)
            raise failure(f"this Python lacks its venv module; run: {advice}, then start again.")
    commands = (
        [base_python(), "-m", "venv", "--without-pip", str(env)],
        [str(python_of(env)), "-I", "-m", "ensurepip", "--default-pip"],  # by itself: venv would hide why it fails
    )
    for command in commands:
        made = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, pass_fds=_inherited(lock)
        )
        if made.returncode != 0:
            raise failure_of(made.stdout + made.stderr, env)
