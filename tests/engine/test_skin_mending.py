"""Skin where the photo shows eyes and teeth, on the sample portraits: colours of the texture's lids, lips and nostrils."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from engine.arrays import ByteArray, FloatArray
from engine.dense_points import EYE_RIMS, INNER_LIPS, LIPS, NOSTRILS, ORBITS, UPPER_RIM
from engine.fitting import fit
from engine.images import load_photo, photo_from_array
from engine.landmarks import LandmarkDetector
from engine.not_skin import not_skin
from engine.packs.open_pack import load_open_pack
from engine.rasterize import WHOLE_SQUARE, uv_points_px
from engine.resources import resource_path
from engine.rig import make_basis, pose
from engine.skin_mending import mended
from engine.types import Landmarks, Photo, WeakPerspective
from engine.unwrap import unwrap
from tests.running import finish

SIZE = 1024
OPEN_MOUTHS = ("samples/astronaut.png", "samples/portrait_obama.jpg")
SAMPLES = (*OPEN_MOUTHS, "samples/portrait_biden.jpg")


@dataclass(frozen=True)
class Case:
    photo: Photo
    landmarks: Landmarks
    camera: WeakPerspective
    plain: ByteArray
    """The photo laid on the skin as it is."""
    mended: ByteArray


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    pack, found = load_open_pack(), {}
    with LandmarkDetector() as detector:
        for name in SAMPLES:
            photo = load_photo(resource_path(name))
            landmarks = detector.detect(photo)
            result = finish(fit(landmarks, pack))[0]
            rig = make_basis(pack, result.identity)
            vertices = pose(rig, result.weights).vertices
            base = (photo, result.camera, pack.topology, vertices, pack.base_texture, SIZE)
            hidden = not_skin(photo, landmarks, result.camera)
            whole = mended(unwrap(*base, not_skin=hidden), pack.topology, rig.neutral, np.arange(468, dtype=np.int32))
            found[name] = Case(photo, landmarks, result.camera, unwrap(*base).image, whole.image)
    return found


def _px() -> FloatArray:
    pack = load_open_pack()
    return uv_points_px(pack.topology.uvs, WHOLE_SQUARE, SIZE)[:468]  # a vertex has one place in the chart


def _polygon(points: FloatArray) -> np.ndarray:
    import cv2

    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask > 0


def _grown(mask: np.ndarray, radius: int) -> np.ndarray:
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def _lab(image: ByteArray) -> FloatArray:
    import cv2

    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)


def _lid_against_skin(image: ByteArray, side: int) -> tuple[float, float]:
    """CIELAB distance of the upper lid's middle colour from the skin below the eye, and the share of outliers on the lid."""
    px, lab = _px(), _lab(image)
    hole = _polygon(px[list(EYE_RIMS[side])])
    rows = np.arange(SIZE)[:, None]
    orbit, middle = _polygon(px[list(ORBITS[side])]), px[list(EYE_RIMS[side]), 1].mean()
    band = _grown(hole, 14) & ~_grown(hole, 6) & orbit  # beyond the line of the lashes
    lid, below = band & (rows < middle), orbit & ~_grown(hole, 10) & (rows > middle)
    skin = np.median(lab[below], axis=0)
    apart = np.linalg.norm(np.median(lab[lid], axis=0) - skin)
    strange = np.linalg.norm(lab[lid] - skin, axis=1) > 60
    return float(apart), float(strange.mean())


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("side", [0, 1])
def test_lids_have_the_colour_of_the_skin_around_them(cases, name, side):
    apart, strange = _lid_against_skin(cases[name].mended, side)
    assert apart < 45
    assert strange < 0.08


def _steps(image: ByteArray, side: int) -> float:
    """How much the grey changes across an orbit's border, ninth decile over its points."""
    grey, border = image.mean(2), _px()[list(ORBITS[side])]
    inwards = border.mean(0) - border
    inwards /= np.linalg.norm(inwards, axis=1, keepdims=True)

    def beside(px: float) -> np.ndarray:
        columns, rows = np.round(border + px * inwards).astype(int).T
        return np.array([grey[y - 2 : y + 3, x - 2 : x + 3].mean() for x, y in zip(columns, rows, strict=True)])

    return float(np.quantile(np.abs(beside(4) - beside(-4)), 0.9))


def test_an_eye_cut_by_the_photos_border_gets_lids_without_an_edge(cases):
    case, pack = cases["samples/portrait_obama.jpg"], load_open_pack()
    cut = int(case.landmarks.dense[list(EYE_RIMS[1]), 0].mean())
    image = np.ascontiguousarray(case.photo.image[:, :cut])
    found = finish(fit(case.landmarks, pack))[0]
    rig, photo = make_basis(pack, found.identity), photo_from_array(image, "cut.png")
    hidden = not_skin(photo, case.landmarks, found.camera)
    texture = unwrap(
        photo, found.camera, pack.topology, pose(rig, found.weights).vertices, pack.base_texture, SIZE, hidden
    )
    image = mended(texture, pack.topology, rig.neutral, np.arange(468, dtype=np.int32)).image
    assert _steps(image, 1) < max(_steps(case.mended, side) for side in (0, 1))


