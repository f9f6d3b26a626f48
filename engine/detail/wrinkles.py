"""Wrinkles that an expression makes: compressed skin folds across the direction of compression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.arrays import BoolArray, FloatArray
from engine.detail.strain import Strain, SurfaceGrid
from engine.detail.surface import mm_per_texel, skin_at
from engine.detail.zones import Openings
from engine.fields import blurred, distance_inside, enlarged, smoothstep

_ONSET = 0.025  # compression that skin takes without folding
_SATURATION = 0.09  # compression over which the folds approach their full depth
_DEEPEST_MM = 0.55  # valley of the widest folds, from the surface around them to the bottom
DEEPENED = 0.5
"""How much deeper full compression makes the lines that are there already, as a share of their depth."""
_WORN_SIGMA_MM = 0.35  # finer relief than this is no fold
_STRETCH_ONSET, _STRETCH_SATURATION = 0.03, 0.12
_SMOOTHED = 0.4  # share of the static relief that full stretch removes
_GUIDED = (0.005, 0.025)  # compression over which the guide of a learned predictor sets in
_MOVED_MM = (0.1, 0.5)  # skin that moves less than this stays as it is
_UNIAXIAL = (0.15, 0.6)  # difference of the principal strains over the compression: below, no direction is preferred

_TAUT = (0.3, 0.6)  # stretch under which skin does not fold, whatever happens across it
_STEADY_MM, _STEADY = 2.0, (0.55, 0.9)  # surroundings of a fold, and how alike their directions must be

_WAVELENGTH_MM = (3.2, 6.4)  # between folds: thin skin beside eyes and lips, thick skin far from them
_THICK_SKIN_MM = (6.0, 32.0)  # distance from eyes and mouth over which the wavelength grows

# Skin on the ring muscle of the lips folds across the muscle's fibres alone, that is away from the lips: above and below
# them, what shortens towards the lips, as in a smile, gets thicker and curls the lips instead.
_RING_MUSCLE_MM, _ALONG_FIBRES = (8.0, 16.0), (0.35, 0.75)

_LIP_SKIN_MM = (4.0, 12.0)  # distances from the mouth and from the eyes where thin skin gives way to fat
_EYE_SKIN_MM = (12.0, 25.0)
_BULGING = 0.7  # share of the folds that fat prevents
_FOLD_GRID = 2  # folds are laid out on a grid of at least the map's size over this

_ORIENTATIONS = 12
_LEVELS_PER_OCTAVE = 2
_RADIAL_SPREAD = 0.20  # standard deviation of the log frequency: how even the spacing is
_ANGULAR_SPREAD = 0.13  # rad: how straight and long the lines are
_SHARPNESS = 2.0  # exponent of the profile: sharp valleys, round ridges
_MEAN_PROFILE = 0.375  # mean of ((1 - cos) / 2) ** 2 over a period


@dataclass(frozen=True, slots=True, eq=False)
class WrinkleResponse:
    """What one key expression does to the relief."""

    relief_mm: FloatArray
    """(n, n) float32 mm: new folds, 0 where the skin is not compressed."""
    static_gain: FloatArray
    """(n, n) float32 in [0.6, 1.5]: factor on the static relief, 1 where nothing happens."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldGuide:
    """Where one key expression would fold the skin, on the grid of g x g texels; how deep is left open."""

    strain: Strain
    profile: FloatArray
    """(g, g) float32: cross section of the folds, about -0.6 .. 0.4, 0 where nothing would fold."""
    moved: FloatArray
    """(g, g) float32 in [0, 1]: 0 where the skin stays as it is."""
    wavelength_mm: FloatArray
    proneness: FloatArray


