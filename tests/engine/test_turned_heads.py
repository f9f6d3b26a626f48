"""Landmarks of heads turned to the side, on portraits that are turned in 3D by the dense network's own depth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial import Delaunay

from engine import landmark_ibug
from engine.images import load_photo, photo_from_array
from engine.landmark_crops import crop_around, cut
from engine.landmarks import LandmarkDetector
from engine.resources import resource_path
from engine.types import Photo

SIZE = 600
DEPTH = 1.3  # the network's depth is this much too shallow


@pytest.fixture(scope="module")
def detector():
    with LandmarkDetector() as found:
        yield found


@pytest.fixture(scope="module")
def solid(detector):
    """Portrait, and points (n, 3) photo px, z away from the viewer: 468 of the face, then the head and the wall."""
    image = load_photo(resource_path("samples/portrait_obama.jpg")).image
    dense = detector.detect(photo_from_array(image, "portrait")).dense.astype(np.float64)
    crop = crop_around(dense)
    network = detector._dense
    z = network._forward([cut(image, crop, 192)], None).reshape(468, 3)[:, 2] * DEPTH * crop.side / 192
    face = np.column_stack([dense, z])
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    rings = [
        np.column_stack([(crop.x, crop.y) + circle * crop.side * radius, np.full(24, z.max() + depth * crop.side)])
        for radius, depth in ((0.43, 0.23), (1.2, 0.33))
    ]
    return image, np.concatenate([face, *rings])


def turned(solid, yaw_deg: float) -> tuple[Photo, np.ndarray]:
    """The portrait turned by a positive angle to the picture's right, and where its 468 points are then."""
    image, points = solid
    side = np.ptp(points[:468, 1])
    middle = points[:468].mean(axis=0)
    middle[2] += 0.35 * side
    cosine, sine = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    turn = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    places = (points - middle) @ turn.T
    places[:, :2] = places[:, :2] * (0.5 * SIZE / side) + SIZE / 2
    source = np.zeros((SIZE, SIZE, 2), np.float32)  # which photo px each drawn px shows
    triangles = Delaunay(points[:, :2]).simplices
    for corners in triangles[np.argsort(-places[triangles, 2].mean(axis=1))]:  # far ones first
        goal = places[corners, :2].astype(np.float32)
        mask = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillConvexPoly(mask, np.rint(goal * 16).astype(np.int32), 1, shift=4)
        rows, columns = np.nonzero(mask)
        affine = cv2.getAffineTransform(goal, points[corners, :2].astype(np.float32))
        source[rows, columns] = np.column_stack([columns, rows]) @ affine[:, :2].T + affine[:, 2]
    drawn = cv2.remap(image, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return photo_from_array(np.asarray(drawn, np.uint8), f"turned {yaw_deg}"), places[:468, :2]


@pytest.mark.parametrize("yaw_deg", [-60, -40, -20, 20, 40, 60])
def test_both_kinds_of_points_follow_a_turned_head(detector, solid, yaw_deg):
    photo, places = turned(solid, yaw_deg)
    found = detector.detect(photo)
    eye = np.linalg.norm(places[33] - places[263]) / np.cos(np.radians(yaw_deg))
    assert np.median(np.linalg.norm(found.dense - places, axis=1)) < 0.12 * eye
    nose_offset = found.dense[4, 0] - found.dense[[234, 454], 0].mean()
    assert np.sign(nose_offset) == np.sign(yaw_deg)
    assert found.points68 is not None


def test_dlib_needs_its_box_moved_on_turned_heads(detector, solid, monkeypatch):
    """What the shift is good for, and that points which have failed are not passed on."""
    photo, _ = turned(solid, 50)
    assert detector.detect(photo).points68 is not None
    monkeypatch.setattr(landmark_ibug, "_TURN_SHIFT", 0.0)
    found = detector.detect(photo)
    assert found.points68 is None
    assert "The 68-point detector failed on this face; the dense points alone are used." in found.warnings
