"""Contents and sizes of picture files: displacement maps as 16-bit PNG, textures as JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.arrays import ByteArray, FloatArray, check
from engine.images import encode_jpeg, encode_png
from engine.types import UvWindow

CANVAS_SIZE = 4096
"""Pixels along one side of an exported map, which covers the whole UV square."""
NO_DISPLACEMENT = 32768
_JPEG_HEADER_BYTES = 620  # tables of a colour JPEG

_Pixel = TypeVar("_Pixel", bound=np.generic)


def map_canvas(map_mm: FloatArray, window: UvWindow, scale_mm: float) -> tuple[npt.NDArray[np.uint16], float]:
    """A detail map as it is exported: 16 bits over the whole UV square.

    Args:
        map_mm: (n, n) float32 signed mm, row 0 at ``window.v1``.
        window: the part of the UV square that the map covers.
        scale_mm: depth at full white.

    Returns:
        (4096, 4096) uint16, row 0 at v = 1, value = 32768 + mm / scale * 32768, 32768 outside the window; and the
        share of the window's pixels (0..1) whose depth lies beyond the scale and was cut.

    Source:
        Value range and place as the original program's ``_dpmap.png``.
    """
    n = window.map_size
    check("map_mm", map_mm, (n, n))
    first_row, rows = _axis(1.0 - window.v1, 1.0 - window.v0, n)
    first_column, columns = _axis(window.u0, window.u1, n)
    value = _interpolated(_interpolated(map_mm, rows, axis=0), columns, axis=1)
    value *= np.float32(NO_DISPLACEMENT / scale_mm)
    value += NO_DISPLACEMENT
    np.rint(value, out=value)
    clipped = float(np.mean((value < 0) | (value > 65535)))
    canvas = np.full((CANVAS_SIZE, CANVAS_SIZE), NO_DISPLACEMENT, np.uint16)
    place = (slice(first_row, first_row + len(rows)), slice(first_column, first_column + len(columns)))
    canvas[place] = np.clip(value, 0, 65535)
    return canvas, clipped


def map_file(
    map_mm: FloatArray, window: UvWindow, scale_mm: float, clipped: list[float] | None = None
) -> Iterator[bytes]:
    """Content of a map's file, made when asked for; the share of cut pixels is appended to ``clipped``."""
    canvas, share = map_canvas(map_mm, window, scale_mm)
    if clipped is not None:
        clipped.append(share)
    yield encode_png(canvas)


def jpeg_file(image: ByteArray) -> Iterator[bytes]:
    """Content of a JPEG file, made when asked for."""
    yield encode_jpeg(image)


def jpeg_size(image: ByteArray) -> int:
    """About how many bytes ``jpeg_file`` makes, from some bands of the picture."""
    bands, factor = _bands(image)
    return round(factor * (len(encode_jpeg(bands)) - _JPEG_HEADER_BYTES)) + _JPEG_HEADER_BYTES


def map_size(map_mm: FloatArray, window: UvWindow, scale_mm: float) -> int:
    """About how many bytes ``map_file`` makes, from some bands of the picture."""
    bands, factor = _bands(map_canvas(map_mm, window, scale_mm)[0])
    return round(factor * len(encode_png(bands)))


def _bands(picture: npt.NDArray[_Pixel]) -> tuple[npt.NDArray[_Pixel], float]:
    """Every fourth band of 32 rows (blocks of JPEG stay whole), and how many times that is the picture."""
    rows = np.arange(len(picture))
    chosen = picture[(rows // 32) % 4 == 0]
    return chosen, len(picture) / len(chosen)


def _axis(start: float, end: float, n: int) -> tuple[int, FloatArray]:
    """Canvas pixels whose centres lie between two places (0..1): the first, and the map pixel that each looks at."""
    first = int(np.ceil(start * CANVAS_SIZE - 0.5))
    last = int(np.floor(end * CANVAS_SIZE - 0.5))
    centres = (np.arange(first, last + 1) + 0.5) / CANVAS_SIZE
    positions = np.clip((centres - start) / (end - start) * n - 0.5, 0.0, n - 1.0)
    return first, positions.astype(np.float32)


def _interpolated(values: FloatArray, positions: FloatArray, axis: int) -> FloatArray:
    """``values`` (n, m) at fractional positions (k,) along one axis, linear in between."""
    before = np.floor(positions).astype(np.intp)
    after = np.minimum(before + 1, values.shape[axis] - 1)
    share = (positions - before).astype(np.float32)
    start: FloatArray = np.take(values, before, axis=axis)
    step: FloatArray = np.take(values, after, axis=axis)
    step -= start
    step *= share[:, None] if axis == 0 else share
    step += start
    return step
