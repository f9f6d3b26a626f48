"""Faces and landmarks on real photos, with the real networks and the real dlib process."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import NoFaceFound
from engine.images import load_photo, photo_from_array, photo_from_bytes, resize_area
from engine.landmark_crops import Crop, crop_around, cut
from engine.landmark_dlib import DlibHelper
from engine.landmark_mirror import DENSE_MIRROR, IBUG_MIRROR
from engine.landmarks import LandmarkDetector
from engine.resources import resource_path
from engine.types import FaceBox, Landmarks, Photo

SHARED = Path(__file__).resolve().parents[3] / "shared" / "photos"
SAMPLES = ("portrait_biden.jpg", "portrait_obama.jpg", "astronaut.png")

# (iBUG, dense): eye corners, nose tip and base, mouth corners
SAME_PLACE = ((36, 33), (39, 133), (42, 362), (45, 263), (30, 4), (33, 2), (48, 61), (54, 291))


@pytest.fixture(scope="module")
def detector():
    with LandmarkDetector() as found:
        yield found


@pytest.fixture(scope="module")
def heads():
    """The three sample portraits, cut to the head, (H, W, 3) each."""
    cuts = {"biden": (120, 720, 300, 850), "obama": (20, 520, 250, 740), "astronaut": (0, 256, 100, 356)}
    names = dict(zip(cuts, SAMPLES, strict=True))
    pictures = {}
    for name, (top, bottom, left, right) in cuts.items():
        image = load_photo(resource_path(f"samples/{names[name]}")).image
        pictures[name] = np.ascontiguousarray(image[top:bottom, left:right])
    return pictures


@pytest.fixture(scope="module")
def upright(detector, heads):
    """Landmarks of the three heads as they are."""
    return {name: detector.detect(photo_from_array(image, name)) for name, image in heads.items()}


def eye_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[33] - points[263]))


def apart(points: np.ndarray, wanted: np.ndarray, unit: float) -> float:
    """Root mean square distance over ``unit``."""
    return float(np.sqrt(((points - wanted) ** 2).sum(1).mean()) / unit)


def middle_of(image: np.ndarray) -> np.ndarray:
    return np.float32((image.shape[1] - 1, image.shape[0] - 1)) / 2


def assert_is_a_face_in_any_roll(found: Landmarks) -> None:
    unit = eye_distance(found.dense)
    assert found.dense.shape == (468, 2)
    assert found.dense.dtype == np.float32
    assert found.box.face_score > 10
    assert found.points68 is not None
    assert np.mean([np.linalg.norm(found.points68[a] - found.dense[b]) for a, b in SAME_PLACE]) < 0.05 * unit


def assert_is_a_face(found: Landmarks) -> None:
    assert_is_a_face_in_any_roll(found)
    assert found.dense[10, 1] < found.dense[4, 1] < found.dense[152, 1]  # forehead, nose tip, chin
    assert found.dense[33, 0] < found.dense[263, 0]  # the person's right eye is on the picture's left


def head(photo: str, detector: LandmarkDetector) -> Landmarks:
    return detector.detect(load_photo(resource_path(f"samples/{photo}")))


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(detector, name):
    assert_is_a_face(head(name, detector))


@pytest.mark.parametrize(
    ("name", "eyes"),
    [("portrait_biden.jpg", ((532, 326), (652, 352))), ("portrait_obama.jpg", ((440, 217), (552, 217)))],
)
def test_the_eyes_are_where_a_person_sees_them(detector, name, eyes):
    """Middles between the corners of the right and of the left eye, read off enlarged photos: 6 px are 4 %."""
    dense = head(name, detector).dense
    for corners, seen in zip(((33, 133), (263, 362)), eyes, strict=True):
        assert np.linalg.norm(dense[list(corners)].mean(0) - seen) < 6


def test_the_astronauts_suit_is_no_face(detector):
    photo = load_photo(resource_path("samples/astronaut.png"))
    by_dlib = DlibHelper()
    boxes = by_dlib.detect(photo.image, upsample=1)
    by_dlib.close()
    assert len(boxes) == 2  # the second is a badge on the suit, as large as the face
    faces = detector.faces(photo)
    assert len(faces) == 1
    assert (faces[0].x0 + faces[0].x1) / 2 == pytest.approx(224, abs=8)
    assert (faces[0].y0 + faces[0].y1) / 2 == pytest.approx(122, abs=8)
    assert "small" in detector.detect(photo).warnings[0]


@pytest.mark.parametrize("name", ["biden", "obama"])
def test_points_hardly_depend_on_how_the_photo_is_cut(detector, heads, upright, name):
    image, first = heads[name], upright[name]
    unit = eye_distance(first.dense)
    assert first.points68 is not None
    for left, top, scale in ((16, 11, 1.0), (4, 9, 0.83)):
        other = detector.detect(photo_from_array(resize_area(image[top:, left:], scale), name))
        back = (other.dense + 0.5) / scale - 0.5 + np.float32((left, top))
        assert apart(back, first.dense, unit) < 0.006
        assert other.points68 is not None
        back68 = (other.points68 + 0.5) / scale - 0.5 + np.float32((left, top))
        assert apart(back68, first.points68, unit) < 0.009


def test_a_mirrored_photo_gives_mirrored_points(detector, heads, upright):
    image, plain = heads["obama"], upright["obama"]
    mirrored = detector.detect(photo_from_array(np.ascontiguousarray(image[:, ::-1]), "b"))
    last = np.float32(image.shape[1] - 1)
    for points, other, table in (
        (plain.dense, mirrored.dense, DENSE_MIRROR),
        (plain.points68, mirrored.points68, IBUG_MIRROR),
    ):
        back = other[table] * np.float32((-1, 1)) + (last, np.float32(0))
        assert apart(back, points, eye_distance(plain.dense)) < 0.006


def test_mirror_tables_are_their_own_inverse():
    for table, middle in ((DENSE_MIRROR, 28), (IBUG_MIRROR, 10)):
        assert (table[table] == np.arange(len(table))).all()
        assert (table == np.arange(len(table))).sum() == middle


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_does_not_matter(detector, heads, upright, orientation):
    image = heads["astronaut"]
    stored = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.transpose(1, 0, 2),
        6: np.rot90(image),
        7: image[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(image, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored)).save(stream, "PNG", exif=exif)
    found = detector.detect(photo_from_bytes(stream.getvalue(), "a.png"))
    wanted = upright["astronaut"]
    assert np.abs(found.dense - wanted.dense).max() < 1.0
    assert np.abs(found.points68 - wanted.points68).max() < 1.0


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_photos_that_lie_on_their_side(detector, heads, upright, quarter_turns):
    image, wanted = heads["obama"], upright["obama"].dense
    stored = np.ascontiguousarray(np.rot90(image, quarter_turns))
    turned = detector.detect(photo_from_array(stored, "b"))
    assert_is_a_face_in_any_roll(turned)
    offset = turned.dense - middle_of(stored)
    for _ in range(quarter_turns):
        offset = np.stack([-offset[:, 1], offset[:, 0]], axis=1)
    assert apart(offset + middle_of(image), wanted, eye_distance(wanted)) < 0.006


@pytest.mark.parametrize("angle_deg", [70, 150])
def test_tilted_heads(detector, heads, upright, angle_deg):
    import cv2

    image = heads["biden"]
    x, y = (float(c) for c in middle_of(image))
    turn = cv2.getRotationMatrix2D((x, y), angle_deg, 0.8)
    tilted = cv2.warpAffine(image, turn, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    found = detector.detect(photo_from_array(np.asarray(tilted, np.uint8), "b"))
    wanted = upright["biden"].dense @ turn[:, :2].T + turn[:, 2]
    assert apart(found.dense, wanted, eye_distance(found.dense)) < 0.01
    wanted68 = upright["biden"].points68 @ turn[:, :2].T + turn[:, 2]
    assert apart(found.points68, wanted68, eye_distance(found.dense)) < 0.012


# Several faces, none, and parts of one


@pytest.fixture(scope="module")
def pair(heads) -> Photo:
    """Obama on the left, larger; Biden on the right."""
    left, right = heads["obama"], resize_area(heads["biden"], 0.6)
    canvas = np.full((500, left.shape[1] + right.shape[1], 3), 128, np.uint8)
    canvas[:, : left.shape[1]] = left
    canvas[100 : 100 + right.shape[0], left.shape[1] :] = right
    return photo_from_array(canvas, "pair.png")


def test_of_two_faces_the_larger_is_used_and_both_are_reported(detector, pair):
    faces = detector.faces(pair)
    assert len(faces) == 2
    found = detector.detect(pair)
    assert found.dense[:, 0].max() < 490
    assert len(found.others) == 1
    assert found.others[0].x0 > 490
    assert "Another face was found; the largest clear one is used." in found.warnings


def test_the_user_may_pick_the_other_face(detector, pair):
    other = detector.detect(pair).others[0]
    found = detector.detect(pair, other)
    assert_is_a_face(found)
    assert found.dense[:, 0].min() > 490
    assert [box.x1 < 490 for box in found.others] == [True]
    assert not any("Another face" in warning for warning in found.warnings)


def test_a_loosely_marked_area_finds_the_face_in_it(detector, heads):
    image = np.ascontiguousarray(heads["astronaut"][::-1, ::-1])
    photo = photo_from_array(image, "upside_down.png")
    face = detector.faces(photo)[0]
    width, height = face.x1 - face.x0, face.y1 - face.y0
    marked = FaceBox(face.x0 - 0.3 * width, face.y0 - 0.1 * height, face.x1 + 0.1 * width, face.y1 + 0.25 * height, 1.0)
    found = detector.detect(photo, marked)
    assert found.box.face_score > 10
    assert apart(found.dense, detector.detect(photo).dense, eye_distance(found.dense)) < 0.006


def test_a_marked_area_without_a_face_is_refused(detector, heads):
    photo = photo_from_array(heads["obama"], "obama.png")
    with pytest.raises(NoFaceFound):
        detector.detect(photo, FaceBox(5, 400, 95, 490, 1.0))


def back_of_a_head() -> np.ndarray:
    """Hair in strands over a neck and a jacket, before a wall."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:420, :360]
    image = np.full((420, 360, 3), (150, 160, 170), np.float64)
    image[(np.abs(x - 180) < 55) & (y > 220)] = (205, 160, 135)
    image[(y - 330 > 0.004 * (x - 180) ** 2) | (y > 400)] = (40, 45, 70)
    hair = ((x - 180) / 105) ** 2 + ((y - 170) / 135) ** 2 < 1
    strands = 60 + 25 * np.sin((x - 180) / 4 + 6 * np.sin(y / 60)) + rng.normal(0, 8, x.shape)
    image[hair] = (strands[..., None] * (1.0, 0.8, 0.6))[hair]
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("what", ["back of a head", "noise", "plain", "sky"])
def test_no_face(detector, what):
    ramp = np.linspace(90, 230, 300)[:, None, None] * np.float64((0.6, 0.8, 1.0))
    image = {
        "back of a head": back_of_a_head(),
        "noise": np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8),
        "plain": np.full((300, 400, 3), 127, np.uint8),
        "sky": np.repeat(ramp, 400, axis=1).astype(np.uint8),
    }[what]
    with pytest.raises(NoFaceFound) as error:
        detector.detect(photo_from_array(image, "wall.jpg"))
    assert str(error.value) == "No face was found in wall.jpg."
    assert "40 px" in error.value.hint


