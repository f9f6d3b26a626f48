"""Folds that the photo's expression dug into the skin, made lighter in the texture: a face at rest does not wear them."""

from __future__ import annotations

import numpy as np

from engine.arrays import FloatArray
from engine.detail.shading import ShadingReading
from engine.detail.strain import SurfaceGrid
from engine.detail.surface import mm_per_texel
from engine.detail.wrinkles import folded_share
from engine.detail.zones import Openings
from engine.fields import blurred, enlarged, reduced
from engine.rasterize import uv_raster
from engine.rig import posed_vertices
from engine.types import RigBasis, SkinTexture, Topology
from engine.uv_chart import window_part, window_picture

_GRID_PX, _WINDOW_PX = 256, 512
_LEAST_WEIGHT = 0.05  # of the expression: below, the photo counts as one of a face at rest
_SPREAD_PX = 4.0
_LINE_MM, _AROUND_MM = 0.35, 7.0  # sigmas: of a fold's line, and of the skin that it is compared with
_ORDINARY = 0.02  # log luminance by which ordinary skin is darker than its surroundings
_SHARE = 0.7  # of a fold's darkness that is taken away: the relief under the expression brings its own
_GAMMA = 2.2  # of linear light to sRGB values


def softened(texture: SkinTexture, topology: Topology, rig: RigBasis, weights: FloatArray) -> SkinTexture:
    """The same texture with lighter folds where the photo's expression compresses the skin.

    Args:
        texture: of the face, folds and all.
        topology: the pack's.
        rig: the person.
        weights: (51,) of the expression in the photo.

    Returns:
        The texture; ``window`` keeps the unchanged skin, from which detail is read.

    Source:
        Ours; where skin folds, from the strain of the deformation (as ``engine.detail.wrinkles``).
    """
    import cv2

    if weights.max(initial=0.0) < _LEAST_WEIGHT:
        return texture
    before = window_picture(texture.image, topology)
    gain = _gain(before, topology, rig, posed_vertices(rig, weights) - rig.neutral)
    image = texture.image.copy()
    part = image[window_part(topology, len(image))]
    wide = cv2.resize(gain, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    part[:] = np.clip(part * wide + 0.5, 0, 255).astype(np.uint8)
    return SkinTexture(image, texture.visibility, before)


def _gain(picture: np.ndarray, topology: Topology, rig: RigBasis, worn_mm: FloatArray) -> FloatArray:
    """(512, 512) float32 factor on sRGB values over the window, at least 1."""
    faces = topology.faces[slice(*topology.skin.faces)]
    skin, coarse = uv_raster(topology, _WINDOW_PX).covered, uv_raster(topology, _GRID_PX)
    position, deformation = (coarse.interpolate(field, faces) for field in (rig.neutral, worn_mm))
    folded = enlarged(blurred(folded_share(SurfaceGrid(position, skin), deformation), _SPREAD_PX), _WINDOW_PX)
    texel_mm, weight = mm_per_texel(position, skin), skin.astype(np.float32)
    small = np.asarray(reduced(picture, _WINDOW_PX), np.uint8)
    reading = ShadingReading.of(small, weight, texel_mm)
    plain, light = reading.skin_likeness(Openings.of(skin).brows()), reading.brightness
    valley = np.maximum(light.at(_AROUND_MM) - light.at(_LINE_MM) - np.float32(_ORDINARY), 0.0)
    return np.asarray(np.exp(blurred(_SHARE / _GAMMA * valley * folded * plain * weight, 0.8)), np.float32)
