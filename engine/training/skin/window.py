"""A square piece of a head's skin map, with everything that is known about the face there at map resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray
from engine.detail.inputs import KeyField
from engine.expressions import ALL_KEY_NAMES
from engine.fields import enlarged
from engine.training.skin.heads import COARSE, HABITS, Head


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Fields are (size, size) float32 unless said otherwise."""

    size: int
    place: tuple[float, float, float]
    """First row, first column and side, as shares of the whole map."""
    texel_mm: float
    """Median over the piece."""
    coarse_texel_mm: FloatArray
    """(c, c)."""
    coarse_normal: FloatArray
    """(c, c, 3)."""
    normal: FloatArray
    """(size, size, 3)."""
    axes: FloatArray
    """(c, c, 2, 3)."""
    skin: FloatArray
    rim_mm: FloatArray
    mouth_mm: FloatArray
    eyes_mm: FloatArray
    nose: FloatArray
    forehead: FloatArray
    brows: FloatArray
    beard: FloatArray
    nostrils: FloatArray
    habit_strain: FloatArray
    """(len(HABITS), c, c, 2): compression times cosine and sine of twice its direction."""


def cut(head: Head, row: int, column: int, size: int) -> Window:
    """The piece of ``size`` texels whose corner lies at ``row``, ``column``, all multiples of 4."""
    n = len(head.skin)
    step = n // COARSE
    rows, columns = slice(row // step, (row + size) // step), slice(column // step, (column + size) // step)

    def fine(field: FloatArray) -> FloatArray:
        return enlarged(np.ascontiguousarray(field[rows, columns], np.float32), size)

    skin = head.skin[row : row + size, column : column + size]
    texel_mm = head.texel_mm[rows, columns]
    inside = skin.reshape(len(texel_mm), step, len(texel_mm), step).any(axis=(1, 3))
    habits = [ALL_KEY_NAMES.index(name) for name in HABITS]
    strain = head.key_strain[habits][:, rows, columns].astype(np.float32)
    folding = strain[..., :1] / np.maximum(np.sqrt((strain[..., 2:4] ** 2).sum(-1, keepdims=True)), 1e-3)
    return Window(
        size=size,
        place=(row / n, column / n, size / n),
        texel_mm=float(np.median(texel_mm[inside])) if inside.any() else 0.21,
        coarse_texel_mm=texel_mm,
        coarse_normal=head.normal[rows, columns],
        normal=fine(head.normal),
        axes=head.axes[rows, columns],
        skin=skin,
        **{
            name: fine(getattr(head, name))
            for name in ("rim_mm", "mouth_mm", "eyes_mm", "nose", "forehead", "brows", "beard", "nostrils")
        },
        habit_strain=strain[..., 2:4] * np.minimum(folding, 1.0),
    )


def cut_key(head: Head, k: int, row: int, column: int, size: int) -> KeyField:
    """The same piece of a key expression's fields."""
    n = len(head.skin)
    step = n // COARSE
    rows, columns = slice(row // step, (row + size) // step), slice(column // step, (column + size) // step)
    half_rows, half_columns = slice(row // 2, (row + size) // 2), slice(column // 2, (column + size) // 2)
    return KeyField(
        np.ascontiguousarray(head.key_strain[k, rows, columns], np.float32),
        np.ascontiguousarray(head.key_guide[k, half_rows, half_columns], np.float32),
        np.ascontiguousarray(head.key_moved[k, rows, columns], np.float32),
    )
