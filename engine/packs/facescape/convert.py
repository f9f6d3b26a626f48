"""Imports FaceScape's files into the user's pack folder: whole or not at all, piece by piece; and removes them again."""

from __future__ import annotations

import io
import json
import shutil
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import DoubleArray, IntArray
from engine.atomic import FileSet
from engine.detail.map_cache import MapCache
from engine.errors import ModelFileError
from engine.packs.facescape.convert_core import core_rows
from engine.packs.facescape.convert_network import open_checkpoint, recognise, safetensors_chunks
from engine.packs.facescape.convert_predef import Arrays
from engine.packs.facescape.data import (
    EXPRESSIONS,
    FORMAT,
    INFO_FILE,
    MASK_SIZE,
    POSITION_MAP_CHANNELS,
    SUFFIXES,
    load,
    pack_files,
    read_info,
)
from engine.packs.facescape.inventory import CHECKPOINTS, CORE, FOUND, POSITION_MAPS, Finding, Inventory, Model
from engine.packs.facescape.restricted import WrongContent
from engine.packs.facescape.restricted_arrays import Npz, at_end, pieces
from engine.types import Progress

Steps = Generator[Progress, None, None]
_FLOAT_BYTES = 4
_LONGEST_EDGE = 0.2
"""Of the face's diagonal, for half of the edges: above it the vertices are in the wrong order."""
_LARGEST_SHIFT = 0.3
"""Of the face's diagonal, mean over the vertices: no expression moves a face that far."""
_TEMPORARY = ".detailed-face-*"  # left by an import that was killed


def convert(inventory: Inventory, folder: Path) -> Generator[Progress, None, tuple[str, ...]]:
    """Write the pack; parts that the inventory lacks stay as an earlier import left them.

    Closing the generator cancels: nothing is changed then.

    Args:
        inventory: what to import.
        folder: of the pack, as ``data.default_folder`` gives it.

    Yields:
        Progress after every piece of some MB, each of which takes a fraction of a second.

    Returns:
        The parts that were written: 'core', 'model', 'position_maps', 'single', 'rig'.

    Raises:
        ModelFileError: the model is incomplete and none was imported before, or a file turned out to be damaged.
        ExportError: the folder takes no files.
    """
    kept = _earlier(folder)
    parts = _parts(inventory)
    if inventory.model is None and "core" not in kept:
        raise _incomplete(inventory)
    if not parts:
        raise ModelFileError("There is nothing to import in these folders.", _needs(inventory))
    mark = uuid.uuid4().hex[:8]
    names = {part: f"{part}-{mark}{SUFFIXES[part]}" for part in parts}
    info = _info(inventory, folder, {**{part: path.name for part, path in kept.items()}, **names})
    total = float(sum(size for _, size in parts.values()))
    done = 0.0
    with FileSet(folder) as file_set:
        for part, (chunks, size) in parts.items():
            start = done
            for written in file_set.write(names[part], _named(chunks(), inventory, part)):
                done = min(done + written, start + size)
                yield Progress(f"Importing {_TITLES[part]}", 0.99 * done / total)
            done = start + size
        for _ in file_set.write(INFO_FILE, [json.dumps(info, indent=1).encode()]):
            yield Progress("Finishing", 0.99)
        file_set.commit()
    load(folder)
    _sweep(folder, keep=set(info["files"].values()))
    return tuple(parts)


def remove(folder: Path, maps: MapCache | None = None) -> bool:
    """Remove an imported pack with everything in it; False where there was none.

    Args:
        folder: of the pack; nobody may have it loaded (Windows keeps mapped files).
        maps: where the maps made with it are kept; they go, too.

    Raises:
        ModelFileError: a file cannot be removed.
    """
    if maps is not None:
        maps.clear()
    if not folder.is_dir():
        return False
    there = (folder / INFO_FILE).exists()
    try:
        (folder / INFO_FILE).unlink(missing_ok=True)  # first: from here on there is no pack
        left = _sweep(folder, keep=set())
    except OSError as error:
        raise ModelFileError(
            f"The pack in {folder} cannot be removed ({error.strerror}).", "Remove it by hand."
        ) from error
    if left:
        raise ModelFileError(
            f"{left[0].name} of the FaceScape pack is still in use.", f"Close the program and remove {folder} by hand."
        )
    with suppress(OSError):  # holds something that is not ours
        folder.rmdir()
    return there


_TITLES = {
    "core": "the shapes",
    "model": "the model's data",
    "position_maps": "the position maps",
    "single": "the network for the photo's detail",
    "rig": "the network for 20 expressions",
}


def _parts(inventory: Inventory) -> dict[str, tuple[Callable[[], Iterator[bytes]], int]]:
    """What there is to write: for each part its bytes, when asked, and their number."""
    parts: dict[str, tuple[Callable[[], Iterator[bytes]], int]] = {}
    if inventory.model is not None:
        model = inventory.model
        size = model.core.identities * EXPRESSIONS * 3 * model.vertices * _FLOAT_BYTES
        parts["core"] = lambda: _core_chunks(model), size
        parts["model"] = lambda: _model_chunks(model.arrays), sum(array.nbytes for array in model.arrays.values())
    maps = inventory[POSITION_MAPS]
    if maps.status == FOUND:
        parts["position_maps"] = lambda: _map_chunks(maps), POSITION_MAP_CHANNELS * MASK_SIZE**2 * _FLOAT_BYTES
    for name, kind in CHECKPOINTS.items():
        finding = inventory[name]
        if finding.status == FOUND and finding.path is not None:
            parts[kind] = _network_chunks(finding.path), finding.path.stat().st_size
    return parts


