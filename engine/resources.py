"""Where the shipped files lie, and the check that they are whole."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ModelFileError

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
MANIFEST = RESOURCES / "manifest.json"
DEFAULT_SAMPLE = "samples/portrait_biden.jpg"
"""The photo behind File > Open Sample and the run without a display: a large face with visible wrinkles."""

_NEXT_STEP = "Download the program again, or run 'git checkout -- resources' in its folder."

_whole: set[str] = set()
"""Files whose hash was compared in this process already."""


@dataclass(frozen=True, slots=True)
class ResourceEntry:
    """One line of the manifest: what a shipped file is, where it comes from and under which licence."""

    path: str
    """Relative to the resources folder, with forward slashes."""
    name: str
    version: str
    sha256: str
    license: str
    source: str
    note: str = ""


def resource_path(relative: str) -> Path:
    """Where a shipped file lies; whether it is there is not checked.

    Args:
        relative: path below the resources folder, with forward slashes.
    """
    return RESOURCES / relative


@functools.cache
def manifest() -> dict[str, ResourceEntry]:
    """The manifest's entries by relative path, read once per process.

    Raises:
        ModelFileError: the manifest is missing or no manifest.
    """
    try:
        files = json.loads(MANIFEST.read_text(encoding="utf-8"))["files"]
        entries = [ResourceEntry(**entry) for entry in files]
    except OSError as error:
        raise ModelFileError("The program's list of files, resources/manifest.json, is missing.", _NEXT_STEP) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError("The program's list of files, resources/manifest.json, is damaged.", _NEXT_STEP) from error
    return {entry.path: entry for entry in entries}


def read_resource(relative: str) -> bytes:
    """The bytes of a shipped file, compared with the manifest's hash when first read in this process.

    Args:
        relative: path below the resources folder, as the manifest writes it.

    Raises:
        ModelFileError: the file is missing, unreadable or not the one in the manifest.
        ValueError: the manifest does not list ``relative``.
    """
    entry = manifest().get(relative)
    if entry is None:
        raise ValueError(f"relative: {relative!r} is not in {MANIFEST.name}")
    try:
        data = resource_path(relative).read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"The program's file resources/{relative} is missing.", _NEXT_STEP) from error
    except OSError as error:
        raise ModelFileError(f"The program's file resources/{relative} cannot be read.", _NEXT_STEP) from error
    if relative not in _whole:
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ModelFileError(f"The program's file resources/{relative} is damaged (wrong checksum).", _NEXT_STEP)
        _whole.add(relative)
    return data
