"""Bands of the detail: they add up, they part at the stated wavelengths, and each has its own strength."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.detail.bands import CUTOFFS_MM, face_steps, split, texel_mm, weighted
from engine.types import AS_FOUND, Topology
from tests import synthetic
from tests.running import finish

N, TEXEL = 512, 0.25


def wave(wavelength_mm: float) -> np.ndarray:
    x = np.arange(N, dtype=np.float32) * TEXEL
    return np.broadcast_to(np.sin(2 * np.pi * x / wavelength_mm), (N, N)).astype(np.float32)


def share(band: np.ndarray, whole: np.ndarray) -> float:
    inner = (slice(100, -100), slice(100, -100))
    return float((band[inner] * whole[inner]).sum() / (whole[inner] ** 2).sum())


def test_the_bands_add_up_to_the_map():
    relief = np.random.default_rng(0).normal(0, 0.1, (N, N)).astype(np.float32)
    np.testing.assert_allclose(sum(split(relief, TEXEL)), relief, atol=1e-6)


@pytest.mark.parametrize(("wavelength_mm", "band"), [(0.9, 0), (3.2, 1), (13.0, 2)])
def test_each_wavelength_has_its_band(wavelength_mm, band):
    whole = wave(wavelength_mm)
    shares = [share(part, whole) for part in split(whole, TEXEL)]
    assert int(np.argmax(shares)) == band
    assert shares[band] > 0.5
    assert sum(shares) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("cut", "below"), [(0, 0), (1, 1)])
def test_a_wave_at_a_cut_off_is_shared_in_halves(cut, below):
    whole = wave(CUTOFFS_MM[cut])
    parts = split(whole, TEXEL)
    finer = sum(share(part, whole) for part in parts[: below + 1])
    assert finer == pytest.approx(0.5, abs=0.03)


def test_strengths_weigh_the_bands():
    relief = np.random.default_rng(1).normal(0, 0.1, (N, N)).astype(np.float32)
    parts = split(relief, TEXEL)
    strengths = (0.0, 2.0, 0.5)
    expected = sum(factor * part for factor, part in zip(strengths, parts, strict=True))
    np.testing.assert_allclose(weighted(relief, TEXEL, strengths), expected, atol=1e-6)
    assert weighted(relief, TEXEL, AS_FOUND) is relief
    np.testing.assert_allclose(weighted(relief, TEXEL, (0.5, 0.5, 0.5)), 0.5 * relief, atol=1e-7)


def test_a_texel_is_as_large_as_the_mesh_says():
    face = synthetic.make_asset()
    topology: Topology = face.topology
    once = texel_mm(topology, face.rig.neutral)
    assert 0.1 < once * topology.window.map_size / np.ptp(face.rig.neutral[:, 0]) < 10
    assert texel_mm(topology, 2 * face.rig.neutral) == pytest.approx(2 * once)
    flat = np.concatenate([topology.uvs * 100, np.zeros((len(topology.uvs), 1))], 1).astype(np.float32)
    if len(flat) == topology.vertex_count and np.array_equal(topology.faces, topology.uv_faces):
        width = topology.window.u1 - topology.window.u0
        assert texel_mm(topology, flat) == pytest.approx(100 * width / topology.window.map_size, rel=0.01)


def test_a_face_is_weighed_map_by_map():
    face = replace(synthetic.make_asset(keys=False), static_map=synthetic.make_map(3)).with_map(
        2, synthetic.make_map(4)
    )
    drawn = finish(face_steps(face, (0.0, 1.0, 2.0)))[0]
    texel = texel_mm(face.topology, face.rig.neutral)
    np.testing.assert_array_equal(drawn.static_map, weighted(face.static_map, texel, (0.0, 1.0, 2.0)))
    np.testing.assert_array_equal(drawn.key_maps[2], weighted(face.key_maps[2], texel, (0.0, 1.0, 2.0)))
    assert drawn.key_maps[1] is None
    assert drawn.rig is face.rig
    assert finish(face_steps(face, AS_FOUND))[0] is face
