"""Pores, fine lines and wrinkles: a displacement map as the sum of three bands of wavelength, each with a strength."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from engine.arrays import FloatArray, check
from engine.fields import blurred, reduced
from engine.types import AS_FOUND, BandStrengths, FaceAsset, Topology

CUTOFFS_MM = (2.0, 5.0)
"""Wavelengths at which a wave lies half in the band below and half in the one above: pores | fine lines | wrinkles."""

_SIGMA_OF_WAVELENGTH = float(np.sqrt(np.log(2.0) / 2.0) / np.pi)  # of the Gaussian that halves a wave of wavelength 1
_REDUCTION = 4  # the wide blur is made on a smaller picture
_LEAST_REDUCED = 64


def texel_mm(topology: Topology, neutral: FloatArray) -> float:
    """Side of a texel of the detail maps on one person's skin, mm: the mean over the face.

    Args:
        topology: of the mesh.
        neutral: (V, 3) float32 mm.
    """
    window, skin = topology.window, slice(*topology.skin.faces)
    corners = neutral[topology.faces[skin]].astype(np.float64)
    edges = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    on_face = np.linalg.norm(np.cross(*edges), axis=-1).sum()
    per_unit = np.array([window.map_size / (window.u1 - window.u0), window.map_size / (window.v1 - window.v0)])
    (a, b), (c, d) = ((x[:, 0], x[:, 1]) for x in _uv_edges(topology, skin, per_unit))
    on_map = np.abs(a * d - b * c).sum()
    return float(np.sqrt(on_face / on_map)) if on_map > 0 and on_face > 0 else 1.0


def _uv_edges(topology: Topology, skin: slice, per_unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    corners = topology.uvs[topology.uv_faces[skin]] * per_unit
    return corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]


def split(map_mm: FloatArray, texel: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pores, fine lines and wrinkles of a map, each (n, n) float32 mm; their sum is the map.

    Args:
        map_mm: (n, n) float32 mm.
        texel: side of a texel, mm.
    """
    check("map_mm", map_mm, (None, None))
    fine, coarse = _smooth(map_mm, texel)
    return map_mm - fine, fine - coarse, coarse


def weighted(map_mm: FloatArray, texel: float, strengths: BandStrengths) -> FloatArray:
    """A map with each of its bands times a strength: (n, n) float32 mm; the map itself where all are 1."""
    pores, lines, wrinkles = strengths
    if strengths == AS_FOUND:
        return map_mm
    if pores == lines == wrinkles:
        return map_mm * np.float32(pores)
    fine, coarse = _smooth(map_mm, texel)
    result = map_mm * np.float32(pores)
    fine *= np.float32(lines - pores)
    result += fine
    coarse *= np.float32(wrinkles - lines)
    result += coarse
    return result


def face_steps(face: FaceAsset, strengths: BandStrengths) -> Generator[None, None, FaceAsset]:
    """The same face with all its maps weighted, one map in a step."""
    if strengths == AS_FOUND:
        return face
    texel = texel_mm(face.topology, face.rig.neutral)
    key_maps: list[FloatArray | None] = []
    for key_map in face.key_maps:
        key_maps.append(None if key_map is None else weighted(key_map, texel, strengths))
        yield
    return replace(face, static_map=weighted(face.static_map, texel, strengths), key_maps=tuple(key_maps))


def _smooth(map_mm: FloatArray, texel: float) -> tuple[FloatArray, FloatArray]:
    """The map without what is finer than each of the two cut-offs."""
    import cv2

    n = len(map_mm)
    fine_sigma, coarse_sigma = (_SIGMA_OF_WAVELENGTH * cutoff / texel for cutoff in CUTOFFS_MM)
    fine = blurred(map_mm, fine_sigma)
    small = n // _REDUCTION
    if small < _LEAST_REDUCED or coarse_sigma < _REDUCTION:
        return fine, blurred(map_mm, coarse_sigma)
    coarse = blurred(reduced(map_mm, small), coarse_sigma / _REDUCTION)
    return fine, np.asarray(cv2.resize(coarse, (n, n), interpolation=cv2.INTER_CUBIC), np.float32)
