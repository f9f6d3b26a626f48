"""What fills the holes of the skin: eyeballs, eye sockets, the mouth's lining, teeth and tongue, each with its own chart.

A vertex of a part is tied to the cage's control points: position = A c + offset, where c is the neutral cage plus ``follow``
times its expression, plus an own motion per shape (eyeballs turn, lower teeth and tongue go with the jaw).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import expressions
from engine.arrays import ByteArray, DoubleArray, FloatArray, IntArray
from engine.training import gaze
from engine.training.anthropometry import EYE_CENTRE_MM, EYE_RADIUS_MM

_IRIS_RAD = np.arcsin(5.9 / EYE_RADIUS_MM)  # visible iris 11.8 mm across
_PUPIL_RAD = np.arcsin(1.9 / EYE_RADIUS_MM)
_CHART_RAD = np.radians(110)  # polar angle at the edge of the eye's disc in the chart


@dataclass(frozen=True, slots=True, eq=False)
class PartMesh:
    """One part on the template."""

    name: str
    kind: str
    anchors: DoubleArray
    """(n, 468) rows that sum to 1: dependence on the control points."""
    offsets: DoubleArray
    """(n, 3) mm."""
    follow: DoubleArray
    """(n,) 1 = moves with the cage's expression, 0 = only with identity."""
    motion: DoubleArray
    """(51, n, 3) mm: own motion per shape."""
    faces: IntArray
    uvs: DoubleArray
    """(n, 2), one per vertex."""


def _grid_faces(rows: int, columns: int, *, closed: bool, flip: bool = False) -> IntArray:
    """Two triangles a cell of a (rows, columns) grid; ``closed`` joins the last column to the first."""
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.concatenate([index, index[:, :1]], 1)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    faces = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).astype(np.int32)
    return faces[:, ::-1].copy() if flip else faces


def _still(n: int) -> DoubleArray:
    return np.zeros((len(expressions.SHAPES), n, 3))


def eye(side: str, rim_anchor: DoubleArray, template: DoubleArray, chart: tuple[float, float, float]) -> PartMesh:
    """An eyeball of 12 mm radius with the pole in front; ``rim_anchor`` (468,) averages the lids. chart = u, v, radius."""
    sign = -1.0 if side == "Right" else 1.0
    centre = EYE_CENTRE_MM * (-sign, 1, 1)
    angles = np.concatenate([np.linspace(0, _IRIS_RAD, 6)[1:], np.linspace(_IRIS_RAD, np.radians(150), 15)[1:]])
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    polar, around = np.meshgrid(angles, turn, indexing="ij")
    ball = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1).reshape(-1, 3)
    ball = np.concatenate([[[0.0, 0.0, 1.0]], ball]) * EYE_RADIUS_MM
    rings = _grid_faces(len(angles), len(turn), closed=True) + 1
    cap = np.stack(
        [np.zeros(len(turn), np.int32), 1 + np.arange(len(turn)), 1 + (np.arange(len(turn)) + 1) % len(turn)], -1
    )
    radius = np.concatenate([[0.0], polar.ravel()]) / _CHART_RAD
    direction = np.concatenate([[0.0], around.ravel()])
    radius = np.minimum(radius, 1.0) * chart[2]
    uvs = np.stack([chart[0] + radius * np.cos(direction), chart[1] + radius * np.sin(direction)], -1)
    return PartMesh(
        name=f"eye_{side.lower()}",
        kind="eye",
        anchors=np.tile(rim_anchor, (len(ball), 1)),
        offsets=ball + centre - rim_anchor @ template,
        follow=np.zeros(len(ball)),
        motion=gaze.motion(ball, side),
        faces=np.concatenate([cap, rings]).astype(np.int32),
        uvs=uvs,
    )


