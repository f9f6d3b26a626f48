"""How faces vary, learned from how the dense landmark network reads warped portraits.

The network has seen a great many faces. Shown smooth, mirror-symmetric warps of a few public-domain portraits it answers with
plausible faces, so that its answers, aligned, span how faces differ. ``variation`` makes the prior of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from engine.arrays import ByteArray, DoubleArray, IntArray
from engine.training import anthropometry
from engine.training import cage as points

_INPUT_PX = 192
_CROP_FACTOR = 1.5
REFERENCE_EYES_MM = 89.5


@dataclass(frozen=True, slots=True, eq=False)
class Modes:
    """Identity modes in order of variance."""

    directions: DoubleArray
    """(I, 468, 3) mm at one standard deviation."""
    sd_mm: DoubleArray
    """(I,) root mean square of the vertex displacement at one standard deviation."""
    share: DoubleArray
    """(I,) share of the variance of all samples."""


class DenseNetwork:
    """The 468-point network on crops of the builder's own making."""

    def __init__(self, model: bytes) -> None:
        self._net: Any = cv2.dnn.readNetFromTFLite(np.frombuffer(model, np.uint8))

    def on_crop(self, crop: ByteArray) -> DoubleArray:
        """Points (468, 3) in crop px of a 192 x 192 RGB crop, z in the same scale, negative towards the viewer."""
        self._net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255.0))
        return np.asarray(self._net.forward("conv2d_21"), np.float64).reshape(points.POINTS, 3)

    def upright_crop(self, image: ByteArray, centre: tuple[float, float], size: float) -> ByteArray:
        """A 192 x 192 crop around the face that is near ``centre``, eyes level, refined from its own points."""
        return self._refined(image, centre, size)[0]

    def locate(self, image: ByteArray, centre: tuple[float, float], size: float) -> DoubleArray:
        """Points (468, 2) in image px of the face near ``centre``."""
        return self._refined(image, centre, size)[1]

    def _refined(self, image: ByteArray, centre: tuple[float, float], size: float) -> tuple[ByteArray, DoubleArray]:
        x, y = centre
        angle = 0.0
        crop, back = np.zeros((_INPUT_PX, _INPUT_PX, 3), np.uint8), np.zeros((points.POINTS, 2))
        for _ in range(4):
            scale = _INPUT_PX / size
            c, s = scale * np.cos(angle), scale * np.sin(angle)
            half = _INPUT_PX / 2
            matrix = np.array([[c, s, half - c * x - s * y], [-s, c, half + s * x - c * y]])
            side = (_INPUT_PX, _INPUT_PX)
            warped = cv2.warpAffine(image, matrix, side, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
            crop = np.asarray(warped, np.uint8)
            found = self.on_crop(crop)[:, :2]
            back = (found - half) @ np.array([[c, -s], [s, c]]) / scale**2 + (x, y)
            eyes = back[points.EYE_OUTER_L] - back[points.EYE_OUTER_R]
            angle = float(np.arctan2(eyes[1], eyes[0]))
            low, high = back.min(0), back.max(0)
            (x, y), size = (low + high) / 2, _CROP_FACTOR * float((high - low).max())
        return crop, back


def upright(found: DoubleArray) -> DoubleArray:
    """Network answer -> +Y up, +Z to the viewer, outer eye corners at the average distance, centred."""
    face = found * (1.0, -1.0, -1.0)
    face = face - face.mean(0)
    eyes = np.linalg.norm(face[points.EYE_OUTER_L] - face[points.EYE_OUTER_R])
    return np.asarray(face * (REFERENCE_EYES_MM / eyes))


def turned_to(face: DoubleArray, goal: DoubleArray, *, scale: bool) -> DoubleArray:
    """``face`` laid on ``goal`` by a rotation and a shift (and one scale), least squares over all points."""
    f0, g0 = face.mean(0), goal.mean(0)
    u, d, vt = np.linalg.svd((face - f0).T @ (goal - g0))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    factor = (d * sign).sum() / ((face - f0) ** 2).sum() if scale else 1.0
    return np.asarray((face - f0) @ (u * sign) @ vt * factor + g0)


def frontal(face: DoubleArray, mirror: IntArray) -> DoubleArray:
    """The face turned until it matches its own mirror image best, then made symmetric."""
    for _ in range(8):
        image = (face * (-1, 1, 1))[mirror]
        face = (face + turned_to(image, face, scale=False)) / 2
        # The mean of a face and its aligned image is symmetric about some plane; lay that plane on x = 0.
        across = (face - face[mirror])[points.EYE_OUTER_L]
        normal = across / np.linalg.norm(across)
        yaw, roll = np.arctan2(normal[2], normal[0]), np.arctan2(normal[1], normal[0])
        cy, sy, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
        turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        face = (face - face.mean(0)) @ turn.T
    return np.asarray((face + (face * (-1, 1, 1))[mirror]) / 2)


# Control grids (points per side, SD of their moves in half crops): coarse ones for build, fine ones for features.
_GRIDS = ((5, 0.038), (9, 0.014))
_WIDTH_SD, _HEIGHT_SD = 0.035, 0.02


def warp_fields(count: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sampling maps (x, y), each (192, 192) float32: mirror-symmetric control grids plus width and height."""
    axis = (np.arange(_INPUT_PX, dtype=np.float32) + 0.5) / _INPUT_PX * 2 - 1
    gx, gy = np.meshgrid(axis, axis)
    fields = []
    for _ in range(count):
        width, height = np.exp(rng.normal(0, 1, 2) * (_WIDTH_SD, _HEIGHT_SD))
        x, y = gx * width, gy * height
        for side, sd in _GRIDS:
            grid = rng.normal(0, sd, (side, side, 2)).astype(np.float32)
            grid[..., 0] = (grid[..., 0] - grid[:, ::-1, 0]) / np.sqrt(2)
            grid[..., 1] = (grid[..., 1] + grid[:, ::-1, 1]) / np.sqrt(2)
            smooth = cv2.resize(grid, (_INPUT_PX, _INPUT_PX), interpolation=cv2.INTER_CUBIC)
            x, y = x + smooth[..., 0], y + smooth[..., 1]
        to_px = _INPUT_PX / 2
        fields.append(((x * to_px + to_px - 0.5).astype(np.float32), (y * to_px + to_px - 0.5).astype(np.float32)))
    return fields


def lip_closer(template: DoubleArray, mirror: IntArray) -> DoubleArray:
    """Linear map (468, 468) that takes the opening of the mouth out of a displacement field, per coordinate.

    How wide the mouth stands open is expression, not identity. Inner lips meet half-way, outer lips follow by half, and
    the calibrated points away from the mouth stay.
    """
    index, _ = anchors_away_from_mouth(mirror)
    corrections = np.zeros((points.POINTS, points.POINTS))
    moved: list[int] = []
    rings = ((points.INNER_UPPER, points.INNER_LOWER, 1.0), (points.OUTER_UPPER, points.OUTER_LOWER, 0.5))
    for upper, lower, share in rings:
        for k in range(1, len(upper) - 1):
            inner = (points.INNER_UPPER[k], points.INNER_LOWER[k])
            for point, sign in ((upper[k], -0.5), (lower[k], 0.5)):
                corrections[point, inner[0]] += share * sign
                corrections[point, inner[1]] -= share * sign
                moved.append(point)
    held = np.array([*moved, *(i for i in index if i not in moved)])
    spread = np.stack(
        [
            anthropometry.thin_plate(template[held], np.eye(len(held))[:, [k, k, k]], template)[:, 0]
            for k in range(len(moved))
        ],
        axis=1,
    )
    return np.asarray(np.eye(points.POINTS) + spread @ corrections[moved])


def anchors_away_from_mouth(mirror: IntArray) -> tuple[IntArray, DoubleArray]:
    """The calibrated points without lips and chin dent, as ``anthropometry.anchors``."""
    index, target = anthropometry.anchors(mirror)
    away = (target[:, 1] > -4) | (target[:, 1] < -44) | (np.abs(target[:, 0]) > 40)
    return index[away], target[away]


def responses(
    network: DenseNetwork, crops: list[ByteArray], mirror: IntArray, count: int, rng: np.random.Generator
) -> DoubleArray:
    """Differences (count, 468, 3) mm between the answers to warped and to plain portraits, in the frontal frame."""
    plain = [upright(network.on_crop(crop)) for crop in crops]
    front = [frontal(face, mirror) for face in plain]
    samples = np.empty((count, points.POINTS, 3))
    for i, (x, y) in enumerate(warp_fields(count, rng)):
        k = i % len(crops)
        warped = cv2.remap(crops[k], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        face = upright(network.on_crop(np.asarray(warped, np.uint8)))
        # Turn by the plain portrait's pose, so that what is left is shape; size stays: it is set by the eyes' distance.
        face = turned_to(face, front[k], scale=False)
        difference = face - front[k]
        samples[i] = (difference + (difference * (-1, 1, 1))[mirror]) / 2
    return np.asarray(samples - samples.mean(0))


def spread_factor(samples: DoubleArray, template: DoubleArray) -> float:
    """Published over observed SD, median over the frontal measures."""
    ratios = []
    for measure in anthropometry.MEASURES:
        if measure.b is not None:
            observed = np.std([measure.of(template + sample) for sample in samples[:400]])
            ratios.append(measure.sd_mm / observed)
    return float(np.median(ratios))
