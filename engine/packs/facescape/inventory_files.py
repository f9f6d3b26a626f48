"""Searches folders for FaceScape's files and checks each by itself."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.arrays import DoubleArray
from engine.errors import ModelFileError
from engine.packs.facescape.bilinear16 import CORE_ENTRY, Model16, inspect16
from engine.packs.facescape.checkpoint import GeneratorShape
from engine.packs.facescape.convert_core import CoreSource, inspect_core
from engine.packs.facescape.convert_network import open_checkpoint, recognise
from engine.packs.facescape.convert_predef import READERS, Arrays, finite
from engine.packs.facescape.data import INFO_FILE, MASK_SIZE, POSITION_MAP_CHANNELS
from engine.packs.facescape.restricted import PICKLE_LIMIT, WrongContent
from engine.packs.facescape.restricted_arrays import NpyHeader, Npz, read_header, read_npy

_DEEPEST = 12
_MOST_FILES = 100_000
_MOST_FOLDERS = 20_000
"""Of one folder that a user names: a whole disk is no sensible answer, and takes minutes."""
_SUFFIXES = frozenset((".npy", ".npz", ".pkl", ".txt", ".png", ".pth", ".pt"))
_COPY_MARK = re.compile(r"( ?\(\d+\)| - copy( \(\d+\))?|_copy|-\d)$")
"""What browsers and desktops append to the name of a second copy."""

# The original's own files; another one may be sound as well, but then the results may differ from the original's.
_ORIGINAL_SHA256 = {
    "contour_line_68.pkl": "eb8e5654c4ab2472df7a27e1838e755b74a18373c33f800b49d2a1a3ebca9329",
    "exp_GMM.pkl": "a6fcf8890f32cafc70b1421589ddd9be39d0d02d21eebbde5494cd8dfd18503b",
    "faces.pkl": "66a8baaa94ad8a4183fe87972881e16a86d95ff49ac9425709ad387c03570379",
    "front_face_indices.pkl": "363168d0ad2dd8e4a7af3f9a9ec95c2594b4f425991141ec65dcdb8d65e3ac8a",
    "front_faces.pkl": "7b6958b8ac1cd3ab51efb59ad0c8faf16d2635c0c24dea9f3c5c0bcf117bb2ee",
    "front_mask.png": "41854d4508d2c6e96ddf77964cb38ef8e0dca9505b36ec8155d069e7b3cc0158",
    "front_texcoords.pkl": "beb6cce24d6f8abe6686bce321dff845d7417221c4329ff2400da2f09c4631e2",
    "front_verts_indices.pkl": "9444e3b437ed25589699c366fa0f34f680dab06e8dcbe7040eebc555fbfdd3aa",
    "id_mean.pkl": "a17b20e7f75f5cdc5b8ab72b525190dc17261d4eac14788efed3d495d064049c",
    "id_var.pkl": "53b6d28412aae18b0eeae1f80fee71e756900312a7f124aaab4a8762168c84a8",
    "index_68.txt": "2edbea23d792bda6537bdd01695d8c435dc75a9f2f2bc4a6d7ed742864275100",
}


@dataclass(slots=True)
class FoundFiles:
    """What lies in the folders, with a memory of the files whose content was looked at."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    _networks: dict[Path, tuple[str, GeneratorShape] | ModelFileError] = field(default_factory=dict)

    def named(self, name: str) -> list[Path]:
        """Files of that name, then copies of it as browsers name them; case does not matter."""
        stem, suffix = os.path.splitext(name.lower())
        return [
            *(path for path in self.paths if path.name.lower() == name.lower()),
            *(
                path
                for path in self.paths
                if path.suffix.lower() == suffix
                and path.name.lower() != name.lower()
                and _COPY_MARK.sub("", path.stem.lower()) == stem
            ),
        ]

    def of_kind(self, *suffixes: str) -> list[Path]:
        """Files with one of these suffixes."""
        return [path for path in self.paths if path.suffix.lower() in suffixes]

    def network(self, path: Path) -> tuple[str, GeneratorShape]:
        """Which network a checkpoint holds; each file is read once.

        Raises:
            ModelFileError: none of FaceScape's.
        """
        if path not in self._networks:
            try:
                self._networks[path] = recognise(path, open_checkpoint(path))
            except ModelFileError as error:
                self._networks[path] = error
            except OSError as error:
                self._networks[path] = WrongContent(f"cannot be opened ({error.strerror})")
        answer = self._networks[path]
        if isinstance(answer, ModelFileError):
            raise answer
        return answer


