"""From light on skin to a texture out of a photo: optics, sensor, file, and the way back onto the chart."""

from __future__ import annotations

import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.fields import blurred, enlarged, reduced, smoothstep
from engine.training.skin.window import Window

_FACE_MM = 140.0
_FACE_PX = (150.0, 2000.0)
_COSINE_RAMP = (0.12, 0.5)  # as ``engine.sight`` weighs oblique views


def random_face_px(rng: np.random.Generator) -> float:
    """Width of a face in somebody's photo."""
    return float(np.exp(rng.uniform(*np.log(_FACE_PX))))


def px_per_mm(face_px: float) -> float:
    """How finely a photo shows the skin of a face of this width."""
    return face_px / _FACE_MM


def photograph(
    rng: np.random.Generator, window: Window, light: FloatArray, face_px: float, yaw: float | None = None
) -> tuple[ByteArray, FloatArray]:
    """Take the photo and lay it back on the chart.

    Args:
        rng: of everything that a photo adds.
        window: the piece of skin.
        light: (s, s, 3) float32 linear.
        face_px: width of the face in the photo.
        yaw: rad by which the head is turned; drawn if None.

    Returns:
        texture (s, s, 3) uint8 RGB, visibility (s, s) float32.
    """
    size = window.size
    if yaw is None:
        yaw = float(rng.normal(0.0, 0.3))
    density = px_per_mm(face_px) * window.texel_mm  # photo px per texel, seen squarely
    facing = window.normal[..., 2] * np.cos(yaw) + window.normal[..., 0] * np.sin(yaw)
    columns = _photo_positions(facing, window.skin, density)
    width, height = max(8, int(columns[-1]) + 1), max(8, round(size * density))
    photo = _box_sampled(light, columns, width, height)
    photo = _developed(rng, photo, density)
    byte = np.clip(photo * 255.0 + 0.5, 0, 255).astype(np.uint8)
    byte = _compressed(rng, byte)
    texture = _unwrapped(byte, columns, size)
    visibility = smoothstep(facing.astype(np.float32), *_COSINE_RAMP) * window.skin
    visibility *= _hidden(rng, window)
    return _filled(texture, visibility, window), np.asarray(visibility, np.float32)


def _photo_positions(facing: FloatArray, skin: FloatArray, density: float) -> FloatArray:
    """Photo column of every texel's left edge, and of the last one's right edge: (s + 1,)."""
    weight = skin + 1e-3
    cosine = np.clip((facing * weight).sum(0) / weight.sum(0), 0.12, 1.0)
    cosine = np.convolve(np.pad(cosine, 8, mode="edge"), np.full(17, 1 / 17), mode="valid")
    return np.concatenate([[0.0], np.cumsum(cosine * density)]).astype(np.float32)


def _box_sampled(light: FloatArray, columns: FloatArray, width: int, height: int) -> FloatArray:
    """Means of the light over the photo's pixels, (height, width, 3)."""
    import cv2

    size = len(light)
    if height < size:
        rows = cv2.resize(light, (size, height), interpolation=cv2.INTER_AREA)
    else:
        rows = cv2.resize(light, (size, height), interpolation=cv2.INTER_CUBIC)
    edges = np.interp(np.arange(width + 1), columns, np.arange(size + 1))  # photo column -> texel
    if edges[-1] - edges[-2] < 1e-3:
        edges[-1] = edges[-2] + 1e-3
    total = np.concatenate([np.zeros((len(rows), 1, 3), np.float64), np.cumsum(rows, 1, dtype=np.float64)], 1)
    low = np.clip(edges.astype(int), 0, size - 1)
    part = (edges - low)[None, :, None]
    at = total[:, low] * (1.0 - part) + total[:, low + 1] * part
    steps = np.maximum(np.diff(edges), 1e-3)[None, :, None]
    return np.asarray(np.diff(at, axis=1) / steps, np.float32)


