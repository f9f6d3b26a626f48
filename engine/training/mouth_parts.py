"""Teeth, gums and tongue: one surface per row of teeth, with separate crowns, and a tongue behind them.

Sources: mean widths of the crowns after Wheeler, Dental Anatomy (1940 and later editions); 2.5 mm of overbite and overjet are
textbook means of orthodontics. Of the upper incisors 1.9 mm (men) and 3.4 mm (women) show below the resting lip (Vig & Brundo
1978), here 3.6, since smiles in photos show more of them than that lets them. Their edge lies 10.6 mm behind subnasale's
vertical (Arnett 1999: men 12.1, women 9.2), here 1 mm further, so that rolled lips clear it. The plane in which the rows
meet is canted by some 8 degrees against the horizontal (Downs 1948: 9.3 against Frankfort); lateral incisors end 0.5-1 mm
before the middle ones, canines in a tip.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import DoubleArray
from engine.training.parts import PartMesh, grid_faces, hung

# Mesiodistal width and height of the crowns from the midline backwards, mm.
_CROWNS = {
    "upper": ((8.5, 10.5), (6.6, 9.4), (7.6, 10.2), (7.1, 8.6), (6.8, 8.2), (10.2, 7.5), (9.5, 7.0)),
    "lower": ((5.2, 9.0), (5.7, 9.3), (6.9, 10.4), (7.0, 8.8), (7.1, 8.2), (11.0, 7.5), (10.5, 7.0)),
}
_ARCH = {"upper": (28.5, 38.0), "lower": (26.0, 35.0)}  # half width and depth, mm
_PLACE = {"upper": (-4.0, -3.6), "lower": (-1.5, -6.1)}  # biting edge from the lips' middle: y, z mm
# How far a tooth's edge ends before those of the middle ones, and how far its tip stands out from its corners, mm.
_SHORTER = {"upper": (0.0, 0.7, 0.1, 0.4, 0.6, 0.6, 0.6), "lower": (0.2, 0.0, -0.2, 0.2, 0.4, 0.4, 0.4)}
_TIP = {"upper": (0.0, 0.0, 1.3, 1.0, 0.7, 0.5, 0.4), "lower": (0.0, 0.0, 1.0, 0.9, 0.6, 0.5, 0.4)}
_CANT = float(np.tan(np.radians(8.0)))
"""How the plane in which the rows meet rises backwards: a smile's row of edges is curved as the lower lip is."""
_ACROSS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)  # places of the columns on a tooth
_GROOVE_MM, _EMBRASURE_MM, _PAPILLA_MM = 0.7, 1.0, 1.8
# Rows from the upper end of the gum over the biting edge to the inside: share of the crown's height, mm beyond it, inset,
# share of the tooth's roundness, place in the chart (0 gum .. 1 inside).
_PROFILE = (
    (1.0, 7.0, -2.6, 0.0, 0.0),
    (1.0, 0.3, 0.35, 0.25, 0.24),
    (1.0, -0.1, 0.0, 0.3, 0.27),  # the neck, a step behind the gum
    (0.75, 0.0, 0.3, 0.8, 0.36),
    (0.3, 0.0, 0.3, 1.0, 0.57),
    (0.02, 0.0, -0.35, 1.0, 0.72),
    (0.0, 0.0, -0.9, 1.0, 0.76),
    (0.06, 0.0, -1.7, 0.8, 0.82),
    (0.5, 0.0, -3.4, 0.5, 0.9),
    (1.0, 2.0, -5.6, 0.0, 1.0),
)
GUM_ROW = 0.255
"""Where the gum ends in the chart, 0 gum .. 1 inside."""


def _half_arch(row: str) -> tuple[DoubleArray, DoubleArray]:
    """Fine points (n, 2) x, z of the left half of the dental arch from the midline, and their arc length."""
    half_width, depth = _ARCH[row]
    t = np.linspace(0, 0.98, 400) * np.pi / 2
    curve = np.stack([half_width * np.sin(t), -depth * (1 - np.cos(t)) ** 1.15], -1)
    length = np.concatenate([[0.0], np.linalg.norm(np.diff(curve, axis=0), axis=1).cumsum()])
    return curve, length


def tooth_edges(row: str) -> DoubleArray:
    """(15,) borders of the fourteen teeth along the chart, 0 (right end) .. 1 (left end)."""
    half = np.concatenate([[0.0], np.cumsum([width for width, _ in _CROWNS[row]])])
    half = half / half[-1]
    return np.asarray(0.5 + 0.5 * np.concatenate([-half[:0:-1], half]))