def search(folders: Sequence[Path]) -> FoundFiles:
    """All files below the folders that could be one of FaceScape's.

    Raises:
        ModelFileError: a folder is not there.
    """
    paths: dict[Path, None] = {}
    notes: list[str] = []
    for folder in folders:
        if folder.is_file():
            paths[folder] = None
        elif not folder.is_dir():
            raise ModelFileError(f"{folder} is no folder.", "Name folders that exist.")
        elif not _walk(folder, paths):
            notes.append(f"{folder} is too large to be searched whole; name the folders of the files themselves.")
    return FoundFiles(tuple(paths), tuple(notes))


def _walk(folder: Path, paths: dict[Path, None]) -> bool:
    """Add the files below ``folder`` that could be one of FaceScape's; False where there were too many to look at."""
    depth = len(folder.parts)
    for visited, (place, folders, files) in enumerate(os.walk(folder)):
        if visited >= _MOST_FOLDERS or len(paths) >= _MOST_FILES:
            return False
        here = Path(place)
        if INFO_FILE in files:  # an imported pack is no source
            folders.clear()
            continue
        deeper = len(here.parts) - depth < _DEEPEST
        folders[:] = sorted(name for name in folders if deeper and not name.startswith("."))
        paths.update(dict.fromkeys(here / n for n in sorted(files) if os.path.splitext(n)[1].lower() in _SUFFIXES))
    return True


def check_predef(name: str, path: Path) -> tuple[Arrays, str]:
    """The arrays of one of the small files, and a note where it differs from the original's.

    Raises:
        WrongContent: not that file, or damaged.
    """
    data = _read(path)
    arrays = READERS[name](data)
    known = (hashlib.sha256(data).hexdigest(), hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest())
    return arrays, "" if _ORIGINAL_SHA256[name] in known else "differs from the original's file"


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > PICKLE_LIMIT:
            raise WrongContent("is far too large to be this file")
        return path.read_bytes()
    except OSError as error:
        raise WrongContent(f"cannot be opened ({error.strerror})") from error


def check_core(path: Path) -> CoreSource | Model16:
    """The shapes of v1.0 to v1.3 (.npy) or all of v1.6 (.npz).

    Raises:
        WrongContent: not that file, or damaged.
    """
    if "id_exp" in path.stem.lower():
        raise WrongContent(
            "has compressed expressions, which are no expressions any more; take ..._id_front.npz instead"
        )
    try:
        return inspect16(path) if path.suffix.lower() == ".npz" else inspect_core(path)
    except OSError as error:
        raise WrongContent(f"cannot be opened ({error.strerror})") from error


def core_candidates(files: FoundFiles, name: str) -> tuple[list[Path], list[Path]]:
    """Files that are called a core, the original's first, and others that may be one by their content."""
    arrays, archives = files.of_kind(".npy"), files.of_kind(".npz")
    called = files.named(name)
    called += [path for path in arrays if path.name.lower().startswith("core_") and path not in called]
    bilinear = [path for path in archives if path.name.lower().startswith("facescape_bm_v1.6")]
    bilinear.sort(key=lambda path: ("id_exp" in path.stem, "_50_" not in path.stem, "front" not in path.stem))
    called += bilinear
    others = [path for path in arrays if path not in called and _has_shape(path, 3)]
    others += [path for path in archives if path not in called and _has_entry(path, CORE_ENTRY)]
    return called, others


