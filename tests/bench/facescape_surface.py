"""The FaceScape pack from the fit to the picture: seconds, and differences from the original's recordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engine.packs.facescape.color import transfer_colors
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.displace import DetailMesh
from engine.packs.facescape.maps import CANVAS_SIZE
from engine.packs.facescape.model import FaceScapePack
from engine.packs.facescape.obj_files import front_mesh_file
from engine.packs.facescape.texture import network_crop, unwrap_surface
from engine.packs.facescape.texture_exact import ExactTexture
from engine.packs.facescape.texture_topology import front_topology
from engine.render.offscreen import render_over_photo
from tests.bare_face import bare_face
from tests.facescape_golden import GOLDEN, PHOTOS, Recording, original_topology, recording

_REPEATS = 7

Stage = tuple[str, str, str, Callable[[], object]]
"""Name, limit, what the original took at its best on two cores, and the work."""


def surface() -> Iterator[str]:
    """Texture, colours, displaced mesh and picture; the pack's own tables in rows of their own."""
    if not Path(GOLDEN).is_dir():
        yield "The recordings of the original are not here."
        return
    data, records = original_topology(), [recording(name) for name in PHOTOS]
    stages = list(_stages(data, records[1]))
    yield "| stage | first | best | median | limit | original, best seen |"
    yield "|---|---|---|---|---|---|"
    seconds: list[list[float]] = [[] for _ in stages]
    for _ in range(_REPEATS):  # in turn, so that a busy moment hits all of them
        for (_, _, _, work), found in zip(stages, seconds, strict=True):
            began = time.perf_counter()
            work()
            found.append(time.perf_counter() - began)
    for (name, limit, original, _), found in zip(stages, seconds, strict=True):
        best, median = min(found[1:]), float(np.median(found[1:]))
        yield f"| {name} | {found[0]:.2f} s | {best:.3f} s | {median:.3f} s | {limit} | {original} |"
    yield ""
    yield from _differences(data, records)


def _stages(data: FaceScapeData, record: Recording) -> Iterator[Stage]:
    topology, painter, mesh = front_topology(data), ExactTexture(data), DetailMesh(data)
    canvas = np.random.default_rng(2).integers(30_000, 35_000, (CANVAS_SIZE, CANVAS_SIZE), np.uint16)
    map_mm = np.random.default_rng(3).normal(0, 0.1, (1024, 1024)).astype(np.float32)
    image, camera, vertices = record.photo.image, record.camera, record.vertices
    texture = painter.paint(image, record.points)
    face, pose = bare_face(record.photo, camera, topology, vertices, map_mm)
    yield "tables of the exact texture, once", "", "", lambda: ExactTexture(data)
    yield "texture 4096, exact", "0.25 s", "1.0 s", lambda: painter.paint(image, record.points)
    yield (
        "texture 4096, with visibility and fill", "0.25 s", "1.0 s",
        lambda: unwrap_surface(record.photo, camera, topology, vertices),
    )  # fmt: skip
    yield "crop for the network", "", "", lambda: network_crop(texture)
    yield "colour transfer", "", "0.09 s with crop", lambda: transfer_colors(record.crop, data.front_mask)
    yield "tables of the displaced mesh, once", "", "", lambda: DetailMesh(data)
    yield "displaced mesh, 1.57 M triangles, exact", "0.4 s", "4.3 s", lambda: mesh.displaced_exactly(vertices, canvas)
    yield "displaced mesh, 1.57 M triangles", "0.4 s", "4.3 s", lambda: mesh.displaced(vertices, map_mm)
    yield "OBJ of the front mesh", "", "0.037 s", lambda: list(front_mesh_file(data, vertices, "face"))
    yield (
        "render over the photo, context included", "0.5 s", "8.3 s",
        lambda: render_over_photo(face, pose, FaceScapePack.photo_view),
    )  # fmt: skip


def _differences(data: FaceScapeData, records: list[Recording]) -> Iterator[str]:
    """Grey levels between our crops and the original's, over the network's skin."""
    yield "| photo | exact: mean | exact: pixels off by more than 1 | default, where visible: mean | colours: differing |"
    yield "|---|---|---|---|---|"
    painter, topology, mask = ExactTexture(data), front_topology(data), data.front_mask
    for name, record in zip(PHOTOS, records, strict=True):
        exact = np.abs(network_crop(painter.paint(record.photo.image, record.points)).astype(int) - record.crop)[mask]
        texture = unwrap_surface(record.photo, record.camera, topology, record.vertices)
        seen = mask & (texture.visibility > 0.5)
        default = np.abs(network_crop(texture.image).astype(int) - record.crop)[seen]
        colours = (transfer_colors(record.crop, mask) != record.crop_transferred).any(-1).sum()
        yield f"| {name} | {exact.mean():.3f} | {(exact.max(-1) > 1).sum()} | {default.mean():.2f} | {colours} |"
