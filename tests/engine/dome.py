"""A dense invented head front for tests of textures and maps: analytic shape, holes for eyes and mouth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray
from engine.camera import depth_mm, project, rotation_vector
from engine.detail.predictor import STATIC, DetailRequest
from engine.rasterize import rasterize
from engine.types import Part, Photo, Topology, UvWindow, WeakPerspective

HALF_WIDTH_MM, HALF_HEIGHT_MM = 70.0, 90.0


def height_mm(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Depth of the dome's surface over x and y, mm: an ellipsoid, steep at the sides."""
    return 75.0 * np.sqrt(np.clip(1.02 - (x / HALF_WIDTH_MM) ** 2 * 0.95 - (y / HALF_HEIGHT_MM) ** 2 * 0.5, 0.0, None))


def dome(rows: int = 81, map_size: int = 256) -> tuple[Topology, FloatArray]:
    """A skin grid of rows x rows vertices over most of the UV square, and one flat 'eye' chart below it."""
    v, u = np.meshgrid(np.linspace(0.97, 0.23, rows), np.linspace(0.1, 0.9, rows), indexing="ij")
    # arc length rather than x is even across the chart
    x = HALF_WIDTH_MM * np.sin((u - 0.5) / 0.4 * np.pi / 2 * 0.98)
    y = np.linspace(HALF_HEIGHT_MM, -HALF_HEIGHT_MM, rows)[:, None] + np.zeros_like(x)
    skin = np.stack([x, y, height_mm(x, y)], -1).reshape(-1, 3)
    index = np.arange(rows * rows).reshape(rows, rows)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    skin_faces = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)])
    V, F = rows * rows, len(skin_faces)
    eye = np.array([[-5, 5, -40], [5, 5, -40], [-5, -5, -40], [5, -5, -40]], float)
    eye_uv = np.array([[0.4, 0.18], [0.6, 0.18], [0.4, 0.02], [0.6, 0.02]])
    faces = np.concatenate([skin_faces, V + np.array([[0, 2, 1], [1, 2, 3]])]).astype(np.int32)
    topology = Topology(
        faces=faces,
        uvs=np.concatenate([np.stack([u, v], -1).reshape(-1, 2), eye_uv]).astype(np.float32),
        uv_faces=faces.copy(),
        vertex_count=V + 4,
        parts=(Part("skin", "skin", (0, F), (0, V)), Part("eye", "eye", (F, F + 2), (V, V + 4))),
        mirror=np.concatenate([index[:, ::-1].ravel(), V + np.array([1, 0, 3, 2])]).astype(np.int32),
        front_faces=np.arange(len(faces), dtype=np.int32),
        window=UvWindow(0.05, 0.2, 0.95, 1.0, map_size),
    )
    return topology, np.concatenate([skin, eye]).astype(np.float32)


def turned(degrees: float, scale: float = 2.0, centre: tuple[float, float] = (200.0, 240.0)) -> WeakPerspective:
    """A camera that sees the head turned to its own left by ``degrees``."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return WeakPerspective(rotation_vector(turn).astype(np.float32), scale, np.array(centre, np.float32))


def photographed(
    topology: Topology,
    vertices: FloatArray,
    camera: WeakPerspective,
    colour: Callable[[FloatArray], FloatArray],
    size: tuple[int, int] = (480, 400),
    background: tuple[int, int, int] = (0, 255, 0),
) -> Photo:
    """A photo of the mesh whose colour is a function of the position on it: (H, W, 3) mm -> (H, W, 3)."""
    raster = rasterize(project(camera, vertices), topology.faces, size, depth_mm(camera, vertices))
    image = np.clip(colour(raster.interpolate(vertices, topology.faces)), 0, 255)
    image[~raster.covered] = background
    return Photo(image=image.astype(np.uint8), name="dome.png", path=None, sha256="0" * 64)


def face_mask(n: int) -> BoolArray:
    """An upright oval of skin with two eyes and a mouth cut out, (n, n) bool."""
    y, x = np.mgrid[:n, :n] / n
    oval = ((x - 0.5) / 0.44) ** 2 + ((y - 0.5) / 0.48) ** 2 < 1
    for centre in (0.34, 0.66):
        oval &= ((x - centre) / 0.07) ** 2 + ((y - 0.38) / 0.025) ** 2 > 1
    return oval & (((x - 0.5) / 0.12) ** 2 + ((y - 0.72) / 0.02) ** 2 > 1)


def flat_request(
    texture: ByteArray,
    *,
    deformation_mm: FloatArray | None = None,
    keys: tuple[int, ...] = (STATIC,),
    width_mm: float = 200.0,
    m: int = 128,
    skin: BoolArray | None = None,
    visibility: FloatArray | None = None,
) -> DetailRequest:
    """A request about a flat face ``width_mm`` wide and tall."""
    n = len(texture)
    return DetailRequest(
        texture=texture.copy(),
        visibility=np.ones((n, n), np.float32) if visibility is None else visibility,
        skin=face_mask(n) if skin is None else skin,
        deformation_mm=np.zeros((1, m, m, 3), np.float32) if deformation_mm is None else deformation_mm,
        position_mm=plane(m, width_mm),
        keys=keys,
    )


def plane(m: int, width_mm: float = 200.0) -> FloatArray:
    """(m, m, 3) float32 mm: a flat square, x right, y up."""
    side = (np.arange(m) + 0.5) / m * width_mm
    y, x = np.meshgrid(width_mm / 2 - side, side - width_mm / 2, indexing="ij")
    return np.stack([x, y, np.zeros_like(x)], -1).astype(np.float32)
