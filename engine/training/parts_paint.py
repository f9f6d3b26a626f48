"""The drawn atlas of the parts: eyes, conjunctiva, lining, teeth, gums and tongue, around a plain skin."""

from __future__ import annotations

import numpy as np

from engine.arrays import ByteArray, DoubleArray
from engine.training import mouth_parts
from engine.training.parts import (
    CHART_RAD,
    EYE_CHARTS,
    IRIS_RAD,
    IRIS_SHARE,
    MOUTH_BOX,
    PUPIL_RAD,
    SOCKET_BOXES,
    TEETH_BOXES,
    TONGUE_BOX,
)

_SKIN, _GUM, _TOOTH = (198, 152, 130), (186, 108, 104), (238, 230, 217)
_WHITE, _IRIS, _PUPIL = (228, 222, 216), (96, 68, 46), (10, 8, 8)
_SEED = 7


def paint(size: int) -> ByteArray:
    """(size, size, 3) uint8 RGB atlas, row 0 at v = 1."""
    row, column = np.mgrid[:size, :size]
    u, v = (column + 0.5) / size, 1 - (row + 0.5) / size
    image = np.empty((size, size, 3))
    image[:] = _SKIN
    for u0, v0, u1, v1 in SOCKET_BOXES.values():
        inside = (u >= u0 - 0.004) & (u <= u1 + 0.004) & (v >= v0 - 0.01) & (v <= v1 + 0.01)
        depth = np.clip((v1 - v) / (v1 - v0), 0, 1)[inside]
        image[inside] = _gradient(
            depth, (0.0, 0.2, 0.5, 1.0), ((191, 134, 117), (192, 126, 113), (177, 102, 94), (100, 49, 47))
        )
    for cu, cv, radius in EYE_CHARTS.values():
        _paint_eye(image, u, v, (cu, cv, radius))
    inside = (u > 0.35) & (u < 0.55) & (v < 0.18)
    depth = np.clip((MOUTH_BOX[3] - v) / (MOUTH_BOX[3] - MOUTH_BOX[1]), 0, 1)[inside]
    colours = ((180, 106, 100), (172, 92, 88), (146, 62, 62), (120, 46, 48), (62, 20, 22), (28, 8, 9))
    image[inside] = _gradient(depth, (0.0, 0.13, 0.38, 0.6, 0.8, 1.0), colours)
    inside = (u > 0.55) & (u < 0.69) & (v < 0.18)
    _paint_tongue(image, inside, u, v)
    for name, (u0, v0, u1, v1) in TEETH_BOXES.items():
        inside = (u > u0 - 0.008) & (u < u1 + 0.008) & (v > v0 - 0.005) & (v < v1 + 0.005)
        _paint_teeth(image, inside, np.clip((u - u0) / (u1 - u0), 0, 1), np.clip((v1 - v) / (v1 - v0), 0, 1), name)
    return np.clip(image, 0, 255).astype(np.uint8)


def _gradient(at: DoubleArray, stops: tuple[float, ...], colours: tuple[tuple[int, int, int], ...]) -> DoubleArray:
    """(n, 3) colours at places (n,) between stops."""
    table = np.array(colours, float)
    return np.stack([np.interp(at, stops, table[:, c]) for c in range(3)], -1)


def _noise(size: int, sigma: float, aspect: float = 1.0) -> DoubleArray:
    """(size, size) smooth noise of unit deviation, ``aspect`` times longer along the rows."""
    import cv2

    grain = np.random.default_rng(_SEED).normal(size=(size, size))
    smooth = np.asarray(cv2.GaussianBlur(grain, (0, 0), sigmaX=sigma * aspect, sigmaY=sigma), float)
    return np.asarray(smooth / smooth.std())


