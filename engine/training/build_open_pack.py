"""Builds the embedded model pack: ``python -m engine.training.build_open_pack`` in the environment.

Everything comes from the package registry (see ``sources``); the same versions give the same pack to 0.05 mm. The report that
is printed is kept beside the pack as ``REPORT.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import expressions
from engine.arrays import DoubleArray, IntArray
from engine.packs.open_pack import OpenPack
from engine.resources import MANIFEST, RESOURCES
from engine.training import (
    anthropometry,
    distill,
    mouth_parts,
    parts,
    parts_paint,
    self_calibration,
    sources,
    variation,
)
from engine.training.bilinear import bilinear, corrective_arrays, corrective_motion, eye_arrays
from engine.training.blendshapes import ExpressionRig
from engine.training.cage import POINTS, Cage, make_cage
from engine.training.fairing import faired
from engine.training.landmark_map import contours, landmark_map
from engine.training.loop import loop_matrix
from engine.training.unfold import stretch, unfold

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

VERSION = "1"
OUTPUT = RESOURCES / "packs" / "open"
_SEED = 20260000
_WINDOW = (0.1, 0.19, 0.9, 0.99)
_MAP_SIZE = 1024
_CHART_SHARE = 0.955
"""Share of the window's side that the skin's chart spans; the rest is padding."""
_ATLAS_PX = 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Size of a build. The defaults make the shipped pack; tests make a small one."""

    identities: int = 50
    warps: int = 2000
    subdivisions: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """The pack's arrays and what the report tells about them."""

    arrays: dict[str, np.ndarray]
    report: str


def template(network: distill.DenseNetwork, portraits: list[sources.Portrait], cage: Cage) -> DoubleArray:
    """The average face (468, 3) mm at rest: neutral portraits, each calibrated, averaged, calibrated again and faired."""
    faces = []
    for portrait in portraits:
        if portrait.neutral:
            crop = network.upright_crop(portrait.image, portrait.centre, portrait.size_px)
            face = distill.frontal(distill.upright(network.on_crop(crop)), cage.mirror)
            faces.append(anthropometry.calibrated(face, cage.mirror))
    return faired(anthropometry.calibrated(np.mean(faces, 0), cage.mirror), cage)


# Motions that also tell faces at rest apart, but that a smiling or squinting photo must not leave in the neutral face.
_NEVER_IDENTITY = ("mouthSmile", "mouthFrown", "eyeBlink", "eyeWide")


def _pairs(shapes: DoubleArray, names: tuple[str, ...]) -> DoubleArray:
    """(n, 468, 3): left and right of each named pair together."""
    index = expressions.SHAPE_INDEX
    return np.array([shapes[index[f"{name}Left"]] + shapes[index[f"{name}Right"]] for name in names])


def _to_control(matrix: csr_matrix) -> DoubleArray:
    """(468, 468): points of the finished surface -> control points whose subdivision passes through them."""
    return np.asarray(np.linalg.inv(matrix[:POINTS].toarray()))


def _chart(points_mm: DoubleArray, cage: Cage, fine: csr_matrix) -> DoubleArray:
    """(V, 2) texture coordinates of the fine skin inside the window."""
    flat = fine @ unfold(points_mm, cage.faces, cage.loops, cage.mirror)
    u0, v0, u1, v1 = _WINDOW
    low, high = flat.min(0), flat.max(0)
    scale = _CHART_SHARE * (u1 - u0) / (high - low).max()
    middle = np.array([(u0 + u1) / 2, (v0 + v1) / 2])
    return np.asarray((flat - (low + high) / 2) * scale + middle)


def _rim(loop: IntArray, fine_faces: IntArray, first: int) -> IntArray:
    """The fine border loop that passes through cage point ``first``."""
    from engine.training.cage import border_loops

    found = next(border for border in border_loops(fine_faces) if loop[0] in border)
    return np.roll(found, -int(np.flatnonzero(found == first)[0]))


