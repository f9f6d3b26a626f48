"""The small data files of the original repository, from bytes to checked arrays with 0-based indices."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.arrays import DoubleArray, FloatArray, IntArray
from engine.packs.facescape.data import CHIN_VERTICES, CONTOURS, LANDMARKS, MASK_SIZE, MIXTURE_SHAPE
from engine.packs.facescape.restricted import DAMAGE, Mixture, WrongContent, load_pickle, plain_array

Arrays = dict[str, np.ndarray[Any, Any]]

CHIN = (
    11789, 1804, 11792, 5007, 11421, 1681, 11410, 5000, 11423, 3248, 11427, 1687, 15212, 6204, 15216, 2851,
)  # fmt: skip
"""The 16 candidates of landmark 8 that the original has in its code; another topology brings index_chin.txt."""
_LARGEST_INDEX = 1 << 20
"""Far above any vertex number; three of them fit into 64 bits."""
_UV_ROUNDING = 2e-4
"""The files keep four decimals."""
_LARGEST_NUMBER = 1e9
"""Of any prior or mixture; the stiffest precision of the original is 1000."""
_TEXT_LIMIT = 1 << 20
_WEIGHT_SUM_ERROR = 1e-3


def read_faces(data: bytes) -> Arrays:
    """faces.pkl: ``faces`` and ``uv_faces`` (F, 3) int32 and ``uvs`` (T, 2) float32.

    Raises:
        WrongContent: the file is another one, damaged, or refers to texture coordinates that it lacks.
    """
    value = load_pickle(data)
    if type(value) is not tuple or len(value) != 2 or type(value[0]) is not list or type(value[1]) is not list:
        raise WrongContent("holds no texture coordinates with triangles")
    uvs = _uvs(value[0])
    faces, uv_faces = _triangles(value[1])
    _inside("texture coordinates", uv_faces, len(uvs))
    return {"faces": faces, "uvs": uvs, "uv_faces": uv_faces}


def read_front_faces(data: bytes) -> Arrays:
    """front_faces.pkl: ``front_faces`` and ``front_uv_faces`` (Ff, 3) int32.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    faces, uv_faces = _triangles(load_pickle(data))
    return {"front_faces": faces, "front_uv_faces": uv_faces}


def read_front_texcoords(data: bytes) -> Arrays:
    """front_texcoords.pkl: ``front_uvs`` (Tf, 2) float32.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    return {"front_uvs": _uvs(load_pickle(data))}


def read_front_vertices(data: bytes) -> Arrays:
    """front_verts_indices.pkl: ``front_vertices`` (Vf,) int32, ascending.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    indices = _indices(load_pickle(data))
    if len(indices) < 3 or (np.diff(indices) <= 0).any():
        raise WrongContent("holds no ascending vertex indices")
    return {"front_vertices": indices}


def read_texture_faces(data: bytes) -> Arrays:
    """front_face_indices.pkl: ``texture_faces`` (Fx,) int32.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    indices = _indices(load_pickle(data))
    if not len(indices) or len(np.unique(indices)) != len(indices):
        raise WrongContent("holds no list of different triangles")
    return {"texture_faces": indices}


def read_contours(data: bytes) -> Arrays:
    """contour_line_68.pkl: the two times eight lines end to end, with their sizes.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    value = load_pickle(data)
    if type(value) is not tuple or len(value) != 2:
        raise WrongContent("holds no contour lines of two sides")
    arrays: Arrays = {}
    for name, side in zip(("contour_right", "contour_left"), value, strict=True):
        if type(side) is not list or len(side) != CONTOURS:
            raise WrongContent(f"holds no {CONTOURS} contour lines on each side")
        lines = [_indices(line) for line in side]
        if not all(len(line) for line in lines):
            raise WrongContent("holds an empty contour line")
        arrays[name] = np.concatenate(lines)
        arrays[f"{name}_sizes"] = np.array([len(line) for line in lines], np.int32)
    return arrays


def read_mean(data: bytes) -> Arrays:
    """id_mean.pkl: ``id_mean`` (I,) float64.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    return {"id_mean": finite(plain_array(load_pickle(data)), 1)}


def read_variance(data: bytes) -> Arrays:
    """id_var.pkl: ``id_var`` (I,) float64, above 0.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    variance = finite(plain_array(load_pickle(data)), 1)
    if (variance <= 0).any():
        raise WrongContent("holds variances that are not above 0")
    return {"id_var": variance}


