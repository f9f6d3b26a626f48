"""The bilinear model v1.6: which parts of its .npz are there, and its vertices in the order of the older versions.

The networks, the texture window and the landmarks belong to the topology of v1.0 to v1.3. The file carries the
correspondence itself, so its shapes are stored in the older order. How the entries are stored is read defensively:
dictionaries in an object array, lists, arrays of indices or of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import DoubleArray, FloatArray, IntArray
from engine.packs.facescape.convert_core import CoreSource, VertexMap, inspect_core
from engine.packs.facescape.convert_predef import Arrays, finite, mixture
from engine.packs.facescape.data import MIXTURE_SHAPE
from engine.packs.facescape.restricted import WrongContent, plain_array
from engine.packs.facescape.restricted_arrays import Npz

CORE_ENTRY = "shape_bm_core"
_DICTIONARIES = ("vert_10to16_dict", "vert_16to10_dict")
_PRIORS = ("id_mean", "id_var")
_MIXTURE = ("exp_gmm_weights", "exp_gmm_means", "exp_gmm_covariances")
_KNOWN = frozenset(
    (CORE_ENTRY, *_DICTIONARIES, *_PRIORS, *_MIXTURE, "color_bm_core", "color_bm_mean", "fv_indices", "ft_indices")
    + ("fv_indices_front", "ft_indices_front", "vc_dict_front", "v_indices_front", "vert_num", "face_num")
    + ("frontal_vert_num", "frontal_face_num", "texcoords", "facial_mask", "sym_dict", "lm_list_v16")
    + ("contour_line_right", "contour_line_left", "bottom_cand")
)
_MOST_WITHOUT_PARTNER = 0.2
_MOST_CONTRADICTIONS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Model16:
    """What the import takes from a v1.6 file."""

    core: CoreSource
    partners: tuple[Any, Any]
    """The two dictionaries as they were stored, None where one is missing."""
    id_mean: DoubleArray
    """(I,) float64."""
    id_var: DoubleArray
    """(I,) float64."""
    gmm: Arrays | None
    """The mixture, None where the file has none."""
    notes: tuple[str, ...]
    """What is missing or unknown, in the user's words."""


def inspect16(path: Path) -> Model16:
    """Read all of a v1.6 file but its shapes.

    Raises:
        WrongContent: damaged, another file, or without an entry that is needed; the text names it.
        OSError: the file cannot be opened.
    """
    with Npz(path) as archive:
        names = archive.names
        missing = [name for name in (CORE_ENTRY, *_PRIORS) if name not in names]
        if not any(name in names for name in _DICTIONARIES):
            missing.append(" or ".join(_DICTIONARIES))
        if missing:
            raise WrongContent(f"lacks {', '.join(missing)}; it has {_listed(names)}")
        core = inspect_core(path, CORE_ENTRY)
        priors = [_prior(archive, name, core.identities) for name in _PRIORS]
        if (priors[1] <= 0).any():
            raise WrongContent("has an entry id_var that is not above 0")
        partners = tuple(archive.array(name) if name in names else None for name in _DICTIONARIES)
        gmm, notes = _mixture(archive)
        unknown = sorted(names - _KNOWN)
        if unknown:
            notes.append(f"entries that are not known and not used: {_listed(unknown)}")
    return Model16(core, (partners[0], partners[1]), priors[0], priors[1], gmm, tuple(notes))


def old_order(model: Model16, old_count: int, faces: IntArray) -> tuple[VertexMap, str]:
    """What puts vertices of v1.6 into the order of the older versions.

    Args:
        model: from ``inspect16``.
        old_count: vertices of the older topology.
        faces: (F, 3) int32, its triangles; vertices without a partner are filled smoothly over them.

    Returns:
        The map and, where vertices had to be filled, a sentence that says how many.

    Raises:
        WrongContent: the dictionaries do not fit, contradict each other or leave too many vertices out.
    """
    forward, backward = model.partners
    new_count = model.core.vertices
    partner = np.full(old_count, -1, np.int64)
    if forward is not None:
        old, new = _pairs(_DICTIONARIES[0], forward, old_count, new_count)
        partner[old] = new
    if backward is not None:
        new, old = _pairs(_DICTIONARIES[1], backward, new_count, old_count)
        both = partner[old] >= 0
        if both.any() and (partner[old] != new)[both].mean() > _MOST_CONTRADICTIONS:
            raise WrongContent("has two dictionaries of vertices that contradict each other")
        partner[old[~both]] = new[~both]
    lost = np.flatnonzero(partner < 0).astype(np.int32)
    if len(lost) > _MOST_WITHOUT_PARTNER * old_count:
        raise WrongContent(f"has no partner for {len(lost):,} of the {old_count:,} vertices of the older topology")
    if not len(lost):
        return (lambda vertices: vertices[..., partner, :]), ""
    fill = _filling(lost, faces, old_count)

    def mapped(vertices: FloatArray) -> FloatArray:
        result = vertices[..., partner, :]
        return fill(result)

    return (
        mapped,
        f"{len(lost):,} of {old_count:,} vertices have no partner in v1.6 and are filled from their neighbours",
    )


