"""The recordings of the original program beside the project, for tests and benches that compare with it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.camera import rotation_matrix
from engine.images import load_photo
from engine.packs.facescape import convert_predef
from engine.packs.facescape.data import FaceScapeData
from engine.types import Photo, WeakPerspective

SHARED = Path(__file__).resolve().parents[2] / "shared"
GOLDEN, PREDEF = SHARED / "facescape" / "golden", SHARED / "facescape" / "predef"
PHOTOS = {"astronaut": "astronaut.png", "obama": "obama.jpg", "biden": "biden.jpg"}
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the recordings of the original are not here")


@functools.cache
def original_topology() -> FaceScapeData:
    """The original's topology without its model: the core is all zeros.

    Of the faces that are unwrapped 166 have vertices outside the front mesh, which the recordings lack: left out.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, read in (
        ("faces.pkl", convert_predef.read_faces),
        ("front_faces.pkl", convert_predef.read_front_faces),
        ("front_texcoords.pkl", convert_predef.read_front_texcoords),
        ("front_verts_indices.pkl", convert_predef.read_front_vertices),
        ("front_face_indices.pkl", convert_predef.read_texture_faces),
        ("front_mask.png", convert_predef.read_mask),
        ("index_68.txt", convert_predef.read_landmarks),
    ):
        arrays |= read((PREDEF / name).read_bytes())
    unwrapped = arrays.pop("texture_faces")
    in_front = np.isin(arrays["faces"][unwrapped], arrays["front_vertices"]).all(1)
    V = int(arrays["faces"].max()) + 1
    return FaceScapeData(
        core=np.zeros((1, 52, 3 * V), np.float32),
        texture_faces=unwrapped[in_front],
        contour_right=(np.zeros(1, np.int32),) * 8,
        contour_left=(np.zeros(1, np.int32),) * 8,
        chin_vertices=np.zeros(16, np.int32),
        id_mean=np.zeros(1),
        id_var=np.ones(1),
        start_identity=np.zeros(1),
        gmm_weights=np.ones(20) / 20,
        gmm_means=np.zeros((20, 51)),
        gmm_precisions_cholesky=np.zeros((20, 51, 51)),
        position_maps=None,
        **arrays,
    )


@dataclass(frozen=True, eq=False)
class Recording:
    """What the original made of one photo."""

    photo: Photo
    camera: WeakPerspective
    vertices: np.ndarray
    """(12483, 3) float32 mm: the fitted front mesh."""
    points: np.ndarray
    """(V, 2) float64: the whole head in the photo, px, y up; zero for vertices outside the front mesh."""
    crop: np.ndarray
    """(1024, 1024, 3) uint8 RGB: the texture's crop before colour transfer."""
    crop_transferred: np.ndarray


@functools.cache
def recording(name: str) -> Recording:
    photo = load_photo(SHARED / "photos" / PHOTOS[name])
    data = original_topology()
    with np.load(GOLDEN / f"{name}_original.npz") as fitted:
        vertices, scale, shift = fitted["front_vertices"], float(fitted["scale"]), fitted["trans"]
        turned = vertices.astype(np.float64) @ rotation_matrix(fitted["rot"]).T
        rotation = fitted["rot"].astype(np.float32)
    points = np.zeros((data.vertex_count, 2))
    points[data.front_vertices] = scale * turned[:, :2] + shift
    # The original counts from the middle of the first pixel and upwards from the picture's height.
    down = np.array([shift[0] + 0.5, photo.image.shape[0] - shift[1] + 0.5], np.float32)
    return Recording(
        photo=photo,
        camera=WeakPerspective(rotation, scale, down),
        vertices=vertices,
        points=points,
        crop=read_rgb(GOLDEN / f"{name}_crop_before_transfer.png"),
        crop_transferred=read_rgb(GOLDEN / f"{name}_crop_after_transfer.png"),
    )


def half_pixel_off(camera: WeakPerspective) -> WeakPerspective:
    """The camera moved as far as the original's rounding moves its texture on average.

    It cuts the places of the vertices, x rightwards and y upwards, to whole pixels: half a pixel each.
    """
    return replace(camera, translation_px=camera.translation_px + np.array([-0.5, 0.5], np.float32))


def read_rgb(path: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])
