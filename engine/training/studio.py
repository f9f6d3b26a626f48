"""Pictures of heads with known geometry: a portrait's texture, a real perspective camera, random light and ground."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from engine import camera as cameras
from engine.arrays import ByteArray, DoubleArray, FloatArray, IntArray
from engine.eyes import read_eyes, skin_grey, toned_eyes
from engine.fitting import fit
from engine.geometry import vertex_normals
from engine.images import load_photo, photo_from_array
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import OpenPack
from engine.resources import resource_path
from engine.rig import make_basis, pose
from engine.steps import finished
from engine.training.invented_heads import Head
from engine.types import Photo, Topology
from engine.unwrap import unwrap

SAMPLES = ("samples/portrait_biden.jpg", "samples/portrait_obama.jpg", "samples/astronaut.png")
_SIZE = (900, 1100)


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture and how it was taken."""

    photo: Photo
    turn: DoubleArray
    """(3, 3) rotation of the head."""
    clip: DoubleArray
    """(4, 4) from mm to OpenGL's clip space."""

    def positions_px(self, vertices: FloatArray) -> DoubleArray:
        """Where points (n, 3) mm of the head lie in the picture, (n, 2) px, y down, pixel centres at +0.5."""
        at = np.column_stack([vertices, np.ones(len(vertices))]) @ self.clip.T
        flat = at[:, :2] / at[:, 3:]
        return np.asarray((flat * (0.5, -0.5) + 0.5) * _SIZE)


def portrait_textures(pack: OpenPack, detector: LandmarkDetector) -> list[ByteArray]:
    """Textures of the samples with their features exactly where the mesh has them."""
    spread = pack.cage_matrix
    cage = spread.shape[1]
    textures = []
    for sample in SAMPLES:
        photo = load_photo(resource_path(sample))
        landmarks = detector.detect(photo)
        found = finished(fit(landmarks, pack))
        vertices = pose(make_basis(pack, found.identity), found.weights).vertices
        turn = cameras.rotation_matrix(found.camera.rotation)
        off = (landmarks.dense + 0.5 - cameras.project(found.camera, vertices[:cage])) / found.camera.scale_px_per_mm
        control = np.linalg.solve(spread[:cage].toarray(), np.column_stack([off[:, 0], -off[:, 1], np.zeros(cage)]))
        shifted = vertices + ((spread @ control) @ turn).astype(np.float32)
        eyes = read_eyes(photo, landmarks, found.camera)
        painted = toned_eyes(pack.base_texture, pack.eye_charts, eyes, skin_grey(photo, landmarks))
        textures.append(unwrap(photo, found.camera, pack.topology, shifted, painted).image)
    return textures


_VERTEX = """#version 330
uniform mat4 clip; uniform mat3 turn; in vec3 at; in vec3 normal; in vec2 uv; out vec3 n; out vec2 t;
void main() { gl_Position = clip * vec4(at, 1); n = turn * normal; t = vec2(uv.x, 1 - uv.y); }"""
_FRAGMENT = """#version 330
uniform sampler2D skin; uniform vec3 light; uniform vec2 strength; uniform vec3 tint; uniform float plain;
in vec3 n; in vec2 t; out vec4 colour;
void main() {
    float shade = strength.x + strength.y * max(dot(normalize(n), light), 0.0);
    colour = vec4(mix(texture(skin, t).rgb, vec3(1), plain) * tint * shade, 1);
}"""


def _ball(middle: FloatArray, radii: FloatArray) -> tuple[FloatArray, IntArray]:
    """An ellipsoid as vertices, faces."""
    around, polar = np.meshgrid(np.linspace(0, 2 * np.pi, 49), np.linspace(0, np.pi, 25))
    unit = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1).reshape(-1, 3)
    a = (np.arange(24)[:, None] * 49 + np.arange(48)).ravel()
    faces = np.concatenate([np.stack([a, a + 1, a + 49], -1), np.stack([a + 1, a + 50, a + 49], -1)])
    return (unit * radii + middle).astype(np.float32), faces.astype(np.int32)


