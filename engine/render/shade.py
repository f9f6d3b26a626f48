"""How much light reaches a vertex: skin by its own hollows, what lies behind lids and lips by the gap that they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.arrays import FloatArray, IntArray
from engine.fields import smoothstep
from engine.geometry import VertexNormals, coarser_faces
from engine.types import Part, Topology

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_MOST_LOOPS = 8


class _Behind(NamedTuple):
    """How light gets to what lies behind a rim."""

    upper_mm: float
    """Depth added to the distance behind the upper rim: lids and lips have a thickness, and lashes stand out."""
    lower_mm: float
    from_above: float
    """Share of the light that comes past the upper rim."""
    least: float
    sides: float
    """Share of the shade that the corners give."""
    growth: float
    """How light grows with the share of the sky: pale teeth in a red mouth pass much of it on."""
    slit: float = 1.0
    """Share of it that is left behind a mere slit."""


_BEHIND = {
    "eye": _Behind(3.0, 1.2, 0.65, 0.30, 0.3, 0.9),
    "socket": _Behind(1.1, 1.1, 0.5, 0.30, 0.3, 0.7),
    "mouth": _Behind(1.5, 1.5, 0.5, 0.14, 0.55, 0.5, 0.2),
}
_SLIT_MM = (0.3, 2.0)  # lips no further apart show a dark line, no teeth
# Light in a hollow: passes of the smoothing that tells how deep it is, and darkening per mm, for wide and for narrow ones.
_HOLLOWS = ((24, 0.05), (5, 0.42))
_HOLLOW_RANGE = (0.40, 1.08)


@dataclass(frozen=True, slots=True, eq=False)
class _Opening:
    """A hole of the skin: the vertices of its upper and its lower rim, both from corner to corner."""

    upper: IntArray
    lower: IntArray


class Shade:
    """Light at the vertices of one topology."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._openings = _openings(topology)
        self._of_part: dict[Part, _Opening] | None = None
        self._hollows = _Hollows(topology)

    @property
    def rims(self) -> IntArray:
        """Vertices around the skin's openings for eyes and mouth, (n,) int32."""
        return np.concatenate([np.zeros(0, np.int32), *(np.union1d(o.upper, o.lower) for o in self._openings)])

    def of_skin(self, neutral: FloatArray) -> FloatArray:
        """(skin vertices,) float32 about 1: less in hollows, a little more on ridges; of a person at rest."""
        return self._hollows(neutral[: self._topology.skin.vertices[1]])

    def of_parts(self, vertices: FloatArray, before: tuple[FloatArray, FloatArray] | None = None) -> FloatArray:
        """(V - skin vertices,) float32 in [0, 1]: light that a pose lets through to eyes, sockets and mouth.

        Args:
            vertices: (V, 3) float32 mm.
            before: vertices and light of an earlier pose of the same face: what has not moved since, and the sockets,
                which hardly change, are taken from there.

        Source: the share of the sky that a long slit leaves open, (sin a + sin b) / 2 with the angles from straight ahead
        to both its edges (form factor of a strip, Siegel & Howell, Thermal Radiation Heat Transfer).
        """
        first = self._topology.skin.vertices[1]
        result = np.ones(len(vertices) - first, np.float32) if before is None else before[1].copy()
        if self._of_part is None:
            self._of_part = _assigned(self._topology, self._openings, vertices)
        for part, opening in self._of_part.items():
            if before is not None and (part.kind == "socket" or _at_rest(part, opening, vertices, before[0])):
                continue
            run = slice(*part.vertices)
            through = _through(vertices[run], vertices[opening.upper], vertices[opening.lower], _BEHIND[part.kind])
            result[run.start - first : run.stop - first] = through
        return result


def _at_rest(part: Part, opening: _Opening, vertices: FloatArray, before: FloatArray) -> bool:
    """Whether neither the rim nor the part, which is rigid or goes with the rim, moved."""
    some = np.concatenate([opening.upper[::4], opening.lower[::4], [part.vertices[0], part.vertices[1] - 1]])
    return bool((vertices[some] == before[some]).all())


def _through(points: FloatArray, upper: FloatArray, lower: FloatArray, behind: _Behind) -> FloatArray:
    x, y, z = points.T

    def rim(chain: FloatArray) -> tuple[FloatArray, FloatArray]:
        order = np.argsort(chain[:, 0])
        across = chain[order, 0]
        return np.interp(x, across, chain[order, 1]), np.interp(x, across, chain[order, 2])

    def sine(free: FloatArray, edge_z: FloatArray, added_mm: float) -> FloatArray:
        depth = np.maximum(edge_z - z, 0.0) + added_mm
        return np.asarray(free / np.sqrt(free * free + depth * depth))

    upper_y, upper_z = rim(upper)
    lower_y, lower_z = rim(lower)
    past_upper, past_lower = sine(upper_y - y, upper_z, behind.upper_mm), sine(y - lower_y, lower_z, behind.lower_mm)
    open_up = np.maximum(behind.from_above * past_upper + (1.0 - behind.from_above) * past_lower, 0.0)
    corners = upper[[0, -1]]
    low, high = corners[corners[:, 0].argmin()], corners[corners[:, 0].argmax()]
    low_side, high_side = (
        sine(free, end[2], behind.lower_mm) for free, end in ((x - low[0], low), (high[0] - x, high))
    )
    open_aside = 0.5 * np.maximum(low_side + high_side, 0.0)
    light = open_up**behind.growth * (1.0 - behind.sides + behind.sides * open_aside)
    order = np.argsort(upper[:, 0])
    gap_mm = (np.interp(lower[:, 0], upper[order, 0], upper[order, 1]) - lower[:, 1]).max()
    left = behind.slit + (1.0 - behind.slit) * smoothstep(np.float32(gap_mm), *_SLIT_MM)
    return np.asarray((behind.least + (1.0 - behind.least) * light) * left, np.float32)


