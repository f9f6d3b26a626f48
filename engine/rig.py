"""From 51 weights to a mesh and to each vertex's shares of the key maps."""

from __future__ import annotations

import numpy as np

from engine.arrays import FloatArray, check
from engine.camera import rotation_matrix
from engine.expressions import PUBLISHED_KEYS
from engine.geometry import edge_middles
from engine.key_shares import key_shares
from engine.packs.pack import ModelPack
from engine.types import FaceAsset, Pose, RigBasis

_UNMOVED_MM = 1e-4
_MANY = 30  # shapes, from which on one product over all of them is faster than adding each


def make_basis(pack: ModelPack, identity: FloatArray) -> RigBasis:
    """Neutral mesh, shapes and activation masks of one person.

    Args:
        pack: the face model.
        identity: (I,) float32.
    """
    neutral, deltas = pack.shapes(identity)
    length = np.linalg.norm(deltas, axis=2)
    length[length < _UNMOVED_MM] = 0.0
    # Over the skin alone: the eyeballs' turn must not hide how the lids move.
    part = pack.topology.skin
    skin = part.vertices[1]
    activation = length / np.maximum(length[:, :skin].max(1, keepdims=True), _UNMOVED_MM)
    return RigBasis(
        neutral=neutral,
        deltas=deltas,
        activation=np.minimum(activation, 1.0).astype(np.float32),
        key_weights=pack.key_weights.astype(np.float32),
        correctives=pack.correctives(identity),
        eyeballs=pack.eyeballs(identity),
        middles=edge_middles(pack.topology.faces[slice(*part.faces)], skin),
    )


def pose(rig: RigBasis, weights: FloatArray, exact: bool = False) -> Pose:
    """Mesh and map shares at one set of weights.

    Args:
        rig: the person's basis.
        weights: (51,) float32, usually in [0, 1].
        exact: True takes the masks of the paper instead of ours (see ``paper_shares``).

    Raises:
        ValueError: the weights do not fit the rig.
    """
    a = check("weights", np.array(weights, np.float32), (len(rig.deltas),))
    shares = paper_shares(rig, a) if exact else key_shares(rig, a)
    return Pose(weights=a, vertices=posed_vertices(rig, a), map_weights=shares)


def posed_vertices(rig: RigBasis, weights: FloatArray) -> FloatArray:
    """The mesh alone at weights (51,): the shapes, their correctives, the eyeballs turned; (V, 3) float32 mm."""
    from scipy.linalg.blas import saxpy  # adds in place in one pass: half of numpy's time

    vertices = rig.neutral.copy()
    flat = vertices.ravel()
    moved = np.flatnonzero(weights)
    if len(moved) > _MANY:
        flat += weights @ rig.deltas.reshape(len(weights), -1)
    else:
        for j in moved:
            saxpy(rig.deltas[j].ravel(), flat, a=weights[j])
    within = np.clip(weights, 0.0, 1.0)
    for corrective in rig.correctives:
        first, second = corrective.shapes
        share = within[first] * within[second] if first != second else 4.0 * within[first] * (1.0 - within[first])
        if share > 0:
            saxpy(corrective.delta.ravel(), flat, a=share)
    for eye in rig.eyeballs:
        turn = weights @ eye.turns
        if turn.any():
            run = slice(*eye.vertices)
            vertices[run] = (rig.neutral[run] - eye.centre) @ rotation_matrix(turn).T.astype(np.float32) + eye.centre
    return vertices


def paper_shares(rig: RigBasis, weights: FloatArray) -> FloatArray:
    """The masks as published: M_k = sum_j a_j h_kj A_j, M_0 the rest; (V, K) float32, rows sum to 1.

    Only the published keys take part; further ones of a pack have no share. Where the sum passes 1 it is scaled back, so
    that depths keep their range.

    Source: FaceScape (CVPR 2020), section 5, as implemented by its authors' follow-up.
    """
    shares = ((rig.key_weights * weights) @ rig.activation).T.astype(np.float32)  # (V, K)
    shares[:, 0] = 0.0
    shares[:, PUBLISHED_KEYS:] = 0.0
    total = shares.sum(1)
    shares /= np.maximum(total, 1.0)[:, None]
    shares[:, 0] = np.maximum(0.0, 1.0 - total)
    return np.ascontiguousarray(shares)


def blend_maps(face: FaceAsset, posed: Pose) -> FloatArray:
    """The displacement map of one pose: (n, n) float32 signed mm over the UV window, what the shader blends too."""
    from engine.rasterize import uv_raster

    used = np.flatnonzero(posed.map_weights.max(0) > 1e-4)
    maps = [face.map_or_fallback(int(k)) for k in used]
    if all(m is maps[0] for m in maps):
        return maps[0].copy()
    raster = uv_raster(face.topology, face.topology.window.map_size)
    count = face.topology.skin.faces[1]
    blended = np.zeros_like(face.static_map)
    rest = np.ones_like(blended)
    for k, key_map in zip(used.tolist(), maps, strict=True):
        if k:
            share = raster.interpolate(posed.map_weights[:, k : k + 1], face.topology.faces[:count])[..., 0]
            blended += share * key_map
            rest -= share
    return np.asarray(blended + np.maximum(rest, 0.0) * face.map_or_fallback(0), np.float32)


def closeness(face: FaceAsset, *, exact: bool = False) -> FloatArray:
    """RMS(D(h_k) - D_k) / RMS(D_k) of each key over the skin that it moves: (K,) float32, [0] = 0.

    Moved skin: where the key's own activations reach a fifth of their largest. nan where that is nowhere, without
    relief and without a map.
    """
    from engine.rasterize import uv_raster

    raster = uv_raster(face.topology, face.topology.window.map_size)
    faces = face.topology.faces[: face.topology.skin.faces[1]]
    result = np.zeros(len(face.key_maps), np.float32)
    for k in range(1, len(result)):
        if face.key_maps[k] is None:
            result[k] = np.nan
            continue
        reach = np.sqrt((face.rig.key_weights[k] ** 2) @ face.rig.activation**2).astype(np.float32)
        skin = face.topology.skin.vertices[1]
        moved = raster.interpolate(reach[:, None], faces)[..., 0] > 0.2 * reach[:skin].max()
        target = face.map_or_fallback(k)
        reached = blend_maps(face, pose(face.rig, face.rig.key_weights[k], exact))
        power = float((target[moved] ** 2).sum())
        result[k] = np.sqrt(((reached - target)[moved] ** 2).sum() / power) if power > 0 else np.nan
    return result
