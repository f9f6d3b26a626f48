"""The 51 shapes and their correctives as a rigger checks them: lids, lips, anatomy in human ranges, locality, mirrors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine import expressions
from engine.packs.open_pack import load_open_pack
from engine.rig import make_basis, pose, posed_vertices
from engine.training import cage as p
from tests.engine.shape_measures import INDEX, weights_of

EYE_RADIUS_MM = 12.0
SEED = 7


@pytest.fixture(scope="module")
def pack():
    return load_open_pack()


@pytest.fixture(scope="module")
def mean(pack):
    return make_basis(pack, pack.identity_mean)


@pytest.fixture(scope="module")
def people(pack):
    rng = np.random.default_rng(SEED)
    return [make_basis(pack, rng.normal(size=50).astype(np.float32)) for _ in range(20)]


# -- lids -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rims(pack):
    """Per eye (right first): the upper and the lower rim as vertices from the outer to the inner corner."""
    loops = p.border_loops(pack.topology.faces[: pack.topology.skin.faces[1]])
    found = []
    for outer, inner, upper in ((33, 133, 159), (263, 362, 386)):
        loop = next(one for one in loops if outer in one)
        loop = np.roll(loop, -int(np.flatnonzero(loop == outer)[0]))
        turn = int(np.flatnonzero(loop == inner)[0])
        one, other = loop[: turn + 1], np.r_[loop[turn:], outer][::-1]
        found.append((one, other) if upper in one else (other, one))
    return found


def _gap(vertices, rim):
    """Largest distance of the upper rim's vertices from the lower rim's line, mm."""
    upper, lower = vertices[rim[0]].astype(float), vertices[rim[1]].astype(float)
    start, step = lower[:-1], np.diff(lower, axis=0)
    t = ((upper[:, None] - start) * step).sum(2) / np.maximum((step**2).sum(1), 1e-12)
    nearest = start + np.clip(t, 0, 1)[..., None] * step
    return np.linalg.norm(upper[:, None] - nearest, axis=2).min(1).max()


def test_a_blink_closes_every_eye(rims, mean, people):
    for basis in (mean, *people):
        closed = posed_vertices(basis, weights_of(eyeBlink=1))
        assert max(_gap(closed, rim) for rim in rims) < 0.3


@pytest.mark.parametrize(
    "other", ["eyeSquint", "eyeLookDown", "eyeLookUp", "eyeWide", "cheekSquint", "noseSneer", "mouthSmile"]
)
def test_a_blink_stays_closed_with_other_shapes(rims, mean, people, other):
    for basis in (mean, *people[:3]):
        posed = posed_vertices(basis, weights_of(eyeBlink=1, **{other: 1}))
        assert max(_gap(posed, rim) for rim in rims) < 0.3


def test_lids_slide_on_the_eyeball(mean, pack, rims):
    """At every stage of the blink, the middle of the lid keeps its distance to the eyeball's centre."""
    skin = pack.topology.skin.vertices[1]
    for eye, rim in zip(mean.eyeballs, rims, strict=True):
        middle = slice(len(rim[0]) // 4, -(len(rim[0]) // 4))
        for t in np.linspace(0, 1, 9):
            posed = posed_vertices(mean, weights_of(eyeBlink=t))
            away = np.linalg.norm(posed[:skin] - eye.centre, axis=1)
            assert away.min() > EYE_RADIUS_MM, "the lid goes into the eyeball"
            for line in rim:
                edge = away[line[middle]]
                assert edge.max() < EYE_RADIUS_MM + 1.2, "the lid leaves the eyeball"


def test_the_chord_of_the_blink_would_cut_into_the_eyeball(mean, rims):
    """What the in-between is for: without it, half-way the lid lies deeper."""
    eye, rim = mean.eyeballs[0], rims[0][0]
    middle = rim[len(rim) // 3 : -(len(rim) // 3)]
    half = weights_of(eyeBlink=0.5)
    chord = mean.neutral + np.tensordot(half, mean.deltas, 1)
    with_arc, without = (
        np.linalg.norm(v[middle] - eye.centre, axis=1).mean() for v in (posed_vertices(mean, half), chord)
    )
    assert with_arc - without > 0.3


def test_half_a_blink_is_half_way(mean, rims):
    for rim in rims:
        height = [posed_vertices(mean, weights_of(eyeBlink=t))[rim[0]][len(rim[0]) // 2, 1] for t in (0, 0.5, 1)]
        assert (height[0] - height[1]) / (height[0] - height[2]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "worn",
    [
        {}, {"eyeBlink": 1}, {"eyeBlink": 0.5}, {"eyeBlink": 0.25}, {"eyeLookDown": 1}, {"eyeLookDown": 0.5},
        {"eyeLookUp": 1}, {"eyeWide": 1}, {"eyeSquint": 1}, {"eyeBlink": 1, "eyeSquint": 1},
        {"eyeBlink": 1, "mouthSmile": 1, "cheekSquint": 1},
        {"eyeLookInLeft": 1, "eyeLookOutRight": 1}, {"browDown": 1},
    ],
    ids=str,
)  # fmt: skip
def test_nobodys_lids_go_into_the_eyeball(pack, people, worn):
    skin = pack.topology.skin.vertices[1]
    for basis in people:
        posed = posed_vertices(basis, weights_of(**worn))[:skin]
        for eye in basis.eyeballs:
            assert np.linalg.norm(posed - eye.centre, axis=1).min() > EYE_RADIUS_MM


# -- lips -----------------------------------------------------------------------------------------------------------


def test_everybodys_lips_touch_at_rest(mean, people):
    for basis in (mean, *people):
        apart = basis.neutral[list(p.INNER_UPPER)] - basis.neutral[list(p.INNER_LOWER)]
        assert np.linalg.norm(apart, axis=1).max() < 0.05


@pytest.mark.parametrize(
    "held",
    [
        {"mouthSmile": 1}, {"mouthFrown": 1}, {"mouthStretch": 1}, {"mouthDimple": 1}, {"mouthPress": 1}, {"mouthLeft": 1},
        {"mouthPucker": 1}, {"cheekPuff": 1}, {"jawOpen": 1, "mouthClose": 1}, {"jawOpen": 0.4, "mouthClose": 0.4},
    ],
    ids="+".join,
)  # fmt: skip
def test_closed_lips_stay_closed_on_everybody(mean, people, held):
    for basis in (mean, *people):
        posed = posed_vertices(basis, weights_of(**held))
        gap, rest = (v[list(p.INNER_UPPER), 1] - v[list(p.INNER_LOWER), 1] for v in (posed, basis.neutral))
        assert (gap - np.maximum(rest, 0)).max() < 0.5


# -- anatomy --------------------------------------------------------------------------------------------------------


def _move(basis, vertex, **values):
    return posed_vertices(basis, weights_of(**values))[vertex] - basis.neutral[vertex]


def test_the_mouth_opens_as_far_as_mouths_do(mean, pack):
    """Widest opening between the incisal edges: 36..56 mm in women, 39..70 mm in men (894 adults, PMC3428458)."""
    parts = {part.name: slice(*part.vertices) for part in pack.topology.parts}
    edges = {}
    for name, sign in (("teeth_upper", 1), ("teeth_lower", -1)):
        teeth = mean.neutral[parts[name]]
        middle = np.flatnonzero(np.abs(teeth[:, 0]) < 2)
        edges[name] = middle[np.argmin(sign * teeth[middle, 1])]
    posed = posed_vertices(mean, weights_of(jawOpen=1))
    upper, lower = (posed[parts[name]][edge] for name, edge in edges.items())
    assert 39 < np.linalg.norm(upper - lower) < 56


def test_a_smile_goes_where_smiles_go(mean):
    """Corners up and out at about 47 degrees, the mouth 27 % wider (15 children; AJODO 128, 2005, 8-15)."""
    move = _move(mean, p.MOUTH_CORNER_L, mouthSmile=1)
    assert 7 < np.linalg.norm(move) < 22
    assert np.degrees(np.arctan2(move[1], move[0])) == pytest.approx(47, abs=8)
    wide = 2 * move[0] / np.ptp(mean.neutral[[p.MOUTH_CORNER_L, p.MOUTH_CORNER_R], 0])
    assert wide == pytest.approx(0.27, abs=0.06)
    assert _move(mean, 280, mouthSmile=1) @ (0, 1, 1) > 3.0, "the cheek rises and fills"


def test_brows_travel_as_far_as_brows_do(mean):
    """Maximal frontalis action raises the brow's middle by 7.57..9.02 mm on average (Cruz & Cruz 2004)."""
    assert 7.57 < _move(mean, 334, browInnerUp=1, browOuterUp=1)[1] < 9.02
    assert -8 < _move(mean, 336, browDown=1)[1] < -3


def test_brows_slide_over_the_bone(mean):
    """The raised ridge of the brow does not leave a bulge as high as itself above its place."""
    raised = posed_vertices(mean, weights_of(browInnerUp=1, browOuterUp=1))
    skin = np.flatnonzero(np.abs(mean.neutral[:27000, 0] - 30) < 12)
    place = mean.neutral[skin][:, 1]
    above = skin[(place > 60) & (place < 75)]
    tree = cKDTree(mean.neutral[skin][:, :2])
    _, under = tree.query(raised[above][:, :2])
    lift = raised[above, 2] - mean.neutral[skin[under], 2]
    assert np.abs(np.mean(lift)) < 1.0


def test_a_sneer_lifts_the_wing_of_the_nose(mean):
    assert 3 < _move(mean, p.ALARE_L, noseSneer=1)[1] < 8
    assert np.linalg.norm(_move(mean, p.NOSE_TIP, noseSneer=1)) < 1.0


def test_lower_teeth_stay_rigid_on_the_jaws_arc(mean, pack):
    part = next(part for part in pack.topology.parts if part.name == "teeth_lower")
    teeth = slice(*part.vertices)
    rest = mean.neutral[teeth]
    for share in (0.5, 1.0):
        posed = posed_vertices(mean, weights_of(jawOpen=share))[teeth]
        for i in (0, len(rest) // 2, -1):
            kept = np.linalg.norm(posed - posed[i], axis=1) - np.linalg.norm(rest - rest[i], axis=1)
            assert np.abs(kept).max() < 0.1


def test_chin_and_lower_teeth_turn_about_the_joint(mean):
    """All that belongs to the jaw moves rigidly: chin points keep their distances."""
    chin = [152, 175, 199, 200, 148, 377]
    posed = posed_vertices(mean, weights_of(jawOpen=1))
    for a, b in itertools.combinations(chin, 2):
        kept = np.linalg.norm(posed[a] - posed[b]) - np.linalg.norm(mean.neutral[a] - mean.neutral[b])
        assert abs(kept) < 1.0


def test_eyeballs_turn_rigidly(mean):
    for weights in (weights_of(eyeLookUp=0.5, eyeLookInLeft=0.7), weights_of(eyeLookDown=1, eyeLookOut=1)):
        posed = posed_vertices(mean, weights)
        for eye in mean.eyeballs:
            run = slice(*eye.vertices)
            before, after = (np.linalg.norm(v[run] - eye.centre, axis=1) for v in (mean.neutral, posed))
            np.testing.assert_allclose(after, before, atol=2e-3)
            assert np.linalg.norm(posed[run][0] - mean.neutral[run][0]) > 2.0


def test_the_upper_lid_follows_the_gaze(mean):
    for name, sign in (("eyeLookDown", -1), ("eyeLookUp", 1)):
        assert sign * _move(mean, 386, **{name: 1})[1] > 1.5


def test_soft_tissue_keeps_its_volume(pack, mean):
    """What the skin sweeps outwards and inwards balances, but for air in the cheeks and the bone of the jaw."""
    skin = pack.topology.skin.vertices[1]
    faces = pack.topology.faces[: pack.topology.skin.faces[1]]
    neutral = mean.neutral[:skin].astype(float)

    def outward(v):
        a, b, c = (v[faces[:, i]] for i in range(3))
        out = np.zeros_like(v)
        for i in range(3):
            np.add.at(out, faces[:, i], np.cross(b - a, c - a) / 6)
        return out

    rest = outward(neutral)
    for name, delta in zip(expressions.SHAPE_NAMES, mean.deltas, strict=True):
        if not name.startswith(("jaw", "cheekPuff", "mouthClose", "eye")) and not name.endswith("Right"):
            swept = (delta[:skin] * (rest + outward(neutral + delta[:skin])) / 2).sum() / 1000
            assert abs(swept) < 6.5, f"{name} changes the face by {swept:.1f} cm3"


# -- the set --------------------------------------------------------------------------------------------------------

_REACH = {
    # shapes, and the region that they leave alone: above or below a height over subnasale, mm
    ("brow",): ("below", 8.0),
    ("eye",): ("below", -5.0),
    ("mouth", "jaw"): ("above", 50.0),
    ("cheek", "noseSneer"): ("above", 70.0),
}


def test_shapes_are_local(pack, mean):
    skin = pack.topology.skin.vertices[1]
    at, moved = mean.neutral[:skin], np.linalg.norm(mean.deltas[:, :skin], axis=2)
    for stems, (side, height) in _REACH.items():
        outside = at[:, 1] > height if side == "above" else at[:, 1] < height
        for name in (n for n in expressions.SHAPE_NAMES if n.startswith(stems)):
            assert moved[INDEX[name], outside].max() < 0.25, name
    pairs = [n for n in expressions.SHAPE_NAMES if n.endswith("Left") and n not in ("mouthLeft", "jawLeft")]
    for name in pairs:
        far = at[:, 0] < -15
        assert moved[INDEX[name], far].max() < 0.25, name


def test_left_and_right_are_exact_mirrors(pack, mean):
    skin = pack.topology.skin.vertices[1]
    mirror = pack.topology.mirror[:skin]
    for j, partner in enumerate(expressions.mirror_shapes()):
        left, right = mean.deltas[j, :skin], mean.deltas[partner, :skin]
        np.testing.assert_allclose((left * (-1, 1, 1))[mirror], right, atol=0.005, err_msg=expressions.SHAPE_NAMES[j])


def test_left_and_right_add_up_to_the_pair(mean):
    """Nothing is counted twice in the middle: both halves together move it no further than the whole would."""
    for name in ("mouthSmile", "mouthFrown", "mouthUpperUp", "mouthLowerDown", "browDown", "noseSneer", "mouthPress"):
        both = posed_vertices(mean, weights_of(**{name: 1})) - mean.neutral
        halves = [posed_vertices(mean, weights_of(**{name + side: 1})) - mean.neutral for side in ("Left", "Right")]
        np.testing.assert_allclose(both, halves[0] + halves[1], atol=1e-3)
        middle = [p.UPPER_LIP_TOP, p.LOWER_LIP_BOTTOM, 9]
        np.testing.assert_allclose(halves[0][middle, 1:], halves[1][middle, 1:], atol=5e-3)


def test_a_single_shape_is_its_plain_delta(mean):
    """Correctives are silent at weight 1 of one shape, so that exported shapes and the rig agree."""
    for j in range(51):
        weights = np.zeros(51, np.float32)
        weights[j] = 1
        np.testing.assert_allclose(posed_vertices(mean, weights), mean.neutral + mean.deltas[j], atol=5e-3)


def test_correctives_are_continuous_and_bounded(mean):
    wild = np.linspace(-0.5, 1.5, 51).astype(np.float32)
    assert np.isfinite(pose(mean, wild).vertices).all()
    step = weights_of(jawOpen=0.5, mouthSmile=0.5, eyeBlink=0.5)
    near = step + np.float32(0.001)
    assert np.abs(posed_vertices(mean, step) - posed_vertices(mean, near)).max() < 0.3


def test_identity_changes_the_correctives(people):
    first, second = people[:2]
    assert all(a.shapes == b.shapes for a, b in zip(first.correctives, second.correctives, strict=True))
    assert (
        max(np.abs(a.delta - b.delta).max() for a, b in zip(first.correctives, second.correctives, strict=True)) > 0.2
    )