def fill_parts(
    mean: DoubleArray, control: DoubleArray, cage: Cage, fine: csr_matrix, faces: IntArray, rig: ExpressionRig
) -> list[parts.PartMesh]:
    """Eyes, sockets, mouth lining, teeth and tongue on the template."""
    rows = {
        name: fine[_rim(loop, faces, int(loop[0]))].toarray()
        for name, loop in zip(("mouth", "Right", "Left"), cage.loops[1:], strict=True)
    }
    lips = rows["mouth"].mean(0)
    jaw = rig.jaw_affines(mean)
    filled = []
    for side in ("Right", "Left"):
        filled.append(parts.eye(side, rows[side].mean(0), control, parts.EYE_CHARTS[side]))
        filled.append(parts.socket(side, rows[side], control, parts.SOCKET_BOXES[side]))
    filled.append(parts.mouth_bag(rows["mouth"], parts.MOUTH_BOX, jaw))
    for row in ("upper", "lower"):
        filled.append(mouth_parts.teeth(row, lips, parts.TEETH_BOXES[row], control, jaw))
    filled.append(mouth_parts.tongue(lips, parts.TONGUE_BOX, control, jaw))
    return filled


def _mirror_index(vertices: DoubleArray) -> IntArray:
    """(V,) partner of each vertex of an exactly symmetric surface; its own inverse."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial import cKDTree

    flipped = vertices * (-1, 1, 1)
    _, found = cKDTree(vertices).query(flipped)
    partner = np.asarray(found, np.int32)
    # Rings that close in on a point hold vertices too near for the nearest to be the partner: assign those one to one.
    unclear = np.flatnonzero(partner[partner] != np.arange(len(partner)))
    if len(unclear):
        unclear = np.union1d(unclear, partner[unclear])
        cost = np.linalg.norm(vertices[unclear][None] - flipped[unclear][:, None], axis=2)
        rows, columns = linear_sum_assignment(cost)
        partner[unclear[rows]] = unclear[columns]
        again = partner[partner] != np.arange(len(partner))
        partner[again] = np.flatnonzero(again)
    return partner


def build(cage: Cage, portraits: list[sources.Portrait], network: distill.DenseNetwork, settings: Settings) -> Built:
    """The whole pack from its sources; deterministic."""
    from scipy.sparse import csr_matrix, vstack

    rng = np.random.default_rng(_SEED)
    mean = template(network, portraits, cage)
    crops = [network.upright_crop(q.image, q.centre, q.size_px) for q in portraits]
    samples = distill.responses(network, crops, cage.mirror, settings.warps, rng)
    rig = ExpressionRig(mean, cage.faces, cage.mirror)
    moving = _pairs(rig.shapes(mean), _NEVER_IDENTITY)
    modes = variation.identity_modes(samples, mean, cage.faces, cage.mirror, moving, settings.identities)
    model = bilinear(rig, mean, modes.directions, cage.mirror)
    mean_core, core = model.mean, model.core

    fine, faces = loop_matrix(cage.faces, POINTS, settings.subdivisions)
    to_control = _to_control(fine)
    mean_control = np.einsum("ab,bce->ace", to_control, mean_core)
    core_control = np.einsum("ab,bcei->acei", to_control, core)
    jaw_open = expressions.SHAPE_INDEX["jawOpen"] + 1
    uvs = [_chart(mean + 0.3 * mean_core[:, :, jaw_open], cage, fine)]

    meshes = fill_parts(mean, mean_control[:, :, 0], cage, fine, faces, rig)
    matrices, all_faces, table = [fine], [faces], [("skin", "skin", len(faces), fine.shape[0])]
    count = fine.shape[0]
    for mesh in meshes:
        matrices.append(csr_matrix(mesh.anchors))
        all_faces.append(mesh.faces + count)
        uvs.append(mesh.uvs)
        table.append((mesh.name, mesh.kind, len(mesh.faces), len(mesh.offsets)))
        count += len(mesh.offsets)
    matrix = vstack(matrices).tocsr()
    offsets = np.concatenate([np.zeros((fine.shape[0], 3)), *(m.offsets for m in meshes)])
    vertices = matrix @ mean_control[:, :, 0] + offsets
    skin_mirror = _mirror_index(vertices[: fine.shape[0]])
    landmarks, contours = landmark_map(portraits, fine, mean, skin_mirror, cage)
    arrays = {
        "mean": mean_control.astype(np.float32),
        "core": core_control.astype(np.float16),
        "matrix_data": matrix.data.astype(np.float32),
        "matrix_indices": matrix.indices.astype(np.int32),
        "matrix_indptr": matrix.indptr.astype(np.int32),
        "offsets": offsets.astype(np.float32),
        "follow": np.concatenate([np.ones(fine.shape[0]), *(m.follow for m in meshes)]).astype(np.float32),
        "motion": np.concatenate([m.motion for m in meshes], 1).astype(np.float16),
        **corrective_arrays(model, to_control),
        "corrective_motion": corrective_motion(meshes, mean, mean_control[:, :, 0]).astype(np.float16),
        **eye_arrays(meshes, mean_control[:, :, 0]),
        "faces": np.concatenate(all_faces).astype(np.int32),
        "uvs": np.concatenate(uvs).astype(np.float32),
        "mirror": np.concatenate([skin_mirror, fine.shape[0] + _mirror_index(vertices[fine.shape[0] :])]).astype(
            np.int32
        ),
        "part_names": np.array([t[0] for t in table]),
        "part_kinds": np.array([t[1] for t in table]),
        "part_sizes": np.array([t[2:] for t in table], np.int32),
        "landmarks": landmarks,
        "contour_vertices": np.concatenate(contours).astype(np.int32),
        "contour_sizes": np.array([len(c) for c in contours], np.int32),
        "identity_sd": np.ones(settings.identities, np.float32),
        "window": np.array([*_WINDOW, _MAP_SIZE]),
        "cage_faces": cage.faces,
        "cage_mirror": cage.mirror,
        "cage_loop_sizes": np.array([len(loop) for loop in cage.loops], np.int32),
        "cage_loops": np.concatenate(cage.loops).astype(np.int32),
        "eye_charts": parts.eye_charts(),
        "base_texture": parts_paint.paint(_ATLAS_PX),
        "version": np.array(VERSION),
    }
    skin = matrix[: fine.shape[0]] @ mean_control[:, :, 0]
    return Built(
        arrays,
        _report(mean, modes, mean_core, core, stretch(skin, faces, uvs[0] / (uvs[0][:, 0].max() - uvs[0][:, 0].min()))),
    )


def with_own_landmarks(built: Built, heads: int = self_calibration.HEADS) -> Built:
    """The pack with the landmarks where the detectors see them on its own invented heads; needs OpenGL and minutes."""
    pack = OpenPack(built.arrays)
    found = self_calibration.calibrated(pack, heads)
    surface = pack.shapes(pack.identity_mean)[0].astype(np.float64)
    outline = contours(surface[: pack.topology.skin.vertices[1]], found.ibug)
    moved = np.linalg.norm(surface[found.dense] - surface[: len(found.dense)], axis=1)
    arrays = built.arrays | {
        "dense_landmarks": found.dense,
        "landmarks": found.ibug,
        "contour_vertices": np.concatenate(outline).astype(np.int32),
        "contour_sizes": np.array([len(c) for c in outline], np.int32),
    }
    told = f"Dense points moved to where the network sees them: median {np.median(moved):.1f}, largest {moved.max():.1f} mm."
    return Built(arrays, f"{built.report}\n{told}\n")


def _report(
    mean: DoubleArray,
    modes: distill.Modes,
    mean_core: DoubleArray,
    core: DoubleArray,
    strain: tuple[DoubleArray, DoubleArray],
) -> str:
    lines = ["# The open pack: report of its build", "", "Template against published figures (mm):", ""]
    lines += ["| measure | published mean | SD | ours | source |", "|---|---|---|---|---|"]
    lines += [f"| {n} | {m:.1f} | {sd:.1f} | {ours:.1f} | {src} |" for n, m, sd, ours, src in anthropometry.table(mean)]
    lines += ["", "Sources: F94 Farkas 1994; A99 Arnett et al. 1999; see `engine/training/anthropometry.py`.", ""]
    lines += [f"Identity modes: {len(modes.sd_mm)}, together {modes.share.sum():.2%} of the variance.", ""]
    lines += ["| mode | SD mm | share % |", "|---|---|---|"]
    lines += [
        f"| {i + 1} | {sd:.3f} | {100 * share:.2f} |"
        for i, (sd, share) in enumerate(zip(modes.sd_mm, modes.share, strict=True))
    ]
    lines += [
        "",
        "Spread of the measures over people (SD, mm):",
        "",
        "| measure | published | the modes |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {sd:.1f} | {ours:.1f} |" for name, sd, ours in variation.measure_spread(modes, mean)]
    shapes = mean_core[:, :, 1:].reshape(-1, len(expressions.SHAPES)).T
    unit = shapes / np.linalg.norm(shapes, axis=1, keepdims=True)
    alike = unit @ unit.T - 2 * np.eye(len(unit))
    i, j = np.unravel_index(alike.argmax(), alike.shape)
    lines += [
        "",
        f"Most alike shapes: {expressions.SHAPE_NAMES[i]} and {expressions.SHAPE_NAMES[j]}, correlation {alike[i, j]:.3f}.",
    ]
    change = np.sqrt((core[:, :, 1:] ** 2).sum((0, 1, 3)) / POINTS)
    size = np.sqrt((mean_core[:, :, 1:] ** 2).sum((0, 1)) / POINTS)
    lines += [
        "",
        "Shapes: RMS motion over the cage, and its SD over identities (mm):",
        "",
        "| shape | RMS | SD over identities | largest |",
        "|---|---|---|---|",
    ]
    largest = np.linalg.norm(mean_core[:, :, 1:], axis=1).max(0)
    lines += [
        f"| {n} | {a:.2f} | {b:.3f} | {c:.1f} |"
        for n, a, b, c in zip(expressions.SHAPE_NAMES, size, change, largest, strict=True)
    ]
    ratio = strain[0] / strain[1]
    lines += [
        "",
        f"Chart: anisotropy median {np.median(ratio):.2f}, 95 % of the triangles below {np.percentile(ratio, 95):.2f}.",
    ]
    return "\n".join(lines) + "\n"


def cage_of(arrays: dict[str, np.ndarray]) -> Cage:
    """The cage kept in a pack, for builds without a download."""
    loops = np.split(arrays["cage_loops"], np.cumsum(arrays["cage_loop_sizes"])[:-1])
    return Cage(faces=arrays["cage_faces"], mirror=arrays["cage_mirror"], loops=tuple(loops))


def write(built: Built, folder: Path) -> Path:
    """Store pack and report; the pack's path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "open_pack.npz"
    with target.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **built.arrays)
    (folder / "REPORT.md").write_text(built.report, encoding="utf-8")
    return target


