"""Published measures of adult faces, and the calibration of the template by them.

Figures are means over men and women of the published group means, SD pooled likewise. Sources:
    F94  Farkas, Anthropometry of the Head and Face, 2nd ed. (1994), young adult North American whites.
    A99  Arnett et al., Soft tissue cephalometric analysis, AJODO 116 (1999): distances to the true vertical line through
         subnasale, positive forwards.
    M88  Migliori & Gladstone, Determination of the normal range of exophthalmometric values, AJO 98 (1984): the cornea stands
         about 16 mm before the lateral orbital rim; with A99's rim it lies 2..4 mm before the lower rim.
    C13  Celebi et al., Scientific World Journal 2013:806203, table 2 (48 men, 48 women, Legan & Burstone's analysis).
Checked against the publication's own table: C13. F94 was entered from memory and the book has not been seen; second-hand
copies (Idiap's FaceModel.h, which cites its pages; Virdi et al. 2019 as quoted by others; Farkas et al. 2005) agree within
half an SD on all means, sn-prn only against the 3D Facial Norms; they differ most on go-go (94 to 102 mm) and zy-zy (133.5
to 139). A99 and M88 could not be checked; turned into C13's measures, A99's midline depths fall within 1 SD of them. A99's
subjects were chosen for balanced faces: C13's are more convex (14.2 degrees against 10.4) with a more open angle under the
nose (107 against 95), so that the targets below go part of the way: chin 0.9, fold above it 0.6,
lips 0.3 mm back, columella 1 mm up.
The open pack describes nobody's population better than these tables do; other groups differ by the identity modes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import DoubleArray, IntArray
from engine.training import cage as points


@dataclass(frozen=True, slots=True)
class Measure:
    """A published measure: a distance between two points, or the depth of one before subnasale's vertical."""

    name: str
    a: int
    b: int | None
    """None: depth (z) of ``a`` relative to subnasale."""
    mean_mm: float
    sd_mm: float
    source: str

    def of(self, vertices: DoubleArray) -> float:
        """The measure on a face (468, 3), mm."""
        if self.b is None:
            return float(vertices[self.a, 2] - vertices[points.SUBNASALE, 2])
        return float(np.linalg.norm(vertices[self.a] - vertices[self.b]))


MEASURES: tuple[Measure, ...] = (
    Measure("biocular width ex-ex", points.EYE_OUTER_R, points.EYE_OUTER_L, 89.5, 3.1, "F94"),
    Measure("intercanthal width en-en", points.EYE_INNER_R, points.EYE_INNER_L, 32.6, 2.5, "F94"),
    Measure("face width zy-zy", 234, 454, 133.5, 4.8, "F94"),
    Measure("mandible width go-go", 172, 397, 94.1, 5.8, "F94"),
    Measure("face height n-gn", points.NASION, points.CHIN, 118.1, 5.3, "F94"),
    Measure("lower face height sn-gn", points.SUBNASALE, points.CHIN, 68.5, 4.3, "F94"),
    Measure("nose height n-sn", points.NASION, points.SUBNASALE, 52.7, 3.2, "F94"),
    Measure("nose width al-al", 64, 294, 33.2, 2.1, "F94"),
    Measure("nasal tip protrusion sn-prn", points.SUBNASALE, points.NOSE_TIP, 19.6, 1.8, "F94"),
    Measure("mouth width ch-ch", points.MOUTH_CORNER_R, points.MOUTH_CORNER_L, 52.4, 3.3, "F94"),
    Measure("upper lip height sn-sto", points.SUBNASALE, points.UPPER_LIP_IN, 21.2, 2.1, "F94"),
    Measure("depth of glabella", 9, None, -8.3, 2.5, "A99"),
    Measure("nasal projection", 4, None, 16.7, 1.6, "A99"),
    Measure("depth of upper lip", 11, None, 3.5, 1.5, "A99"),
    Measure("depth of lower lip", 16, None, 1.5, 1.8, "A99"),
    Measure("depth of labiomental fold B'", 18, None, -6.2, 1.6, "A99"),
    Measure("depth of chin Pog'", 199, None, -3.1, 1.9, "A99"),
    Measure("depth of orbital rim", 230, None, -20.6, 2.4, "A99"),
    Measure("depth of cheekbone", 50, None, -22.9, 3.2, "A99"),
    Measure("depth of subpupil", 101, None, -16.6, 2.0, "A99"),
    Measure("depth of alar base", 129, None, -14.0, 1.4, "A99"),
)

