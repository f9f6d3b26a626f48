"""The rig as one binary glTF 2.0 file (``.glb``): neutral mesh, the 51 shapes as morph targets, materials, texture."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from engine.arrays import BoolArray, FloatArray, IntArray, check
from engine.export import pictures
from engine.export.mesh import ExportMesh, export_mesh
from engine.expressions import SHAPE_NAMES
from engine.geometry import VertexNormals, corner_vertices
from engine.types import FaceAsset, RigBasis, Topology

_M_PER_MM = np.float32(0.001)  # glTF knows no other unit than the metre
_UNMOVED_M = 1e-6  # a micrometre: smaller moves of a shape are left out
_UNTURNED = 4e-3  # of a unit normal, a quarter of a degree: smaller turns cannot be seen

_MAGIC, _VERSION, _JSON_CHUNK, _BINARY_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_ALIGNMENT = 4  # of chunks and, as the largest component has four bytes, of what lies in them
_UINT16, _UINT32, _FLOAT32 = 5123, 5125, 5126  # componentType
_VERTEX_DATA, _INDEX_DATA = 34962, 34963  # bufferView.target
_CLAMP_TO_EDGE, _LINEAR, _LINEAR_MIPMAP_LINEAR = 33071, 9729, 9987
_SAMPLER = {
    "magFilter": _LINEAR,
    "minFilter": _LINEAR_MIPMAP_LINEAR,
    "wrapS": _CLAMP_TO_EDGE,
    "wrapT": _CLAMP_TO_EDGE,
}


@dataclass(frozen=True, slots=True)
class _Surface:
    """Parts that share a material; each surface is one primitive of the mesh."""

    name: str
    kinds: tuple[str, ...]
    roughness: float
    double_sided: bool


_SURFACES = (
    _Surface("skin", ("skin", "socket"), 0.6, True),  # an open mask: its inside can be seen
    _Surface("eyes", ("eye",), 0.1, False),  # wet, so that they catch lights
    _Surface("mouth", ("mouth",), 0.3, True),
)


_GEOMETRY_BYTES: WeakKeyDictionary[RigBasis, tuple[Topology, int]] = WeakKeyDictionary()
"""By rig, for as long as it lives: with which topology, and how many bytes its file has without a texture."""


@dataclass(slots=True)
class _Binary:
    """The binary chunk while it grows, with the JSON entries that say what lies in it."""

    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    length: int = 0
    _still: dict[int, int] = field(default_factory=dict)
    """By vertex count: the accessor of the shapes that leave all of them alone."""

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append data; the index of its buffer view."""
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.length, "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.views.append(view)
        self.pieces.append(data + bytes(-len(data) % _ALIGNMENT))
        self.length += len(self.pieces[-1])
        return len(self.views) - 1

    def vectors(self, values: FloatArray, *, bounds: bool = False) -> int:
        """The accessor of one vertex attribute (n, 2) or (n, 3)."""
        return self._accessor(
            len(values),
            f"VEC{values.shape[1]}",
            bufferView=self.view(values.astype("<f4").tobytes(), _VERTEX_DATA),
            **(_bounds(values) if bounds else {}),
        )

    def corners(self, faces: IntArray) -> int:
        """The accessor of the vertex indices of triangles (F, 3)."""
        data = faces.astype("<u4").tobytes()
        self.accessors.append(
            {
                "bufferView": self.view(data, _INDEX_DATA),
                "componentType": _UINT32,
                "count": faces.size,
                "type": "SCALAR",
            }
        )
        return len(self.accessors) - 1

    def changes(self, values: FloatArray, changed: BoolArray) -> int:
        """The sparse accessor of values (n, 3) that are zero but where ``changed`` (n,) says so."""
        count, rows = len(values), np.flatnonzero(changed)
        if not len(rows):
            if count not in self._still:
                # A sparse accessor has at least one entry, and not every reader knows accessors without any data.
                self._still[count] = self._sparse(count, np.zeros(1, np.intp), np.zeros((1, 3), np.float32))
            return self._still[count]
        return self._sparse(count, rows, values[rows])

    def _sparse(self, count: int, rows: npt.NDArray[np.intp], values: FloatArray) -> int:
        narrow = count <= np.iinfo(np.uint16).max
        ends = values if len(rows) == count else np.concatenate([values, np.zeros((1, 3), np.float32)])
        sparse = {
            "count": len(rows),
            "indices": {
                "bufferView": self.view(rows.astype("<u2" if narrow else "<u4").tobytes()),
                "componentType": _UINT16 if narrow else _UINT32,
            },
            "values": {"bufferView": self.view(values.astype("<f4").tobytes())},
        }
        return self._accessor(count, "VEC3", sparse=sparse, **_bounds(ends))

    def _accessor(self, count: int, kind: str, **rest: Any) -> int:
        self.accessors.append({"componentType": _FLOAT32, "count": count, "type": kind, **rest})
        return len(self.accessors) - 1