class Studio:
    """Draws heads; owns its GL objects in the moderngl context ``ctx``."""

    def __init__(self, ctx: Any, topology: Topology, textures: Iterable[ByteArray]) -> None:
        self._ctx, self._topology = ctx, topology
        self._program: Any = ctx.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        self._textures = [ctx.texture(t.shape[1::-1], 3, t.tobytes(), alignment=1) for t in textures]
        for texture in self._textures:
            texture.build_mipmaps()
            texture.filter = (ctx.LINEAR_MIPMAP_LINEAR, ctx.LINEAR)

    def picture(self, head: Head, most_yaw_deg: float = 25.0) -> Shot:
        """A photo of the head from a random side, all of it from the head's seed."""
        rng = np.random.default_rng(head.seed + 5_000_000)
        yaw, pitch, roll = rng.uniform(-1, 1, 3) * np.radians([most_yaw_deg, 10, 8])
        turn = cameras.rotation_matrix(np.array([0, 0, roll])) @ cameras.rotation_matrix(np.array([pitch, 0, 0]))
        turn = turn @ cameras.rotation_matrix(np.array([0, yaw, 0]))
        width, height = _SIZE
        distance = float(np.exp(rng.uniform(np.log(500), np.log(2000))))
        focal = distance * rng.uniform(0.42, 0.62) / 200.0  # half of the picture's height is 1
        middle = np.array([rng.uniform(-25, 25), 20 + rng.uniform(-25, 25), -40])
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = turn, -turn @ middle - (0, 0, distance)
        clip = np.zeros((4, 4))
        near, far = distance - 400, distance + 600
        clip[0, 0], clip[1, 1] = 2 * focal * height / width, 2 * focal
        clip[2, 2:], clip[3, 2] = (-(far + near) / (far - near), -2 * far * near / (far - near)), -1
        light = rng.normal(size=3) * (0.7, 0.5, 0) + (0, 0.35, 1)
        ambient = rng.uniform(0.45, 0.8)
        coarse = rng.uniform(40, 200, (5, 4, 1)) + rng.uniform(-25, 25, (5, 4, 3))
        ground = cv2.resize(coarse.astype(np.float32), _SIZE, interpolation=cv2.INTER_CUBIC)
        tint = np.clip(rng.uniform(0.7, 1.15) * rng.normal(1, 0.05, 3), 0.4, 1.3)
        look = {"light": light / np.linalg.norm(light), "strength": (ambient, 1.02 - ambient)}
        look |= {"clip": (clip @ view).T, "turn": turn.T}
        image = self._draw(head, look, tint, rng)
        drawn = image[..., 3:] / 255.0
        noise = rng.normal(0, rng.uniform(0, 4), ground.shape)
        light_px = image[..., :3] * drawn + ground * (1 - drawn) + noise
        photo = photo_from_array(np.clip(light_px, 0, 255).astype(np.uint8), f"head {head.seed}.png")
        return Shot(photo, turn, clip @ view)

    def _draw(self, head: Head, look: dict[str, Any], tint: DoubleArray, rng: np.random.Generator) -> FloatArray:
        ctx, size = self._ctx, _SIZE
        color, depth = ctx.renderbuffer(size, 4, samples=4), ctx.depth_renderbuffer(size, samples=4)
        resolved = ctx.renderbuffer(size, 4)
        frame, picture = ctx.framebuffer([color], depth), ctx.framebuffer([resolved])
        frame.use()
        frame.clear(0, 0, 0, 0)
        ctx.enable(ctx.DEPTH_TEST)
        for name in ("light", "strength"):
            self._program[name].value = tuple(look[name])
        for name in ("clip", "turn"):
            self._program[name].write(np.ascontiguousarray(look[name], np.float32).tobytes())
        self._textures[head.seed % len(self._textures)].use(0)
        self._mesh(head.vertices, self._topology.faces, self._topology.uvs, tint, 0.0)
        hair = np.array([0.32, 0.25, 0.2]) * rng.uniform(0.3, 1.8)
        span = np.ptp(head.vertices[: self._topology.skin.vertices[1]], axis=0) / (135, 166, 102)
        self._mesh(*_ball(np.array([0, 48, -124]) * span, np.array([73, 84, 84]) * span), None, hair, 1.0)
        self._mesh(
            *_ball(np.array([0, -110, -100]) * span, np.array([56, 120, 58])), None, tint * (0.75, 0.6, 0.52), 1.0
        )
        ctx.copy_framebuffer(picture, frame)
        rows = np.frombuffer(picture.read(components=4, alignment=1), np.uint8).reshape(size[1], size[0], 4)[::-1]
        ctx.detect_framebuffer(0).use()
        for thing in (frame, picture, color, depth, resolved):
            thing.release()
        return rows.astype(np.float32)

    def _mesh(
        self, vertices: FloatArray, faces: IntArray, uvs: FloatArray | None, tint: DoubleArray, plain: float
    ) -> None:
        ctx = self._ctx
        uvs = np.zeros((len(vertices), 2), np.float32) if uvs is None else uvs
        normals = vertex_normals(vertices.astype(np.float32), faces)
        if plain:
            normals = vertices - vertices.mean(0)
        self._program["tint"].value, self._program["plain"].value = tuple(tint), plain
        block = ctx.buffer(np.hstack([vertices, normals, uvs]).astype(np.float32).tobytes())
        index = ctx.buffer(faces.astype(np.int32).tobytes())
        drawn = ctx.vertex_array(self._program, [(block, "3f 3f 2f", "at", "normal", "uv")], index)
        drawn.render()
        for thing in (drawn, block, index):
            thing.release()

    def release(self) -> None:
        """Free the GL objects."""
        self._program.release()
        for texture in self._textures:
            texture.release()