def _openings(topology: Topology) -> list[_Opening]:
    """The holes of the skin but its outline, from the chart, where closed lips lie apart."""
    faces = topology.faces[slice(*topology.skin.faces)]
    corners = np.zeros((topology.vertex_count, 2), np.float32)
    corners[topology.faces] = topology.uvs[topology.uv_faces]
    found = []
    for loop in _loops(faces)[1:]:
        loop = np.roll(loop, -int(corners[loop, 0].argmin()))
        end = int(corners[loop, 0].argmax())
        one, other = loop[: end + 1], np.append(loop[end:], loop[0])
        if corners[one, 1].mean() < corners[other, 1].mean():
            one, other = other, one
        found.append(_Opening(one.astype(np.int32), other.astype(np.int32)))
    return found


def _loops(faces: IntArray) -> list[IntArray]:
    """Closed border loops (n,) of a mesh, longest first; none where it has more than a face has."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    count = int(faces.max(initial=0)) + 1
    _, place, times = np.unique(edges.min(1) * count + edges.max(1), return_index=True, return_counts=True)
    border = edges[place[times == 1]]
    following = dict(border.tolist())
    if len(following) != len(border):
        return []  # a vertex where borders touch: no plain holes
    loops = []
    while following:
        start, point = next(iter(following.items()))
        del following[start]
        loop = [start]
        while point != start:
            loop.append(point)
            point = following.pop(point)
        loops.append(np.array(loop, np.int32))
    return sorted(loops, key=len, reverse=True) if len(loops) <= _MOST_LOOPS else []


def _assigned(topology: Topology, openings: list[_Opening], vertices: FloatArray) -> dict[Part, _Opening]:
    """The opening through which each part is seen: the one whose middle is nearest in front of it."""
    if not openings:
        return {}
    middles = np.stack([vertices[np.append(one.upper, one.lower)].mean(0) for one in openings])
    assigned = {}
    for part in topology.parts:
        if part.kind in _BEHIND and part.vertices[1] > part.vertices[0]:
            middle = vertices[slice(*part.vertices)].mean(0)
            nearest = np.linalg.norm((middles - middle)[:, :2], axis=1).argmin()
            assigned[part] = openings[int(nearest)]
    return assigned


class _Hollows:
    """How deep a vertex lies below its surroundings, as darkening; worked out on every fourth triangle."""

    def __init__(self, topology: Topology) -> None:
        self._count = topology.skin.vertices[1]
        faces = topology.faces[slice(*topology.skin.faces)]
        coarse = coarser_faces(faces)
        self._children: IntArray | None = None
        if len(coarse) < len(faces):
            children = faces.reshape(-1, 4, 3)
            # New vertices and the ends of the edges in whose middle they lie.
            triples = [(children[:, 0, 1], 0, 1), (children[:, 1, 2], 1, 2), (children[:, 0, 2], 2, 0)]
            self._children = np.concatenate([np.stack([new, coarse[:, a], coarse[:, b]], -1) for new, a, b in triples])
        used, local = np.unique(coarse, return_inverse=True)
        self._used, self._faces = used, local.reshape(coarse.shape).astype(np.int32)
        self._normals = VertexNormals(self._faces, len(used))
        self._mean = _neighbour_mean(self._faces, len(used))

    def __call__(self, skin: FloatArray) -> FloatArray:
        points = np.ascontiguousarray(skin[self._used])
        normals = self._normals(points)
        light = np.ones(len(points), np.float32)
        for passes, darkening in _HOLLOWS:
            smooth = points
            for _ in range(passes):
                smooth = self._mean @ smooth
            light -= darkening * np.einsum("nc,nc->n", smooth - points, normals)
        result = np.ones(self._count, np.float32)
        result[self._used] = np.clip(light, *_HOLLOW_RANGE)
        if self._children is not None:
            new, first, second = self._children.T
            result[new] = 0.5 * (result[first] + result[second])
        return result


def _neighbour_mean(faces: IntArray, count: int) -> csr_array:
    """Matrix that moves every vertex half-way to the mean of its neighbours; borders move along themselves only."""
    import scipy.sparse

    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]]).astype(np.int64)
    keys, times = np.unique(pairs[:, 0] * count + pairs[:, 1], return_counts=True)
    rows, columns = keys // count, keys % count
    border = np.zeros(count, np.bool_)
    border[rows[times == 1]] = True
    kept = ~border[rows] | (times == 1)
    rows, columns = rows[kept], columns[kept]
    share = 0.5 / np.bincount(rows, minlength=count)[rows]
    entries = np.concatenate([share, np.full(count, 0.5)]).astype(np.float32)
    everyone = np.arange(count)
    index = (np.concatenate([rows, everyone]), np.concatenate([columns, everyone]))
    return scipy.sparse.csr_array((entries, index), shape=(count, count))
