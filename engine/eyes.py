"""Eyes as the photo shows them: the colours of iris and white, and where they look."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray
from engine.camera import project, rotation_matrix
from engine.dense_points import EYE_RIMS
from engine.expressions import SHAPE_INDEX
from engine.types import EyeChart, Fit, Landmarks, Photo, Topology, WeakPerspective

_IRIS_MM = 5.9  # radius of the visible iris; it hardly differs between adults (Ruefer et al., Cornea 24, 2005)
_SMALLEST_IRIS_PX = 2.2
_ANNULUS = (0.42, 0.88)  # of the iris' radius: between pupil and limbus
_BESIDE = (1.2, 1.9)
_MIN_PIXELS = 6
_STEPS = 17  # places tried along each axis of the opening
_IRIS_TONES = (22.0, 190.0)  # mean grey that an iris can have in a picture
_WHITE_TONES = (95.0, 232.0)
_WHITE_COLOUR = 0.4  # how much of the measured hue of the white is taken: the rest is the light in the lids' shade
_PAINTED_WHITE, _PAINTED_SKIN = 200.0, 160.0  # whites or skin as bright as this leave the rest of the paint as it is
_CHEEKS = [50, 280, 101, 330, 205, 425, 36, 266]
_EXPOSURES = (0.62, 1.0)
_SHADED, _SHADED_WHITE = 1.12, 1.3  # eyes lie in the shade of lids and lashes, which the renderer draws again
_LOOK_RAD = {"Up": np.radians(25), "Down": np.radians(25), "In": np.radians(30), "Out": np.radians(30)}  # as the packs'
_CERTAIN_RAD = np.radians(3.0)  # looks nearer to straight ahead are taken as straight ahead
_HIGHEST_LOOK = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """One eye in the photo."""

    centre_px: FloatArray
    """(2,) middle of the iris, image px."""
    radius_px: float
    iris: FloatArray
    """(3,) sRGB 0..255."""
    white: FloatArray
    """(3,) sRGB 0..255."""
    pixels: int
    """Of the iris: how far the colours can be trusted."""


def read_eyes(photo: Photo, landmarks: Landmarks, camera: WeakPerspective) -> tuple[Eye | None, Eye | None]:
    """The person's right and left eye; None where an eye is closed, cut off or too small to read.

    Source: the iris is the disc of known size whose edge has the strongest step from dark to light inside the lids
    (integro-differential operator of Daugman, PAMI 15, 1993).
    """
    radius = _IRIS_MM * camera.scale_px_per_mm
    right, left = (_read(photo.image, landmarks.dense[list(rim)], radius) for rim in EYE_RIMS)
    return right, left


def toned_eyes(
    base: ByteArray, charts: tuple[EyeChart, ...], eyes: tuple[Eye | None, Eye | None], skin_grey: float
) -> ByteArray:
    """The painted atlas with iris and white in the photo's colours; without a readable eye it keeps its paint.

    Args:
        base: (S, S, 3) uint8 RGB, row 0 at v = 1.
        charts: where the eyes lie in it, the person's right eye first.
        eyes: as ``read_eyes`` found them.
        skin_grey: as ``skin_grey`` found it.
    """
    toned = base.copy()
    known = [eye for eye in eyes if eye is not None]
    if not known:
        return toned
    # Both eyes alike: shadow on one side against light on the other; a half hidden one counts less.
    trust = np.array([eye.pixels for eye in known], float)
    iris, white = (np.average([one(eye) for eye in known], axis=0, weights=trust) for one in (_iris_of, _white_of))
    S = base.shape[0]
    # The photo's exposure holds for teeth, gums and lids, too. Whites lie in shade, dark skin tells too little of it.
    exposure = max(float(white.mean()) / _PAINTED_WHITE, skin_grey / _PAINTED_SKIN)
    toned = np.asarray(toned * np.clip(exposure, *_EXPOSURES), np.uint8)
    for chart in charts:
        reach = 1.06 * chart.radius
        rows = slice(max(0, int((1 - chart.v - reach) * S)), int((1 - chart.v + reach) * S) + 2)
        columns = slice(max(0, int((chart.u - reach) * S)), int((chart.u + reach) * S) + 2)
        row, column = np.mgrid[rows.start : min(rows.stop, S), columns.start : min(columns.stop, S)]
        radius = np.hypot((column + 0.5) / S - chart.u, 1.0 - (row + 0.5) / S - chart.v)
        part = toned[rows, columns]
        on_iris = np.clip((1.02 - radius / chart.iris_radius) / 0.06, 0.0, 1.0)[..., None]
        inside = (radius < reach)[..., None]
        gain_iris = _gain(part, (radius > 0.42 * chart.iris_radius) & (radius < 0.85 * chart.iris_radius), iris)
        ring = (radius > 1.1 * chart.iris_radius) & (radius < 1.5 * chart.iris_radius)
        gain = on_iris * gain_iris + (1 - on_iris) * _gain(part, ring, white)
        part[:] = np.where(inside, np.clip(part * gain, 0, 255), part).astype(np.uint8)
    return toned


def skin_grey(photo: Photo, landmarks: Landmarks) -> float:
    """Mean grey (0..255) of the better lit cheek."""
    H, W = photo.image.shape[:2]
    x, y = np.clip(landmarks.dense[_CHEEKS], 0, (W - 1, H - 1)).astype(int).T
    return float(np.quantile(photo.image[y, x].mean(1), 0.7))


def with_gaze(found: Fit, eyes: tuple[Eye | None, Eye | None], topology: Topology, vertices: FloatArray) -> Fit:
    """The fit with the gaze shapes that turn the eyeballs to where the photo's eyes look.

    Both eyes look into one direction: what a face's own place of the eyeballs adds sideways is then cancelled. A fit's
    lids are left as they are.

    Args:
        found: pose, identity and expression.
        eyes: as ``read_eyes`` found them.
        topology: with parts ``eye_right`` and ``eye_left``.
        vertices: (V, 3) float32 mm, in the photo's expression.
    """
    balls = {part.name: vertices[slice(*part.vertices)] for part in topology.parts if part.kind == "eye"}
    turn = rotation_matrix(found.camera.rotation)
    looks = []
    for name, eye in zip(("eye_right", "eye_left"), eyes, strict=True):
        if eye is None or len(balls.get(name, ())) == 0:
            continue
        ball = balls[name]
        centre = ((ball.min(0) + ball.max(0)) / 2)[None]
        radius = float(np.linalg.norm(ball - centre, axis=1).max())
        offset = (eye.centre_px - project(found.camera, centre.astype(np.float32))[0]) / found.camera.scale_px_per_mm
        offset *= min(1.0, 0.8 * radius / max(float(np.linalg.norm(offset)), 1e-6))
        seen = np.array([offset[0], -offset[1], np.sqrt(radius**2 - (offset**2).sum())])
        along = turn.T @ seen  # model space
        looks.append((np.arctan2(along[0], along[2]), np.arcsin(along[1] / radius)))
    if not looks:
        return found
    sideways, upwards = (float(angle) for angle in np.mean(looks, axis=0))
    expression = found.expression.copy()
    for name, weight in _gaze_weights(sideways, upwards).items():
        expression[1 + SHAPE_INDEX[name]] = weight
    return replace(found, expression=expression)


def _gaze_weights(sideways_rad: float, upwards_rad: float) -> dict[str, float]:
    """Weights of the eight gaze shapes; sideways is positive towards the person's left."""

    def weight(angle: float, direction: str) -> float:
        return float(np.clip((angle - _CERTAIN_RAD) / (_LOOK_RAD[direction] - _CERTAIN_RAD), 0.0, _HIGHEST_LOOK))

    weights = {}
    for side, outwards in (("Left", sideways_rad), ("Right", -sideways_rad)):
        weights[f"eyeLookOut{side}"], weights[f"eyeLookIn{side}"] = weight(outwards, "Out"), weight(-outwards, "In")
        weights[f"eyeLookUp{side}"] = weight(upwards_rad, "Up")
        weights[f"eyeLookDown{side}"] = weight(-upwards_rad, "Down")
    return weights


