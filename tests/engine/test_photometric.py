from __future__ import annotations

import time

import numpy as np
import pytest

from engine.detail.photometric import PhotometricPredictor
from engine.detail.predictor import STATIC, DetailRequest
from tests.engine.dome import face_mask, flat_request, plane

N = 512
MM = 200.0 / N  # of a texel
SKIN = np.array([200.0, 150.0, 125.0])


def _coordinates() -> tuple[np.ndarray, np.ndarray]:
    side = (np.arange(N) + 0.5) * MM - 100.0
    return np.meshgrid(side, -side)


def _painted(shade: np.ndarray, colour: np.ndarray = SKIN) -> np.ndarray:
    return np.clip(shade[..., None] * colour + 0.5, 0, 255).astype(np.uint8)


def _line(y_mm: float, width_mm: float = 1.2, depth: float = 0.25, half_length_mm: float = 40.0) -> np.ndarray:
    """Brightness factor of a dark horizontal line."""
    x, y = _coordinates()
    ends = np.clip((half_length_mm - np.abs(x)) / 4, 0, 1)
    return 1.0 - depth * ends * np.exp(-0.5 * ((y - y_mm) / width_mm) ** 2)


def _static(request: DetailRequest) -> np.ndarray:
    return next(PhotometricPredictor().predict(request)).map_mm


def _grain(seed: int = 0, amount: float = 0.02) -> np.ndarray:
    return 1.0 + amount * np.random.default_rng(seed).standard_normal((N, N))


def test_a_dark_line_becomes_a_valley_there_and_nowhere_else() -> None:
    relief = _static(flat_request(_painted(_line(55.0) * _grain(amount=0.004))))
    x, y = _coordinates()
    on_line = (np.abs(y - 55.0) < 0.4) & (np.abs(x) < 30)
    far = (np.abs(y - 55.0) > 12.0) & face_mask(N)
    assert relief[on_line].mean() < -0.12
    assert relief[on_line].max() < -0.05
    assert np.abs(relief[far]).max() < 0.03
    assert relief.min() > -0.7


def test_the_light_from_a_side_changes_little() -> None:
    x, y = _coordinates()
    skin = _line(55.0) * _line(-55.0, 0.8) * _grain(3, 0.004)
    lamps = (1.0, 0.65 + 0.0045 * x, 0.65 - 0.0045 * x, 0.65 + 0.004 * y)
    maps = [_static(flat_request(_painted(skin * lamp))) for lamp in lamps]
    for other in maps[1:]:
        assert np.corrcoef(maps[0].ravel(), other.ravel())[0, 1] > 0.9
    bare = _static(flat_request(_painted(lamps[1])))
    assert np.abs(bare).max() < 0.02


def test_the_edge_of_a_shadow_is_no_valley() -> None:
    _, y = _coordinates()
    edge = 1.0 - 0.25 / (1.0 + np.exp((y - 55.0) / 0.8))
    from_edge = _static(flat_request(_painted(edge)))
    from_line = _static(flat_request(_painted(_line(55.0))))
    assert np.abs(from_edge).max() < 0.45 * np.abs(from_line).max()


def test_jpeg_blocks_leave_no_pattern() -> None:
    import cv2

    x, y = _coordinates()
    rng = np.random.default_rng(5)
    shade = 0.8 + 0.002 * x - 0.001 * y
    photo = cv2.resize(_painted(shade), (200, 200), interpolation=cv2.INTER_AREA)  # 1 px/mm: blocks of 8 mm
    photo = np.clip(photo + rng.normal(0, 2.0, photo.shape), 0, 255).astype(np.uint8)
    coded = cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
    texture = cv2.resize(coded, (N, N), interpolation=cv2.INTER_CUBIC)
    assert np.abs(texture.astype(float) - _painted(shade)).mean() > 1.0  # the damage is there
    relief = _static(flat_request(texture))
    assert relief.std() < 0.006
    assert np.abs(relief).max() < 0.08


@pytest.mark.parametrize(
    ("centre_mm", "half_mm", "colour"),
    [
        ((0.0, 65.0), (22.0, 6.0), (70.0, 52.0, 44.0)),  # hair on the forehead
        ((32.0, 42.0), (16.0, 1.6), (110.0, 82.0, 69.0)),  # a thin brow above an eye
        ((0.0, -34.0), (20.0, 4.0), (190.0, 95.0, 95.0)),  # a lip
    ],
)
def test_brows_hair_and_lips_are_not_embossed(
    centre_mm: tuple[float, float], half_mm: tuple[float, float], colour: tuple[float, float, float]
) -> None:
    x, y = _coordinates()
    reach = np.hypot((x - centre_mm[0]) / half_mm[0], (y - centre_mm[1]) / half_mm[1])
    share = (1.0 / (1.0 + np.exp((reach - 1.0) * min(half_mm) / 0.3)))[..., None]
    painted = (1 - share) * SKIN + share * np.array(colour)
    relief = _static(flat_request(np.clip(painted * _grain(1, 0.004)[..., None], 0, 255).astype(np.uint8)))
    near = reach < 1.0 + 2.0 / min(half_mm)
    assert np.abs(relief[near]).mean() < 0.02
    assert np.abs(relief[near]).max() < 0.13
    fold = _static(flat_request(_painted(_line(65.0, 1.2, 0.45))))  # a fold of the same contrast passes
    assert fold.min() < -0.25


