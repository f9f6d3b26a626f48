"""The face that is followed in front of a camera."""

from __future__ import annotations

import numpy as np
import pytest

from engine.images import load_photo
from engine.landmark_live import LiveFaceFinder
from engine.landmarks import LandmarkDetector
from engine.resources import resource_path


@pytest.fixture(scope="module")
def portrait():
    return load_photo(resource_path("samples/portrait_obama.jpg"))


def test_it_sees_what_the_careful_detector_sees(portrait):
    with LandmarkDetector() as detector:
        careful = detector.detect(portrait)
    found = LiveFaceFinder().find(portrait.image)
    eyes = np.linalg.norm(careful.dense[33] - careful.dense[263])
    assert np.linalg.norm(found.dense - careful.dense, axis=1).mean() < 0.05 * eyes
    assert found.points68 is None


def test_a_moving_face_is_followed_and_a_jump_is_found_again(portrait):
    finder = LiveFaceFinder()
    first = finder.find(portrait.image)
    for shift in (10, 25, 45, 300):  # the last one is far outside of what is followed
        found = finder.find(np.roll(portrait.image, shift, axis=1))
        np.testing.assert_allclose(found.dense.mean(0) - first.dense.mean(0), (shift, 0), atol=8)


def test_an_empty_room_has_no_face_and_a_face_that_leaves_is_gone(portrait):
    finder = LiveFaceFinder()
    room = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    assert finder.find(room) is None
    assert finder.find(portrait.image) is not None
    assert finder.find(room) is None
    assert finder.find(portrait.image) is not None


def test_wrong_pictures_are_named():
    with pytest.raises(ValueError, match="image"):
        LiveFaceFinder().find(np.zeros((10, 10), np.uint8))
