"""What a photo shows of a face: which texel sees which photo pixel, and how well."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray, IntArray
from engine.camera import depth_mm, project, rotation_matrix
from engine.fields import blurred, disc, distance_inside, look_up, smoothstep
from engine.geometry import vertex_normals
from engine.rasterize import rasterize
from engine.types import Photo, Topology, WeakPerspective
from engine.uv_chart import UvChart

_ZBUFFER_PX = 700  # longer side of the depth picture
_FAR_MM = -1e4  # depth of an empty pixel

# Cosines of the angle between skin and viewing direction: below the first nothing is read, above the second all.
_COSINE_RAMP = (0.16, 0.52)
_GLIMPSE_COSINES = (0.0, 0.12)
# A depth step this steep between neighbouring depth pixels (about 0.3 mm apart) is an occluding edge, not a slope.
_EDGE_STEP_MM = 3.0
_EDGE_MARGIN_MM = 2.5  # skin so close behind an occluding edge may show the occluder where the fit is a little off
_OCCLUSION_RAMP_MM = (1.5, 3.0)
_SILHOUETTE_MARGIN_MM = 2.5  # the same towards the background, for skin that turns away
_MIXED_PX = 3.0  # twice the photo pixels at the outline that mix face and background
_DOUBT_RAMP_MM = (4.0, 14.0)  # from the outline inwards
_STRANGE_RAMP = (2.5, 4.5)  # standard deviations from the skin's colour
_LIGHTNESS_WEIGHT = 0.35
_COLOUR_NOISE = 2.0  # CIELAB units as OpenCV scales them (0..255)
_FEWEST_SURE_TEXELS = 500
_SOFTNESS = 1 / 250  # sigma of the ramp at a step, as a share of the UV square
_HIDDEN = 0.05
_ISLAND = 1 / 100  # radius of the largest island that is dropped, as a share of the UV square


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """How one photo sees the texels of a chart; R x R, extended beyond the chart."""

    coordinates: FloatArray
    """(R, R, 2) float32 photo px."""
    visibility: FloatArray
    """(R, R) float32 in [0, 1]: 1 seen squarely."""
    glimpse: FloatArray
    """(R, R) float32 in [0, 1]: the same for skin seen however slantingly; better than an invented colour."""
    doubt: FloatArray
    """(R, R) float32 in [0, 1]: 1 at the outline of the face, where a fit a little off shows hair or background."""
    skin: FloatArray
    """(R, R) float32 in [0, 1]: 0 where the photo shows an eye or the inside of the mouth instead."""


def see(
    photo: Photo,
    camera: WeakPerspective,
    topology: Topology,
    vertices: FloatArray,
    chart: UvChart,
    not_skin: ByteArray | None = None,
    misfit_mm: float = 0.0,
) -> Sight:
    """Follow every texel of the chart into the photo; ``not_skin`` (H, W) uint8 is 255 where it shows something else.

    Skin as near as ``misfit_mm`` to an outline, or to an edge that hides skin behind it, is not taken from the photo.
    """
    pixels, depth = project(camera, vertices), depth_mm(camera, vertices)
    cosine = vertex_normals(vertices, topology.faces) @ rotation_matrix(camera.rotation)[2].astype(np.float32)
    values = np.column_stack([pixels, depth, cosine]).astype(np.float32)
    texels = chart.raster.interpolate(values, topology.faces)
    H, W = photo.image.shape[:2]
    x, y = texels[..., 0], texels[..., 1]
    border = np.minimum(np.minimum(x, np.float32(W) - x), np.minimum(y, np.float32(H) - y))  # px inside the photo
    unoccluded, ground_mm = _unoccluded(pixels, depth, topology.faces, camera.scale_px_per_mm, texels, misfit_mm)
    open_view = np.clip(border - 0.5, 0.0, 1.0) * unoccluded
    skin = np.ones(open_view.shape, np.float32)
    if not_skin is not None:
        skin -= look_up(not_skin, texels[..., :2]) / np.float32(255.0)
        open_view *= skin
    visibility = smoothstep(texels[..., 3], *_COSINE_RAMP) * open_view
    doubt = 1.0 - smoothstep(ground_mm, *_DOUBT_RAMP_MM)
    glimpse = smoothstep(texels[..., 3], *_GLIMPSE_COSINES) * open_view * (1.0 - doubt)
    return Sight(
        coordinates=np.ascontiguousarray(texels[..., :2]).reshape(-1, 2)[chart.nearest],
        visibility=_softened(visibility.ravel()[chart.nearest]),
        glimpse=_softened(glimpse.ravel()[chart.nearest]),
        doubt=doubt.ravel()[chart.nearest],
        skin=skin.ravel()[chart.nearest],
    )


def without_strangers(sight: Sight, colours: ByteArray, covered: BoolArray) -> Sight:
    """The same sight, blind where the outline of the face shows colours that its middle does not have.

    Args:
        sight: what the photo shows.
        colours: (R, R, 3) uint8 RGB: the photo at ``sight.coordinates``.
        covered: (R, R) bool: texels of the chart.

    Source:
        Ours: Mahalanobis distance in CIELAB, lightness at a third of its weight because shadows are skin too.
    """
    import cv2

    weights = np.array([_LIGHTNESS_WEIGHT, 1.0, 1.0], np.float32)
    lab = blurred(cv2.cvtColor(colours, cv2.COLOR_RGB2LAB) * weights, len(colours) / 256)
    sure = covered & (sight.visibility > 0.9) & (sight.doubt < 0.1)
    if np.count_nonzero(sure) < _FEWEST_SURE_TEXELS:
        return sight
    sample = lab[sure]
    middle = np.median(sample, axis=0)
    # Brows and lips are in the sample too: the nearest three quarters are skin.
    near = np.abs(sample - middle).sum(1)
    skin = sample[near <= np.quantile(near, 0.75)]
    precision = np.linalg.inv(np.cov(skin.T) + _COLOUR_NOISE**2 * np.eye(3)).astype(np.float32)
    offset = lab - middle.astype(np.float32)
    distance = np.sqrt(np.einsum("yxc,yxc->yx", offset @ precision, offset))
    strange = smoothstep(distance, *_STRANGE_RAMP) * sight.doubt
    reach = max(1, len(colours) // 250)  # its blurred edge is strange too
    grown = np.asarray(cv2.dilate(strange, disc(reach)), np.float32)
    visibility = sight.visibility * (1.0 - grown)
    # Islands that a strand of skin-coloured hair leaves standing would colour their whole neighbourhood.
    island = np.asarray(cv2.morphologyEx(visibility, cv2.MORPH_OPEN, disc(_ISLAND * len(colours))), np.float32)
    visibility = visibility + sight.doubt * (island - visibility)
    return replace(sight, visibility=_softened(visibility))


def _softened(visibility: FloatArray) -> FloatArray:
    """Without hard steps, which would show as seams; nothing hidden becomes visible."""
    # A step's blur is one half at the step: the ramp up from there lies wholly on the visible side.
    ramp = 2.0 * blurred((visibility > _HIDDEN).astype(np.float32), _SOFTNESS * len(visibility)) - 1.0
    return np.asarray(visibility * np.maximum(ramp, 0.0), np.float32)


def _unoccluded(
    pixels: FloatArray, depth: FloatArray, faces: IntArray, px_per_mm: float, texels: FloatArray, misfit_mm: float
) -> tuple[FloatArray, FloatArray]:
    """How far nothing else stands where a texel looks (R, R) in [0, 1], and its distance from the outline in mm.

    Args:
        pixels: (V, 2) photo px of the vertices.
        depth: (V,) mm, larger is nearer.
        faces: (F, 3).
        px_per_mm: scale of the photo.
        texels: (R, R, 4): photo x, y, depth and cosine of each texel.
        misfit_mm: how far the outlines of fit and photo may lie apart, beyond what is usual.
    """
    import cv2

    low, high = pixels.min(0), pixels.max(0)
    zoom = _ZBUFFER_PX / float((high - low).max())
    margin = 3.0
    W, H = (np.ceil((high - low) * zoom) + 2 * margin).astype(int)
    drawn = rasterize((pixels - low) * zoom + margin, faces, (int(H), int(W)), depth)
    picture = drawn.interpolate(depth[:, None], faces)[..., 0]
    picture[~drawn.covered] = _FAR_MM
    px_per_mm *= zoom

    near = cv2.dilate(picture, np.ones((3, 3), np.uint8))
    edges = np.where(near - picture > _EDGE_STEP_MM, near, _FAR_MM).astype(np.float32)
    # Holes for eyes and mouth are no outline: only the empty region that reaches the picture's corner is background.
    regions = cv2.connectedComponents((~drawn.covered).astype(np.uint8))[1]
    inside = (regions != regions[0, 0]).astype(np.uint8)
    ground = np.float32(1.0 / px_per_mm) * distance_inside(inside)
    look = (texels[..., :2] - low) * zoom + margin
    texel_depth, cosine = texels[..., 2], texels[..., 3]
    hidden = smoothstep(look_up(picture, look, blend=False) - texel_depth, *_OCCLUSION_RAMP_MM)
    visible = 1.0 - hidden
    for share in (0.4, 1.0):  # two rings make the falloff behind an edge soft
        ring = np.asarray(cv2.dilate(edges, disc(share * _EDGE_MARGIN_MM * px_per_mm)), np.float32)
        behind = smoothstep(look_up(ring, look, blend=False) - texel_depth, *_OCCLUSION_RAMP_MM)
        visible *= 1.0 - (0.5 if share == 1.0 else 1.0) * behind
    ground_mm = look_up(ground, look)
    margin_mm = np.maximum(_SILHOUETTE_MARGIN_MM * np.clip(1.2 - cosine, 0.0, 1.0), _MIXED_PX * zoom / px_per_mm)
    visible *= np.clip(2.0 * ground_mm / (margin_mm + misfit_mm) - 1.0, 0.0, 1.0)
    if misfit_mm > 0.0:  # a nose's ridge may show the cheek that it hides
        edge_mm = np.float32(1.0 / px_per_mm) * distance_inside((edges <= _FAR_MM).astype(np.uint8))
        visible *= np.clip(2.0 * look_up(edge_mm, look) / misfit_mm - 1.0, 0.0, 1.0)
    return np.asarray(visible, np.float32), ground_mm