def check_factors(path: Path, identities: int) -> DoubleArray:
    """The people (n, I) float64.

    Raises:
        WrongContent: not that file, damaged, or of a model with another number of identities.
    """
    try:
        factors = finite(read_npy(path), 2)
    except OSError as error:
        raise WrongContent(f"cannot be opened ({error.strerror})") from error
    if factors.shape[1] != identities:
        raise WrongContent(f"has {factors.shape[1]} factors for a model of {identities} identities")
    if len(factors) < 2 or (factors.var(0) <= 0).any():
        raise WrongContent("holds no people that differ")
    return factors


def factor_candidates(files: FoundFiles, name: str) -> tuple[list[Path], list[Path]]:
    """Files that are called factors, and others that may be."""
    arrays = files.of_kind(".npy")
    called = files.named(name)
    called += [path for path in arrays if path.name.lower().startswith("factors_id") and path not in called]
    return called, [path for path in arrays if path not in called and _has_shape(path, 2)]


def check_position_maps(path: Path) -> str:
    """Name of the entry that holds (60, 1024, 1024) numbers.

    Raises:
        WrongContent: not that file, or damaged; its values are not read yet.
    """
    wanted = (POSITION_MAP_CHANNELS, MASK_SIZE, MASK_SIZE)
    try:
        with Npz(path) as archive:
            names = ["arr_0"] if "arr_0" in archive.names else sorted(archive.names)[:1]
            if not names:
                raise WrongContent("is empty")
            header = archive.header(names[0])
    except OSError as error:
        raise WrongContent(f"cannot be opened ({error.strerror})") from error
    if header.shape != wanted or header.is_object or header.dtype.kind != "f" or header.fortran:
        shape = " x ".join(str(n) for n in header.shape)
        raise WrongContent(f"holds {shape or 'one'} {header.dtype} instead of 60 x 1024 x 1024 decimal numbers")
    return names[0]


def position_map_candidates(files: FoundFiles, name: str) -> tuple[list[Path], list[Path]]:
    """Files that are called position maps, and others that may be."""
    called = files.named(name)
    return called, [path for path in files.of_kind(".npz") if path not in called and _has_entry(path, "arr_0")]


def check_network(files: FoundFiles, path: Path, kind: str) -> GeneratorShape:
    """Shape of the network 'single' or 'rig'.

    Raises:
        ModelFileError: another network; the hint names keys.
        WrongContent: damaged, or the other one of the two.
    """
    found, shape = files.network(path)
    if found != kind:
        raise WrongContent(f"holds the network dpmap_{found} ({shape.input_channels} input channels), not dpmap_{kind}")
    return shape


def network_candidates(files: FoundFiles, name: str) -> tuple[list[Path], list[Path]]:
    """Files that are called this checkpoint, and other checkpoints."""
    called = files.named(name)
    return called, [path for path in files.of_kind(".pth", ".pt") if path not in called]


def _has_shape(path: Path, dimensions: int) -> bool:
    try:
        with path.open("rb") as stream:
            header: NpyHeader = read_header(stream, path.stat().st_size)
    except (WrongContent, OSError):
        return False
    return len(header.shape) == dimensions


def _has_entry(path: Path, entry: str) -> bool:
    try:
        with Npz(path) as archive:
            return entry in archive.names
    except (WrongContent, OSError):
        return False


def first_sound(paths: Iterable[Path], check: Any) -> tuple[Path | None, Any, tuple[Path, ModelFileError] | None]:
    """The first file that passes ``check`` with what it gave, and the first that failed with why."""
    failed: tuple[Path, ModelFileError] | None = None
    for path in paths:
        try:
            return path, check(path), failed
        except ModelFileError as error:
            failed = failed or (path, error)
    return None, None, failed
