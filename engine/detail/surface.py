"""The face's surface as a picture over the UV window: real distances, and blurs whose radius is in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import BoolArray, FloatArray, check
from engine.fields import blurred, enlarged, reduced

_FINEST_SIGMA = 0.5  # texels: the first level of the ladder; each further one doubles it
_WIDE_REDUCTION = 4


def mm_per_texel(position_mm: FloatArray, skin: BoolArray) -> FloatArray:
    """Local size of a texel of the skin map.

    Args:
        position_mm: (m, m, 3) float32 mm over the window, zero outside the skin.
        skin: (n, n) bool, m divides n.

    Returns:
        (n, n) float32 mm: root of the area of a texel, smooth, extended beyond the skin.
    """
    n, m = len(skin), check("position_mm", position_mm, (None, None, 3)).shape[0]
    inside = eroded(skin_at(skin, m), 1)
    du, dv = differences(position_mm)
    area = np.linalg.norm(cross(du, dv), axis=-1)
    typical = float(np.median(area[inside])) if inside.any() else 1.0
    weight = (inside & (area < 25.0 * typical)).astype(np.float32)  # a step at a chart border is no texel
    radius = m / 40
    local = (blurred(weight * area, radius) + 1e-3 * typical) / (blurred(weight, radius) + 1e-3)
    size = np.sqrt(np.clip(local, typical / 16.0, typical * 16.0)) * (m / n)
    return enlarged(size.astype(np.float32), n)


def differences(field: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Central differences of a (m, m, C) picture per texel, to the right and upwards."""
    right, down = np.zeros_like(field), np.zeros_like(field)
    right[:, 1:-1] = 0.5 * (field[:, 2:] - field[:, :-2])
    down[1:-1] = 0.5 * (field[2:] - field[:-2])
    return right, -down


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Cross product along the last axis, several times faster than numpy's."""
    out = np.empty_like(a)
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def skin_at(skin: BoolArray, m: int) -> BoolArray:
    """The skin mask at m x m: texels that lie wholly inside."""
    n = len(skin)
    step = n // m
    return np.asarray(skin.reshape(m, step, m, step).all(axis=(1, 3)))


def eroded(mask: BoolArray, texels: int) -> BoolArray:
    """The mask without its outermost texels; the picture's border counts as outside."""
    import cv2

    kernel = np.ones((2 * texels + 1, 2 * texels + 1), np.uint8)
    shrunk = cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(shrunk > 0)


@dataclass(frozen=True, slots=True, eq=False)
class ScaleLadder:
    """One picture blurred at octave steps, from which a blur of any radius in mm is mixed, texel by texel."""

    levels: tuple[FloatArray, ...]
    """(n, n) float32 each; level j is blurred with sigma = 0.5 * 2**j texels."""
    texel_mm: FloatArray
    """(n, n) float32 mm."""

    @classmethod
    def build(cls, picture: FloatArray, weight: FloatArray, texel_mm: FloatArray, largest_mm: float) -> ScaleLadder:
        """Blur ``picture`` (n, n), reading only where ``weight`` (n, n) is not 0, up to a sigma of ``largest_mm``."""
        n = len(picture)
        largest = largest_mm / float(texel_mm.min())
        count = max(1, int(np.ceil(np.log2(max(largest / _FINEST_SIGMA, 1.0)))))
        levels = [picture]
        pair = np.dstack([picture * weight, weight])  # blurred together, divided at the end
        sigma, reduction = _FINEST_SIGMA, 1
        for _ in range(count):
            # from sigma to 2 sigma: the variances add
            pair = blurred(pair, sigma * np.sqrt(3.0) / reduction)
            sigma *= 2.0
            levels.append(enlarged(_quotient(pair), n))
            if sigma / reduction >= 4.0 and len(pair) >= 64:
                reduction *= 2
                pair = reduced(pair, n // reduction)
        return cls(tuple(levels), texel_mm)

    def at(self, sigma_mm: float) -> FloatArray:
        """The picture blurred with ``sigma_mm``: (n, n) float32."""
        position = np.log2(np.float32(sigma_mm / _FINEST_SIGMA) / self.texel_mm)
        position = np.clip(position, 0.0, len(self.levels) - 1.0)
        result = np.zeros_like(self.texel_mm)
        for j in range(int(position.min()), int(np.ceil(position.max())) + 1):
            share = np.maximum(0.0, 1.0 - np.abs(position - np.float32(j)))
            result += share * self.levels[j]
        return result


def _quotient(pair: FloatArray) -> FloatArray:
    """Weighted values over weights: (n, n, 2) -> (n, n)."""
    return np.asarray(pair[..., 0] / np.maximum(pair[..., 1], 1e-6), np.float32)


def wide_mean(picture: FloatArray, weight: FloatArray, texel_mm: FloatArray, sigma_mm: float) -> FloatArray:
    """Weighted Gaussian mean (n, n) for a sigma of several texels, computed at a quarter of the size."""
    n = len(picture)
    small = max(1, n // _WIDE_REDUCTION)
    pair = reduced(np.dstack([picture * weight, weight]), small)
    weights = np.ascontiguousarray(pair[..., 1])
    small_mm = reduced(texel_mm, small) * np.float32(n / small)
    return enlarged(ScaleLadder.build(_quotient(pair), weights, small_mm, sigma_mm).at(sigma_mm), n)