def read_mixture(data: bytes) -> Arrays:
    """exp_GMM.pkl: ``gmm_weights``, ``gmm_means`` and ``gmm_precisions_cholesky``, float64.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    value = load_pickle(data)
    if not isinstance(value, Mixture) or not hasattr(value, "precisions_cholesky"):
        raise WrongContent("holds no mixture of Gaussians")
    return mixture(value.weights, value.means, value.precisions_cholesky)


def mixture(weights: Any, means: Any, precisions_cholesky: Any) -> Arrays:
    """The three arrays of a mixture, checked.

    Raises:
        WrongContent: shapes or values are impossible.
    """
    K, J = MIXTURE_SHAPE
    arrays = {
        "gmm_weights": finite(weights, 1),
        "gmm_means": finite(means, 2),
        "gmm_precisions_cholesky": finite(precisions_cholesky, 3),
    }
    shapes = [array.shape for array in arrays.values()]
    if shapes != [(K,), (K, J), (K, J, J)]:
        raise WrongContent(f"holds no mixture of {K} components over {J} expressions")
    diagonal = np.diagonal(arrays["gmm_precisions_cholesky"], axis1=1, axis2=2)
    w = arrays["gmm_weights"]
    if (w < 0).any() or abs(w.sum() - 1) > _WEIGHT_SUM_ERROR or (diagonal <= 0).any():
        raise WrongContent("holds an impossible mixture")
    return dict(arrays)


def read_mask(data: bytes) -> Arrays:
    """front_mask.png: ``front_mask`` (1024, 1024) bool, True where the picture is 0.

    Raises:
        WrongContent: no grey PNG of that size, or nothing in it is skin.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.size != (MASK_SIZE, MASK_SIZE):
                raise WrongContent(f"is {picture.width} x {picture.height} instead of {MASK_SIZE} x {MASK_SIZE}")
            pixels = np.asarray(picture.convert("L"))
    except WrongContent:
        raise
    except DAMAGE as error:
        raise WrongContent("is damaged, or no PNG picture") from error
    skin = pixels == 0
    if not skin.any() or skin.all():
        raise WrongContent("marks no skin, or nothing but skin")
    return {"front_mask": skin}


def read_landmarks(data: bytes) -> Arrays:
    """index_68.txt: ``landmark_vertices`` (68,) int32.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    return {"landmark_vertices": _numbers(data, LANDMARKS)}


def read_chin(data: bytes) -> Arrays:
    """index_chin.txt: ``chin_vertices`` (16,) int32, for faces of another topology than the original's.

    Raises:
        WrongContent: the file is another one or damaged.
    """
    return {"chin_vertices": _numbers(data, CHIN_VERTICES)}


READERS: Mapping[str, Callable[[bytes], Arrays]] = MappingProxyType(
    {
        "faces.pkl": read_faces,
        "front_verts_indices.pkl": read_front_vertices,
        "front_faces.pkl": read_front_faces,
        "front_texcoords.pkl": read_front_texcoords,
        "front_face_indices.pkl": read_texture_faces,
        "index_68.txt": read_landmarks,
        "contour_line_68.pkl": read_contours,
        "front_mask.png": read_mask,
        "exp_GMM.pkl": read_mixture,
        "id_mean.pkl": read_mean,
        "id_var.pkl": read_variance,
    }
)
"""How each file of the original's predef folder is read, by its name there."""


def contradictions(arrays: Arrays, vertex_count: int) -> dict[str, str]:
    """Compare the files with each other.

    Args:
        arrays: all that ``READERS`` and ``chin_of`` gave.
        vertex_count: of the model that they shall go with.

    Returns:
        What is wrong, by the name of the file at fault; empty when all belong together.
    """
    inside = (
        ("faces.pkl", "faces", vertex_count),
        ("front_verts_indices.pkl", "front_vertices", vertex_count),
        ("front_faces.pkl", "front_faces", len(arrays["front_vertices"])),
        ("front_faces.pkl", "front_uv_faces", len(arrays["front_uvs"])),
        ("front_face_indices.pkl", "texture_faces", len(arrays["faces"])),
        ("index_68.txt", "landmark_vertices", vertex_count),
        ("index_chin.txt", "chin_vertices", vertex_count),
        ("contour_line_68.pkl", "contour_right", vertex_count),
        ("contour_line_68.pkl", "contour_left", vertex_count),
    )
    wrong: dict[str, str] = {}
    for file, name, count in inside:
        largest = int(arrays[name].max())
        if largest >= count:
            wrong.setdefault(file, f"does not belong to this model: it points to number {largest:,} of {count:,}")
    return wrong or _front_against_head(arrays)


