"""The files of one photo laid out as the original lays them out, bit for bit where it is deterministic."""

from __future__ import annotations

from collections.abc import Iterator

from engine.arrays import FloatArray
from engine.images import encode_png
from engine.packs.facescape import maps, obj_files
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.displace import DetailMesh


class ExactFiles:
    """See ``engine.export.results.FileFormats``: what ``--exact`` writes for this pack."""

    def __init__(self, data: FaceScapeData) -> None:
        self._data = data
        self._detail_mesh: tuple[int, DetailMesh] | None = None

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
        last = self._detail_mesh
        if last is None or last[0] != subdivisions:
            last = self._detail_mesh = (subdivisions, DetailMesh(self._data, subdivisions))
        mesh = last[1]
        moved = mesh.displaced_exactly(vertices, maps.canvas(map_mm))
        yield from obj_files.detailed_mesh_file(mesh, moved, stem)
