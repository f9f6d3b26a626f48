"""A small copy of the program for tests of the first start: the real set-up, packages of a few bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from app import environment
from app.bootstrap import ROOT

SOURCES = ("main.py", "app/__init__.py", "app/bootstrap.py", "app/environment.py", "app/system_packages.py")
STAND_IN_CLI = """
import json, os, sys
import df_tiny
def main(argv):
    print(json.dumps([sys.prefix, argv, os.environ.get("KEPT"), os.getcwd(), df_tiny.VERSION]))
    return 0
"""


def write_wheel(folder: Path, name: str, version: str) -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{name}/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


class Copy:
    """A copy of the program whose only dependency is a package of one line."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder = folder
        self.env = folder / ".venv"
        self.variables = {
            "PATH": os.environ["PATH"],
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "KEPT": "a value",
        }

    def write(self, version: str = "1.0") -> None:
        for name in SOURCES:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        (self.folder / "app" / "cli.py").write_text(STAND_IN_CLI)
        self.pin(version)

    def pin(self, version: str) -> None:
        (self.folder / "pyproject.toml").write_text(
            f'[project]\nname = "x"\ndependencies = ["df_tiny=={version}"]\n'
            '[project.optional-dependencies]\ntest = ["df_more==1.0"]\n'
        )

    def command(self, *arguments: str) -> list[str]:
        return [environment.base_python(), str(self.folder / "main.py"), *arguments]

    def start(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env={**self.variables, **variables},
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def stamp(self) -> list[str]:
        return (self.env / environment.STAMP).read_text().splitlines()


def answer(done: subprocess.CompletedProcess[str]) -> list:
    """Return what the stand-in printed, so it ran to its end inside an environment."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of a start that failed; it is one plain sentence and no traceback."""
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Detailed Face: ")
    assert last.endswith(".")
    return last