def test_without_mending_lashes_and_eyes_are_smeared_over_lids(cases):
    before = [_lid_against_skin(cases[name].plain, side)[1] for name in SAMPLES for side in (0, 1)]
    after = [_lid_against_skin(cases[name].mended, side)[1] for name in SAMPLES for side in (0, 1)]
    assert np.mean(after) < 0.4 * np.mean(before)


def _teeth_and_gaps(image: ByteArray, upper: bool) -> float:
    """Share of a lip's texels that are paler than any lip, or as dark as a gap between teeth."""
    px = _px()
    outer, inner = LIPS[0 if upper else 1]
    lip = _polygon(px[[*outer, *inner[::-1]]]) & ~_grown(_polygon(px[list(INNER_LIPS)]), 4)
    lab = _lab(image)
    cheek = np.median(lab[_polygon(px[[50, 101, 36, 205]])], axis=0)
    light, red = lab[lip][:, 0] - cheek[0], lab[lip][:, 1] - cheek[1]
    return float(((red < -8) | (light < -110)).mean())


@pytest.mark.parametrize("name", OPEN_MOUTHS)
def test_no_teeth_on_closed_lips(cases, name):
    for upper in (True, False):
        assert _teeth_and_gaps(cases[name].mended, upper) < 0.03


def test_without_mending_teeth_are_on_the_lips(cases):
    assert max(_teeth_and_gaps(cases[name].plain, upper) for name in OPEN_MOUTHS for upper in (True, False)) > 0.06


@pytest.mark.parametrize("name", OPEN_MOUTHS)
def test_closed_lips_are_redder_than_the_skin(cases, name):
    px, lab = _px(), _lab(cases[name].mended)
    cheek = np.median(lab[_polygon(px[[50, 101, 36, 205]])], axis=0)
    for outer, inner in LIPS:
        lip = _polygon(px[[*outer[3:8], *inner[3:8][::-1]]])
        colour = np.median(lab[lip], axis=0)
        assert colour[1] > cheek[1] + 1
        assert colour[0] < cheek[0] + 5


@pytest.mark.parametrize("name", SAMPLES)
def test_nostrils_are_dark_and_the_tip_of_the_nose_is_not(cases, name):
    px, image = _px(), cases[name].mended.mean(2)
    tip = image[_polygon(px[[44, 1, 274, 4]])].mean()
    for nostril in NOSTRILS:
        inside = _polygon(px[list(nostril)])
        assert image[inside].mean() < 0.55 * tip


@pytest.mark.parametrize("name", SAMPLES)
def test_lashes_draw_a_line_on_the_upper_lid(cases, name):
    px, image = _px(), cases[name].mended.mean(2)
    for rim in EYE_RIMS:
        for point in rim[2 : UPPER_RIM - 2]:
            x, y = np.round(px[point]).astype(int)
            line, above = image[y - 2 : y + 2, x].min(), np.median(image[y - 16 : y - 8, x])
            assert line < 0.75 * above


def test_what_is_not_skin_in_a_photo(cases):
    smiling, closed = cases[OPEN_MOUTHS[1]], cases["samples/portrait_biden.jpg"]
    for case, mouth_open in ((smiling, True), (closed, False)):
        mask = not_skin(case.photo, case.landmarks, case.camera)
        dense = case.landmarks.dense

        def at(point, mask=mask):
            x, y = np.round(point).astype(int)
            return mask[y, x]

        for rim in EYE_RIMS:
            assert at(dense[list(rim)].mean(0)) > 200
        assert (at((dense[13] + dense[14]) / 2) > 200) == mouth_open
        for skin in (1, 50, 280, 151, 199, 205, 425):
            assert at(dense[skin]) == 0
        assert 0.0005 < (mask > 128).mean() < 0.02


def test_hidden_pixels_colour_no_skin(cases):
    """With the whole photo declared hidden, the texture has none of its colours and no visibility."""
    pack, case = load_open_pack(), cases[SAMPLES[2]]
    neutral = pack.shapes(np.zeros(len(pack.identity_sd), np.float32))[0]
    everything = np.full(case.photo.image.shape[:2], 255, np.uint8)
    texture = unwrap(case.photo, case.camera, pack.topology, neutral, pack.base_texture, 512, not_skin=everything)
    assert texture.visibility.max() == 0
    again = mended(texture, pack.topology, neutral, np.arange(468, dtype=np.int32))
    assert again.image.shape == texture.image.shape
