"""Invented heads with known geometry, outside the span of the model's modes.

A head is the pack's mean face moved by fields of its own: published measures as local pushes (depth among them), smooth
random fields, a little asymmetry, then an expression. ``studio`` takes its picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine import expressions
from engine.arrays import DoubleArray, FloatArray

_Field = Callable[[DoubleArray], DoubleArray]
"""Displacements (n, 3) mm at positions (n, 3)."""

_COMMON_SEED = 77  # of the field that every head shares: the model's mean is never the population's

# One SD of a local push: points of the person's right side (both are pushed), x to the person's right side outwards, y up,
# z forwards (mm), and reach (mm). Sizes after the published SDs in engine.training.anthropometry.
_PUSHES = (
    ((4,), (0, 0, 1.8), 14),
    ((6, 197), (0, 0, 1.1), 12),
    ((4, 2), (0, 2.0, 0), 16),
    ((129,), (1.4, 0, 0), 9),
    ((199,), (0, 0, 2.5), 20),
    ((152,), (0, 3.5, 0), 26),
    ((172, 58), (2.5, 0, 0), 28),
    ((50,), (0, 0, 2.2), 20),
    ((205,), (0.8, 0, 1.6), 18),
    ((105,), (0, 0, 1.5), 18),
    ((9,), (0, 0, 1.2), 14),
    ((159,), (0, 0, 1.5), 13),
    ((159,), (1.3, 0, 0), 14),
    ((61,), (1.6, 0, 0), 12),
    ((0, 17), (0, 0, 1.1), 10),
    ((0,), (0, 1.2, 0), 12),
    ((10,), (0, 0, 4.0), 40),
    ((21,), (2.5, 0, 0), 26),
)
_PLAIN_SCALES = (0.035, 0.035, 0.05)  # SD of width, height, depth
_SMOOTH = ((45.0, 1.1), (20.0, 0.45))  # reach and SD of the symmetric random fields, mm
_UNEVEN = (40.0, 0.5)
_COMMON = (40.0, 1.0)

# Groups of shapes that people make together, with their largest weights.
_FACES = (
    {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6},
    {"jawOpen": 0.6},
    {"browInnerUp": 0.9, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8, "eyeWideLeft": 0.5, "eyeWideRight": 0.5},
    {"browDownLeft": 0.9, "browDownRight": 0.9, "eyeSquintLeft": 0.5, "eyeSquintRight": 0.5},
    {"mouthPucker": 0.7, "mouthFunnel": 0.4},
    {"mouthFrownLeft": 0.7, "mouthFrownRight": 0.7, "mouthShrugLower": 0.4},
    {"noseSneerLeft": 0.7, "noseSneerRight": 0.7, "mouthUpperUpLeft": 0.5, "mouthUpperUpRight": 0.5},
)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One invented head."""

    vertices: FloatArray
    """(V, 3) mm, in its expression, unposed."""
    weights: FloatArray
    """(51,) of its expression."""
    seed: int


def _waves(rng: np.random.Generator, reach_mm: float, sd_mm: float) -> _Field:
    """A smooth random field: a function of positions (n, 3)."""
    waves = rng.normal(0, 1 / reach_mm, (40, 3))
    phases = rng.uniform(0, 2 * np.pi, 40)
    amounts = rng.normal(0, sd_mm, (40, 3)) * np.sqrt(2 / 40)
    return lambda at: np.asarray(np.cos(at @ waves.T + phases) @ amounts)


def _even(field: _Field) -> _Field:
    flip = np.array([-1.0, 1, 1])
    return lambda at: np.asarray((field(at) + field(at * flip) * flip) / np.sqrt(2))


def _push(mean: DoubleArray, points: tuple[int, ...], move: DoubleArray, reach: float) -> _Field:
    right = mean[list(points)]
    left = right * (-1, 1, 1)
    moves = [move * (-1, 1, 1), move]
    if np.abs(right[:, 0]).max() < 1e-3:
        left, right, moves = right[:0], right, [move, np.zeros(3)]

    def field(at: DoubleArray) -> DoubleArray:
        total = np.zeros_like(at)
        for group, each in zip((right, left), moves, strict=True):
            if len(group):
                near = np.exp(-((at[:, None] - group) ** 2).sum(2) / (2 * reach**2)).max(1)
                total += near[:, None] * each
        return total

    return field


def random_weights(rng: np.random.Generator) -> FloatArray:
    """(51,): one or two of the groups, up to strong."""
    weights = np.zeros(len(expressions.SHAPES), np.float32)
    for k in rng.permutation(len(_FACES))[: rng.integers(1, 3)]:
        strength = rng.uniform(0.4, 1.0)
        for name, most in _FACES[k].items():
            weights[expressions.SHAPE_INDEX[name]] = most * strength * rng.uniform(0.8, 1.0)
    return weights


def invented_head(neutral: FloatArray, deltas: FloatArray, seed: int, *, moving: bool) -> Head:
    """The head of one seed on a mean face (V, 3) with its shapes (51, V, 3)."""
    rng = np.random.default_rng(seed)
    mean = neutral.astype(np.float64)
    fields: list[_Field] = [_even(_waves(np.random.default_rng(_COMMON_SEED), *_COMMON))]
    for points, move, reach in _PUSHES:
        amount = float(np.clip(rng.normal(), -2.2, 2.2))
        fields.append(_push(mean, points, np.array(move, float) * amount, reach))
    fields += [_even(_waves(rng, *each)) for each in _SMOOTH]
    fields.append(_waves(rng, *_UNEVEN))
    scales = 1 + rng.normal(size=3) * _PLAIN_SCALES
    moved = mean * scales + np.sum([field(mean) for field in fields], 0)
    weights = random_weights(rng) if moving else np.zeros(len(deltas), np.float32)
    own = _waves(rng, 30.0, 0.12)  # nobody smiles exactly as the model does
    motion = np.tensordot(weights, deltas, 1)
    return Head((moved + motion * (1 + own(mean))).astype(np.float32), weights, seed)
