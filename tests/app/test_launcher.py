"""Launchers of all three systems: what they hold, how they quote, and, where this system can, that they start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from app import launcher
from app.bootstrap import ROOT
from engine.errors import ExportError

NASTY = 'it\'s "50%" of $HOME; `ünï` \\ & näh %f'
ECHO = "import pathlib, sys; pathlib.Path(__file__).with_name('said').write_text(repr(sys.argv[1:]))"
posix = pytest.mark.skipif(os.name == "nt", reason="file names and shells of POSIX")
needs_validator = pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="no desktop-file-validate")


def validate(entry: Path) -> str:
    done = subprocess.run(["desktop-file-validate", str(entry)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A stand-in for main.py in a folder with everything in its name that quoting can get wrong."""
    folder = tmp_path / NASTY
    folder.mkdir()
    (folder / "main.py").write_text(ECHO)
    return folder / "main.py"


@needs_validator
@pytest.mark.parametrize("folder", ["/opt/Detailed Face", f"/home of/{NASTY}"])
def test_desktop_entry_is_valid(tmp_path, folder):
    place = PurePosixPath(folder)
    entry = tmp_path / "detailed-face.desktop"
    entry.write_text(launcher.desktop_entry(PurePosixPath("/usr/bin/python3"), place / "main.py", place / "icon.png"))
    assert validate(entry) == ""


def test_desktop_entry_quotes_as_the_specification_says():
    """Reserved characters are escaped inside the quotes, then each backslash again as in every string; % doubled."""
    text = launcher.desktop_entry(
        PurePosixPath("/a b/python3"), PurePosixPath('/$x`"\\50%/main.py'), PurePosixPath("/i")
    )
    assert 'Exec="/a b/python3" "/\\\\$x\\\\`\\\\"\\\\\\\\50%%/main.py" %f\n' in text
    assert "StartupWMClass=Detailed Face\n" in text
    assert "image/jpeg;" in text


@posix
@pytest.mark.skipif(shutil.which("gio") is None, reason="no gio to launch with")
def test_desktop_entry_starts_the_program(tmp_path, program):
    entry = tmp_path / "detailed-face.desktop"
    entry.write_text(launcher.desktop_entry(Path(sys.executable), program, program))
    photo = tmp_path / "a photo %d.jpg"
    photo.touch()
    subprocess.run(["gio", "launch", str(entry), str(photo)], check=True, capture_output=True, timeout=30)
    said = program.with_name("said")
    subprocess.run(
        ["sh", "-c", 'for i in $(seq 200); do [ -s "$1" ] && exit; sleep 0.05; done; exit 1', "sh", str(said)],
        check=True,
    )
    assert said.read_text() == repr([str(photo)])


@posix
def test_command_file_starts_the_program(tmp_path, program):
    command = tmp_path / "Detailed Face.command"
    command.write_text(launcher.command_file(Path(sys.executable), program))
    subprocess.run(["sh", str(command), "--input", "two words"], check=True)
    assert program.with_name("said").read_text() == repr(["--input", "two words"])


def test_batch_file_survives_percent_signs_and_other_alphabets():
    folder = PureWindowsPath("D:\\Zoë (x86) & 100% Ω")
    text = launcher.batch_file(PureWindowsPath("C:\\Python 3\\python.exe"), folder / "main.py")
    assert 'set "MAIN=D:\\Zoë (x86) & 100%% Ω\\main.py"\r\n' in text
    assert text.index("chcp 65001") < text.index("set ")
    assert "DisableDelayedExpansion" in text
    assert text.count("\r\n") == text.count("\n")


def test_batch_file_beside_the_program_needs_no_path():
    assert 'set "MAIN=%~dp0main.py"' in launcher.batch_file(PureWindowsPath("C:\\python.exe"), None)


