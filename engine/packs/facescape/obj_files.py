"""OBJ and MTL files of the pack: laid out as the original's, or with a material that no viewer shows black."""

from __future__ import annotations

from collections.abc import Iterator

from engine.arrays import FloatArray, IntArray, check
from engine.export import names, obj
from engine.packs.facescape.data import FaceScapeData
from engine.packs.facescape.displace import DetailMesh

_EXACT_MATERIAL = "material_0"
_GROUP = "skin"


def front_mesh_file(data: FaceScapeData, vertices: FloatArray, stem: str, *, exact: bool = False) -> Iterator[bytes]:
    """Content of ``<stem>.obj``: the front mesh in the original's order, UVs with indices of their own, no normals.

    Args:
        data: the pack.
        vertices: (Vf, 3) float32 mm.
        stem: first part of the file names.
        exact: the original's lines only, without header and group.
    """
    check("vertices", vertices, (len(data.front_vertices), 3))
    return _mesh_file(vertices, data.front_uvs, data.front_faces, data.front_uv_faces, stem, exact=exact)


def detailed_mesh_file(mesh: DetailMesh, vertices: FloatArray, stem: str) -> Iterator[bytes]:
    """Content of ``<stem>_detailed.obj``: the subdivided mesh with its displaced vertices (V', 3) float32 mm."""
    check("vertices", vertices, (len(mesh.uvs), 3))
    return _mesh_file(vertices, mesh.uvs, mesh.faces, mesh.faces, stem, exact=False)


def material_text(stem: str, *, exact: bool = False) -> bytes:
    """Content of ``<stem>.obj.mtl``.

    The original's diffuse colour is black, so that viewers which multiply it with the texture show a black face:
    only ``exact`` keeps that.
    """
    texture = names.texture_file(stem)
    if not exact:
        return obj.material_text(texture)
    lines = [f"newmtl {_EXACT_MATERIAL}", "Kd 0 0 0", "illum 2", f"map_Kd ./{texture}"]
    return ("\n".join(lines) + "\n").encode()


def _mesh_file(
    vertices: FloatArray, uvs: FloatArray, faces: IntArray, uv_faces: IntArray, stem: str, *, exact: bool
) -> Iterator[bytes]:
    material = names.material_file(stem)
    yield f"mtllib ./{material}\n".encode() if exact else obj.header(names.object_name(stem), "mm", material)
    yield from obj.vertex_lines(vertices, "mm")
    yield from obj.uv_lines(uvs)
    if exact:
        yield f"usemtl {_EXACT_MATERIAL}\n".encode()
    lines = obj.face_lines(faces, uv_faces, ((_GROUP, 0, len(faces)),), material=not exact)
    if exact:
        next(lines)  # the group's own line
    yield from lines
