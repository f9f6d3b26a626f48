"""What lies on skin, or falls on it, and is no relief: hair, brows, stubble, glasses, shadows, nostrils, lashes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray
from engine.fields import blurred, smoothstep
from engine.training.skin.noise import scattered, smooth_noise, splat, traced
from engine.training.skin.person import Person
from engine.training.skin.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Covering:
    """Something before the skin."""

    share: FloatArray
    """(s, s) float32 in [0, 1]: how much of the skin it hides."""
    colour: FloatArray
    """(3,) linear, before the light."""


def cast_shadow(rng: np.random.Generator, window: Window) -> FloatArray:
    """Share of the first lamp that arrives, (s, s): soft and hard edges of shadows."""
    size, t = window.size, window.texel_mm
    arrives = np.ones((size, size), np.float32)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.45, 0.4, 0.15]))):
        shape = smooth_noise(rng, size, float(rng.uniform(8.0, 30.0)) / t)
        rows, columns = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
        turn = rng.uniform(0, 2 * np.pi)
        field = shape + float(rng.uniform(1.0, 6.0)) * (np.cos(turn) * columns + np.sin(turn) * rows)
        field += float(rng.normal(0.0, 0.6))
        slope = np.sqrt(sum(g**2 for g in np.gradient(field))) / t + 1e-6
        edge_mm = float(np.exp(rng.uniform(np.log(0.25), np.log(9.0))))
        distance = field / np.maximum(blurred(slope, 3.0 / t), 1e-6)
        arrives *= 1.0 - float(rng.uniform(0.3, 1.0)) * smoothstep(distance, -edge_mm, edge_mm)
    return arrives


def coverings(rng: np.random.Generator, window: Window, person: Person) -> list[Covering]:
    """What lies on the skin, in drawing order."""
    hair = np.array([0.05, 0.035, 0.025], np.float32) * float(np.exp(rng.uniform(-1.2, 2.2)))
    found = [Covering(_openings(rng, window), np.array([0.04, 0.02, 0.02], np.float32))]
    found.append(Covering(brows(rng, window, person), hair))
    if person.beard > 0.4:
        found.append(Covering(stubble(rng, window, person), hair))
    if rng.random() < 0.12:
        found.append(Covering(strands(rng, window), hair))
    if rng.random() < 0.12:
        found.append(Covering(_hairline(rng, window), hair))
    if rng.random() < 0.1:
        colour = np.full(3, float(np.exp(rng.uniform(np.log(0.005), np.log(0.7)))), np.float32)
        found.append(Covering(frame(rng, window), colour))
    return [c for c in found if c.share.max() > 0.02]


def _lines(
    rng: np.random.Generator,
    window: Window,
    density: FloatArray,
    angle: FloatArray,
    length_mm: tuple[float, float],
    width_mm: tuple[float, float],
    bend: float = 0.02,
) -> FloatArray:
    """Short hairs (s, s) in [0, 1]."""
    t, size = window.texel_mm, window.size
    seeds = scattered(rng, density)
    if not len(seeds):
        return np.zeros((size, size), np.float32)
    lengths = rng.uniform(*length_mm, len(seeds)) / t
    rows, columns, place = traced(rng, angle, seeds, np.maximum(lengths, 2.0), bend)
    amount = ((place >= 0) & (place <= 1)) * rng.uniform(0.5, 1.0, (len(seeds), 1))
    sigma = max(float(rng.uniform(*width_mm)) / t / 2.4, 0.45)
    drawn = blurred(splat(rows.ravel(), columns.ravel(), amount.ravel(), size), sigma)
    opaque = drawn * np.float32(sigma * np.sqrt(2 * np.pi)) * np.float32(min(1.0, sigma / 0.45))
    return np.asarray(1.0 - np.exp(-1.3 * opaque), np.float32)


def brows(rng: np.random.Generator, window: Window, person: Person) -> FloatArray:
    """Brow hairs and the haze between them."""
    zone = window.brows * np.clip(1.0 + smooth_noise(rng, window.size, 4.0 / window.texel_mm), 0.0, 1.6)
    if zone.max() < 0.05:
        return np.zeros_like(zone)
    # thinner than the zone: the brow sits somewhere in it
    t = window.texel_mm
    angle = (np.pi * float(rng.uniform(0.05, 0.95)) + 0.35 * smooth_noise(rng, window.size, 4.0 / t)).astype(np.float32)
    dense = np.float32(person.brows * 1.4 * t * t) * smoothstep(zone, 0.35, 0.9)
    hairs = _lines(rng, window, dense, angle, (3.0, 8.0), (0.08, 0.22))
    if rng.random() < 0.5:  # a neat brow, which looks like one dark line in a small photo
        arch = np.abs(window.eyes_mm - float(rng.uniform(8.0, 17.0)) + 0.5 * smooth_noise(rng, window.size, 6.0 / t))
        half = float(rng.uniform(0.6, 3.5))
        line = (1.0 - smoothstep(arch, max(half - 0.5, 0.1), half + 0.7)) * smoothstep(window.brows, 0.1, 0.6)
        hairs = np.maximum(0.6 * hairs * (line > 0), float(rng.uniform(0.3, 0.95)) * line)
    haze = 0.5 * person.brows * blurred(smoothstep(zone, 0.35, 0.9), 0.6 / t)
    return np.asarray(np.clip(hairs + haze * float(rng.uniform(0.0, 1.0)), 0.0, 1.0), np.float32)


def stubble(rng: np.random.Generator, window: Window, person: Person) -> FloatArray:
    """Short hairs of the beard."""
    t = window.texel_mm
    density = window.beard * np.float32(0.9 * (person.beard - 0.3) * t * t)
    angle = (np.pi / 2 + 0.6 * smooth_noise(rng, window.size, 6.0 / t)).astype(np.float32)
    return _lines(rng, window, density, angle, (0.4, float(rng.uniform(0.7, 4.0))), (0.08, 0.16))


def strands(rng: np.random.Generator, window: Window) -> FloatArray:
    """Long single hairs before the face."""
    t = window.texel_mm
    size = window.size
    clump = np.clip(smooth_noise(rng, size, 10.0 / t) - float(rng.uniform(0.0, 1.0)), 0.0, 1.5)
    angle = np.full((size, size), float(rng.uniform(0, np.pi)), np.float32) + 0.5 * smooth_noise(rng, size, 20.0 / t)
    return _lines(rng, window, clump * np.float32(0.03 * t * t), angle, (20.0, 70.0), (0.08, 0.25), 0.004)


def _hairline(rng: np.random.Generator, window: Window) -> FloatArray:
    """Hair that covers all of the skin beyond a wavy border."""
    t, size = window.texel_mm, window.size
    border = window.rim_mm + 4.0 * smooth_noise(rng, size, 8.0 / t)
    inside = 1.0 - smoothstep(border, float(rng.uniform(8, 20)), float(rng.uniform(22, 28)))
    inside = inside * smoothstep(window.mouth_mm, 30.0, 40.0)
    angle = np.full((size, size), float(rng.uniform(0, np.pi)), np.float32) + 0.4 * smooth_noise(rng, size, 12.0 / t)
    hairs = _lines(rng, window, inside * np.float32(0.35 * t * t), angle, (10.0, 30.0), (0.1, 0.3), 0.004)
    return np.asarray(np.clip(hairs + 0.75 * inside, 0.0, 1.0), np.float32)


def frame(rng: np.random.Generator, window: Window) -> FloatArray:
    """A bar of constant width, as spectacles have: bent slowly, with hard edges."""
    t, size = window.texel_mm, window.size
    angle = np.full((size, size), float(rng.uniform(0, np.pi)), np.float32) + 0.8 * smooth_noise(rng, size, 25.0 / t)
    seeds = rng.uniform(0.1 * size, 0.9 * size, (1, 2)).astype(np.float32)
    rows, columns, place = traced(rng, angle, seeds, np.array([2.0 * size]), 0.002)
    drawn = splat(rows.ravel(), columns.ravel(), (place >= 0).ravel().astype(float), size)
    sigma = float(rng.uniform(0.6, 2.5)) / t / 2
    bar = blurred(drawn, sigma) * np.float32(sigma * np.sqrt(2 * np.pi))
    return smoothstep(bar, 0.45, 0.65)


def _openings(rng: np.random.Generator, window: Window) -> FloatArray:
    """Lashes, the lids' shadow, the gap of the lips, nostrils: dark, close to the openings, with soft ragged edges."""
    t, size = window.texel_mm, window.size
    ragged = 0.8 * smooth_noise(rng, size, 2.0 / t)
    width = float(rng.uniform(0.3, 3.0))
    eyes = 0.85 * (1.0 - smoothstep(window.eyes_mm + ragged, width * 0.4, width))
    gap = 0.8 * (1.0 - smoothstep(window.mouth_mm + ragged, 0.2, float(rng.uniform(0.4, 2.0))))
    nostrils = float(rng.uniform(0.2, 1.0)) * smoothstep(window.nostrils + 0.25 * ragged, 0.4, 0.9)
    return np.asarray(np.clip(eyes + gap + nostrils, 0.0, 1.0), np.float32)
