"""Text of OBJ and MTL files, formatted by whole arrays: a million and a half triangles in well under a second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.arrays import ByteArray, FloatArray, IntArray, check

_ROWS_AT_ONCE = 20_000  # a few MB of temporary arrays, some ten milliseconds: a fine grain for progress and cancelling
_MICRO = 1_000_000  # six decimals
_UNIT_DECIMALS = {"mm": 6, "cm": 7, "m": 9}
"""Decimals that write a millionth of a millimetre in each unit: no unit loses detail."""

MATERIAL = "face"

_Number = TypeVar("_Number", bound=np.generic)
_Unsigned = npt.NDArray[np.uint32] | npt.NDArray[np.uint64]


def header(name: str, units: str, material_file: str | None) -> bytes:
    """First lines of an OBJ file; the material file is named as it is, relative and unquoted, as Blender reads it."""
    lines = [f"# Detailed Face, {units}, +Y up, +Z out of the face"]
    if material_file is not None:
        lines.append(f"mtllib {material_file}")
    lines.append(f"o {name}")
    return _text(lines)


def vertex_lines(vertices: FloatArray, units: str) -> Iterator[bytes]:
    """``v x y z`` of vertices (V, 3) mm, written in ``units``."""
    check("vertices", vertices, (None, 3))
    for rows in _runs(vertices):
        yield _decimal_lines(b"v ", rows, _UNIT_DECIMALS[units])


def uv_lines(uvs: FloatArray) -> Iterator[bytes]:
    """``vt u v`` of UVs (T, 2)."""
    check("uvs", uvs, (None, 2))
    for rows in _runs(uvs):
        yield _decimal_lines(b"vt ", rows, 6)


def face_lines(
    faces: IntArray, uv_faces: IntArray, groups: tuple[tuple[str, int, int], ...], *, material: bool
) -> Iterator[bytes]:
    """``f v/vt v/vt v/vt``, counted from 1, under one ``g`` per group (name, first face, one past the last)."""
    check("faces", faces, (None, 3), np.int32)
    check("uv_faces", uv_faces, faces.shape, np.int32)
    if material:
        yield _text([f"usemtl {MATERIAL}"])
    for name, first, end in groups:
        yield _text([f"g {name}"])
        corners = np.stack([faces[first:end], uv_faces[first:end]], axis=-1).reshape(-1, 6)
        for rows in _runs(corners):
            yield _index_lines(rows.astype(np.uint32) + np.uint32(1))


def material_text(texture_file: str | None) -> bytes:
    """An MTL file: white (so that viewers which multiply show the photo's own colours), without highlights."""
    lines = [f"newmtl {MATERIAL}", "Ka 1 1 1", "Kd 1 1 1", "Ks 0 0 0", "d 1", "illum 1"]
    if texture_file is not None:
        lines.append(f"map_Kd {texture_file}")
    return _text(lines)


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _runs(rows: npt.NDArray[_Number]) -> Iterator[npt.NDArray[_Number]]:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield rows[start : start + _ROWS_AT_ONCE]


def _decimal_lines(prefix: bytes, rows: FloatArray, decimals: int) -> bytes:
    """Rows of decimal numbers in millionths, the point set ``decimals`` digits from the right.

    Digits are computed for all rows at once into a table of fixed width, one column of characters after the other;
    leading zeros and unused signs are then dropped by a mask. Some ten times faster than formatting number by number.
    """
    millionths = np.rint(rows.astype(np.float64) * _MICRO)
    if not np.isfinite(millionths).all():
        raise ValueError("coordinates: expected finite numbers, got inf or nan")
    magnitude = np.abs(millionths)
    largest = int(magnitude.max(initial=0))
    narrow = largest < 2**32  # half the work
    digits: _Unsigned = magnitude.astype(np.uint32) if narrow else magnitude.astype(np.uint64)
    digit_count = max(len(str(largest)), decimals + 1)
    width = digit_count + 3  # sign, point, separator
    count, columns = rows.shape
    table = np.empty((count, len(prefix) + columns * width), np.uint8)
    keep = np.ones(table.shape, np.bool_)
    table[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    for column in range(columns):
        sign = len(prefix) + column * width
        table[:, sign] = ord("-")
        keep[:, sign] = millionths[:, column] < 0
        rest, place = digits[:, column], sign + digit_count + 1
        for digit in range(digit_count):
            if digit == decimals:
                table[:, place] = ord(".")
                place -= 1
            quotient = rest // 10
            table[:, place] = rest - quotient * 10 + ord("0")
            if digit > decimals:
                keep[:, place] = rest > 0
            rest, place = quotient, place - 1
        table[:, sign + width - 1] = ord(" ") if column + 1 < columns else ord("\n")
    return _kept(table, keep)


def _index_lines(corners: npt.NDArray[np.uint32]) -> bytes:
    """``f`` lines of corners (n, 6): v, vt, v, vt, v, vt, counted from 1."""
    prefix = b"f "
    digit_count = len(str(int(corners.max(initial=1))))
    width = digit_count + 1
    table = np.empty((len(corners), len(prefix) + 6 * width), np.uint8)
    keep = np.ones(table.shape, np.bool_)
    table[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    for column, separator in enumerate(b"/ / /\n"):
        first = len(prefix) + column * width
        rest = corners[:, column]
        for place in range(first + digit_count - 1, first - 1, -1):
            quotient = rest // 10
            table[:, place] = rest - quotient * 10 + ord("0")
            if place < first + digit_count - 1:
                keep[:, place] = rest > 0
            rest = quotient
        table[:, first + digit_count] = separator
    return _kept(table, keep)


def _kept(table: ByteArray, keep: npt.NDArray[np.bool_]) -> bytes:
    return table[keep].tobytes()
