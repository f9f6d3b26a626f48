"""The faces that carry procedural skin: surface, strain and fold guides of every key expression, skin regions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from engine.arrays import FloatArray
from engine.detail.inputs import KeyField, key_field, surface_normals
from engine.detail.map_cache import cache_key
from engine.detail.surface import mm_per_texel, skin_at
from engine.detail.wrinkles import WrinkleField
from engine.detail.zones import Openings
from engine.expressions import all_key_weights
from engine.fields import blurred, distance_inside, smoothstep
from engine.packs.open_pack import OpenPack
from engine.rasterize import uv_raster

COARSE = 256
"""Side of the grid on which surface and strain are kept."""
HABITS = ("smile", "anger", "lip_puckerer", "grin", "brow_raiser", "brow_lower", "squint", "sneer")
"""Key expressions whose repetition leaves static lines, as far as they compress the skin."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One face shape; arrays over the UV window, row 0 at its upper edge. C = COARSE, n = map size, K keys."""

    position_mm: FloatArray
    """(C, C, 3) float32."""
    deformation_mm: FloatArray
    """(K, C, C, 3) float32."""
    normal: FloatArray
    """(C, C, 3) float32, unit, in the head's axes."""
    axes: FloatArray
    """(C, C, 2, 3) float32: unit tangents to the right and upwards in the picture."""
    texel_mm: FloatArray
    """(C, C) float32: mm per texel of the full map."""
    skin: FloatArray
    """(n, n) float32, 0 or 1."""
    rim_mm: FloatArray
    """(C, C) float32: distance from the border of the skin."""
    mouth_mm: FloatArray
    """(C, C) float32: distance from the mouth's opening."""
    eyes_mm: FloatArray
    """(C, C) float32."""
    nose: FloatArray
    """(C, C) float32 in [0, 1]."""
    forehead: FloatArray
    brows: FloatArray
    beard: FloatArray
    nostrils: FloatArray
    key_strain: FloatArray
    """(K, C, C, 6) float16: see ``engine.detail.inputs.KeyField``."""
    key_guide: FloatArray
    """(K, n/2, n/2) float16."""
    key_moved: FloatArray
    """(K, C, C) float16."""

    def key(self, k: int) -> KeyField:
        """What the network is told about key expression k."""
        return KeyField(*(a[k].astype(np.float32) for a in (self.key_strain, self.key_guide, self.key_moved)))


def make_head(pack: OpenPack, seed: int, guide_seed: int | None = None) -> Head:
    """The face of one seed: identity, surface, and what every key expression does to it.

    Args:
        pack: the face model.
        seed: of the identity.
        guide_seed: of the folds' places; the same if None.
    """
    rng = np.random.default_rng(seed)
    spread = np.clip(rng.standard_normal(len(pack.identity_sd)), -2.0, 2.0)
    neutral, deltas = pack.shapes((pack.identity_mean + spread * pack.identity_sd).astype(np.float32))
    topology = pack.topology
    faces = topology.faces[: topology.skin.faces[1]]
    raster = uv_raster(topology, COARSE)
    skin = uv_raster(topology, topology.window.map_size).covered
    position = raster.interpolate(neutral, faces)
    wrinkles = WrinkleField(position, skin, seed if guide_seed is None else guide_seed)
    deformation = np.stack(
        [raster.interpolate(np.tensordot(h, deltas, 1).astype(np.float32), faces) for h in all_key_weights()]
    )
    keys = [key_field(wrinkles, moved) for moved in deformation]
    normal, axes = surface_normals(position, skin)
    return Head(
        position_mm=position,
        deformation_mm=deformation,
        normal=normal,
        axes=axes,
        texel_mm=mm_per_texel(position, skin_at(skin, COARSE)) * np.float32(COARSE / len(skin)),
        skin=skin.astype(np.float32),
        **_regions(skin_at(skin, COARSE), mm_per_texel(position, skin_at(skin, COARSE))),
        key_strain=np.stack([k.strain for k in keys]).astype(np.float16),
        key_guide=np.stack([k.guide for k in keys]).astype(np.float16),
        key_moved=np.stack([k.moved for k in keys]).astype(np.float16),
    )


def load_heads(pack: OpenPack, seeds: tuple[int, ...], folder: Path) -> list[Head]:
    """The heads of some seeds; made once per folder, since each takes seconds."""
    heads = []
    made_of = cache_key(pack.shapes(pack.identity_mean)[0].tobytes(), pack.topology.uvs.tobytes())[:12]
    for seed in seeds:
        path = folder / f"head_{made_of}_{seed}.npz"
        if path.is_file():
            with np.load(path, allow_pickle=False) as archive:
                heads.append(Head(**{field.name: archive[field.name] for field in fields(Head)}))
            continue
        head = make_head(pack, seed)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".writing.npz")
        np.savez(temporary, **{field.name: getattr(head, field.name) for field in fields(Head)})
        temporary.replace(path)
        heads.append(head)
    return heads


def _regions(skin: np.ndarray, texel_mm: FloatArray) -> dict[str, FloatArray]:
    """Soft masks and distances on the coarse grid, laid out from the openings of eyes and mouth."""
    openings = Openings.of(skin)
    mouth = openings.mouth if openings.mouth is not None else np.zeros_like(skin)
    eyes = np.logical_or.reduce(openings.eyes) if openings.eyes else np.zeros_like(skin)
    centres = [np.argwhere(eye).mean(0) for eye in openings.eyes]
    eye_row, middle = np.mean([c[0] for c in centres]), np.mean([c[1] for c in centres])
    between = abs(centres[0][1] - centres[1][1])
    mouth_row = np.argwhere(mouth).mean(0)[0]
    height = mouth_row - eye_row
    rows, columns = np.mgrid[: len(skin), : len(skin)].astype(np.float32)

    def blob(row: float, column: float, half_height: float, half_width: float) -> FloatArray:
        reach = np.hypot((rows - row) / half_height, (columns - column) / half_width)
        return 1.0 - smoothstep(np.asarray(reach, np.float32), 0.75, 1.25)

    nose = blob(eye_row + 0.55 * height, middle, 0.36 * height, 0.33 * between)
    base = eye_row + 0.69 * height
    brows = openings.brows()
    away = distance_inside((~mouth).astype(np.uint8)) * texel_mm
    below = smoothstep(rows, eye_row + 0.55 * height, eye_row + 0.85 * height)
    return {
        "rim_mm": distance_inside(np.pad(skin.astype(np.uint8), 1))[1:-1, 1:-1] * texel_mm,
        "mouth_mm": away,
        "eyes_mm": distance_inside((~eyes).astype(np.uint8)) * texel_mm,
        "nose": nose,
        "forehead": 1.0 - smoothstep(rows, eye_row - 0.6 * between, eye_row - 0.25 * between),
        "brows": np.zeros_like(nose) if brows is None else blurred(brows, 1.0),
        "beard": np.asarray(below * smoothstep(away, 4.0, 9.0) * (1.0 - nose), np.float32),
        "nostrils": np.maximum(
            blob(base, middle - 0.16 * between, 0.05 * height, 0.09 * between),
            blob(base, middle + 0.16 * between, 0.05 * height, 0.09 * between),
        ),
    }
