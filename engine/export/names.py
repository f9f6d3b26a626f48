"""File names of results."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')  # on Windows, in OBJ lines, no text
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # device names of Windows
_LONGEST_BYTES = 180  # of the 255 that file systems allow; the longest ending that we add takes some 30


def safe_stem(text: str) -> str:
    """A name that every system accepts for a folder and in front of our endings; letters of all alphabets stay.

    Spaces stay as well: the material and texture lines of an OBJ name the file to the end of the line.
    """
    stem = _FORBIDDEN.sub("_", text).strip(" .")
    while len(stem.encode()) > _LONGEST_BYTES:
        stem = stem[:-1].rstrip(" .")
    if not stem or _RESERVED.fullmatch(stem):
        stem = f"face_{stem}".rstrip("_")
    return stem


def printable(text: str) -> str:
    """Text that can be written as UTF-8: names on Linux may hold bytes that are no text."""
    return text.encode("utf-8", "replace").decode()


def object_name(stem: str) -> str:
    """The stem as one word, for the ``o`` line: readers split those lines at spaces."""
    return re.sub(r"\s+", "_", stem)


def material_file(stem: str) -> str:
    """The MTL file of ``<stem>.obj``."""
    return f"{stem}.obj.mtl"


def texture_file(stem: str) -> str:
    """The texture of the whole UV square."""
    return f"{stem}.jpg"


def static_map_file(stem: str) -> str:
    """The map of the detail that the photo shows."""
    return f"{stem}_dpmap.png"


def key_map_file(stem: str, key: int) -> str:
    """The map of one key expression."""
    return f"{stem}_dpmap_{key}.png"


def rig_file(stem: str) -> str:
    """The rig in one file."""
    return f"{stem}.glb"


def shapes_folder(stem: str) -> str:
    """The folder of neutral and the 51 shapes."""
    return f"{stem}_blendshapes"
