"""A sheet of random faces of the model, front and side, in clay: what the statistical prior thinks people look like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import moderngl
import numpy as np

from engine.geometry import vertex_normals

_VERTEX = """#version 330
uniform mat3 turn; uniform vec3 middle; uniform float half_mm; in vec3 at; in vec3 normal; out vec3 n;
void main() { vec3 p = turn * (at - middle) / half_mm; gl_Position = vec4(p.xy, -p.z / 4.0, 1); n = turn * normal; }"""
_FRAGMENT = """#version 330
in vec3 n; out vec4 colour;
void main() {
    vec3 m = normalize(gl_FrontFacing ? n : -n);
    float shade = 0.16 + 0.7 * max(dot(m, normalize(vec3(-0.5, 0.7, 0.8))), 0.0) + 0.12 * max(m.z, 0.0);
    colour = vec4(vec3(0.88, 0.85, 0.82) * shade, 1);
}"""
_SIDE = 260
_PEOPLE, _COLUMNS = 24, 6
_SPREADS = (1.0, 3.0)


class Clay:
    """Draws a mesh in clay; owns its GL objects."""

    def __init__(self, ctx: moderngl.Context, faces: np.ndarray, half_mm: float = 98.0, side: int = _SIDE) -> None:
        self._ctx, self._faces, self._side, self._half = ctx, faces, side, half_mm
        self._program = ctx.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        self._index = ctx.buffer(faces.astype(np.int32).tobytes())

    def picture(self, vertices: np.ndarray, yaw_deg: float) -> np.ndarray:
        """(side, side, 3) uint8 RGB of vertices (V, 3) mm, turned to the picture's right."""
        ctx, side = self._ctx, 2 * self._side
        c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)
        self._program["turn"].write(np.ascontiguousarray(turn.T).tobytes())
        self._program["middle"].value = (0.0, 15.0, -30.0)
        self._program["half_mm"].value = self._half
        normals = vertex_normals(vertices.astype(np.float32), self._faces)
        block = ctx.buffer(np.hstack([vertices, normals]).astype(np.float32).tobytes())
        drawn = ctx.vertex_array(self._program, [(block, "3f 3f", "at", "normal")], self._index)
        color, depth = ctx.renderbuffer((side, side), 4), ctx.depth_renderbuffer((side, side))
        frame = ctx.framebuffer([color], depth)
        frame.use()
        frame.clear(0.23, 0.24, 0.27, 1.0)
        ctx.enable(moderngl.DEPTH_TEST)
        drawn.render()
        rows = np.frombuffer(frame.read(components=3, alignment=1), np.uint8).reshape(side, side, 3)[::-1]
        ctx.detect_framebuffer(0).use()
        for thing in (drawn, block, frame, color, depth):
            thing.release()
        return cv2.resize(rows, (self._side, self._side), interpolation=cv2.INTER_AREA)

    def release(self) -> None:
        """Free the GL objects."""
        self._index.release()
        self._program.release()


def sheets(folder: Path, seed: int = 1) -> Iterator[str]:
    """Write one sheet of 24 random faces at 1 SD and one at 3 SD (one mode mix scaled); yields their paths."""
    from engine.packs.open_pack import load_open_pack
    from engine.render.context import standalone_context

    pack, ctx = load_open_pack(), standalone_context()
    V, F = pack.topology.skin.vertices[1], pack.topology.skin.faces[1]
    clay = Clay(ctx, pack.topology.faces[:F])
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(_PEOPLE, len(pack.identity_mean))).astype(np.float32)
    for spread in _SPREADS:
        # 3 SD: all along one direction of the many, as far from the mean as one person in 400 is along it.
        factors = people if spread == 1.0 else spread * _one_direction(people)
        cells = []
        for identity in factors:
            skin = pack.shapes(identity)[0][:V]
            cells.append(np.hstack([clay.picture(skin, 0), clay.picture(skin, 90)]))
        rows = [np.hstack(cells[i : i + _COLUMNS]) for i in range(0, _PEOPLE, _COLUMNS)]
        target = folder / f"faces_{spread:.0f}sd.png"
        cv2.imwrite(str(target), np.vstack(rows)[..., ::-1])
        yield f"{target}: 24 faces at {spread:.0f} SD, front and side"
    clay.release()
    ctx.release()


def _one_direction(people: np.ndarray) -> np.ndarray:
    """Each person's three strongest coefficients alone, to length 1."""
    strongest = np.argsort(-np.abs(people[:, :20]), axis=1)[:, :3]
    kept = np.zeros_like(people)
    np.put_along_axis(kept, strongest, np.take_along_axis(people, strongest, 1), 1)
    return kept / np.linalg.norm(kept, axis=1, keepdims=True)
