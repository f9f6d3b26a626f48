"""Invented heads with known geometry, outside the span of the model's modes, and pictures of them.

A head is the pack's mean face moved by fields of its own: published measures as local pushes (depth among them), smooth
random fields, a little asymmetry, then an expression. It wears the texture of a portrait, laid on so that its features sit
where the mesh has them, and is seen by a real perspective camera under a random light before a random ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import moderngl
import numpy as np

from engine import camera as cameras
from engine import expressions
from engine.eyes import read_eyes, skin_grey, toned_eyes
from engine.fitting import fit
from engine.geometry import vertex_normals
from engine.images import load_photo, photo_from_array
from engine.resources import resource_path
from engine.rig import make_basis, pose
from engine.types import Photo
from engine.unwrap import unwrap
from tests.running import finish

SAMPLES = ("samples/portrait_biden.jpg", "samples/portrait_obama.jpg", "samples/astronaut.png")
_SIZE = (900, 1100)
_COMMON_SEED = 77  # of the field that every head shares: the model's mean is never the population's

# One SD of a local push: points of the person's right side (both are pushed), x to the person's right side outwards, y up,
# z forwards (mm), and reach (mm). Sizes after the published SDs in engine.training.anthropometry.
_PUSHES = (
    ((4,), (0, 0, 1.8), 14),
    ((6, 197), (0, 0, 1.1), 12),
    ((4, 2), (0, 2.0, 0), 16),
    ((129,), (1.4, 0, 0), 9),
    ((199,), (0, 0, 2.5), 20),
    ((152,), (0, 3.5, 0), 26),
    ((172, 58), (2.5, 0, 0), 28),
    ((50,), (0, 0, 2.2), 20),
    ((205,), (0.8, 0, 1.6), 18),
    ((105,), (0, 0, 1.5), 18),
    ((9,), (0, 0, 1.2), 14),
    ((159,), (0, 0, 1.5), 13),
    ((159,), (1.3, 0, 0), 14),
    ((61,), (1.6, 0, 0), 12),
    ((0, 17), (0, 0, 1.1), 10),
    ((0,), (0, 1.2, 0), 12),
    ((10,), (0, 0, 4.0), 40),
    ((21,), (2.5, 0, 0), 26),
)
_PLAIN_SCALES = (0.035, 0.035, 0.05)  # SD of width, height, depth
_SMOOTH = ((45.0, 1.1), (20.0, 0.45))  # reach and SD of the symmetric random fields, mm
_UNEVEN = (40.0, 0.5)
_COMMON = (40.0, 1.0)

# Groups of shapes that people make together, with their largest weights.
_FACES = (
    {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6},
    {"jawOpen": 0.6},
    {"browInnerUp": 0.9, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8, "eyeWideLeft": 0.5, "eyeWideRight": 0.5},
    {"browDownLeft": 0.9, "browDownRight": 0.9, "eyeSquintLeft": 0.5, "eyeSquintRight": 0.5},
    {"mouthPucker": 0.7, "mouthFunnel": 0.4},
    {"mouthFrownLeft": 0.7, "mouthFrownRight": 0.7, "mouthShrugLower": 0.4},
    {"noseSneerLeft": 0.7, "noseSneerRight": 0.7, "mouthUpperUpLeft": 0.5, "mouthUpperUpRight": 0.5},
)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One invented head."""

    vertices: np.ndarray
    """(V, 3) mm, in its expression, unposed."""
    weights: np.ndarray
    """(51,) of its expression."""
    seed: int


def _waves(rng, reach_mm: float, sd_mm: float):
    """A smooth random field: a function of positions (n, 3)."""
    waves = rng.normal(0, 1 / reach_mm, (40, 3))
    phases = rng.uniform(0, 2 * np.pi, 40)
    amounts = rng.normal(0, sd_mm, (40, 3)) * np.sqrt(2 / 40)
    return lambda at: np.cos(at @ waves.T + phases) @ amounts


def _even(field):
    flip = np.array([-1.0, 1, 1])
    return lambda at: (field(at) + field(at * flip) * flip) / np.sqrt(2)


def _push(mean, points, move, reach):
    right = mean[list(points)]
    left = right * (-1, 1, 1)
    moves = [np.array(move) * (-1, 1, 1), np.array(move, float)]
    if np.abs(right[:, 0]).max() < 1e-3:
        left, right, moves = right[:0], right, [np.array(move, float), np.zeros(3)]

    def field(at):
        total = np.zeros_like(at)
        for group, each in zip((right, left), moves, strict=True):
            if len(group):
                near = np.exp(-((at[:, None] - group) ** 2).sum(2) / (2 * reach**2)).max(1)
                total += near[:, None] * each
        return total

    return field