def _tube(
    name: str,
    kind: str,
    rim: DoubleArray,
    back: DoubleArray,
    steps: list[tuple[float, tuple[float, float, float], float]],
    box: tuple[float, float, float, float],
) -> PartMesh:
    """Rings that start on a rim of the skin and run inwards.

    Args:
        name: of the part.
        kind: its look.
        rim: (n, 468) anchors of the rim's vertices, in order around it.
        back: (468,) anchor of the point that the rings close in on.
        steps: per ring the share of ``back``, an offset in mm, and how far it follows the expression.
        box: u0, v0, u1, v1 of the chart.
    """
    n = len(rim)
    anchors, offsets, follow, uvs = [], [], [], []
    around = np.linspace(0, 1, n, endpoint=False)
    for k, (share, offset, follows) in enumerate(steps):
        anchors.append((1 - share) * rim + share * back)
        offsets.append(np.tile(offset, (n, 1)))
        follow.append(np.full(n, follows))
        depth = k / (len(steps) - 1)
        uvs.append(np.stack([box[0] + around * (box[2] - box[0]), np.full(n, box[3] - depth * (box[3] - box[1]))], -1))
    return PartMesh(
        name=name,
        kind=kind,
        anchors=np.concatenate(anchors),
        offsets=np.concatenate(offsets),
        follow=np.concatenate(follow),
        motion=_still(n * len(steps)),
        faces=_grid_faces(len(steps), n, closed=True, flip=True),
        uvs=np.concatenate(uvs),
    )


def socket(side: str, rim: DoubleArray, box: tuple[float, float, float, float]) -> PartMesh:
    """The lid's thickness and the pocket behind it, from the rim around the eyeball."""
    middle = rim.mean(0)
    steps = [
        (0.0, (0.0, 0.0, 0.0), 1.0),
        (0.0, (0.0, 0.0, -1.6), 1.0),
        (-0.1, (0.0, 0.0, -6.0), 0.8),
        (-0.1, (0.0, 0.0, -12.0), 0.6),
        (0.999, (0.0, 0.0, -16.0), 0.4),  # closes behind the eyeball
    ]
    return _tube(f"socket_{side.lower()}", "socket", rim, middle, steps, box)


def mouth_bag(rim: DoubleArray, box: tuple[float, float, float, float]) -> PartMesh:
    """The lining of the mouth, from the inner lips to the throat."""
    middle = rim.mean(0)
    steps = [
        (0.0, (0.0, 0.0, 0.0), 1.0),
        (0.02, (0.0, 0.0, -3.0), 1.0),
        (-0.05, (0.0, 0.0, -9.0), 0.95),
        (-0.1, (0.0, 0.0, -20.0), 0.9),
        (0.1, (0.0, -2.0, -34.0), 0.8),
        (0.6, (0.0, -3.0, -44.0), 0.6),
        (0.999, (0.0, -3.0, -46.0), 0.5),
    ]
    return _tube("mouth", "mouth", rim, middle, steps, box)


def _jaw_motion(points: DoubleArray, jaw: dict[str, DoubleArray]) -> DoubleArray:
    """(51, n, 3): rigid motion of the lower jaw for points that belong to it wholly."""
    motion = _still(len(points))
    for name, affine in jaw.items():
        motion[expressions.SHAPE_INDEX[name]] = np.concatenate([points, np.ones((len(points), 1))], 1) @ affine
    return motion


