"""Which model vertices answer to which landmarks, and how much each is trusted."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from engine import camera as cameras
from engine import expressions
from engine.arrays import DoubleArray, FloatArray, IntArray
from engine.packs.pack import ModelPack
from engine.types import Landmarks, WeakPerspective

HALF_PX = np.float32(0.5)
"""Detectors name a pixel's centre with whole numbers; the cameras put it half a pixel further."""
_JAW_POINTS = 17
# Standard error of one point relative to that of a dense point inside the face (measured on invented heads with known
# geometry, tests.bench accuracy: 2 % of the outer-eye distance inside, 5 % on the outline, which slides along the cheek).
_OUTLINE_ERROR, _JAW_ERROR, _SPARSE_ERROR = 2.7, 3.2, 1.2
_HAND_TRUST = 2.5  # people place points where they are
_TOGETHER_MM = 9.0
"""Neighbours this near err together: a cluster of points counts like one measurement per such patch."""
_HIDDEN_TRUST = 0.06
_FULLY_SEEN = 0.35  # cosine to the viewer from which a point is trusted fully
# On turned heads the dense network answers with a face that is turned less (measured on renderings: at 60 degrees its far
# side is 15 % of the eye distance too far out), and dlib's jaw leaves the face for ear and neck, while dlib's inner
# points stay right to 1-5 %.
_TURNED_DEG, _TURNED_TRUST = (12.0, 30.0), (1.0, 0.05)
_DISAGREEMENT = 0.12
"""Mean distance of dlib's points from the dense ones, over the eye distance, above which dlib looked elsewhere."""

_DENSE_OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

# Standard deviation of a weight (prior) and cost of using it at all, by the name's beginning. What people do often is cheap;
# gaze is not readable from lids alone; rolled, pressed or funnelled lips are told from smiles by being rare.
_PRIOR = {
    "eyeLook": (0.02, 1.0),
    "eyeBlink": (0.7, 0.6),
    "eyeSquint": (0.5, 0.8),
    "eyeWide": (0.4, 1.0),
    "browInnerUp": (0.5, 0.8),
    "browOuterUp": (0.4, 1.0),
    "browDown": (0.5, 0.8),
    "jawOpen": (0.8, 0.5),
    "jawForward": (0.12, 2.0),
    "jawLeft": (0.12, 2.0),
    "jawRight": (0.12, 2.0),
    "mouthSmile": (1.0, 0.4),
    "mouthFrown": (0.45, 1.0),
    "mouthPucker": (0.45, 0.8),
    "mouthFunnel": (0.2, 2.0),
    "mouthUpperUp": (0.35, 1.2),
    "mouthLowerDown": (0.35, 1.2),
    "mouthStretch": (0.25, 1.5),
    "mouthLeft": (0.25, 1.5),
    "mouthRight": (0.25, 1.5),
    "mouthClose": (0.12, 2.0),
    "mouthRoll": (0.25, 1.5),
    "mouthShrug": (0.25, 1.5),
    "mouthPress": (0.25, 1.5),
    "mouthDimple": (0.25, 1.5),
    "cheekPuff": (0.15, 2.0),
}
_OTHERS = (0.4, 1.0)
_SYMMETRY_SD = 0.12  # of the difference between left and right
# A smile that shows the teeth lifts the upper lip to four fifths of its length (Rigsbee, Sperry & BeGole 1988), most of which
# is the levator's work. Left to itself the fit would rather give the person a short lip, and an upper row that stays hidden.
_LIFT_OF_SMILE, _LIFT_SD = 0.5, 0.12
_PARTED = (0.02, 0.07)  # gap of the lips over the eye distance from which the smile shows teeth, and surely does
# A photo does not tell a person with large eyes from one who opens them wide: points fit either way. So the person's own part
# is held to what is usual (mm), else faces at rest would stare.
_FISSURE_SD_MM = 0.9
_UPPER_LIDS, _LOWER_LIDS = (158, 159, 160, 385, 386, 387), (153, 145, 144, 380, 374, 373)
_LIPS_INSIDE, _LIPS_INSIDE_68 = (13, 14), (62, 66)


