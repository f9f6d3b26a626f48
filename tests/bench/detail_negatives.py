"""Skin without any relief that carries something which looks like relief: for ``tests.bench detail``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.fields import blurred
from engine.training.skin import negatives
from engine.training.skin.appearance import invent_lighting, make_albedo, shade
from engine.training.skin.camera import photograph
from engine.training.skin.heads import Head
from engine.training.skin.person import invent_person
from engine.training.skin.relief import Relief
from engine.training.skin.window import cut

NEGATIVES = ("freckles", "brows", "lips", "shadow edges", "stubble", "hair strands", "glasses frame", "make-up")
FACE_PX_OF_NEGATIVES = 700


def negative_face(head: Head, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texture (n, n, 3), visibility (n, n), and where the thing lies (n, n) bool."""
    n = len(head.skin)
    window = cut(head, 0, 0, n)
    person = replace(invent_person(rng), freckles=0.0, moles=0.0, makeup=0.0, beard=0.0, brows=0.9, blotches=0.3)
    person = replace(
        person,
        freckles=1.0 if kind == "freckles" else 0.0,
        makeup=0.9 if kind == "make-up" else 0.0,
        beard=0.9 if kind == "stubble" else 0.0,
    )
    flat = np.zeros((n, n), np.float32)
    albedo = make_albedo(rng, window, Relief(flat, flat, flat), person)
    shadow, where = np.ones_like(flat), window.skin > 0
    if kind == "lips":
        where = window.mouth_mm < 9.0
    if kind == "shadow edges":
        while True:
            shadow = negatives.cast_shadow(rng, window)
            if np.ptp(shadow) > 0.5:
                break
        slope = np.hypot(*np.gradient(shadow))
        where = blurred((slope > 0.02).astype(np.float32), 3.0) > 0.02
    light = shade(rng, window, flat, albedo, invent_lighting(rng), shadow, person)
    share = _covering(rng, window, person, kind)
    if share is not None:
        where = blurred((share > 0.2).astype(np.float32), 1.0 / window.texel_mm) > 0.02
        light = light * (1.0 - share[..., None]) + share[..., None] * 0.03
    texture, visibility = photograph(rng, window, light, FACE_PX_OF_NEGATIVES, 0.0)
    return texture, visibility, where & (window.rim_mm > 3.0) & (visibility > 0.5)


def _covering(rng: np.random.Generator, window, person, kind: str) -> np.ndarray | None:
    drawn = {
        "brows": lambda: negatives.brows(rng, window, person),
        "stubble": lambda: negatives.stubble(rng, window, person),
        "hair strands": lambda: negatives.strands(rng, window),
        "glasses frame": lambda: negatives.frame(rng, window),
    }
    return drawn[kind]() if kind in drawn else None
