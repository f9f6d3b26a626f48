"""What the detail network is told: the same pictures for training and for use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray
from engine.detail.surface import cross, differences, eroded, skin_at
from engine.detail.wrinkles import WrinkleField
from engine.fields import blurred, enlarged, reduced

HALF = 2
"""Texture planes and fold guides reach the network at the map's size over this."""
QUARTER = 4
"""Strain reaches it at the map's size over this."""
TEXTURE_PLANES = 3
SURFACE_PLANES = 10
STRAIN_PLANES = 6

_BLACK = 0.02  # linear light added before the logarithm, so that noise in shadows stays small
_CONTRAST = 0.15  # log light that becomes 1
_SHADE = 0.5  # the same for brightness over wide areas
_WIDE_MM = 7.0  # sigma of the surroundings that colours are compared with
_USUAL_TEXEL_MM = 0.21
_USUAL_PX_PER_MM = 5.0
_BYTE = np.arange(256, dtype=np.float32) / 255.0
_LOG_OF_BYTE = np.log(np.where(_BYTE <= 0.04045, _BYTE / 12.92, ((_BYTE + 0.055) / 1.055) ** 2.4) + _BLACK).astype(
    np.float32
)
"""Logarithm of linear light of an sRGB byte (IEC 61966-2-1)."""
_STRAIN_SCALE = np.float32(8.0)


@dataclass(frozen=True, slots=True, eq=False)
class KeyField:
    """What one key expression does to the skin, over the UV window of n x n texels."""

    strain: FloatArray
    """(c, c, 6) float32: compression, stretch, difference times cosine and sine of twice its direction, fold
    wavelength, proneness to fold."""
    guide: FloatArray
    """(n/2, n/2) float32: profile of the folds that nobody can know from the photo, about -0.6 .. 0.4."""
    moved: FloatArray
    """(c, c) float32 in [0, 1]: 0 where the skin stays as it is."""


def key_field(wrinkles: WrinkleField, deformation_mm: FloatArray) -> KeyField:
    """Strain and fold guide of a deformation (c, c, 3) float32 mm."""
    guide = wrinkles.guide(deformation_mm)
    c = len(deformation_mm)
    strain = guide.strain
    angle = 2.0 * np.arctan2(strain.direction[..., 1], strain.direction[..., 0])
    planes = np.dstack(
        [
            _STRAIN_SCALE * strain.compression,
            _STRAIN_SCALE * strain.stretch,
            _STRAIN_SCALE * strain.difference * np.cos(angle),
            _STRAIN_SCALE * strain.difference * np.sin(angle),
            0.25 * guide.wavelength_mm,
            guide.proneness,
        ]
    ).astype(np.float32)
    return KeyField(np.clip(reduced(planes, c), -6.0, 6.0), guide.profile, reduced(guide.moved, c))


def surface_normals(position_mm: FloatArray, skin: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Unit normals (c, c, 3), and unit tangents (c, c, 2, 3) to the right and upwards; zero outside the skin."""
    c = len(position_mm)
    inside = eroded(skin_at(skin, c), 1).astype(np.float32)[..., None]
    right, up = differences(position_mm)
    weight = np.maximum(blurred(inside[..., 0], 1.5), 1e-3)[..., None]
    right, up = (np.asarray(blurred(d * inside, 1.5) / weight, np.float32) for d in (right, up))
    known = skin_at(skin, c)[..., None]
    normal = _unit(cross(right, up)) * known
    right = np.asarray(_unit(right) * known, np.float32)
    return normal.astype(np.float32), np.stack([right, cross(normal, right)], 2).astype(np.float32)


def texture_planes(texture: ByteArray, seen: FloatArray, texel_mm: float) -> tuple[FloatArray, FloatArray]:
    """Colours against their surroundings (n, n, 3), and the brightness of the surroundings (n/4, n/4).

    Args:
        texture: (n, n, 3) uint8 RGB.
        seen: (n, n) float32 in [0, 1]: texels that the surroundings are read from.
        texel_mm: of the map.
    """
    n = len(texture)
    logarithm = _LOG_OF_BYTE[texture]
    small = n // QUARTER
    weight = reduced(seen, small) + np.float32(1e-3)
    sigma = _WIDE_MM / (texel_mm * QUARTER)
    sums = blurred(np.dstack([reduced(logarithm, small) * weight[..., None], weight]), sigma)
    wide = sums[..., :3] / np.maximum(sums[..., 3:], 1e-4)
    shade = wide.mean(-1)
    shade = (shade - float((shade * weight).sum() / weight.sum())) / _SHADE
    against = (logarithm - enlarged(wide.astype(np.float32), n)) / np.float32(_CONTRAST)
    return np.clip(against, -8.0, 8.0), np.clip(shade, -3.0, 3.0).astype(np.float32)


def surface_planes(
    visibility: FloatArray,
    skin: FloatArray,
    shade: FloatArray,
    normal: FloatArray,
    texel_mm: FloatArray,
    place: tuple[float, float, float],
    photo_px_per_mm: float | None,
) -> FloatArray:
    """What is known about the skin besides its colour, (n/2, n/2, 10).

    Args:
        visibility: (n, n) float32.
        skin: (n, n) float32, 0 or 1.
        shade: from ``texture_planes``.
        normal: (c, c, 3) float32.
        texel_mm: (c, c) float32, of the full map.
        place: first row, first column and side of this part of the window, as shares of the window.
        photo_px_per_mm: how finely the photo shows skin that faces the camera; None counts as usual.
    """
    half = len(skin) // HALF
    row, column, side = place
    steps = (np.arange(half, dtype=np.float32) + 0.5) * np.float32(side / half)
    v, u = np.meshgrid(2.0 * (row + steps) - 1.0, 2.0 * (column + steps) - 1.0, indexing="ij")
    coarse = enlarged(np.dstack([shade, 2.0 * np.log(texel_mm / _USUAL_TEXEL_MM)]).astype(np.float32), half)
    sharpness = np.full_like(u, np.log2((photo_px_per_mm or _USUAL_PX_PER_MM) / _USUAL_PX_PER_MM))
    known = [reduced(visibility, half), reduced(skin, half), coarse, enlarged(normal, half), u, v, sharpness]
    return np.dstack(known).astype(np.float32)


def mirrored_surface(planes: Any) -> Any:
    """Surface planes (..., 10, n/2, n/2) whose columns were turned around, with the signs that a mirrored face has.

    Args:
        planes: array or tensor; changed in place.
    """
    planes[..., [4, 7], :, :] *= -1.0  # x of the normal, place along u
    return planes


def _unit(field: FloatArray) -> FloatArray:
    return np.asarray(field / np.maximum(np.sqrt((field**2).sum(-1, keepdims=True)), 1e-9), np.float32)
