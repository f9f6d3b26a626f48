"""The photo as a 4096 texture: what it shows in its own resolution, the rest from the other side or smoothly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from engine.arrays import ByteArray, FloatArray, check
from engine.camera import project
from engine.fields import blurred, enlarged, look_up, over_window, push_pull, reduced, smoothstep
from engine.packs.facescape.maps import CANVAS_SIZE, CROP_COLUMNS, CROP_ROWS, MAP_SIZE
from engine.sight import Sight, see, without_strangers
from engine.types import Photo, SkinTexture, Topology, WeakPerspective
from engine.uv_chart import UvChart, uv_chart

_FINE_TEXELS, _COARSE_TEXELS = 4, 8
"""Texels along one pixel of the photo coordinates and the fill, and of the fields that say what is visible."""
_MARGIN = 6  # coarse pixels painted around the chart
_FILL_SIZE = 128  # colours that neither side shows and the difference of light between the sides: low frequencies
_SHARE_RAMP = (0.1, 0.5)  # visibility from which the photo itself begins to show, and where it shows alone
_COMPARABLE = 0.6  # share from which both sides count as seen when their colours are compared
_GAIN_RANGE = (0.4, 2.5)
_MID_GREY = 128.0
_NOTHING = 1e-3  # shares and colours below this count as none
_MOST_ZOOM = 2.0
_BORDER_PX = 4  # of the photo kept around the face
_SAME_ZOOM = 0.3  # photos this close to the texture's resolution are looked up as they are


def unwrap_surface(
    photo: Photo, camera: WeakPerspective, topology: Topology, vertices: FloatArray, size: int = CANVAS_SIZE
) -> SkinTexture:
    """The photo on the skin, sub-pixel and only where it shows the skin; black far from the chart.

    The same idea as ``engine.unwrap``, at a fifth of its time for this size: full resolution only for the photo and
    only around the chart, everything else on coarser grids. The charts of a topology are made on first use (0.3 s).

    Args:
        photo: the picture.
        camera: how the photo sees the model.
        topology: faces, UVs, mirror partners; e.g. ``front_topology``.
        vertices: (V, 3) float32 mm, in the photo's expression.
        size: texels along one side, a multiple of 8.

    Returns:
        Texture of the whole UV square, and the visibility over the UV window.
    """
    import cv2

    check("vertices", vertices, (topology.vertex_count, 3))
    if size % _COARSE_TEXELS:
        raise ValueError(f"size: expected a multiple of {_COARSE_TEXELS}, got {size}")
    fine, coarse = uv_chart(topology, size // _FINE_TEXELS), uv_chart(topology, size // _COARSE_TEXELS)
    box = _chart_box(coarse)
    image = np.zeros((size, size, 3), np.uint8)
    seen = image[box.at(_COARSE_TEXELS)]
    with ThreadPoolExecutor(1) as beside:  # two halves of about the same length
        lookup = beside.submit(_show_photo, photo, project(camera, vertices), topology, fine, box, seen)
        sight = see(photo, camera, topology, vertices, coarse)
        lookup.result()
    colours = _on_canvas(seen, box, _COARSE_TEXELS, len(coarse.nearest))
    visibility = without_strangers(sight, colours, coarse.raster.covered).visibility
    shares = _shares(sight, visibility, coarse)
    fill = _fill(_on_canvas(seen, box, _FINE_TEXELS, len(fine.nearest)), colours, shares, fine, coarse, box)
    own = cv2.resize(shares.own[box.at(1)], seen.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    cv2.blendLinear(seen, fill, own, np.float32(1.0) - own, dst=seen)
    return SkinTexture(image, over_window(visibility * coarse.raster.covered, topology.window))


def network_crop(texture: ByteArray) -> ByteArray:
    """The part of the texture (4096, 4096, 3) that the detail network sees: (1024, 1024, 3) uint8, as the original cuts it.

    Source:
        The original: bilinear in double precision, fractions dropped.
    """
    import cv2

    check("texture", texture, (CANVAS_SIZE, CANVAS_SIZE, 3), np.uint8)
    part = texture[slice(*CROP_ROWS), slice(*CROP_COLUMNS)].astype(np.float64)
    return np.asarray(cv2.resize(part, (MAP_SIZE, MAP_SIZE)), np.uint8)


@dataclass(frozen=True, slots=True)
class _Box:
    """Rows and columns around the chart, in coarse pixels."""

    top: int
    bottom: int
    left: int
    right: int

    def at(self, factor: int) -> tuple[slice, slice]:
        """The same part of a picture that is finer by ``factor``."""
        return slice(self.top * factor, self.bottom * factor), slice(self.left * factor, self.right * factor)


@dataclass(frozen=True, slots=True, eq=False)
class _Shares:
    """What a texel's colour is made of, (R, R) float32 each; the smooth colours take the rest."""

    own: FloatArray
    """Of the photo itself."""
    partner: FloatArray
    """Of the mirrored side."""


