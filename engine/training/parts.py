"""What fills the holes of the skin: eyeballs, eye sockets and the mouth's lining, each with its own chart.

A vertex of a part is tied to the cage's control points: position = A c + offset, where c is the neutral cage plus ``follow``
times its expression, plus an own motion per shape (eyeballs turn, lower teeth and tongue go with the jaw).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import expressions
from engine.arrays import DoubleArray, FloatArray, IntArray
from engine.training import cage as points
from engine.training import gaze
from engine.training.anthropometry import EYE_CENTRE_MM, EYE_RADIUS_MM

_SCLERA_MM = EYE_RADIUS_MM - 0.1  # the lids slide on the full radius
_CORNEA_BULGE_MM = 0.3  # less than nature's 1 mm, so that it clears the lids; the shader bends the normals fully
IRIS_RAD = float(np.arcsin(5.9 / EYE_RADIUS_MM))  # visible iris 11.8 mm across
PUPIL_RAD = float(np.arcsin(1.9 / EYE_RADIUS_MM))
CHART_RAD = float(np.radians(100))  # polar angle at the edge of the eye's disc in the chart
IRIS_SHARE = 0.5
"""Radius of the iris in the eye's disc: it gets more of the chart than of the ball."""


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


def grid_faces(rows: int, columns: int, *, closed: bool, flip: bool = False) -> IntArray:
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
    visible, hidden = np.linspace(IRIS_RAD, np.radians(95), 11), np.linspace(np.radians(95), np.radians(150), 3)
    angles = np.concatenate([np.linspace(0, IRIS_RAD, 6)[1:], visible[1:], hidden[1:]])
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    polar, around = np.meshgrid(angles, turn, indexing="ij")
    ball = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1).reshape(-1, 3)
    ball = np.concatenate([[[0.0, 0.0, 1.0]], ball])
    polar, around = np.concatenate([[0.0], polar.ravel()]), np.concatenate([[0.0], around.ravel()])
    ball *= (_SCLERA_MM + _CORNEA_BULGE_MM * np.clip(1 - (polar / IRIS_RAD) ** 2, 0, 1))[:, None]
    rings = grid_faces(len(angles), len(turn), closed=True) + 1
    cap = np.stack(
        [np.zeros(len(turn), np.int32), 1 + np.arange(len(turn)), 1 + (np.arange(len(turn)) + 1) % len(turn)], -1
    )
    radius = np.interp(polar, (0, IRIS_RAD, CHART_RAD), (0, IRIS_SHARE, 1)) * chart[2]
    uvs = np.stack([chart[0] + radius * np.cos(around), chart[1] + radius * np.sin(around)], -1)
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
    steps: list[tuple[float, DoubleArray, float]],
    box: tuple[float, float, float, float],
) -> PartMesh:
    """Rings that start on a rim of the skin and run inwards.

    Args:
        name: of the part.
        kind: its look.
        rim: (n, 468) anchors of the rim's vertices, in order around it.
        back: (468,) anchor of the point that the rings close in on.
        steps: per ring the share of ``back``, offsets (3,) or (n, 3) in mm, and how far it follows the expression.
        box: u0, v0, u1, v1 of the chart.
    """
    n = len(rim)
    anchors, offsets, follow, uvs = [], [], [], []
    around = np.linspace(0, 1, n, endpoint=False)
    for k, (share, offset, follows) in enumerate(steps):
        anchors.append((1 - share) * rim + share * back)
        offsets.append(np.broadcast_to(offset, (n, 3)))
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
        faces=grid_faces(len(steps), n, closed=True, flip=True),
        uvs=np.concatenate(uvs),
    )


def socket(side: str, rim: DoubleArray, template: DoubleArray, box: tuple[float, float, float, float]) -> PartMesh:
    """The lid's thickness and the conjunctiva: from the rim around the eyeball inwards until inside the ball.

    So no gap is left between lids and ball; what shows of it in the inner corner is the caruncle.
    """
    centre = EYE_CENTRE_MM * (1 if side == "Right" else -1, 1, 1)
    edge = rim @ template
    away = edge - centre
    outwards = away / np.linalg.norm(away, axis=1, keepdims=True)

    def inside(radius_mm: float, back_mm: float) -> DoubleArray:
        return np.asarray(centre + radius_mm * outwards - (0.0, 0.0, back_mm) - edge)

    thickness = np.array([0.0, 0.0, -1.0]) - 0.3 * outwards
    steps = [
        (0.0, np.zeros(3), 1.0),
        (0.0, thickness, 1.0),
        (0.0, 0.35 * thickness + 0.65 * inside(_SCLERA_MM - 0.3, 1.0), 0.97),
        (0.0, inside(_SCLERA_MM - 0.8, 2.0), 0.9),
        (0.0, inside(_SCLERA_MM - 4.0, 5.0), 0.6),
    ]
    return _tube(f"socket_{side.lower()}", "socket", rim, rim.mean(0), steps, box)