class WrinkleField:
    """The wrinkle pattern of one person's skin; each key expression uncovers the part that it compresses."""

    def __init__(self, position_mm: FloatArray, skin: BoolArray, seed: int = 0) -> None:
        """position_mm: (m, m, 3) float32 mm, the neutral surface; skin: (n, n) bool, m divides n."""
        self._n, self._seed = len(skin), seed
        m = len(position_mm)
        self._m = max(m, self._n // _FOLD_GRID)  # folds need a finer grid than the deformation that causes them
        position_mm = enlarged(position_mm, self._m)
        self._grid = SurfaceGrid(position_mm, skin, border=-(-self._m // m))
        kind = _skin_kind(skin, position_mm)
        self._wavelength_mm, self._proneness, self._ring = kind.wavelength_mm, kind.proneness, kind.ring

    def respond(self, deformation_mm: FloatArray) -> WrinkleResponse:
        """Folds for a deformation (m, m, 3) float32 mm, key expression minus neutral."""
        deformation_mm = enlarged(deformation_mm, self._m)
        strain = self._grid.strain(deformation_mm)
        moved = _moved(self._grid, deformation_mm)
        folded = moved * _approach(strain.compression, _ONSET, _SATURATION)
        stretched = moved * _approach(strain.stretch, _STRETCH_ONSET, _STRETCH_SATURATION)
        gain = 1.0 + DEEPENED * folded - _SMOOTHED * stretched * (1.0 - folded)
        folds = folded * self._proneness * self._across_fibres(strain)
        return WrinkleResponse(self._relief(strain, folds), enlarged(gain, self._n))

    def at_rest(self, seen_mm: FloatArray, worn_mm: FloatArray | None, deepened: float = DEEPENED) -> FloatArray:
        """Relief (n, n) mm of the face at rest, from what a photo shows of it in an expression.

        Args:
            seen_mm: (n, n) float32 mm.
            worn_mm: (m, m, 3) float32 mm, the photo's expression minus neutral; None for a face at rest.
            deepened: by how much full compression deepens folds, as a share of their depth at rest.

        Source:
            The inverse of the folds' deepening: what compression deepened by 1 + g was 1 / (1 + g) as deep before. Pores stay
            as they are.
        """
        if worn_mm is None or not worn_mm.any():
            return seen_mm
        worn_mm = enlarged(worn_mm, self._m)
        folded = folded_share(self._grid, worn_mm)
        added = np.asarray(deepened * folded / (1.0 + deepened * folded), np.float32)
        sigma = _WORN_SIGMA_MM / self._grid.texel_mm * self._n / self._m
        return seen_mm - enlarged(added, self._n) * blurred(seen_mm, max(sigma, 0.5))

    def guide(self, deformation_mm: FloatArray) -> FoldGuide:
        """Place and direction of the folds for a deformation (m, m, 3) float32 mm, as if they were all equally deep."""
        deformation_mm = enlarged(deformation_mm, self._m)
        strain = self._grid.strain(deformation_mm)
        moved = _moved(self._grid, deformation_mm)
        present = smoothstep(strain.compression, *_GUIDED) * moved
        strength, cosine = self._waves(strain, present > 0)
        allowed = present * self._steady(strain) * self._across_fibres(strain)
        profile = np.minimum(1.25 * strength, 1.0) * allowed * _profile(cosine)
        return FoldGuide(strain, np.asarray(profile, np.float32), moved, self._wavelength_mm, self._proneness)

    def _across_fibres(self, strain: Strain) -> FloatArray:
        """(m, m) in [0, 1]: 0 above and below the lips where folds would run along them.

        Source:
            Wrinkles stand across the fibres of the muscle below: Kraissl (1951); around the mouth, therefore, as rays.
        """
        upright = smoothstep(strain.direction[..., 1] ** 2, *_ALONG_FIBRES)
        return np.asarray(1.0 - self._ring * upright, np.float32)

    def _steady(self, strain: Strain) -> FloatArray:
        """(m, m) in [0, 1]: 0 where the direction of compression flips, so that lines across it would break into lumps.

        The same on taut skin, as on a closing lid, which narrows because it is drawn out.

        Source:
            Coherence of doubled angles, as of the structure tensor (Weickert 1998).
        """
        x, y = np.moveaxis(strain.direction, -1, 0)
        weight = strain.compression + np.float32(1e-6)
        doubled = np.dstack([(x * x - y * y) * weight, 2.0 * x * y * weight, weight])
        around = blurred(doubled, max(_STEADY_MM / self._grid.texel_mm, 0.5))
        length = np.hypot(around[..., 0], around[..., 1])
        alike = smoothstep(np.asarray(length / around[..., 2], np.float32), *_STEADY)
        return np.asarray(alike * (1.0 - smoothstep(strain.stretch, *_TAUT)), np.float32)

    def _waves(self, strain: Strain, wanted: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Strength (m, m) and cosine of the phase (m, m) of the folds where ``wanted`` (m, m)."""
        active = np.flatnonzero(wanted)
        wave: FloatArray = np.zeros((self._m * self._m, 2), np.float32)
        if len(active):
            frequency = self._grid.frequency(strain.direction, self._wavelength_mm).reshape(-1, 2)[active]
            wave[active] = _carrier(frequency, active, self._m, self._seed)
        real, imaginary = np.moveaxis(wave.reshape(self._m, self._m, 2), -1, 0)
        strength = np.sqrt(real**2 + imaginary**2)
        return strength, real / np.maximum(strength, 1e-6)

    def _relief(self, strain: Strain, folded: FloatArray) -> FloatArray:
        """Folds (n, n) mm where ``folded`` (m, m) in [0, 1] is above 0."""
        import cv2

        uniaxial = smoothstep(np.asarray(strain.difference / np.maximum(strain.compression, 1e-6)), *_UNIAXIAL)
        depth = _DEEPEST_MM * folded * uniaxial * self._wavelength_mm / _WAVELENGTH_MM[1]
        if not (depth > 1e-4).any():
            return np.zeros((self._n, self._n), np.float32)
        strength, cosine = self._waves(strain, depth > 1e-4)
        phase = np.asarray(cv2.resize(cosine, (self._n, self._n), interpolation=cv2.INTER_CUBIC), np.float32)
        broken = enlarged(np.minimum(1.25 * strength, 1.0) * depth, self._n)  # lines end where the noise has no energy
        return np.asarray(np.maximum(broken, 0.0) * _profile(np.clip(phase, -1.0, 1.0)), np.float32)


def _profile(cosine: FloatArray) -> FloatArray:
    """Cross section of a fold over its phase: sharp valleys, round ridges, zero mean."""
    return np.asarray(np.float32(_MEAN_PROFILE) - ((1.0 - cosine) * np.float32(0.5)) ** _SHARPNESS, np.float32)


def folded_share(grid: SurfaceGrid, deformation_mm: FloatArray) -> FloatArray:
    """How far a deformation (m, m, 3) mm folds the skin: (m, m) in [0, 1]."""
    return _moved(grid, deformation_mm) * _approach(grid.strain(deformation_mm).compression, _ONSET, _SATURATION)


def _moved(grid: SurfaceGrid, deformation_mm: FloatArray) -> FloatArray:
    """0 where the skin stays as it is: (m, m) in [0, 1]."""
    return np.asarray(smoothstep(np.sqrt((deformation_mm**2).sum(-1)), *_MOVED_MM) * grid.weight, np.float32)


def _approach(value: FloatArray, onset: float, scale: float) -> FloatArray:
    """0 up to the onset, then towards 1."""
    return np.asarray(1.0 - np.exp(-np.maximum(value - onset, 0.0) / scale), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _SkinKind:
    """(m, m) float32 each."""

    wavelength_mm: FloatArray
    """Distance between neighbouring folds."""
    proneness: FloatArray
    """How readily the skin folds, in [0, 1]."""
    ring: FloatArray
    """1 above and below the lips, on their ring muscle."""


def _skin_kind(skin: BoolArray, position_mm: FloatArray) -> _SkinKind:
    m = len(position_mm)
    small = skin_at(skin, m)
    openings = Openings.of(small)
    thin, thick = _WAVELENGTH_MM
    if openings.mouth is None:
        return _SkinKind(np.full((m, m), thick, np.float32), np.ones((m, m), np.float32), np.zeros((m, m), np.float32))
    texel_mm = mm_per_texel(position_mm, small)

    def distance_mm(hole: BoolArray) -> FloatArray:
        return distance_inside((~hole).astype(np.uint8)) * texel_mm

    from_mouth = distance_mm(openings.mouth)
    from_eyes = distance_mm(np.logical_or.reduce(openings.eyes)) if openings.eyes else np.full_like(from_mouth, np.inf)
    wavelength = thin + (thick - thin) * smoothstep(np.minimum(from_mouth, from_eyes), *_THICK_SKIN_MM)
    # Fat under cheeks and jaw lets them bulge where the forehead folds; thin skin at lips and eyes folds again.
    fat = smoothstep(from_mouth, *_LIP_SKIN_MM) * smoothstep(from_eyes, *_EYE_SKIN_MM) * _lower_face(openings, m)
    down, right = np.gradient(blurred(from_mouth, 2.0))
    upright = down**2 / np.maximum(
        down**2 + right**2, 1e-12
    )  # beside the corners of the mouth, skin folds as elsewhere
    ring = upright * (1.0 - smoothstep(from_mouth, *_RING_MUSCLE_MM))
    return _SkinKind(wavelength, np.asarray(1.0 - _BULGING * fat, np.float32), np.asarray(ring, np.float32))


def _lower_face(openings: Openings, m: int) -> FloatArray:
    """(m, 1) float32: 0 down to the eyes, 1 from half-way between them and the mouth."""
    if openings.mouth is None or not openings.eyes:
        return np.ones((m, 1), np.float32)
    eyes = max(float(np.flatnonzero(eye.any(1))[-1]) for eye in openings.eyes)
    mouth = float(np.flatnonzero(openings.mouth.any(1))[0])
    rows = np.arange(m, dtype=np.float32)[:, None]
    return smoothstep(rows, eyes, max(0.5 * (eyes + mouth), eyes + 1.0))


def _carrier(frequency: FloatArray, texels: np.ndarray, m: int, seed: int) -> FloatArray:
    """Oriented noise whose direction and wavelength follow ``frequency``.

    Args:
        frequency: (a, 2) float32 cycles per texel, right and down.
        texels: (a,) flat indices into the m x m picture.
        m: side of the picture.
        seed: of the noise.

    Returns:
        (a, 2) float32: real and imaginary part, mean square about 1; the sign of the imaginary part is free.

    Source:
        Steered filter bank on noise, as in Gabor noise (Lagae et al., SIGGRAPH 2009); neighbouring filters see the
        same noise, so that blending them bends the lines instead of breaking them.
    """
    angle = np.arctan2(frequency[:, 1], frequency[:, 0])
    turn = (angle % np.pi) * (_ORIENTATIONS / np.pi)
    level = -np.log2(np.maximum(np.hypot(frequency[:, 0], frequency[:, 1]), 1e-4)) * _LEVELS_PER_OCTAVE
    level = np.clip(level, 2.0 * _LEVELS_PER_OCTAVE / 2, 6.0 * _LEVELS_PER_OCTAVE)  # wavelengths of 2 to 64 texels
    first_turn, first_level = np.floor(turn).astype(int), np.floor(level).astype(int)
    wave = np.zeros((len(texels), 2), np.float32)
    cells = first_turn * 1000 + first_level
    for cell in np.unique(cells):
        rows = np.flatnonzero(cells == cell)
        base_turn, base_level = divmod(int(cell), 1000)
        part_turn = (turn[rows] - base_turn).astype(np.float32)
        part_level = (level[rows] - base_level).astype(np.float32)
        for o, share_o in ((base_turn, 1.0 - part_turn), (base_turn + 1, part_turn)):
            for i, share_i in ((base_level, 1.0 - part_level), (base_level + 1, part_level)):
                field = _filtered_noise(m, seed, o % _ORIENTATIONS, i)[texels[rows]].astype(np.float32)
                if o >= _ORIENTATIONS:  # half a turn further on, the filter is its own mirror image
                    field[:, 1] *= -1.0
                wave[rows] += (share_o * share_i)[:, None] * field
    return wave


@lru_cache(maxsize=2)
def _noise_spectrum(m: int, seed: int) -> np.ndarray:
    from scipy import fft

    return np.asarray(fft.fft2(np.random.default_rng(seed).standard_normal((m, m)).astype(np.float32)))


@lru_cache(maxsize=160)
def _filtered_noise(m: int, seed: int, orientation: int, level: int) -> np.ndarray:
    """Noise of one direction and wavelength: (m * m, 2) float16, real and imaginary part, mean square 1."""
    from scipy import fft

    wavelength = 2.0 ** (level / _LEVELS_PER_OCTAVE)
    across = fft.fftfreq(m).astype(np.float32)
    angle = np.float32(orientation * np.pi / _ORIENTATIONS)
    along = np.cos(angle) * across[None, :] + np.sin(angle) * across[:, None]
    beside = -np.sin(angle) * across[None, :] + np.cos(angle) * across[:, None]
    radius = np.sqrt(along**2 + beside**2)
    log_ratio = np.log(np.maximum(radius, 1e-6) * np.float32(wavelength)) / np.float32(_RADIAL_SPREAD)
    turn = np.arctan2(beside, along) / np.float32(_ANGULAR_SPREAD)
    response = np.exp(-0.5 * (log_ratio**2 + turn**2))
    wave = fft.ifft2(_noise_spectrum(m, seed) * response)
    wave /= np.sqrt(np.mean(np.abs(wave) ** 2)) + 1e-12
    return np.stack([wave.real.ravel(), wave.imag.ravel()], -1).astype(np.float16)
