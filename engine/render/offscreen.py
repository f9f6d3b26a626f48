"""Pictures without a window: the command line's renderings, thumbnails and tests."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TypeVar

import moderngl
import numpy as np

from engine.arrays import ByteArray
from engine.errors import GpuError
from engine.render.context import standalone_context, unbind_framebuffer
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from engine.render.texture import LONGEST_PHOTO_PX
from engine.types import FaceAsset, Pose, ViewOptions

MOST_PIXELS = 40_000_000
"""Of one picture: with its samples and depths they take 1.5 GB of the graphics card's memory."""

_SAMPLES = 4
_GlThing = TypeVar("_GlThing", moderngl.Renderbuffer, moderngl.Framebuffer)


def render_image(state: RenderState, size_px: tuple[int, int], ctx: moderngl.Context | None = None) -> ByteArray:
    """Draw the state into a picture.

    Args:
        state: what to draw.
        size_px: width, height.
        ctx: a current context; None makes one for this picture and lets it go.

    Returns:
        (height, width, 3) uint8 RGB, row 0 top, multisampled.

    Raises:
        GpuError: no usable OpenGL.
    """
    own = standalone_context() if ctx is None else None
    used = own if own is not None else ctx
    if used is None:
        raise ValueError("ctx: expected a context")
    try:
        renderer = FaceRenderer(used)
        try:
            return draw_image(renderer, state, size_px)
        finally:
            renderer.release()
    finally:
        if own is not None:
            own.release()


def draw_image(renderer: FaceRenderer, state: RenderState, size_px: tuple[int, int]) -> ByteArray:
    """The same with a renderer that is there already: (height, width, 3) uint8 RGB, row 0 top.

    Raises:
        GpuError: the picture is larger than the graphics card can draw.
    """
    ctx = renderer.ctx
    limits = (ctx.info["GL_MAX_RENDERBUFFER_SIZE"], *ctx.info["GL_MAX_VIEWPORT_DIMS"])
    if max(size_px) > min(limits):
        raise _too_large(size_px, f" It draws up to {min(limits):,} px along each side.")
    with ExitStack() as stack:
        framebuffer, picture = _targets(ctx, size_px, stack)
        renderer.draw(state, framebuffer, size_px)
        ctx.copy_framebuffer(picture, framebuffer)
        rows_up = np.frombuffer(picture.read(components=3, alignment=1), np.uint8)
    return np.ascontiguousarray(rows_up.reshape(size_px[1], size_px[0], 3)[::-1])


def _targets(
    ctx: moderngl.Context, size_px: tuple[int, int], stack: ExitStack
) -> tuple[moderngl.Framebuffer, moderngl.Framebuffer]:
    """A multisampled framebuffer and one to resolve it into; ``stack`` releases them, whatever of them could be made."""
    samples = min(_SAMPLES, ctx.max_samples)

    def kept(thing: _GlThing) -> _GlThing:
        stack.callback(thing.release)
        return thing

    try:
        color = kept(ctx.renderbuffer(size_px, 4, samples=samples))
        depth = kept(ctx.depth_renderbuffer(size_px, samples=samples))
        resolved = kept(ctx.renderbuffer(size_px, 4))
        framebuffer, picture = kept(ctx.framebuffer([color], depth)), kept(ctx.framebuffer([resolved]))
    except moderngl.Error as error:
        unbind_framebuffer(ctx)
        _ = ctx.error  # said here; asking takes it from OpenGL, so that nobody is blamed for it later
        raise _too_large(size_px, "") from error
    stack.callback(unbind_framebuffer, ctx)
    return framebuffer, picture


def _too_large(size_px: tuple[int, int], limit: str) -> GpuError:
    return GpuError(
        f"A picture of {size_px[0]:,} x {size_px[1]:,} px is too large for this graphics card.{limit}",
        "Choose a smaller size.",
    )


def render_over_photo(
    face: FaceAsset, pose: Pose | None, view: ViewOptions, ctx: moderngl.Context | None = None
) -> ByteArray:
    """Draw the face where it is in its photo, with the photo behind it.

    Returns:
        (H, W, 3) uint8 RGB at the photo's size, longer side at most 2048 px.

    Raises:
        GpuError: no usable OpenGL.
    """
    height, width = face.photo.image.shape[:2]
    scale = min(1.0, LONGEST_PHOTO_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    state = RenderState(face, pose, view, camera=face.fit.camera, photo_background=True)
    return render_image(state, size, ctx)
