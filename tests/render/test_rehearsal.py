"""What is rehearsed changes no picture and is not done again."""

from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np
import pytest

from engine.render.offscreen import draw_image
from engine.render.rehearsal import rehearse_memory, rehearse_programs
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from tests.synthetic import make_asset, make_pose

pytestmark = pytest.mark.gl

SIZE = (200, 220)


@pytest.fixture
def renderers(ctx: moderngl.Context) -> Iterator[tuple[FaceRenderer, FaceRenderer]]:
    made = FaceRenderer(ctx), FaceRenderer(ctx)
    yield made
    for one in made:
        one.release()


@pytest.fixture
def target(ctx: moderngl.Context) -> Iterator[moderngl.Framebuffer]:
    colour, depth = ctx.texture(SIZE, 4), ctx.depth_renderbuffer(SIZE)
    buffer = ctx.framebuffer([colour], depth)
    yield buffer
    for thing in (buffer, colour, depth):
        thing.release()


def test_pictures_after_the_rehearsal_are_the_same(renderers, target):
    rehearsed, plain = renderers
    face = make_asset()
    steps = [*rehearse_programs(rehearsed, target), *rehearse_memory(rehearsed, face.topology, target)]
    assert len(steps) > 10, "in pieces"
    for interactive in (False, True):
        state = RenderState(face=face, pose=make_pose(face), interactive=interactive)
        pictures = [draw_image(renderer, state, SIZE).astype(int) for renderer in (rehearsed, plain)]
        assert np.abs(pictures[0] - pictures[1]).max() == 0


def test_the_face_after_the_rehearsal_finds_its_mesh_and_maps(renderers, target):
    rehearsed, _ = renderers
    face = make_asset()
    for _ in rehearse_memory(rehearsed, face.topology, target):
        pass
    before = rehearsed.blender.target(face, make_pose(face), interactive=False)
    uploads = rehearsed.blender.uploads
    draw_image(rehearsed, RenderState(face=face, pose=make_pose(face)), SIZE)
    assert rehearsed.blender.target(face, make_pose(face), interactive=False) is before
    assert rehearsed.blender.uploads == uploads
