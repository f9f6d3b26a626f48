"""The bilinear model v1.6: mapped to the older order of vertices by its own dictionaries, however they are stored."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.packs.facescape import data as pack_data
from engine.packs.facescape.bilinear16 import inspect16
from engine.packs.facescape.convert import convert
from engine.packs.facescape.inventory import CORE, FACTORS, take_inventory
from engine.packs.facescape.restricted import WrongContent
from tests import facescape_standin as standin
from tests.running import finish

NAME = "facescape_bm_v1.6_847_50_52_id_front.npz"
OLD, IDENTITIES = 514, 6
NEW = OLD + 40  # v1.6 has vertices that the older topology lacks
LOST = (100, 101, 250, 400)  # and lacks some that the older one has


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return standin.make(tmp_path_factory.mktemp("facescape"), networks=False)


@pytest.fixture(scope="module")
def core(original):
    """(I, 52, V, 3) float32 in the older order."""
    return np.load(original / "model" / CORE).reshape(IDENTITIES, 52, OLD, 3)


@pytest.fixture
def folder(original, tmp_path):
    """The small files alone, as in a clone of the repository, and a folder for the download."""
    shutil.copytree(original / "predef", tmp_path / "clone" / "predef")
    (tmp_path / "download").mkdir()
    return tmp_path


def entries(core: np.ndarray, lost: tuple[int, ...] = ()) -> dict[str, Any]:
    """What a v1.6 file of the invented face holds: shuffled vertices, and both dictionaries."""
    rng = np.random.default_rng(16)
    place = rng.permutation(NEW)[:OLD]  # old vertex -> new vertex
    shapes = rng.normal(0, 9e9, (NEW, 3, 52, IDENTITIES)).astype(np.float32) * 1e-4
    shapes[place] = core.transpose(2, 3, 1, 0)
    kept = [i for i in range(OLD) if i not in lost]
    mixture = standin.make_mixture()
    mean = np.zeros(IDENTITIES, np.float32)
    mean[0] = standin.ID_MEAN_0
    return {
        "shape_bm_core": shapes.reshape(3 * NEW, 52, IDENTITIES),
        "vert_10to16_dict": np.array({i: int(place[i]) for i in kept}, dtype=object),
        "vert_16to10_dict": np.array({int(place[i]): i for i in kept}, dtype=object),
        "id_mean": mean,
        "id_var": np.full(IDENTITIES, standin.ID_VAR, np.float32),
        "exp_gmm_weights": mixture.weights_,
        "exp_gmm_means": mixture.means_ * 0.5,
        "exp_gmm_covariances": mixture.covariances_,
        "vert_num": np.array(NEW),
        "contour_line_right": np.array([[1, 2], [3]], dtype=object),
        "facial_mask": np.zeros((4, 4), np.uint8),
    }


def imported(folder: Path, stored: dict[str, Any]) -> pack_data.FaceScapeData:
    np.savez_compressed(folder / "download" / NAME, **stored)
    finish(convert(take_inventory([folder / "clone", folder / "download"]), folder / "pack"))
    return pack_data.load(folder / "pack")


def refused(folder: Path, stored: dict[str, Any]) -> str:
    np.savez(folder / "download" / NAME, **stored)
    inventory = take_inventory([folder / "clone", folder / "download"])
    assert inventory.model is None
    assert inventory[CORE].status == "wrong"
    return inventory[CORE].why


def test_shapes_arrive_in_the_older_order(folder, core):
    stored = entries(core)
    data = imported(folder, stored)
    np.testing.assert_array_equal(data.core, core.reshape(IDENTITIES, 52, -1))
    np.testing.assert_array_equal(data.id_mean, stored["id_mean"])
    np.testing.assert_array_equal(data.start_identity, stored["id_mean"])  # v1.6 has no people to start from
    assert data.landmark_vertices.tolist() == list(range(68))
    info = pack_data.read_info(folder / "pack")
    assert info["version"] == "1.6"
    assert NAME in info["sources"].values()


def test_files_that_v16_replaces_are_not_needed(folder, core):
    for name in ("id_mean.pkl", "id_var.pkl", "exp_GMM.pkl"):
        (folder / "clone" / "predef" / name).unlink()
    np.savez(folder / "download" / NAME, **entries(core))
    inventory = take_inventory([folder])
    for name in (FACTORS, "id_mean.pkl", "id_var.pkl", "exp_GMM.pkl"):
        assert (inventory[name].status, inventory[name].why) == ("not needed", "v1.6 carries its own"), name
    assert inventory.model is not None
    assert inventory.notes == ()


def test_mixture_gives_the_density_of_its_covariances(folder, core):
    from scipy.stats import multivariate_normal

    stored = entries(core)
    data = imported(folder, stored)
    point = np.random.default_rng(2).uniform(0, 1, 51)
    for k in (0, 7, 19):
        chol = data.gmm_precisions_cholesky[k]
        offset = (point - data.gmm_means[k]) @ chol
        density = -0.5 * (51 * np.log(2 * np.pi) + offset @ offset) + np.log(np.diag(chol)).sum()
        wanted = multivariate_normal(stored["exp_gmm_means"][k], stored["exp_gmm_covariances"][k]).logpdf(point)
        assert density == pytest.approx(wanted, rel=1e-9)


def test_older_mixture_serves_where_v16_has_none(folder, core):
    stored = {name: value for name, value in entries(core).items() if not name.startswith("exp_gmm")}
    data = imported(folder, stored)
    np.testing.assert_array_equal(data.gmm_means, standin.make_mixture().means_)
    (note,) = pack_data.read_info(folder / "pack")["notes"]
    assert note == (
        f"{NAME}: no exp_gmm_weights, exp_gmm_means, exp_gmm_covariances; the older exp_GMM.pkl is used instead."
    )


def _place(stored: dict[str, Any]) -> dict[int, int]:
    return stored["vert_10to16_dict"].item()


def _as_list(value: Any) -> np.ndarray:
    box = np.empty((), dtype=object)
    box[()] = value
    return box


WAYS = {
    "dictionary": lambda place: np.array(place, dtype=object),
    "dictionary of numpy numbers": lambda place: np.array(
        {np.int64(old): np.int32(new) for old, new in place.items()}, dtype=object
    ),
    "dictionary of lists": lambda place: np.array({old: [new] for old, new in place.items()}, dtype=object),
    "dictionary of arrays": lambda place: np.array({old: np.array([new]) for old, new in place.items()}, dtype=object),
    "array by index": lambda place: np.array([place.get(i, -1) for i in range(OLD)]),
    "floats with NaN": lambda place: np.array([place.get(i, np.nan) for i in range(OLD)]),
    "objects with None": lambda place: np.array([place.get(i) for i in range(OLD)], dtype=object),
    "list": lambda place: _as_list([place.get(i) for i in range(OLD)]),
    "pairs": lambda place: np.array(sorted(place.items())),
}


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("lost", [(), LOST], ids=["all", "some lost"])
def test_every_way_to_store_a_dictionary(folder, core, way, lost):
    stored = entries(core, lost)
    stored["vert_10to16_dict"] = WAYS[way](_place(stored))
    del stored["vert_16to10_dict"]
    data = imported(folder, stored)
    kept = np.setdiff1d(np.arange(OLD), lost)
    found = data.core.reshape(core.shape)
    np.testing.assert_array_equal(found[:, :, kept], core[:, :, kept])
    if lost:
        assert "4 of 514 vertices have no partner" in pack_data.read_info(folder / "pack")["notes"][0]


def test_other_direction_alone_suffices(folder, core):
    stored = entries(core)
    del stored["vert_10to16_dict"]
    np.testing.assert_array_equal(imported(folder, stored).core, core.reshape(IDENTITIES, 52, -1))


def test_second_dictionary_fills_the_gaps_of_the_first(folder, core):
    stored = entries(core)
    stored["vert_10to16_dict"] = entries(core, LOST)["vert_10to16_dict"]
    np.testing.assert_array_equal(imported(folder, stored).core, core.reshape(IDENTITIES, 52, -1))


def test_vertices_without_partner_lie_amid_their_neighbours(folder, core):
    data = imported(folder, entries(core, LOST))
    identity = data.id_mean.astype(np.float32)
    true = np.tensordot(identity, core, 1)
    found = np.tensordot(identity, data.core, 1).reshape(true.shape)
    edges = np.concatenate([data.faces[:, [0, 1]], data.faces[:, [1, 2]], data.faces[:, [2, 0]]])
    for vertex in LOST:
        if vertex in (100, 101):
            continue  # neighbours of each other
        around = np.unique(edges[(edges == vertex).any(1)])
        around = around[around != vertex]
        np.testing.assert_allclose(found[:, vertex], found[:, around].mean(1), atol=1e-3)
    off = np.linalg.norm(found - true, axis=2)[:, list(LOST)]
    assert off.max() < 8  # mm, where edges are about 10 mm long
    assert (np.linalg.norm(found - true, axis=2)[:, np.setdiff1d(np.arange(OLD), LOST)] < 1e-3).all()


@pytest.mark.parametrize("how", ["Fortran order", "float64", "identities first"])
def test_core_stored_in_another_way(folder, core, how):
    stored = entries(core)
    shapes = stored["shape_bm_core"]
    stored["shape_bm_core"] = {
        "Fortran order": np.asfortranarray(shapes),
        "float64": shapes.astype(np.float64),
        "identities first": np.ascontiguousarray(shapes.transpose(2, 1, 0)),
    }[how]
    np.testing.assert_array_equal(imported(folder, stored).core, core.reshape(IDENTITIES, 52, -1))


def test_older_model_is_preferred_as_the_original_used_it(folder, original, core):
    shutil.copytree(original / "model", folder / "model")
    np.savez(folder / "download" / NAME, **entries(core))
    assert take_inventory([folder]).model.version == "1.0-1.3"
    (folder / "model" / CORE).write_bytes(b"damaged")
    assert take_inventory([folder]).model.version == "1.6"


@pytest.mark.parametrize("missing", ["shape_bm_core", "id_mean", "id_var", "both dictionaries"])
def test_what_is_missing_is_named(folder, core, missing):
    stored = entries(core)
    if missing == "both dictionaries":
        del stored["vert_10to16_dict"], stored["vert_16to10_dict"]
        missing = "vert_10to16_dict or vert_16to10_dict"
    else:
        del stored[missing]
    why = refused(folder, stored)
    assert why.startswith(f"{NAME} lacks {missing}; it has ")
    assert "facial_mask" in why


def test_what_is_unknown_is_named(folder, core):
    data = imported(folder, {**entries(core), "new_entry": np.zeros(3)})
    assert data.vertex_count == OLD
    assert pack_data.read_info(folder / "pack")["notes"] == [
        f"{NAME}: entries that are not known and not used: new_entry."
    ]


def _changed(core: np.ndarray, change: str) -> dict[str, Any]:
    stored = entries(core)
    place = _place(stored)
    if change == "reversed":
        stored["vert_10to16_dict"], stored["vert_16to10_dict"] = stored["vert_16to10_dict"], stored["vert_10to16_dict"]
    elif change == "contradiction":
        stored["vert_16to10_dict"] = np.array({new: (old + 7) % OLD for old, new in place.items()}, dtype=object)
    elif change == "outside":
        stored["vert_10to16_dict"] = np.array({**place, 3: NEW}, dtype=object)
    elif change == "huge":
        stored["vert_10to16_dict"] = np.array({**place, 3: 10**40}, dtype=object)
    elif change == "few":
        few = {old: place[old] for old in range(300)}
        stored["vert_10to16_dict"] = np.array(few, dtype=object)
        stored["vert_16to10_dict"] = np.array({new: old for old, new in few.items()}, dtype=object)
    elif change == "text":
        stored["vert_10to16_dict"] = np.array("see the paper")
    elif change == "text inside":
        stored["vert_10to16_dict"] = np.array({"a": "b"}, dtype=object)
    elif change == "empty":
        stored["vert_10to16_dict"] = np.array({}, dtype=object)
    elif change == "short mean":
        stored["id_mean"] = stored["id_mean"][:4]
    elif change == "variance":
        stored["id_var"] = stored["id_var"] * 0
    elif change == "nan":
        stored["id_mean"] = stored["id_mean"] * np.nan
    elif change == "covariance":
        stored["exp_gmm_covariances"] = -stored["exp_gmm_covariances"]
    elif change == "mixture size":
        stored["exp_gmm_covariances"] = stored["exp_gmm_covariances"][:3]
    return stored


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("reversed", "has an entry vert_10to16_dict that points outside"),
        ("contradiction", "contradict each other"),
        ("outside", "points outside: to vertex 513 of 514 and 554 of 554"),
        ("huge", "points outside"),
        ("few", "has no partner for 214 of the 514 vertices"),
        ("text", "vert_10to16_dict that holds unusual values"),
        ("text inside", "vert_10to16_dict that holds no vertex numbers"),
        ("empty", "vert_10to16_dict that holds no vertex numbers"),
        ("short mean", "4 values in id_mean for 6 identities"),
        ("variance", "id_var that is not above 0"),
        ("nan", "id_mean that holds numbers that are not finite"),
        ("covariance", "exp_gmm_covariances that holds no covariances"),
        ("mixture size", "exp_gmm_covariances that is no 20 x 51 x 51"),
    ],
)
def test_what_is_wrong_is_named(folder, core, change, why):
    assert why in refused(folder, _changed(core, change))


def test_dictionary_with_another_meaning_is_noticed_in_the_shapes(folder, core):
    """Within range and without contradiction, but not this face: its triangles would reach across the head."""
    stored = entries(core)
    place = _place(stored)
    order = np.random.default_rng(3).permutation(OLD)
    stored["vert_10to16_dict"] = np.array({int(order[old]): new for old, new in place.items()}, dtype=object)
    del stored["vert_16to10_dict"]
    with pytest.raises(ModelFileError, match="no face in the order of vertices"):
        imported(folder, stored)
    assert not (folder / "pack").exists()


def test_model_with_compressed_expressions_is_refused(folder, core):
    stored = entries(core)
    name = "facescape_bm_v1.6_847_50_52_id_exp.npz"
    np.savez(folder / "download" / name, **stored)
    assert "take ..._id_front.npz instead" in take_inventory([folder])[CORE].why
    (folder / "download" / name).rename(folder / "download" / "renamed.npz")
    np.savez(folder / "download" / NAME, **stored)
    assert take_inventory([folder])[CORE].path.name == NAME


def test_hostile_dictionary_is_refused_without_running(folder, core, tmp_path):
    from tests.engine.test_facescape_restricted import Hostile

    marker = tmp_path / "ran"
    stored = entries(core)
    stored["vert_16to10_dict"] = np.array({1: Hostile(marker)}, dtype=object)
    assert "vert_16to10_dict that asks to run" in refused(folder, stored)
    stored["vert_16to10_dict"] = entries(core)["vert_16to10_dict"]
    stored["sym_dict"] = np.array({1: Hostile(marker)}, dtype=object)  # not used, so not even looked at
    imported(folder, stored)
    assert not marker.exists()


def test_small_file_of_another_kind(tmp_path):
    np.savez(tmp_path / "a.npz", np.zeros(3))
    with pytest.raises(WrongContent, match="lacks shape_bm_core, id_mean, id_var, vert_10to16_dict or"):
        inspect16(tmp_path / "a.npz")
