from __future__ import annotations

import cv2
import numpy as np
import pytest
import trimesh

from engine.images import photo_from_array
from engine.packs.facescape.displace import DetailMesh
from engine.packs.facescape.model import FaceScapePack
from engine.packs.facescape.obj_files import detailed_mesh_file, front_mesh_file, material_text
from engine.packs.facescape.texture_topology import front_topology
from engine.render.offscreen import render_over_photo
from engine.types import WeakPerspective
from tests.bare_face import bare_face
from tests.facescape_golden import needs_golden, original_topology, recording
from tests.facescape_standin import make_pack

STEMS = ["anna", "my face", "Zoë näh 脸"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return make_pack(tmp_path_factory.mktemp("facescape"), networks=False)


@pytest.fixture(scope="module")
def front(pack):
    head = np.tensordot(pack.id_mean, pack.core[:, 0], 1).reshape(-1, 3)
    return head[pack.front_vertices].astype(np.float32)


def parsed(content: bytes) -> dict[str, list[list[str]]]:
    lines: dict[str, list[list[str]]] = {}
    for line in content.decode().splitlines():
        word, _, rest = line.partition(" ")
        lines.setdefault(word, []).append(rest.split(" "))
    return lines


def text(content) -> bytes:
    return b"".join(content)


@pytest.mark.parametrize("exact", [True, False])
def test_numbers_are_those_of_the_original(pack, front, exact):
    found = parsed(text(front_mesh_file(pack, front, "anna", exact=exact)))
    assert found["v"] == [[f"{x:.6f}" for x in row] for row in front.astype(float).tolist()]
    assert found["vt"] == [[f"{x:.6f}" for x in row] for row in pack.front_uvs.astype(float).tolist()]
    corners = np.stack([pack.front_faces, pack.front_uv_faces], -1) + 1
    assert found["f"] == [[f"{v}/{t}" for v, t in face] for face in corners.tolist()]
    assert "vn" not in found


def test_exact_files_have_no_other_lines(pack, front):
    found = parsed(text(front_mesh_file(pack, front, "anna", exact=True)))
    assert set(found) == {"mtllib", "usemtl", "v", "vt", "f"}
    assert found["mtllib"] == [["./anna.obj.mtl"]]
    material = parsed(material_text("anna", exact=True))
    assert material["newmtl"] == found["usemtl"]
    assert (material["Kd"], material["illum"], material["map_Kd"]) == ([["0", "0", "0"]], [["2"]], [["./anna.jpg"]])


def test_the_default_material_is_white():
    material = parsed(material_text("anna"))
    assert material["Kd"] == [["1", "1", "1"]]
    assert material["map_Kd"] == [["anna.jpg"]]


@needs_golden
def test_the_full_mesh_has_the_originals_order_and_counts():
    data, vertices = original_topology(), recording("astronaut").vertices
    found = parsed(text(front_mesh_file(data, vertices, "astronaut", exact=True)))
    assert (len(found["v"]), len(found["vt"]), len(found["f"])) == (12483, 12518, 24541)
    assert np.abs(np.array(found["v"], float) - vertices).max() < 1e-6


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("stem", STEMS)
def test_another_reader_finds_mesh_material_and_texture(pack, front, tmp_path, stem, exact):
    (tmp_path / f"{stem}.obj").write_bytes(text(front_mesh_file(pack, front, stem, exact=exact)))
    (tmp_path / f"{stem}.obj.mtl").write_bytes(material_text(stem, exact=exact))
    (tmp_path / f"{stem}.jpg").write_bytes(cv2.imencode(".jpg", np.full((8, 8, 3), 77, np.uint8))[1].tobytes())
    mesh = trimesh.load(tmp_path / f"{stem}.obj", process=False)
    assert mesh.vertices.shape == front.shape
    assert np.array_equal(mesh.faces, pack.front_faces)
    assert mesh.visual.material.image.size == (8, 8), "the texture was not found"


def test_the_detailed_mesh_is_written_whole(pack, front, tmp_path):
    mesh = DetailMesh(pack, 2)
    moved = mesh.displaced(front, np.full((64, 64), 0.3, np.float32))
    path = tmp_path / "anna_detailed.obj"
    path.write_bytes(text(detailed_mesh_file(mesh, moved, "anna")))
    found = trimesh.load(path, process=False)
    assert np.array_equal(found.faces, mesh.faces)
    assert np.abs(found.vertices - moved).max() < 1e-5


def test_vertices_of_another_mesh_are_refused(pack, front):
    with pytest.raises(ValueError, match="vertices"):
        front_mesh_file(pack, front[:-1], "anna")
    with pytest.raises(ValueError, match="vertices"):
        detailed_mesh_file(DetailMesh(pack, 1), front, "anna")


# the picture over the photo


@pytest.mark.gl
def test_the_face_is_drawn_grey_where_it_is_in_the_photo(pack, front, ctx):
    size, topology = 300, front_topology(pack)
    camera = WeakPerspective(np.zeros(3, np.float32), 1.0, np.array([170, 150], np.float32))
    photo = photo_from_array(np.full((size, size, 3), (20, 160, 40), np.uint8), "green.png")

    def drawn(map_mm: np.ndarray) -> np.ndarray:
        return render_over_photo(*bare_face(photo, camera, topology, front, map_mm), FaceScapePack.photo_view, ctx)

    flat = drawn(np.zeros((1024, 1024), np.float32))
    face = ~(flat == (20, 160, 40)).all(-1)
    rows, columns = np.nonzero(face)
    assert columns.min() == pytest.approx(front[:, 0].min() + 170, abs=2)
    assert columns.max() == pytest.approx(front[:, 0].max() + 170, abs=2)
    assert rows.min() == pytest.approx(150 - front[:, 1].max(), abs=2)
    colours = flat[face].astype(int)
    assert np.median(np.ptp(colours, axis=1)) < 12, "grey"
    assert np.median(colours) > 70, "lit"
    y, x = np.mgrid[:1024, :1024]
    relief = (0.3 * np.sin(x / 8) * np.sin(y / 8)).astype(np.float32)
    bumpy = drawn(relief)
    assert np.abs(bumpy[face].astype(int) - flat[face]).mean() > 3, "the map shows"
    assert np.array_equal(bumpy[:20], flat[:20])
