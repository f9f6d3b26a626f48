"""OpenGL contexts: the one place that creates them or looks them up."""

from __future__ import annotations

import sys
from typing import Any

import moderngl

from engine.errors import GpuError

REQUIRED_VERSION = 330
_HINT = (
    "Update the graphics driver. Turning photos into faces and exporting them without a window still works: "
    "python3 main.py --input PHOTO --output FOLDER"
)


def standalone_context() -> moderngl.Context:
    """A context without a window, current on the calling thread; the caller releases it.

    Raises:
        GpuError: there is no OpenGL 3.3 here.
    """
    settings: dict[str, Any] = {"backend": "egl"} if sys.platform.startswith("linux") else {}
    try:
        return moderngl.create_context(require=REQUIRED_VERSION, standalone=True, share=False, **settings)
    except Exception as error:  # glcontext raises plain Exception for all that can go wrong
        raise GpuError("OpenGL 3.3 is needed to draw the face, and this computer does not offer it.", _HINT) from error


def unbind_framebuffer(ctx: moderngl.Context) -> None:
    """Bind framebuffer 0: to be called before releasing a framebuffer that may be bound.

    moderngl binds its last framebuffer again whenever it makes a new one; if that is gone, OpenGL reports an error.
    """
    ctx.detect_framebuffer(0).use()


def current_context() -> moderngl.Context:
    """The context that Qt made current on this thread; Qt keeps owning it.

    Raises:
        GpuError: there is none, or it is older than OpenGL 3.3.
    """
    try:
        # Looked up afresh every time: moderngl caches the first context it sees, but docking makes Qt replace its own.
        moderngl.init_context()
        ctx = moderngl.get_context()
    except Exception as error:  # moderngl raises RuntimeError, OSError or Exception by platform
        raise GpuError("No OpenGL context could be used in the window.", _HINT) from error
    if ctx.version_code < REQUIRED_VERSION:
        raise GpuError("OpenGL 3.3 is needed to draw the face, and this computer offers an older version.", _HINT)
    return ctx
