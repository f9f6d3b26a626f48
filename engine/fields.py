"""Fields over a picture's pixels: blur, resize, look up; float32 in, float32 out."""

from __future__ import annotations

import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.types import UvWindow


def smoothstep(value: FloatArray | np.float32, low: float, high: float) -> FloatArray:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def blurred(field: FloatArray, sigma: float) -> FloatArray:
    """Gaussian blur of (H, W) or (H, W, C), sigma in pixels."""
    import cv2

    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def enlarged(field: FloatArray, size: int) -> FloatArray:
    """The field at size x size, bilinear; itself if it has that size."""
    import cv2

    if len(field) == size:
        return field
    return np.asarray(cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def reduced(field: FloatArray, size: int) -> FloatArray:
    """The field at size x size, every pixel the mean of those that it replaces."""
    import cv2

    return np.asarray(cv2.resize(field, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def look_up(field: FloatArray | ByteArray, px: FloatArray, *, blend: bool = True) -> FloatArray:
    """Values at pixel positions (..., 2) (centres at +0.5), bilinear or nearest; outside the field is 0."""
    import cv2

    flags = cv2.INTER_LINEAR if blend else cv2.INTER_NEAREST
    found = cv2.remap(field, px[..., 0] - 0.5, px[..., 1] - 0.5, flags, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(found, np.float32)


def over_window(field: FloatArray, window: UvWindow) -> FloatArray:
    """A field (R, R) in [0, 1] over the UV square, resampled over the window at the map size."""
    import cv2

    R, n = len(field), window.map_size
    step_u, step_v = (window.u1 - window.u0) * R / n, (window.v1 - window.v0) * R / n
    origin_u, origin_v = window.u0 * R, (1.0 - window.v1) * R
    from_map = np.array([[step_u, 0.0, origin_u + 0.5 * step_u - 0.5], [0.0, step_v, origin_v + 0.5 * step_v - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    resampled = cv2.warpAffine(field, from_map, (n, n), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(resampled, 0.0, 1.0), np.float32)


def disc(radius: float) -> ByteArray:
    """Round structuring element of a radius in pixels."""
    import cv2

    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def distance_inside(mask: ByteArray) -> FloatArray:
    """Distance in pixels from each non-zero pixel to the nearest zero one."""
    import cv2

    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 5), np.float32)


def averaged(image: FloatArray, weight: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Weighted mean of an image at n x n, and the mean weight."""
    total = reduced(weight, n)
    summed = reduced(image * weight[..., None], n).reshape(n, n, -1)
    return np.asarray(summed / np.maximum(total, 1e-4)[..., None], np.float32), total


def push_pull(image: FloatArray, weight: FloatArray, default: FloatArray) -> FloatArray:
    """Fill pixels of no weight smoothly from those that have some.

    Args:
        image: (n, n, C) float32.
        weight: (n, n) float32 in [0, 1].
        default: (C,) float32, the value if nothing has weight.

    Source:
        Gortler et al., The Lumigraph (SIGGRAPH 1996), section 3.5.
    """
    import cv2

    n = image.shape[0]
    if n <= 1:
        return np.asarray(np.where(weight[..., None] > 0, image, default), np.float32)
    half = (n + 1) // 2
    mean, total = averaged(image, weight, half)
    coarse = push_pull(mean, np.minimum(1.0, 4.0 * total), default)
    back = cv2.resize(coarse, (n, n), interpolation=cv2.INTER_CUBIC).reshape(image.shape)  # linear shows its blocks
    return np.asarray(weight[..., None] * image + (1.0 - weight[..., None]) * back, np.float32)
