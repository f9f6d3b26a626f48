"""The FaceScape pack against what was recorded of the original program on three photos."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.landmarks import LandmarkDetector
from engine.packs.facescape.color import transfer_colors
from engine.packs.facescape.fit import solve
from engine.packs.facescape.model import FaceScapePack
from engine.packs.facescape.texture import network_crop, unwrap_surface
from engine.packs.facescape.texture_exact import ExactTexture
from engine.packs.facescape.texture_topology import front_topology
from tests.facescape_golden import GOLDEN, PHOTOS, half_pixel_off, original_topology, recording
from tests.running import finish

_SAME_MM = 0.1


def compared(pack: FaceScapePack) -> Iterator[str]:
    """Costs of the fit, where the pack is the stand-in of the recordings, and grey levels of the texture."""
    if not GOLDEN.is_dir():
        yield "The recordings of the original are not here."
        return
    if _same_model(pack):
        yield from _costs(pack)
    else:
        yield "The recordings were made with other shapes than this pack's: costs of the fit cannot be compared."
    yield ""
    yield from _differences()


def _same_model(pack: FaceScapePack) -> bool:
    """Whether the pack gives the recorded face for the recorded coefficients."""
    with np.load(GOLDEN / f"{next(iter(PHOTOS))}_original.npz") as recorded:
        identity, expression, vertices = (recorded[key] for key in ("identity", "expression", "front_vertices"))
    front = pack.data.front_vertices
    if len(identity) != len(pack.identity_mean) or len(vertices) != len(front):
        return False
    return bool(np.abs(pack.head(identity, expression)[front] - vertices).max() < _SAME_MM)


def _costs(pack: FaceScapePack) -> Iterator[str]:
    """Final costs and mean landmark error, at the contour that each chose last; the default landmarks beside."""
    yield "| photo | identity cost: original, ours | expression cost | landmark error, px | px per mm | finer landmarks |"
    yield "|---|---|---|---|---|---|"
    with LandmarkDetector() as detector:
        for name in PHOTOS:
            with np.load(GOLDEN / f"{name}_original.npz") as recorded:
                points68 = recorded["landmarks_small"] * float(recorded["small_scale"])
                error, scale = float(recorded["landmark_error_px"].mean()), float(recorded["scale"])
                cost_id, cost_exp = float(recorded["cost_id"]), float(recorded["cost_exp"])
            found, _ = finish(solve(pack.data, points68))
            fine, _ = finish(pack.fit(pack.landmarks(recording(name).photo, detector)))
            eyes = float(np.linalg.norm(np.subtract(*points68[[36, 45]])))
            yield (
                f"| {name} | {cost_id:.1f} -> {found.cost_id:.1f} | {cost_exp:.1f} -> {found.cost_exp:.1f} "
                f"| {error:.3f} -> {found.distances_px.mean():.3f} | {scale:.3f} -> {found.view.scale:.3f} "
                f"| {fine.error68 * eyes:.3f} |"
            )


def _differences() -> Iterator[str]:
    """Mean grey levels between our crops and the original's, over the network's skin."""
    yield (
        "| photo | --exact | pixels off by more than 1 | default, where visible | default, moved as the original's rounding "
        "moves it | colour transfer: pixels that differ |"
    )
    yield "|---|---|---|---|---|---|"
    data = original_topology()
    painter, topology, mask = ExactTexture(data), front_topology(data), data.front_mask
    for name in PHOTOS:
        record = recording(name)
        exact = np.abs(network_crop(painter.paint(record.photo.image, record.points)).astype(int) - record.crop)[mask]
        default = []
        for camera in (record.camera, half_pixel_off(record.camera)):
            texture = unwrap_surface(record.photo, camera, topology, record.vertices)
            seen = mask & (texture.visibility > 0.5)
            default.append(np.abs(network_crop(texture.image).astype(int) - record.crop)[seen].mean())
        colours = (transfer_colors(record.crop, mask) != record.crop_transferred).any(-1).sum()
        cells = f"{exact.mean():.3f} | {(exact.max(-1) > 1).sum()} | {default[0]:.2f} | {default[1]:.2f} | {colours}"
        yield f"| {name} | {cells} |"