def test_a_face_cut_by_the_border_is_guessed_and_said(detector, heads, upright):
    image = np.ascontiguousarray(heads["obama"][:, 200:])  # through the right eye's outer corner
    found = detector.detect(photo_from_array(image, "cut.png"))
    whole = upright["obama"]
    assert "The face is cut by the picture's border; the missing part is guessed." in found.warnings
    assert found.dense[:, 0].min() < -5
    inside = found.dense[:, 0] > 30
    gap = (found.dense + np.float32((200, 0)) - whole.dense)[inside]
    assert np.sqrt((gap**2).sum(1).mean()) < 0.05 * eye_distance(whole.dense)
    assert not any("cut" in warning for warning in whole.warnings)


def test_a_small_face_in_a_large_photo(detector, heads):
    face = resize_area(heads["obama"], 0.26)  # 60 px wide
    y, x = np.mgrid[:1500, :2000]
    wall = np.stack([x / 12, y / 9, 90 + 0 * x], axis=-1).astype(np.uint8)
    wall[900 : 900 + face.shape[0], 1400 : 1400 + face.shape[1]] = face
    found = detector.detect(photo_from_array(wall, "large.png"))
    assert_is_a_face(found)
    assert found.box.x0 > 1400
    assert found.box.y0 > 900


# Crops


