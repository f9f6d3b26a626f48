"""Draws an invented flat face in the ways the first real one will need, so that nobody waits for it later.

Drivers finish their programs at the first use: software OpenGL takes 50 to 150 ms for each, half a second for all of
them. New memory costs nearly as much again at its first use. Done in pieces before the first photo, the window never
stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import moderngl
import numpy as np

from engine.expressions import SHAPE_NAMES
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from engine.types import (
    FaceAsset,
    FaceBox,
    Fit,
    Landmarks,
    Part,
    Photo,
    Pose,
    RigBasis,
    SkinTexture,
    Topology,
    UvWindow,
    WeakPerspective,
)

_ROWS = 48  # enough vertices for several rows of shares: drivers make other programs for sizes that are powers of two
_MAP_SIZE = 8  # a power of two, as the real maps are
_KINDS = ("skin", "mouth")


def rehearse_programs(renderer: FaceRenderer, target: moderngl.Framebuffer) -> Iterator[None]:
    """Draw all over ``target``, one program or two in each piece; the context is current in each.

    Args:
        renderer: one that has not drawn yet.
        target: of the format that faces will be drawn into; its content is lost.
    """
    for parts in range(1, len(_KINDS) + 1):  # each has a program of its own
        face = _flat_face(_grid(parts))
        for interactive in (False, True):
            yield from _drawn(renderer, RenderState(face=face, interactive=interactive), target)
    yield from _drawn_with_keys(renderer, face, target)


def rehearse_memory(renderer: FaceRenderer, topology: Topology, target: moderngl.Framebuffer) -> Iterator[None]:
    """The same with a mesh and maps as large as those of the faces to come; their tables stay on the GPU."""
    face = _flat_face(topology)
    yield
    for interactive in (True, False):  # the lighter mesh first: less new memory at once
        yield from _drawn(renderer, RenderState(face=face, interactive=interactive), target)
    yield from _drawn_with_keys(renderer, face, target)


def _drawn_with_keys(renderer: FaceRenderer, face: FaceAsset, target: moderngl.Framebuffer) -> Iterator[None]:
    with_keys = replace(face, key_maps=(face.static_map + 0.1, face.static_map + 0.2))
    shares = np.full((face.topology.vertex_count, 2), 0.5, np.float32)
    pose = Pose(np.zeros(len(SHAPE_NAMES), np.float32), face.rig.neutral, shares)
    for interactive in (False, True):
        yield from _drawn(renderer, RenderState(face=with_keys, pose=pose, interactive=interactive), target)


def _drawn(renderer: FaceRenderer, state: RenderState, target: moderngl.Framebuffer) -> Iterator[None]:
    for _ in renderer.steps(state):
        yield
    renderer.draw(state, target, target.size)
    yield


def _flat_face(topology: Topology) -> FaceAsset:
    """The texture's chart as a face of 200 mm."""
    V, n = topology.vertex_count, topology.window.map_size
    vertices = np.zeros((V, 3), np.float32)
    vertices[topology.faces, :2] = 200.0 * (topology.uvs[topology.uv_faces] - 0.5)
    expression = np.zeros(len(SHAPE_NAMES) + 1, np.float32)
    return FaceAsset(
        pack="open",
        topology=topology,
        photo=Photo(np.zeros((8, 8, 3), np.uint8), "rehearsal", None, ""),
        landmarks=Landmarks(np.zeros((1, 2), np.float32), None, FaceBox(0.0, 0.0, 1.0, 1.0, 0.0)),
        fit=Fit(
            camera=WeakPerspective(np.zeros(3, np.float32), 1.0, np.zeros(2, np.float32)),
            identity=np.zeros(1, np.float32),
            expression=expression,
            landmark_vertices=np.full(68, -1, np.int32),
            error68=float("nan"),
            error_dense=float("nan"),
            yaw_deg=0.0,
        ),
        texture=SkinTexture(np.zeros((n, n, 3), np.uint8), np.ones((n, n), np.float32)),
        rig=RigBasis(
            neutral=vertices,
            deltas=np.zeros((len(SHAPE_NAMES), V, 3), np.float32),
            activation=np.zeros((len(SHAPE_NAMES), V), np.float32),
            key_weights=np.zeros((2, len(SHAPE_NAMES)), np.float32),
        ),
        static_map=np.zeros((n, n), np.float32),
        confidence=np.ones((n, n), np.float32),
        key_maps=(None, None),
    )


def _grid(parts: int) -> Topology:
    """The same flat grid for each part."""
    index = np.arange(_ROWS * _ROWS, dtype=np.int32).reshape(_ROWS, _ROWS)
    corners = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    a, b, c, d = (corner.ravel() for corner in corners)
    grid = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    F, V = len(grid), index.size
    faces = np.concatenate([grid + V * part for part in range(parts)])
    across = np.linspace(0.0, 1.0, _ROWS, dtype=np.float32)
    uvs = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
    return Topology(
        faces=faces,
        uvs=np.tile(uvs, (parts, 1)),
        uv_faces=faces.copy(),
        vertex_count=V * parts,
        parts=tuple(
            Part(kind, kind, (F * part, F * (part + 1)), (V * part, V * (part + 1)))
            for part, kind in enumerate(_KINDS[:parts])
        ),
        mirror=np.arange(V * parts, dtype=np.int32),
        front_faces=np.arange(F, dtype=np.int32),
        window=UvWindow(0.0, 0.0, 1.0, 1.0, _MAP_SIZE),
    )
