"""A small invented face in the original's own file formats: some 500 vertices, 68 landmarks, 51 shapes, tiny networks.

Nothing of it comes from the FaceScape data: the surface is an egg with a nose, the shapes are local bumps.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine import expressions
from engine.packs.facescape.convert import convert
from engine.packs.facescape.data import FaceScapeData, load
from engine.packs.facescape.inventory import take_inventory
from tests.running import finish

TORCH_NAMES = {"single": "dpmap_single_net_G.pth", "rig": "dpmap_rig_net_G.pth"}
ID_MEAN_0, ID_VAR_0, ID_VAR = -0.0343, 1.9e-6, 1.18e-3  # as the original's: entry 0 carries the mean face
FRONT_ANGLE = np.deg2rad(72)
BACK_ANGLE = np.deg2rad(118)
TOP, BOTTOM = 108.0, -96.0  # mm
CROP = (1100, 600, 3000, 2500)  # x0, y0, x1, y1 in the 4096 texture

# Front view of the left half (image right, +x), mm, y up: iBUG number of the person's left side -> (x, y).
_LEFT = {
    16: (71, 36), 15: (71, 16), 14: (69, -5), 13: (65, -25), 12: (57, -44), 11: (46, -60), 10: (31, -73), 9: (16, -80),
    26: (56, 50), 25: (48, 57), 24: (37, 60), 23: (25, 58), 22: (12, 54), 35: (14, -2), 34: (7, -5), 45: (45, 37),
    44: (37, 42), 43: (28, 42), 42: (20, 36), 47: (28, 33), 46: (37, 33), 54: (26, -32), 53: (16, -26), 52: (7, -23),
    56: (8, -40), 55: (16, -38), 64: (22, -32), 63: (8, -30), 65: (8, -34.5),
}  # fmt: skip
_MIDDLE = {
    8: -83, 27: 38, 28: 28, 29: 18, 30: 8, 33: -6, 51: -24, 57: -41, 62: -30.5, 66: -35,
}  # fmt: skip
_RIGHT_OF = {
    16: 0, 15: 1, 14: 2, 13: 3, 12: 4, 11: 5, 10: 6, 9: 7, 26: 17, 25: 18, 24: 19, 23: 20, 22: 21, 35: 31, 34: 32, 45: 36,
    44: 37, 43: 38, 42: 39, 47: 40, 46: 41, 54: 48, 53: 49, 52: 50, 56: 58, 55: 59, 64: 60, 63: 61, 65: 67,
}  # fmt: skip
_HOLES = (range(36, 42), range(42, 48), range(60, 68))

# FaceScape's shape, without side: centre on the person's left (mm, front view), radius, shift (mm, x outwards).
_SHAPES = {
    "EyeBlink": ((33, 42), 8, (0, -7, 1)), "EyeSquint": ((33, 33), 8, (0, 4, 0)), "EyeDown": ((33, 41), 7, (0, -2, 0)),
    "EyeIn": ((31, 37), 6, (-0.6, 0, 0)), "EyeOpen": ((33, 42), 9, (0, 3, 0)), "EyeOut": ((35, 37), 6, (0.6, 0, 0)),
    "EyeUp": ((33, 41), 7, (0, 1.5, 0)), "BrowsD": ((28, 58), 15, (-2, -6, 1)), "BrowsU_C": ((0, 57), 18, (0, 7, 0)),
    "BrowsU": ((42, 58), 15, (0, 7, 0)), "JawOpen": ((0, -68), 30, (0, -17, -6)), "LipsTogether": ((0, -38), 14, (0, 5, 0)),
    "JawLeft": ((0, -68), 30, (7, 0, 0)), "JawRight": ((0, -68), 30, (-7, 0, 0)), "JawFwd": ((0, -68), 30, (0, 0, 6)),
    "LipsUpperUp": ((8, -25), 10, (0, 5, 0)), "LipsLowerDown": ((8, -38), 10, (0, -5, 0)),
    "LipsUpperClose": ((0, -26), 11, (0, -3, -1)), "LipsLowerClose": ((0, -38), 11, (0, 3, -1)),
    "MouthSmile": ((27, -31), 14, (7, 6, -4)), "MouthDimple": ((26, -32), 10, (4, 1, -4)),
    "LipsStretch": ((26, -33), 12, (6, -2, -3)), "MouthFrown": ((26, -33), 12, (0, -6, 0)),
    "MouthPress": ((15, -32), 9, (0, 0, -2)), "LipsPucker": ((20, -32), 13, (-7, 0, 5)),
    "LipsFunnel": ((17, -32), 15, (-4, 0, 5)), "MouthLeft": ((0, -32), 20, (7, 0, 0)),
    "MouthRight": ((0, -32), 20, (-7, 0, 0)),
    "ChinLowerRaise": ((0, -68), 14, (0, 4, 1.5)), "ChinUpperRaise": ((0, -52), 11, (0, 4, 2)),
    "Sneer": ((18, 2), 10, (0, 5, 1)),     "Puff": ((44, -25), 16, (5, 0, 5)), "CheekSquint": ((42, 14), 15, (0, 5, 2)),
}  # fmt: skip
_BOTH_SIDES = {"Puff", "LipsPucker", "LipsFunnel"}


def make(folder: Path, *, identities: int = 6, width: int = 4, networks: bool = True, maps: bool = False) -> Path:
    """Write every file of the original, small, into ``predef``, ``model`` and ``checkpoints`` below ``folder``.

    Args:
        folder: made where it is missing.
        identities: I.
        width: channels of the first layer of both networks (the original's: 64).
        networks: write the two checkpoints (imports torch).
        maps: write posmaps.npz; 250 MB are slow, so only where a test needs them.
    """
    predef, model, checkpoints = (folder / name for name in ("predef", "model", "checkpoints"))
    for place in (predef, model, checkpoints):
        place.mkdir(parents=True, exist_ok=True)
    face = _Face()
    _write_topology(predef, face)
    _write_priors(predef, model, identities)
    np.save(model / "core_847_50_52.npy", make_core(face, identities))
    if networks:
        write_networks(checkpoints, width)
    if maps:
        np.savez(predef / "posmaps.npz", make_position_maps())
    return folder


def make_pack(folder: Path, **choices: Any) -> FaceScapeData:
    """Write the original's files with ``make`` (same arguments), import them into ``folder / 'pack'`` and load that."""
    import_files([make(folder / "original", **choices)], folder / "pack")
    return load(folder / "pack")


def import_files(folders: list[Path], pack: Path) -> tuple[str, ...]:
    """Import all that is in ``folders`` and return the parts that were written."""
    parts: tuple[str, ...] = finish(convert(take_inventory(folders), pack))[0]
    return parts


def file_of(folder: Path, name: str) -> Path:
    """The file of that name somewhere below ``folder``."""
    return next(folder.rglob(name))


def with_number(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """What puts ``value`` into one of the last shapes of a core."""

    def change(core: np.ndarray) -> np.ndarray:
        core[-1, 30, 700] = value
        return core

    return change


class _Face:
    """The egg: points, triangles and texture coordinates; landmarks are the first 68 vertices."""

    def __init__(self) -> None:
        from scipy.spatial import Delaunay

        flat = np.array([_landmark(i) for i in range(68)])
        angle = np.arcsin(np.clip(flat[:, 0] / _half_width(flat[:, 1]), -0.999, 0.999))
        grid_angle, grid_y = np.meshgrid(np.linspace(-BACK_ANGLE, BACK_ANGLE, 23), np.linspace(BOTTOM, TOP, 21))
        plane = np.stack([grid_angle.ravel() * 75, grid_y.ravel()], 1)
        marks = np.stack([angle * 75, flat[:, 1]], 1)
        far = np.linalg.norm(plane[:, None] - marks[None], axis=2).min(1) > 4.5  # no slivers beside landmarks
        plane = np.concatenate([marks, plane[far]])
        faces = Delaunay(plane).simplices
        a, b, c = (plane[faces[:, k]] for k in range(3))
        clockwise = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0
        faces[clockwise] = faces[clockwise][:, ::-1]
        middle = (plane[faces[:, 0]] + plane[faces[:, 1]] + plane[faces[:, 2]]) / 3
        hole = np.any([_inside(middle, plane[list(loop)]) for loop in _HOLES], axis=0)
        self.faces = faces[~hole].astype(np.int64)
        self.angle, self.y = plane[:, 0] / 75, plane[:, 1]
        self.points = _surface(self.angle, self.y)
        self.uvs = np.round(
            np.stack([0.5 + self.angle / FRONT_ANGLE * 0.225, 0.29 + (self.y - BOTTOM) / (TOP - BOTTOM) * 0.56], 1), 4
        )
        self.front = np.flatnonzero(np.abs(self.angle) <= FRONT_ANGLE)


def _landmark(index: int) -> tuple[float, float]:
    if index in _MIDDLE:
        return 0.0, float(_MIDDLE[index])
    if index in _LEFT:
        return _LEFT[index]
    x, y = next(_LEFT[left] for left, right in _RIGHT_OF.items() if right == index)
    return -x, y


def _half_width(y: np.ndarray) -> np.ndarray:
    below = np.clip((-y - 5) / 100, 0, None)
    above = np.clip((y - 45) / 120, 0, None)
    return 72.5 * np.sqrt(np.clip(1 - below**2.2 - above**2, 0.04, None))


def _surface(angle: np.ndarray, y: np.ndarray) -> np.ndarray:
    half = _half_width(y)
    x = half * np.sin(angle)
    z = 0.55 * half * np.cos(angle) - 30 - 0.0022 * (y - 5) ** 2
    nose = np.exp(-((x / 9) ** 2)) * np.clip((40 - y) / 32, 0, 1) * np.clip((y + 12) / 12, 0, 1)
    lips = np.exp(-((x / 22) ** 2) - ((y + 32) / 12) ** 2)
    eyes = sum(np.exp(-(((x - side * 32) / 14) ** 2) - ((y - 37) / 9) ** 2) for side in (-1, 1))
    return np.stack([x, y, z + 22 * nose + 5 * lips - 4 * eyes], 1)


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        crosses = (y0 > points[:, 1]) != (y1 > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (points[:, 0] < (x1 - x0) * (points[:, 1] - y0) / (y1 - y0) + x0)
    return inside


def shape_shifts(points: np.ndarray) -> np.ndarray:
    """(51, V, 3) mm: what each expression shape does."""
    shifts = np.zeros((len(expressions.SHAPES), len(points), 3))
    for shift, shape in zip(shifts, expressions.SHAPES, strict=True):
        name, _, side = shape.facescape.rpartition("_")
        key = name if side in ("L", "R") else shape.facescape
        centre, radius, move = _SHAPES[key]
        for sign in (1, -1) if key in _BOTH_SIDES else (-1 if side == "R" else 1,):
            near = np.exp(-((points[:, :2] - (sign * centre[0], centre[1])) ** 2).sum(1) / (2 * radius**2))
            outwards = sign if side in ("L", "R") or key in _BOTH_SIDES else 1
            shift += near[:, None] * (outwards * move[0], move[1], move[2])
    return shifts


def make_core(face: _Face | None = None, identities: int = 6) -> np.ndarray:
    """(I, 52, V*3) float32 in the file's own layout: absolute shapes, entry 0 neutral."""
    face = face or _Face()
    rng = np.random.default_rng(7)
    points, shifts = face.points, shape_shifts(face.points)
    core = np.zeros((identities, 52, len(points) * 3))
    modes = [points * axis - (points * axis).mean(0) for axis in np.eye(3)]
    while len(modes) < identities:
        wave = rng.normal(0, 1 / 60, (3, 6))
        field = np.cos(points @ wave + rng.uniform(0, 6, 6)) @ rng.normal(size=(6, 3))
        modes.append(field - field.mean(0))
    for i in range(identities):
        mode, unit = (points, 1 / ID_MEAN_0) if i == 0 else (modes[i - 1], 1 / np.sqrt(ID_VAR))
        if i:
            mode = mode / np.sqrt((mode**2).sum(1).mean()) * 3.5 / i**0.7
        core[i] = mode.ravel() * unit
        strength = np.full(51, unit) if i == 0 else rng.normal(0, 0.06, 51) * unit / np.sqrt(1 + i)
        core[i, 1:] += strength[:, None] * shifts.reshape(51, -1)
    return core.astype(np.float32)


def make_position_maps() -> np.ndarray:
    """(60, 1024, 1024) float32: a slope of its own in every channel."""
    slope = np.linspace(-1, 1, 1024, dtype=np.float32)
    return np.stack([np.broadcast_to(slope * (k + 1) / 60, (1024, 1024)) for k in range(60)])


def _write_topology(predef: Path, face: _Face) -> None:
    new = {int(vertex): index for index, vertex in enumerate(face.front)}
    front_rows = np.flatnonzero(np.isin(face.faces, face.front).all(1))
    corners = face.faces + 1
    _dump(
        predef / "faces.pkl",
        (face.uvs.tolist(), [(list(map(int, f)), [0, 0, 0], list(map(int, f)), None) for f in corners]),
    )
    _dump(predef / "front_verts_indices.pkl", [int(i) for i in face.front], 0)
    _dump(predef / "front_texcoords.pkl", face.uvs[face.front].tolist(), 0)
    front = [[new[int(i)] + 1 for i in face.faces[row]] for row in front_rows]
    _dump(predef / "front_faces.pkl", [(f, list(f), list(f), "material_0") for f in front], 0)
    _dump(predef / "front_face_indices.pkl", [int(i) for i in front_rows], 0)
    lines = [
        [_contour(face, side * 1, landmark) for landmark in jaw] for side, jaw in ((1, range(9, 17)), (-1, range(8)))
    ]
    _dump(predef / "contour_line_68.pkl", tuple(lines), 2, old_numpy=True)
    (predef / "index_68.txt").write_text("".join(f"{i}\n" for i in range(68)))
    chin = np.argsort(np.hypot(face.points[:, 0], face.points[:, 1] - face.points[8, 1]))[:16]
    (predef / "index_chin.txt").write_text("".join(f"{i}\n" for i in chin))
    _write_mask(predef / "front_mask.png", face)


def _contour(face: _Face, side: int, landmark: int) -> list[np.int64]:
    """Vertices of the same height as a jaw landmark, on its side of the face."""
    near = (np.abs(face.y - face.y[landmark]) < 6) & (side * face.angle > 0.25)
    near[landmark] = True
    return list(np.flatnonzero(near))


def _write_mask(path: Path, face: _Face) -> None:
    from PIL import Image

    x0, y0, x1, y1 = CROP
    u = (x0 + (np.arange(1024) + 0.5) * (x1 - x0) / 1024) / 4096
    v = 1 - (y0 + (np.arange(1024) + 0.5) * (y1 - y0) / 1024) / 4096
    points = np.stack(np.meshgrid(u, v), -1).reshape(-1, 2)
    low, high = face.uvs[face.front].min(0), face.uvs[face.front].max(0)
    skin = ((points > low) & (points < high)).all(1)
    for loop in _HOLES:
        skin &= ~_inside(points, face.uvs[list(loop)])
    Image.fromarray(np.where(skin, 0, 255).astype(np.uint8).reshape(1024, 1024)).save(path)


def _write_priors(predef: Path, model: Path, identities: int) -> None:
    rng = np.random.default_rng(11)
    mean, variance = np.zeros(identities), np.full(identities, ID_VAR)
    mean[0], variance[0] = ID_MEAN_0, ID_VAR_0
    people = rng.standard_normal((60, identities))
    people = (people - people.mean(0)) / people.std(0)
    np.save(model / "factors_id_847_50_52.npy", (people * np.sqrt(variance) + mean).astype(np.float32))
    _dump(predef / "id_mean.pkl", mean.astype(np.float32), 2, old_numpy=True)
    _dump(predef / "id_var.pkl", variance.astype(np.float32), 2, old_numpy=True)
    _dump(predef / "exp_GMM.pkl", make_mixture(), 3)


def make_mixture() -> Any:
    """A mixture as scikit-learn 0.21 pickles it: its class is invented for the moment of pickling."""
    K, J = 20, 51
    mixture = _MIXTURE()
    factor = np.zeros((K, J, J))
    factor[:] = np.eye(J) / 0.12
    factor[:, 0, 1] = -2.0  # not diagonal, as the real one
    mixture.weights_ = np.full(K, 1 / K)
    mixture.means_ = np.clip(expressions.key_weights() * 0.6 + 0.02, 0, 1).astype(np.float64)
    mixture.precisions_cholesky_ = factor
    mixture.covariances_ = np.linalg.inv(factor @ factor.transpose(0, 2, 1))
    mixture.n_components, mixture.covariance_type, mixture.converged_ = K, "full", True
    return mixture


_MIXTURE = type("GaussianMixture", (), {"__module__": "sklearn.mixture.gaussian_mixture"})


def pickled(value: Any, protocol: int = 2, *, old_numpy: bool = False) -> bytes:
    """``value`` as a pickle; ``old_numpy`` names numpy's modules as numpy 1 did."""
    module = types.ModuleType("sklearn.mixture.gaussian_mixture")
    module.GaussianMixture = _MIXTURE  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in ("sklearn", "sklearn.mixture", module.__name__)}
    sys.modules.update({name: types.ModuleType(name) for name in ("sklearn", "sklearn.mixture")})
    sys.modules[module.__name__] = module
    try:
        stream = io.BytesIO()
        pickle.dump(value, stream, protocol=protocol)
    finally:
        for name, old in before.items():
            if old is None:
                del sys.modules[name]
            else:
                sys.modules[name] = old
    data = stream.getvalue()
    return data.replace(b"numpy._core.", b"numpy.core.") if old_numpy else data


def _dump(path: Path, value: Any, protocol: int = 2, *, old_numpy: bool = False) -> None:
    path.write_bytes(pickled(value, protocol, old_numpy=old_numpy))


def write_networks(folder: Path, width: int = 4) -> None:
    """Both checkpoints with random weights: 4 halvings, 9 blocks."""
    import torch

    for kind, name in TORCH_NAMES.items():
        torch.save(make_state_dict(kind, width), folder / name)


def make_state_dict(kind: str, width: int = 4, down: int = 4, blocks: int = 9) -> dict[str, Any]:
    """A state dict with the keys of the detail network 'single' or 'rig', float32."""
    import torch

    from engine.packs.facescape.checkpoint import INPUT_CHANNELS, GeneratorShape, expected_shapes

    generator = torch.Generator().manual_seed(3)
    shape = GeneratorShape(INPUT_CHANNELS[kind], width, down, blocks)
    return {key: torch.randn(size, generator=generator) * 0.05 for key, size in expected_shapes(shape).items()}
