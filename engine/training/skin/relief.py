"""Relief of skin in mm: pores, fine lines, creases, bumps, and what an expression makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray
from engine.detail.inputs import KeyField
from engine.fields import blurred, enlarged, smoothstep
from engine.training.skin.noise import directed_noise, scattered, smooth_noise, splat, traced
from engine.training.skin.person import Person
from engine.training.skin.window import Window

_PORE_SIGMA_MM = (0.13, 0.2, 0.3)
_CREASES = ((0.16, 0.05, 1.0), (0.25, 0.10, 0.8), (0.42, 0.22, 0.35), (0.75, 0.42, 0.10), (1.2, 0.5, 0.035))
"""Sigma of the valley mm, depth mm, and share of the number, from fine lines to deep folds."""
_CREASE_DENSITY = 0.014  # per square mm where the skin is often compressed, at creases = 1
_MESH_SIGMA_MM = 5.0  # what is wider belongs to the mesh
_SHOULDER = 2.6  # width of the bulge on both sides of a crease over the valley's
_SHOULDER_SHARE = 0.8
_DEEPEST_MM = 0.6
_SATURATION = 0.07  # compression over the onset by which folds come close to their full depth
_THIN_SKIN_MM = (10.0, 26.0)  # distance from the eyes over which thin skin, which folds at once, ends
_LIP_SKIN_MM = (8.0, 18.0)  # the same from the mouth
_NIMBLE = 0.8  # how far the skin of nose and lips folds as readily as that of the lids
_DEEPENED = 3.6  # how much full compression deepens old skin's creases, as a share of their depth
_OPEN_AT_REST = 0.5  # how much shallower creases of thin skin lie at rest, as a share of their depth
_CLOSED = 1.1  # how much more than others they deepen
_SMOOTHED = 0.35  # share of the relief that full stretch removes


@dataclass(frozen=True, slots=True, eq=False)
class Relief:
    """Static relief of a piece of skin, (s, s) float32 mm each, signed outwards."""

    fine: FloatArray
    """Pores, net of lines, roughness, bumps."""
    creases: FloatArray
    raised: FloatArray
    """(s, s) in [0, 1]: moles that stand out, which are dark, too."""

    @property
    def whole(self) -> FloatArray:
        """Fine relief and creases together."""
        return _limited(self.fine + self.creases)


def make_relief(rng: np.random.Generator, window: Window, person: Person) -> Relief:
    """Static relief of one person over a window."""
    t = window.texel_mm / person.size
    size = window.size
    along, habit = _crease_direction(rng, window, person)
    fine = _pores(rng, window, person, t) + _net(rng, along, person, t, size)
    fine += person.roughness_mm * smooth_noise(rng, size, float(rng.uniform(0.25, 0.6)) / t)
    fine += _lip_lines(rng, window, t)
    raised = _moles(rng, window, person, t)
    fine += 0.35 * person.moles * raised
    creases = _creases(rng, along, habit, person, t) * (1.0 - _OPEN_AT_REST * thin_skin(window))
    rim = smoothstep(window.rim_mm, 0.5, 2.5)
    fine, creases = (_without_wide(relief, t) * rim for relief in (fine, creases))
    return Relief(fine, creases, raised)


def express(relief: Relief, key: KeyField, window: Window, person: Person) -> FloatArray:
    """The relief under a key expression, (s, s) float32 mm; equal to the static one where nothing moves.

    Args:
        relief: of the face at rest.
        key: of the same window.
        window: the piece of skin.
        person: whose onset and depth count.
    """
    size = len(relief.fine)
    compression, stretch = (enlarged(key.strain[..., i], size) / 8.0 for i in (0, 1))
    wavelength, proneness = 4.0 * enlarged(key.strain[..., 4], size), enlarged(key.strain[..., 5], size)
    moved = enlarged(key.moved, size)
    thin = thin_skin(window)
    onset = person.onset * (1.0 - 0.95 * thin)
    folded = moved * (1.0 - np.exp(-np.maximum(compression - onset, 0.0) / (_SATURATION * (1.0 - 0.85 * thin))))
    smoothed = moved * (1.0 - np.exp(-np.maximum(stretch - 0.03, 0.0) / 0.12)) * (1.0 - folded)
    calm = 1.0 - _SMOOTHED * smoothed
    deepened = _DEEPENED * (0.3 + 0.7 * person.age) * (1.0 + _CLOSED * thin)
    creases = relief.creases * calm * (1.0 + deepened * folded)
    presence = blurred(np.abs(relief.creases), 0.012 * size if size < 400 else 4.0)
    free = 1.0 / (1.0 + presence / 0.04)  # skin that has its crease folds there
    depth = person.fold_mm * folded * np.maximum(proneness, thin) * (wavelength / 6.4) ** 0.5 * free
    guide = _cubic(key.guide, size)
    return _limited(relief.fine * calm + creases + 1.9 * depth * guide * smoothstep(window.rim_mm, 0.5, 2.5))


def thin_skin(window: Window) -> FloatArray:
    """Where skin folds at the least compression and opens again at rest: around the eyes, on nose and lips; (s, s)."""
    thin = 1.0 - smoothstep(window.eyes_mm, *_THIN_SKIN_MM)
    nimble = _NIMBLE * np.maximum(window.nose, 1.0 - smoothstep(window.mouth_mm, *_LIP_SKIN_MM))
    return np.asarray(np.maximum(thin, nimble), np.float32)


def _cubic(field: FloatArray, size: int) -> FloatArray:
    import cv2

    return np.asarray(cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _limited(relief: FloatArray) -> FloatArray:
    return np.asarray(_DEEPEST_MM * np.tanh(relief / _DEEPEST_MM), np.float32)


def _without_wide(relief: FloatArray, t: float) -> FloatArray:
    size = len(relief)
    small = max(8, size // 8)
    wide = blurred(enlarged_mean(relief, small), _MESH_SIGMA_MM / t * small / size)
    return np.asarray(relief - enlarged(wide, size), np.float32)


def enlarged_mean(field: FloatArray, small: int) -> FloatArray:
    """Area means at small x small."""
    import cv2

    return np.asarray(cv2.resize(field, (small, small), interpolation=cv2.INTER_AREA), np.float32)


def _crease_direction(rng: np.random.Generator, window: Window, person: Person) -> tuple[FloatArray, FloatArray]:
    """Direction of lines (s, s), rad with y down, and how often the skin is compressed there, (s, s) in [0, 1].

    Source:
        Relaxed skin tension lines lie across the pull of the muscles below (Borges 1984); static wrinkles are what
        repeated folding leaves, so both come from the compressions that the habitual expressions make.
    """
    tensor = np.tensordot(np.asarray(person.habits, np.float32), window.habit_strain, 1)  # (c, c, 2): cos, sin of 2a
    strength = np.sqrt((tensor**2).sum(-1))
    # where no expression says anything, lines follow a smooth direction of their own
    stray = np.dstack([smooth_noise(rng, len(tensor), 24.0), smooth_noise(rng, len(tensor), 24.0)])
    wobble = 0.3 * np.dstack([smooth_noise(rng, len(tensor), 7.0), smooth_noise(rng, len(tensor), 7.0)])
    tensor = blurred(tensor + stray * 0.08 + wobble * strength[..., None], 3.0)
    habit = smoothstep(strength, 0.05, 0.9)
    angle = 0.5 * np.arctan2(
        enlarged(tensor[..., 1].astype(np.float32), window.size),
        enlarged(tensor[..., 0].astype(np.float32), window.size),
    )
    # the tensor's direction is that of compression with v upwards: lines lie across, and rows run down
    return np.asarray(-(angle + np.pi / 2), np.float32), enlarged(habit, window.size)


def _pores(rng: np.random.Generator, window: Window, person: Person, t: float) -> FloatArray:
    size = window.size
    lips = 1.0 - smoothstep(window.mouth_mm, 5.0, 8.0)
    kind = 0.55 + 0.9 * window.nose + 0.1 * window.forehead + 0.35 * np.clip(smooth_noise(rng, size, 9.0 / t), -1, 1)
    density = np.clip(kind, 0.1, 2.0) * (1.0 - lips) * smoothstep(window.eyes_mm, 3.0, 10.0)
    relief = np.zeros((size, size), np.float32)
    for sigma_mm, share in zip(_PORE_SIGMA_MM, (1.0, 0.6, 0.22), strict=True):
        sigma = max(sigma_mm / t, 0.5)
        points = scattered(rng, density * np.float32(person.pore_density * share * t * t))
        depth = np.exp(rng.normal(0.0, 0.45, len(points))) * person.pores_mm * (sigma_mm / 0.2) ** 0.7
        dots = blurred(splat(points[:, 0], points[:, 1], depth, size), sigma)
        relief -= dots * np.float32(2.0 * np.pi * sigma**2)
    return relief * (0.6 + 0.5 * window.nose)


def _net(rng: np.random.Generator, along: FloatArray, person: Person, t: float, size: int) -> FloatArray:
    """The net of primary and secondary lines: one set along the tension lines, one across at an angle."""
    relief = np.zeros((size, size), np.float32)
    for turn, share in ((0.0, 1.0), (float(rng.uniform(0.8, 1.4)), 0.6)):
        wavelength = float(rng.uniform(0.7, 1.6)) / t
        lines = directed_noise(rng, along + np.float32(turn), max(wavelength, 3.0))
        relief -= share * person.lines_mm * (np.exp(np.minimum(lines, 2.5)) - 1.6)
    patchy = 0.7 + 0.5 * np.clip(smooth_noise(rng, size, 6.0 / t), -1.0, 1.5)
    return np.asarray(relief * patchy, np.float32)


def _creases(rng: np.random.Generator, along: FloatArray, habit: FloatArray, person: Person, t: float) -> FloatArray:
    size = len(along)
    relief = np.zeros((size, size), np.float32)
    patchy = np.clip(1.0 + 0.7 * smooth_noise(rng, size, 10.0 / t), 0.1, 2.5)
    for sigma_mm, depth_mm, share in _CREASES:
        rate = (0.08 * patchy + habit * patchy) * np.float32(_CREASE_DENSITY * share * person.creases * t * t)
        margin = _margin(rate, size // 4)
        seeds = scattered(rng, margin) - size // 4
        if not len(seeds):
            continue
        here = np.clip(seeds, 0, size - 1).astype(int)
        lengths = np.exp(rng.normal(np.log(9.0 + 22.0 * sigma_mm), 0.5, len(seeds))) / t
        lengths = np.minimum(lengths * (0.5 + 0.8 * habit[here[:, 0], here[:, 1]]), 75.0 / t)
        rows, columns, place = traced(rng, along, seeds, lengths)
        envelope = np.maximum(np.sin(np.pi * np.clip(place, 0.0, 1.0)), 0.0) ** 0.7
        uneven = np.cumsum(rng.standard_normal(place.shape), 1) * 0.06
        depth = (
            envelope
            * np.exp(0.5 * np.sin(uneven))
            * (depth_mm * person.crease_depth * np.exp(rng.normal(-0.15, 0.45, (len(seeds), 1))))
        )
        drawn = splat(rows.ravel(), columns.ravel(), depth.ravel(), size)
        sigma = max(sigma_mm / t, 0.7)
        across = np.float32(np.sqrt(2.0 * np.pi))
        relief -= blurred(drawn, sigma) * np.float32(sigma) * across
        relief += blurred(drawn, sigma * _SHOULDER) * np.float32(sigma * _SHOULDER_SHARE) * across
    return relief


def _margin(rate: FloatArray, texels: int) -> FloatArray:
    """The field with its border continued outwards: creases come in from outside, too."""
    return np.pad(rate, texels, mode="edge")


def _lip_lines(rng: np.random.Generator, window: Window, t: float) -> FloatArray:
    lips = 1.0 - smoothstep(window.mouth_mm, 4.5, 7.5)
    if not lips.any():
        return np.zeros_like(lips)
    upright = np.full(lips.shape, np.pi / 2, np.float32)
    lines = directed_noise(rng, upright, float(rng.uniform(0.9, 1.8)) / t)
    return np.asarray(-0.02 * float(rng.uniform(0.2, 1.2)) * lips * np.exp(np.minimum(lines, 2.0)), np.float32)


def _moles(rng: np.random.Generator, window: Window, person: Person, t: float) -> FloatArray:
    """Round moles (s, s) in [0, 1]."""
    size = window.size
    points = scattered(rng, np.full((size, size), 0.0003 * person.moles * t * t, np.float32))
    spots = np.zeros((size, size), np.float32)
    for row, column in points:
        sigma = float(rng.uniform(0.35, 1.1)) / t
        half = int(4 * sigma) + 1
        r0, c0 = max(0, int(row) - half), max(0, int(column) - half)
        rows, columns = np.ogrid[r0 : min(size, int(row) + half), c0 : min(size, int(column) + half)]
        spot = np.exp(-((((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2)) ** 1.5))
        part = spots[r0 : r0 + spot.shape[0], c0 : c0 + spot.shape[1]]
        np.maximum(part, spot, out=part)
    return spots