def expression_prior(parted: float, weights: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Quadratic (51, 51) and linear (51,) term of the prior: cost = a' Q a / 2 + l' a, for weights a >= 0.

    Args:
        parted: 0 where the photo's lips are closed, 1 where they are apart.
        weights: (51,) present ones; how strong the smile is tells how far the upper lip is lifted, never the reverse.
    """
    quadratic, linear = (term.copy() for term in _independent_prior())
    for side in ("Left", "Right"):
        lift, smile = (expressions.SHAPE_INDEX[name + side] for name in ("mouthUpperUp", "mouthSmile"))
        quadratic[lift, lift] += parted / _LIFT_SD**2
        linear[lift] *= 1.0 - parted
        linear[lift] -= parted * _LIFT_OF_SMILE * weights[smile] / _LIFT_SD**2
    return quadratic, linear


@functools.cache
def _independent_prior() -> tuple[DoubleArray, DoubleArray]:
    names = expressions.SHAPE_NAMES
    told = [next((v for beginning, v in _PRIOR.items() if name.startswith(beginning)), _OTHERS) for name in names]
    sd, cost = np.array(told).T
    quadratic = np.diag(1.0 / sd**2)
    for i, j in enumerate(expressions.mirror_shapes()):
        if j > i:
            quadratic[[i, j], [i, j]] += 1.0 / _SYMMETRY_SD**2
            quadratic[[i, j], [j, i]] -= 1.0 / _SYMMETRY_SD**2
    return quadratic, cost


@dataclass(frozen=True, slots=True, eq=False)
class FitPoints:
    """n correspondences between model vertices and image points."""

    targets: FloatArray
    """(n, 2) px, y down."""
    trust: DoubleArray
    """(n,) weight of each point seen squarely."""
    weights: DoubleArray
    """(n,) weight in the present pose."""
    mean: FloatArray
    """(n, 3, E) and ``core`` (n, 3, E, I): the model's rows of these vertices."""
    core: FloatArray
    rows_dense: IntArray
    """Rows that are dense points."""
    rows68: IntArray
    """Rows that are iBUG points."""
    landmark_vertices: IntArray
    """(68,) vertex of each iBUG point now, -1 where there is none."""
    eye_distance_px: float
    parted: float
    """0 where the lips are closed, 1 where they are apart."""
    identity_precision: DoubleArray
    """(I, I) of the prior around the pack's mean identity."""
    pack: ModelPack

    def seen_from(self, camera: WeakPerspective, positions: DoubleArray) -> FitPoints:
        """The same points with weights for the present pose: what looks away from the viewer counts little."""
        if not len(self.rows_dense):
            return self
        # The head is about a cylinder around a vertical axis behind the face: its normals tell near from far side.
        dense = positions[self.rows_dense]
        axis = np.array([0.0, 0.0, np.percentile(dense[:, 2], 2)])
        out = positions - axis
        out[:, 1] *= 0.25
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        facing = out @ cameras.rotation_matrix(camera.rotation)[2]
        weights = self.trust * (_HIDDEN_TRUST + (1 - _HIDDEN_TRUST) * np.clip(facing / _FULLY_SEEN, 0.0, 1.0))
        if len(self.rows68):
            yaw = abs(cameras.yaw_deg(camera))
            weights[self.rows_dense] *= np.interp(yaw, _TURNED_DEG, _TURNED_TRUST)
            jaw = self.rows68[: int((self.landmark_vertices[:_JAW_POINTS] >= 0).sum())]
            weights[jaw] *= np.interp(yaw, _TURNED_DEG, _TURNED_TRUST)
        return replace(self, weights=weights)

    def with_contour(self, camera: WeakPerspective, identity: DoubleArray, expression: DoubleArray) -> FitPoints:
        """The same points with each jaw point on the vertex that now forms the visible contour on its ray."""
        if not len(self.rows68):
            return self
        vertices = self.landmark_vertices.copy()
        screen = cameras.rotation_matrix(camera.rotation)[:2]
        for i, candidates in enumerate(self.pack.contour_candidates[:_JAW_POINTS]):
            if vertices[i] < 0 or not len(candidates):
                continue
            mean, core = _rows(self.pack, i)
            at = (mean + core @ identity.astype(np.float32)) @ expression.astype(np.float32) @ screen.T
            outwards = at[0] - at[1:].mean(0)
            vertices[i] = candidates[int((at[1:] @ outwards).argmax())]
        rows = vertices[vertices >= 0]
        mean, core = self.mean.copy(), self.core.copy()
        mean[self.rows68], core[self.rows68] = self.pack.bilinear(rows)
        return replace(self, mean=mean, core=core, landmark_vertices=vertices)


_ROWS: dict[tuple[int, int], tuple[FloatArray, FloatArray]] = {}


def _rows(pack: ModelPack, jaw_point: int) -> tuple[FloatArray, FloatArray]:
    """Model rows of a jaw point's frontal vertex and then of its candidates, kept per pack."""
    key = (id(pack), jaw_point)
    if key not in _ROWS:
        vertices = np.concatenate([pack.landmark_vertices[[jaw_point]], pack.contour_candidates[jaw_point]])
        _ROWS[key] = pack.bilinear(vertices.astype(np.int32))
    return _ROWS[key]


def collect(landmarks: Landmarks, pack: ModelPack) -> FitPoints:
    """Pair the landmarks with the pack's vertices.

    Points placed by hand stand alone, without the dense ones, and may be NaN where there is none.

    Raises:
        ValueError: neither kind of landmark has a map in this pack.
    """
    targets, trust, vertices = [], [], []
    rows_dense = np.zeros(0, np.int32)
    eyes = float(np.linalg.norm(np.subtract(*landmarks.dense[[33, 263]])))
    landmark_vertices = pack.landmark_vertices.copy()
    if pack.dense_vertices is not None and not landmarks.by_hand:
        count = len(pack.dense_vertices)
        rows_dense = np.arange(count, dtype=np.int32)
        weight = _independence(pack)
        weight[list(_DENSE_OUTLINE)] /= _OUTLINE_ERROR**2
        targets.append(landmarks.dense + HALF_PX)
        trust.append(weight)
        vertices.append(pack.dense_vertices)
    rows68 = np.zeros(0, np.int32)
    if landmarks.points68 is not None:
        landmark_vertices[~np.isfinite(landmarks.points68).all(1)] = -1
        known = np.flatnonzero(landmark_vertices >= 0)
        rows68 = (sum(len(v) for v in vertices) + np.arange(len(known))).astype(np.int32)
        found = _agreement(landmarks, eyes) / np.where(known < _JAW_POINTS, _JAW_ERROR, _SPARSE_ERROR) ** 2
        targets.append(landmarks.points68[known] + HALF_PX)
        trust.append(np.full(len(known), _HAND_TRUST) if landmarks.by_hand else found)
        vertices.append(pack.landmark_vertices[known])
    if not vertices:
        raise ValueError("landmarks: the pack maps neither the dense nor the 68 points that were found")
    mean, core = pack.bilinear(np.concatenate(vertices).astype(np.int32))
    weights = np.concatenate(trust)
    return FitPoints(
        targets=np.concatenate(targets).astype(np.float32),
        trust=weights,
        weights=weights,
        mean=mean,
        core=core,
        rows_dense=rows_dense,
        rows68=rows68,
        landmark_vertices=landmark_vertices,
        eye_distance_px=eyes,
        parted=_parted(landmarks, eyes),
        identity_precision=_identity_precision(pack),
        pack=pack,
    )


_INDEPENDENCE: dict[int, DoubleArray] = {}


def _independence(pack: ModelPack) -> DoubleArray:
    """Share (468,) of an independent measurement that each dense point is, from how near its neighbours lie."""
    if id(pack) not in _INDEPENDENCE:
        at = pack.bilinear(np.asarray(pack.dense_vertices))[0][:, :, 0].astype(np.float64)
        squared = ((at[:, None] - at[None]) ** 2).sum(2)
        _INDEPENDENCE[id(pack)] = 1.0 / np.exp(-squared / (2 * _TOGETHER_MM**2)).sum(1)
    return _INDEPENDENCE[id(pack)].copy()


def _identity_precision(pack: ModelPack) -> DoubleArray:
    """(I, I): independent modes, and the height of the open eyes."""
    precision = np.diag(1.0 / pack.identity_sd.astype(np.float64) ** 2)
    if pack.dense_vertices is None:
        return precision
    upper, lower = (
        pack.bilinear(pack.dense_vertices[list(lids)])[1][:, 1, 0].astype(np.float64).mean(0)
        for lids in (_UPPER_LIDS, _LOWER_LIDS)
    )
    return np.asarray(precision + np.outer(upper - lower, upper - lower) / _FISSURE_SD_MM**2)


def _parted(landmarks: Landmarks, eyes: float) -> float:
    """0 where the lips are closed, 1 where they are apart."""
    if landmarks.by_hand and landmarks.points68 is not None:
        gap = np.linalg.norm(np.subtract(*landmarks.points68[list(_LIPS_INSIDE_68)]))
    else:
        gap = np.linalg.norm(np.subtract(*landmarks.dense[list(_LIPS_INSIDE)]))
    return float(np.interp(np.nan_to_num(gap) / eyes, _PARTED, (0.0, 1.0)))


# iBUG points with an equal in the dense set, and that equal.
_SHARED = ((36, 33), (39, 133), (42, 362), (45, 263), (48, 61), (54, 291), (33, 2), (30, 4))


def _agreement(landmarks: Landmarks, eyes: float) -> float:
    """1 where the two detectors see the same face, falling to almost 0 where the 68 points landed elsewhere."""
    if landmarks.points68 is None:
        return 0.0
    sparse, dense = (landmarks.points68[[a for a, _ in _SHARED]], landmarks.dense[[b for _, b in _SHARED]])
    distance = float(np.linalg.norm(sparse - dense, axis=1).mean()) / eyes
    return 1.0 if distance < _DISAGREEMENT else 1e-3
