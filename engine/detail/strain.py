"""How an expression stretches and compresses the skin: surface strain over the UV window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import BoolArray, FloatArray, check
from engine.detail.surface import differences, eroded, skin_at
from engine.fields import blurred

_SMOOTHING_MM = 2.0  # the mesh is flat between its edges: strain is meaningful over a few triangles only


@dataclass(frozen=True, slots=True, eq=False)
class Strain:
    """Principal strains of one deformation; m x m."""

    compression: FloatArray
    """(m, m) float32 >= 0: shortening in the direction of the strongest compression, 0.1 = 10 % (Green strain)."""
    stretch: FloatArray
    """(m, m) float32 >= 0: lengthening in the direction of the strongest stretch."""
    difference: FloatArray
    """(m, m) float32 >= 0: between the two principal strains; 0 where the skin shrinks or grows alike all around."""
    direction: FloatArray
    """(m, m, 2) float32: unit vector of the strongest compression in the surface's own axes (see ``SurfaceGrid``)."""


class SurfaceGrid:
    """The neutral surface with its tangent axes: the first along u, the second perpendicular to it, on v's side."""

    def __init__(self, position_mm: FloatArray, skin: BoolArray, border: int = 1) -> None:
        """position_mm: (m, m, 3) float32 mm; skin: (n, n) bool, m divides n; border: texels not to trust."""
        m = check("position_mm", position_mm, (None, None, 3)).shape[0]
        self._position_mm = position_mm
        inside = eroded(skin_at(skin, m), border)
        du, dv = differences(position_mm)
        length_u = np.sqrt((du**2).sum(-1))
        along = (du * dv).sum(-1) / np.maximum(length_u, 1e-9)
        length_v = np.sqrt(np.maximum((dv**2).sum(-1) - along**2, 0.0))
        usable = inside & (length_u > 1e-6) & (length_v > 1e-6)
        self.jacobian = np.stack([length_u, along, length_v], -1).astype(np.float32)
        """(m, m, 3) float32 mm: a texel to the right is (j0, 0) in the axes, a texel up is (j1, j2)."""
        self.jacobian[~usable] = (1.0, 0.0, 1.0)
        self.weight = usable.astype(np.float32)
        """(m, m) float32: 1 where the surface is known."""
        self.texel_mm = float(np.median(length_v[usable])) if usable.any() else 1.0
        """Typical height of a texel of the grid."""
        self._sigma = max(0.6, _SMOOTHING_MM / self.texel_mm)

    def strain(self, deformation_mm: FloatArray) -> Strain:
        """Strain of a deformation (m, m, 3) float32 mm.

        Source:
            Green strain of a surface from its first fundamental forms, E = (g' - g) / 2, in orthonormal axes.
        """
        du, dv = differences(self._position_mm)
        change_u, change_v = differences(deformation_mm)
        # g' - g, written out so that zero deformation gives exactly zero
        uu = ((2.0 * du + change_u) * change_u).sum(-1)
        vv = ((2.0 * dv + change_v) * change_v).sum(-1)
        uv = (du * change_v + dv * change_u + change_u * change_v).sum(-1)
        a, b, d = (self.jacobian[..., i] for i in range(3))
        e11 = uu / (a * a)
        e12 = (uv - b * uu / a) / (a * d)
        e22 = (vv - 2.0 * b * uv / a + (b / a) ** 2 * uu) / (d * d)
        e11, e12, e22 = (self._smoothed(0.5 * e) for e in (e11, e12, e22))
        middle, half_difference = 0.5 * (e11 + e22), 0.5 * (e11 - e22)
        radius = np.sqrt(half_difference**2 + e12**2)
        angle = 0.5 * np.arctan2(-e12, -half_difference)
        return Strain(
            compression=np.maximum(radius - middle, 0.0),
            stretch=np.maximum(radius + middle, 0.0),
            difference=2.0 * radius,
            direction=np.stack([np.cos(angle), np.sin(angle)], -1),
        )

    def _smoothed(self, field: FloatArray) -> FloatArray:
        total = np.maximum(blurred(self.weight, self._sigma), 0.05)
        return np.asarray(blurred(field * self.weight, self._sigma) / total, np.float32)

    def frequency(self, direction: FloatArray, wavelength_mm: FloatArray) -> FloatArray:
        """Waves along ``direction`` (m, m, 2) as picture frequencies (m, m, 2): cycles per texel right and down."""
        k0, k1 = direction[..., 0] / wavelength_mm, direction[..., 1] / wavelength_mm
        right = self.jacobian[..., 0] * k0
        up = self.jacobian[..., 1] * k0 + self.jacobian[..., 2] * k1
        return np.stack([right, -up], -1)