def _step(value: DoubleArray, edge: float, soft: float) -> DoubleArray:
    """0 below the edge, 1 above, smooth over ``soft``."""
    t = np.clip((value - edge) / soft + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _paint_eye(image: DoubleArray, u: DoubleArray, v: DoubleArray, chart: tuple[float, float, float]) -> None:
    inside = np.hypot(u - chart[0], v - chart[1]) < chart[2] * 1.05
    x, y = (u[inside] - chart[0]) / chart[2], (v[inside] - chart[1]) / chart[2]
    polar = np.interp(np.hypot(x, y), (0, IRIS_SHARE, 1), (0, IRIS_RAD, CHART_RAD))
    angle = np.arctan2(y, x)
    radial = np.clip(polar / IRIS_RAD, 0, 1)  # 0 middle .. 1 limbus
    away = np.clip((polar - IRIS_RAD) / (CHART_RAD - IRIS_RAD), 0, 1)
    image[inside] = _blend(_white(away, angle), _iris(radial, angle), _step(polar, IRIS_RAD - 0.01, 0.075))


def _blend(outer: DoubleArray, inner: DoubleArray, share: DoubleArray) -> DoubleArray:
    return np.asarray(share[:, None] * outer + (1 - share[:, None]) * inner)


def _white(away: DoubleArray, angle: DoubleArray) -> DoubleArray:
    """The sclera: bluish beside the limbus, redder towards the corners, with faint vessels."""
    rng = np.random.default_rng(_SEED)
    vessels = np.zeros_like(away)
    for _ in range(26):
        wander = rng.uniform(-np.pi, np.pi) + 0.12 * np.sin(rng.uniform(6, 14) * away + rng.uniform(0, 6))
        across = np.angle(np.exp(1j * (angle - wander)))
        vessels = np.maximum(vessels, np.exp(-((across / 0.012) ** 2)) * rng.uniform(0.3, 1.0))
    sideways = np.abs(np.cos(angle)) ** 2
    red = np.clip(away * 1.4, 0, 1) ** 1.5 * (0.35 + 0.65 * sideways) + 0.35 * vessels * np.clip(3 * away - 0.25, 0, 1)
    white = np.array(_WHITE) - red[:, None] * np.array([16, 62, 62])
    return np.asarray(white - np.exp(-((away / 0.08) ** 2))[:, None] * np.array([16, 10, 4]))


def _iris(radial: DoubleArray, angle: DoubleArray) -> DoubleArray:
    """Fibres, a lighter collarette round the pupil, a dark ring at the limbus."""
    rng = np.random.default_rng(_SEED)
    fibres = np.zeros_like(radial)
    for count in (29, 47, 83, 131):
        bend = 0.7 * np.sin(count / 9 * radial + rng.uniform(0, 6)) / np.sqrt(count)
        fibres += np.cos(count * (angle + bend) + rng.uniform(0, 6)) * rng.uniform(0.7, 1.0)
    crypts = np.clip(np.cos(11 * angle + 2.0 * np.sin(3 * angle)) * np.cos(7 * angle + 1.0) - 0.35, 0, 1)
    pupil_at = PUPIL_RAD / IRIS_RAD
    collarette = np.exp(-(((radial - 0.5 - 0.03 * np.sin(9 * angle)) / 0.09) ** 2))
    tone = (
        0.92
        + 0.075 * fibres * np.clip((radial - pupil_at) / 0.2, 0, 1)
        - 0.28 * crypts * (radial > 0.55) * (1 - radial)
    )
    tone += 0.22 * collarette - 0.12 * _step(radial, 0.36, 0.1) * (radial < 0.42)
    tone *= 1 - 0.62 * _step(radial, 0.93, 0.2)  # limbus
    warmth = np.stack([1 + 0.10 * collarette, 1 + 0.03 * collarette, 1 - 0.08 * collarette], -1)
    iris = np.array(_IRIS) * tone[:, None] * warmth
    return _blend(iris, np.broadcast_to(np.array(_PUPIL, float), iris.shape), _step(radial, pupil_at, 0.05))


def _paint_tongue(image: DoubleArray, inside: np.ndarray, u: DoubleArray, v: DoubleArray) -> None:
    u0, v0, u1, v1 = TONGUE_BOX
    t = 2 * np.clip((u[inside] - u0) / (u1 - u0), 0, 1) - 1
    s = np.clip((v[inside] - v0) / (v1 - v0), 0, 1)
    papillae = _noise(len(u), 1.1)[inside] * 0.6 + _noise(len(u), 3.0)[inside] * 0.4
    colour = _gradient(np.abs(t), (0.0, 0.5, 1.0), ((196, 124, 120), (194, 112, 110), (172, 84, 86)))
    furrow = np.exp(-((t / 0.06) ** 2)) * np.clip(s / 0.2, 0, 1)
    colour *= (1 + 0.05 * papillae - 0.22 * furrow)[:, None]
    image[inside] = colour * (1 - 0.25 * s[:, None])


def _paint_teeth(image: DoubleArray, inside: np.ndarray, s: DoubleArray, t: DoubleArray, row: str) -> None:
    """S along the arch, t from the gum (0) to the inside (1)."""
    s, t = s[inside], t[inside]
    edges = mouth_parts.tooth_edges(row)
    tooth = np.clip(np.searchsorted(edges, s) - 1, 0, len(edges) - 2)
    within = (s - edges[tooth]) / (edges[tooth + 1] - edges[tooth])
    beside = 1 - np.abs(2 * within - 1)  # 0 at the neighbours
    number = np.abs(tooth - 6.5) - 0.5  # 0 the middle ones
    crown = np.clip((t - mouth_parts.GUM_ROW) / (0.74 - mouth_parts.GUM_ROW), 0, 1)  # 0 neck .. 1 edge
    tint = np.array([1.0, 0.995, 0.98]) - np.where(number == 2, 1.0, np.clip(number - 2, 0, 3) * 0.25)[:, None] * (
        np.array([0.02, 0.03, 0.055])
    )
    tooth_colour = np.array(_TOOTH) * tint
    tooth_colour -= (1 - crown)[:, None] ** 2 * np.array([8, 18, 34])  # yellower neck
    tooth_colour -= (np.clip(crown - 0.72, 0, 1) / 0.28)[:, None] * np.array([16, 11, 5])  # the edge lets light through
    tooth_colour *= 1 - 0.30 * np.exp(-((beside / 0.07) ** 2))[:, None]
    tooth_colour *= 1 - 0.45 * _step(t, 0.85, 0.16)[:, None]
    gum = (
        np.array(_GUM)
        * (1 - 0.10 * np.exp(-((beside / 0.3) ** 2)))[:, None]
        * (0.82 + 0.18 * t / mouth_parts.GUM_ROW)[:, None]
    )
    image[inside] = _blend(tooth_colour, gum, _step(t, mouth_parts.GUM_ROW, 0.025))