def _core_chunks(model: Model) -> Iterator[bytes]:
    """The core as .npy; at its end the mean face is looked at."""
    shape = (model.core.identities, EXPRESSIONS, 3 * model.vertices)
    yield _npy_header(shape)
    mean = np.zeros(shape[1:])
    weights = iter(model.arrays["id_mean"])
    for row in core_rows(model.core, model.vertex_map):
        if row is None:
            yield b""
            continue
        mean += row * next(weights)
        yield row.tobytes()
    _check_face(mean.reshape(EXPRESSIONS, -1, 3), model.arrays["faces"])


def _check_face(shapes: DoubleArray, faces: IntArray) -> None:
    """Refuse numbers that are no face in 52 expressions: another array, relative shapes, vertices in another order."""
    neutral = shapes[0]
    diagonal = float(np.linalg.norm(np.ptp(neutral[faces.ravel()], axis=0)))
    if not diagonal > 0:
        raise WrongContent("holds no face: all its mean is one point")
    edges = np.linalg.norm(neutral[faces[:, 0]] - neutral[faces[:, 1]], axis=1)
    if np.median(edges) > _LONGEST_EDGE * diagonal:
        raise WrongContent("holds no face in the order of vertices of faces.pkl: its triangles reach across the head")
    shift = np.linalg.norm(shapes[1:] - neutral, axis=2).mean(1).max()
    if shift > _LARGEST_SHIFT * diagonal:
        raise WrongContent("holds no absolute shapes: its expressions do not resemble its neutral face")


def _model_chunks(arrays: Arrays) -> Iterator[bytes]:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]  # the stub takes one of the names for allow_pickle
    yield stream.getvalue()


def _map_chunks(finding: Finding) -> Iterator[bytes]:
    shape = (POSITION_MAP_CHANNELS, MASK_SIZE, MASK_SIZE)
    yield _npy_header(shape)
    if finding.path is None:
        return
    with Npz(finding.path) as archive:
        stream, header = archive.open(str(finding.content))
        with stream:
            for raw in pieces(stream, header.nbytes):
                with np.errstate(over="ignore", invalid="ignore"):
                    values = np.frombuffer(raw, header.dtype).astype(np.float32)
                if not np.isfinite(values).all():
                    raise WrongContent("holds numbers that are not finite (NaN)")
                yield values.tobytes()
            at_end(stream)


def _network_chunks(path: Path) -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        state = open_checkpoint(path)
        recognise(path, state)
        yield from safetensors_chunks(state)

    return chunks


def _npy_header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _named(chunks: Iterable[bytes], inventory: Inventory, part: str) -> Iterator[bytes]:
    """``chunks``, with the file's name in the message where its content turns out to be wrong."""
    name = {"position_maps": POSITION_MAPS, **{kind: file for file, kind in CHECKPOINTS.items()}}.get(part, CORE)
    path = inventory[name].path
    try:
        yield from chunks
    except WrongContent as error:
        raise ModelFileError(
            f"{path.name if path else name} {error}.", "Get the file again, or leave it out; nothing was imported."
        ) from error
    except OSError as error:
        raise ModelFileError(
            f"{path.name if path else name} cannot be read to its end ({error.strerror}).", "Nothing was imported."
        ) from error


def _earlier(folder: Path) -> dict[str, Path]:
    """Files of the pack that is there already; none where there is none that can be used."""
    try:
        return pack_files(folder)
    except ModelFileError:
        return {}


def _info(inventory: Inventory, folder: Path, names: dict[str, str]) -> dict[str, Any]:
    sources = {
        finding.spec.name: finding.path.name
        for finding in inventory.findings
        if finding.status == FOUND and finding.path is not None
    }
    info: dict[str, Any] = {"format": FORMAT, "files": names, "made": datetime.now(UTC).isoformat(timespec="seconds")}
    if inventory.model is not None:
        return {**info, "version": inventory.model.version, "notes": list(inventory.notes), "sources": sources}
    before = read_info(folder)
    return {**before, **info, "sources": {**before.get("sources", {}), **sources}}


def _sweep(folder: Path, keep: set[str]) -> list[Path]:
    """Remove files of earlier imports; those that the system still holds are returned."""
    left = []
    for part, suffix in SUFFIXES.items():
        for path in folder.glob(f"{part}-????????{suffix}"):
            if path.name not in keep:
                try:
                    path.unlink()
                except OSError:  # Windows keeps mapped files; the next import tries again
                    left.append(path)
    for path in folder.glob(_TEMPORARY):
        shutil.rmtree(path, ignore_errors=True)
    return left


def _incomplete(inventory: Inventory) -> ModelFileError:
    return ModelFileError("The FaceScape model is not complete in these folders.", _needs(inventory))


def _needs(inventory: Inventory) -> str:
    """What is missing or wrong, in one line."""
    missing = [finding.spec.name for finding in inventory.blocking if finding.status == "missing"]
    texts = [finding.why for finding in inventory.blocking if finding.status == "wrong"]
    if missing:
        texts.insert(0, f"Missing: {', '.join(missing)}.")
    return " ".join(texts) or "Name the folders with FaceScape's files."
