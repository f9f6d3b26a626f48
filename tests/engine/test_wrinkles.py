from __future__ import annotations

import dataclasses
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from engine.detail.learned import WEIGHTS_FILE, LearnedPredictor, load_detail_network
from engine.detail.map_cache import MapCache
from engine.detail.photometric import PhotometricPredictor
from engine.detail.predictor import STATIC, DetailRequest
from engine.detail.strain import SurfaceGrid
from engine.detail.wrinkles import WrinkleField, WrinkleResponse
from engine.expressions import KEY_NAMES
from engine.images import load_photo
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from engine.pipeline import Models, add_key_maps, build_face
from engine.rasterize import uv_raster
from engine.resources import read_resource, resource_path
from engine.steps import finished
from tests.engine.dome import flat_request, plane

N, M = 512, 128
WHOLE = np.ones((N, N), bool)
INNER = slice(60, N - 60)


def _shortened(position: np.ndarray, angle: float, amount: float) -> np.ndarray:
    """The deformation that shortens a surface by ``amount`` along a direction in its plane."""
    along = np.array([np.cos(angle), np.sin(angle), 0.0])
    return (-amount * (position @ along)[..., None] * along).astype(np.float32)


def _response(angle: float = np.pi / 2, amount: float = 0.12, width_mm: float = 200.0, m: int = M) -> WrinkleResponse:
    position = plane(m, width_mm)
    return WrinkleField(position, WHOLE).respond(_shortened(position, angle, amount))


def _wavevector(relief: np.ndarray, width_mm: float = 200.0) -> tuple[float, float]:
    """Mean direction (rad in [0, pi), y up) and wavelength (mm) of a pattern, from its spectrum."""
    patch = relief[INNER, INNER]
    n = len(patch)
    window = np.hanning(n)[:, None] * np.hanning(n)[None]
    power = np.abs(np.fft.fft2((patch - patch.mean()) * window)) ** 2
    fx, fy = np.meshgrid(np.fft.fftfreq(n, width_mm / N), -np.fft.fftfreq(n, width_mm / N))
    radius = np.hypot(fx, fy)
    power[radius > 0.35] = 0.0  # the harmonics of the sharp valleys
    angle = 0.5 * np.angle((power * np.exp(2j * np.arctan2(fy, fx))).sum()) % np.pi
    return float(angle), float(power.sum() / (power * radius).sum())


def _angle_between(a: float, b: float) -> float:
    return abs((a - b + np.pi / 2) % np.pi - np.pi / 2)


# -- strain --------------------------------------------------------------------------------------------------------


def test_strain_of_a_known_shortening() -> None:
    position = plane(M)
    strain = SurfaceGrid(position, WHOLE).strain(_shortened(position, 0.4, 0.1))
    middle = (slice(10, -10), slice(10, -10))
    np.testing.assert_allclose(strain.compression[middle], (1 - 0.9**2) / 2, rtol=2e-3)
    np.testing.assert_allclose(strain.stretch[middle], 0.0, atol=2e-4)
    direction = np.arctan2(strain.direction[..., 1], strain.direction[..., 0])[middle]
    assert max(_angle_between(float(d), 0.4) for d in direction[::20, ::20].ravel()) < 0.01


def test_strain_does_not_depend_on_how_the_chart_is_drawn() -> None:
    """A curved surface, sheared and stretched in UV: the strain is the one that its length along x says."""
    v, u = np.meshgrid(np.linspace(1, 0, M), np.linspace(0, 1, M), indexing="ij")
    x, y = 90 * u + 35 * v, 160 * v
    position = np.stack([x, y, 30 * np.sin(y / 40)], -1).astype(np.float32)
    deformation = np.zeros_like(position)
    deformation[..., 0] = -0.15 * position[..., 0]
    strain = SurfaceGrid(position, WHOLE).strain(deformation)
    middle = (slice(12, -12), slice(12, -12))
    np.testing.assert_allclose(strain.compression[middle], (1 - 0.85**2) / 2, rtol=0.01)
    np.testing.assert_allclose(strain.stretch[middle], 0.0, atol=3e-3)


