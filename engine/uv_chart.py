"""The skin chart of a topology as a picture: texels, mirror partners, what lies beside the skin."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray, IntArray
from engine.rasterize import WHOLE_SQUARE, Raster, other_parts_mask, uv_points_px, uv_square_raster
from engine.types import Topology

OUTSIDE_PX = -1e4
"""Mirror position where a texel has no partner."""
_PAD_TEXELS = 12  # how far photo pixels go on beyond the chart's border


@dataclass(frozen=True, slots=True, eq=False)
class UvChart:
    """What the unwrap needs of a topology, independent of the photo; R x R over the UV square."""

    raster: Raster
    mirror_px: FloatArray
    """(R, R, 2) float32: raster px of the mirror partner, extended beyond the chart; -1e4 where there is none."""
    nearest: IntArray
    """(R, R) int32: flat index of the nearest texel of the chart."""
    padding: FloatArray
    """(R, R) float32: 1 on the chart, falling to 0 at ``_PAD_TEXELS`` from it."""
    other_parts: BoolArray
    """(R, R) bool: texels of eyes, sockets and mouth, with a margin."""


_CHARTS: dict[tuple[int, int, int], UvChart] = {}


def uv_chart(topology: Topology, R: int) -> UvChart:
    """The topology's chart at R x R, kept as long as its UV array lives."""
    key = (id(topology.uvs), id(topology.mirror), R)
    if key not in _CHARTS:
        _CHARTS[key] = _makeuv_chart(topology, R)
        weakref.finalize(topology.uvs, _CHARTS.pop, key, None)
    return _CHARTS[key]


def _makeuv_chart(topology: Topology, R: int) -> UvChart:
    import cv2

    raster = uv_square_raster(topology, R)
    covered = raster.covered
    distance, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_of_texel = np.zeros(labels.max() + 1, np.int32)
    label_of_texel[labels[covered]] = np.flatnonzero(covered.ravel())
    nearest = label_of_texel[labels]
    mirror_px = _mirror_px(topology, raster, R).reshape(-1, 2)[nearest]
    other = other_parts_mask(topology, R)
    margin = max(1, R // 128)
    grown = cv2.dilate(other.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) > 0
    return UvChart(
        raster=raster,
        mirror_px=mirror_px,
        nearest=nearest,
        padding=np.clip(1.0 - (distance - 1.0) / _PAD_TEXELS, 0.0, 1.0).astype(np.float32),
        other_parts=grown & ~covered,
    )


def _mirror_px(topology: Topology, raster: Raster, R: int) -> FloatArray:
    """Raster px of each texel's partner on the other side of the face: (R, R, 2)."""
    count = topology.skin.faces[1]
    faces, uv_faces = topology.faces[:count], topology.uv_faces[:count]
    uv_px = uv_points_px(topology.uvs, WHOLE_SQUARE, R)
    vertex_px = np.zeros((topology.vertex_count, 2), np.float32)
    vertex_px[faces] = uv_px[uv_faces]
    partner_px = vertex_px[topology.mirror]
    # Where a UV seam runs through a face's partners, their positions lie far apart and mean nothing.
    own_extent, partner_extent = np.ptp(uv_px[uv_faces], axis=1).max(1), np.ptp(partner_px[faces], axis=1).max(1)
    torn = partner_extent > 4.0 * own_extent + 1.0
    pixels = raster.interpolate(partner_px, faces)
    pixels[raster.covered & torn[raster.face_index]] = OUTSIDE_PX
    return pixels


def window_picture(texture: ByteArray, topology: Topology) -> ByteArray:
    """The part of a texture (S, S, 3) that the detail maps cover, at their size: (n, n, 3) uint8 RGB."""
    import cv2

    part, n = texture[window_part(topology, len(texture))], topology.window.map_size
    way = cv2.INTER_AREA if part.shape[1] > n else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (n, n), interpolation=way), np.uint8)


def window_part(topology: Topology, size: int) -> tuple[slice, slice]:
    """Rows and columns of a texture (size, size, ...) that the detail maps cover."""
    window = topology.window
    columns = slice(round(window.u0 * size), round(window.u1 * size))
    return slice(round((1 - window.v1) * size), round((1 - window.v0) * size)), columns
