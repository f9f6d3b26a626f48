"""The embedded model: what its file promises, and facts of faces that every person on it must obey."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine import expressions
from engine.errors import ModelFileError
from engine.geometry import vertex_normals
from engine.packs import open_pack
from engine.packs.open_pack import load_open_pack
from engine.training import anthropometry

INDEX = expressions.SHAPE_INDEX


@pytest.fixture(scope="module")
def pack():
    return load_open_pack()


@pytest.fixture(scope="module")
def people(pack):
    rng = np.random.default_rng(0)
    return [pack.shapes(i) for i in (np.zeros(50, np.float32), *rng.normal(size=(3, 50)).astype(np.float32))]


def _skin(pack):
    return pack.topology.skin.vertices[1], pack.topology.skin.faces[1]


def test_topology(pack):
    topology = pack.topology
    V, F = _skin(pack)
    assert (V, F) == (27614, 54528)
    assert topology.faces.max() == topology.vertex_count - 1
    assert next(part.name for part in topology.parts) == "skin"
    assert {"eye_right", "eye_left", "mouth", "teeth_upper", "teeth_lower", "tongue"} <= {
        p.name for p in topology.parts
    }
    assert topology.parts[-1].vertices[1] == topology.vertex_count
    np.testing.assert_array_equal(topology.mirror[topology.mirror], np.arange(topology.vertex_count))


def test_chart_is_unflipped_symmetric_and_inside_its_window(pack):
    V, F = _skin(pack)
    uv, faces, window = pack.topology.uvs, pack.topology.faces[:F], pack.topology.window
    a, b, c = (uv[faces[:, i]].astype(float) for i in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (area > 0).all()
    assert (uv[:V] > (window.u0, window.v0)).all()
    assert (uv[:V] < (window.u1, window.v1)).all()
    np.testing.assert_allclose(uv[:V][pack.topology.mirror[:V]] * (-1, 1) + (1, 0), uv[:V], atol=1e-4)


def test_chart_does_not_overlap(pack):
    """Drawn triangle by triangle at 1024 px, no pixel centre lies in two triangles of the skin."""
    from engine.rasterize import uv_raster

    _, F = _skin(pack)
    uv, faces = pack.topology.uvs, pack.topology.faces[:F]
    a, b, c = (uv[faces[:, i]].astype(float) for i in range(3))
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() / 2
    window = pack.topology.window
    covered = uv_raster(pack.topology, 1024).covered.mean() * (window.u1 - window.u0) * (window.v1 - window.v0)
    assert covered == pytest.approx(area, rel=2e-3), "covered area falls short where triangles lie on each other"


def test_template_has_the_published_measures(pack):
    neutral, _ = pack.shapes(np.zeros(50, np.float32))
    for name, mean, sd, ours, _ in anthropometry.table(neutral[:468].astype(float)):
        assert abs(ours - mean) < 0.75 * sd, f"{name}: {ours:.1f} mm, published {mean:.1f} +- {sd:.1f}"


@pytest.fixture(scope="module")
def odd_modes(pack):
    """Which modes make the halves of the face unlike."""
    zero = pack.shapes(np.zeros(50, np.float32))[0][:468]
    found = []
    for one in np.eye(50, dtype=np.float32):
        change = pack.shapes(one)[0][:468] - zero
        found.append(np.abs((change * (-1, 1, 1))[pack.topology.mirror[:468]] - change).max() > 0.02)
    return np.array(found)


def test_everybody_is_symmetric_but_for_a_few_small_modes_with_the_mouth_closed(pack, people, odd_modes):
    mirror, (V, _) = pack.topology.mirror, _skin(pack)
    assert 4 <= odd_modes.sum() <= 8
    rng = np.random.default_rng(3)
    for _ in range(3):
        neutral, _ = pack.shapes(np.where(odd_modes, 0, rng.normal(size=50)).astype(np.float32))
        np.testing.assert_allclose((neutral * (-1, 1, 1))[mirror][:V], neutral[:V], atol=0.02)
    for neutral, _ in people:
        uneven = np.linalg.norm((neutral * (-1, 1, 1))[mirror][:V] - neutral[:V], axis=1) / 2
        assert np.median(uneven) < 1.0
        assert abs(neutral[13, 1] - neutral[14, 1]) < 1.0


def test_measures_vary_over_people_as_published(pack):
    rng = np.random.default_rng(8)
    faces = [pack.shapes(i)[0][:468].astype(float) for i in rng.normal(size=(200, 50)).astype(np.float32)]
    ratios = [np.std([measure.of(face) for face in faces]) / measure.sd_mm for measure in anthropometry.MEASURES]
    assert 0.75 < np.median(ratios) < 1.35
    assert min(ratios) > 0.45
    assert max(ratios) < 2.3


def test_eyes_stand_open_by_about_as_much_in_everybody(pack):
    """Farkas (1994): 10.4 +- 1.1 mm in men, 11.1 +- 1.2 mm in women; the modes had 2.1 once, which left faces staring."""

    def heights(identity):
        face = pack.shapes(identity)[0]
        return np.array([face[a, 1] - face[b, 1] for a, b in ((159, 145), (386, 374))])

    modes = np.eye(len(pack.identity_mean), dtype=np.float32)
    spread = np.linalg.norm([heights(mode) - heights(0 * mode) for mode in modes], axis=0)
    assert (spread > 0.8).all()
    assert (spread < 1.7).all()


def test_unlikely_people_still_have_faces(pack):
    """At 3 SD in one direction no triangle of the skin folds over and nose, lips and chin keep their order."""
    _, F = _skin(pack)
    faces = pack.topology.faces[:F]
    mean = pack.shapes(np.zeros(50, np.float32))[0]
    rng = np.random.default_rng(9)
    for _ in range(12):
        direction = rng.normal(size=50)
        face = pack.shapes((3 * direction / np.linalg.norm(direction)).astype(np.float32))[0]
        before, after = (_triangle_normals(v, faces) for v in (mean, face))
        assert ((before * after).sum(1) > 0).mean() > 0.999
        assert (np.diff(face[[10, 9, 4, 13, 152], 1]) < -5).all()


def _triangle_normals(vertices, faces):
    a, b, c = (vertices[faces[:, i]].astype(float) for i in range(3))
    return np.cross(b - a, c - a)


def test_identity_modes_are_ordered_and_in_mm(pack):
    zero = pack.shapes(np.zeros(50, np.float32))[0]
    rms = []
    for i in range(50):
        one = np.zeros(50, np.float32)
        one[i] = 1
        rms.append(np.sqrt(((pack.shapes(one)[0] - zero)[:468] ** 2).sum(1).mean()))
    # How much of it the first mode takes is the decomposition's affair; per measure see the published spreads above.
    assert 2.5 < np.sqrt(np.square(rms).sum()) < 4.5
    assert all(later <= earlier * 1.1 for earlier, later in itertools.pairwise(rms))
    assert rms[-1] > 0.004


def test_all_shapes_exist_and_none_copies_another(pack):
    _, deltas = pack.shapes(np.zeros(50, np.float32))
    V, _ = _skin(pack)
    flat = deltas[:, :V].reshape(51, -1)
    length = np.linalg.norm(flat, axis=1)
    assert (np.linalg.norm(deltas[:, :V], axis=2).max(1) > 0.5).all()
    correlation = (flat @ flat.T) / np.outer(length, length) - 2 * np.eye(51)
    assert correlation.max() < 0.95


@pytest.mark.parametrize(
    ("shape", "vertex", "direction"),
    [
        ("jawOpen", 152, (0, -1, 0)),
        ("jawLeft", 152, (1, 0, 0)),
        ("jawRight", 152, (-1, 0, 0)),
        ("jawForward", 152, (0, 0, 1)),
        ("mouthSmileLeft", 291, (1, 1, 0)),
        ("mouthSmileRight", 61, (-1, 1, 0)),
        ("mouthFrownLeft", 291, (0, -1, 0)),
        ("mouthLeft", 13, (1, 0, 0)),
        ("mouthUpperUpRight", 39, (0, 1, 0)),
        ("mouthLowerDownRight", 181, (0, -1, 0)),
        ("mouthPucker", 291, (-1, 0, 0)),
        ("eyeBlinkLeft", 386, (0, -1, 0)),
        ("eyeWideRight", 159, (0, 1, 0)),
        ("browInnerUp", 107, (0, 1, 0)),
        ("browDownLeft", 336, (0, -1, 0)),
        ("browOuterUpRight", 63, (0, 1, 0)),
        ("noseSneerLeft", 358, (0, 1, 0)),
        ("cheekPuff", 205, (0, 0, 1)),
    ],
)
def test_shapes_move_what_their_names_say(pack, people, shape, vertex, direction):
    for _, deltas in people:
        move = deltas[INDEX[shape], vertex]
        assert move @ np.array(direction, float) > 0.6 * np.linalg.norm(direction) * np.linalg.norm(move)
        assert np.linalg.norm(move) > 1.0


def test_left_and_right_are_mirror_images(pack, people):
    V, _ = _skin(pack)
    mirror = pack.topology.mirror[:V]
    for j, partner in enumerate(expressions.mirror_shapes()):
        left, right = people[1][1][j, :V], people[1][1][partner, :V]
        if partner != j:
            np.testing.assert_allclose(
                (left * (-1, 1, 1))[mirror], right, atol=0.03, err_msg=expressions.SHAPE_NAMES[j]
            )


def test_a_blink_closes_the_eye(people):
    for neutral, deltas in people:
        closed = neutral + deltas[INDEX["eyeBlinkLeft"]]
        gap = np.abs(closed[[386, 385, 387], 1] - closed[[374, 380, 373], 1])
        assert gap.max() < 0.8


def test_smiles_follow_the_face_by_more_than_scale(people):
    a, b = (people[i][1][INDEX["mouthSmileLeft"]].ravel() for i in (1, 2))
    rest = a - b * (a @ b) / (b @ b)
    assert np.linalg.norm(rest) > 0.02 * np.linalg.norm(a)


def test_gaze_turns_the_eyeballs_and_nothing_else_does(pack, people):
    eye = slice(*next(p for p in pack.topology.parts if p.name == "eye_left").vertices)
    _, deltas = people[0]
    pupil = deltas[:, eye][:, 0]
    for name, (x, y) in {
        "eyeLookUpLeft": (0, 1),
        "eyeLookDownLeft": (0, -1),
        "eyeLookInLeft": (-1, 0),
        "eyeLookOutLeft": (1, 0),
    }.items():
        move = pupil[INDEX[name]]
        assert move[:2] @ (x, y) > 4.0
    assert not np.abs(deltas[INDEX["jawOpen"]][eye]).any()


def test_normals_of_the_skin_look_outwards(pack, people):
    V, F = _skin(pack)
    neutral = people[0][0][:V]
    normals = vertex_normals(neutral, pack.topology.faces[:F])
    assert normals[[4, 10, 152, 50, 280], 2].min() > 0.2


def test_bilinear_rows_agree_with_the_whole_mesh(pack):
    rng = np.random.default_rng(4)
    identity, weights = rng.normal(size=50).astype(np.float32), rng.uniform(0, 1, 51).astype(np.float32)
    neutral, deltas = pack.shapes(identity)
    whole = neutral + np.tensordot(weights, deltas, 1)
    rows = np.array([3, 467, 9000, 27613], np.int32)
    mean, core = pack.bilinear(rows)
    np.testing.assert_allclose((mean + core @ identity) @ np.concatenate([[1], weights]), whole[rows], atol=2e-3)
    with pytest.raises(ValueError, match="skin"):
        pack.bilinear(np.array([27614], np.int32))


def test_a_damaged_pack_is_one_sentence(monkeypatch):
    load_open_pack.cache_clear()
    monkeypatch.setattr(open_pack, "read_resource", lambda _: b"no archive")
    try:
        with pytest.raises(ModelFileError, match="embedded face model"):
            load_open_pack()
    finally:
        load_open_pack.cache_clear()


@pytest.mark.parametrize("shape", ["mouthSmile", "mouthFrown", "eyeBlink", "eyeWide"])
def test_what_people_do_is_not_who_they_are(pack, shape):
    """No mode moves the neutral face along a smile, a frown, a blink or widened eyes."""
    zero = np.zeros(50, np.float32)
    neutral, deltas = pack.shapes(zero)
    motion = (deltas[INDEX[shape + "Left"]] + deltas[INDEX[shape + "Right"]])[:468].ravel()
    modes = [(pack.shapes(one)[0] - neutral)[:468].ravel() for one in np.eye(50, dtype=np.float32)]
    shares = np.array(modes) @ motion / (motion @ motion)
    assert np.linalg.norm(shares) < 0.05