def _chart_box(coarse: UvChart) -> _Box:
    covered = coarse.raster.covered
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    if not len(rows):
        raise ValueError("topology: none of its faces covers any of the texture")
    top, left = (max(0, int(found[0]) - _MARGIN) for found in (rows, columns))
    bottom, right = (min(len(covered), int(found[-1]) + 1 + _MARGIN) for found in (rows, columns))
    return _Box(top, bottom, left, right)


def _show_photo(
    photo: Photo, points: FloatArray, topology: Topology, fine: UvChart, box: _Box, seen: ByteArray
) -> None:
    """Write the photo into every texel of the box (h, w, 3), whether it shows skin there or not.

    Beyond the photo its border goes on. ``points`` (V, 2) are the vertices in photo px.
    """
    import cv2

    texels = fine.raster.interpolate(points, topology.faces).reshape(-1, 2)
    source, origin, factor = _fitting(photo.image, points, max(seen.shape))
    at = texels[fine.nearest[box.at(_COARSE_TEXELS // _FINE_TEXELS)]]
    at -= origin
    at *= factor
    at -= np.float32(0.5)  # OpenCV counts from the centre of the first pixel
    x, y = (cv2.resize(plane, seen.shape[1::-1], interpolation=cv2.INTER_LINEAR) for plane in cv2.split(at))
    cv2.remap(source, x, y, cv2.INTER_LINEAR, dst=seen, borderMode=cv2.BORDER_REPLICATE)


def _fitting(image: ByteArray, points: FloatArray, texels: int) -> tuple[ByteArray, FloatArray, FloatArray]:
    """The part of a photo around the vertices (V, 2) px, in about the resolution of a chart that is ``texels`` long.

    A cubic enlargement looked up linearly looks like a cubic lookup at half its time; a reduction by areas shows no
    aliasing.

    Returns:
        The picture; its corner in photo px (2,); its pixels per photo px (2,).
    """
    import cv2

    size = np.array(image.shape[1::-1])
    low = np.clip(np.floor(points.min(0)) - _BORDER_PX, 0, size - 1).astype(int)
    high = np.clip(np.ceil(points.max(0)) + _BORDER_PX, low + 1, size).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]]
    zoom = min(_MOST_ZOOM, texels / float((high - low).max()))
    if abs(zoom - 1.0) > _SAME_ZOOM:
        wanted = tuple(max(1, round(zoom * n)) for n in (high - low))
        method = cv2.INTER_CUBIC if zoom > 1.0 else cv2.INTER_AREA
        part = np.asarray(cv2.resize(part, wanted, interpolation=method), np.uint8)
    factor = np.array(part.shape[1::-1]) / (high - low)
    return part, low.astype(np.float32), factor.astype(np.float32)


def _on_canvas(seen: ByteArray, box: _Box, texels: int, size: int) -> ByteArray:
    """The box's picture reduced by ``texels``, in its place on a black canvas (size, size, 3)."""
    import cv2

    canvas = np.zeros((size, size, 3), np.uint8)
    reduced_size = (seen.shape[1] // texels, seen.shape[0] // texels)
    canvas[box.at(_COARSE_TEXELS // texels)] = cv2.resize(seen, reduced_size, interpolation=cv2.INTER_AREA)
    return canvas


def _shares(sight: Sight, visibility: FloatArray, coarse: UvChart) -> _Shares:
    own = smoothstep(visibility, *_SHARE_RAMP) * coarse.padding
    partner = smoothstep(look_up(visibility, coarse.mirror_px), *_SHARE_RAMP) * (coarse.padding - own)
    own += np.maximum(coarse.padding - own - partner, 0.0) * sight.glimpse
    return _Shares(own, partner)


def _fill(
    colours: ByteArray, coarse_colours: ByteArray, shares: _Shares, fine: UvChart, coarse: UvChart, box: _Box
) -> ByteArray:
    """Colours for what the photo does not show (h, w, 3) at full size: the mirrored side, elsewhere smooth ones."""
    import cv2

    gain, smooth = _low_frequencies(coarse_colours, shares, coarse)
    place = box.at(_COARSE_TEXELS // _FINE_TEXELS)
    x, y = cv2.split(np.asarray(fine.mirror_px[place] - 0.5, np.float32))
    mirrored = np.asarray(cv2.remap(colours, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    # All of the fill is weighted with 1 - own later, so that the mirrored side's part of it is taken by that here.
    part = shares.partner / np.maximum(1.0 - shares.own, 1e-3)
    gain_and_part = np.concatenate([gain, reduced(part, len(gain))[..., None]], axis=-1)
    factor = enlarged(gain_and_part, len(fine.nearest))[place]
    ground = enlarged(smooth, len(fine.nearest))[place]
    light, share = factor[..., :3], factor[..., 3:]
    mixed = ground + share * (np.minimum(mirrored * light, 255.0) - ground)
    full = (mirrored.shape[1] * _FINE_TEXELS, mirrored.shape[0] * _FINE_TEXELS)
    return np.asarray(cv2.resize((mixed + 0.5).astype(np.uint8), full, interpolation=cv2.INTER_LINEAR), np.uint8)


def _low_frequencies(colours: ByteArray, shares: _Shares, coarse: UvChart) -> tuple[FloatArray, FloatArray]:
    """Factor that gives the mirrored side the colours of this one, and smooth colours for the rest: (n, n, 3) each."""
    import cv2

    R = len(coarse.nearest)
    n = min(_FILL_SIZE, R)
    inside = shares.own * coarse.raster.covered
    seen = reduced(inside, n)
    summed = reduced(colours * inside[..., None], n)
    here = _divided(summed, seen[..., None])
    mirror_px = cv2.resize(coarse.mirror_px, (n, n), interpolation=cv2.INTER_NEAREST) * np.float32(n / R)
    seen_there = look_up(seen, mirror_px)
    there = _divided(look_up(summed, mirror_px), seen_there[..., None])
    both = (np.minimum(seen, seen_there) > _COMPARABLE).astype(np.float32)
    mask = both[..., None]
    radius = n / 64  # a ratio of blurred colours: a mole has no partner
    ratio = _divided(np.maximum(blurred(here * mask, radius), 1e-3), blurred(there * mask, radius))
    gain = np.clip(push_pull(ratio, both, np.ones(3, np.float32)), *_GAIN_RANGE)
    share = reduced(shares.partner * coarse.raster.covered, n)
    weight = seen + share
    mixed = _divided(summed + share[..., None] * gain * there, weight[..., None])
    known = np.clip(4.0 * weight - 0.2, 0.0, 1.0)  # a cell seen in part has its colour, too
    smooth = push_pull(mixed, known, np.full(3, _MID_GREY, np.float32))
    return gain, np.clip(smooth, 0.0, 255.0)


def _divided(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    return np.asarray(numerator / np.maximum(denominator, _NOTHING), np.float32)
