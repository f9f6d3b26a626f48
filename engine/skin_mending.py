"""Eyes, mouth and nose in the skin's texture: lids and lips where the photo shows something else, and clean borders."""

from __future__ import annotations

import numpy as np

from engine.arrays import ByteArray, FloatArray, IntArray
from engine.dense_points import EYE_RIMS, INNER_LIPS, LIPS, NOSTRILS, ORBITS, UPPER_RIM
from engine.fields import blurred, disc, distance_inside, push_pull, smoothstep
from engine.rasterize import WHOLE_SQUARE, other_parts_mask, uv_points_px
from engine.types import SkinTexture, Topology

# Width (standard deviation, mm) and strength of the lines.
_UPPER_LASHES, _LOWER_LASHES, _LIP_LINE = (0.60, 0.85), (0.32, 0.40), (0.40, 0.38)
_LIDS_FADE = 0.09  # way over which lid skin passes into what is around, as a share of the orbit's width
_LASHES_REACH = 0.07  # beyond the hidden eye, as a share of the orbit's width
_LASHES_RANGE = (0.62, 0.78)  # tones over the skin's: lashes, not lashes
_LASHES_TONE = (0.24, 0.19, 0.17)  # of the skin: nearly black, a little warm
_LIPS_TONE = (0.52, 0.36, 0.36)
_NOSTRIL_TONE = (0.28, 0.18, 0.16)
_NOSTRIL_SOFT_MM = 0.8
_SEEN = (0.05, 0.35)  # visibility from which the photo's own colour counts, and where it stays as it is
_FEWEST_SEEN = 0.06  # share of a lip from which the rest is coloured
_UPPER_OVER_LOWER = (0.94, 0.88, 0.90)  # an unseen upper lip: a little darker than the lower one
_LIP_OVER_SKIN = (0.82, 0.66, 0.68)  # lips that are not seen at all
_LIP_INSIDE = (1.0, 0.95, 0.96)  # of a lip seen in part: where it is moist it is redder
# Lid skin against the skin around the eye: darker is lash, brow or crease, lighter a highlight.
_LID_RANGE = (0.68, 0.82, 1.12, 1.3)
_GRAIN_PX = 128
_MOST_GRAIN = 6.0  # grey levels


def mended(texture: SkinTexture, topology: Topology, neutral: FloatArray, dense_vertices: IntArray) -> SkinTexture:
    """The same texture with lids, lips and nostrils completed.

    Args:
        texture: the photo in UV space, without eyes, lashes and the inside of the mouth.
        topology: where the skin lies in it.
        neutral: (V, 3) float32 mm: for the texture's scale.
        dense_vertices: (468,) int32 vertex of each dense point.
    """
    image = texture.image.copy()
    chart = _Chart(topology, neutral, dense_vertices, len(image))
    known = smoothstep(_over_square(texture.visibility, texture, topology), *_SEEN)
    mirrored = smoothstep(_over_square(texture.visibility[:, ::-1], texture, topology), *_SEEN)  # charts are symmetric
    grain = _grain(image, known)
    _roughen(image, np.maximum(known, _painted(topology, len(image))), grain)
    for orbit in ORBITS:
        _fill_lids(image, chart.px[list(orbit)], np.maximum(known, mirrored), grain)
    _fill_lips(image, [chart.px[[*outer, *inner[::-1]]] for outer, inner in LIPS], known, grain)
    for rim in EYE_RIMS:
        _line(image, chart, rim[:UPPER_RIM], *_UPPER_LASHES, _LASHES_TONE)
        _line(image, chart, (*rim[UPPER_RIM - 1 :], rim[0]), *_LOWER_LASHES, _LASHES_TONE)
    for lip in (INNER_LIPS[:11], (*INNER_LIPS[10:], INNER_LIPS[0])):
        _line(image, chart, lip, *_LIP_LINE, _LIPS_TONE)
    for nostril in NOSTRILS:
        _nostril(image, chart, nostril)
    return SkinTexture(image, texture.visibility.copy())


class _Chart:
    """Dense points in texture px, and the texture's scale beside them."""

    def __init__(self, topology: Topology, neutral: FloatArray, dense_vertices: IntArray, size: int) -> None:
        uv_of_vertex = np.zeros(topology.vertex_count, np.int32)
        skin = slice(*topology.skin.faces)
        uv_of_vertex[topology.faces[skin]] = topology.uv_faces[skin]
        self.px = uv_points_px(topology.uvs, WHOLE_SQUARE, size)[uv_of_vertex[dense_vertices]]
        self.mm = neutral[dense_vertices]

    def px_per_mm(self, points: tuple[int, ...]) -> float:
        at = list(points)
        return float(np.ptp(self.px[at], axis=0).max() / max(float(np.ptp(self.mm[at], axis=0).max()), 1e-3))


