"""The blend pass: key displacement maps and per-vertex shares become one map, on the GPU."""

from __future__ import annotations

from collections.abc import Generator

import moderngl
import numpy as np

from engine.arrays import FloatArray, IntArray
from engine.render.context import unbind_framebuffer
from engine.render.program import Program
from engine.render.texture import PAGE_LAYERS, QUICK, MapLayers
from engine.steps import finished
from engine.types import FaceAsset, Pose, Topology

_LANES = PAGE_LAYERS  # shares in one texel
_SHARES_WIDTH = 1024  # as in blend.frag
_STRIPS = 3  # of the full map, blended one after the other so that the window can answer between them
_NO_VERTEX = -1  # becomes 0 in the table
_SMALLEST_DRAG_PX = 256  # smaller maps are not worth shrinking more than by half
_LEAST_SHARE = 1e-4  # of a map of at most a few mm: far below what shows
_LEAST_SHARE_INTERACTIVE = 0.02  # keys that act elsewhere leave traces everywhere: not worth the time of a drag
_LEAST_REACH_INTERACTIVE = 0.1  # a key that nowhere has more can wait for the picture at rest


class MapBlender:
    """Holds the blended map of the last pose, at full and at half size. Owner: FaceRenderer. GL thread only."""

    def __init__(self, ctx: moderngl.Context, drag_shrink: int = 2) -> None:
        """Compile the programs.

        Args:
            ctx: a current context.
            drag_shrink: during drags maps are this many times smaller along each side: 2, or 4 for slow computers.

        Raises:
            GpuError: the driver refuses a shader.
        """
        self._ctx, self._drag_shrink = ctx, drag_shrink
        self._table_program = Program(ctx, "blend_table.vert", "blend_table.frag")
        self._ring_program = Program(ctx, "screen.vert", "blend_ring.frag")
        self._blend_program = Program(ctx, "screen.vert", "blend.frag")
        self._relief_program = Program(ctx, "screen.vert", "relief.frag")
        self._blend_pass = ctx.vertex_array(self._blend_program.glo, [])
        self._relief_pass = ctx.vertex_array(self._relief_program.glo, [])
        self._shares: moderngl.Texture | None = None
        self._targets: dict[bool, BlendTarget] = {}
        self._most: tuple[Pose, FloatArray] | None = None
        self.passes = 0
        """Blend passes so far, for tests and benches."""

    @property
    def uploads(self) -> int:
        """Key maps sent to the GPU so far, for tests and benches."""
        return sum(target.layers.uploads for target in self._targets.values())

    def target(self, face: FaceAsset, pose: Pose, *, interactive: bool) -> BlendTarget:
        """The map of this pose: blended anew only if the pose or one of its maps changed."""
        return finished(self.steps(face, pose, interactive=interactive))

    def steps(self, face: FaceAsset, pose: Pose, *, interactive: bool) -> Generator[None, None, BlendTarget]:
        """``target`` in pieces that take some 10 ms each on software OpenGL; nothing is shown before the last."""
        if all(one is None for one in face.key_maps):
            return (yield from self._static(face))
        reach = self._reach(pose, face.topology.skin.vertices[1])
        keys, maps = _acting(face, reach, _LEAST_SHARE)
        full = self._targets.get(False)
        if full is not None and full.holds(face.topology, pose, maps):
            return full
        if interactive:
            keys, maps = _acting(face, reach, _LEAST_REACH_INTERACTIVE)
        target = self._target(face.topology, half=interactive)
        if not target.holds(face.topology, pose, maps):
            target.forget()
            yield from self._blend(face, pose, keys, maps, target)
            target.keep(pose, maps)
        return target

    def release(self) -> None:
        """Free all GL objects; safe to call twice."""
        self._blend_pass.release()
        self._relief_pass.release()
        for program in (self._table_program, self._ring_program, self._blend_program, self._relief_program):
            program.release()
        for target in self._targets.values():
            target.release()
        if self._shares is not None:
            self._shares.release()
        self._targets.clear()
        self._shares = self._most = None

    def _static(self, face: FaceAsset) -> Generator[None, None, BlendTarget]:
        """Without any key map the static map is the map of every pose."""
        target = self._target(face.topology, half=False)
        if not target.holds(face.topology, None, [face.static_map]):
            target.forget()
            target.heights.write(np.ascontiguousarray(face.static_map))
            yield
            yield from self._draw_relief(target)
            target.keep(None, [face.static_map])
        return target

    def _reach(self, pose: Pose, skin_vertices: int) -> FloatArray:
        """The largest share of each key on the skin, (K,)."""
        if self._most is None or self._most[0] is not pose:
            self._most = (pose, pose.map_weights[:skin_vertices].max(axis=0, initial=0.0))
        return self._most[1]

    def _target(self, topology: Topology, *, half: bool) -> BlendTarget:
        target = self._targets.get(half)
        if target is None or target.topology is not topology:
            if target is not None:
                target.release()
            target = self._targets[half] = BlendTarget(self._ctx, topology, shrink=self._drag_shrink if half else 1)
        return target

    def _blend(
        self, face: FaceAsset, pose: Pose, keys: IntArray, maps: list[FloatArray], target: BlendTarget
    ) -> Generator[None, None, None]:
        layers: list[int] = []
        if maps:
            layers = yield from target.layers.layer_steps(
                maps, [one for one in (*face.key_maps, face.static_map) if one is not None]
            )
        # Keys that fall back to the same map share its layer: their shares add up. One pass for each page of four layers.
        pages = sorted({layer // _LANES for layer in layers})
        columns = np.array([pages.index(layer // _LANES) * _LANES + layer % _LANES for layer in layers], np.int32)
        groups = max(1, len(pages))
        self._write_shares(pose.map_weights[: face.topology.skin.vertices[1]], keys, columns, groups)
        yield
        table = yield from target.table_steps(self._table_program, self._ring_program)
        least = _LEAST_SHARE_INTERACTIVE if target.half else 0.0
        self._blend_program.set(table=0, shares=1, maps=2, groups=groups, least_share=least)
        target.heights_buffer.clear()
        rows = -(-target.size // (1 if target.half else _STRIPS))
        for top in range(0, target.size, rows):
            yield
            for group in range(groups):
                self._add_group(target, table, group, pages, (0, top, target.size, rows))
        yield
        yield from self._draw_relief(target)
        self.passes += 1

    def _add_group(
        self,
        target: BlendTarget,
        table: moderngl.Texture,
        group: int,
        pages: list[int],
        place: tuple[int, int, int, int],
    ) -> None:
        """Add the four maps of one page, by their shares, to the heights within ``place`` (x, y, width, height)."""
        self._ctx.enable_only(moderngl.BLEND)
        self._ctx.blend_equation = moderngl.FUNC_ADD, moderngl.FUNC_ADD
        self._ctx.blend_func = moderngl.ONE, moderngl.ONE
        table.use(0)
        if self._shares is not None:
            self._shares.use(1)
        if pages:
            target.layers.use(pages[group], 2)
        self._blend_program.set(group=group)
        target.heights_buffer.use()
        target.heights_buffer.scissor = place
        self._blend_pass.render(moderngl.TRIANGLES, vertices=3)
        target.heights_buffer.scissor = (0, 0, target.size, target.size)

    def _draw_relief(self, target: BlendTarget) -> Generator[None, None, None]:
        self._ctx.enable_only(moderngl.NOTHING)
        target.relief_buffer.use()
        target.heights.use(0)
        self._relief_program.set(heights=0)
        self._relief_pass.render(moderngl.TRIANGLES, vertices=3)
        if not target.half:  # the small map of a drag is never drawn smaller than it is
            yield
            target.relief.build_mipmaps()
            target.relief.filter = QUICK
            yield

    def _write_shares(self, weights: FloatArray, keys: IntArray, columns: IntArray, groups: int) -> None:
        """Upload (V, K) weights of the given keys, key i added to share ``columns[i]``, as four-share texels."""
        V, texels = len(weights), max(len(weights) * groups, 1)
        rows = -(-texels // _SHARES_WIDTH)
        flat = np.zeros(rows * _SHARES_WIDTH * _LANES, np.float32)
        shares = flat[: V * groups * _LANES].reshape(V, groups * _LANES)
        if len(set(columns.tolist())) == len(columns):
            shares[:, columns] = weights[:, keys]
        else:
            for key, column in zip(keys, columns, strict=True):
                shares[:, column] += weights[:, key]
        if self._shares is None or self._shares.height != rows:
            if self._shares is not None:
                self._shares.release()
            self._shares = self._ctx.texture((_SHARES_WIDTH, rows), _LANES, dtype="f4")
            self._shares.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self._shares.write(flat)


def _acting(face: FaceAsset, reach: FloatArray, least: float) -> tuple[IntArray, list[FloatArray]]:
    """The keys that reach more than ``least`` anywhere, and their maps."""
    keys = np.flatnonzero(reach > least).astype(np.int32)
    return keys, [face.map_or_fallback(int(key)) for key in keys]


class BlendTarget:
    """The blended map at one size, with the memory of what it holds. Owner: MapBlender."""

    def __init__(self, ctx: moderngl.Context, topology: Topology, *, shrink: int) -> None:
        self._ctx = ctx
        self.topology = topology
        self.half = shrink > 1
        full = topology.window.map_size
        while shrink > 2 and full // shrink < _SMALLEST_DRAG_PX:
            shrink //= 2
        self.size = max(1, full // shrink)
        shape = (self.size, self.size)
        self.heights = ctx.texture(shape, 1, dtype="f4")
        """R32F, mm, row 0 first; above 1e8 off the skin."""
        self.heights.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.heights_buffer = ctx.framebuffer([self.heights])
        self.relief = ctx.texture(shape, 4, dtype="f2")
        """RGBA16F, what the face shader reads (relief.frag), with mipmaps."""
        self.relief.repeat_x = self.relief.repeat_y = False
        self.relief_buffer = ctx.framebuffer([self.relief])
        self.layers = MapLayers(ctx, self.size)
        self._table: moderngl.Texture | None = None
        self._pose: Pose | None = None
        self._maps: list[FloatArray] | None = None

    def holds(self, topology: Topology, pose: Pose | None, maps: list[FloatArray]) -> bool:
        """Whether this is the blend of just these maps for just this pose."""
        if self._maps is None or topology is not self.topology or pose is not self._pose:
            return False
        return len(maps) == len(self._maps) and all(a is b for a, b in zip(maps, self._maps, strict=True))

    def forget(self) -> None:
        """What it holds is about to be overwritten."""
        self._pose = self._maps = None

    def keep(self, pose: Pose | None, maps: list[FloatArray]) -> None:
        """Remember what the target holds now."""
        self._pose, self._maps = pose, maps

    def table_steps(self, program: Program, ring: Program) -> Generator[None, None, moderngl.Texture]:
        """For each pixel its triangle and place on it: drawn when first asked for."""
        if self._table is None:
            bare = self._empty_table()
            try:
                self._draw_table(program, bare)
                yield
                table = self._empty_table()
                self._draw_ring(ring, bare, table)
                self._table = table
            finally:
                bare.release()
            yield
        return self._table

    def release(self) -> None:
        """Free all GL objects; safe to call twice."""
        unbind_framebuffer(self._ctx)
        self.layers.release()
        for thing in (self.heights_buffer, self.relief_buffer, self.heights, self.relief, self._table):
            if thing is not None:
                thing.release()

    def _empty_table(self) -> moderngl.Texture:
        texture = self._ctx.texture((self.size, self.size), 4, dtype="u4")
        texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        return texture

    def _draw_ring(self, program: Program, bare: moderngl.Texture, table: moderngl.Texture) -> None:
        target = self._ctx.framebuffer([table])
        screen = self._ctx.vertex_array(program.glo, [])
        target.use()
        bare.use(0)
        program.set(table=0)
        screen.render(moderngl.TRIANGLES, vertices=3)
        unbind_framebuffer(self._ctx)
        screen.release()
        target.release()

    def _draw_table(self, program: Program, texture: moderngl.Texture) -> None:
        topology, window = self.topology, self.topology.window
        skin = slice(*topology.skin.faces)
        origin = np.array([window.u0, window.v1], np.float32)
        extent = np.array([window.u1 - window.u0, window.v0 - window.v1], np.float32)
        places = (topology.uvs[topology.uv_faces[skin]] - origin) / extent
        triangles = np.repeat(topology.faces[skin], 3, axis=0)
        corners = np.tile(np.array([[1, 0], [0, 1], [0, 0]], np.float32), (len(triangles) // 3, 1))
        # First a triangle of no vertices all over the window: an integer target cannot be cleared through moderngl.
        places = np.concatenate([np.array([[0, 0], [2, 0], [0, 2]], np.float32), places.reshape(-1, 2)])
        triangles = np.concatenate([np.full((3, 3), _NO_VERTEX, np.int32), triangles])
        corners = np.concatenate([np.zeros((3, 2), np.float32), corners])
        buffers = [self._ctx.buffer(np.ascontiguousarray(one)) for one in (places, triangles, corners)]
        names = ("in_place", "in_vertices", "in_barycentric")
        content = list(zip(buffers, ("2f", "3i", "2f"), names, strict=True))
        target = self._ctx.framebuffer([texture])
        array = self._ctx.vertex_array(program.glo, content)
        target.use()
        array.render(moderngl.TRIANGLES)
        unbind_framebuffer(self._ctx)
        array.release()
        target.release()
        for buffer in buffers:
            buffer.release()