def test_a_crop_maps_there_and_back():
    crop = Crop(311.5, 207.25, 96.0, 0.4)
    points = np.random.default_rng(0).uniform(0, 400, (20, 2))
    affine = crop.to_crop(192)
    assert np.allclose(crop.to_photo(points @ affine[:, :2].T + affine[:, 2], 192), points)
    assert np.allclose(crop.to_photo(np.array([[95.5, 95.5]]), 192), [[311.5, 207.25]])


@pytest.mark.parametrize("side", [60.0, 192.0, 500.0, 1500.0])
def test_what_is_drawn_lies_where_the_points_say(side):
    """Pixels hold their own position, so that each drawn pixel tells where it came from."""
    y, x = np.mgrid[:600, :800]
    image = np.stack([x / 4, y / 4, 0 * x], axis=-1).astype(np.uint8)
    crop = Crop(400.0, 300.0, side, 0.3)
    drawn = cut(image, crop, 192).astype(float) * 4 + 1.5  # a stored whole number stands for four pixels
    columns, rows = np.meshgrid(np.arange(192), np.arange(192))
    places = crop.to_photo(np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float64), 192).reshape(
        192, 192, 2
    )
    inside = (places > 12).all(-1) & (places[..., 0] < 780) & (places[..., 1] < 580)
    assert np.abs((drawn[..., :2] - places)[inside]).mean() < 1.5
    assert np.abs((drawn[..., :2] - places)[inside].mean(0)).max() < 0.6


def test_the_crop_around_points_is_level_and_half_again_as_wide(upright):
    dense = upright["biden"].dense
    crop = crop_around(dense)
    inside = (dense - (crop.x, crop.y)) @ crop.turned().T
    assert inside[33, 1] == pytest.approx(inside[263, 1], abs=1e-3)
    assert np.abs(inside).max() == pytest.approx(crop.side / 3, rel=1e-4)


# The photos that lie beside the project


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared photos are not here")
@pytest.mark.parametrize("name", ["32bit.png", "biden.jpg", "obama.jpg", "obama_partial_face.jpg", "astronaut.png"])
def test_shared_photos(detector, name):
    found = detector.detect(load_photo(SHARED / name))
    assert_is_a_face_in_any_roll(found)
    assert any("cut by" in warning for warning in found.warnings) == ("partial" in name)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared photos are not here")
def test_a_real_back_of_a_head(detector):
    image = load_photo(SHARED / "32bit.png").image[300:700, 480:]  # a woman seen from behind, cut by the border
    with pytest.raises(NoFaceFound):
        detector.detect(photo_from_array(np.ascontiguousarray(image), "behind.png"))