def _over_square(field: FloatArray, texture: SkinTexture, topology: Topology) -> FloatArray:
    """(S, S) float32: a field over the window, such as the visibility, over the whole texture."""
    import cv2

    size, window, n = len(texture.image), topology.window, len(field)
    step = np.array([n / (window.u1 - window.u0), n / (window.v1 - window.v0)]) / size
    start = np.array([-window.u0, window.v1 - 1.0]) * step * size + 0.5 * step - 0.5
    from_texture = np.array([[step[0], 0.0, start[0]], [0.0, step[1], start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(field), from_texture, (size, size), flags=flags), np.float32)


def _grain(image: ByteArray, known: FloatArray) -> FloatArray:
    """(128, 128) float32 grey levels: noise as strong as the seen skin's, without which filled skin looks like wax."""
    rng = np.random.default_rng(0)
    noise = blurred(rng.normal(size=(_GRAIN_PX, _GRAIN_PX)).astype(np.float32), 0.8)
    middle = slice(len(image) // 4, 3 * len(image) // 4, 1)
    grey = image[middle, middle].mean(2, dtype=np.float32)
    sure = known[middle, middle] > 0.99
    if not sure.any():
        return np.zeros_like(noise)
    strength = 1.5 * float(np.median(np.abs(grey - blurred(grey, 1.5))[sure]))  # of a normal distribution
    return np.asarray(noise * (min(strength, _MOST_GRAIN) / noise.std()), np.float32)


def _painted(topology: Topology, size: int) -> FloatArray:
    """(S, S) float32: 1 where eyes, teeth and lining lie, with a margin."""
    import cv2

    other = cv2.dilate(other_parts_mask(topology, size // 4).astype(np.uint8), disc(3))
    return np.asarray(cv2.resize(other, (size, size), interpolation=cv2.INTER_NEAREST), np.float32)


def _roughen(image: ByteArray, known: FloatArray, grain: FloatArray) -> None:
    """Grain on all that the photo does not show."""
    for top in range(0, len(image), _GRAIN_PX):
        rows = slice(top, top + _GRAIN_PX)
        noise = np.tile(grain, (1, -(-image.shape[1] // _GRAIN_PX)))[: len(image) - top, : image.shape[1]]
        rough = image[rows] + (noise * (1.0 - known[rows]))[..., None]
        image[rows] = np.clip(rough + 0.5, 0, 255).astype(np.uint8)


def _fill_lids(image: ByteArray, outline: FloatArray, known: FloatArray, grain: FloatArray) -> None:
    """Give what was hidden by the open eye the colours of the lids around it; ``known`` skin may be the other eye's."""
    rows, columns, local = _window(outline, 6, len(image))
    part = image[rows, columns]
    orbit, seen = _polygon(local, part.shape), known[rows, columns]
    usual = (orbit > 0) & (seen > 0.9)
    if np.count_nonzero(usual) < _FEWEST_SEEN * orbit.sum():
        return
    grey = part.mean(2, dtype=np.float32)
    below = usual & (np.arange(len(part))[:, None] > local[:, 1].mean())  # a low brow may be most of the rest
    tone = grey / max(float(np.median(grey[below if below.any() else usual])), 1.0)
    skin = smoothstep(tone, *_LID_RANGE[:2]) * (1.0 - smoothstep(tone, *_LID_RANGE[2:]))
    if (seen * orbit * skin).sum() < _FEWEST_SEEN * orbit.sum():
        return
    hidden = np.maximum(1.0 - seen, _lashes(tone, orbit * (1.0 - seen), outline))
    _replace(part, seen * orbit * skin, _faded(orbit, _LIDS_FADE * float(np.ptp(outline[:, 0]))) * hidden, grain)


def _faded(mask: FloatArray, reach: float) -> FloatArray:
    """The mask (h, w) without its hard edge: it rises from 0 at its border to 1 ``reach`` px inside."""
    return smoothstep(distance_inside((mask > 0).astype(np.uint8)), 0.0, max(reach, 1.0))


def _lashes(tone: FloatArray, hidden: FloatArray, outline: FloatArray) -> FloatArray:
    """Dark rim of the open eye that lies beyond what was hidden: lashes and their shadow, (h, w) in [0, 1]."""
    import cv2

    reach = max(1, round(_LASHES_REACH * float(np.ptp(outline[:, 0]))))
    beside = cv2.dilate((hidden > 0.5).astype(np.float32), disc(reach))
    return np.asarray(beside * (1.0 - smoothstep(tone, *_LASHES_RANGE)), np.float32)


def _fill_lips(image: ByteArray, outlines: list[FloatArray], known: FloatArray, grain: FloatArray) -> None:
    """Give what was not seen of a lip the colours of the same lip, else of the other one, else those of lips."""
    found: list[FloatArray | None] = []
    lips = []
    for outline in outlines:
        rows, columns, local = _window(outline, 4, len(image))
        lip = _polygon(local, image[rows, columns].shape)
        inner = lip * _shrunk(lip, max(1.0, 0.06 * float(np.ptp(outline[:, 1]))))
        weight = known[rows, columns] * inner
        enough = weight.sum() > _FEWEST_SEEN * lip.sum()
        found.append(_mean(image[rows, columns], weight) if enough else None)
        lips.append((rows, columns, lip, weight))
    factor = np.array(_UPPER_OVER_LOWER, np.float32)
    for k, (rows, columns, lip, weight) in enumerate(lips):
        part = image[rows, columns]
        hidden = blurred(lip, max(1.0, 0.07 * float(np.ptp(local[:, 1])))) * (1.0 - known[rows, columns])
        other = found[1 - k]
        if found[k] is not None:
            _replace(part, weight, hidden, grain, _LIP_INSIDE)
        elif other is not None:
            _mix(part, other * factor if k == 0 else np.minimum(other / factor, 255.0), hidden, grain)
        else:
            _mix(part, part.astype(np.float32) * np.array(_LIP_OVER_SKIN, np.float32), hidden, grain)


def _mean(part: ByteArray, weight: FloatArray) -> FloatArray:
    return np.asarray((part * weight[..., None]).sum((0, 1)) / weight.sum(), np.float32)


def _replace(
    part: ByteArray,
    weight: FloatArray,
    share: FloatArray,
    grain: FloatArray,
    tone: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> None:
    """Fill ``share`` of each pixel with ``tone`` times the colours of those with weight."""
    side = max(part.shape[:2])
    square = [(0, side - part.shape[0]), (0, side - part.shape[1])]
    colours = np.pad(part.astype(np.float32), [*square, (0, 0)])
    filled = push_pull(colours, np.pad(weight, square), np.zeros(3, np.float32))
    _mix(part, filled[: part.shape[0], : part.shape[1]] * np.array(tone, np.float32), share, grain)


def _mix(part: ByteArray, colour: FloatArray, share: FloatArray, grain: FloatArray) -> None:
    repeats = [-(-extent // _GRAIN_PX) for extent in part.shape[:2]]
    noise = np.tile(grain, repeats)[: part.shape[0], : part.shape[1], None]
    part[:] = np.clip(part + share[..., None] * (colour + noise - part) + 0.5, 0, 255).astype(np.uint8)


def _window(points: FloatArray, margin: float, size: int) -> tuple[slice, slice, FloatArray]:
    low = np.clip(np.floor(points.min(0) - margin), 0, size - 1).astype(int)
    high = np.clip(np.ceil(points.max(0) + margin) + 1, low + 1, size).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0]), points - low


def _polygon(outline: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    import cv2

    inside = np.zeros(shape[:2], np.float32)
    cv2.fillPoly(inside, [np.round(outline * 16 - 8).astype(np.int32)], 1.0, shift=4)
    return inside


def _shrunk(mask: FloatArray, radius: float) -> FloatArray:
    import cv2

    return np.asarray(cv2.erode(mask, disc(radius)), np.float32)


def _line(
    image: ByteArray, chart: _Chart, points: tuple[int, ...], width_mm: float, strength: float, tone: tuple[float, ...]
) -> None:
    """Darken along a line through the points, fading at its ends."""
    import cv2

    sigma = max(0.7, width_mm * chart.px_per_mm(points))
    rows, columns, local = _window(_rounded(chart.px[list(points)]), 4 * sigma, len(image))
    part = image[rows, columns]
    away = np.full(part.shape[:2], 255, np.uint8)
    cv2.polylines(away, [np.round(local * 16 - 8).astype(np.int32)], False, 0, 1, shift=4)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, 5)
    along = np.clip((np.arange(part.shape[1]) - local[:, 0].min()) / max(float(np.ptp(local[:, 0])), 1.0), 0, 1)
    share = strength * np.exp(-0.5 * (distance / sigma) ** 2) * np.sqrt(np.sin(np.pi * along))[None]
    _darken(part, np.asarray(share, np.float32), tone)


def _rounded(points: FloatArray) -> FloatArray:
    """A smooth curve through the points (Catmull-Rom): straight pieces would leave the lid's rim between them."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, 8, endpoint=False, dtype=np.float32)[:, None, None]
    a, b, c, d = (padded[i : len(padded) - 3 + i][None] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]]).astype(np.float32)


def _nostril(image: ByteArray, chart: _Chart, points: tuple[int, ...]) -> None:
    soft = max(0.7, _NOSTRIL_SOFT_MM * chart.px_per_mm(points))
    rows, columns, local = _window(chart.px[list(points)], 4 * soft, len(image))
    part = image[rows, columns]
    _darken(part, blurred(_polygon(local, part.shape), soft), _NOSTRIL_TONE)


def _darken(part: ByteArray, share: FloatArray, tone: tuple[float, ...]) -> None:
    """Towards ``tone`` times the skin around, never lighter than what is there."""
    around = np.median(part.reshape(-1, 3), axis=0) * np.array(tone)
    present = part.astype(np.float32)
    part[:] = (present + share[..., None] * (np.minimum(present, around) - present) + 0.5).astype(np.uint8)
