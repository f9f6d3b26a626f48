"""The rig as one file is re-read by a strict parser of its own and by trimesh, and compared with the engine's poses."""

from __future__ import annotations

import gc
import json
import struct
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from engine.errors import ExportError
from engine.export import ExportOptions, ResultOptions, estimate_sizes, export_face, gltf, write_results
from engine.export.gltf import glb_file, glb_size
from engine.expressions import SHAPE_INDEX, SHAPE_NAMES
from engine.geometry import vertex_normals
from engine.packs.open_pack import load_open_pack
from engine.rig import make_basis, posed_vertices
from engine.types import FaceAsset, Topology
from tests.running import finish
from tests.synthetic import make_asset, make_pose

DTYPES = {5123: np.dtype("<u2"), 5125: np.dtype("<u4"), 5126: np.dtype("<f4")}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}
SURFACES = {"skin": ("skin", "socket"), "eyes": ("eye",), "mouth": ("mouth",)}


@dataclass
class Glb:
    """A file taken apart; every rule of the specification that it breaks fails the test."""

    document: dict[str, Any]
    binary: bytes

    @classmethod
    def read(cls, data: bytes) -> Glb:
        assert len(data) % 4 == 0
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        json_length, kind = struct.unpack_from("<I4s", data, 12)
        assert (kind, json_length % 4) == (b"JSON", 0)
        document = json.loads(data[20 : 20 + json_length].decode(), parse_constant=pytest.fail)
        binary_length, kind = struct.unpack_from("<I4s", data, 20 + json_length)
        assert (kind, binary_length % 4) == (b"BIN\0", 0)
        binary = data[28 + json_length :]
        assert len(binary) == binary_length
        assert document["asset"]["version"] == "2.0"
        (buffer,) = document["buffers"]
        assert 0 <= binary_length - buffer["byteLength"] < 4
        return cls(document, binary)

    @property
    def mesh(self) -> dict[str, Any]:
        (mesh,) = self.document["meshes"]
        return mesh

    def view(self, index: int) -> bytes:
        view = self.document["bufferViews"][index]
        start, end = view["byteOffset"], view["byteOffset"] + view["byteLength"]
        assert view["buffer"] == 0
        assert 0 <= start < end <= len(self.binary)
        return self.binary[start:end]

    def items(self, index: int, component: int, count: int, width: int) -> np.ndarray:
        dtype = DTYPES[component]
        assert self.document["bufferViews"][index]["byteOffset"] % dtype.itemsize == 0
        data = self.view(index)
        assert len(data) == count * width * dtype.itemsize
        return np.frombuffer(data, dtype).reshape(count, width)

    def values(self, index: int) -> np.ndarray:
        """The content of an accessor: (count, width)."""
        accessor = self.document["accessors"][index]
        count, width = accessor["count"], WIDTHS[accessor["type"]]
        if "bufferView" in accessor:
            values = self.items(accessor["bufferView"], accessor["componentType"], count, width)
        else:
            sparse, values = accessor["sparse"], np.zeros((count, width), np.float32)
            assert 1 <= sparse["count"] <= count
            for name in ("indices", "values"):
                assert "target" not in self.document["bufferViews"][sparse[name]["bufferView"]]
            indices = sparse["indices"]
            rows = self.items(indices["bufferView"], indices["componentType"], sparse["count"], 1)[:, 0].astype(int)
            assert (np.diff(rows) > 0).all()
            assert rows[-1] < count
            values[rows] = self.items(sparse["values"]["bufferView"], accessor["componentType"], sparse["count"], width)
        assert np.isfinite(values).all()
        if "min" in accessor:
            np.testing.assert_array_equal(np.array(accessor["min"], np.float32), values.min(0))
            np.testing.assert_array_equal(np.array(accessor["max"], np.float32), values.max(0))
        return values

    def bounded(self, index: int) -> np.ndarray:
        """Positions, which must say their bounds."""
        assert {"min", "max"} <= set(self.document["accessors"][index])
        return self.values(index)

    def faces(self, primitive: dict[str, Any]) -> np.ndarray:
        assert self.document["accessors"][primitive["indices"]]["componentType"] == 5125
        return self.values(primitive["indices"]).reshape(-1, 3)


def read_glb(face: FaceAsset, weights: np.ndarray | None = None, **options: Any) -> Glb:
    shown = face.fit.weights if weights is None else weights
    return Glb.read(b"".join(glb_file(face, shown, "anna", **options)))


def with_seam(face: FaceAsset) -> FaceAsset:
    """The same face, cut in UV along its middle column."""
    old = face.topology
    uv_faces = old.uv_faces.copy()
    uv_faces[face.rig.neutral[old.faces][:, :, 0].mean(1) > 0] += len(old.uvs)
    uvs = np.concatenate([old.uvs * (0.9, 1), old.uvs * (0.9, 1) + (0.05, 0)]).astype(np.float32)
    return replace(face, topology=replace(old, uvs=uvs, uv_faces=uv_faces))


