"""What lies under a point of the picture, against the drawn maps and the pack's own face."""

from __future__ import annotations

import numpy as np
import pytest

from engine.camera import OrbitCamera
from engine.packs.open_pack import load_open_pack
from engine.pick import depth_at, skin_spot
from engine.rasterize import uv_raster
from engine.rig import blend_maps, make_basis, pose
from engine.trust import skin_classes, spot_class
from tests import synthetic


@pytest.fixture(scope="module")
def pack():
    return load_open_pack()


@pytest.fixture(scope="module")
def vertices(pack):
    return pose(make_basis(pack, pack.identity_mean), np.zeros(51, np.float32)).vertices


def under(pack, vertices, camera: OrbitCamera, spot_mm: np.ndarray):
    """What is found under the picture of a point in space."""
    clip = camera.clip_from_model(800, 600)
    x, y, _, w = clip @ np.append(spot_mm, 1.0)
    return skin_spot(pack.topology, vertices, clip, (x / w, y / w))


@pytest.mark.parametrize("azimuth", [0.0, 30.0, -55.0])
def test_the_spot_is_the_foremost_point_there(pack, vertices, azimuth):
    camera = OrbitCamera(azimuth_deg=azimuth, elevation_deg=5.0, fit_radius_mm=110.0)
    towards = camera.view_from_model()[2, :3]
    faces = pack.topology.faces
    middles = vertices[faces].mean(1)
    normals = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    facing = np.flatnonzero(normals @ towards > 0.5 * np.linalg.norm(normals, axis=1))
    skin = facing[facing < pack.topology.skin.faces[1]]
    on_chart = uv_raster(pack.topology).interpolate(vertices, faces[: pack.topology.skin.faces[1]])
    hits = 0
    for face in np.random.default_rng(1).choice(skin, 60, replace=False):
        spot = under(pack, vertices, camera, middles[face])
        if spot is None:
            continue
        found = np.asarray(spot.shares) @ vertices[faces[spot.face]]
        assert (found - middles[face]) @ towards > -0.6  # never behind the point that was aimed at
        if spot.face == face:
            hits += 1
            assert np.linalg.norm(on_chart[spot.texel] - found) < 0.6  # texels are 0.2 mm, larger on the nose's sides
    assert hits > 45


def test_eyes_and_the_background_are_no_skin(pack, vertices):
    camera = OrbitCamera(fit_radius_mm=110.0)
    eye = next(part for part in pack.topology.parts if part.kind == "eye")
    ball = vertices[slice(*eye.vertices)]
    assert under(pack, vertices, camera, ball[np.argmax(ball[:, 2])]) is None
    clip = camera.clip_from_model(800, 600)
    assert skin_spot(pack.topology, vertices, clip, (0.98, 0.98)) is None


def test_the_depth_is_that_of_the_blended_map():
    face = synthetic.make_asset()
    weights = np.zeros(51, np.float32)
    weights[[3, 20]] = 0.7, 0.4
    posed = synthetic.make_pose(face, weights)
    blended = blend_maps(face, posed)
    clip = OrbitCamera(fit_radius_mm=60.0).clip_from_model(400, 400)
    found = 0
    for x in np.linspace(-0.6, 0.6, 9):
        for y in np.linspace(-0.6, 0.6, 9):
            spot = skin_spot(face.topology, posed.vertices, clip, (float(x), float(y)))
            if spot is not None:
                found += 1
                assert depth_at(face, posed, spot) == pytest.approx(blended[spot.texel], abs=0.02)
                assert spot_class(face, spot.texel) == skin_classes(face)[spot.texel]
    assert found > 10
