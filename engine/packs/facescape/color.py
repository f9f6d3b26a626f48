"""The colours that the detail network was trained on: statistics of one skin in CIELAB, given to every photo."""

from __future__ import annotations

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray, check

# Mean and standard deviation of the reference skin, CIELAB as OpenCV scales it to 0..255.
_REFERENCE_MEAN = (145.32921, 143.36488, 147.16614)
_REFERENCE_DEVIATION = (22.719374, 2.6790402, 2.9267197)


def transfer_colors(crop_rgb: ByteArray, front_mask: BoolArray) -> ByteArray:
    """The picture with the masked pixels moved to the mean and spread of the reference skin.

    Args:
        crop_rgb: (H, W, 3) uint8 RGB.
        front_mask: (H, W) bool, True = skin that counts and is changed; the rest stays as it is.

    Returns:
        (H, W, 3) uint8 RGB. A channel without any spread becomes the reference mean.

    Source:
        Reinhard et al., "Color Transfer between Images" (2001), in 8-bit CIELAB as the original program does it.
    """
    import cv2

    H, W, _ = check("crop_rgb", crop_rgb, (None, None, 3), np.uint8).shape
    check("front_mask", front_mask, (H, W), np.bool_)
    result = crop_rgb.copy()
    if not front_mask.any():
        return result
    lab = np.asarray(cv2.cvtColor(np.ascontiguousarray(crop_rgb), cv2.COLOR_RGB2LAB), np.uint8)
    tables = [_table(lab[..., c][front_mask].astype(np.float32), c) for c in range(3)]
    moved = np.asarray(cv2.LUT(lab, np.stack(tables, axis=-1)[None]), np.uint8)
    skin = np.asarray(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), np.uint8)
    np.copyto(result, skin, where=front_mask[..., None])
    return result


def _table(values: FloatArray, channel: int) -> ByteArray:
    """(256,) uint8: what becomes of each value of one channel, given its values (n,) float32 in the picture."""
    # Mean and deviation in float32 over one channel after the other: the same rounding as the original's, so that the
    # final truncation falls on the same side.
    mean, deviation = values.mean(), values.std()
    factor = np.float32(_REFERENCE_DEVIATION[channel]) / deviation if deviation > 0 else np.float32(0)
    moved = (np.arange(256, dtype=np.float32) - mean) * factor + np.float32(_REFERENCE_MEAN[channel])
    return np.asarray(np.clip(moved, 0, 255), np.uint8)
