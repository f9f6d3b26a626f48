"""The statistical prior of identity: how faces differ, as modes with a standard deviation in mm.

Three sources are added as covariances of the 468 points:

- what the dense network's answers to warped portraits say (``distill``): how the parts of a face vary together, mostly
  globally; depth stretched by the known shallowness, the whole scaled to the published spread of the frontal measures;
- smooth variation without a preferred direction, over two reaches, which no few modes of a network span, and which also
  stands for what is not known of the mean face;
- local variation of nose, lips, chin, eyes, brows and cheekbones, in depth as well, sized by published SDs
  (``anthropometry.MEASURES``).

From the sum is taken what no face shows: lids that leave the eyeballs, which move with them, or sink into them; and how wide
the eyes stand open varies less, since most of what photos show of it is expression.
Most modes are exactly symmetric, a few small ones exactly odd: nobody's halves are quite alike.
The network's depth does not enter person by person: on rendered heads with known geometry its deviations from the mean do
not go with the true ones (median correlation over the points -0.03), so that depth comes from these covariances alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import DoubleArray, IntArray
from engine.training import anthropometry, distill
from engine.training.cage import EYE_INNER_R, EYE_OUTER_R, LID_LOWER_R, LID_UPPER_R, POINTS
from engine.training.handles import cotangent_laplacian

_FLIP = np.array([-1.0, 1.0, 1.0])
_DISTILLED = 0.65  # share of the published spread that the distilled covariance is scaled to; the rest is local
_SIZE_SD = 0.022
_DEPTH_STRETCH = 1.25  # the network's depth is 20-30 % too shallow
_SMOOTH = ((60.0, 0.8), (28.0, 0.55))
"""Reach and SD of the undirected variation, mm."""
_ODD_REACH_MM, _ODD_SD_MM = 40.0, 0.45
_ODD_SHARE = 0.12
"""Share of the modes that are odd."""
_LEAST_AREA = 0.3  # of the median: points in fine meshed parts count at least this much


_LID_SLACK, _LID_REACH_MM = (0.05, 0.25), 8.0
"""How freely a point's distance to the eyeball varies beside others 8 mm away, mm: one that touches it, and what each mm of
clearance adds."""
_FISSURE_SD_MM = 1.1
"""Of the height of the opened eye (Farkas 1994: men 10.4 +- 1.1, women 11.1 +- 1.2 mm). The other rules undo a part of it:
the finished modes have 1.6."""
_ROUNDS = 4
_CLEAR_MM = 7.0
"""Clearance from which the eyeball says nothing of a point."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Local variation around a place, both sides."""

    centre: tuple[float, float, float]
    """mm from subnasale."""
    size_mm: float
    reach_mm: float
    sd_mm: tuple[float, float, float]
    """Sideways, upwards, in depth."""


_PARTS = (
    _Part((0, 14, 8), 16, 12, (0.9, 1.1, 1.4)),  # nose
    _Part((0, -20, 0), 18, 14, (0.7, 0.6, 0.9)),  # lips
    _Part((0, -55, -5), 24, 22, (0.8, 1.2, 1.4)),  # chin
    _Part((31, 44, -20), 15, 14, (0.8, 0.6, 1.0)),  # eyes
    _Part((34, 67, -14), 20, 18, (0.5, 0.7, 0.9)),  # brows
    _Part((46, 15, -24), 22, 20, (0.5, 0.5, 1.3)),  # cheekbones
)


def _smooth(points: DoubleArray, reach: float, sd: tuple[float, float, float], parity: int) -> DoubleArray:
    """(468, 3, 468, 3) covariance of smooth fields, even (+1) or odd (-1) under reflection; ``sd`` away from the middle."""
    same = ((points[:, None] - points[None]) ** 2).sum(2)
    across = ((points[:, None] - (points * _FLIP)[None]) ** 2).sum(2)
    near, far = np.exp(-same / (2 * reach**2)), np.exp(-across / (2 * reach**2))
    covariance = np.zeros((POINTS, 3, POINTS, 3))
    for c in range(3):
        covariance[:, c, :, c] = sd[c] ** 2 * (near + parity * _FLIP[c] * far)
    return covariance


