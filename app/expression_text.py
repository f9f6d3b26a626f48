"""Expressions as text, for the clipboard: JSON with ARKit's names, as other programs write them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from engine.arrays import FloatArray
from engine.expressions import SHAPE_INDEX, SHAPE_NAMES

_DIGITS = 4


def text_of(weights: FloatArray) -> str:
    """Weights (51,) as a JSON object of those that are not zero."""
    told = {name: round(float(weight), _DIGITS) for name, weight in zip(SHAPE_NAMES, weights, strict=True)}
    return json.dumps({name: weight for name, weight in told.items() if weight != 0.0}, indent=1)


def weights_in(text: str) -> FloatArray | None:
    """Weights (51,) float32 in [0, 1] of a JSON object by name, or of the JSON that an export writes; None for other text.

    Shapes that are not named rest; names that are none of the 51, such as tongueOut, are passed over.
    """
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    if isinstance(found, dict) and isinstance(found.get("expression"), dict):
        found = found["expression"]
    if not isinstance(found, dict) or (found and SHAPE_INDEX.keys().isdisjoint(found)):
        return None
    weights = np.zeros(len(SHAPE_NAMES), np.float32)
    for name in SHAPE_INDEX.keys() & found.keys():
        value = found[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        weights[SHAPE_INDEX[name]] = min(max(value, 0.0), 1.0)
    return weights
