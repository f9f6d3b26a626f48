"""First start: find what is missing, have it set up and hand over to the environment. Standard library only.

The environment is ``.venv`` beside ``main.py``, or a folder in the user's data folder when that place is read-only.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

from app import environment, system_packages

ROOT = Path(__file__).resolve().parent.parent
MINIMUM_PYTHON = (3, 11)
HAND_OVERS = "DETAILED_FACE_HAND_OVERS"  # counts the processes of one start, so that a damaged environment ends it
MOST_HAND_OVERS = 2
IMPORT_NAMES = {  # distributions that are imported under another name; None: nothing to import (type stubs)
    "opencv-python-headless": "cv2",
    "pyside6-essentials": "PySide6",
    "dlib-bin": "dlib",
    "pillow": "PIL",
    "pytest-qt": "pytestqt",
    "scipy-stubs": None,
}


def ensure(extras: bool = False, root: Path = ROOT) -> None:
    """Return only in a process that can import everything: set up what is missing and hand over to it.

    Args:
        extras: also what the tests need.
        root: the folder of ``main.py`` and ``pyproject.toml``.

    Raises:
        SystemExit: the set-up is impossible (one sentence says why), or the process handed over to has ended.
    """
    # OpenBLAS' second thread waits for work in a busy loop and takes a processor from the window and from OpenGL.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.name == "posix":  # a bare ``env -i`` has no PATH, and then apt and the builds of pip find no program
        os.environ.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if sys.version_info < MINIMUM_PYTHON:
        version = "{}.{}.{}".format(*sys.version_info[:3])
        raise environment.failure(f"Python 3.11 or newer is needed, this is {version}; install one and start again.")
    wanted = requirements(root, extras)
    if all(importable(requirement) for requirement in wanted):
        os.environ.pop(HAND_OVERS, None)
        ensure_system_packages(extras)
        return
    env = choose_environment(root, wanted)
    try:
        if Path(sys.prefix).resolve() == env.resolve():
            python = _repair_from_inside(env, wanted)
        else:
            python = str(environment.python_of(env))
            if not (environment.is_complete(env, wanted) or environment.is_foreign(env)):
                environment.set_up(env, wanted)
    except KeyboardInterrupt:
        raise environment.failure("the set-up was interrupted; the next start takes it up again.") from None
    except OSError as error:
        raise environment.failure_of(str(error), env) from error
    _hand_over(python)


def requirements(root: Path, extras: bool) -> list[str]:
    """Return the pinned requirements of ``pyproject.toml``, the tests' included if asked."""
    import tomllib

    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except OSError as error:
        raise environment.failure(f"this copy is incomplete, {root} has no pyproject.toml; get a whole one.") from error
    return [*project["dependencies"], *(project["optional-dependencies"]["test"] if extras else ())]


def importable(requirement: str) -> bool:
    """Tell whether the module of a requirement is there, without importing it."""
    name = requirement.split("==")[0].strip().lower()
    module = IMPORT_NAMES.get(name, name.replace("-", "_"))
    if module is None:
        return True
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None  # no origin: an empty folder that a removed package left


def user_data_folder() -> Path:
    """Return the folder for this user's data of the application, the one that platformdirs names."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "detailed-face"


def choose_environment(root: Path, wanted: list[str]) -> Path:
    """Return the environment that can be used as it is, else the first place where one can be made."""
    import zlib

    folders = [root / ".venv"]
    try:  # each copy of the program has its own environment there
        folders.append(user_data_folder() / f"venv-{zlib.crc32(os.fsencode(root)):08x}")
    except RuntimeError:
        pass  # this user has no home folder at all
    for env in folders:
        if environment.is_complete(env, wanted) or environment.is_foreign(env):
            return env
    for env in folders:
        try:
            environment.claim(env)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise environment.failure_of(str(error), env) from error
            continue
        return env
    places = " nor ".join(map(str, folders))
    raise environment.failure(f"the Python environment has no place: neither {places} can be written.")


def ensure_system_packages(extras: bool) -> None:
    """Install what Qt and OpenGL (and the tests) lack on Debian as root; otherwise say which command to run."""
    packages = system_packages.missing(extras)
    if packages and not system_packages.install(packages):
        command = system_packages.command(packages)
        environment.say(f"system libraries are missing and the window may not open; run: {command}")


def _repair_from_inside(env: Path, wanted: list[str]) -> str:
    """Return the Python to go on with after an environment was found, by its own Python, to lack something."""
    if int(os.environ.get(HAND_OVERS, "0")) >= MOST_HAND_OVERS:
        raise environment.failure(f"the Python environment in {env} is damaged; delete that folder and start again.")
    if environment.is_foreign(env):
        errors = environment.pip_install(env, wanted, None)
        if errors:
            raise environment.failure_of(errors, env)
        return str(environment.python_of(env))
    if environment.is_complete(env, wanted):  # its stamp says so, but packages are gone: make it anew, from outside
        environment.mark_incomplete(env)
    return environment.base_python()


def _hand_over(python: str) -> NoReturn:
    """Go on as the same command under another Python, with the same variables."""
    os.environ[HAND_OVERS] = str(int(os.environ.get(HAND_OVERS, "0")) + 1)
    command = [python, *sys.orig_argv[1:]]
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(python, command)
    import subprocess

    raise SystemExit(subprocess.call(command))
