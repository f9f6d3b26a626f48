"""The bilinear core: shapes and correctives of a face as linear functions of its identity modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import expressions
from engine.arrays import DoubleArray, IntArray
from engine.training import anthropometry, correctives, gaze, parts, variation
from engine.training.blendshapes import ExpressionRig

_CORRECTIVE_MODES = 50  # lids and lips must close on every face


@dataclass(frozen=True, slots=True, eq=False)
class Bilinear:
    """Positions of the points (shape 0 neutral) and corrective displacements, per identity mode, mm."""

    mean: DoubleArray
    """(468, 3, 52): the average face and its shapes."""
    core: DoubleArray
    """(468, 3, 52, I): what one SD of each mode adds."""
    corrective_mean: DoubleArray
    """(468, 3, C)."""
    corrective_core: DoubleArray
    """(468, 3, C, I')."""


def bilinear(rig: ExpressionRig, mean: DoubleArray, directions: DoubleArray, mirror: IntArray) -> Bilinear:
    """The shapes of a face as a linear function of its identity modes, directions (I, 468, 3) mm.

    The expression part of mode i is the difference that one SD of the mode makes to the shapes, so that the shapes follow
    the face they act on; odd modes leave the shapes alone, which are made in mirrored pairs.
    """
    average, average_correctives = rig.shapes_and_correctives(mean)
    mean_core = np.concatenate([mean[..., None], average.transpose(1, 2, 0)], 2)
    core = np.zeros((*mean_core.shape, len(directions)))
    corrective_mean = average_correctives.transpose(1, 2, 0)
    corrective_core = np.zeros((*corrective_mean.shape, min(len(directions), _CORRECTIVE_MODES)))
    for i, direction in enumerate(directions):
        core[:, :, 0, i] = direction
        if not variation.is_even(direction, mirror):
            continue
        if i < corrective_core.shape[-1]:
            (more, more_too), (less, less_too) = (rig.shapes_and_correctives(mean + s * direction) for s in (1, -1))
            corrective_core[..., i] = (more_too - less_too).transpose(1, 2, 0) / 2
        else:
            more, less = rig.shapes(mean + direction), rig.shapes(mean - direction)
        core[:, :, 1:, i] = (more - less).transpose(1, 2, 0) / 2
    return Bilinear(mean_core, core, corrective_mean, corrective_core)


def corrective_arrays(model: Bilinear, to_control: DoubleArray) -> dict[str, np.ndarray]:
    """The pack's arrays of the correctives, as control points."""
    return {
        "corrective_pairs": correctives.pairs(),
        "corrective_mean": np.einsum("ab,bce->ace", to_control, model.corrective_mean).astype(np.float32),
        "corrective_core": np.einsum("ab,bcei->acei", to_control, model.corrective_core).astype(np.float16),
    }


def corrective_motion(meshes: list[parts.PartMesh], mean: DoubleArray, control: DoubleArray) -> DoubleArray:
    """(C, n, 3) mm: own motion of all parts' vertices per corrective; what is rigid on the jaw keeps to its arc."""
    half_open = ExpressionRig.half_open_affine(mean)
    motion = np.zeros((len(correctives.NAMES), sum(len(m.offsets) for m in meshes), 3))
    row, jaw_open = correctives.NAMES.index(("jawOpen", "jawOpen")), expressions.SHAPE_INDEX["jawOpen"]
    start = 0
    for mesh in meshes:
        end = start + len(mesh.offsets)
        rigid = not mesh.follow.any()  # a lining that follows the lips has their correctives
        if rigid and mesh.motion[jaw_open].any():
            points = mesh.anchors @ control + mesh.offsets
            motion[row, start:end] = np.concatenate([points, np.ones((len(points), 1))], 1) @ half_open
        start = end
    return motion


def eye_arrays(meshes: list[parts.PartMesh], control: DoubleArray) -> dict[str, np.ndarray]:
    """Where the eyeballs' centres lie, right eye first (anchors @ control + offset), and how they turn."""
    anchors = np.array([next(m for m in meshes if m.name == f"eye_{s}").anchors[0] for s in ("right", "left")])
    centres = np.array([anthropometry.EYE_CENTRE_MM * (s, 1, 1) for s in (1, -1)])
    return {
        "eye_anchors": anchors.astype(np.float32),
        "eye_offsets": (centres - anchors @ control).astype(np.float32),
        "eye_turns": np.array([gaze.turns(side) for side in ("Right", "Left")], np.float32),
    }