def _read(image: ByteArray, rim: FloatArray, radius: float) -> Eye | None:
    import cv2

    low = np.floor(rim.min(0) - 2).astype(int)
    high = np.ceil(rim.max(0) + 3).astype(int)
    H, W = image.shape[:2]
    if radius < _SMALLEST_IRIS_PX or (low < 0).any() or high[0] > W or high[1] > H:
        return None
    part = image[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round((rim - low) * 8).astype(np.int32)], 1, shift=3)
    margin = max(1, round(radius / 7))  # lashes
    inside: BoolArray = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=margin) > 0
    if inside.sum() < _MIN_PIXELS:
        return None
    grey = part.mean(2)
    y, x = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    centre = _iris_centre(grey, inside, x, y, radius)
    if centre is None:
        return None
    away = np.hypot(x - centre[0], y - centre[1]) / radius
    ring = inside & (away > _ANNULUS[0]) & (away < _ANNULUS[1])
    beside = inside & (away > _BESIDE[0]) & (away < _BESIDE[1])
    if ring.sum() < _MIN_PIXELS or beside.sum() < _MIN_PIXELS:
        return None
    iris = _middle(part[ring], grey[ring], 0.15, 0.75)  # without lashes and without reflections
    white = _middle(part[beside], grey[beside], 0.6, 0.97)
    if iris.mean() > 0.92 * white.mean():
        return None  # closed, or behind a reflecting glass
    return Eye((centre + low + 0.5).astype(np.float32), radius, iris, white, int(ring.sum()))


