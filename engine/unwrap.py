"""The photo in UV space: seen skin from the photo, the rest from the mirrored side, then smoothly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray, check
from engine.camera import project
from engine.fields import averaged, blurred, look_up, over_window, push_pull, smoothstep
from engine.rasterize import WHOLE_SQUARE, uv_points_px
from engine.sight import see, without_strangers
from engine.types import Photo, SkinTexture, Topology, WeakPerspective
from engine.uv_chart import UvChart, uv_chart

ATLAS_SIZES = (1024, 2048, 4096)
_RASTER_LIMIT = 1024  # photo coordinates vary smoothly: rasterise them at most this fine, then enlarge
_FILL_SIZE = 256  # colours of unseen skin are low frequencies only
_TILE = 512  # texels along one side of a composed tile
_OVERSAMPLED = 1.3  # photo px per texel that a lookup without mip levels still shows without aliasing
_SHARE_RAMP = (0.1, 0.5)  # visibility from which the photo itself begins to show, and where it shows alone
_COMPARABLE = 0.6  # mean share from which both sides count as seen when their colours are compared
_GAIN_RANGE = (0.4, 2.5)  # of the light between the two sides of a face
_MID_GREY = 128.0
_EYE_DISTANCE_MM, _USUAL_ERROR, _MOST_MISFIT_MM = 88.0, 0.018, 3.0


def unwrap(
    photo: Photo,
    camera: WeakPerspective,
    topology: Topology,
    vertices: FloatArray,
    base_texture: ByteArray,
    size: int | None = None,
    not_skin: ByteArray | None = None,
    misfit_mm: float = 0.0,
) -> SkinTexture:
    """Paint the skin with the photo, and what the photo does not show from the mirrored side, then smoothly.

    Args:
        photo: the picture.
        camera: how the photo sees the model.
        topology: faces, UVs, mirror partners.
        vertices: (V, 3) float32 mm, in the photo's expression.
        base_texture: (B, B, 3) uint8 RGB of the whole UV square: gives the eyes and the mouth.
        size: pixels along the texture; chosen from the face's size in the photo if None.
        not_skin: (H, W) uint8: 255 where the photo shows an eye or the inside of the mouth: no skin gets its colours.
        misfit_mm: how far the outlines of the fit may lie from the photo's, beyond what is usual (see ``misfit_of``).

    Returns:
        Texture of the whole UV square, and the visibility over the UV window.

    Raises:
        ValueError: an argument has the wrong shape or type.

    Source:
        Ours; the filling of holes is push-pull (Gortler et al., The Lumigraph, SIGGRAPH 1996).
    """
    check("vertices", vertices, (topology.vertex_count, 3))
    check("base_texture", base_texture, (None, None, 3), np.uint8)
    size = size or atlas_size(camera, topology, vertices)
    chart = uv_chart(topology, _raster_size(size))
    sight = see(photo, camera, topology, vertices, chart, not_skin, misfit_mm)
    coordinates, covered = sight.coordinates, chart.raster.covered
    source = _shrunk(photo, coordinates, sight.visibility, covered, size)
    visibility = without_strangers(sight, source.sample(coordinates), covered).visibility
    mirrored = look_up(coordinates, chart.mirror_px)
    own = smoothstep(visibility, *_SHARE_RAMP) * chart.padding
    partner = smoothstep(look_up(visibility, chart.mirror_px), *_SHARE_RAMP) * (chart.padding - own)
    partner *= sight.skin  # what eyes and mouth hide has its colour from the skin beside it, not from across the face
    gain, smooth = _low_frequencies(source, coordinates, chart, own, partner)
    own += np.maximum(chart.padding - own - partner, 0.0) * sight.glimpse
    layers = _Layers(source, coordinates, mirrored, own, partner, gain, smooth)
    image = _compose(layers, size)
    _paint_other_parts(image, base_texture, chart.other_parts)
    return SkinTexture(image, over_window(visibility * covered, topology.window))


def misfit_of(error: float) -> float:
    """How far a fit's outlines may lie from the photo's beyond what is usual, mm, from its mean error over the eye distance.

    Frontal faces are fitted to 0.8-1.6 % and get 0; heads turned by 35 to 55 degrees err by 3-7 %.
    """
    beyond = _EYE_DISTANCE_MM * (error - _USUAL_ERROR)
    return float(np.clip(beyond, 0.0, _MOST_MISFIT_MM)) if np.isfinite(error) else 0.0


def atlas_size(camera: WeakPerspective, topology: Topology, vertices: FloatArray) -> int:
    """The smallest atlas that keeps the photo's resolution on the skin that faces the camera."""
    skin = topology.faces[: topology.skin.faces[1]]
    photo_px = project(camera, vertices)[skin]
    uv_px = uv_points_px(topology.uvs, WHOLE_SQUARE, 1)[topology.uv_faces[: len(skin)]]
    in_photo, in_uv = (_signed_area(corners) for corners in (photo_px, uv_px))
    facing = in_photo < -0.5 * np.abs(in_photo).max()  # y runs down: counter-clockwise faces have negative area
    facing |= in_photo < np.quantile(in_photo, 0.4)
    px_per_unit = np.sqrt(np.median(np.abs(in_photo[facing]) / np.maximum(np.abs(in_uv[facing]), 1e-12)))
    return next((s for s in ATLAS_SIZES if s * _OVERSAMPLED >= px_per_unit), ATLAS_SIZES[-1])