def _front_against_head(arrays: Arrays) -> dict[str, str]:
    """The front mesh has to be made of triangles of the head that are unwrapped, with the same texture coordinates."""
    front = arrays["front_vertices"][arrays["front_faces"]]
    head = arrays["faces"][arrays["texture_faces"]]
    front_keys, head_keys = _keys(front), _keys(head)
    order = np.argsort(head_keys)
    place = np.minimum(np.searchsorted(head_keys[order], front_keys), len(order) - 1)
    rows = order[place]
    if (head_keys[rows] != front_keys).any():
        file = "front_faces.pkl" if np.isin(front_keys, _keys(arrays["faces"])).mean() < 1 else "front_face_indices.pkl"
        return {file: "has triangles that do not go with faces.pkl and front_verts_indices.pkl"}
    on_head = arrays["uvs"][arrays["uv_faces"][arrays["texture_faces"][rows]]]
    on_front = arrays["front_uvs"][arrays["front_uv_faces"]]
    if not np.allclose(on_head, on_front, rtol=0, atol=_UV_ROUNDING):
        return {"front_texcoords.pkl": "has texture coordinates that do not go with faces.pkl"}
    return {}


def _keys(faces: IntArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """One number for each triangle."""
    wide = faces.astype(np.int64)
    base = np.int64(2 * _LARGEST_INDEX)
    return np.asarray((wide[:, 0] * base + wide[:, 1]) * base + wide[:, 2])


def finite(value: Any, dimensions: int) -> DoubleArray:
    """``value`` as float64, all finite.

    Raises:
        WrongContent: no array of numbers of that many dimensions, empty, or with NaN or infinity.
    """
    if not isinstance(value, np.ndarray) or value.ndim != dimensions or value.dtype.kind not in "fiu" or not value.size:
        raise WrongContent("holds something else than the numbers that belong here")
    with np.errstate(invalid="ignore"):  # some bit patterns of NaN warn when they are converted
        array = value.astype(np.float64)
    if not np.isfinite(array).all():
        raise WrongContent("holds numbers that are not finite (NaN)")
    if np.abs(array).max() > _LARGEST_NUMBER:
        raise WrongContent("holds impossibly large numbers")
    return array


def _rows(value: Any, columns: int, kinds: tuple[type, ...]) -> None:
    """Make sure of plain nested sequences before numpy walks them: cycles and shared lists would never end."""
    for row in value:
        if type(row) not in (list, tuple) or len(row) != columns or any(type(item) not in kinds for item in row):
            raise WrongContent("holds something else than the rows of numbers that belong here")


def _uvs(value: Any) -> FloatArray:
    if type(value) is not list or not value:
        raise WrongContent("holds no texture coordinates")
    _rows(value, 2, (float, int))
    try:
        uvs = np.array(value, np.float32)
    except OverflowError as error:
        raise WrongContent("holds impossible texture coordinates") from error
    if not (np.isfinite(uvs).all() and uvs.min() >= 0 and uvs.max() <= 1):
        raise WrongContent("holds texture coordinates outside 0 to 1")
    return uvs


def _triangles(value: Any) -> tuple[IntArray, IntArray]:
    """Vertex and texture indices, 0-based, of a list of (vertices, normals, texture, material)."""
    if type(value) is not list or not value or any(type(face) is not tuple or len(face) != 4 for face in value):
        raise WrongContent("holds no triangles")
    corners = [face[0] for face in value]
    textures = [face[2] for face in value]
    _rows(corners, 3, (int,))
    _rows(textures, 3, (int,))
    return _int32(corners, base=1), _int32(textures, base=1)


def _indices(value: Any) -> IntArray:
    if type(value) is not list or any(type(item) is not int for item in value):
        raise WrongContent("holds no list of indices")
    return _int32(value, base=0)


def _int32(value: Sequence[Any], base: int) -> IntArray:
    try:
        array = np.array(value, np.int64) - base
    except OverflowError as error:
        raise WrongContent("holds impossible indices") from error
    if array.size and (array.min() < 0 or array.max() > _LARGEST_INDEX):
        raise WrongContent("holds impossible indices")
    return array.astype(np.int32)


def _numbers(data: bytes, count: int) -> IntArray:
    """First number of each of the first ``count`` lines."""
    try:
        lines = data[:_TEXT_LIMIT].decode("utf-8-sig").splitlines()
        values = [int(line.split()[0]) for line in lines[:count]]
    except (ValueError, IndexError) as error:
        raise WrongContent("holds no list of vertex numbers") from error
    if len(values) < count:
        raise WrongContent(f"holds {len(values)} lines instead of {count}")
    return _int32(values, base=0)


def _inside(what: str, indices: IntArray, count: int) -> None:
    if indices.max() >= count:
        raise WrongContent(f"points to {what} that are not there")
