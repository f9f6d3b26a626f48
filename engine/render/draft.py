"""Drags on a computer without a graphics card: fewer pixels, enlarged on the screen."""

from __future__ import annotations

import moderngl

from engine.render.context import unbind_framebuffer
from engine.render.program import Program

DRAFT_SCALE = 0.6
"""Share of the view's pixels along each side that are drawn during a drag."""

_PICTURE_UNIT = 0
_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "software rasterizer", "gdi generic", "basic render")


def draws_in_software(ctx: moderngl.Context) -> bool:
    """Whether the processor does the work of a graphics card here."""
    name = str(ctx.info.get("GL_RENDERER", "")).lower()
    return any(known in name for known in _SOFTWARE)


class DraftBuffer:
    """A smaller framebuffer and the pass that enlarges it. Owner: FaceRenderer. GL thread only."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self._program = Program(ctx, "screen.vert", "enlarge.frag")
        self._pass = ctx.vertex_array(self._program.glo, [])
        self._size = (0, 0)
        self._parts: tuple[moderngl.Texture, moderngl.Renderbuffer, moderngl.Framebuffer] | None = None

    def sized(self, size_px: tuple[int, int]) -> tuple[moderngl.Framebuffer, tuple[int, int]]:
        """The framebuffer to draw into for a view of ``size_px``, and its own size."""
        size = (max(1, round(size_px[0] * DRAFT_SCALE)), max(1, round(size_px[1] * DRAFT_SCALE)))
        if self._parts is None or size != self._size:
            self._release_parts()
            picture = self._ctx.texture(size, 4)
            picture.filter = (moderngl.LINEAR, moderngl.LINEAR)
            picture.repeat_x = picture.repeat_y = False
            depth = self._ctx.depth_renderbuffer(size)
            self._parts = (picture, depth, self._ctx.framebuffer([picture], depth))
            self._size = size
        return self._parts[2], size

    def enlarge(self, target: moderngl.Framebuffer, size_px: tuple[int, int]) -> None:
        """Fill ``target`` with what was drawn."""
        if self._parts is None:
            return
        target.use()
        target.viewport = (0, 0, *size_px)
        target.color_mask = (True, True, True, True)
        self._ctx.enable_only(moderngl.NOTHING)
        self._parts[0].use(_PICTURE_UNIT)
        self._program.set(picture=_PICTURE_UNIT)
        self._pass.render(moderngl.TRIANGLES, vertices=3)

    def release(self) -> None:
        """Free all GL objects; safe to call twice."""
        self._release_parts()
        self._pass.release()
        self._program.release()

    def _release_parts(self) -> None:
        if self._parts is not None:
            unbind_framebuffer(self._ctx)
            picture, depth, buffer = self._parts
            for thing in (buffer, picture, depth):
                thing.release()
            self._parts = None