def _signed_area(corners: FloatArray) -> FloatArray:
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _raster_size(size: int) -> int:
    """The largest whole fraction of the texture that is not above the limit."""
    divisor = next(d for d in range(-(-size // _RASTER_LIMIT), size + 1) if size % d == 0)
    return size // divisor


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """The part of the photo around the face, shrunk where it is finer than the texture."""

    image: ByteArray
    origin: FloatArray
    """(2,) photo px of its corner."""
    zoom: FloatArray
    """(2,) its pixels per photo px."""

    def sample(self, coordinates: FloatArray) -> ByteArray:
        """Colours (h, w, 3) at photo px (h, w, 2); beyond the photo its border goes on."""
        import cv2

        px = (coordinates - self.origin) * self.zoom - np.float32(0.5)
        found = cv2.remap(self.image, px[..., 0], px[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.uint8)


def _shrunk(photo: Photo, coordinates: FloatArray, visibility: FloatArray, covered: BoolArray, size: int) -> _Source:
    import cv2

    H, W = photo.image.shape[:2]
    seen = covered & (visibility > 0.1)
    points = coordinates[seen if seen.any() else covered]
    limits = np.array([W, H])
    low = np.clip(np.floor(points.min(0)) - 8, 0, limits - 1).astype(int)
    high = np.clip(np.ceil(points.max(0)) + 8, low + 1, limits).astype(int)
    crop = photo.image[low[1] : high[1], low[0] : high[0]]
    step = np.linalg.norm(np.diff(coordinates, axis=1), axis=-1)
    stepped = seen[:, 1:] & seen[:, :-1]
    px_per_texel = float(np.median(step[stepped])) * len(coordinates) / size if stepped.any() else 1.0
    if px_per_texel <= _OVERSAMPLED:
        return _Source(crop, low.astype(np.float32), np.ones(2, np.float32))
    wanted = tuple(max(1, round(n * _OVERSAMPLED / px_per_texel)) for n in (high - low))
    shrunk = np.asarray(cv2.resize(crop, wanted, interpolation=cv2.INTER_AREA), np.uint8)
    return _Source(shrunk, low.astype(np.float32), (wanted / (high - low)).astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class _Layers:
    """What a texel's colour is made of; all R x R but the low frequencies."""

    source: _Source
    coordinates: FloatArray
    mirrored: FloatArray
    own: FloatArray
    """Share of the photo itself."""
    partner: FloatArray
    """Share of the mirrored side; the smooth fill takes the rest."""
    gain: FloatArray
    """(n, n, 3): factor that gives the mirrored side the colours of this one."""
    smooth: FloatArray
    """(n, n, 3): colours for what is unseen on both sides."""


def _low_frequencies(
    source: _Source, coordinates: FloatArray, chart: UvChart, own: FloatArray, partner: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Colour factor for the mirrored side and smooth colours for the rest, both (n, n, 3) with n <= 256."""
    import cv2

    R = len(own)
    n = min(_FILL_SIZE, R)
    inside = own * chart.raster.covered
    colours = source.sample(coordinates).astype(np.float32)
    here, seen = averaged(colours, inside, n)
    mirror_px = cv2.resize(chart.mirror_px, (n, n), interpolation=cv2.INTER_NEAREST) * np.float32(n / R)
    seen_there = look_up(seen, mirror_px)
    weighted = look_up(here * seen[..., None], mirror_px)  # colours of unseen cells mean nothing
    there = np.asarray(weighted / np.maximum(seen_there, 1e-4)[..., None], np.float32)
    both = (np.minimum(seen, seen_there) > _COMPARABLE).astype(np.float32)
    radius = n / 64  # a ratio of blurred colours: a mole has no partner
    mask = both[..., None]
    ratio = np.maximum(blurred(here * mask, radius), 1e-3) / np.maximum(blurred(there * mask, radius), 1e-3)
    gain = np.clip(push_pull(ratio.astype(np.float32), both, np.ones(3, np.float32)), *_GAIN_RANGE)
    share, _ = averaged(partner[..., None], chart.raster.covered.astype(np.float32), n)
    mixed = seen[..., None] * here + share * gain * there
    weight = seen + share[..., 0]
    colour = (mixed / np.maximum(weight, 1e-3)[..., None]).astype(np.float32)
    known = np.clip(4.0 * weight - 0.2, 0.0, 1.0).astype(np.float32)  # a cell seen in part has its colour, too
    return gain, np.clip(push_pull(colour, known, np.full(3, _MID_GREY, np.float32)), 0.0, 255.0)


def _compose(layers: _Layers, size: int) -> ByteArray:
    """Mix the layers at full size, tile by tile, so that no full-size float picture is needed."""
    image = np.empty((size, size, 3), np.uint8)
    for top in range(0, size, _TILE):
        for left in range(0, size, _TILE):
            tile = (top, left, min(_TILE, size - top), min(_TILE, size - left))
            image[top : top + tile[2], left : left + tile[3]] = _mixed(layers, tile, size)
    return image


def _mixed(layers: _Layers, tile: tuple[int, int, int, int], size: int) -> ByteArray:
    """One tile (top, left, height, width) of the texture."""
    own = _enlarged(layers.own, tile, size)[..., None]
    partner = _enlarged(layers.partner, tile, size)[..., None]
    if not own.any() and not partner.any():
        return np.asarray(_enlarged(layers.smooth, tile, size) + 0.5, np.uint8)
    mixed = layers.source.sample(_enlarged(layers.coordinates, tile, size)).astype(np.float32)
    if own.min() < 1.0:
        mixed *= own
        if partner.any():
            there = layers.source.sample(_enlarged(layers.mirrored, tile, size))
            mixed += partner * np.minimum(there * _enlarged(layers.gain, tile, size), 255.0)
        mixed += (1.0 - own - partner) * _enlarged(layers.smooth, tile, size)
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def _enlarged(field: FloatArray, tile: tuple[int, int, int, int], size: int) -> FloatArray:
    """The tile's part of a square field, bilinear, as if the whole field were enlarged to ``size``."""
    import cv2

    top, left, height, width = tile
    step = len(field) / size
    from_tile = np.array([[step, 0.0, (left + 0.5) * step - 0.5], [0.0, step, (top + 0.5) * step - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(field, from_tile, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(part, np.float32)


def _paint_other_parts(image: ByteArray, base_texture: ByteArray, other_parts: BoolArray) -> None:
    """Put eyes and mouth of the base texture in place."""
    import cv2

    if not other_parts.any():
        return
    size = len(image)
    base = base_texture
    if len(base) != size:
        shrinks = len(base) > size
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        base = np.asarray(cv2.resize(base, (size, size), interpolation=method), np.uint8)
    mask = cv2.resize(other_parts.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST) > 0
    image[mask] = base[mask]
