"""The original's 68 points through the real dlib: equal to the recordings, and an answer where the original crashes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import NoFaceFound
from engine.images import load_photo, photo_from_array
from engine.landmark_dlib import DlibHelper
from engine.landmarks import LandmarkDetector
from engine.packs.facescape.exact_landmarks import Copy, original_landmarks
from engine.resources import resource_path

SHARED = Path(__file__).parents[3] / "shared"
RECORDINGS = {"astronaut": "astronaut.png", "obama": "obama.jpg", "biden": "biden.jpg"}
needs_recordings = pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings of the original are not here")
OBAMA, BIDEN = "samples/portrait_obama.jpg", "samples/portrait_biden.jpg"


@pytest.fixture(scope="module")
def detector():
    with LandmarkDetector() as one:
        yield one


def _sample(name):
    return load_photo(resource_path(name))


@needs_recordings
@pytest.mark.parametrize("name", RECORDINGS)
def test_points_equal_the_recorded_ones(detector, name):
    photo = load_photo(SHARED / "photos" / RECORDINGS[name])
    with np.load(SHARED / "facescape" / "golden" / f"{name}_original.npz") as golden:
        small, scale = golden["landmarks_small"], float(golden["small_scale"])
    exact = original_landmarks(photo, detector, exact=True)
    np.testing.assert_allclose(exact.points68, small * scale, rtol=1e-6)
    fine = original_landmarks(photo, detector)
    # Before dlib rounds them they are the same: what is left is less than half a pixel of the small picture.
    np.testing.assert_array_equal(np.floor(fine.points68 / scale + 0.5 + 1e-3), small)
    assert (np.abs(fine.points68 - exact.points68) > 0.1 * scale).mean() > 0.3


@pytest.mark.parametrize("name", [OBAMA, BIDEN])
def test_fine_points_round_to_the_exact_ones(detector, name):
    photo = _sample(name)
    scale = max(photo.image.shape) / 512
    exact = original_landmarks(photo, detector, exact=True)
    fine = original_landmarks(photo, detector)
    np.testing.assert_allclose(exact.points68 / scale, np.rint(exact.points68 / scale), atol=1e-3)
    np.testing.assert_array_equal(np.floor(fine.points68 / scale + 0.501), np.rint(exact.points68 / scale))
    assert fine.dense.shape == (468, 2)
    eyes = np.linalg.norm(np.subtract(*fine.points68[[36, 45]]))
    assert np.linalg.norm(fine.points68[[36, 45]] - fine.dense[[33, 263]], axis=1).max() < 0.12 * eyes


def test_copy_has_the_originals_size():
    for shape, size in (((300, 200), (512, 341)), ((2204, 970), (512, 225)), ((64, 4000), (8, 512))):
        copy = Copy.of(photo_from_array(np.zeros((*shape, 3), np.uint8), "grey.png"))
        assert copy.image.shape[:2] == size
        assert copy.scale == max(shape) / 512


def test_no_face_is_an_answer(detector):
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)
    with pytest.raises(NoFaceFound):
        original_landmarks(photo_from_array(noise, "noise.png"), detector)


def test_faces_that_the_originals_detector_misses_still_have_points(detector):
    lying = photo_from_array(np.ascontiguousarray(np.rot90(_sample(BIDEN).image)), "lying.png")
    upright = original_landmarks(_sample(BIDEN), detector).points68
    found = original_landmarks(lying, detector)
    assert any("does not see this face" in sentence for sentence in found.warnings)
    W = _sample(BIDEN).image.shape[1]
    expected = np.stack([upright[:, 1], W - 1 - upright[:, 0]], 1)
    eyes = np.linalg.norm(np.subtract(*upright[[36, 45]]))
    assert np.linalg.norm(found.points68 - expected, axis=1)[17:].mean() < 0.06 * eyes


@pytest.mark.parametrize("side", ["left", "bottom"])
def test_faces_that_leave_the_frame(detector, side):
    photo = _sample(OBAMA)
    points = original_landmarks(photo, detector).points68
    (x0, y0), (x1, y1) = points.min(0).astype(int), points.max(0).astype(int)
    w, h = (x1 - x0) // 8, (y1 - y0) // 10
    image = {
        "left": photo.image[:, x0 + w :],
        "bottom": photo.image[: y1 - h],
    }[side]
    found = original_landmarks(photo_from_array(np.ascontiguousarray(image), "cut.png"), detector)
    shift = (x0 + w, 0) if side == "left" else (0, 0)
    inner = np.linalg.norm(found.points68 + shift - points, axis=1)[27:]
    assert np.median(inner) < 0.04 * (x1 - x0)


def _two_faces():
    left, right = _sample(OBAMA).image, _sample(BIDEN).image
    height = min(len(left), len(right))
    return photo_from_array(np.concatenate([left[:height], right[:height]], 1), "two.png"), left.shape[1]


def test_of_two_faces_the_surest_is_taken_or_the_one_that_is_named(detector):
    photo, border = _two_faces()
    chosen = original_landmarks(photo, detector)
    copy = Copy.of(photo)
    surest = copy.in_photo(copy.faces(detector.dlib)[0])
    assert surest.x0 < chosen.points68[30, 0] < surest.x1
    assert any("nother face" in sentence for sentence in chosen.warnings)
    for box in detector.faces(photo):
        named = original_landmarks(photo, detector, box=box)
        assert (named.points68[30, 0] < border) == (box.x0 < border)
        assert not any("nother face" in sentence for sentence in named.warnings)


def test_without_dlib_the_detectors_own_answer_is_passed_on():
    with LandmarkDetector(DlibHelper(module="no.such.module")) as lonely:
        found = original_landmarks(_sample(OBAMA), lonely)
    assert found.points68 is None
    assert any("not available" in sentence for sentence in found.warnings)


@pytest.mark.parametrize("width", [160, 24])
def test_small_faces_are_found_or_refused_in_a_sentence(detector, width):
    import cv2

    portrait = _sample(OBAMA).image
    small = cv2.resize(portrait, (width, round(width * portrait.shape[0] / portrait.shape[1])))
    canvas = np.full((600, 1000, 3), 128, np.uint8)
    canvas[200 : 200 + len(small), 400 : 400 + width] = small
    photo = photo_from_array(canvas, "far.png")
    if width < 40:
        with pytest.raises(NoFaceFound) as refused:
            original_landmarks(photo, detector)
        assert refused.value.hint
    else:
        found = original_landmarks(photo, detector)
        assert 400 < found.points68[30, 0] < 400 + width
