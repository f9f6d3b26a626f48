"""Colour and light of procedural skin: albedo, irradiance under several lights, gloss, translucency, occlusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray
from engine.fields import blurred, enlarged, smoothstep
from engine.training.skin.noise import scattered, smooth_noise, splat
from engine.training.skin.person import Person
from engine.training.skin.relief import Relief, enlarged_mean
from engine.training.skin.window import Window

_SKIN = np.array([0.62, 0.42, 0.32], np.float32)  # linear reflectance of light skin
_MELANIN = np.array([1.1, 1.75, 2.3], np.float32)  # absorption, red to blue
_BLOOD = np.array([0.10, 0.62, 0.48], np.float32)
_SUBSURFACE_MM = (0.9, 0.35, 0.2)  # sigma of the light's way inside skin, red to blue
_OCCLUSION_MM = (0.35, 0.9, 2.2)


@dataclass(frozen=True, slots=True)
class Light:
    """One lamp."""

    direction: tuple[float, float, float]
    """To the lamp, in the head's axes."""
    colour: tuple[float, float, float]
    softness: float
    """0 a point, 1 half the sky."""


@dataclass(frozen=True, slots=True, eq=False)
class Lighting:
    """Lamps and surroundings of one photo."""

    lamps: tuple[Light, ...]
    ambient: FloatArray
    """(4, 3): first-order spherical harmonics, constant and x, y, z."""


def invent_lighting(rng: np.random.Generator) -> Lighting:
    """Draw the light of a photo: surroundings and one to three lamps in front of the face."""
    tint = np.exp(rng.normal(0.0, 0.06, 3))
    level = rng.uniform(0.12, 0.8)
    slope = rng.normal(0.0, 0.35, (3, 1)) + np.array([[0.0], [0.25], [0.2]])
    ambient = level * np.concatenate([tint[None], slope * tint[None]])
    lamps = []
    for i in range(int(rng.integers(1, 4))):
        azimuth, height = np.radians(rng.uniform(-80, 80)), np.radians(rng.uniform(-15, 65))
        direction = (
            float(np.sin(azimuth) * np.cos(height)),
            float(np.sin(height)),
            float(np.cos(azimuth) * np.cos(height)),
        )
        colour = rng.uniform(0.3, 1.2) * (0.6**i) * np.exp(rng.normal(0.0, 0.08, 3))
        red, green, blue = (float(c) for c in colour)
        lamps.append(Light(direction, (red, green, blue), float(rng.beta(1.0, 1.2))))
    return Lighting(tuple(lamps), ambient.astype(np.float32))


def make_albedo(rng: np.random.Generator, window: Window, relief: Relief, person: Person) -> FloatArray:
    """Linear reflectance (s, s, 3), nothing of which is relief except that moles are dark."""
    t, size = window.texel_mm, window.size
    melanin = 0.15 + 1.5 * person.melanin**1.3 + 0 * window.nose
    blood = 0.25 + 0.5 * person.redness + 0 * window.nose
    for sigma_mm, share in ((12.0, 0.14), (4.0, 0.12), (1.6, 0.08), (0.6, 0.05), (0.25, 0.03)):
        melanin += person.blotches * share * smooth_noise(rng, size, sigma_mm / t)
        blood += person.blotches * 2.2 * share * smooth_noise(rng, size, sigma_mm / t)
    blood += 0.35 * person.redness * window.nose
    melanin += person.freckles * _freckles(rng, window, t) + 1.2 * relief.raised
    lips = 1.0 - smoothstep(window.mouth_mm + 0.6 * smooth_noise(rng, size, 6.0 / t), 5.0, 6.5)
    blood += lips * float(rng.uniform(0.6, 1.8) + 1.5 * person.makeup)
    melanin += lips * float(rng.uniform(-0.1, 0.5))
    # pores hold a little dirt and lines a little redness: their colour tells of depth beside their shade
    melanin += float(rng.uniform(0.0, 1.6)) * np.clip(-relief.fine, 0.0, 0.2)
    blood += float(rng.uniform(0.0, 0.9)) * np.clip(-relief.creases, 0.0, 0.3)
    if person.beard > 0:  # bluish shade of shaved hair below the surface
        melanin += 0.35 * min(person.beard, 0.5) * window.beard * (1.0 + 0.3 * smooth_noise(rng, size, 1.0 / t))
    if person.makeup > 0.0:
        flat = 0.6 * person.makeup
        melanin = (1 - flat) * melanin + flat * float(np.median(melanin))
        blush = smooth_noise(rng, size, 18.0 / t)
        blood = (1 - flat) * blood + flat * float(np.median(blood)) + 0.4 * person.makeup * np.clip(blush, 0, 2)
    absorbed = melanin[..., None] * _MELANIN * 0.55 + np.maximum(blood, 0.0)[..., None] * _BLOOD * 0.6
    return np.asarray(_SKIN * np.exp(-np.maximum(absorbed, -0.3)), np.float32)