def _prior(archive: Npz, name: str, identities: int) -> DoubleArray:
    try:
        values = finite(np.squeeze(archive.array(name)), 1)
    except WrongContent as error:
        raise WrongContent(f"has an entry {name} that {error}") from error
    if len(values) != identities:
        raise WrongContent(f"has {len(values)} values in {name} for {identities} identities")
    return values


def _mixture(archive: Npz) -> tuple[Arrays | None, list[str]]:
    """The mixture with its precisions factored as scikit-learn does, and notes."""
    missing = [name for name in _MIXTURE if name not in archive.names]
    if missing:
        return None, [f"no {', '.join(missing)}; the older exp_GMM.pkl is used instead"]
    weights, means, covariances = (archive.array(name) for name in _MIXTURE)
    K, J = MIXTURE_SHAPE
    if covariances.shape != (K, J, J):
        raise WrongContent(f"has an entry {_MIXTURE[2]} that is no {K} x {J} x {J}")
    try:
        lower = np.linalg.cholesky(finite(covariances, 3))
    except np.linalg.LinAlgError as error:
        raise WrongContent(f"has an entry {_MIXTURE[2]} that holds no covariances") from error
    return mixture(weights, means, np.linalg.inv(lower).transpose(0, 2, 1)), []


def _pairs(name: str, value: Any, sources: int, targets: int) -> tuple[IntArray, IntArray]:
    """The correspondence as two lists of indices.

    Raises:
        WrongContent: stored in a way that is not understood, or pointing outside.
    """
    inner = value.item() if value.dtype == object and value.ndim == 0 else value
    if type(inner) is dict:
        rows = [(source, _single(target)) for source, target in inner.items()]
    elif isinstance(inner, np.ndarray) and inner.ndim == 2 and inner.shape[1] == 2 and inner.dtype.kind in "iu":
        rows = [(int(source), int(target)) for source, target in inner]
    elif type(inner) is list or (isinstance(inner, np.ndarray) and inner.ndim == 1):
        rows = [(source, _single(target)) for source, target in enumerate(inner)]
    else:
        raise WrongContent(f"has an entry {name} that is stored in an unknown way")
    kept = [(source, target) for source, target in rows if target is not None and target != -1]
    if not kept or any(type(source) is not int or target < -1 for source, target in kept):
        raise WrongContent(f"has an entry {name} that holds no vertex numbers")
    source = np.array([min(max(s, -1), sources) for s, _ in kept], np.int64)
    target = np.array([min(max(t, -1), targets) for _, t in kept], np.int64)
    if source.min() < 0 or target.min() < 0 or source.max() >= sources or target.max() >= targets:
        raise WrongContent(
            f"has an entry {name} that points outside: to vertex {max(s for s, _ in kept)} of {sources} "
            f"and {max(t for _, t in kept)} of {targets}"
        )
    return source.astype(np.int32), target.astype(np.int32)


def _single(value: Any) -> int | None:
    """One vertex number out of a number, or out of a list or array of them; None where there is none."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if type(value) in (list, tuple):
        return _single(value[0]) if value and type(value[0]) in (int, float) else None
    if isinstance(value, int | float | np.integer | np.floating) and float(value).is_integer():
        return int(value)
    try:
        array = plain_array(value)
    except WrongContent:
        return -2  # outside of every mesh: a text, or something else that is no vertex
    return _single(array.flat[0].item()) if array.size and array.dtype.kind in "iuf" else None


def _filling(lost: IntArray, faces: IntArray, count: int) -> VertexMap:
    """What fills lost vertices so that each is the mean of its neighbours (a discrete harmonic surface)."""
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import splu

    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([ends, ends[:, ::-1]])
    adjacency = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count)).tocsr()
    adjacency.data[:] = 1.0
    degree = np.asarray(adjacency.sum(1)).ravel()
    known = np.setdiff1d(np.arange(count), lost)
    rows = adjacency[lost]
    try:
        solver = splu((diags(degree[lost]) - rows[:, lost]).tocsc())
    except RuntimeError as error:
        raise WrongContent("leaves a whole part of the older topology without partners") from error
    from_known = rows[:, known]

    def fill(vertices: FloatArray) -> FloatArray:
        E = len(vertices)
        flat = vertices[:, known].transpose(1, 0, 2).reshape(len(known), -1).astype(np.float64)
        values = solver.solve(np.asarray(from_known @ flat)).reshape(len(lost), E, 3)
        vertices[:, lost] = values.transpose(1, 0, 2).astype(np.float32)
        return vertices

    return fill


def _listed(names: Any) -> str:
    shown = sorted(str(name)[:40] for name in names)
    return ", ".join(shown[:30]) + (f" and {len(shown) - 30} more" if len(shown) > 30 else "")