def glb_file(face: FaceAsset, weights: FloatArray, name: str, *, texture: bool = True) -> Iterator[bytes]:
    """Content of a ``.glb``: the neutral face with the 51 shapes as morph targets, in ARKit's names and order.

    Metres, right-handed, +Y up, +Z out of the face. One mesh of up to three primitives (skin, eyes, mouth) that share the
    texture; vertices are split along UV seams, normals are smooth across them. Each target moves positions and normals:
    at weight 1 it is the shape exactly. What glTF cannot say is not in the file: the combination correctives, which act
    between shapes (by 3 mm where a wide open jaw meets a pulled mouth, mostly by less than one), and the turning of the
    eyeballs, which move along the chord between straight and turned instead. The detail is not in it either.

    Args:
        face: whose.
        weights: (51,) float32: the expression in which programs show the face when they open it.
        name: of the object.
        texture: whether the photo's colours go into the file.

    Yields:
        Pieces of the file; empty ones while the shapes are worked out, so that a caller can stop in between.

    Raises:
        ValueError: weights that do not fit, or numbers that are not finite.

    Source:
        Khronos glTF 2.0 specification, sections 3.6.2.3 (sparse accessors), 3.7.2.2 (morph targets), 3.9 (materials) and
        4.4 (binary layout); names as in its implementation note on ``mesh.extras.targetNames``.
    """
    shown = check("weights", weights, (len(SHAPE_NAMES),))
    if not (np.isfinite(shown).all() and np.isfinite(face.rig.neutral).all() and np.isfinite(face.rig.deltas).all()):
        raise ValueError("weights and rig: expected finite numbers, got inf or nan")
    mesh = export_mesh(face.topology, 0)
    neutral = mesh.base(face.rig.neutral)
    shapes = _Shapes(neutral, VertexNormals(mesh.faces, len(neutral)))
    for delta in face.rig.deltas:
        shapes.add(mesh.base(delta))
        yield b""
    binary = _Binary()
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for surface in _SURFACES:
        faces = _faces_of(surface, mesh, face.topology)
        if len(faces):
            primitives.append({**_primitive(mesh, faces, shapes, binary), "material": len(materials)})
            materials.append(_material(surface, texture=texture))
            yield b""
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Detailed Face"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [
            {
                "name": name,
                "primitives": primitives,
                "weights": shown.tolist(),
                "extras": {"targetNames": list(SHAPE_NAMES)},
            }
        ],
        "materials": materials,
    }
    if texture:
        picture = binary.view(b"".join(pictures.jpeg_file(face.texture.image)))
        document |= {
            "images": [{"name": name, "bufferView": picture, "mimeType": "image/jpeg"}],
            "samplers": [dict(_SAMPLER)],
            "textures": [{"source": 0, "sampler": 0}],
        }
    yield from _packed(document, binary)


def glb_size(face: FaceAsset, *, texture: bool = True) -> int:
    """About how many bytes ``glb_file`` makes: exactly, but for the texture."""
    return _geometry_bytes(face) + (pictures.jpeg_size(face.texture.image) if texture else 0)


