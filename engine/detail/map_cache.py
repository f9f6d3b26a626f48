"""Predicted maps on disk, so that the same photo never waits for them twice and an interrupted run goes on where it was."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np

from engine.arrays import FloatArray

DEFAULT_LIMIT_BYTES = 4 << 30
"""Room for the 20 maps of 50 photos."""

_SUFFIX = ".map"
_TEMPORARY = ".writing-"
_STALE_S = 3600.0
"""Age at which a temporary file belongs to no running process any more."""
_CHECKSUM_BYTES = 4

_log = logging.getLogger(__name__)


def default_folder(pack: str) -> Path:
    """Where this user's predicted maps of one pack lie, whether there are any or not."""
    import platformdirs

    return platformdirs.user_cache_path("detailed-face", appauthor=False) / "maps" / pack


def cache_key(*parts: str | bytes) -> str:
    """One name for all that a map depends on: photo or texture, model version, key expression.

    Args:
        parts: in a fixed order; texts and bytes of any length. ('ab', 'c') and ('a', 'bc') give different names.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


class MapCache:
    """Arrays by name in one folder, the longest unused removed first. Several processes may share the folder.

    A cache that cannot be read or written costs time, never a result: its failures are logged and passed over.
    """

    def __init__(self, folder: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def get(self, key: str) -> FloatArray | None:
        """The array of that name, writable float32; None where there is none or its file is damaged."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        array = _unpacked(data)
        if array is None:
            _log.warning("a stored map is damaged and is made again: %s", path.name)
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the file's own access time is switched off on many systems
        return array

    def put(self, key: str, array: FloatArray) -> None:
        """Store an array; its file is whole or absent at every moment."""
        data = _packed(array)
        if len(data) > self._limit_bytes:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(data))
            handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                os.replace(name, self._path(key))
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as error:
            _log.warning("a map could not be stored: %s", error)

    def clear(self) -> None:
        """Remove every stored map, and the folder where nothing else is in it."""
        for path in self._files():
            with contextlib.suppress(OSError):
                path.unlink()
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def size_bytes(self) -> int:
        """What the stored maps take on disk."""
        return sum(size for _, size, _ in self._entries())

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _files(self) -> list[Path]:
        try:
            return [
                path for path in self._folder.iterdir() if path.suffix == _SUFFIX or path.name.startswith(_TEMPORARY)
            ]
        except OSError:
            return []

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Last use, size and path of each file, the longest unused first."""
        entries = []
        for path in self._files():
            with contextlib.suppress(OSError):  # another process may have removed it
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        return sorted(entries)

    def _make_room(self, needed: int) -> None:
        entries = self._entries()
        total = needed + sum(size for _, size, _ in entries)
        stale_before = time.time() - _STALE_S
        for used, size, path in entries:
            temporary = path.name.startswith(_TEMPORARY)
            unwanted = used < stale_before if temporary else total > self._limit_bytes
            if unwanted:
                with contextlib.suppress(OSError):
                    path.unlink()
                total -= size


def _packed(array: FloatArray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array, np.float32), allow_pickle=False)
    content = stream.getvalue()
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little") + content


def _unpacked(data: bytes) -> FloatArray | None:
    content = data[_CHECKSUM_BYTES:]
    if len(data) <= _CHECKSUM_BYTES or zlib.crc32(content) != int.from_bytes(data[:_CHECKSUM_BYTES], "little"):
        return None
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except ValueError:
        return None
    return array if isinstance(array, np.ndarray) and array.dtype == np.float32 else None