def _local(points: DoubleArray, part: _Part) -> DoubleArray:
    centre = np.array(part.centre, float)
    gap = np.minimum(*(((points - place) ** 2).sum(1) for place in (centre, centre * _FLIP)))
    inside = np.exp(-gap / (2 * part.size_mm**2))
    spread = _smooth(points, part.reach_mm, part.sd_mm, 1)
    return np.asarray(spread * inside[:, None, None, None] * inside[None, None, :, None])


def _distilled(samples: DoubleArray, template: DoubleArray) -> DoubleArray:
    """Covariance of the network's answers; their size, which the eyes' distance had set, is set by the whole face."""
    stretched = (samples - samples.mean(0)) * (1.0, 1.0, _DEPTH_STRETCH)
    laid = np.array([distill.turned_to(template + each, template, scale=True) for each in stretched]) - template
    laid -= laid.mean(0)
    flat = laid.reshape(len(laid), -1) * (_DISTILLED * distill.spread_factor(laid, template))
    return np.asarray(flat.T @ flat / (len(flat) - 1)).reshape(POINTS, 3, POINTS, 3)


def _size(template: DoubleArray) -> DoubleArray:
    """Whole faces differ in size, which one picture does not tell."""
    field = _SIZE_SD * (template - template.mean(0)).ravel()
    return np.asarray(np.outer(field, field)).reshape(POINTS, 3, POINTS, 3)


def _principal(covariance: DoubleArray, faces: IntArray, template: DoubleArray, count: int) -> DoubleArray:
    """(count, 468, 3) fields at one SD, the largest in the mean over the surface first."""
    area = cotangent_laplacian(template, faces)[1]
    root = np.sqrt(np.maximum(area, _LEAST_AREA * np.median(area))).repeat(3)
    matrix = covariance.reshape(3 * POINTS, 3 * POINTS) * root[:, None] * root
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = np.argsort(values)[::-1][:count]
    fields = vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0.0)) / root[:, None]
    return np.asarray(fields.T.reshape(count, POINTS, 3))


def _at_rest(covariance: DoubleArray, moving: DoubleArray) -> DoubleArray:
    """The covariance without the directions (n, 468, 3) in which expressions move."""
    directions, _ = np.linalg.qr(moving.reshape(len(moving), -1).T)
    flat = covariance.reshape(3 * POINTS, 3 * POINTS)
    flat = flat - directions @ (directions.T @ flat)
    return np.asarray(flat - (flat @ directions) @ directions.T).reshape(covariance.shape)


def _lid_keeper(template: DoubleArray, mirror: IntArray) -> DoubleArray:
    """Linear map (1404, 1404) that takes the lids' change of distance to the eyeballs out of a displacement field.

    The smoothest local change that does it, as kriging finds it from the distances: the rest of the face stays.
    """
    rim = [EYE_OUTER_R, EYE_INNER_R, *LID_UPPER_R, *LID_LOWER_R]
    away = template - anthropometry.EYE_CENTRE_MM
    distance = np.linalg.norm(away, axis=1)
    near = np.flatnonzero(distance - anthropometry.EYE_RADIUS_MM < _CLEAR_MM)
    rows = np.zeros((2, len(near), POINTS, 3))
    for k, point in enumerate(near):
        outwards = away[point] / distance[point]
        rows[0, k, rim] -= outwards / len(rim)  # the eyeball moves with the mean of its lids
        rows[0, k, point] += outwards
    rows[1][:, mirror] = rows[0] * _FLIP
    seen = rows.reshape(2 * len(near), -1)
    slack = _LID_SLACK[0] + _LID_SLACK[1] * np.maximum(distance[near] - anthropometry.EYE_RADIUS_MM - 1.0, 0.0)
    local = _smooth(template, _LID_REACH_MM, (1.0, 1.0, 1.0), 1).reshape(3 * POINTS, -1) @ seen.T
    return np.asarray(np.eye(3 * POINTS) - local @ np.linalg.solve(seen @ local + np.diag(np.tile(slack**2, 2)), seen))


