"""Each vertex's shares of the key maps under 51 weights."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.arrays import FloatArray
from engine.types import RigBasis

# How strongly a key must move the skin at a vertex (norm of its own activations there) to change its detail.
_REACH = 0.03
# How fast a key's claim falls with the distance d2 between the present activations and its own; the distance enters as
# d2 / (1 + d2), so that far from all keys their claims pass into each other gently.
_NEARNESS = 20.0
_LEAST_POWER = 1e-12
# Vertices of one matrix product: so few that BLAS does not think of a second thread, whose start can cost more than all
# the rest where another program keeps the processor busy.
_BLOCK = 128
_RUN = 16  # blocks that are worked on at a time: they stay in the processor's cache, three times as fast as all at once


@dataclass(frozen=True, slots=True, eq=False)
class _Keys:
    """Per-vertex products of the key expressions' own activations, made once per rig; B blocks of _BLOCK vertices."""

    inverse_power: FloatArray
    """(B, K, _BLOCK): one over the squared norm of each key's own activations h_kj A_j at each vertex."""
    gate: FloatArray
    """(B, K, _BLOCK) in [0, 1]: 1 where the key moves the skin."""
    squared: FloatArray
    """(B, 51, _BLOCK): A_j squared."""


_KEYS: dict[int, _Keys] = {}


def _keys(rig: RigBasis) -> _Keys:
    name = id(rig.activation)
    if name not in _KEYS:
        count = rig.middles.first if rig.middles else len(rig.neutral)
        squared = np.zeros((len(rig.activation), -(-count // _BLOCK) * _BLOCK), np.float32)
        np.square(rig.activation[:, :count], out=squared[:, :count])
        power = (rig.key_weights**2) @ squared
        planes = (1.0 / np.maximum(power, _LEAST_POWER), power / (power + _REACH**2), squared)
        _KEYS[name] = _Keys(*(_in_blocks(plane) for plane in planes))
        weakref.finalize(rig.activation, _KEYS.pop, name, None)
    return _KEYS[name]


def _in_blocks(plane: FloatArray) -> FloatArray:
    rows = plane.shape[0]
    return np.ascontiguousarray(plane.reshape(rows, -1, _BLOCK).transpose(1, 0, 2), np.float32)


def key_shares(rig: RigBasis, weights: FloatArray) -> FloatArray:
    """Share of each key map at each vertex: (V, K) float32, rows sum to 1, column 0 the neutral map.

    At every vertex the present activations x_j = a_j A_j are compared with those of each key, y_kj = h_kj A_j: the key's
    progress is c_k = x.y_k / y_k.y_k, and keys that claim the same vertex share it by nearness |x - y_k|. At a key's own
    weights its map is reached wherever it moves the skin; shares are continuous in the weights. Where the rig tells the
    edges' middles, they take the mean of their edge's ends, and vertices beyond them carry the neutral map.

    Source: activation masks A_j of the FaceScape paper (CVPR 2020, section 5); normalisation and sharing ours.
    """
    shares = np.zeros((len(rig.neutral), len(rig.key_weights)), np.float32)
    shares[:, 0] = 1.0
    active = np.flatnonzero((rig.key_weights * weights).sum(1) > 0)
    moved = np.flatnonzero(weights)
    if len(active):
        keys = _keys(rig)
        common = rig.key_weights[active][:, moved] * weights[moved]
        products = np.concatenate([common, weights[None, moved] ** 2]).astype(np.float32)
        count = rig.middles.first if rig.middles else len(shares)
        row = slice(int(active[0]), int(active[-1]) + 1)
        columns = row if row.stop - row.start == len(active) else active  # a third of the time where none is left out
        for start in range(0, len(keys.gate), _RUN):
            found = _run_shares(keys, slice(start, start + _RUN), active, moved, products)
            first = start * _BLOCK
            rows = shares[first : min(first + len(found) * _BLOCK, count)]
            rows[:, columns] = found.transpose(0, 2, 1).reshape(-1, len(active))[: len(rows)]
            rows[:, 0] -= found.sum(1).ravel()[: len(rows)]
        if rig.middles:
            ends = rig.middles.ends
            own, middles = shares[:count], shares[count : count + len(ends)]
            np.take(own, ends[:, 0], axis=0, out=middles, mode="clip")
            middles += np.take(own, ends[:, 1], axis=0)
            middles *= np.float32(0.5)
    return shares


def _run_shares(
    keys: _Keys, run: slice, active: npt.NDArray[np.intp], moved: npt.NDArray[np.intp], products: FloatArray
) -> FloatArray:
    """Shares (b, k, _BLOCK) of the k active keys at the vertices of b blocks.

    ``products`` (k + 1, m) holds h_kj a_j of each key and, last, a_j squared of the m moved shapes.
    """
    inverse = keys.inverse_power[run][:, active]
    sums = products @ keys.squared[run][:, moved]
    progress, own = sums[:, :-1], sums[:, -1:]
    # 1 + d2 = 2 + (x.x - 2 x.y) / y.y; nearness falls with d2 / (1 + d2), that is with - 1 / (1 + d2).
    claim = np.multiply(progress, -2.0)
    claim += own
    claim *= inverse
    claim += 2.0
    np.divide(_NEARNESS, claim, out=claim)
    np.exp(claim, out=claim)  # of _NEARNESS at most, since d2 is a square
    progress *= inverse
    reached = np.clip(progress, 0.0, 1.0, out=progress)  # half the time of numpy's minimum with a number
    reached *= keys.gate[run][:, active]
    claim *= reached
    reached *= claim
    reached /= np.maximum(claim.sum(1, keepdims=True), _LEAST_POWER)
    return np.asarray(reached)
