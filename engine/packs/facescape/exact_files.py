"""The files of one photo laid out as the original lays them out, bit for bit where it is deterministic."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from engine.arrays import FloatArray
from engine.images import encode_png
from engine.packs.facescape import maps, obj_files
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.displace import DetailMesh


class ExactFiles:
    """See ``engine.export.results.FileFormats``: what ``--exact`` writes for this pack."""

    def __init__(self, data: FaceScapeData) -> None:
        self._data = data

    def mesh(self, vertices: FloatArray, stem: str) -> Iterator[bytes]:
        """The front mesh, without header and group."""
        return obj_files.front_mesh_file(self._data, vertices, stem, exact=True)

    def material(self, stem: str) -> bytes:
        """The original's, whose black diffuse colour some viewers multiply with the texture."""
        return obj_files.material_text(stem, exact=True)

    def detail_map(self, map_mm: FloatArray) -> Iterator[bytes]:
        """The map pasted into a 4096 canvas, fractions of a level dropped."""
        yield encode_png(maps.canvas(map_mm))

    def detailed(self, vertices: FloatArray, map_mm: FloatArray, subdivisions: int, stem: str) -> Iterator[bytes]:
        """The subdivided front mesh moved by the nearest pixels of the canvas."""
        mesh = _detail_mesh(self._data, subdivisions)
        moved = mesh.displaced_exactly(vertices, maps.canvas(map_mm))
        yield from obj_files.detailed_mesh_file(mesh, moved, stem)


@lru_cache(maxsize=1)
def _detail_mesh(data: FaceScapeData, subdivisions: int) -> DetailMesh:
    return DetailMesh(data, subdivisions)
