"""Array aliases and the one shape check used at public doors."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
DoubleArray = npt.NDArray[np.float64]  # inside solvers only

_Scalar = TypeVar("_Scalar", bound=np.generic)


def check(
    name: str,
    array: npt.NDArray[_Scalar],
    shape: tuple[int | None, ...],
    dtype: npt.DTypeLike = np.float32,
) -> npt.NDArray[_Scalar]:
    """Return ``array`` unchanged, or raise ValueError that names it. ``None`` accepts any length."""
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != dtype:
        raise ValueError(f"{name}: expected {shape} {np.dtype(dtype)}, got {array.shape} {array.dtype}")
    return array


def frozen(
    name: str,
    array: npt.NDArray[_Scalar],
    shape: tuple[int | None, ...],
    dtype: npt.DTypeLike = np.float32,
) -> npt.NDArray[_Scalar]:
    """Check ``array`` and make it read-only in place; the caller gives up ownership."""
    check(name, array, shape, dtype).flags.writeable = False
    return array