@pytest.mark.parametrize(
    ("user_dirs", "expected"),
    [
        ("", "/users/zoe/Desktop"),
        ('# comment\nXDG_DESKTOP_DIR="$HOME/Schreibtisch"\n', "/users/zoe/Schreibtisch"),
        ('XDG_DESKTOP_DIR="/data/my \\"desk\\""\n', '/data/my "desk"'),
        ('XDG_DESKTOP_DIR="$HOME/"\n', "/users/zoe"),
    ],
)
def test_desktop_folder_is_the_one_of_the_users_language(user_dirs, expected):
    assert launcher.desktop_folder(Path("/users/zoe"), user_dirs) == Path(expected)


@needs_validator
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="installs as on Linux")
def test_install_on_linux(tmp_home):
    desktop = tmp_home / "Skrivbord"
    desktop.mkdir()
    config = tmp_home / ".config"
    config.mkdir()
    (config / "user-dirs.dirs").write_text('XDG_DESKTOP_DIR="$HOME/Skrivbord"\n')
    menu, on_desktop = launcher.install_launcher()
    assert menu == tmp_home / ".local/share/applications/detailed-face.desktop"
    assert on_desktop == desktop / "detailed-face.desktop"
    assert os.access(on_desktop, os.X_OK)
    assert validate(menu) == ""
    assert f'"{ROOT / "main.py"}"' in menu.read_text()
    icon = next(line for line in menu.read_text().splitlines() if line.startswith("Icon=")).removeprefix("Icon=")
    assert Path(icon).is_file()
    assert launcher.install_launcher() == [menu, on_desktop]  # again, over itself
    assert sorted(path.name for path in desktop.iterdir()) == ["detailed-face.desktop"]


def test_install_without_a_desktop_folder_writes_the_menu_entry_only(tmp_home, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert [path.name for path in launcher.install_launcher()] == ["detailed-face.desktop"]


@posix
def test_install_on_macos(tmp_home, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    (tmp_home / "Desktop").mkdir()
    written = launcher.install_launcher()
    assert [path.relative_to(tmp_home).as_posix() for path in written] == [
        "Applications/Detailed Face.command",
        "Desktop/Detailed Face.command",
    ]
    assert all(os.access(path, os.X_OK) for path in written)


@posix
@pytest.mark.parametrize("shortcut_works", [True, False])
def test_install_on_windows(tmp_home, tmp_path, monkeypatch, shortcut_works):
    """With a PowerShell that says what it was asked for, or fails as a locked-down one does."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(launcher, "ROOT", tmp_path)
    (tmp_home / "Desktop").mkdir()
    powershell = tmp_path / "powershell"
    powershell.write_text(
        '#!/bin/sh\n[ -f "$DETAILED_FACE_BAT" ] && echo "/d/Detailed Face.lnk"\n'
        if shortcut_works
        else "#!/bin/sh\nexit 1\n"
    )
    powershell.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    beside, on_desktop = launcher.install_launcher()
    assert beside == tmp_path / "Detailed Face.bat"
    assert "%~dp0main.py" in beside.read_text()
    if shortcut_works:
        assert on_desktop == Path("/d/Detailed Face.lnk")
    else:
        assert on_desktop == tmp_home / "Desktop" / "Detailed Face.bat"
        assert str(tmp_path / "main.py") in on_desktop.read_text()


def test_shortcut_script_takes_every_path_from_variables():
    script = (launcher.TEMPLATES / "shortcut.ps1").read_text()
    for name in ("DETAILED_FACE_BAT", "DETAILED_FACE_FOLDER", "DETAILED_FACE_ICON"):
        assert f"$env:{name}" in script


@posix
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_home, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_home / ".local").write_text("a file where a folder must be")
    with pytest.raises(ExportError, match="could not be written"):
        launcher.install_launcher()


def test_the_command_prints_what_it_has_written(tmp_home):
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "--install-launcher"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written = [Path(line) for line in done.stdout.splitlines()]
    assert written
    assert all(path.is_file() and path.is_relative_to(tmp_home) for path in written)
