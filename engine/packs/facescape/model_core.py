"""Contractions of the mapped core that pass over it once and keep little of it in memory.

Pages of a mapped file count as the process's own until they are given back, so each block is given back after its use.
"""

from __future__ import annotations

import mmap

import numpy as np

from engine.arrays import DoubleArray, FloatArray, IntArray

_BLOCK_BYTES = 64_000_000


def positions(core: FloatArray, identity: DoubleArray, expression: DoubleArray) -> FloatArray:
    """One person in one expression: (n, 3) float32 mm.

    Args:
        core: (I, E, n*3) float32, absolute shapes, entry 0 neutral.
        identity: (I,).
        expression: (E,) with [0] = 1 and the weights.
    """
    length = core.shape[2]
    absolute = np.concatenate([[expression[0] - expression[1:].sum()], expression[1:]])
    weights = np.outer(identity, absolute).astype(np.float32)
    total = np.zeros(length, np.float32)
    for first, end in _blocks(core):
        total += weights[first:end].ravel() @ core[first:end].reshape(-1, length)
        _give_back(core, first, end)
    return total.reshape(-1, 3)


def person_shapes(core: FloatArray, identity: FloatArray | DoubleArray) -> FloatArray:
    """All shapes of one person: (E, n, 3) float32 mm, entry 0 neutral, the others shape minus neutral."""
    _, E, length = core.shape
    weights = identity.astype(np.float32)
    shapes = np.zeros((E, length), np.float32)
    for first, end in _blocks(core):
        for e in range(E):
            shapes[e] += weights[first:end] @ core[first:end, e]
        _give_back(core, first, end)
    shapes[1:] -= shapes[0]
    return shapes.reshape(E, -1, 3)


def gathered(core: FloatArray, vertices: IntArray) -> FloatArray:
    """The core of a few vertices, in its own layout: (I, E, n*3) float32."""
    identities, E, _ = core.shape
    columns = (vertices[:, None] * 3 + np.arange(3)).ravel()
    part = np.empty((identities, E, len(columns)), np.float32)
    for first, end in _blocks(core):
        for i in range(first, end):
            np.take(core[i], columns, axis=1, out=part[i], mode="clip")
        _give_back(core, first, end)
    return part


def as_rows(part: FloatArray) -> FloatArray:
    """A core (I, E, n*3) as the solver wants it: (n, 3, E, I) float32, [:, :, 1:] shape minus neutral."""
    identities, E, _ = part.shape
    relative = part.copy()
    relative[:, 1:] -= part[:, :1]
    return np.ascontiguousarray(relative.reshape(identities, E, -1, 3).transpose(2, 3, 1, 0))


def _blocks(core: FloatArray) -> list[tuple[int, int]]:
    """Runs of identities (first, one past the last) of about ``_BLOCK_BYTES`` each."""
    step = max(1, _BLOCK_BYTES // max(1, core[0].nbytes))
    return [(first, min(first + step, len(core))) for first in range(0, len(core), step)]


def _give_back(core: FloatArray, first: int, end: int) -> None:
    """Tell the system that these identities of a mapped core need not stay in this process's memory."""
    mapping = getattr(core, "_mmap", None)
    if mapping is None or not hasattr(mmap, "MADV_DONTNEED"):  # an array in memory; Windows
        return
    begin = core.offset % mmap.ALLOCATIONGRANULARITY  # type: ignore[attr-defined]  # a memmap knows its offset
    start = (begin + first * core[0].nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    mapping.madvise(mmap.MADV_DONTNEED, start, begin + end * core[0].nbytes - start)