def faces_of(topology: Topology, surface: str) -> np.ndarray:
    """Indices of the faces that a material covers, in order."""
    return np.concatenate([np.arange(*part.faces) for part in topology.parts if part.kind in SURFACES[surface]])


@pytest.fixture(scope="module")
def small() -> FaceAsset:
    return with_seam(make_asset(3))


@pytest.fixture(scope="module")
def person() -> FaceAsset:
    """The embedded model's mean person, with its eyeballs, teeth and correctives."""
    pack = load_open_pack()
    n = pack.topology.window.map_size
    empty = np.zeros((n, n), np.float32)
    rig = make_basis(pack, np.zeros(50, np.float32))
    return replace(
        make_asset(3), topology=pack.topology, rig=rig, static_map=empty, confidence=empty, key_maps=(None,) * 20
    )


@pytest.fixture(params=["small", "person"])
def face(request) -> FaceAsset:
    return request.getfixturevalue(request.param)


def test_the_file_keeps_every_rule_and_says_what_it_holds(face):
    glb = read_glb(face)
    document, mesh = glb.document, glb.mesh
    assert mesh["extras"]["targetNames"] == list(SHAPE_NAMES)
    np.testing.assert_array_equal(np.array(mesh["weights"], np.float32), face.fit.weights)
    assert face.fit.weights.any()
    kinds = {part.kind for part in face.topology.parts}
    wanted = [name for name, own in SURFACES.items() if kinds & set(own)]
    assert [document["materials"][primitive["material"]]["name"] for primitive in mesh["primitives"]] == wanted
    for primitive in mesh["primitives"]:
        attributes = primitive["attributes"]
        positions = glb.bounded(attributes["POSITION"])
        assert glb.values(attributes["NORMAL"]).shape == positions.shape
        np.testing.assert_allclose(np.linalg.norm(glb.values(attributes["NORMAL"]), axis=1), 1.0, atol=1e-5)
        assert glb.values(attributes["TEXCOORD_0"]).shape == (len(positions), 2)
        np.testing.assert_array_equal(np.unique(glb.faces(primitive)), np.arange(len(positions)))  # none is idle
        assert len(primitive["targets"]) == 51
        for target in primitive["targets"]:
            assert glb.bounded(target["POSITION"]).shape == positions.shape
            assert glb.values(target["NORMAL"]).shape == positions.shape
    used = {view for a in document["accessors"] for view in [a.get("bufferView")] if view is not None}
    used |= {a["sparse"][name]["bufferView"] for a in document["accessors"] if "sparse" in a for name in a["sparse"]
             if name != "count"}  # fmt: skip
    assert used | {image["bufferView"] for image in document["images"]} == set(range(len(document["bufferViews"])))


def test_materials_are_skin_without_metal_and_an_open_mask_shows_its_inside(small):
    document = read_glb(small).document
    looks = {material["name"]: material for material in document["materials"]}
    assert all(look["pbrMetallicRoughness"]["metallicFactor"] == 0 for look in looks.values())
    assert all(look["pbrMetallicRoughness"]["baseColorTexture"] == {"index": 0} for look in looks.values())
    assert looks["skin"]["pbrMetallicRoughness"]["roughnessFactor"] == 0.6
    assert looks["skin"]["doubleSided"]


def load(face: FaceAsset, folder: Path) -> dict[str, trimesh.Trimesh]:
    """The file as trimesh reads it, by material."""
    path = folder / "anna.glb"
    path.write_bytes(b"".join(glb_file(face, face.fit.weights, "anna")))
    scene = trimesh.load(path, process=False)
    return {mesh.visual.material.name: mesh for mesh in scene.geometry.values()}


def test_trimesh_reads_the_neutral_face_in_metres(face, tmp_path):
    meshes = load(face, tmp_path)
    topology, normals = face.topology, vertex_normals(face.rig.neutral, face.topology.faces)
    assert sum(len(mesh.faces) for mesh in meshes.values()) == len(topology.faces)
    for name, mesh in meshes.items():
        own = topology.faces[faces_of(topology, name)]
        np.testing.assert_allclose(mesh.vertices[mesh.faces], 0.001 * face.rig.neutral[own], atol=1e-7)
        np.testing.assert_allclose(mesh.vertex_normals[mesh.faces], normals[own], atol=1e-4)
        uvs = topology.uvs[topology.uv_faces[faces_of(topology, name)]]
        np.testing.assert_allclose(mesh.visual.uv[mesh.faces], uvs, atol=1e-6)  # trimesh turns v up again


