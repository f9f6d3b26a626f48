"""Exports are re-read with other libraries: trimesh, Pillow, OpenCV and the standard library's JSON."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image

from engine.errors import ExportError
from engine.export import (
    ExportOptions,
    ResultOptions,
    estimate_sizes,
    export_face,
    obj,
    pictures,
    planned_files,
    safe_stem,
    write_results,
)
from engine.export.mesh import export_mesh, refined_counts
from engine.expressions import SHAPE_NAMES
from engine.geometry import sample_map, vertex_normals
from engine.types import FaceAsset
from tests.running import finish
from tests.synthetic import ROWS, make_asset, make_map, make_pose

SKIN = ROWS * ROWS


@pytest.fixture(scope="module")
def face() -> FaceAsset:
    return make_asset(3)


def with_seam(face: FaceAsset) -> FaceAsset:
    """The same face, cut in UV along its middle column: the right half gets UVs of its own."""
    old = face.topology
    right = face.rig.neutral[old.faces][:, :, 0].mean(1) > 0
    uv_faces = old.uv_faces.copy()
    uv_faces[right] += len(old.uvs)
    uvs = np.concatenate([old.uvs * (0.9, 1), old.uvs * (0.9, 1) + (0.05, 0)]).astype(np.float32)
    return replace(face, topology=replace(old, uvs=uvs, uv_faces=uv_faces))


def read_obj(path: Path) -> trimesh.Trimesh:
    mesh = trimesh.load(path, process=False)
    assert isinstance(mesh, trimesh.Trimesh), f"{path.name} falls apart into several meshes"
    return mesh


def corners(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    return points[faces].reshape(-1, points.shape[1])


def listing(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


# OBJ text


def test_lines_equal_those_of_python_formatting():
    rng = np.random.default_rng(1)
    numbers = np.concatenate([rng.uniform(-300, 300, (500, 3)), rng.uniform(-1e-5, 1e-5, (20, 3)), np.zeros((1, 3))])
    numbers = numbers.astype(np.float32)
    numbers[0] = (4300.5, -9999.25, 0.5)  # more than 32 bits of millionths
    lines = b"".join(obj.vertex_lines(numbers, "mm")).decode().splitlines()
    wanted = ["v " + " ".join(f"{round(float(x) * 1e6) / 1e6:.6f}" for x in row) for row in numbers]
    assert lines == [line.replace("-0.000000", "0.000000") for line in wanted]
    faces = np.array([[0, 8, 9], [98, 99, 123456], [9, 999, 0]], np.int32)
    uv_faces = faces[::-1].copy()
    text = b"".join(obj.face_lines(faces, uv_faces, (("a", 0, 1), ("b", 1, 3)), material=False)).decode()
    rows = [
        " ".join(f"{v + 1}/{t + 1}" for v, t in zip(*pair, strict=True)) for pair in zip(faces, uv_faces, strict=True)
    ]
    assert text == f"g a\nf {rows[0]}\ng b\nf {rows[1]}\nf {rows[2]}\n"


def test_coordinates_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="finite"):
        list(obj.vertex_lines(np.full((2, 3), np.nan, np.float32), "mm"))


def test_a_million_and_a_half_triangles_take_seconds():
    rng = np.random.default_rng(0)
    vertices = rng.uniform(-120, 120, (787_026, 3)).astype(np.float32)
    faces = rng.integers(0, 787_026, (1_570_624, 3)).astype(np.int32)
    start = time.perf_counter()
    chunks = itertools.chain(
        obj.vertex_lines(vertices, "mm"),
        obj.uv_lines(vertices[:, :2]),
        obj.face_lines(faces, faces, (("skin", 0, len(faces)),), material=True),
    )
    size = sum(map(len, chunks))
    assert size > 100e6
    assert time.perf_counter() - start < 8  # 0.4 s on a free core


# the dialog's export, read again


def test_base_mesh_read_again_is_the_same(face, tmp_path):
    face = with_seam(face)
    pose = make_pose(face, np.eye(51, dtype=np.float32)[4])
    files, reports = finish(export_face(face, pose, ExportOptions(), tmp_path, "anna"))
    assert [f.name for f in files] == ["anna.obj", "anna.obj.mtl", "anna.jpg"]
    mesh = read_obj(files[0])
    topology = face.topology
    np.testing.assert_allclose(corners(mesh.vertices, mesh.faces), corners(pose.vertices, topology.faces), atol=1e-6)
    np.testing.assert_allclose(corners(mesh.visual.uv, mesh.faces), corners(topology.uvs, topology.uv_faces), atol=1e-6)
    assert mesh.visual.material.image.size == face.texture.image.shape[1::-1]
    assert tuple(mesh.visual.material.diffuse[:3]) == (255, 255, 255)
    fractions = [r.fraction for r in reports]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] <= 1


def test_vertices_stay_whole_across_the_uv_seam(face, tmp_path):
    face = with_seam(face)
    (path, *_), _ = finish(export_face(face, make_pose(face), ExportOptions(texture=False), tmp_path, "a"))
    lines = path.read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == face.topology.vertex_count
    assert sum(line.startswith("vt ") for line in lines) == len(face.topology.uvs)
    faces = np.array([[c.split("/") for c in line.split()[1:]] for line in lines if line.startswith("f ")], int) - 1
    np.testing.assert_array_equal(faces[..., 0], face.topology.faces)
    np.testing.assert_array_equal(faces[..., 1], face.topology.uv_faces)
    assert [line for line in lines if line[:2] in ("o ", "g ")] == ["o a", "g skin", "g eye_right", "g eye_left"]
    assert not any("mtl" in line for line in lines)


@pytest.mark.parametrize(("units", "factor"), [("mm", 1.0), ("cm", 0.1), ("m", 0.001)])
def test_units(face, tmp_path, units, factor):
    pose = make_pose(face)
    (path, *_), _ = finish(export_face(face, pose, ExportOptions(units=units, texture=False), tmp_path, "a"))
    mesh = read_obj(path)
    wanted = corners(pose.vertices, face.topology.faces).astype(np.float64) * factor
    np.testing.assert_allclose(corners(mesh.vertices, mesh.faces), wanted, atol=1e-6 * factor)


def test_displaced_mesh_lies_off_the_base_by_the_map(face, tmp_path):
    face = replace(with_seam(face), key_maps=(None,) * 20)  # without key maps the static map is the pose's detail
    pose = make_pose(face)
    options = ExportOptions(mesh="displaced", subdivisions=2, texture=False)
    (path, *_), _ = finish(export_face(face, pose, options, tmp_path, "a"))
    mesh, fine = read_obj(path), export_mesh(face.topology, 2)
    flat = fine.base(pose.vertices)
    moved = corners(mesh.vertices, mesh.faces) - corners(flat, fine.subdivision.faces)
    first_skin, end_skin = (3 * 16 * f for f in face.topology.skin.faces)
    assert np.abs(moved[end_skin:]).max() < 2e-6  # eyes stay
    uvs = corners(mesh.visual.uv, mesh.faces).astype(np.float32)
    wanted = np.abs(sample_map(face.static_map, face.topology.window, uvs))[first_skin:end_skin]
    seam = np.abs(corners(flat, fine.subdivision.faces)[first_skin:end_skin, 0]) < 1e-3  # moves by the mean of its UVs
    length = np.linalg.norm(moved[first_skin:end_skin], axis=1)
    np.testing.assert_allclose(length[~seam], wanted[~seam], atol=1e-3)
    assert wanted.max() > 0.3
    outward = np.einsum(
        "nc,nc->n",
        moved,
        corners(
            fine.subdivision.refine_vertices(vertex_normals(pose.vertices, face.topology.faces)), fine.subdivision.faces
        ),
    )
    signed = sample_map(face.static_map, face.topology.window, uvs)
    clear = (np.abs(signed) > 0.05)[first_skin:end_skin] & ~seam
    assert (np.sign(outward[first_skin:end_skin][clear]) == np.sign(signed[first_skin:end_skin][clear])).all()


def test_zero_map_displaces_nothing(face):
    fine = export_mesh(face.topology, 1)
    still = fine.displaced(face.rig.neutral, np.zeros_like(face.static_map))
    np.testing.assert_array_equal(still, fine.base(face.rig.neutral))


def test_all_shapes_are_a_set_with_one_vertex_order(face, tmp_path):
    files, _ = finish(export_face(face, make_pose(face), ExportOptions(expression="all"), tmp_path, "anna"))
    folder = tmp_path / "anna_blendshapes"
    assert {f.name for f in folder.iterdir()} == {
        "neutral.obj", *(f"{name}.obj" for name in SHAPE_NAMES), "anna.obj.mtl", "anna.jpg",
    }  # fmt: skip
    assert len(files) == 54
    neutral, jaw = read_obj(folder / "neutral.obj"), read_obj(folder / "jawOpen.obj")
    np.testing.assert_array_equal(neutral.faces, jaw.faces)
    assert neutral.visual.material.image is not None
    delta = face.rig.deltas[SHAPE_NAMES.index("jawOpen")]
    moved = corners(jaw.vertices - neutral.vertices, jaw.faces)
    np.testing.assert_allclose(moved, corners(delta, face.topology.faces), atol=1e-5)


def test_front_faces_alone_are_exported_where_a_pack_says_so(face, tmp_path):
    kept = np.arange(40, len(face.topology.faces), dtype=np.int32)
    front = replace(face, topology=replace(face.topology, front_faces=kept))
    mesh = export_mesh(front.topology, 0)
    assert mesh.kept_vertices is not None
    vertices = mesh.base(front.rig.neutral)
    np.testing.assert_array_equal(
        corners(vertices, mesh.subdivision.faces), corners(front.rig.neutral, front.topology.faces[kept])
    )
    assert refined_counts(front.topology, 0) == (len(vertices), len(mesh.uvs), len(kept))
    assert mesh.groups[0] == ("skin", 0, front.topology.skin.faces[1] - 40)
    result, _ = finish(write_results(front, make_pose(front), tmp_path, "a", ResultOptions(0.9)))
    report = json.loads((tmp_path / "a.json").read_text())
    indices = report["landmark_vertices"]
    lost = set(range(front.topology.vertex_count)) - set(mesh.kept_vertices.tolist())
    assert lost
    for vertex, index in zip(front.fit.landmark_vertices, indices, strict=True):
        if int(vertex) in lost:
            assert index is None
        else:
            np.testing.assert_array_equal(vertices[index], front.rig.neutral[vertex])
    assert len(result.files) == 5


@pytest.mark.parametrize(
    "options",
    [
        ExportOptions(subdivisions=3, maps="static"),
        ExportOptions(expression="all", texture=False, units="m"),
        ExportOptions(mesh="displaced", subdivisions=2, expression="neutral", maps="all"),
    ],
)
def test_planned_files_and_sizes_are_what_comes(face, tmp_path, options):
    if options.expression == "all" or options.mesh == "displaced":
        pytest.importorskip("engine.rig")
    face = replace(with_seam(face), key_maps=face.key_maps[:2] if options.maps == "all" else face.key_maps)
    sizes = dict(estimate_sizes(face, options, "anna"))
    files, _ = finish(export_face(face, make_pose(face), options, tmp_path, "anna"))
    assert tuple(str(f.relative_to(tmp_path)) for f in files) == planned_files(face, options, "anna") == tuple(sizes)
    assert listing(tmp_path) - {"anna_blendshapes"} == set(sizes)
    for name, size in sizes.items():
        assert (tmp_path / name).stat().st_size == pytest.approx(size, rel=0.12), name


# maps and texture


def test_map_png_read_again_gives_the_millimetres(face, tmp_path):
    options = ExportOptions(maps="static", map_scale_mm=0.5, units="cm")
    finish(export_face(face, make_pose(face), options, tmp_path, "a"))
    with Image.open(tmp_path / "a_dpmap.png") as other:
        assert other.mode.startswith("I;16")
        assert other.size == (4096, 4096)
        assert "gamma" not in other.info
    png = cv2.imread(str(tmp_path / "a_dpmap.png"), cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16
    window, rng = face.topology.window, np.random.default_rng(0)
    rows, columns = rng.integers(0, 4096, (2, 4000))
    uvs = np.stack([(columns + 0.5) / 4096, 1 - (rows + 0.5) / 4096], 1).astype(np.float32)
    wanted = np.clip(sample_map(face.static_map, window, uvs), -0.5, 0.5 - 0.5 / 32768)
    np.testing.assert_allclose((png[rows, columns] - 32768.0) / 32768 * 0.5, wanted, atol=2e-5)
    assert (png[int(4096 * (1 - window.v0)) + 1 :] == 32768).all()
    assert (png[:, : int(4096 * window.u0) - 1] == 32768).all()
    assert "0.05; 32768 = none" in (tmp_path / "a_dpmap.txt").read_text()


def test_map_beyond_the_scale_is_cut_and_said(face, tmp_path):
    deep = replace(face, static_map=make_map(5, amplitude_mm=2.0))
    result, _ = finish(write_results(deep, make_pose(deep), tmp_path, "a", ResultOptions(1.0)))
    assert any("cut in the exported maps" in w for w in result.warnings)
    assert json.loads((tmp_path / "a.json").read_text())["warnings"] == list(result.warnings)
    png = cv2.imread(str(tmp_path / "a_dpmap.png"), cv2.IMREAD_UNCHANGED)
    assert png.min() == 0
    assert png.max() == 65535
    _, share = pictures.map_canvas(deep.static_map, deep.topology.window, 1.0)
    window = deep.topology.window
    v, u = np.meshgrid(np.linspace(window.v0, window.v1, 1500), np.linspace(window.u0, window.u1, 1500))
    between = sample_map(deep.static_map, window, np.stack([u, v], -1).reshape(-1, 2).astype(np.float32))
    assert share == pytest.approx(np.mean(np.abs(between) > 1.0), abs=0.01)


def test_key_maps_that_are_not_there_yet_are_not_exported(tmp_path):
    face = make_asset(1, keys=False)
    with pytest.raises(ExportError, match="Not all"):
        finish(export_face(face, make_pose(face), ExportOptions(maps="all"), tmp_path, "a"))
    with pytest.raises(ValueError, match="key_maps"):
        finish(write_results(face, make_pose(face), tmp_path, "a", ResultOptions(0.9, maps="rig")))
    assert listing(tmp_path) == set()


def test_texture_keeps_its_colours(face, tmp_path):
    finish(export_face(face, make_pose(face), ExportOptions(), tmp_path, "a"))
    with Image.open(tmp_path / "a.jpg") as picture:
        difference = np.asarray(picture).astype(int) - face.texture.image
    assert np.abs(difference).mean() < 2


# the command line's set


def test_results_are_the_documented_set(face, tmp_path):
    render = np.full((40, 30, 3), 128, np.uint8)
    face = replace(face, key_maps=face.key_maps[:3])  # enough of these large files; the real face has all 20
    options = ResultOptions(0.914, maps="rig", blendshapes=True)
    steps = write_results(
        face, make_pose(face), tmp_path / "new" / "anna", "anna", options, render=render,
        warnings=("Said.",), seconds=(("render", 0.5), ("render", 0.25)),
        closeness={"neutral": 0.0, "smile": 0.123456789, "anger": float("nan")},
    )  # fmt: skip
    result, _ = finish(steps)
    folder = tmp_path / "new" / "anna"
    shapes = {f"anna_blendshapes/{name}.obj" for name in ("neutral", *SHAPE_NAMES)}
    maps = {f"anna_dpmap_{k}.png" for k in range(3)}
    plain = {"anna.obj", "anna.obj.mtl", "anna.jpg", "anna_render.jpg", "anna.json", "anna_blendshapes"}
    assert listing(folder) == shapes | maps | plain
    assert {str(f.relative_to(folder)) for f in result.files} == shapes | maps | plain - {"anna_blendshapes"}
    report = json.loads((folder / "anna.json").read_text())
    assert report["schema_version"] == 1
    assert report["image_size"] == {"width": 200, "height": 260}
    np.testing.assert_allclose(report["landmarks"], face.landmarks.points68, rtol=1e-6)
    assert report["landmark_vertices"] == face.fit.landmark_vertices.tolist()
    assert report["expression"]["jawOpen"] == pytest.approx(0.3)
    assert list(report["expression"]) == list(SHAPE_NAMES)
    assert len(report["identity"]) == 50
    assert report["seconds"]["render"] == 0.75
    assert report["warnings"] == ["Said."]
    assert report["closeness"] == {"neutral": 0.0, "smile": 0.1234568, "anger": None}
    base, neutral = read_obj(folder / "anna.obj"), read_obj(folder / "anna_blendshapes" / "neutral.obj")
    np.testing.assert_array_equal(base.faces, neutral.faces)


def test_report_stays_json_without_landmarks_and_numbers(face, tmp_path):
    bare = replace(
        face,
        landmarks=replace(face.landmarks, points68=None),
        fit=replace(face.fit, error68=float("nan"), landmark_vertices=np.full(68, -1, np.int32)),
        photo=replace(face.photo, name="caf\udce9.png"),
    )
    finish(write_results(bare, make_pose(bare), tmp_path, "a", ResultOptions(0.9)))
    report = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert report["landmarks"] is None
    assert report["fit_error"]["points68"] is None
    assert "closeness" not in report
    assert report["landmark_vertices"] == [None] * 68
    assert report["photo"]["file"] == "caf?.png"


def test_detailed_mesh(face, tmp_path):
    pytest.importorskip("engine.rig")
    finish(write_results(face, make_pose(face), tmp_path, "a", ResultOptions(0.9, detailed=2)))
    assert len(read_obj(tmp_path / "a_detailed.obj").faces) == 16 * len(face.topology.faces)


# names


@pytest.mark.parametrize("stem", ["anna maria", "Ünïcødé 顔 😀", "it's #1 (copy) & 50%", "a.b.c", "semi;colon"])
def test_texture_is_found_whatever_the_name(face, tmp_path, stem):
    files, _ = finish(export_face(face, make_pose(face), ExportOptions(), tmp_path, stem))
    assert read_obj(files[0]).visual.material.image.size == (128, 128)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a/b\\c:d*e?", "a_b_c_d_e_"),
        (" x. ", "x"),
        ("", "face"),
        ("con", "face_con"),
        ("a\nb\udcff", "a_b_"),
        ("...", "face"),
    ],
)
def test_safe_stem(name, stem):
    assert safe_stem(name) == stem


def test_long_names_are_cut_to_what_file_systems_take(face, tmp_path):
    stem = safe_stem("顔" * 200)
    assert len(stem.encode()) <= 180
    finish(export_face(face, make_pose(face), ExportOptions(maps="static"), tmp_path, "顔" * 200))
    assert (tmp_path / f"{stem}_dpmap.txt").exists()
