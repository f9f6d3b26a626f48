from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.geometry import sample_map, vertex_normals
from engine.packs.facescape.displace import DetailMesh
from engine.packs.facescape.maps import CANVAS_SIZE, NO_DISPLACEMENT, SCALE_MM, WINDOW
from tests.facescape_golden import GOLDEN, needs_golden, original_topology
from tests.facescape_standin import make_pack

LIMIT_MM = 0.02


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return make_pack(tmp_path_factory.mktemp("facescape"), networks=False)


@pytest.fixture(scope="module")
def front(pack):
    """The neutral mean front mesh (Vf, 3)."""
    head = np.tensordot(pack.id_mean, pack.core[:, 0], 1).reshape(-1, 3)
    return head[pack.front_vertices].astype(np.float32)


@pytest.fixture(scope="module")
def recorded():
    with np.load(GOLDEN / "subdiv1.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def recorded_canvas():
    """The map that the recording says it used (``map_formula``)."""
    y, x = np.mgrid[:CANVAS_SIZE, :CANVAS_SIZE].astype(np.float64)
    return np.clip(32768 + 9000 * np.sin(x / 37) * np.cos(y / 53) + x, 0, 65535).astype(np.uint16)


def wavy_map(n: int) -> np.ndarray:
    y, x = np.mgrid[:n, :n] / n
    return (0.4 * np.sin(20 * x) * np.cos(13 * y)).astype(np.float32)


def empty_canvas() -> np.ndarray:
    return np.full((CANVAS_SIZE, CANVAS_SIZE), NO_DISPLACEMENT, np.uint16)


# the original's


@needs_golden
def test_one_subdivision_has_the_originals_order(recorded):
    mesh = DetailMesh(original_topology(), 1)
    assert np.array_equal(mesh.faces, recorded["tris"])
    assert np.abs(mesh.base(recorded["in_verts"].astype(np.float32)) - recorded["verts"]).max() < 1e-4
    assert np.abs(mesh.uvs - recorded["uv"]).max() < 1e-6


@needs_golden
@pytest.mark.parametrize("times", [0, 1, 2])
def test_displaced_vertices_lie_where_the_original_puts_them(recorded, recorded_canvas, times):
    mesh = DetailMesh(original_topology(), times)
    found = mesh.displaced_exactly(recorded["in_verts"].astype(np.float32), recorded_canvas)
    wanted = recorded["displaced2_sample" if times == 2 else f"displaced{times}"]
    if times == 2:
        assert len(found) == recorded["n2"]
        found = found[::97]
    assert np.linalg.norm(found - wanted, axis=1).max() < LIMIT_MM / 10


@needs_golden
def test_three_subdivisions_have_the_originals_counts():
    mesh = DetailMesh(original_topology())
    assert (len(mesh.uvs), len(mesh.faces)) == (787_026, 1_570_624)
    assert mesh.faces.max() == 787_025


# properties


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_subdivision_keeps_the_surface(pack, front, times):
    mesh = DetailMesh(pack, times)
    fine = mesh.base(front)
    assert len(mesh.faces) == len(pack.front_faces) * 4**times
    assert np.array_equal(fine[: len(front)], front)
    assert area(fine, mesh.faces) == pytest.approx(area(front, pack.front_faces), rel=1e-5)


def area(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_flat_normals_equal_those_of_the_fine_triangles(pack, front, times):
    """The original computes them from the 1.57 million triangles; ours come from the coarse ones."""
    mesh = DetailMesh(pack, times)
    canvas = np.full((CANVAS_SIZE, CANVAS_SIZE), 65535, np.uint16)
    moved = mesh.displaced_exactly(front, canvas) - mesh.base(front)
    fine, faces = mesh.base(front).astype(np.float64), mesh.faces
    a, b, c = (fine[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    summed = np.zeros_like(fine)
    for k in range(3):
        np.add.at(summed, faces[:, k], normals)
    wanted = summed / np.linalg.norm(summed, axis=1, keepdims=True) * (SCALE_MM * 32767 / 32768)
    assert np.abs(moved - wanted).max() < 1e-3


def test_an_empty_map_moves_nothing(pack, front):
    mesh = DetailMesh(pack, 2)
    assert np.array_equal(mesh.displaced_exactly(front, empty_canvas()), mesh.base(front))
    assert np.array_equal(mesh.displaced(front, np.zeros((64, 64), np.float32)), mesh.base(front))


def test_the_original_reads_one_row_below_the_truncated_place(pack, front):
    """Row = 4096 - int(v * 4096), column = int(u * 4096), without any interpolation."""
    mesh = DetailMesh(pack, 0)
    vertex = int(np.argmin(np.linalg.norm(front - front.mean(0), axis=1)))
    u, v = mesh.uvs[vertex].astype(np.float64)
    canvas = empty_canvas()
    canvas[4096 - int(v * 4096), int(u * 4096)] = NO_DISPLACEMENT + 16384
    moved = np.linalg.norm(mesh.displaced_exactly(front, canvas) - mesh.base(front), axis=1)
    assert moved[vertex] == pytest.approx(SCALE_MM / 2, abs=1e-4)
    assert (moved > 1e-5).sum() <= 2


@pytest.mark.parametrize("n", [256, 1024, 1900])
def test_default_reads_the_map_between_its_pixels(pack, front, n):
    mesh, map_mm = DetailMesh(pack, 2), wavy_map(n)
    moved = mesh.displaced(front, map_mm) - mesh.base(front)
    distance = np.linalg.norm(moved, axis=1)
    assert np.abs(distance - np.abs(sample_map(map_mm, WINDOW, mesh.uvs))).max() < 2e-3


def test_nothing_moves_outside_the_window(pack, front):
    mesh = DetailMesh(replace(pack, front_uvs=pack.front_uvs + np.float32([0.1, 0])), 2)
    moved = mesh.displaced(front, np.full((64, 64), 0.5, np.float32)) - mesh.base(front)
    outside = mesh.uvs[:, 0] > WINDOW.u1
    assert 0.05 < outside.mean() < 0.5
    assert not moved[outside].any()
    inside = (mesh.uvs > (WINDOW.u0, WINDOW.v0)).all(1) & (mesh.uvs < (WINDOW.u1, WINDOW.v1)).all(1)
    assert np.linalg.norm(moved[inside], axis=1).min() > 0.49


def test_default_moves_along_smooth_normals(pack, front):
    mesh = DetailMesh(pack, 3)
    moved = mesh.displaced(front, np.full((64, 64), 0.5, np.float32)) - mesh.base(front)
    smooth = vertex_normals(front, pack.front_faces)
    inside = np.linalg.norm(moved[: len(front)], axis=1) > 0.1
    assert inside.sum() > 100
    cosine = (moved[: len(front)] * smooth)[inside].sum(1) / 0.5
    assert cosine.min() > 0.999


def test_triangles_without_area_do_no_harm(pack, front):
    collapsed = front.copy()
    a, b, c = pack.front_faces[len(pack.front_faces) // 2]
    collapsed[b] = collapsed[c] = collapsed[a]
    mesh, canvas = DetailMesh(pack, 2), np.full((CANVAS_SIZE, CANVAS_SIZE), 65535, np.uint16)
    assert np.isfinite(mesh.displaced_exactly(collapsed, canvas)).all()
    assert np.isfinite(mesh.displaced(collapsed, wavy_map(64))).all()


def test_a_canvas_of_the_wrong_kind_is_named(pack, front):
    mesh = DetailMesh(pack, 0)
    with pytest.raises(ValueError, match="canvas"):
        mesh.displaced_exactly(front, np.zeros((1024, 1024), np.uint16))
