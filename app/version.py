"""The program's version."""

from __future__ import annotations

from pathlib import Path

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def version() -> str:
    """As ``pyproject.toml`` says: the program runs from its folder and is not installed."""
    import tomllib

    try:
        project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "(unknown version: pyproject.toml is missing)"
    return str(project["version"])
