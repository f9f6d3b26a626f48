"""A smile's folds in the texture of a face at rest, on a portrait that smiles."""

from __future__ import annotations

import numpy as np
import pytest

from engine.detail.predictor import STATIC
from engine.images import load_photo
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from engine.pipeline import Models, build_face, detail_request
from engine.rasterize import uv_points_px
from engine.resources import resource_path
from engine.types import FaceAsset
from engine.uv_chart import window_picture
from engine.worn_folds import softened
from tests.running import finish

# Dense points beside which the fold from the nose to the mouth runs, and some on the forehead.
FOLDS, FOREHEAD = ((216, 186), (436, 410)), (9, 151, 337, 108)


@pytest.fixture(scope="module")
def smiling() -> FaceAsset:
    with LandmarkDetector() as detector:
        photo = load_photo(resource_path("samples/portrait_obama.jpg"))
        return finish(build_face(photo, Models(load_open_pack(), detector)))[0]


def _darkest(picture: np.ndarray, face: FaceAsset, ends: tuple[int, int]) -> float:
    """Mean grey of the darkest 8 % around the two points."""
    px = uv_points_px(face.topology.uvs, face.topology.window, len(picture))[list(ends)]
    middle, reach = px.mean(0), 24
    column, row = np.round(middle).astype(int)
    grey = picture[row - reach : row + reach, column - reach : column + reach].mean(2)
    return float(np.sort(grey.ravel())[: grey.size // 12].mean())


def test_worn_folds_are_lighter_than_in_the_photo(smiling):
    before, after = smiling.texture.window, window_picture(smiling.texture.image, smiling.topology)
    for ends in FOLDS:
        assert _darkest(after, smiling, ends) > _darkest(before, smiling, ends) + 8


def test_skin_that_the_smile_leaves_alone_is_as_it_was(smiling):
    before, after = smiling.texture.window, window_picture(smiling.texture.image, smiling.topology)
    px = uv_points_px(smiling.topology.uvs, smiling.topology.window, len(before))[list(FOREHEAD)].astype(int)
    for column, row in px:
        part = (slice(row - 15, row + 15), slice(column - 15, column + 15))
        np.testing.assert_array_equal(before[part], after[part])


def test_nothing_gets_darker(smiling):
    before, after = smiling.texture.window, window_picture(smiling.texture.image, smiling.topology)
    assert (after.astype(int) - before).min() >= -1


def test_detail_is_read_from_the_photo_as_it_was(smiling):
    request = detail_request(load_open_pack(), smiling.rig, smiling.texture, (STATIC,), smiling.fit)
    np.testing.assert_array_equal(request.texture, smiling.texture.window)


def test_a_photo_of_a_face_at_rest_keeps_its_texture(smiling):
    still = softened(smiling.texture, smiling.topology, smiling.rig, np.zeros(51, np.float32))
    assert still is smiling.texture