def _freckles(rng: np.random.Generator, window: Window, t: float) -> FloatArray:
    size = window.size
    clusters = np.clip(0.5 + smooth_noise(rng, size, 8.0 / t), 0.0, 2.0)
    spots = np.zeros((size, size), np.float32)
    for sigma_mm, share in ((0.25, 1.0), (0.5, 0.5), (1.0, 0.12), (1.8, 0.03)):
        points = scattered(rng, clusters * np.float32(0.06 * share * t * t))
        amounts = rng.uniform(0.15, 0.7, len(points))
        sigma = max(0.6 * sigma_mm / t, 0.5)
        dots = blurred(splat(points[:, 0], points[:, 1], amounts, size), sigma) * np.float32(2 * np.pi * sigma**2)
        # flat tops with an edge, as pigment has
        spots += np.tanh(1.8 * dots) * 0.6
    return spots


def shade(
    rng: np.random.Generator,
    window: Window,
    relief_mm: FloatArray,
    albedo: FloatArray,
    lighting: Lighting,
    shadow: FloatArray,
    person: Person,
) -> FloatArray:
    """Linear light (s, s, 3) that the camera gets.

    Args:
        rng: of the gloss.
        window: the piece of skin.
        relief_mm: (s, s).
        albedo: (s, s, 3).
        lighting: lamps and surroundings.
        shadow: (s, s) in [0, 1]: share of the first lamp that arrives.
        person: for the oil on the skin.
    """
    t = window.texel_mm
    size = window.size
    slope_right, slope_down = _slopes(relief_mm, t)
    right, up = (enlarged(np.ascontiguousarray(window.axes[:, :, i]), size) for i in (0, 1))
    normal = window.normal - slope_right[..., None] * right + slope_down[..., None] * up
    normal /= np.maximum(np.sqrt((normal**2).sum(-1, keepdims=True)), 1e-6)
    open_sky = _openness(relief_mm, t)
    ambient = np.maximum(lighting.ambient[0] + normal @ lighting.ambient[1:], 0.05)
    light = ambient * open_sky[..., None]
    gloss = np.zeros((size, size, 3), np.float32)
    sharp = float(np.exp(rng.uniform(np.log(8.0), np.log(60.0))))
    shine = person.oil * float(rng.uniform(0.1, 0.45)) * np.clip(1.0 + 0.4 * smooth_noise(rng, size, 8.0 / t), 0, 2)
    shine = shine * np.clip(1.0 + 0.25 * smooth_noise(rng, size, 0.3 / t), 0.2, 2)
    for i, lamp in enumerate(lighting.lamps):
        direction = np.array(lamp.direction, np.float32)
        colour = np.array(lamp.colour, np.float32)
        reach = 0.1 + 0.9 * lamp.softness
        cosine = normal @ direction
        arrives = (np.maximum(cosine + 0.5 * reach, 0.0) / (1.0 + 0.5 * reach)) ** (1.0 + 0.5 * reach)
        arrives *= open_sky ** (0.35 + 0.65 * lamp.softness)
        if i == 0:
            arrives = arrives * shadow
        light = light + arrives[..., None] * colour
        halfway = direction + np.array([0.0, 0.0, 1.0], np.float32)
        facing = np.maximum(normal @ (halfway / np.linalg.norm(halfway)), 0.0)
        exponent = sharp / (1.0 + 4.0 * lamp.softness)
        mirrored = facing**exponent * (exponent + 2.0) / 20.0
        gloss += (shine * mirrored * (arrives > 0) * open_sky * (shadow if i == 0 else 1.0))[..., None] * colour
    through = float(rng.uniform(0.2, 0.6))
    for c, sigma_mm in enumerate(_SUBSURFACE_MM):
        spread = blurred(np.ascontiguousarray(light[..., c]), max(sigma_mm / t, 0.3))
        light[..., c] += through * (spread - light[..., c])
    return np.asarray(albedo * light + 0.25 * gloss, np.float32)


def _slopes(relief_mm: FloatArray, t: float) -> tuple[FloatArray, FloatArray]:
    down, right = np.gradient(relief_mm, np.float32(t))
    return np.asarray(right, np.float32), np.asarray(down, np.float32)


def _openness(relief_mm: FloatArray, t: float) -> FloatArray:
    """Share of the sky that a point sees, (s, s): less in pores and folds, little more on ridges."""
    size = len(relief_mm)
    sky = np.ones_like(relief_mm)
    for sigma_mm in _OCCLUSION_MM:
        sigma = sigma_mm / t
        if sigma > 4.0:
            small = size // 2
            around = enlarged(blurred(enlarged_mean(relief_mm, small), sigma / 2), size)
        else:
            around = blurred(relief_mm, max(sigma, 0.5))
        depth = (around - relief_mm) / np.float32(sigma_mm)
        sky *= 1.0 - 0.8 * np.tanh(np.maximum(depth, 0.0) * 2.6) + 0.06 * np.tanh(np.maximum(-depth, 0.0))
    return np.asarray(sky, np.float32)
