from __future__ import annotations

import numpy as np
import pytest

from engine.packs.facescape.color import transfer_colors
from tests.facescape_golden import GOLDEN, PHOTOS, needs_golden, original_topology, recording


@needs_golden
def test_five_thousand_pixels_equal_those_of_the_original():
    with np.load(GOLDEN / "color_tensor2im.npz") as recorded:
        before, after = recorded["px"][..., ::-1].copy(), recorded["px_out"][..., ::-1]
    assert np.array_equal(transfer_colors(before, np.ones(before.shape[:2], bool)), after)


@needs_golden
@pytest.mark.parametrize("name", PHOTOS)
def test_whole_crops_equal_those_of_the_original(name):
    recorded = recording(name)
    found = transfer_colors(recorded.crop, original_topology().front_mask)
    assert np.array_equal(found, recorded.crop_transferred)


def test_skin_gets_the_reference_statistics_and_the_rest_stays():
    import cv2

    rng = np.random.default_rng(5)
    picture = np.clip(rng.normal((150, 110, 90), (30, 25, 20), (64, 48, 3)), 0, 255).astype(np.uint8)
    mask = np.zeros((64, 48), bool)
    mask[8:56, 8:40] = True
    before = picture.copy()
    found = transfer_colors(picture, mask)
    assert np.array_equal(picture, before)
    assert np.array_equal(found[~mask], picture[~mask])
    lab = cv2.cvtColor(found, cv2.COLOR_RGB2LAB)[mask].astype(float)
    assert lab.mean(0) == pytest.approx((145.3, 143.4, 147.2), abs=1.5)
    assert lab.std(0) == pytest.approx((22.7, 2.7, 2.9), rel=0.25)


def test_a_picture_of_one_colour_becomes_the_reference_skin():
    flat = np.full((16, 16, 3), 90, np.uint8)
    found = transfer_colors(flat, np.ones((16, 16), bool))
    assert len(np.unique(found.reshape(-1, 3), axis=0)) == 1
    assert found[0, 0, 0] > found[0, 0, 2], "skin is redder than blue"


def test_an_empty_mask_changes_nothing():
    picture = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    assert np.array_equal(transfer_colors(picture, np.zeros((8, 8), bool)), picture)


def test_arguments_of_the_wrong_shape_are_named():
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="front_mask"):
        transfer_colors(picture, np.zeros((8, 9), bool))
    with pytest.raises(ValueError, match="crop_rgb"):
        transfer_colors(picture.astype(np.float32), np.zeros((8, 8), bool))