def test_moles_are_not_dug_as_deep_as_lines() -> None:
    x, y = _coordinates()
    mole = 1.0 - 0.35 * np.exp(-0.5 * ((x - 20) ** 2 + (y - 60) ** 2) / 1.2**2)
    deepest = -_static(flat_request(_painted(mole * _grain(2, 0.004)))).min()
    assert deepest < 0.5 * -_static(flat_request(_painted(_line(60.0, 1.2, 0.35)))).min()


def test_unseen_skin_and_the_rims_stay_flat() -> None:
    x, _ = _coordinates()
    visibility = np.clip((x + 5.0) / 10.0, 0.0, 1.0).astype(np.float32)  # hidden on the left
    lines = np.prod([_line(y, half_length_mm=95.0) for y in np.arange(-85.0, 90.0, 10.0)], axis=0)
    result = next(PhotometricPredictor().predict(flat_request(_painted(lines), visibility=visibility)))
    assert np.abs(result.map_mm[x < -6]).max() == 0.0
    assert result.confidence[x < -6].max() == 0.0
    assert result.map_mm[face_mask(N) & (x > 20)].std() > 0.05
    outside = ~face_mask(N)
    assert np.abs(result.map_mm[outside]).max() == 0.0
    import cv2

    rim = cv2.dilate(outside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert np.abs(result.map_mm[rim]).max() < 0.03


def test_relief_has_no_offset_anywhere() -> None:
    import cv2

    lines = np.prod([_line(y, 0.9, 0.2) for y in np.arange(50.0, 80.0, 7.0)], axis=0)
    relief = _static(flat_request(_painted(lines * _grain(4))))
    mean = cv2.GaussianBlur(relief, (0, 0), 8.0 / MM)
    assert np.abs(relief).max() > 0.1
    assert np.abs(mean).max() < 0.02


def test_a_coarse_photo_gives_no_pores() -> None:
    import cv2

    rng = np.random.default_rng(7)
    pores = 1.0 + 0.05 * cv2.GaussianBlur(rng.standard_normal((N, N)), (0, 0), 0.9) / 0.3
    sharp = _painted(pores)
    small = cv2.resize(sharp, (80, 80), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(small, (N, N), interpolation=cv2.INTER_CUBIC)

    def finest(texture: np.ndarray) -> float:
        relief = _static(flat_request(texture))
        return float((relief - cv2.GaussianBlur(relief, (0, 0), 0.6 / MM)).std())

    assert 0.004 < finest(sharp) < 0.06
    assert finest(coarse) < 0.2 * finest(sharp)


def test_damping_takes_relief_away() -> None:
    x, _ = _coordinates()
    damping = (x > 0).astype(np.float32)
    request = flat_request(_painted(_line(55.0)))
    free = _static(request)
    damped = next(PhotometricPredictor(damping=damping).predict(request)).map_mm
    assert np.abs(damped[x < 0]).max() == 0.0
    np.testing.assert_allclose(damped[x > 10], free[x > 10], atol=0.01)


def test_maps_come_one_by_one_in_the_order_asked() -> None:
    deformation = np.zeros((3, 128, 128, 3), np.float32)
    deformation[1, ..., 1] = 0.12 * plane(128)[..., 1] * -1.0  # key 1 shortens the face
    request = flat_request(_painted(_line(55.0)), deformation_mm=deformation, keys=(1, STATIC, 0, 2))
    results = PhotometricPredictor().predict(request)
    by_key = {}
    for expected in request.keys:
        result = next(results)
        assert result.key == expected
        assert result.map_mm.shape == (N, N)
        assert np.isfinite(result.map_mm).all()
        assert 0.0 <= result.confidence.min() <= result.confidence.max() <= 1.0
        by_key[expected] = result
    with pytest.raises(StopIteration):
        next(results)
    np.testing.assert_array_equal(by_key[STATIC].map_mm, by_key[0].map_mm)  # nothing moves in key 0
    np.testing.assert_array_equal(by_key[STATIC].map_mm, by_key[2].map_mm)
    assert by_key[1].map_mm.std() > 1.5 * by_key[0].map_mm.std()
    folds = np.abs(by_key[1].map_mm - by_key[0].map_mm) > 0.1
    assert by_key[1].confidence[folds].mean() < 0.5 * by_key[0].confidence[folds].mean()  # invented, and says so


def test_the_same_request_gives_the_same_map() -> None:
    texture = _painted(_line(55.0) * _grain(9))
    first, second = _static(flat_request(texture)), _static(flat_request(texture))
    np.testing.assert_array_equal(first, second)


def test_a_face_that_nothing_shows_is_flat() -> None:
    request = flat_request(_painted(_line(55.0)), visibility=np.zeros((N, N), np.float32))
    result = next(PhotometricPredictor().predict(request))
    assert not result.map_mm.any()
    assert not result.confidence.any()
    nowhere = flat_request(_painted(_line(55.0)), skin=np.zeros((N, N), bool))
    assert not _static(nowhere).any()


def test_depth_follows_the_size_in_millimetres_not_in_texels() -> None:
    """The same picture on a face half as large: every line is half as wide, so it is a finer, shallower one."""
    texture = _painted(_line(55.0, 1.6, 0.25))
    large, small = _static(flat_request(texture)), _static(flat_request(texture, width_mm=60.0))
    assert small.min() > 0.75 * large.min()


def test_the_full_size_is_quick() -> None:
    rng = np.random.default_rng(0)
    texture = np.clip(rng.normal(150, 8, (1024, 1024, 3)), 0, 255).astype(np.uint8)
    request = flat_request(texture, m=256)
    start = time.perf_counter()
    _static(request)
    assert time.perf_counter() - start < 3.0  # 0.4 s alone on one core; the limit leaves room for a busy machine