# Where chosen points of the average face lie, mm from subnasale (right side; the left is mirrored). They satisfy the
# table above; what the table does not fix (heights along the profile, the outline) follows the average of the portraits.
_TARGETS: dict[int, tuple[float, float, float]] = {
    # profile, forehead to chin
    10: (0, 99, -14.5), 151: (0, 84, -9.5), 9: (0, 66, -8.3), 8: (0, 58.5, -9.6), 168: (0, 51.5, -11.3),
    6: (0, 45, -8.2), 197: (0, 37.5, -2.6), 195: (0, 30, 3.6), 5: (0, 21.5, 10.8), 4: (0, 13.2, 16.7),
    1: (0, 8.6, 16.9), 19: (0, 5.0, 12.6), 94: (0, 2.5, 4.8), 2: (0, 0, 0), 164: (0, -5, -0.3),
    0: (0, -13, 2.5), 11: (0, -16.8, 3.2), 12: (0, -19.6, 1.6), 13: (0, -21.09, -2.1), 14: (0, -21.11, -2.1),
    15: (0, -23.1, 0.1), 16: (0, -25.9, 1.35), 17: (0, -29.9, 0.0), 18: (0, -38.5, -6.8), 200: (0, -46, -5.4),
    199: (0, -54.5, -4.0), 175: (0, -62.5, -6.9), 152: (0, -67.4, -13.0),
    # fold under the lip, as deep beside the middle as in it
    83: (-7.7, -38.2, -6.8), 182: (-15.6, -35, -7.6), 201: (-9.2, -45.7, -6.3), 194: (-18.3, -42.8, -9.6),
    # eyes and brows
    33: (-44.75, 45.2, -30), 133: (-16.3, 44.4, -24.2),
    230: (-32, 33, -20.6), 105: (-39, 68.2, -17.2), 70: (-54.5, 58.6, -31), 107: (-13.5, 69.2, -10.0),
    # nose and mouth
    64: (-16.6, 6, -5.5), 129: (-19.8, 9.2, -14.0), 61: (-26.2, -21.6, -12.5),
    # cheek
    50: (-48, 13, -22.9), 101: (-34.2, 20.5, -16.6), 117: (-52, 27.5, -30),
    # outline
    234: (-66.75, 19, -85), 127: (-67.2, 33, -82), 93: (-66.3, 4, -83), 132: (-64, -13, -78), 58: (-57.5, -30, -70),
    172: (-48.5, -42.5, -60), 136: (-42.5, -51, -47), 150: (-35.5, -58, -36.5), 149: (-28.8, -63, -28.5),
    176: (-20.5, -65.8, -21), 148: (-11.2, -67.2, -15.5), 109: (-18, 98.4, -16.5), 67: (-34, 95.3, -23),
    103: (-49, 88.5, -33), 54: (-59, 78, -46.5), 21: (-65, 65, -59.5), 162: (-67, 49, -72.5),
}  # fmt: skip


def _kernel(a: DoubleArray, b: DoubleArray) -> DoubleArray:
    """Biharmonic kernel in space, |r|: (n, m)."""
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=2))


def thin_plate(sources: DoubleArray, moves: DoubleArray, at: DoubleArray, stiffness: float = 0.0) -> DoubleArray:
    """Move ``at`` (n, 3) by the smoothest field that moves ``sources`` (m, 3) by ``moves`` (m, 3).

    Args:
        sources: (m, 3) mm.
        moves: (m, 3) mm.
        at: (n, 3) mm.
        stiffness: 0 interpolates; larger values trade exactness for smoothness (same unit as the distances).

    Source: thin-plate (biharmonic) splines in space, Bookstein 1989 with the 3-D kernel |r|.
    """
    m = len(sources)
    affine = np.concatenate([np.ones((m, 1)), sources], 1)
    system = np.block([[_kernel(sources, sources) - stiffness * np.eye(m), affine], [affine.T, np.zeros((4, 4))]])
    solved = np.linalg.solve(system, np.concatenate([moves, np.zeros((4, 3))]))
    return np.asarray(_kernel(at, sources) @ solved[:m] + np.concatenate([np.ones((len(at), 1)), at], 1) @ solved[m:])


