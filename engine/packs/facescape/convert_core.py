"""The bilinear core from its file into the pack's own: (I, 52, V*3) float32, in pieces, whatever way it was stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from engine.arrays import FloatArray
from engine.packs.facescape.data import EXPRESSIONS
from engine.packs.facescape.restricted import MEBIBYTE, WrongContent
from engine.packs.facescape.restricted_arrays import NpyHeader, Npz, at_end, pieces, read_header

_MOST_IDENTITIES = 1000
_LARGEST_COORDINATE = 1e7
"""Beyond any shape in mm times the largest factor (1 / 0.0343 of the first column): bit rot shows here."""
_BATCH_BYTES = 640 * MEBIBYTE
"""Of the result that is gathered in memory at a time where the file's order is not ours."""
_PIECE_BYTES = 32 * MEBIBYTE

VertexMap = Callable[[FloatArray], FloatArray]
"""Turns (..., source vertices, 3) into (..., target vertices, 3)."""


@dataclass(frozen=True, slots=True)
class CoreSource:
    """Where a core lies: a file, or an entry of an .npz."""

    path: Path
    entry: str | None
    """Name inside the .npz, None for an .npy."""
    shape: tuple[int, ...]
    fortran: bool
    vertices: int
    identities: int

    @property
    def name(self) -> str:
        """For messages."""
        return self.path.name if self.entry is None else f"{self.entry} in {self.path.name}"

    @property
    def identity_is_slow(self) -> bool:
        """Whether each identity is one run of the file; otherwise each coordinate is."""
        identity_first = self.shape[0] == self.identities and self.shape[2] == 3 * self.vertices
        return identity_first != self.fortran


def inspect_core(path: Path, entry: str | None = None) -> CoreSource:
    """Look at the header of a core; its values are not read.

    Args:
        path: .npy or .npz.
        entry: name inside the .npz.

    Raises:
        WrongContent: no array of (I, 52, 3 V) or (3 V, 52, I) numbers.
        OSError: the file cannot be opened.
    """
    if entry is not None:
        with Npz(path) as archive:
            header = archive.header(entry)
    else:
        with path.open("rb") as stream:
            header = read_header(stream, path.stat().st_size)
    return _source(path, entry, header)


def core_rows(source: CoreSource, vertex_map: VertexMap) -> Iterator[FloatArray | None]:
    """The core, one identity after the other.

    Args:
        source: as ``inspect_core`` gave it.
        vertex_map: applied to the vertices on the way; identity function for a model of the original's topology.

    Yields:
        I times (52, 3 V) float32, with None in between while the file is read.

    Raises:
        WrongContent: damaged, or with values that are not finite.
    """
    if source.identity_is_slow:
        yield from _by_identity(source, vertex_map)
    else:
        yield from _by_coordinate(source, vertex_map)


def _source(path: Path, entry: str | None, header: NpyHeader) -> CoreSource:
    shape = header.shape
    if header.is_object or header.dtype.kind != "f" or header.dtype.itemsize < 4:
        raise WrongContent("holds something else than decimal numbers")
    if len(shape) != 3 or shape[1] != EXPRESSIONS:
        raise WrongContent(f"is {_size(shape)} instead of identities x {EXPRESSIONS} x coordinates")
    identities, coordinates = min(shape[0], shape[2]), max(shape[0], shape[2])
    if coordinates % 3 or not 0 < identities <= _MOST_IDENTITIES or coordinates // 3 < 68:
        raise WrongContent(f"is {_size(shape)}: no model of a face has that size")
    return CoreSource(path, entry, shape, header.fortran, coordinates // 3, identities)


class _Open:
    """The values of a source as a stream, from an .npy or from inside an .npz."""

    def __init__(self, source: CoreSource) -> None:
        self._archive = None if source.entry is None else Npz(source.path)
        self.stream: BinaryIO
        if self._archive is None:
            self.stream = source.path.open("rb")
            self.header = read_header(self.stream, source.path.stat().st_size)
        else:
            self.stream, self.header = self._archive.open(str(source.entry))
        if (self.header.shape, self.header.fortran) != (source.shape, source.fortran):
            self.close()
            raise WrongContent("changed while it was read")

    def close(self) -> None:
        self.stream.close()
        if self._archive is not None:
            self._archive.close()

    def blocks(self, rows: int, length: int) -> Iterator[FloatArray]:
        """The values as (n, length) blocks of up to ``rows`` rows, float32 and finite."""
        row_bytes = length * self.header.dtype.itemsize
        left = self.header.nbytes // row_bytes
        while left:
            count = min(rows, left)
            raw = b"".join(pieces(self.stream, count * row_bytes))
            with np.errstate(over="ignore", invalid="ignore"):
                block = np.frombuffer(raw, self.header.dtype).reshape(count, length).astype(np.float32)
                sound = bool((np.abs(block) < _LARGEST_COORDINATE).all())
            if not sound:
                raise WrongContent("holds numbers that are not finite, or impossibly large")
            left -= count
            yield block
        at_end(self.stream)


def _by_identity(source: CoreSource, vertex_map: VertexMap) -> Iterator[FloatArray | None]:
    with closing(_Open(source)) as file:
        for block in file.blocks(EXPRESSIONS, 3 * source.vertices):
            yield _mapped(block, vertex_map)


def _by_coordinate(source: CoreSource, vertex_map: VertexMap) -> Iterator[FloatArray | None]:
    """A file whose fastest index is the identity (or whose slowest is the coordinate) is read once for each batch."""
    row = EXPRESSIONS * source.identities
    per_identity = EXPRESSIONS * 3 * source.vertices * 4
    batch = max(1, _BATCH_BYTES // per_identity)
    rows = max(1, _PIECE_BYTES // (row * 8))
    for first in range(0, source.identities, batch):
        part = slice(first, min(first + batch, source.identities))
        gathered = np.empty((part.stop - part.start, EXPRESSIONS, 3 * source.vertices), np.float32)
        with closing(_Open(source)) as file:
            at = 0
            for block in file.blocks(rows, row):
                values = block.reshape(len(block), EXPRESSIONS, source.identities)[:, :, part]
                gathered[:, :, at : at + len(block)] = values.transpose(2, 1, 0)
                at += len(block)
                yield None
        for shapes in gathered:
            yield _mapped(shapes, vertex_map)


def _mapped(shapes: FloatArray, vertex_map: VertexMap) -> FloatArray:
    return vertex_map(shapes.reshape(EXPRESSIONS, -1, 3)).reshape(EXPRESSIONS, -1)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape) or "a single number"
