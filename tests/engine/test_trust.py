"""Seen, stretched and invented skin, and its colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.rasterize import uv_raster
from engine.trust import COLOURS, INVENTED, OFF_SKIN, SEEN, STRETCHED, map_overlay, skin_classes, tinted
from tests import synthetic


def face_seen(visibility: np.ndarray):
    face = synthetic.make_asset()
    return replace(face, texture=replace(face.texture, visibility=visibility.astype(np.float32)))


def test_classes_follow_the_visibility_on_skin_alone():
    n = synthetic.MAP_SIZE
    visibility = np.ones((n, n))
    visibility[: n // 3], visibility[-n // 3 :] = 0.3, 0.0
    face = face_seen(visibility)
    classes, skin = skin_classes(face), uv_raster(face.topology, n).covered
    assert skin.mean() > 0.1
    assert (classes[~skin] == OFF_SKIN).all()
    for rows, kind in (
        (slice(0, n // 3), STRETCHED),
        (slice(n // 3 + 1, -n // 3 - 1), SEEN),
        (slice(-n // 3, None), INVENTED),
    ):
        assert (classes[rows][skin[rows]] == kind).all()


def test_the_texture_takes_the_colours_on_skin_and_nowhere_else():
    n = synthetic.MAP_SIZE
    face = face_seen(np.zeros((n, n)))
    grey = np.full_like(face.texture.image, 128)
    face = replace(face, texture=replace(face.texture, image=grey))
    before = grey.copy()
    picture = tinted(face, skin_classes(face))
    changed = (picture != grey).any(-1)
    assert 0.05 < changed.mean() < 1.0
    expected = (np.array(COLOURS[INVENTED]) + 128) / 2
    np.testing.assert_allclose(picture[changed], np.broadcast_to(expected, picture[changed].shape), atol=1)
    np.testing.assert_array_equal(face.texture.image, before)


def test_the_overlay_is_clear_off_the_skin():
    classes = np.array([[OFF_SKIN, SEEN], [STRETCHED, INVENTED]], np.uint8)
    overlay = map_overlay(classes)
    assert overlay.shape == (2, 2, 4)
    assert overlay[0, 0, 3] == 0
    assert tuple(overlay[0, 1, :3]) == COLOURS[SEEN]
    assert overlay[0, 1, 3] == overlay[1, 1, 3] > 50