def anchors(mirror: IntArray) -> tuple[IntArray, DoubleArray]:
    """Indices (m,) and target positions (m, 3) mm of the calibrated points, both sides."""
    table = {i: np.array(p, float) for i, p in _TARGETS.items()}
    table |= {int(mirror[i]): p * (-1, 1, 1) for i, p in table.items() if mirror[i] != i}
    return np.array(list(table), np.int32), np.array(list(table.values()))


EYE_CENTRE_MM = np.array([-30.8, 45.0, -31.2])
"""Centre of the average face's right eyeball, mm from subnasale: cornea at z = -18.5, 2 mm before the lower rim (M88)."""
EYE_RADIUS_MM = 12.0
_LID_MM = 0.7  # thickness of a lid's edge on the eyeball
# Palpebral fissure height 9..10 mm (F94); lids 4..4.5 mm above and 5 mm below the pupil's middle (textbook margin reflex
# distances), so that the upper one covers 1.5 mm of the iris.
_FISSURE_UP_MM, _FISSURE_DOWN_MM = 4.6, 4.6


LIP_GAP_MM = 0.02
"""Between the inner lips of a closed mouth: nothing that shows, but the splines need points apart."""


def _lid_targets(face: DoubleArray) -> dict[int, DoubleArray]:
    """Right eye's rim as an almond between its corners, lying on the eyeball."""
    outer, inner = face[points.EYE_OUTER_R], face[points.EYE_INNER_R]
    targets = {}
    for rim, height in ((points.LID_UPPER_R, _FISSURE_UP_MM), (points.LID_LOWER_R, -_FISSURE_DOWN_MM)):
        for step, point in enumerate(rim, 1):
            t = step / (len(rim) + 1)
            base = outer + t * (inner - outer)
            # Peak a little towards the nose above and towards the ear below, as in most eyes.
            skew = t**1.1 if height > 0 else t**0.95
            y = base[1] + height * np.sin(np.pi * skew) ** 0.85
            x = base[0]
            flat = (EYE_RADIUS_MM + _LID_MM) ** 2 - (x - EYE_CENTRE_MM[0]) ** 2 - (y - EYE_CENTRE_MM[1]) ** 2
            on_ball = EYE_CENTRE_MM[2] + np.sqrt(max(flat, 0.0))
            targets[point] = np.array([x, y, max(on_ball, base[2])])
    return targets


def touching_lips(face: DoubleArray) -> dict[int, DoubleArray]:
    """Inner lips laid on each other: the average face keeps its mouth closed."""
    targets = {}
    for upper, lower in zip(points.INNER_UPPER[1:-1], points.INNER_LOWER[1:-1], strict=True):
        middle = (face[upper] + face[lower]) / 2
        targets[upper] = middle + (0.0, LIP_GAP_MM / 2, 0.0)
        targets[lower] = middle - (0.0, LIP_GAP_MM / 2, 0.0)
    return targets


def _bent(face: DoubleArray, mirror: IntArray, index: IntArray, target: DoubleArray) -> DoubleArray:
    bent = face + thin_plate(face[index], target - face[index], face)
    return np.asarray((bent + (bent * (-1, 1, 1))[mirror]) / 2)


def calibrated(face: DoubleArray, mirror: IntArray) -> DoubleArray:
    """The face (468, 3) bent smoothly so that its anchors lie where the published figures put them; exact symmetry."""
    index, target = anchors(mirror)
    # A rigid start with one scale keeps the spline's part small.
    source = face[index]
    s0, g0 = source.mean(0), target.mean(0)
    u, d, vt = np.linalg.svd((source - s0).T @ (target - g0))
    turn = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    placed = (face - s0) @ turn * (d.sum() / ((source - s0) ** 2).sum()) + g0
    bent = _bent(placed, mirror, index, target)
    rims = _lid_targets(bent)
    rims |= {int(mirror[i]): p * (-1, 1, 1) for i, p in rims.items()}
    rims |= {i: p for i, p in touching_lips(bent).items() if i not in index}
    index = np.concatenate([index, np.array(list(rims), np.int32)])
    return _bent(bent, mirror, index, np.concatenate([target, np.array(list(rims.values()))]))


def table(face: DoubleArray) -> list[tuple[str, float, float, float, str]]:
    """Rows (measure, published mean, published SD, ours, source)."""
    return [(m.name, m.mean_mm, m.sd_mm, m.of(face), m.source) for m in MEASURES]