def random_weights(rng) -> np.ndarray:
    """(51,): one or two of the groups, up to strong."""
    weights = np.zeros(len(expressions.SHAPES), np.float32)
    for k in rng.permutation(len(_FACES))[: rng.integers(1, 3)]:
        strength = rng.uniform(0.4, 1.0)
        for name, most in _FACES[k].items():
            weights[expressions.SHAPE_INDEX[name]] = most * strength * rng.uniform(0.8, 1.0)
    return weights


def invented_head(neutral: np.ndarray, deltas: np.ndarray, seed: int, *, moving: bool) -> Head:
    """The head of one seed on a mean face (V, 3) with its shapes (51, V, 3)."""
    rng = np.random.default_rng(seed)
    mean = neutral.astype(np.float64)
    fields = [_even(_waves(np.random.default_rng(_COMMON_SEED), *_COMMON))]
    for points, move, reach in _PUSHES:
        amount = float(np.clip(rng.normal(), -2.2, 2.2))
        fields.append(_push(mean, points, np.array(move) * amount, reach))
    fields += [_even(_waves(rng, *each)) for each in _SMOOTH]
    fields.append(_waves(rng, *_UNEVEN))
    scales = 1 + rng.normal(size=3) * _PLAIN_SCALES
    moved = mean * scales + np.sum([field(mean) for field in fields], 0)
    weights = random_weights(rng) if moving else np.zeros(len(deltas), np.float32)
    own = _waves(rng, 30.0, 0.12)  # nobody smiles exactly as the model does
    motion = np.tensordot(weights, deltas, 1)
    return Head((moved + motion * (1 + own(mean))).astype(np.float32), weights, seed)


def portrait_textures(pack, detector) -> list[np.ndarray]:
    """Textures of the samples with their features exactly where the mesh has them."""
    cage = len(pack.dense_vertices)
    spread = pack._matrix[:, :cage]  # how the mesh follows its cage
    textures = []
    for sample in SAMPLES:
        photo = load_photo(resource_path(sample))
        landmarks = detector.detect(photo)
        found = finish(fit(landmarks, pack))[0]
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


def _ball(middle, radii):
    """An ellipsoid as vertices, faces."""
    around, polar = np.meshgrid(np.linspace(0, 2 * np.pi, 49), np.linspace(0, np.pi, 25))
    unit = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1).reshape(-1, 3)
    a = (np.arange(24)[:, None] * 49 + np.arange(48)).ravel()
    faces = np.concatenate([np.stack([a, a + 1, a + 49], -1), np.stack([a + 1, a + 50, a + 49], -1)])
    return (unit * radii + middle).astype(np.float32), faces.astype(np.int32)


class Studio:
    """Draws heads; owns its GL objects."""

    def __init__(self, ctx: moderngl.Context, topology, textures: list[np.ndarray]) -> None:
        self._ctx, self._topology = ctx, topology
        self._program = ctx.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        self._textures = [ctx.texture(t.shape[1::-1], 3, t.tobytes(), alignment=1) for t in textures]
        for texture in self._textures:
            texture.build_mipmaps()
            texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)

    def picture(self, head: Head, most_yaw_deg: float = 25.0) -> tuple[Photo, np.ndarray]:
        """A photo of the head, and the head's rotation (3, 3) in it."""
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
        ground = rng.uniform(40, 200, (5, 4, 1)) + rng.uniform(-25, 25, (5, 4, 3))
        ground = cv2.resize(ground.astype(np.float32), _SIZE, interpolation=cv2.INTER_CUBIC)
        tint = np.clip(rng.uniform(0.7, 1.15) * rng.normal(1, 0.05, 3), 0.4, 1.3)
        look = {"light": light / np.linalg.norm(light), "strength": (ambient, 1.02 - ambient)}
        look |= {"clip": (clip @ view).T, "turn": turn.T}
        image = self._draw(head, look, tint, rng)
        drawn = image[..., 3:] / 255.0
        image = image[..., :3] * drawn + ground * (1 - drawn) + rng.normal(0, rng.uniform(0, 4), image[..., :3].shape)
        return photo_from_array(np.clip(image, 0, 255).astype(np.uint8), f"head {head.seed}.png"), turn

    def _draw(self, head: Head, look, tint, rng) -> np.ndarray:
        ctx, size = self._ctx, _SIZE
        color, depth = ctx.renderbuffer(size, 4, samples=4), ctx.depth_renderbuffer(size, samples=4)
        resolved = ctx.renderbuffer(size, 4)
        frame, picture = ctx.framebuffer([color], depth), ctx.framebuffer([resolved])
        frame.use()
        frame.clear(0, 0, 0, 0)
        ctx.enable(moderngl.DEPTH_TEST)
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

    def _mesh(self, vertices, faces, uvs, tint, plain: float) -> None:
        ctx = self._ctx
        uvs = np.zeros((len(vertices), 2)) if uvs is None else uvs
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
        for thing in (*self._textures, self._program):
            thing.release()