def _geometry_bytes(face: FaceAsset) -> int:
    """Bytes of all but the texture: counted on a file that is made once per rig, as only that says how much turns."""
    topology, size = _GEOMETRY_BYTES.get(face.rig, (None, 0))
    if topology is not face.topology:
        still = np.zeros(len(SHAPE_NAMES), np.float32)
        size = sum(map(len, glb_file(face, still, "", texture=False)))
        _GEOMETRY_BYTES[face.rig] = face.topology, size
    return size


@dataclass(slots=True)
class _Shapes:
    """Positions and normals of the neutral face, and how each shape changes them, in mm."""

    neutral: FloatArray
    """(V, 3) of the exported vertices, not split yet."""
    normals_of: VertexNormals
    normals: FloatArray = field(init=False)
    """(V, 3) unit normals of the neutral face."""
    moves: list[FloatArray] = field(default_factory=list)
    """By shape (V, 3)."""
    turns: list[FloatArray] = field(default_factory=list)
    """By shape (V, 3): its unit normals less those of the neutral face."""

    def __post_init__(self) -> None:
        self.normals = self.normals_of(self.neutral)

    def add(self, moves: FloatArray) -> None:
        """One more shape: how far it moves the vertices (V, 3)."""
        self.moves.append(moves)
        self.turns.append(self.normals_of(self.neutral + moves) - self.normals)


def _faces_of(surface: _Surface, mesh: ExportMesh, topology: Topology) -> npt.NDArray[np.intp]:
    """The exported faces that wear a surface, in their order: (n,)."""
    kinds = {part.name: part.kind for part in topology.parts}
    runs = [np.arange(first, end) for name, first, end in mesh.groups if kinds[name] in surface.kinds]
    return np.concatenate(runs) if runs else np.zeros(0, np.intp)


def _primitive(mesh: ExportMesh, faces: npt.NDArray[np.intp], shapes: _Shapes, binary: _Binary) -> dict[str, Any]:
    """The JSON entry of some of the faces, with vertices of their own."""
    rows, uvs, corners = corner_vertices(mesh.faces[faces], mesh.subdivision.uv_faces[faces])
    attributes = {
        "POSITION": binary.vectors(shapes.neutral[rows] * _M_PER_MM, bounds=True),
        "NORMAL": binary.vectors(shapes.normals[rows]),
        "TEXCOORD_0": binary.vectors(mesh.uvs[uvs] * (1, -1) + (0, 1)),  # v counts downwards in glTF
    }
    targets = []
    for all_moves, all_turns in zip(shapes.moves, shapes.turns, strict=True):
        moves, turns = all_moves[rows] * _M_PER_MM, all_turns[rows]
        position = binary.changes(moves, np.linalg.norm(moves, axis=1) > _UNMOVED_M)
        normal = binary.changes(turns, np.linalg.norm(turns, axis=1) > _UNTURNED)
        targets.append({"POSITION": position, "NORMAL": normal})
    return {"attributes": attributes, "indices": binary.corners(corners), "targets": targets}


def _material(surface: _Surface, *, texture: bool) -> dict[str, Any]:
    looks: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": surface.roughness}
    if texture:
        looks["baseColorTexture"] = {"index": 0}
    return {"name": surface.name, "pbrMetallicRoughness": looks, "doubleSided": surface.double_sided}


def _bounds(values: FloatArray) -> dict[str, Any]:
    """Smallest and largest of each column, to the last digit as the values are stored."""
    return {"min": values.min(0).tolist(), "max": values.max(0).tolist()}


def _packed(document: dict[str, Any], binary: _Binary) -> Iterator[bytes]:
    """Header, JSON chunk and binary chunk."""
    whole = {
        **document,
        "buffers": [{"byteLength": binary.length}],
        "bufferViews": binary.views,
        "accessors": binary.accessors,
    }
    text = json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    size = 12 + 8 + len(text) + 8 + binary.length  # header, and each chunk with its own
    yield struct.pack("<IIIII", _MAGIC, _VERSION, size, len(text), _JSON_CHUNK) + text
    yield struct.pack("<II", binary.length, _BINARY_CHUNK)
    yield from binary.pieces