def test_colours_lie_where_they_are_on_the_face(small, tmp_path):
    """The texture's corner colours differ, so that one upside down or mirrored is far off."""
    y, x = np.mgrid[:128, :128] / 128
    painted = np.stack([250 * y, 250 * x, np.full_like(x, 90)], -1).astype(np.uint8)
    face = replace(small, texture=replace(small.texture, image=painted))
    for name, mesh in load(face, tmp_path).items():
        u, v = face.topology.uvs[face.topology.uv_faces[faces_of(face.topology, name)]].reshape(-1, 2).T
        seen = mesh.visual.to_color().vertex_colors[mesh.faces].reshape(-1, 4)[:, :3].astype(float)
        np.testing.assert_allclose(seen, np.stack([250 * (1 - v), 250 * u, np.full_like(u, 90)], 1), atol=6)


def test_vertices_are_split_along_the_seam_and_nowhere_else(small):
    glb, topology = read_glb(small), small.topology
    skin = slice(*topology.skin.faces)
    pairs = np.stack([topology.faces[skin], topology.uv_faces[skin]], -1).reshape(-1, 2)
    attributes = glb.mesh["primitives"][0]["attributes"]
    positions, normals = glb.values(attributes["POSITION"]), glb.values(attributes["NORMAL"])
    assert len(positions) == len(np.unique(pairs, axis=0)) > topology.skin.vertices[1]
    _, place = np.unique(positions, axis=0, return_inverse=True)
    for vertex in np.flatnonzero(np.bincount(place) > 1):
        assert np.ptp(normals[place == vertex], axis=0).max() == 0.0  # the shading shows no seam


def test_each_target_is_the_engine_s_pose_of_that_weight(face):
    glb, topology = read_glb(face), face.topology
    for j, weights in enumerate(np.eye(51, dtype=np.float32)):
        posed = posed_vertices(face.rig, weights)
        normals = vertex_normals(posed, topology.faces)
        for primitive in glb.mesh["primitives"]:
            name = glb.document["materials"][primitive["material"]]["name"]
            own, corners = topology.faces[faces_of(topology, name)], glb.faces(primitive)
            base, target = primitive["attributes"], primitive["targets"][j]
            moved = glb.values(base["POSITION"]) + glb.values(target["POSITION"])
            np.testing.assert_allclose(moved[corners], 0.001 * posed[own], atol=1e-5)
            turned = glb.values(base["NORMAL"]) + glb.values(target["NORMAL"])
            assert np.linalg.norm(turned[corners] - normals[own], axis=-1).max() < 0.02, SHAPE_NAMES[j]


def test_the_jaw_opens_downwards_and_the_eyes_look(person):
    """Facts of faces: units, axes and the order of the names could all be wrong together in the tests above."""
    glb = read_glb(person)
    skin, eyes, mouth = glb.mesh["primitives"]
    names = glb.mesh["extras"]["targetNames"]
    jaw = [glb.values(p["targets"][names.index("jawOpen")]["POSITION"]) for p in (skin, mouth)]
    assert all(-0.06 < moves[:, 1].min() < -0.03 for moves in jaw)
    looks = glb.values(eyes["targets"][names.index("eyeLookOutLeft")]["POSITION"])
    positions = glb.values(eyes["attributes"]["POSITION"])
    left = positions[:, 0] > 0
    front = left & (positions[:, 2] > np.quantile(positions[left, 2], 0.9))
    assert looks[front, 0].mean() > 0.003
    assert not looks[~left].any()


def test_still_shapes_cost_next_to_nothing(person):
    assert len(b"".join(glb_file(person, person.fit.weights, "a", texture=False))) < 24e6
    glb = read_glb(person)
    jaw = glb.mesh["primitives"][1]["targets"][SHAPE_INDEX["jawOpen"]]["POSITION"]
    assert glb.document["accessors"][jaw]["sparse"]["count"] == 1
    assert not glb.values(jaw).any()


def test_without_texture_nothing_refers_to_one(small):
    document = read_glb(small, texture=False).document
    assert not {"images", "textures", "samplers"} & set(document)
    assert all("baseColorTexture" not in m["pbrMetallicRoughness"] for m in document["materials"])


def test_faces_that_a_pack_leaves_out_are_left_out(small):
    kept = np.arange(40, len(small.topology.faces), dtype=np.int32)
    glb = read_glb(replace(small, topology=replace(small.topology, front_faces=kept)))
    primitive = glb.mesh["primitives"][0]
    wanted = small.rig.neutral[small.topology.faces[40 : small.topology.skin.faces[1]]]
    found = glb.values(primitive["attributes"]["POSITION"])[glb.faces(primitive)]
    np.testing.assert_allclose(found, 0.001 * wanted, atol=1e-7)


