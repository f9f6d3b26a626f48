"""The face mesh as GL buffers: one set of vertices for the light mesh of drags and for the subdivided one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import moderngl
import numpy as np

from engine.arrays import BoolArray, FloatArray, IntArray
from engine.fields import smoothstep
from engine.geometry import (
    Subdivision,
    VertexNormals,
    coarser_faces,
    corner_vertices,
    midpoint_subdivision,
    normalised,
)
from engine.render.program import Program
from engine.render.shade import Shade
from engine.types import FaceAsset, Part, Pose, Topology

_FLOAT_BYTES = 4
_MOVING = (("in_position", 3), ("in_normal", 3))
_FIXED = (("in_uv", 2), ("in_outer", 1))
_LIGHT = (("in_openness", 1),)
_OPENING_REACH = (0.03, 0.08)  # of the UV square around eyes and mouth: some 7 to 20 mm
_REST_TIMES = 1  # subdivisions of the mesh at rest


@dataclass(frozen=True, slots=True, eq=False)
class MeshTables:
    """What the GPU needs of a topology, computed once on the CPU. C corners: unique (vertex, UV) pairs."""

    vertex_of_corner: IntArray
    """(C,) int32."""
    corner_uvs: FloatArray
    """(C, 2) float32, v up."""
    outer: FloatArray
    """(C, 1) float32 in [0, 1]: 0 at the openings for eyes and mouth, 1 away from them."""
    faces: IntArray
    """(F, 3) int32 into the corners."""
    coarse: IntArray
    """(F', 3) int32 into the corners: for drags, the skin before its last subdivision where it has one."""
    coarse_runs: tuple[tuple[int, int], ...]
    """First face and one past the last of each part in ``coarse``."""
    fine: Subdivision
    """The corner mesh subdivided once; its first C vertices are the corners."""
    edges: IntArray
    """(n, 2) int32: the mesh's edges, for the wireframe."""
    fine_edges: IntArray
    """(2n, 2) int32: the same edges on the subdivided mesh."""
    normals: VertexNormals
    shade: Shade
    behind: tuple[int, int]
    """First corner, and first of ``fine``'s edges, of the parts that lie behind the skin: all later ones do, too."""
    plain: bool
    """Corners are the vertices one to one (no UV seam), so gathering can be skipped."""


@lru_cache(maxsize=4)  # of two packs and of the rehearsal
def mesh_tables(topology: Topology) -> MeshTables:
    """Tables of a topology; kept for the last few, so a new face or a new context costs nothing. Any thread."""
    vertex_of_corner, uv_of_corner, faces = corner_vertices(topology.faces, topology.uv_faces)
    C = len(vertex_of_corner)
    fine = midpoint_subdivision(faces, faces, C, C, _REST_TIMES)
    edges = fine.vertex_edges[0]
    middles = np.arange(C, C + len(edges), dtype=np.int32)
    halves = np.stack([edges[:, 0], middles, middles, edges[:, 1]], axis=-1).reshape(-1, 2)
    runs = [coarser_faces(faces[slice(*part.faces)]) for part in topology.parts]
    ends = np.cumsum([len(run) for run in runs]).tolist()
    shade, corner_uvs = Shade(topology), topology.uvs[uv_of_corner]
    first_corner = int(np.searchsorted(vertex_of_corner, topology.skin.vertices[1]))
    return MeshTables(
        vertex_of_corner=vertex_of_corner,
        corner_uvs=corner_uvs,
        outer=_outer(corner_uvs, np.isin(vertex_of_corner, shade.rims)),
        faces=faces,
        coarse=np.ascontiguousarray(np.concatenate(runs)),
        coarse_runs=tuple(zip([0, *ends[:-1]], ends, strict=True)),
        fine=fine,
        edges=edges,
        fine_edges=halves,
        normals=VertexNormals(topology.faces, topology.vertex_count),
        shade=shade,
        behind=(first_corner, int(np.searchsorted(edges[:, 0], first_corner))),
        plain=topology.vertex_count == C and bool((vertex_of_corner == np.arange(C)).all()),
    )


class FaceMesh:
    """Buffers of one face. Owner: FaceRenderer. GL thread only."""

    def __init__(self, ctx: moderngl.Context, topology: Topology) -> None:
        self._ctx = ctx
        self.topology = topology
        self._tables = mesh_tables(topology)
        tables, count = self._tables, len(self._tables.corner_uvs) + len(self._tables.edges)
        fixed = np.concatenate([tables.corner_uvs, tables.outer], axis=1)
        self._moving = ctx.buffer(reserve=count * 6 * _FLOAT_BYTES, dynamic=True)
        self._fixed = ctx.buffer(np.ascontiguousarray(tables.fine.refine_vertices(fixed)))
        self._light = ctx.buffer(np.ones(count, np.float32), dynamic=True)
        self._indices = {
            ("faces", False): ctx.buffer(tables.coarse),
            ("faces", True): ctx.buffer(tables.fine.faces),
            ("edges", False): ctx.buffer(tables.edges),
            ("edges", True): ctx.buffer(tables.fine_edges),
        }
        self._arrays: dict[tuple[Program, str, bool], moderngl.VertexArray] = {}
        self._behind: tuple[FloatArray, FloatArray] | None = None
        self._pose: Pose | None = None
        self._pose_is_fine = False
        self.edge_mm = 1.0
        """Mean length of the base mesh's edges on the neutral face."""
        self.eye_axes: dict[Part, FloatArray] = {}
        """Unit vector (3,), model space, along which each eyeball looks."""

    def set_face(self, face: FaceAsset) -> None:
        """Rewrite what depends on the person but not on the pose."""
        tables = self._tables
        light = np.ones((self.topology.vertex_count, 1), np.float32)
        light[: self.topology.skin.vertices[1], 0] = tables.shade.of_skin(face.rig.neutral)
        self._light.write(tables.fine.refine_vertices(light[tables.vertex_of_corner]))
        self._behind = None
        ends = face.rig.neutral[tables.vertex_of_corner[tables.edges]]
        self.edge_mm = float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).mean()) if len(ends) else 1.0
        self._pose = None

    def set_pose(self, pose: Pose, *, fine: bool) -> None:
        """Rewrite positions and normals if they are not there yet; ``fine``: also those of the subdivided mesh."""
        if pose is self._pose and (self._pose_is_fine or not fine):
            return
        tables = self._tables
        if len(pose.vertices) != self.topology.vertex_count:
            raise ValueError(f"pose: expected {self.topology.vertex_count} vertices, got {len(pose.vertices)}")
        values = np.concatenate([pose.vertices, tables.normals(pose.vertices)], axis=1)
        if not tables.plain:
            values = values[tables.vertex_of_corner]
        self._moving.write(tables.fine.refine_vertices(values) if fine else values)
        self._write_light(pose, fine=fine)
        self._pose, self._pose_is_fine = pose, fine

    def _write_light(self, pose: Pose, *, fine: bool) -> None:
        """What the lids and lips of the pose let through to the parts behind them; that of the skin stays."""
        tables = self._tables
        first_vertex = self.topology.skin.vertices[1]
        if first_vertex == self.topology.vertex_count:
            return
        first, first_edge = tables.behind
        light = tables.shade.of_parts(pose.vertices, None if fine else self._behind)
        self._behind = (pose.vertices, light)
        corners = light[tables.vertex_of_corner[first:] - first_vertex]
        self._light.write(corners, offset=first * _FLOAT_BYTES)
        if fine:
            ends = tables.edges[first_edge:] - first
            middles = np.float32(0.5) * (corners[ends[:, 0]] + corners[ends[:, 1]])
            self._light.write(middles, offset=(len(tables.corner_uvs) + first_edge) * _FLOAT_BYTES)
        self.eye_axes = {
            part: _axis(pose.vertices[slice(*part.vertices)])
            for part in self.topology.parts
            if part.kind == "eye" and part.vertices[1] > part.vertices[0]
        }

    def draw_part(self, program: Program, part: Part, *, fine: bool) -> None:
        """Draw the triangles of one part with the program."""
        corners = 3 * (4**_REST_TIMES if fine else 1)
        first, end = part.faces if fine else self._tables.coarse_runs[self.topology.parts.index(part)]
        self._array(program, "faces", fine).render(moderngl.TRIANGLES, (end - first) * corners, first * corners)

    def draw_edges(self, program: Program, *, fine: bool) -> None:
        """Draw the skin's edges of the base mesh as lines: lines in front of the skin would show what lies behind it."""
        self._array(program, "edges", fine).render(moderngl.LINES, self._tables.behind[1] * (4 if fine else 2))

    def release(self) -> None:
        """Free all GL objects; safe to call twice."""
        for array in self._arrays.values():
            array.release()
        for buffer in (*self._indices.values(), self._moving, self._fixed, self._light):
            buffer.release()
        self._arrays.clear()

    def _array(self, program: Program, kind: str, fine: bool) -> moderngl.VertexArray:
        key = (program, kind, fine)
        if key not in self._arrays:
            fields = ((self._moving, _MOVING), (self._fixed, _FIXED), (self._light, _LIGHT))
            # A buffer of which the program reads nothing is refused.
            content = [(buffer, *layout) for buffer, names in fields if len(layout := _layout(program, names)) > 1]
            self._arrays[key] = self._ctx.vertex_array(
                program.glo, content, index_buffer=self._indices[kind, fine], index_element_size=4
            )
        return self._arrays[key]


def _outer(corner_uvs: FloatArray, on_rim: BoolArray) -> FloatArray:
    """(C, 1) float32: 0 at the corners (C, 2) that are ``on_rim`` (C,) of an opening, 1 away from them."""
    from scipy.spatial import cKDTree

    if not on_rim.any():
        return np.ones((len(corner_uvs), 1), np.float32)
    distance = cKDTree(corner_uvs[on_rim]).query(corner_uvs, distance_upper_bound=2.0 * _OPENING_REACH[1])[0]
    return smoothstep(np.minimum(distance, 1.0).astype(np.float32), *_OPENING_REACH)[:, None]


def _axis(eyeball: FloatArray) -> FloatArray:
    """Unit vector from the middle of an eyeball's vertices to the first of them, its pole in front."""
    return np.asarray(normalised((eyeball[:1] - eyeball.mean(0)).astype(np.float32))[0], np.float32)


def _layout(program: Program, fields: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """The buffer format and names, with padding for attributes that the driver optimised away."""
    used = [(name, size, program.has_attribute(name)) for name, size in fields]
    formats = [f"{size}f" if there else f"{size * _FLOAT_BYTES}x" for _, size, there in used]
    return (" ".join(formats), *(name for name, _, there in used if there))
