"""The contract of all detail predictors: a frozen request in, frozen maps out, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray, frozen

STATIC = -1
"""Key index of the map for the photo's own expression, as seen; the keys' maps may start from less of its folds."""


@dataclass(frozen=True, slots=True, eq=False)
class DetailRequest:
    """All that a predictor may look at, in the UV window, n x n pixels."""

    texture: ByteArray
    """(n, n, 3) uint8 RGB, row 0 at the window's upper edge."""
    visibility: FloatArray
    """(n, n) float32 in [0, 1]."""
    skin: BoolArray
    """(n, n) bool: inside the skin chart."""
    deformation_mm: FloatArray
    """(K, m, m, 3) float32 mm: key expression minus neutral, over the window; m divides n."""
    position_mm: FloatArray
    """(m, m, 3) float32 mm: the person's neutral surface over the window."""
    keys: tuple[int, ...]
    """Which maps are wanted, in this order: STATIC or a key index."""
    worn_mm: FloatArray | None = None
    """(m, m, 3) float32 mm: the expression in the photo minus neutral; None if the photo's face is at rest."""
    photo_px_per_mm: float | None = None
    """Of skin that faces the camera: what a coarse photo cannot show, a predictor need not look for. None if not known."""

    def __post_init__(self) -> None:
        n = self.texture.shape[0]
        frozen("texture", self.texture, (n, n, 3), np.uint8)
        frozen("visibility", self.visibility, (n, n))
        frozen("skin", self.skin, (n, n), np.bool_)
        m = frozen("deformation_mm", self.deformation_mm, (None, None, None, 3)).shape[1]
        frozen("position_mm", self.position_mm, (m, m, 3))
        if self.worn_mm is not None:
            frozen("worn_mm", self.worn_mm, (m, m, 3))


@dataclass(frozen=True, slots=True, eq=False)
class DetailResult:
    """One predicted map."""

    key: int
    map_mm: FloatArray
    """(n, n) float32, signed mm along the normal."""
    confidence: FloatArray
    """(n, n) float32 in [0, 1]: 1 = read from seen skin, 0 = invented."""

    def __post_init__(self) -> None:
        n = frozen("map_mm", self.map_mm, (None, None)).shape[0]
        frozen("confidence", self.confidence, (n, n))


class DetailPredictor(Protocol):
    """Turns a request into maps, one after the other, so that the caller can stop between them."""

    name: str
    """What made the detail, for reports: 'photometric', 'network'."""

    def predict(self, request: DetailRequest) -> Iterator[DetailResult]:
        """Yield one result per key of the request, in its order."""
        ...

    def steps(self, request: DetailRequest) -> Iterator[DetailResult | float]:
        """The same; between the results the share of the next one that is done, where it takes long."""
        ...