def teeth(
    row: str,
    lip_anchor: DoubleArray,
    box: tuple[float, float, float, float],
    template: DoubleArray,
    jaw: dict[str, DoubleArray],
) -> PartMesh:
    """A row of teeth with its gum as one curved band: the dental arch, 9 mm of crown."""
    upper = row == "upper"
    half_width, depth = (27.0, 34.0) if upper else (24.5, 31.0)
    across = np.linspace(-1, 1, 49)
    arch_x = half_width * np.sin(across * np.pi / 2 * 0.98)
    arch_z = -depth * (1 - np.cos(across * np.pi / 2 * 0.98)) ** 1.15
    lip = lip_anchor @ template
    # Profile of the band from the gum to the inside of the biting edge: (height from the edge, depth).
    profile = np.array(
        [(16.0, -3.0), (12.5, -0.6), (9.0, 0.4), (5.0, 0.6), (1.0, 0.0), (0.0, -1.2), (0.6, -3.2), (6.0, -7.0)]
    )
    direction = 1.0 if upper else -1.0
    edge_y = lip[1] - 3.5 if upper else lip[1] - 4.3
    edge_z = lip[2] - 6.5 if upper else lip[2] - 9.0
    points = np.empty((len(profile), len(across), 3))
    for k, (height, inset) in enumerate(profile):
        shrink = 1 + inset / half_width
        points[k, :, 0] = arch_x * shrink
        points[k, :, 1] = edge_y + direction * height
        points[k, :, 2] = edge_z + arch_z * shrink + inset
    flat = points.reshape(-1, 3)
    u = np.tile(np.linspace(box[0], box[2], len(across)), len(profile))
    v = np.repeat(np.linspace(box[3], box[1], len(profile)), len(across))
    return PartMesh(
        name=f"teeth_{row}",
        kind="mouth",
        anchors=np.tile(lip_anchor, (len(flat), 1)),
        offsets=flat - lip,
        follow=np.zeros(len(flat)),
        motion=_still(len(flat)) if upper else _jaw_motion(flat, jaw),
        faces=_grid_faces(len(profile), len(across), closed=False, flip=upper),
        uvs=np.stack([u, v], -1),
    )


