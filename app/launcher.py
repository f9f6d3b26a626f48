"""Double-click launchers: a freedesktop entry on Linux, a batch file and shortcut on Windows, a command on macOS.

What they hold is made by pure functions of paths, so that each can be checked on every system.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path, PurePath

from app.bootstrap import ROOT
from app.environment import base_python
from engine.errors import ExportError

TEMPLATES = ROOT / "resources" / "launchers"
ICONS = ROOT / "resources" / "icons"
NAME = "Detailed Face"
SHORTCUT_SECONDS = 60.0


def install_launcher() -> list[Path]:
    """Write the launchers of this system for this copy of the program; return the files written.

    Raises:
        ExportError: a launcher could not be written.
    """
    python = PurePath(base_python())
    try:
        if sys.platform == "win32":
            return _install_on_windows(python)
        if sys.platform == "darwin":
            return _install_on_macos(python, Path.home())
        return _install_on_linux(python, Path.home())
    except OSError as error:
        place = error.filename or "its folder"
        raise ExportError(
            f"The launcher could not be written to {place} ({error.strerror}).", "Check that you may write there."
        ) from error


def desktop_entry(python: PurePath, main: PurePath, icon: PurePath) -> str:
    """Return the freedesktop entry.

    Args:
        python: absolute path of the interpreter.
        main: absolute path of ``main.py``.
        icon: absolute path of a PNG.

    Source:
        Desktop Entry Specification 1.5, sections "Value types" and "The Exec key".
    """
    return _filled(
        "detailed-face.desktop",
        PYTHON=_exec_argument(str(python)),
        MAIN=_exec_argument(str(main)),
        ICON=str(icon).replace("\\", "\\\\"),
    )


def command_file(python: PurePath, main: PurePath) -> str:
    """Return the shell script that macOS opens in a terminal."""
    return _filled("detailed-face.command", PYTHON=shlex.quote(str(python)), MAIN=shlex.quote(str(main)))


def batch_file(python: PurePath, main: PurePath | None) -> str:
    """Return the Windows batch file, with Windows line ends.

    Args:
        python: absolute path of the interpreter; the ``py`` launcher stands in should it be gone.
        main: absolute path of ``main.py``; None: beside the batch file, wherever that is.
    """
    own = "%~dp0main.py" if main is None else str(main).replace("%", "%%")
    return _filled("detailed-face.bat", MAIN=own, PYTHON=str(python).replace("%", "%%")).replace("\n", "\r\n")


def desktop_folder(home: Path, user_dirs: str) -> Path:
    """Return the user's desktop folder on Linux.

    Args:
        home: the home folder.
        user_dirs: the text of ``user-dirs.dirs``, which names the folder in the user's language; may be empty.
    """
    found = re.search(r'^\s*XDG_DESKTOP_DIR="(.*)"\s*$', user_dirs, re.MULTILINE)
    if found is None:
        return home / "Desktop"
    folder = re.sub(r"\\(.)", r"\1", found[1])
    return home / folder.removeprefix("$HOME").lstrip("/") if folder.startswith("$HOME") else Path(folder)


def _exec_argument(argument: str) -> str:
    """Quote an argument of the Exec key: field codes, then quoted-argument rules, then the string escapes."""
    quoted = re.sub(r'(["`$\\])', r"\\\1", argument.replace("%", "%%"))
    return f'"{quoted}"'.replace("\\", "\\\\")


def _filled(template: str, **values: str) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return re.sub("@([A-Z]+)@", lambda field: values[field[1]], text)


def _write(path: Path, text: str, executable: bool = False) -> Path:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(text.encode())
        if executable:
            partial.chmod(0o755)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _install_on_linux(python: PurePath, home: Path) -> list[Path]:
    entry = desktop_entry(python, ROOT / "main.py", ICONS / "detailed-face.png")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    written = [_write(data / "applications" / "detailed-face.desktop", entry)]
    _run_quietly(["update-desktop-database", str(data / "applications")])
    try:
        user_dirs = (config / "user-dirs.dirs").read_text(encoding="utf-8")
    except OSError:
        user_dirs = ""
    desktop = desktop_folder(home, user_dirs)
    if desktop.is_dir() and desktop != home:  # a user without a desktop folder has it set to the home folder
        written.append(_write(desktop / "detailed-face.desktop", entry, executable=True))
        _run_quietly(["gio", "set", str(written[-1]), "metadata::trusted", "true"])  # GNOME asks otherwise
    return written


def _install_on_macos(python: PurePath, home: Path) -> list[Path]:
    text = command_file(python, ROOT / "main.py")
    folders = [home / "Applications", *([home / "Desktop"] if (home / "Desktop").is_dir() else [])]
    return [_write(folder / f"{NAME}.command", text, executable=True) for folder in folders]


def _install_on_windows(python: PurePath) -> list[Path]:
    beside = ROOT / f"{NAME}.bat"
    written = [_write(beside, batch_file(python, None))]
    variables = {
        "DETAILED_FACE_BAT": str(beside),
        "DETAILED_FACE_FOLDER": str(ROOT),
        "DETAILED_FACE_ICON": str(ICONS / "detailed-face.ico"),
    }
    script = str(TEMPLATES / "shortcut.ps1")
    shell = ["powershell", "-NoProfile", "-ExecutionPolicy", "Bypass", "-File", script]
    link = _run_quietly(shell, variables)
    if link:
        return [*written, Path(link)]
    desktop = Path(os.environ.get("USERPROFILE") or Path.home()) / "Desktop"
    if desktop.is_dir():
        written.append(_write(desktop / f"{NAME}.bat", batch_file(python, ROOT / "main.py")))
    return written


def _run_quietly(command: list[str], variables: dict[str, str] | None = None) -> str:
    """Return what a helper of the desktop prints, "" if it is not there or fails: it only adds comfort."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SHORTCUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip()