def _fissure_keeper(template: DoubleArray, mirror: IntArray, covariance: DoubleArray) -> DoubleArray:
    """Linear map (1404, 1404) after which the eyes' height varies by ``_FISSURE_SD_MM`` at most; it moves the lids only."""
    row = np.zeros((POINTS, 3))
    for rim, sign in ((LID_UPPER_R, 0.5), (LID_LOWER_R, -0.5)):
        middle = np.array(rim[len(rim) // 4 : -(len(rim) // 4)])
        for side in (middle, mirror[middle]):
            row[side, 1] += sign / len(middle)
    height = row.ravel()
    variance = float(height @ covariance.reshape(3 * POINTS, -1) @ height)
    share = max(0.0, 1.0 - _FISSURE_SD_MM / np.sqrt(max(variance, 1e-12)))
    local = _smooth(template, _LID_REACH_MM, (1.0, 1.0, 1.0), 1).reshape(3 * POINTS, -1) @ height
    return np.asarray(np.eye(3 * POINTS) - share * np.outer(local, height) / (height @ local))


def _of_parity(fields: DoubleArray, mirror: IntArray, parity: int) -> DoubleArray:
    return np.asarray((fields + parity * (fields * _FLIP)[:, mirror]) / 2)


def identity_modes(
    samples: DoubleArray, template: DoubleArray, faces: IntArray, mirror: IntArray, moving: DoubleArray, count: int
) -> distill.Modes:
    """Modes of the summed covariance, by size.

    Args:
        samples: (n, 468, 3) mm, ``distill.responses``.
        template: (468, 3) mm, exactly symmetric.
        faces: of the cage.
        mirror: partner of each point.
        moving: (n, 468, 3) mm, symmetric motions that are expression and never identity.
        count: even and odd modes together.
    """
    even = _distilled(samples, template) + _size(template)
    for reach, sd in _SMOOTH:
        even += _smooth(template, reach, (sd, sd, sd), 1)
    for part in _PARTS:
        even += _local(template, part)
    odd = _smooth(template, _ODD_REACH_MM, (_ODD_SD_MM,) * 3, -1)
    closer = distill.lip_closer(template, mirror)  # how far the mouth stands open is expression
    keeper = _lid_keeper(template, mirror)
    odd_count = round(_ODD_SHARE * count)
    kinds = []
    for covariance, number, parity in ((even, count - odd_count, 1), (odd, odd_count, -1)):
        shut = np.einsum("ab,bcde->acde", closer, covariance)
        shut = np.einsum("ab,dcbe->dcae", closer, shut)
        for _ in range(_ROUNDS if parity > 0 else 1):  # each undoes a little of the others
            for kept in (_fissure_keeper(template, mirror, shut), keeper):
                shut = (kept @ shut.reshape(3 * POINTS, -1) @ kept.T).reshape(shut.shape)
            if parity > 0:
                shut = _at_rest(shut, moving)
        fields = _principal(shut, faces, template, number)
        kinds.append(_of_parity(np.einsum("ab,kbc->kac", closer, fields), mirror, parity))  # at last: lips that touch
    fields = np.concatenate(kinds)
    size = np.sqrt((fields**2).sum(2).mean(1))
    fields, size = fields[np.argsort(-size)], np.sort(size)[::-1]
    steady = fields.reshape(count, -1)
    sign = np.sign(steady[np.arange(count), np.abs(steady).argmax(1)])  # reproducible across LAPACK builds
    return distill.Modes(fields * sign[:, None, None], size, size**2 / float(np.einsum("acac->", even + odd)) * POINTS)


def is_even(direction: DoubleArray, mirror: IntArray) -> bool:
    """Whether a mode (468, 3) keeps a symmetric face symmetric."""
    return bool(np.abs((direction * _FLIP)[mirror] - direction).max() < 1e-6)


def measure_spread(modes: distill.Modes, template: DoubleArray) -> list[tuple[str, float, float]]:
    """Rows (measure, published SD, SD of the modes) mm."""
    rows = []
    for measure in anthropometry.MEASURES:
        slopes = [
            (measure.of(template + 0.5 * field) - measure.of(template - 0.5 * field)) for field in modes.directions
        ]
        rows.append((measure.name, measure.sd_mm, float(np.linalg.norm(slopes))))
    return rows
