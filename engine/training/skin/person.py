"""One invented person: all that is random about skin, photo and light besides the noise itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Person:
    """Parameters of skin; shares are in [0, 1]."""

    age: float
    """0 young, 1 old: static wrinkles, roughness, onset and depth of folds."""
    size: float
    """Factor on all lengths: the fit's millimetres are a guess."""
    pores_mm: float
    """Depth of an ordinary pore."""
    pore_density: float
    lines_mm: float
    """Depth of the net of fine lines."""
    roughness_mm: float
    creases: float
    """Factor on the number of static creases."""
    crease_depth: float
    fold_mm: float
    """Depth that new folds approach under strong compression."""
    onset: float
    """Compression that the skin takes without folding."""
    habits: tuple[float, ...]
    """How often each of ``heads.HABITS`` was worn."""
    melanin: float
    redness: float
    blotches: float
    freckles: float
    moles: float
    beard: float
    """0 none, up to 0.4 shaved, above that stubble."""
    brows: float
    makeup: float
    oil: float


def invent_person(rng: np.random.Generator) -> Person:
    """Draw a person."""
    age = float(rng.beta(1.1, 1.1))
    return Person(
        age=age,
        size=float(np.exp(rng.normal(0.0, 0.12))),
        pores_mm=float(rng.uniform(0.012, 0.07)),
        pore_density=float(rng.uniform(0.15, 0.8)),
        lines_mm=float(rng.uniform(0.003, 0.013) * (0.7 + 0.9 * age)),
        roughness_mm=float(rng.uniform(0.002, 0.014) * (0.5 + age)),
        creases=float((0.1 + 1.1 * age) * np.exp(rng.normal(0.0, 0.5))),
        crease_depth=float((0.3 + 0.6 * age) * np.exp(rng.normal(0.0, 0.3))),
        fold_mm=float((0.06 + 0.36 * age) * np.exp(rng.normal(0.0, 0.12))),
        onset=float(0.045 - 0.03 * age),
        habits=tuple(float(x) for x in rng.uniform(0.2, 1.0, 8)),
        melanin=float(rng.beta(1.3, 1.8)),
        redness=float(rng.uniform(0.0, 1.0)),
        blotches=float(rng.uniform(0.2, 1.0)),
        freckles=float(max(0.0, rng.uniform(-1.0, 1.0))),
        moles=float(rng.uniform(0.0, 1.0)),
        beard=float(max(0.0, rng.uniform(-1.0, 1.0))),
        brows=float(rng.uniform(0.2, 1.0)),
        makeup=float(max(0.0, rng.uniform(-1.5, 1.0))),
        oil=float(rng.beta(1.2, 2.0)),
    )