def tongue(
    lip_anchor: DoubleArray, box: tuple[float, float, float, float], template: DoubleArray, jaw: dict[str, DoubleArray]
) -> PartMesh:
    """A resting tongue: a low dome behind the lower teeth."""
    rows, columns = 9, 15
    s, t = np.meshgrid(np.linspace(0, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    lip = lip_anchor @ template
    width = 19.0 * np.sqrt(np.clip(s * 2.6, 0, 1)) * (1 - 0.1 * s)
    height = 4.0 * np.sqrt(np.clip(1 - t**2, 0, 1)) * np.sqrt(np.clip(3 * s, 0, 1)) + 5.0 * s - 10.0
    points = np.stack([width * t, lip[1] + height, lip[2] - 14.0 - 30.0 * s], -1).reshape(-1, 3)
    uvs = np.stack([box[0] + (t + 1) / 2 * (box[2] - box[0]), box[1] + s * (box[3] - box[1])], -1).reshape(-1, 2)
    return PartMesh(
        name="tongue",
        kind="mouth",
        anchors=np.tile(lip_anchor, (len(points), 1)),
        offsets=points - lip,
        follow=np.zeros(len(points)),
        motion=_jaw_motion(points, jaw),
        faces=_grid_faces(rows, columns, closed=False, flip=True),
        uvs=uvs,
    )


# Charts of the parts: the strip below and the margin beside the skin's window.
EYE_CHARTS = {"Right": (0.09, 0.09, 0.08), "Left": (0.26, 0.09, 0.08)}
SOCKET_BOXES = {"Right": (0.005, 0.3, 0.045, 0.9), "Left": (0.05, 0.3, 0.09, 0.9)}
MOUTH_BOX = (0.36, 0.01, 0.54, 0.17)
TONGUE_BOX = (0.56, 0.01, 0.68, 0.17)
TEETH_BOXES = {"upper": (0.70, 0.095, 0.99, 0.17), "lower": (0.70, 0.01, 0.99, 0.085)}
_SKIN, _GUM, _TOOTH = (198, 152, 130), (176, 98, 96), (226, 216, 198)


def eye_charts() -> FloatArray:
    """(2, 4) float32: u, v, radius, iris radius of the right and the left eye's disc."""
    iris = _IRIS_RAD / _CHART_RAD
    return np.array([(u, v, r, r * iris) for u, v, r in EYE_CHARTS.values()], np.float32)


def paint(size: int) -> ByteArray:
    """(size, size, 3) uint8 RGB atlas: plain skin, eyes, lining, teeth and tongue."""
    row, column = np.mgrid[:size, :size]
    u, v = (column + 0.5) / size, 1 - (row + 0.5) / size
    image = np.empty((size, size, 3))
    image[:] = _SKIN
    for u0, v0, u1, v1 in SOCKET_BOXES.values():
        inside = (u >= u0 - 0.004) & (u <= u1 + 0.004) & (v >= v0 - 0.01) & (v <= v1 + 0.01)
        depth = np.clip((v1 - v) / (v1 - v0), 0, 1)[inside][:, None]
        image[inside] = (1 - depth) * np.array([176, 112, 98]) + depth * np.array([80, 36, 34])
    for cu, cv, radius in EYE_CHARTS.values():
        _paint_eye(image, u, v, (cu, cv, radius))
    inside = (u > 0.35) & (u < 0.55) & (v < 0.18)
    depth = np.clip((MOUTH_BOX[3] - v) / (MOUTH_BOX[3] - MOUTH_BOX[1]), 0, 1)[inside][:, None]
    image[inside] = (1 - depth**0.5) * np.array([168, 84, 80]) + depth**0.5 * np.array([46, 14, 16])
    inside = (u > 0.55) & (u < 0.69) & (v < 0.18)
    image[inside] = (178, 92, 92)
    for u0, v0, u1, v1 in TEETH_BOXES.values():
        inside = (u > u0 - 0.008) & (u < u1 + 0.008) & (v > v0 - 0.005) & (v < v1 + 0.005)
        _paint_teeth(image, inside, np.clip((u - u0) / (u1 - u0), 0, 1), np.clip((v1 - v) / (v1 - v0), 0, 1))
    return np.clip(image, 0, 255).astype(np.uint8)


def _paint_eye(image: DoubleArray, u: DoubleArray, v: DoubleArray, chart: tuple[float, float, float]) -> None:
    x, y = (u - chart[0]) / chart[2], (v - chart[1]) / chart[2]
    polar = np.hypot(x, y) * _CHART_RAD
    inside = polar < _CHART_RAD * 1.05
    angle = np.arctan2(y, x)

    def step(edge: float, soft: float) -> DoubleArray:
        return np.asarray(np.clip((polar - edge) / soft + 0.5, 0, 1))

    white = np.array([226, 219, 211]) - np.clip((polar - _IRIS_RAD) / 1.0, 0, 1)[..., None] * np.array([30, 60, 62])
    fibres = 0.5 + 0.5 * np.sin(41 * angle + 3 * np.sin(7 * angle)) * np.sin(23 * angle)
    radial = np.clip(polar / _IRIS_RAD, 0, 1)
    iris = np.array([92, 62, 40]) * (0.75 + 0.35 * fibres[..., None]) * (1.15 - 0.35 * radial[..., None] ** 4)
    limbus = step(_IRIS_RAD, 0.07)[..., None]
    colour = (1 - limbus) * iris + limbus * white
    ring = np.exp(-(((polar - _IRIS_RAD) / 0.05) ** 2))[..., None]
    colour = colour * (1 - 0.35 * ring)
    pupil = (1 - step(_PUPIL_RAD, 0.03))[..., None]
    image[inside] = ((1 - pupil) * colour + pupil * np.array([14, 11, 10]))[inside]


def _paint_teeth(image: DoubleArray, inside: np.ndarray, s: DoubleArray, t: DoubleArray) -> None:
    """S along the arch, t from the gum (0) to the inside (1)."""
    gum_edge = 0.20 + 0.05 * np.abs(np.sin(np.pi * 14 * s))
    gum = 1 / (1 + np.exp((t - gum_edge) / 0.012))
    gap = np.exp(-((np.sin(np.pi * 14 * s) / 0.12) ** 2)) * (t > 0.15)
    shade = np.clip(1 - 0.5 * np.clip(t - 0.72, 0, 1) / 0.28, 0, 1) * (1 - 0.35 * np.abs(2 * s - 1) ** 2)
    colour = gum[..., None] * np.array(_GUM) + (1 - gum[..., None]) * np.array(_TOOTH) * (1 - 0.45 * gap[..., None])
    image[inside] = (colour * shade[..., None])[inside]