def _developed(rng: np.random.Generator, photo: FloatArray, density: float) -> FloatArray:
    """Optics, exposure, noise, white balance, tone curve, sharpening: sRGB (h, w, 3) in 0..1."""
    defocus = float(rng.uniform(0.25, 0.9)) if rng.random() < 0.75 else float(rng.uniform(0.6, 1.5) * max(1.0, density))
    photo = blurred(photo, defocus)
    bright = float(np.quantile(photo.mean(-1), 0.7))
    photo = photo * np.float32(rng.uniform(0.10, 0.42) / max(bright, 1e-3))
    photo = photo * np.exp(rng.normal(0.0, 0.08, 3)).astype(np.float32)
    noise = float(np.exp(rng.uniform(np.log(0.002), np.log(0.03))))
    grain = rng.standard_normal(photo.shape, dtype=np.float32)
    smear = float(rng.uniform(0.0, 0.9))
    if smear > 0.35:
        grain = blurred(grain, smear) * np.float32(2.0 * np.sqrt(np.pi) * smear)
    grain = 0.7 * grain.mean(-1, keepdims=True) * np.float32(1.7) + 0.5 * grain
    photo = photo + grain * noise * np.sqrt(np.maximum(photo, 0.01))
    photo = np.maximum(photo, 0.0)
    white = float(rng.uniform(1.0, 2.5))  # highlights roll off
    photo = photo * (1.0 + photo / white**2) / (1.0 + 0.35 * photo)
    encoded = np.clip(photo, 0.0, 1.0) ** np.float32(1 / rng.uniform(2.0, 2.5))
    contrast = float(rng.uniform(-0.1, 0.7))
    encoded = encoded + contrast * (encoded * encoded * (3.0 - 2.0 * encoded) - encoded)
    if rng.random() < 0.6:
        radius = float(rng.uniform(0.5, 1.8))
        encoded = encoded + float(rng.uniform(0.1, 1.6)) * (encoded - blurred(encoded, radius))
    return np.asarray(np.clip(encoded, 0.0, 1.0), np.float32)


def _compressed(rng: np.random.Generator, photo: ByteArray) -> ByteArray:
    import cv2

    if rng.random() < 0.15:
        return photo
    quality = int(100 - 65 * rng.random() ** 1.5)
    row, column = rng.integers(0, 8, 2)  # blocks begin anywhere
    padded = np.pad(photo, ((row, 0), (column, 0), (0, 0)), mode="edge")
    coded = cv2.imencode(".jpg", padded[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1]
    return np.ascontiguousarray(decoded[row:, column:], np.uint8)


def _unwrapped(photo: ByteArray, columns: FloatArray, size: int) -> ByteArray:
    import cv2

    H = len(photo)
    x = 0.5 * (columns[1:] + columns[:-1]) - 0.5
    y = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(H / size) - 0.5
    px, py = np.meshgrid(x.astype(np.float32), y)
    found = cv2.remap(photo, px, py, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(size, size, 3), np.uint8)


def _hidden(rng: np.random.Generator, window: Window) -> FloatArray:
    """Visibility that other things than the skin's own slope take, (s, s)."""
    from engine.training.skin.noise import smooth_noise

    if rng.random() > 0.25:
        return np.ones_like(window.skin)
    field = smooth_noise(rng, window.size, 18.0 / window.texel_mm)
    border = float(rng.uniform(0.5, 2.5))
    return np.asarray(1.0 - smoothstep(field, border, border + 0.5), np.float32)


def _filled(texture: ByteArray, visibility: FloatArray, window: Window) -> ByteArray:
    """Unseen skin in the smooth colours of its surroundings, as ``engine.unwrap`` leaves it."""
    if visibility.min() > 0.5 and window.skin.min() > 0.5:
        return texture
    size = window.size
    small = max(8, size // 8)
    weight = reduced(visibility, small) + np.float32(1e-4)
    colours = texture.astype(np.float32)
    sums = np.dstack([reduced(colours * (visibility + 1e-4)[..., None], small), weight])
    for sigma in (1.0, 3.0, 8.0):
        wide = blurred(sums, sigma)
        sums = np.where(weight[..., None] > 0.3, sums, sums * 0.02 + wide)
    smooth = enlarged(np.ascontiguousarray(sums[..., :3] / np.maximum(sums[..., 3:], 1e-6), np.float32), size)
    own = smoothstep(visibility, 0.1, 0.5)[..., None]
    return np.clip(own * colours + (1.0 - own) * smooth + 0.5, 0, 255).astype(np.uint8)
