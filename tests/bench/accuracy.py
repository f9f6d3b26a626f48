"""How near a reconstruction comes to a known head: distances and normals after the best similarity.

What each evidence for the geometry can see, and what it cannot:

- This table sees how the fit reads shape from points, depth from correlations and expression from shape, and what noise
  of the landmarks, light and perspective cost. Its heads are warped from the model's own mean: an error of that mean
  shows only as far as the common field of ``invented_heads`` stands for it, and correlations of real faces between
  outline and depth, which the heads do not have, make a real gain look smaller.
- Published measures (``engine.training.anthropometry``) see the mean's size and depth at some thirty places and nothing
  between them; the spread of the modes is held to the same tables by a test.
- The dense network's depth sees nothing of a person: on these heads it does not go with the true depth (median r = -0.03).
- Where the detectors look on heads of known shape (``engine.training.self_calibration``) sees the bias of their points,
  not that of the shape. Its heads, textures and renderer are this table's, with other seeds: what the table gains by it is
  no evidence of its own. On real photos, which had no part in it, the points then fit 15 % better.
- Several photos of one person: the network's points err by 2 % of the eye distance, its outline by 5 %; turned by 20 degrees
  a depth error of 2 mm moves a point by 0.8 %. Points alone cannot settle the mean's depth that way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from engine.geometry import vertex_normals

REACH_MM = 95.0  # of the nose's tip
_NOSE_TIP = 4
_STEPS = 20
_FEW = 2500  # points that steer it
_BESIDE_MM = 2.5  # further than this from the nearest vertex, the foot lies beyond our border
_TRIM = 0.9  # share of the nearest points that steers the alignment


@dataclass(frozen=True, slots=True)
class Closeness:
    """Of one reconstruction to the true surface near the nose."""

    distance_mm: float
    """Median distance of the true surface to ours."""
    p90_mm: float
    normals_deg: float
    """Median angle between the normals there."""
    per_vertex: np.ndarray
    """(V,) signed distance, mm, along our normal at each true vertex: positive where ours lies too deep; NaN beyond."""


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (3, 3) and shift that lay ``source`` (n, 3) on ``target``: target = scale * source @ turn + shift.

    Source: Umeyama (1991).
    """
    s0, t0 = source.mean(0), target.mean(0)
    u, d, vt = np.linalg.svd((source - s0).T @ (target - t0))
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    turn = (u * sign) @ vt
    scale = (d * sign).sum() / ((source - s0) ** 2).sum()
    return float(scale), turn, t0 - scale * s0 @ turn


def closeness(ours: np.ndarray, true: np.ndarray, faces: np.ndarray) -> Closeness:
    """Compare two skins of one topology (V, 3) mm; the correspondence only starts the alignment, then surfaces count."""
    near = np.linalg.norm(true - true[_NOSE_TIP], axis=1) < REACH_MM
    points, true_normals = true[near], vertex_normals(true.astype(np.float32), faces)[near]
    corners = true[faces]
    area = np.bincount(
        faces.ravel(),
        np.repeat(np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1), 3),
        len(true),
    )[near]
    surface = _Surface(ours, faces)
    few = points[:: max(1, len(points) // _FEW)]
    scale, turn, shift = similarity(ours[near], points)
    for _ in range(_STEPS):
        offset, foot, _ = surface.nearest((few - shift) @ turn.T / scale)
        kept = np.abs(offset) <= np.quantile(np.abs(offset), _TRIM)
        scale, turn, shift = similarity(foot[kept], few[kept])
    offset, _, normals = surface.nearest((points - shift) @ turn.T / scale)
    offset, normals = offset * scale, normals @ turn
    angle = np.degrees(np.arccos(np.clip((normals * true_normals).sum(1), -1, 1)))
    signed = np.full(len(true), np.nan)
    signed[near] = offset
    return Closeness(
        _weighted(np.abs(offset), area, 0.5), _weighted(np.abs(offset), area, 0.9), _weighted(angle, area, 0.5), signed
    )


def _weighted(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values)
    return float(np.interp(share, np.cumsum(weights[order]) / weights.sum(), values[order]))


class _Surface:
    """Nearest points of one skin."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self._vertices, self._tree = vertices, cKDTree(vertices)
        self._normals = vertex_normals(vertices.astype(np.float32), faces).astype(np.float64)

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Signed offset (n,), our point (n, 3) and our normal (n, 3) for each point, by the nearest vertex's plane."""
        gap, index = self._tree.query(points)
        normals, vertex = self._normals[index], self._vertices[index]
        along = ((points - vertex) * normals).sum(1)
        foot = points - along[:, None] * normals
        # Where the point lies beside our border, its distance is to the border itself.
        beside = np.linalg.norm(foot - vertex, axis=1) > _BESIDE_MM
        along[beside] = np.copysign(gap[beside], along[beside])
        foot[beside] = vertex[beside]
        return along, foot, normals


def accuracy(heads: int = 24, first_seed: int = 2000) -> Iterator[str]:
    """Lines of the table: the fit, and the plain mean face, against invented heads."""
    from engine.fitting import fit
    from engine.landmarks import LandmarkDetector
    from engine.packs.open_pack import load_open_pack
    from engine.render.context import standalone_context
    from engine.training.invented_heads import invented_head
    from engine.training.studio import Studio, portrait_textures
    from tests.running import finish

    pack, ctx = load_open_pack(), standalone_context()
    neutral, deltas = pack.shapes(np.zeros(len(pack.identity_mean), np.float32))
    V, F = pack.topology.skin.vertices[1], pack.topology.skin.faces[1]
    faces = pack.topology.faces[:F]
    rows = []
    with LandmarkDetector() as detector:
        studio = Studio(ctx, pack.topology, portrait_textures(pack, detector))
        for seed in range(first_seed, first_seed + heads):
            head = invented_head(neutral, deltas, seed, moving=seed % 2 == 1)
            found = finish(fit(detector.detect(studio.picture(head).photo), pack))[0]
            own, shapes = pack.shapes(found.identity)
            true = head.vertices[:V].astype(float)
            posed = own + np.tensordot(found.weights, shapes, 1)
            rows.append(
                (seed % 2, closeness(posed[:V], true, faces), closeness(neutral[:V].astype(float), true, faces))
            )
        studio.release()
    ctx.release()
    yield f"True surface within {REACH_MM:.0f} mm of the nose's tip to ours, after similarity; {heads} invented heads."
    yield ""
    limits = "distance, median (limit 1.3 mm) | 90 % | normals, median (limit 15 deg)"
    yield f"| heads | {limits} | plain template | 90 % | normals |"
    yield "|---|---|---|---|---|---|---|"
    for name, kept in (("neutral", [0]), ("expression", [1]), ("all", [0, 1])):
        part = [(ours, plain) for moving, ours, plain in rows if moving in kept]
        cells = [
            np.median([getattr(pair[who], what) for pair in part])
            for who, what in (
                (0, "distance_mm"),
                (0, "p90_mm"),
                (0, "normals_deg"),
                (1, "distance_mm"),
                (1, "p90_mm"),
                (1, "normals_deg"),
            )
        ]
        distance, most, angle, plain, plain_most, plain_angle = cells
        told = f"{plain:.2f} mm | {plain_most:.2f} mm | {plain_angle:.1f} deg"
        yield f"| {name} | {distance:.2f} mm | {most:.2f} mm | {angle:.1f} deg | {told} |"
