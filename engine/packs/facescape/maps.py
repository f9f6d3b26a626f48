"""The detail network's pictures and maps: what goes in, and its output in millimetres and as the original's 16-bit files."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.arrays import ByteArray, FloatArray, IntArray, check
from engine.rasterize import rasterize, uv_points_px
from engine.types import UvWindow

WordArray = npt.NDArray[np.uint16]

MAP_SIZE = 1024
"""Pixels along one side of what the network sees and makes."""
CANVAS_SIZE = 4096
"""Pixels along one side of the UV square in the original's files."""
CROP_ROWS = (600, 2500)
CROP_COLUMNS = (1100, 3000)
"""Part of the canvas that the network sees."""
NO_DISPLACEMENT = 32768
"""Value of an undisplaced pixel in a 16-bit map."""
SCALE_MM = 0.914
"""Depth at full white: the authors' nominal scale."""
WINDOW = UvWindow(
    CROP_COLUMNS[0] / CANVAS_SIZE,
    1 - CROP_ROWS[1] / CANVAS_SIZE,
    CROP_COLUMNS[1] / CANVAS_SIZE,
    1 - CROP_ROWS[0] / CANVAS_SIZE,
    MAP_SIZE,
)
"""The same part in UV units."""

_CHANNELS = 3
_HALF_RANGE = 65535 / 2


def network_picture(crop_rgb: ByteArray) -> FloatArray:
    """The crop as the network takes it: (H, W, 3) uint8 RGB to (3, H, W) float32 in [-1, 1]."""
    check("crop_rgb", crop_rgb, (None, None, _CHANNELS), np.uint8)
    values = crop_rgb.astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(((values - np.float32(0.5)) / np.float32(0.5)).transpose(2, 0, 1))


def millimetres(output: FloatArray) -> FloatArray:
    """Signed displacement along the normal, mm, of a network output in [-1, 1]; any shape.

    The output stands for 16-bit values 0..65535 with 32768 undisplaced, so zero is half a level below the middle.
    """
    levels = (output.astype(np.float64) + 1) * _HALF_RANGE - NO_DISPLACEMENT
    return np.asarray(levels * (SCALE_MM / NO_DISPLACEMENT), np.float32)


def words(output: FloatArray, size: int) -> WordArray:
    """A network output as 16-bit pixels: (n, n) float32 in [-1, 1] to (size, size) uint16, as the original writes it."""
    import cv2

    resized = cv2.resize(check("output", output, (None, None)), (size, size), interpolation=cv2.INTER_LINEAR)
    levels = (np.asarray(resized) + np.float32(1)) / np.float32(2) * np.float32(65535)
    return np.asarray(np.clip(levels, 0, 65535), np.uint16)


def canvas(map_mm: FloatArray) -> WordArray:
    """The original's map file: a window's map in mm, pasted into the whole UV square.

    Args:
        map_mm: (n, n) float32 signed mm, over ``WINDOW``.

    Returns:
        (4096, 4096) uint16, 32768 = undisplaced, row 0 at v = 1.
    """
    output = (map_mm.astype(np.float64) * (NO_DISPLACEMENT / SCALE_MM) + NO_DISPLACEMENT) / _HALF_RANGE - 1
    result = np.full((CANVAS_SIZE, CANVAS_SIZE), NO_DISPLACEMENT, np.uint16)
    pasted = words(output.astype(np.float32), CROP_ROWS[1] - CROP_ROWS[0])
    result[slice(*CROP_ROWS), slice(*CROP_COLUMNS)] = pasted
    return result


def position_maps(
    key_vertices: FloatArray, faces: IntArray, uvs: FloatArray, uv_faces: IntArray, scale: float = 1.0
) -> FloatArray:
    """Position maps of one person, in the layout of the shipped ones.

    Args:
        key_vertices: (K, V, 3) float32 mm: this person in each key expression, neutral first.
        faces: (F, 3) int32 vertices of the front mesh.
        uvs: (T, 2) float32, v up.
        uv_faces: (F, 3) int32 indices into ``uvs``.
        scale: map units per mm, as ``position_scale`` finds it.

    Returns:
        (3 K, 1024, 1024) float32 over ``WINDOW``: x, y, z of key minus neutral, key by key; zero beside the mesh.

    Source:
        The deformation maps of FaceScape (Yang et al., CVPR 2020, section 4.2).
    """
    K, _, _ = check("key_vertices", key_vertices, (None, None, 3)).shape
    raster = rasterize(uv_points_px(uvs, WINDOW, MAP_SIZE), uv_faces, (MAP_SIZE, MAP_SIZE))
    result = np.empty((K * _CHANNELS, MAP_SIZE, MAP_SIZE), np.float32)
    for key, vertices in enumerate(key_vertices):
        moved = np.asarray((vertices - key_vertices[0]) * np.float32(scale), np.float32)
        result[_CHANNELS * key : _CHANNELS * (key + 1)] = raster.interpolate(moved, faces).transpose(2, 0, 1)
    return result


def deformation_channels(deformation_mm: FloatArray, size: int, scale: float) -> FloatArray:
    """A request's deformation as the network takes it: (m, m, 3) float32 mm to (3, size, size) in map units."""
    import cv2

    check("deformation_mm", deformation_mm, (None, None, _CHANNELS))
    resized = cv2.resize(deformation_mm, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized.transpose(2, 0, 1) * np.float32(scale))


def position_scale(shipped: FloatArray, deformation_mm: FloatArray) -> float:
    """Units of the shipped position maps per mm, which their authors do not tell: the best factor over all keys.

    Args:
        shipped: (3 K, n, n) float32.
        deformation_mm: (K, m, m, 3) float32 mm of any person; m divides n.
    """
    K, m, _, _ = check("deformation_mm", deformation_mm, (None, None, None, _CHANNELS)).shape
    step = check("shipped", shipped, (K * _CHANNELS, None, None)).shape[1] // m
    coarse = shipped[:, step // 2 :: step, step // 2 :: step].reshape(K, _CHANNELS, m, m).transpose(0, 2, 3, 1)
    own = deformation_mm.astype(np.float64)
    total = float((own * own).sum())
    return float((coarse * own).sum()) / total if total > 0 else 1.0
