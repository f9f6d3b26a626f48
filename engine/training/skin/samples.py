"""One training example: a piece of invented skin as a photo shows it, and its true relief."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.detail.inputs import KeyField, surface_planes, texture_planes
from engine.fields import enlarged
from engine.training.skin.appearance import invent_lighting, make_albedo, shade
from engine.training.skin.camera import photograph, px_per_mm, random_face_px
from engine.training.skin.heads import COARSE, Head
from engine.training.skin.negatives import cast_shadow, coverings
from engine.training.skin.person import Person, invent_person
from engine.training.skin.relief import Relief, express, make_relief
from engine.training.skin.window import Window, cut, cut_key

DATA_VERSION = 8
"""Raised whenever the same seed gives another example."""

_SCALE_ERROR = 0.08  # SD of the logarithm of what a fit takes a photo's scale for
_SMOOTH_SKIN = 0.25  # of the training's examples: hardly any relief below the same spots, shadows and make-up
_ACTIVE_PLACES = 0.5  # of the training's examples lie where the key expressions fold the skin
_FOLDS_UNDER_HAIR = 0.25  # what is left of folds that nobody can see


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A piece of a face; s its side in texels."""

    window: Window
    person: Person
    texture: ByteArray
    """(s, s, 3)."""
    visibility: FloatArray
    """(s, s)."""
    bare: FloatArray
    """(s, s) in [0, 1]: 0 where something hides the skin."""
    static_mm: FloatArray
    """(s, s)."""
    keys: tuple[int, ...]
    fields: tuple[KeyField, ...]
    key_mm: tuple[FloatArray, ...]
    """(s, s) each."""
    photo_px_per_mm: float
    """As a fit of the photo would find it."""

    def planes(self) -> tuple[FloatArray, FloatArray]:
        """The network's inputs: texture (s, s, 3), surface (s/2, s/2, 10)."""
        window = self.window
        seen = self.visibility * window.skin
        texture, shade = texture_planes(self.texture, seen, window.texel_mm)
        normal, texel_mm = window.coarse_normal, window.coarse_texel_mm
        surface = surface_planes(
            self.visibility, window.skin, shade, normal, texel_mm, window.place, self.photo_px_per_mm
        )
        return texture, surface


def make_sample(
    head: Head,
    rng: np.random.Generator,
    keys: tuple[int, ...],
    place: tuple[int, int, int],
    face_px: float | None = None,
    person: Person | None = None,
    smoothness: float = 0.0,
) -> Sample:
    """Invent a person and a photo of a piece of skin.

    Args:
        head: the face shape.
        rng: of everything else.
        keys: key expressions whose relief is wanted.
        place: row, column and side of the piece in texels, multiples of 4.
        face_px: width of the face in the photo; drawn if None.
        person: drawn if None.
        smoothness: 1 takes all relief at rest from the skin, but nothing of what looks like it.
    """
    window = cut(head, *place)
    person = person or invent_person(rng)
    relief = _smoothed(make_relief(rng, window, person), smoothness)
    static_mm = relief.whole
    albedo = make_albedo(rng, window, relief, person)
    light = shade(rng, window, static_mm, albedo, invent_lighting(rng), cast_shadow(rng, window), person)
    bare = np.ones_like(static_mm)
    level = np.float32(np.median(light.sum(-1)) / max(float(np.median(albedo.sum(-1))), 1e-3))
    for covering in coverings(rng, window, person):
        share = covering.share[..., None]
        light = (1.0 - share) * light + share * covering.colour * level
        bare *= 1.0 - covering.share
    face_px = face_px or random_face_px(rng)
    texture, visibility = photograph(rng, window, light, face_px)
    fields = tuple(cut_key(head, k, *place) for k in keys)
    return Sample(
        window=window,
        person=person,
        texture=texture,
        visibility=visibility,
        bare=bare,
        static_mm=static_mm * window.skin,
        keys=keys,
        fields=fields,
        key_mm=tuple(express(relief, field, window, person) * window.skin for field in fields),
        photo_px_per_mm=px_per_mm(face_px) * float(np.exp(rng.normal(0.0, _SCALE_ERROR))),
    )


def random_smoothness(rng: np.random.Generator) -> float:
    """How much of an example's relief is taken away: none of most, nearly all of some."""
    return float(rng.uniform(0.7, 1.0)) if rng.random() < _SMOOTH_SKIN else 0.0


def random_person(rng: np.random.Generator, smoothness: float) -> Person:
    """A person; on smooth skin most often one with freckles and strong brows, which are what it is there to teach."""
    person = invent_person(rng)
    if smoothness == 0.0:
        return person
    freckles, brow = (float(x) for x in rng.uniform(0.0, 1.0, 2))
    return replace(person, freckles=max(person.freckles, freckles), brows=max(person.brows, brow))


def _smoothed(relief: Relief, smoothness: float) -> Relief:
    left = np.float32(1.0 - smoothness)
    return Relief(relief.fine * left, relief.creases * left, relief.raised * left)


def random_place(head: Head, rng: np.random.Generator, size: int) -> tuple[int, int, int]:
    """A piece of the map that is skin for the most part, often one that the key expressions fold."""
    places = [_any_place(head, rng, size) for _ in range(4 if rng.random() < _ACTIVE_PLACES else 1)]
    return max(places, key=lambda place: float(_activity(head, place).max()))


def _activity(head: Head, place: tuple[int, int, int]) -> FloatArray:
    """How much each key expression but the neutral one strains the skin of a piece of the map, (K - 1,)."""
    step = len(head.skin) // COARSE
    rows, columns = (slice(p // step, (p + place[2]) // step, 4) for p in place[:2])
    return np.asarray(head.key_strain[1:, rows, columns, :2].astype(np.float32).mean(axis=(1, 2, 3)), np.float32)


def _any_place(head: Head, rng: np.random.Generator, size: int) -> tuple[int, int, int]:
    n = len(head.skin)
    step = n // COARSE
    for _ in range(20):
        row, column = (int(x) * step for x in rng.integers(0, (n - size) // step + 1, 2))
        if head.skin[row : row + size : 8, column : column + size : 8].mean() > 0.6:
            break
    return row, column, size


def random_keys(head: Head, rng: np.random.Generator, place: tuple[int, int, int], count: int) -> tuple[int, ...]:
    """Key expressions, most often those that fold the skin in this place."""
    activity = _activity(head, place) + 0.01
    chosen = rng.choice(len(activity), count, replace=False, p=activity / activity.sum())
    return tuple(int(k) + 1 for k in chosen)


def known(sample: Sample) -> FloatArray:
    """How much an example says about each texel, (s, s): all where the photo shows something, be it hair."""
    return np.asarray(sample.window.skin * (0.1 + 0.9 * sample.visibility), np.float32)


def wanted(sample: Sample) -> tuple[FloatArray, tuple[FloatArray, ...]]:
    """The relief that the network shall find, at rest and under each key, (s, s) mm: none below what hides the skin.

    Judged by the true relief there, which nobody can see, hair and glasses would be free to look like relief.
    """
    bare = enlarged(sample.bare, len(sample.bare))
    static = sample.static_mm * bare
    left = _FOLDS_UNDER_HAIR + (1.0 - _FOLDS_UNDER_HAIR) * bare
    return static, tuple(static + (expressed - sample.static_mm) * left for expressed in sample.key_mm)
