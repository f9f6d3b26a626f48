"""Arrays from strangers: .npy and .npz whose headers are checked before memory is reserved, read in pieces if large."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from engine.packs.facescape.restricted import (
    DAMAGE,
    LFS_POINTER,
    MEBIBYTE,
    PICKLE_LIMIT,
    PLAIN_DTYPE,
    WrongContent,
    count_of,
    load_pickle,
    plain_array,
)

SMALL_LIMIT = 64 * MEBIBYTE
"""Largest array that is read as a whole; larger ones are read piece by piece."""
_HEADER_LIMIT = 1 << 16
_PIECE = 4 * MEBIBYTE
_NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What an .npy file says of its array, checked before a byte of it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int
    """Where the values start in the file."""

    @property
    def is_object(self) -> bool:
        """Whether the values are pickled."""
        return self.dtype.hasobject

    @property
    def nbytes(self) -> int:
        """Size of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: BinaryIO, size: int) -> NpyHeader:
    """Header of the .npy that starts in ``stream``, which is left at the first value.

    Args:
        stream: at its beginning.
        size: bytes of the whole .npy; the header must agree with it.

    Raises:
        WrongContent: no .npy, of unusual values, or header and size disagree.
    """
    try:
        start = stream.read(8)
        if start.startswith(LFS_POINTER[:8]):
            raise WrongContent("is only a Git LFS pointer, not the file; 'git lfs pull' gets it")
        if start[:6] != _NPY_MAGIC or start[6] not in (1, 2, 3):
            raise WrongContent("is no .npy file")
        width = 2 if start[6] == 1 else 4
        length_bytes = stream.read(width)
        length = int.from_bytes(length_bytes, "little")
        if length > _HEADER_LIMIT:
            raise WrongContent("has an impossible header")
        text = stream.read(length)
        reader = np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(io.BytesIO(length_bytes + text), max_header_size=_HEADER_LIMIT)
    except WrongContent:
        raise
    except DAMAGE as error:
        raise WrongContent("has a damaged header") from error
    count_of(shape)
    header = NpyHeader(shape, dtype, fortran, 8 + width + length)
    if dtype.hasobject:
        if dtype != np.dtype(object):
            raise WrongContent("holds unusual values")
    elif not PLAIN_DTYPE.fullmatch(dtype.str):
        raise WrongContent("holds unusual values")
    elif header.offset + header.nbytes != size:
        raise WrongContent(
            f"is cut short or too long: {size:,} bytes, its header says {header.offset + header.nbytes:,}"
        )
    return header


def read_small(stream: BinaryIO, header: NpyHeader) -> np.ndarray[Any, Any]:
    """All values behind ``header``, which ``read_header`` gave for the same stream.

    Raises:
        WrongContent: damaged, or too large to be read as a whole.
    """
    if header.is_object:
        array = plain_array(load_pickle(stream.read(PICKLE_LIMIT + 1)))
        if array.shape != header.shape:
            raise WrongContent("is damaged (its shape changes)")
        return array
    if header.nbytes > SMALL_LIMIT:
        raise WrongContent("is far too large to be this file")
    flat = np.frombuffer(b"".join(pieces(stream, header.nbytes)), header.dtype)
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def pieces(stream: BinaryIO, count: int, size: int = _PIECE) -> Iterator[bytes]:
    """Exactly ``count`` bytes of ``stream``, at most ``size`` at a time.

    Raises:
        WrongContent: the stream ends before, or is damaged.
    """
    while count:
        try:
            piece = stream.read(min(size, count))
        except DAMAGE as error:
            raise WrongContent("is damaged") from error
        if not piece:
            raise WrongContent("is cut short")
        count -= len(piece)
        yield piece


def at_end(stream: BinaryIO) -> None:
    """Make sure that a stream ends here; a zip member compares its checksum then.

    Raises:
        WrongContent: more follows, or the checksum is another one.
    """
    try:
        more = stream.read(1)
    except DAMAGE as error:
        raise WrongContent("is damaged") from error
    if more:
        raise WrongContent("is too long")


def read_npy(path: Path) -> np.ndarray[Any, Any]:
    """The array of numbers in a small .npy file.

    Raises:
        WrongContent: damaged, too large, or not numbers.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as stream:
        header = read_header(stream, path.stat().st_size)
        if header.is_object:
            raise WrongContent("holds objects where numbers belong")
        return read_small(stream, header)


class Npz:
    """An open .npz whose members are read one by one; a context manager."""

    def __init__(self, path: Path) -> None:
        """Open ``path``.

        Raises:
            WrongContent: no zip file, or one with members that numpy does not write.
        """
        try:
            self._zip = zipfile.ZipFile(path)
        except DAMAGE as error:
            with path.open("rb") as stream:
                pointer = stream.read(len(LFS_POINTER)) == LFS_POINTER
            if pointer:
                raise WrongContent("is only a Git LFS pointer, not the file; 'git lfs pull' gets it") from error
            raise WrongContent("is damaged, or no .npz file") from error
        self._members = {entry.filename.removesuffix(".npy"): entry for entry in self._zip.infolist()}
        for entry in self._zip.infolist():
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
                self._zip.close()
                raise WrongContent("is packed in an unusual way")

    def __enter__(self) -> Npz:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    @property
    def names(self) -> frozenset[str]:
        """Names of the arrays."""
        return frozenset(self._members)

    def open(self, name: str) -> tuple[BinaryIO, NpyHeader]:
        """Stream of one member, at its first value, with its header; the caller closes it.

        Raises:
            WrongContent: missing or damaged.
        """
        entry = self._members.get(name)
        if entry is None:
            raise WrongContent(f"lacks {name}")
        try:
            stream = self._zip.open(entry)
        except DAMAGE as error:
            raise WrongContent(f"is damaged ({name})") from error
        try:
            return stream, read_header(stream, entry.file_size)  # type: ignore[return-value, arg-type]
        except WrongContent as error:
            stream.close()
            raise WrongContent(f"has an entry {name} that {error}") from error

    def header(self, name: str) -> NpyHeader:
        """What one member says of itself.

        Raises:
            WrongContent: missing or damaged.
        """
        stream, header = self.open(name)
        stream.close()
        return header

    def array(self, name: str) -> np.ndarray[Any, Any]:
        """One small member as a whole, numbers or objects.

        Raises:
            WrongContent: missing, damaged or too large.
        """
        stream, header = self.open(name)
        with stream:
            try:
                return read_small(stream, header)
            except WrongContent as error:
                raise WrongContent(f"has an entry {name} that {error}") from error