def _register(target: Path) -> None:
    """Put the hashes of pack and report into the manifest."""
    listing = json.loads(MANIFEST.read_text(encoding="utf-8"))
    report = target.with_name("REPORT.md")
    written = {path.relative_to(RESOURCES).as_posix(): path for path in (target, report)}
    listing["files"] = [entry for entry in listing["files"] if entry["path"] not in written]
    for name, path in written.items():
        listing["files"].append(
            {
                "path": name,
                "name": "Open face model pack" if path == target else "Report of the pack's build",
                "version": VERSION,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "license": "MIT; connectivity and modes derived from the Apache-2.0 MediaPipe face landmark model",
                "source": "python -m engine.training.build_open_pack",
                "note": "Built from public-domain portraits and published measures; see REPORT.md.",
            }
        )
    MANIFEST.write_text(json.dumps(listing, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m engine.training.build_open_pack", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the pack (default: the shipped one)")
    chosen = parser.parse_args()
    connections, portraits = sources.downloaded()
    network = sources.network()
    frontal = next(q for q in portraits if "portrait_obama" in q.name)
    crop = network.upright_crop(frontal.image, frontal.centre, frontal.size_px)
    cage = make_cage(connections, distill.upright(network.on_crop(crop)))
    built = with_own_landmarks(build(cage, portraits, network, Settings()))
    target = write(built, chosen.output)
    if chosen.output == OUTPUT:
        _register(target)
    sys.stdout.write(built.report + f"\nWritten: {target} ({target.stat().st_size / 1e6:.1f} MB)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
