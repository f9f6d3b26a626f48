"""Noise with a size in millimetres: smooth, along a direction field, and sums of fine curves."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from engine.arrays import FloatArray
from engine.fields import blurred, enlarged

_ORIENTATIONS = 6


def smooth_noise(rng: np.random.Generator, size: int, sigma: float) -> FloatArray:
    """Gaussian noise (size, size) of standard deviation 1, blurred with ``sigma`` texels."""
    step = 1
    while sigma / step > 3.0 and size // (2 * step) >= 8:
        step *= 2
    pad = int(np.ceil(3.0 * sigma / step)) + 1
    small = -(-size // step)
    field = blurred(rng.standard_normal((small + 2 * pad, small + 2 * pad), dtype=np.float32), max(sigma / step, 0.3))
    field = field[pad : pad + small, pad : pad + small]
    # the spread of white noise after the blur, so that a patch smaller than a wave keeps its place in it
    expected = min(1.0, 1.0 / (2.0 * np.sqrt(np.pi) * max(sigma / step, 0.3)))
    return np.asarray(enlarged(field / np.float32(expected), size), np.float32)


def directed_noise(rng: np.random.Generator, along: FloatArray, wavelength: float) -> FloatArray:
    """Lines of ``wavelength`` texels that run along ``along`` (s, s), rad, x right and y down; spread 1.

    Source:
        Steered filter bank on noise, as in Gabor noise (Lagae et al., SIGGRAPH 2009).
    """
    from scipy import fft

    size = len(along)
    logarithm, headings = _filters(size)
    spectrum = fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    spectrum *= np.exp(-0.5 * ((logarithm + np.float32(np.log(wavelength))) / np.float32(0.35)) ** 2)
    turn = ((along + np.pi / 2) % np.pi) * (_ORIENTATIONS / np.pi)
    result = np.zeros((size, size), np.float32)
    for o in range(_ORIENTATIONS):
        layer = fft.irfft2(spectrum * headings[o], s=(size, size))
        distance = np.abs(turn - o)
        share = np.maximum(0.0, 1.0 - np.minimum(distance, _ORIENTATIONS - distance))
        result += share.astype(np.float32) * layer.astype(np.float32) / np.float32(layer.std() + 1e-9)
    return result


@functools.lru_cache(maxsize=4)
def _filters(size: int) -> tuple[FloatArray, FloatArray]:
    """Logarithm of the frequency per texel (size, h), and the share of each orientation in it (orientations, size, h)."""
    from scipy import fft

    fx, fy = fft.rfftfreq(size).astype(np.float32)[None], fft.fftfreq(size).astype(np.float32)[:, None]
    heading = np.arctan2(fy, fx)
    apart = [np.angle(np.exp(2j * (heading - o * np.pi / _ORIENTATIONS))) / 2 for o in range(_ORIENTATIONS)]
    shares = np.exp(-0.5 * (np.stack(apart) / 0.22) ** 2)
    return np.log(np.maximum(np.hypot(fx, fy), 1e-6)).astype(np.float32), shares.astype(np.float32)


def splat(
    rows: npt.NDArray[np.floating], columns: npt.NDArray[np.floating], amounts: npt.NDArray[np.floating], size: int
) -> FloatArray:
    """Points of any position added to a (size, size) picture, shared between the four texels around each."""
    r0, c0 = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    fr, fc = rows - r0, columns - c0
    picture = np.zeros(size * size)
    for dr, wr in ((0, 1.0 - fr), (1, fr)):
        for dc, wc in ((0, 1.0 - fc), (1, fc)):
            r, c = r0 + dr, c0 + dc
            inside = (r >= 0) & (r < size) & (c >= 0) & (c < size)
            picture += np.bincount((r * size + c)[inside], (amounts * wr * wc)[inside], minlength=size * size)
    return picture.reshape(size, size).astype(np.float32)


def traced(
    rng: np.random.Generator, along: FloatArray, seeds: FloatArray, lengths: FloatArray, wander: float = 0.02
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Curves that follow a direction field both ways from their seeds, one point per texel of length.

    Args:
        rng: of the curves' own bends.
        along: (s, s) float32 rad, x right and y down; the sign of the direction is free.
        seeds: (N, 2) row and column.
        lengths: (N,) texels.
        wander: rad per texel by which curves leave the field.

    Returns:
        rows (N, L), columns (N, L), place along the curve (N, L) in [0, 1], beyond that where a curve has ended.
    """
    size, N = len(along), len(seeds)
    half = int(np.ceil(lengths.max() / 2)) if N else 0
    bends = np.cumsum(rng.standard_normal((N, 2 * half + 1)), 1) * wander
    rows = np.zeros((N, 2 * half + 1), np.float32)
    columns = np.zeros_like(rows)
    field = np.ascontiguousarray(along).ravel()
    ways = np.repeat(np.array([1.0, -1.0], np.float32), N)  # both ways at once
    r, c = np.tile(seeds[:, 0], 2), np.tile(seeds[:, 1], 2)
    down, right = np.zeros_like(ways), np.zeros_like(ways)
    for i in range(half + 1):
        for way, at in ((slice(0, N), half + i), (slice(N, None), half - i)):
            rows[:, at], columns[:, at] = r[way], c[way]
        bend = np.concatenate([bends[:, half + i], bends[:, half - i]])
        texel = np.minimum(np.maximum(r, 0), size - 1).astype(int) * size
        texel += np.minimum(np.maximum(c, 0), size - 1).astype(int)
        angle = (field[texel] + bend).astype(np.float32)
        new_down, new_right = np.sin(angle), np.cos(angle)
        onwards = np.copysign(np.float32(1.0), new_down * down + new_right * right) if i else ways
        down, right = new_down * onwards, new_right * onwards
        r, c = r + down, c + right
    place = (np.arange(2 * half + 1) - half)[None] / np.maximum(lengths, 1.0)[:, None] + 0.5
    return rows, columns, place.astype(np.float32)


def scattered(rng: np.random.Generator, density: FloatArray) -> FloatArray:
    """Random points (N, 2), row and column, with ``density`` (s, s) expected points per texel."""
    size = len(density)
    hit = np.argwhere(rng.random((size, size), dtype=np.float32) < density)
    return (hit + rng.random(hit.shape)).astype(np.float32)