def _columns(row: str) -> tuple[DoubleArray, DoubleArray, DoubleArray, DoubleArray]:
    """Per column of the surface: place (n,) -1 .. 1, point (n, 2), outward normal (n, 2), and the crown (n, 3).

    Of the crown: height, roundness, and how far its edge ends before the row's.
    """
    curve, length = _half_arch(row)
    normal = np.stack([-np.gradient(curve[:, 1]), np.gradient(curve[:, 0])], -1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    edges = 2 * tooth_edges(row)[7:] - 1
    place = np.concatenate([edges[k] + np.array(_ACROSS) * (edges[k + 1] - edges[k]) for k in range(7)] + [[1.0]])
    tooth = np.concatenate([np.repeat(np.arange(7), len(_ACROSS)), [6]])
    within = np.concatenate([np.tile(_ACROSS, 7), [1.0]])
    heights = np.array([height for _, height in _CROWNS[row]])
    # Two teeth meet at a common height; the first column lies on the midline between the two middle ones.
    height = np.where(within == 0, (heights[tooth] + heights[np.maximum(tooth - 1, 0)]) / 2, heights[tooth])
    aside = np.abs(2 * within - 1)
    shorter, tip = (np.array(table[row]) for table in (_SHORTER, _TIP))
    ends = shorter[tooth] + tip[tooth] * np.maximum(aside - 0.1, 0.0)
    before = np.maximum(tooth - 1, 0)
    ends = np.where(within == 0, (ends + shorter[before] + 0.9 * tip[before]) / 2, ends)
    crown = np.stack([height, 1 - aside**4, ends], -1)
    at = place * length[-1]
    half = [np.stack([np.interp(at, length, field[:, c]) for c in range(2)], -1) for field in (curve, normal)]
    mirrored = [np.concatenate([one[:0:-1] * (-1, 1), one]) for one in half]
    return np.concatenate([-place[:0:-1], place]), mirrored[0], mirrored[1], np.concatenate([crown[:0:-1], crown])


def teeth(
    row: str,
    lip_anchor: DoubleArray,
    box: tuple[float, float, float, float],
    template: DoubleArray,
    jaw: dict[str, DoubleArray],
) -> PartMesh:
    """The upper or lower row: fourteen crowns with grooves between them, and the gum with its papillae."""
    place, curve, normal, crown = _columns(row)
    height, roundness, ends = crown.T
    lip = lip_anchor @ template
    edge_y, edge_z = lip[1] + _PLACE[row][0], lip[2] + _PLACE[row][1]
    upwards = 1.0 if row == "upper" else -1.0
    back = np.clip(-curve[:, 1] / _ARCH[row][1], 0, 1)
    points, uvs = [], []
    for share, beyond, inset, round_share, v in _PROFILE:
        from_edge = share * height + beyond
        if share == 1.0 and beyond < 2.0:
            from_edge = from_edge - _PAPILLA_MM * (1 - roundness)  # the gum reaches down between the teeth
        if share < 0.1:
            from_edge = from_edge + ends + _EMBRASURE_MM * (1 - roundness)
        # Molars are as deep as wide: their inner side lies further in.
        thickness = inset * (1 + 1.3 * back) if inset < -1.5 and share < 1.0 else inset
        out = thickness - _GROOVE_MM * round_share * (1 - roundness)
        flat = curve + normal * np.broadcast_to(out, len(curve))[:, None]
        y = edge_y + upwards * from_edge - _CANT * curve[:, 1]
        points.append(np.stack([flat[:, 0], y, edge_z + flat[:, 1]], -1))
        u = box[0] + (place + 1) / 2 * (box[2] - box[0])
        uvs.append(np.stack([u, np.full(len(u), box[3] - v * (box[3] - box[1]))], -1))
    faces = grid_faces(len(_PROFILE), len(place), closed=False, flip=row == "upper")
    moving = None if row == "upper" else jaw
    return hung(f"teeth_{row}", np.concatenate(points), lip_anchor, template, moving, faces, np.concatenate(uvs))


def tongue(
    lip_anchor: DoubleArray, box: tuple[float, float, float, float], template: DoubleArray, jaw: dict[str, DoubleArray]
) -> PartMesh:
    """A resting tongue: a dome with a groove along its middle, its tip behind the lower front teeth."""
    rows, columns = 13, 15
    s, t = np.meshgrid(np.linspace(0, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    lip = lip_anchor @ template
    tip = np.sqrt(np.clip(1 - (1 - np.clip(s / 0.4, 0, 1)) ** 2, 0, 1))  # rounded in front, in plan and in height
    width = (13.0 + 9.0 * np.clip(s / 0.6, 0, 1)) * tip
    across = np.sin(t * np.pi / 2)
    ridge = -8.0 + 6.0 * tip + 7.0 * np.clip(s / 0.75, 0, 1) ** 1.5 - 5.0 * np.clip((s - 0.8) / 0.2, 0, 1) ** 2
    sides = -7.5 * np.abs(across) ** 2.6 * tip
    groove = -0.9 * np.exp(-((across / 0.13) ** 2)) * np.clip(s / 0.3, 0, 1) * np.clip((1 - s) / 0.3, 0, 1)
    curve = np.stack([width * across, lip[1] + ridge + sides + groove, lip[2] - 15.0 - 36.0 * s], -1).reshape(-1, 3)
    uvs = np.stack([box[0] + (t + 1) / 2 * (box[2] - box[0]), box[1] + s * (box[3] - box[1])], -1).reshape(-1, 2)
    return hung("tongue", curve, lip_anchor, template, jaw, grid_faces(rows, columns, closed=False, flip=True), uvs)