def mouth_bag(rim: DoubleArray, box: tuple[float, float, float, float], jaw: dict[str, DoubleArray]) -> PartMesh:
    """The lining of the mouth: the lips' thickness, the folds between lips and gums, palate and floor, throat."""
    # 1 on the upper lip, -1 on the lower one, through 0 in the corners: closed lips lie on each other.
    side = rim[:, points.INNER_UPPER[1:-1]].sum(1) - rim[:, points.INNER_LOWER[1:-1]].sum(1)
    up = np.stack([0 * side, side, 0 * side], -1)
    back = np.array([0.0, 0.0, -1.0])
    steps = [
        (0.0, np.zeros(3), 1.0),
        (-0.015, 1.8 * back + 0.4 * up, 1.0),
        (-0.045, 4.2 * back + 1.2 * up, 1.0),
        (-0.07, 6.0 * back + 4.5 * up, 1.0),
        (-0.1, 7.0 * back + 9.0 * up, 0.96),
        (-0.1, 15.0 * back + 15.0 * up, 0.95),
        (-0.05, 30.0 * back + 14.0 * up, 0.9),
        (0.3, 44.0 * back + 6.0 * up, 0.7),
        (0.999, 46.0 * back + np.array([0.0, -3.0, 0.0]), 0.5),
    ]
    lining = _tube("mouth", "mouth", rim, rim.mean(0), steps, box)
    # What hangs on the lower lip turns with the jaw, else it would come through the skin below the lip.
    lower = np.tile(np.maximum(-side, 0.0), len(steps))[:, None]
    lining.motion[expressions.SHAPE_INDEX["jawOpen"]] = lower * (lining.offsets @ jaw["jawOpen"][:3])
    return lining


def jaw_motion(points_mm: DoubleArray, jaw: dict[str, DoubleArray]) -> DoubleArray:
    """(51, n, 3): rigid motion of the lower jaw for points that belong to it wholly."""
    motion = _still(len(points_mm))
    for name, affine in jaw.items():
        motion[expressions.SHAPE_INDEX[name]] = np.concatenate([points_mm, np.ones((len(points_mm), 1))], 1) @ affine
    return motion


def hung(
    name: str,
    points_mm: DoubleArray,
    lip_anchor: DoubleArray,
    template: DoubleArray,
    jaw: dict[str, DoubleArray] | None,
    faces: IntArray,
    uvs: DoubleArray,
) -> PartMesh:
    """A rigid part inside the mouth at ``points_mm`` (n, 3), tied to the lips' middle; with ``jaw`` it goes along."""
    n = len(points_mm)
    return PartMesh(
        name=name,
        kind="mouth",
        anchors=np.tile(lip_anchor, (n, 1)),
        offsets=points_mm - lip_anchor @ template,
        follow=np.zeros(n),
        motion=_still(n) if jaw is None else jaw_motion(points_mm, jaw),
        faces=faces,
        uvs=uvs,
    )


# Charts of the parts: the strip below and the margin beside the skin's window.
EYE_CHARTS = {"Right": (0.09, 0.09, 0.08), "Left": (0.26, 0.09, 0.08)}
SOCKET_BOXES = {"Right": (0.005, 0.3, 0.045, 0.9), "Left": (0.05, 0.3, 0.09, 0.9)}
MOUTH_BOX = (0.36, 0.01, 0.54, 0.17)
TONGUE_BOX = (0.56, 0.01, 0.68, 0.17)
TEETH_BOXES = {"upper": (0.70, 0.095, 0.99, 0.17), "lower": (0.70, 0.01, 0.99, 0.085)}


def eye_charts() -> FloatArray:
    """(2, 4) float32: u, v, radius, iris radius of the right and the left eye's disc."""
    return np.array([(u, v, r, r * IRIS_SHARE) for u, v, r in EYE_CHARTS.values()], np.float32)
