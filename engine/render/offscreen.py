"""Pictures without a window: the command line's renderings, thumbnails and tests."""

from __future__ import annotations

import moderngl
import numpy as np

from engine.arrays import ByteArray
from engine.render.context import standalone_context, unbind_framebuffer
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from engine.render.texture import LONGEST_PHOTO_PX
from engine.types import FaceAsset, Pose, ViewOptions

_SAMPLES = 4


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
    """The same with a renderer that is there already: (height, width, 3) uint8 RGB, row 0 top."""
    ctx = renderer.ctx
    samples = min(_SAMPLES, ctx.max_samples)
    color = ctx.renderbuffer(size_px, 4, samples=samples)
    depth = ctx.depth_renderbuffer(size_px, samples=samples)
    resolved = ctx.renderbuffer(size_px, 4)
    framebuffer, picture = ctx.framebuffer([color], depth), ctx.framebuffer([resolved])
    try:
        renderer.draw(state, framebuffer, size_px)
        ctx.copy_framebuffer(picture, framebuffer)
        rows_up = np.frombuffer(picture.read(components=3, alignment=1), np.uint8)
    finally:
        unbind_framebuffer(ctx)
        for thing in (framebuffer, picture, color, depth, resolved):
            thing.release()
    return np.ascontiguousarray(rows_up.reshape(size_px[1], size_px[0], 3)[::-1])


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