def _iris_centre(grey: FloatArray, inside: BoolArray, x: FloatArray, y: FloatArray, radius: float) -> FloatArray | None:
    """Middle (2,) of the disc with the strongest dark-to-light step at its edge, px of the crop."""
    rows, columns = np.nonzero(inside)
    spread_x = np.linspace(columns.min(), columns.max(), _STEPS)
    spread_y = np.linspace(rows.mean() - 0.6 * radius, rows.mean() + 0.6 * radius, _STEPS)
    points = np.stack([x[inside], y[inside]], -1)
    # A catchlight on a dark iris must not count as white.
    values = np.minimum(grey[inside], np.percentile(grey[inside], 85))
    centres = np.stack(np.meshgrid(spread_x, spread_y), -1).reshape(-1, 1, 2)
    away = np.linalg.norm(points[None] - centres, axis=2) / radius
    within, around = (away < 0.95).astype(np.float32), ((away > 1.08) & (away < 1.5)).astype(np.float32)
    dark, light = within.sum(1), around.sum(1)
    step = around @ values / np.maximum(light, 1) - within @ values / np.maximum(dark, 1)
    # Few pixels make a lucky mean: trust grows with how much of disc and surroundings is open.
    trust = np.sqrt(np.minimum(dark, light) / (0.5 * radius**2 + 1))
    score = step * np.minimum(trust, 1.0)
    score[(dark < _MIN_PIXELS) | (light < _MIN_PIXELS)] = -np.inf
    best = score.argmax()
    if not np.isfinite(score[best]) or score[best] <= 2.0:
        return None
    near = score > 0.9 * score[best]
    weights = np.where(near & (np.linalg.norm(centres[:, 0] - centres[best, 0], axis=1) < 0.5 * radius), score, 0.0)
    return np.asarray((weights[:, None] * centres[:, 0]).sum(0) / weights.sum(), np.float32)


def _middle(colours: FloatArray, grey: FloatArray, low: float, high: float) -> FloatArray:
    """Mean colour (3,) of the pixels whose brightness lies between two quantiles."""
    bounds = np.quantile(grey, [low, high])
    chosen = (grey >= bounds[0]) & (grey <= bounds[1])
    return np.asarray(colours[chosen].mean(0), np.float32)


def _iris_of(eye: Eye) -> FloatArray:
    return _within(eye.iris * _SHADED, _IRIS_TONES)


def _white_of(eye: Eye) -> FloatArray:
    grey = eye.white.mean()
    return _within((grey + _WHITE_COLOUR * (eye.white - grey)) * _SHADED_WHITE, _WHITE_TONES)


def _within(colour: FloatArray, tones: tuple[float, float]) -> FloatArray:
    grey = float(colour.mean())
    return np.asarray(np.clip(colour * (np.clip(grey, *tones) / max(grey, 1.0)), 0.0, 255.0), np.float32)


def _gain(image: ByteArray, where: BoolArray, colour: FloatArray) -> FloatArray:
    """Factor (3,) that gives the chosen pixels the mean ``colour``; 1 where there are none."""
    if not where.any():
        return np.ones(3, np.float32)
    return np.asarray(colour / np.maximum(image[where].astype(np.float32).mean(0), 1.0), np.float32)