def test_moving_rigidly_is_no_strain() -> None:
    position = plane(M)
    position[..., 2] = 20 * np.cos(position[..., 0] / 50)
    a = np.radians(12)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]], np.float32)
    strain = SurfaceGrid(position, WHOLE).strain(position @ turn.T - position + np.float32(4.0))
    assert strain.compression[4:-4, 4:-4].max() < 1e-3
    assert strain.stretch[4:-4, 4:-4].max() < 1e-3


# -- folds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2, 2.2])
def test_folds_run_across_the_compression(angle: float) -> None:
    found, _ = _wavevector(_response(angle).relief_mm)
    assert _angle_between(found, angle) < np.radians(8)


@pytest.mark.parametrize("width_mm", [120.0, 200.0, 280.0])
def test_the_distance_between_folds_is_in_millimetres(width_mm: float) -> None:
    _, wavelength = _wavevector(_response(width_mm=width_mm).relief_mm, width_mm)
    assert 5.0 < wavelength < 7.5  # thick skin, far from eyes and mouth


def test_folds_are_closer_beside_the_eyes() -> None:
    skin = WHOLE.copy()
    skin[230:282, 200:312] = False  # one opening
    field = WrinkleField(plane(M), skin)
    m = len(field._wavelength_mm)
    assert field._wavelength_mm[m // 2, round(0.63 * m)] < 4.0  # 4 mm from the corner
    assert field._wavelength_mm[5, 5] > 6.0


def test_folds_deepen_with_compression_from_an_onset_to_a_limit() -> None:
    depths = [-_response(amount=amount).relief_mm[INNER, INNER].min() for amount in (0.01, 0.05, 0.1, 0.2, 0.4)]
    assert depths[0] == 0.0
    assert (np.diff(depths) > 0).all()
    assert 0.1 < depths[2] < 0.4
    assert depths[-1] < 0.5
    assert depths[-1] - depths[-2] < depths[2] - depths[1]


def test_valleys_are_sharper_than_ridges() -> None:
    relief = _response().relief_mm[INNER, INNER]
    assert -relief.min() > 1.4 * relief.max()
    assert abs(relief.mean()) < 0.1 * relief.std()
    below = (relief < 0).mean()
    assert 0.3 < below < 0.48  # valleys are narrow


def test_stretch_smooths_the_lines_that_are_there() -> None:
    response = _response(amount=-0.5)
    assert not response.relief_mm[INNER, INNER].any() or np.abs(response.relief_mm[INNER, INNER]).max() < 1e-3
    gain = response.static_gain[INNER, INNER]
    assert 0.6 - 1e-6 <= gain.min() < 0.7
    assert _response(amount=-0.02).static_gain[INNER, INNER].min() > 0.99


def test_skin_that_shrinks_alike_all_around_gets_no_folds() -> None:
    position = plane(M)
    response = WrinkleField(position, WHOLE).respond((-0.1 * position).astype(np.float32))
    assert np.abs(response.relief_mm).max() < 0.02


def test_skin_that_does_not_move_stays_exactly_as_it_is() -> None:
    position = plane(M)
    deformation = _shortened(position, np.pi / 2, 0.12)
    near = np.exp(-0.5 * ((position[..., 1] - 60) / 8) ** 2)[..., None]
    response = WrinkleField(position, WHOLE).respond((deformation * near).astype(np.float32))
    still = np.s_[N // 2 :, :]  # the lower half is 60 mm away
    assert np.abs(response.relief_mm).max() > 0.1
    assert np.abs(response.relief_mm[still]).max() == 0.0
    assert (response.static_gain[still] == 1.0).all()


def test_a_coarse_deformation_gives_the_same_folds_as_a_fine_one() -> None:
    coarse, fine = _response(0.7, m=64).relief_mm, _response(0.7, m=256).relief_mm
    assert np.corrcoef(coarse[INNER, INNER].ravel(), fine[INNER, INNER].ravel())[0, 1] > 0.97


def test_guided_folds_end_where_their_direction_flips() -> None:
    position = plane(M, 200.0)
    x = position[..., :1] - position[..., 0].mean()
    share = 1.0 / (1.0 + np.exp(-x / 4.0))  # compressed along x on one side, along y on the other
    along_x = np.where(x < 0, _shortened(position - position.mean((0, 1)), 0.0, 0.12), 0.0)
    along_y = share * _shortened(position - position.mean((0, 1)), np.pi / 2, 0.12)
    profile = WrinkleField(position, WHOLE).guide((along_x + along_y).astype(np.float32)).profile
    per_mm, middle = len(profile) / 200.0, len(profile) // 2
    rows = slice(int(middle - 6 * per_mm), int(middle + 6 * per_mm))  # without shear

    def strength(low_mm: float, high_mm: float) -> float:
        return float(np.abs(profile[rows, int(middle + low_mm * per_mm) : int(middle + high_mm * per_mm)]).mean())

    assert strength(-1.5, 1.5) < 0.35 * min(strength(-40.0, -15.0), strength(15.0, 40.0))


def test_around_the_lips_folds_stand_as_rays() -> None:
    skin = WHOLE.copy()
    skin[248:264, 205:307] = False  # a mouth, 40 mm wide
    position = plane(M, 200.0)
    field = WrinkleField(position, skin)

    def strength(angle: float, above_mm: float, aside_mm: float) -> float:
        profile = field.guide(_shortened(position, angle, 0.12)).profile
        per_mm, middle = len(profile) / 200.0, len(profile) / 2
        row, column = middle - (3.1 + above_mm) * per_mm, middle + aside_mm * per_mm
        reach = 12.0 * per_mm
        patch = profile[int(row - 2 * per_mm) : int(row + 2 * per_mm), int(column - reach) : int(column + reach)]
        return float(np.abs(patch).mean())

    along, upwards = 0.0, np.pi / 2
    assert strength(upwards, 5.0, 0.0) < 0.1 * strength(upwards, 40.0, 0.0), "no folds along the lips"
    assert strength(along, 5.0, 0.0) > 0.6 * strength(along, 40.0, 0.0)
    assert strength(along, -3.1, 36.0) > 0.6 * strength(along, 40.0, 0.0), "beside the corner, as in a smile"
    face = field.respond(_shortened(position, upwards, 0.12)).relief_mm[:, 220:290]
    assert np.abs(face[235:243]).mean() < 0.1 * np.abs(face[100:140]).mean()


def test_taut_skin_is_guided_to_no_folds() -> None:
    position = plane(M, 200.0)

    def strength(stretched: float) -> float:
        deformation = _shortened(position, 0.0, 0.12) + _shortened(position, np.pi / 2, -stretched)
        return float(np.abs(WrinkleField(position, WHOLE).guide(deformation).profile).mean())

    assert strength(0.6) < 0.02 * strength(0.0)


def test_another_seed_is_another_skin() -> None:
    position = plane(M)
    deformation = _shortened(position, np.pi / 2, 0.12)
    first, second = (WrinkleField(position, WHOLE, seed).respond(deformation).relief_mm for seed in (0, 1))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.3
    np.testing.assert_array_equal(first, WrinkleField(position, WHOLE, 0).respond(deformation).relief_mm)


# -- the open pack's key expressions -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_face() -> DetailRequest:
    """The open pack's mean face with grain and lines on its skin, and the deformation of all key expressions."""
    from engine.packs.open_pack import load_open_pack

    pack = load_open_pack()
    neutral, deltas = pack.shapes(pack.identity_mean)
    topology = pack.topology
    n, m = topology.window.map_size, 256
    raster = uv_raster(topology, m)
    moves = (pack.key_weights @ deltas.reshape(51, -1)).reshape(len(pack.key_weights), -1, 3).astype(np.float32)
    rng = np.random.default_rng(11)
    rows = np.arange(n)[:, None]
    lines = 1.0 - 0.06 * np.exp(-0.5 * ((rows % 60 - 30) / 4.0) ** 2)  # every 13 mm, all over
    shade = lines * (1.0 + 0.03 * rng.standard_normal((n, n)))
    return DetailRequest(
        texture=np.clip(shade[..., None] * (200, 150, 125), 0, 255).astype(np.uint8),
        visibility=np.ones((n, n), np.float32),
        skin=uv_raster(topology).covered.copy(),
        deformation_mm=np.stack([raster.interpolate(move, topology.faces) for move in moves]),
        position_mm=raster.interpolate(neutral, topology.faces),
        keys=(STATIC, *range(len(pack.key_weights))),
    )


def _regions(request: DetailRequest) -> dict[str, np.ndarray]:
    import cv2

    n = len(request.skin)
    height = cv2.resize(request.position_mm[..., 1], (n, n), interpolation=cv2.INTER_LINEAR)
    side = np.abs(cv2.resize(request.position_mm[..., 0], (n, n), interpolation=cv2.INTER_LINEAR))
    top, bottom = np.quantile(height[request.skin], [0.995, 0.005])
    low_forehead, high_chin = top - 0.16 * (top - bottom), bottom + 0.12 * (top - bottom)
    return {
        "forehead": request.skin & (height > low_forehead) & (side < 40),
        "chin": request.skin & (height < high_chin) & (side < 25),
    }


def _maps(request: DetailRequest, *names: str) -> list[np.ndarray]:
    keys = (STATIC, *(KEY_NAMES.index(name) for name in names))
    asked = dataclasses.replace(request, keys=keys)
    return [result.map_mm for result in PhotometricPredictor().predict(asked)]


def _rms(relief: np.ndarray, region: np.ndarray) -> float:
    return float(np.sqrt(np.mean(relief[region] ** 2)))


def test_raised_brows_crease_the_forehead_and_leave_the_chin(open_face: DetailRequest) -> None:
    static, raised = _maps(open_face, "brow_raiser")
    regions = _regions(open_face)
    assert _rms(static, regions["forehead"]) > 0.01  # the photos of middle-aged men give 0.006 to 0.017
    assert _rms(static, regions["chin"]) > 0.01
    assert _rms(raised, regions["forehead"]) > 2.0 * _rms(static, regions["forehead"])
    assert _rms(raised - static, regions["chin"]) < 0.05 * _rms(static, regions["chin"])
    angle, _ = _wavevector(np.where(regions["forehead"], raised - static, 0.0)[:N, 256 : 256 + N])
    assert _angle_between(angle, np.pi / 2) < np.radians(25)  # forehead lines lie across


def test_key_expressions_crease_different_regions(open_face: DetailRequest) -> None:
    names = ("brow_raiser", "brow_lower", "smile", "lip_puckerer")
    static, *maps = _maps(open_face, *names)
    changes = [(np.abs(relief - static)).ravel() for relief in maps]
    for first, change in enumerate(changes):
        assert change.max() > 0.1
        for other in changes[first + 1 :]:
            assert np.corrcoef(change, other)[0, 1] < 0.6


def test_every_key_changes_only_what_it_moves(open_face: DetailRequest) -> None:
    import cv2

    n = len(open_face.skin)
    names = ("mouth_stretch", "jaw_left", "eye_closed", "brow_lower")
    static, *maps = _maps(open_face, *names)
    for name, relief in zip(names, maps, strict=True):
        move = np.linalg.norm(open_face.deformation_mm[KEY_NAMES.index(name)], axis=-1)
        still = cv2.dilate(cv2.resize(move, (n, n)), np.ones((9, 9), np.uint8)) < 0.1
        assert still[open_face.skin].any()
        assert np.abs(relief - static)[still].max() <= 1e-4
        assert np.abs(relief).max() < 0.9


def test_key_maps_are_quick(open_face: DetailRequest) -> None:
    results = PhotometricPredictor().predict(dataclasses.replace(open_face, keys=(STATIC, 1, 18, 1, 18)))
    for _ in range(3):
        next(results)  # static part and the noise that all keys share
    start = time.perf_counter()
    next(results)
    next(results)
    assert time.perf_counter() - start < 1.5  # 0.08 s each alone on one core; room for a busy machine


# -- the photo's own expression ------------------------------------------------------------------------------------------


def _learned() -> LearnedPredictor:
    return LearnedPredictor(load_detail_network(read_resource(WEIGHTS_FILE)), "test")


def _squeezed(m: int = 128, width_mm: float = 200.0) -> np.ndarray:
    """The right half of a flat face pushed together along x by up to 20 %, the left half still."""
    x = plane(m, width_mm)[..., 0]
    move = np.zeros((m, m, 3), np.float32)
    move[..., 0] = -0.2 * np.clip(x - 20.0, 0.0, 40.0)
    return move


def test_what_the_expression_in_the_photo_folded_is_shallower_at_rest():
    n, texel_mm = 512, 200.0 / 512
    skin = np.ones((n, n), bool)
    field = WrinkleField(plane(128), skin)
    x = (np.arange(n, dtype=np.float32) + 0.5) * np.float32(texel_mm)
    lines = np.tile(0.2 * np.sin(2 * np.pi * x / 6.0), (n, 1)).astype(np.float32)
    rest = field.at_rest(lines, _squeezed(), 2.0)
    folded, still = slice(int(0.64 * n), int(0.76 * n)), slice(n // 8, int(0.4 * n))
    middle = slice(n // 4, -n // 4)
    assert 0.3 < rest[middle, folded].std() / lines[middle, folded].std() < 0.6
    np.testing.assert_array_equal(rest[middle, still], lines[middle, still])
    assert field.at_rest(lines, None) is lines
    pores = np.random.default_rng(1).normal(0, 0.01, (n, n)).astype(np.float32)
    kept = field.at_rest(pores, _squeezed(), 2.0)
    assert kept[middle, folded].std() > 0.85 * pores[middle, folded].std()


@pytest.mark.parametrize("make", [PhotometricPredictor, _learned], ids=["photometric", "learned"])
def test_a_worn_expression_changes_the_face_at_rest_and_not_what_is_seen(make):
    rng = np.random.default_rng(2)
    texture = np.clip(150 + rng.normal(0, 12, (256, 256, 1)) * (1, 0.9, 0.8), 0, 255).astype(np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.5)
    plain = flat_request(texture, keys=(STATIC, 0), skin=np.ones((256, 256), bool), m=64)
    worn = replace(plain, worn_mm=_squeezed(64))
    seen, rest = (result.map_mm for result in make().predict(plain))
    np.testing.assert_array_equal(seen, rest)
    seen_worn, rest_worn = (result.map_mm for result in make().predict(worn))
    np.testing.assert_array_equal(seen_worn, seen)
    folded, still = (slice(96, 160), slice(164, 194)), (slice(96, 160), slice(32, 100))
    assert rest_worn[folded].std() < 0.8 * seen[folded].std()
    np.testing.assert_allclose(rest_worn[still], seen[still], atol=1e-6)


def test_a_smiling_sample_is_less_folded_at_rest():
    """Through the whole pipeline: the neutral map differs where the smile folds the cheeks, and not on the forehead."""
    pack = load_open_pack()
    with LandmarkDetector() as detector:
        models = Models(pack, detector)
        face = finished(build_face(load_photo(resource_path("samples/portrait_obama.jpg")), models))
        face = finished(add_key_maps(face, models, (0,)))
    n = pack.topology.window.map_size
    raster = uv_raster(pack.topology, n)
    y = raster.interpolate(face.rig.neutral, pack.topology.faces)[..., 1]
    changed = np.abs(face.key_maps[0] - face.static_map) > 2e-3
    lower, forehead = raster.covered & (y < 10.0), raster.covered & (y > 75.0)
    assert changed[lower].mean() > 0.02
    assert not changed[forehead].any()
    both = changed & lower
    assert np.abs(face.key_maps[0][both]).mean() < 0.8 * np.abs(face.static_map[both]).mean()


def test_stored_maps_know_the_worn_expression(tmp_path):
    network = load_detail_network(read_resource(WEIGHTS_FILE))
    texture = np.random.default_rng(4).integers(100, 200, (256, 256, 3)).astype(np.uint8)
    plain = flat_request(cv2.GaussianBlur(texture, (0, 0), 2), keys=(0,), skin=np.ones((256, 256), bool), m=64)
    maps = []
    for request in (plain, replace(plain, worn_mm=_squeezed(64)), plain):
        (result,) = LearnedPredictor(network, "test", cache=MapCache(tmp_path)).predict(request)
        maps.append(result.map_mm)
    assert np.abs(maps[0] - maps[1]).max() > 1e-3
    np.testing.assert_array_equal(maps[0], maps[2])
