"""Pictures that are too large are refused with a sentence, and leave nothing behind on the graphics card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import moderngl
import numpy as np
import pytest

from engine.errors import GpuError
from engine.render.offscreen import draw_image
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from tests.synthetic import make_asset

pytestmark = pytest.mark.gl

SIZE = (120, 90)


@pytest.fixture
def renderer(ctx: moderngl.Context) -> Iterator[FaceRenderer]:
    made = FaceRenderer(ctx)
    yield made
    made.release()


class FullCard:
    """A context whose memory ends with the second framebuffer."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self.made: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def _kept(self, thing: Any) -> Any:
        self.made.append(thing)
        return thing

    def renderbuffer(self, *arguments: Any, **options: Any) -> moderngl.Renderbuffer:
        return self._kept(self._ctx.renderbuffer(*arguments, **options))

    def framebuffer(self, *arguments: Any) -> moderngl.Framebuffer:
        if any(isinstance(thing, moderngl.Framebuffer) for thing in self.made):
            raise moderngl.Error("the framebuffer is not complete")
        return self._kept(self._ctx.framebuffer(*arguments))


def test_a_side_beyond_the_card_s_limit_is_refused_and_smaller_pictures_go_on(renderer: FaceRenderer):
    state = RenderState(make_asset(3))
    before = draw_image(renderer, state, SIZE)
    limit = min(renderer.ctx.info["GL_MAX_RENDERBUFFER_SIZE"], *renderer.ctx.info["GL_MAX_VIEWPORT_DIMS"])
    with pytest.raises(GpuError, match=f"10 x {limit + 1:,} px is too large .* up to {limit:,} px") as refused:
        draw_image(renderer, state, (10, limit + 1))
    assert refused.value.hint == "Choose a smaller size."
    np.testing.assert_array_equal(draw_image(renderer, state, SIZE), before)


def test_a_full_card_is_said_and_gets_its_memory_back(renderer: FaceRenderer):
    state, ctx = RenderState(make_asset(3)), renderer.ctx
    before = draw_image(renderer, state, SIZE)
    full = FullCard(ctx)
    renderer.ctx = full
    with pytest.raises(GpuError, match="120 x 90 px is too large for this graphics card"):
        draw_image(renderer, state, SIZE)
    renderer.ctx = ctx
    assert len(full.made) == 3
    assert all(isinstance(thing.mglo, moderngl.InvalidObject) for thing in full.made)
    np.testing.assert_array_equal(draw_image(renderer, state, SIZE), before)