def test_numbers_that_are_none_are_refused(small):
    with pytest.raises(ValueError, match="finite"):
        read_glb(small, np.full(51, np.nan, np.float32))
    with pytest.raises(ValueError, match="weights"):
        read_glb(small, np.zeros(52, np.float32))
    deltas = small.rig.deltas.copy()
    deltas[7, 3, 1] = np.inf
    with pytest.raises(ValueError, match="finite"):
        read_glb(replace(small, rig=replace(small.rig, deltas=deltas)))


# in the export of the window and in the command line's set


@pytest.mark.parametrize("expression", ["current", "neutral", "all"])
def test_the_window_s_export_opens_in_the_expression_that_is_asked_for(small, tmp_path, expression):
    weights = np.zeros(51, np.float32)
    weights[[3, 17]] = 0.25, 1.0
    options = ExportOptions(expression=expression, glb=True)
    sizes = dict(estimate_sizes(small, options, "anna"))
    files, _ = finish(export_face(small, make_pose(small, weights), options, tmp_path, "anna"))
    assert [file.relative_to(tmp_path).as_posix() for file in files] == list(sizes)
    assert files[0] == tmp_path / "anna.glb"
    data = files[0].read_bytes()
    assert len(data) == pytest.approx(sizes["anna.glb"], rel=0.05)
    mesh = Glb.read(data).mesh
    assert mesh["weights"] == (weights.tolist() if expression == "current" else [0.0] * 51)
    assert mesh["name"] == "anna"


def test_no_texture_in_the_export_is_none_in_the_file(small, tmp_path):
    files, _ = finish(export_face(small, make_pose(small), ExportOptions(texture=False, glb=True), tmp_path, "a"))
    data = files[0].read_bytes()
    assert "images" not in Glb.read(data).document
    assert len(data) == pytest.approx(glb_size(small, texture=False), abs=400)  # the name and the weights differ


@pytest.mark.parametrize("texture", [True, False])
def test_the_size_said_beforehand_is_that_of_the_file(face, tmp_path, texture):
    options = ExportOptions(glb=True, texture=texture)
    ((name, said), *_) = estimate_sizes(face, options, "anna")
    finish(export_face(face, make_pose(face), options, tmp_path, "anna"))
    assert name == "anna.glb"
    assert (tmp_path / name).stat().st_size == pytest.approx(said, rel=0.05)


def test_the_shapes_are_worked_out_once_per_face_for_its_size(monkeypatch):
    made = []

    def counted(face: FaceAsset, *rest: Any, **options: Any) -> Iterator[bytes]:
        made.append(face)
        return glb_file(face, *rest, **options)

    monkeypatch.setattr(gltf, "glb_file", counted)
    anna = make_asset(3)
    with_texture = glb_size(anna)
    refined = replace(anna, key_maps=(None,) * len(anna.key_maps))
    assert glb_size(refined) == with_texture > glb_size(refined, texture=False)
    assert made == [anna]
    cut, bert = with_seam(anna), make_asset(4)
    assert glb_size(cut) != with_texture  # more vertices
    glb_size(bert)
    assert made == [anna, cut, bert]
    rig = weakref.ref(bert.rig)
    del bert
    made.clear()
    gc.collect()
    assert rig() is None  # what is remembered keeps no face


def test_results_have_it_on_request_in_the_photo_s_expression(small, tmp_path):
    weights = np.eye(51, dtype=np.float32)[20]
    options = ResultOptions(0.9, glb=True)
    result, _ = finish(write_results(small, make_pose(small, weights), tmp_path, "Zoë B.", options))
    assert tmp_path / "Zoë B..glb" in result.files
    mesh = Glb.read((tmp_path / "Zoë B..glb").read_bytes()).mesh
    assert mesh["weights"] == weights.tolist()
    assert mesh["name"] == "Zoë B."


def test_the_old_file_stays_where_the_export_fails(small, tmp_path):
    (tmp_path / "a.glb").write_text("old")
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(ExportError, match=r"a\.jpg is a folder"):
        finish(export_face(small, make_pose(small), ExportOptions(glb=True), tmp_path, "a"))
    assert (tmp_path / "a.glb").read_text() == "old"
    (tmp_path / "b.glb").mkdir()
    with pytest.raises(ExportError, match=r"b\.glb is a folder") as caught:
        finish(export_face(small, make_pose(small), ExportOptions(glb=True), tmp_path, "b"))
    assert caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.glb", "a.jpg", "b.glb"]


def test_an_export_can_be_stopped_while_the_shapes_are_worked_out(small, tmp_path):
    steps = export_face(small, make_pose(small), ExportOptions(glb=True), tmp_path / "new", "a")
    stages = [next(steps).stage for _ in range(40)]
    assert set(stages) == {"Writing a.glb"}
    assert next((tmp_path / "new").rglob("a.glb")).stat().st_size == 0  # a shape at a step, before the first byte
    steps.close()
    assert not (tmp_path / "new").exists()
