"""The imported FaceScape pack on disk: one folder of plain arrays and networks, mapped into memory when loaded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.arrays import BoolArray, DoubleArray, FloatArray, IntArray, frozen
from engine.errors import ModelFileError

FORMAT = 1
"""Counts up when the layout of the folder changes; an older pack is then imported again."""
INFO_FILE = "pack.json"
SUFFIXES = MappingProxyType(
    {"core": ".npy", "model": ".npz", "position_maps": ".npy", "single": ".safetensors", "rig": ".safetensors"}
)
"""Parts of a pack and the kinds of their files. Every import gives its files new names and then replaces the info file,
which names them: so the pack is switched at one stroke, and a broken import leaves the old one in use."""
NETWORKS = ("single", "rig")

EXPRESSIONS = 52
LANDMARKS = 68
CONTOURS = 8
CHIN_VERTICES = 16
MASK_SIZE = 1024
POSITION_MAP_CHANNELS = 60
MIXTURE_SHAPE = (20, 51)
_HINT = "Import the FaceScape files again."


@dataclass(frozen=True, eq=False, slots=True)
class FaceScapeData:
    """All that the import kept of the licensed files; arrays are read-only, indices 0-based, the large ones mapped."""

    core: FloatArray
    """(I, 52, V*3) float32: absolute shapes, entry 0 neutral; x right, y up, z to the camera, about mm."""
    faces: IntArray
    """(F, 3) int32 vertices of the whole head."""
    uvs: FloatArray
    """(T, 2) float32 in [0, 1], v up."""
    uv_faces: IntArray
    """(F, 3) int32 indices into ``uvs``."""
    front_vertices: IntArray
    """(Vf,) int32, ascending: vertex of the whole head for each vertex of the front mesh."""
    front_faces: IntArray
    """(Ff, 3) int32 indices into the front vertices."""
    front_uvs: FloatArray
    """(Tf, 2) float32."""
    front_uv_faces: IntArray
    """(Ff, 3) int32 indices into ``front_uvs``."""
    texture_faces: IntArray
    """(Fx,) int32: rows of ``faces`` that are unwrapped."""
    front_mask: BoolArray
    """(1024, 1024) bool over the network's window, row 0 top: True is skin."""
    landmark_vertices: IntArray
    """(68,) int32 vertex of each iBUG point in a frontal view."""
    contour_right: tuple[IntArray, ...]
    """Eight arrays of int32 vertices: candidates of landmarks 9 to 16."""
    contour_left: tuple[IntArray, ...]
    """Eight arrays of int32 vertices: candidates of landmarks 0 to 7."""
    chin_vertices: IntArray
    """(16,) int32 candidates of landmark 8."""
    id_mean: DoubleArray
    """(I,) float64: prior mean of the identity."""
    id_var: DoubleArray
    """(I,) float64: prior variance."""
    start_identity: DoubleArray
    """(I,) float64: where a fit starts."""
    gmm_weights: DoubleArray
    """(20,) float64: mixture over the 51 expression weights."""
    gmm_means: DoubleArray
    """(20, 51) float64."""
    gmm_precisions_cholesky: DoubleArray
    """(20, 51, 51) float64."""
    position_maps: FloatArray | None
    """(60, 1024, 1024) float32: three channels for each of the 20 key expressions; None where not imported."""
    checkpoints: Mapping[str, Path] = field(default_factory=dict)
    """Networks as safetensors files by 'single' and 'rig'; a key that is missing was not imported."""
    folder: Path = Path()

    def __post_init__(self) -> None:
        identities, _, coordinates = frozen("core", self.core, (None, EXPRESSIONS, None)).shape
        if coordinates % 3:
            raise ValueError(f"core: {coordinates} coordinates are no multiple of 3")
        F = frozen("faces", self.faces, (None, 3), np.int32).shape[0]
        frozen("uvs", self.uvs, (None, 2))
        frozen("uv_faces", self.uv_faces, (F, 3), np.int32)
        frozen("front_vertices", self.front_vertices, (None,), np.int32)
        Ff = frozen("front_faces", self.front_faces, (None, 3), np.int32).shape[0]
        frozen("front_uvs", self.front_uvs, (None, 2))
        frozen("front_uv_faces", self.front_uv_faces, (Ff, 3), np.int32)
        frozen("texture_faces", self.texture_faces, (None,), np.int32)
        frozen("front_mask", self.front_mask, (MASK_SIZE, MASK_SIZE), np.bool_)
        frozen("landmark_vertices", self.landmark_vertices, (LANDMARKS,), np.int32)
        for name, lines in (("contour_right", self.contour_right), ("contour_left", self.contour_left)):
            if len(lines) != CONTOURS:
                raise ValueError(f"{name}: expected {CONTOURS} lines, got {len(lines)}")
            for line in lines:
                frozen(name, line, (None,), np.int32)
        frozen("chin_vertices", self.chin_vertices, (CHIN_VERTICES,), np.int32)
        for name in ("id_mean", "id_var", "start_identity"):
            frozen(name, getattr(self, name), (identities,), np.float64)
        K, J = MIXTURE_SHAPE
        frozen("gmm_weights", self.gmm_weights, (K,), np.float64)
        frozen("gmm_means", self.gmm_means, (K, J), np.float64)
        frozen("gmm_precisions_cholesky", self.gmm_precisions_cholesky, (K, J, J), np.float64)
        if self.position_maps is not None:
            frozen("position_maps", self.position_maps, (POSITION_MAP_CHANNELS, MASK_SIZE, MASK_SIZE))

    @property
    def vertex_count(self) -> int:
        """Vertices of the whole head."""
        return int(self.core.shape[2]) // 3


MODEL_ARRAYS = (
    "faces",
    "uvs",
    "uv_faces",
    "front_vertices",
    "front_faces",
    "front_uvs",
    "front_uv_faces",
    "texture_faces",
    "front_mask",
    "landmark_vertices",
    "chin_vertices",
    "id_mean",
    "id_var",
    "start_identity",
    "gmm_weights",
    "gmm_means",
    "gmm_precisions_cholesky",
)
"""Entries of the model file that are fields of the same name; the contours are stored end to end with their sizes."""


def default_folder() -> Path:
    """Where this user's imported pack lies, whether it is there or not."""
    import platformdirs

    return platformdirs.user_data_path("detailed-face", appauthor=False) / "packs" / "facescape"


def is_imported(folder: Path) -> bool:
    """Whether ``folder`` holds an imported pack; its content is checked by ``load``."""
    return (folder / INFO_FILE).is_file()


def read_info(folder: Path) -> dict[str, Any]:
    """What the import wrote down: format, version of the model, names of the files it came from.

    Raises:
        ModelFileError: there is no pack, or it is of another format.
    """
    try:
        info = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelFileError(
            "The FaceScape pack is not imported.", "Import it with main.py --import-facescape DIR or from the window."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelFileError("The imported FaceScape pack is damaged (its pack.json).", _HINT) from error
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise ModelFileError("The imported FaceScape pack is of another version of this program.", _HINT)
    return info


def pack_files(folder: Path) -> dict[str, Path]:
    """The files of the imported pack by part; 'core' and 'model' are always among them.

    Raises:
        ModelFileError: there is no pack, or a file of it is missing.
    """
    names = read_info(folder).get("files")
    if not isinstance(names, dict) or not {"core", "model"} <= names.keys() <= SUFFIXES.keys():
        raise ModelFileError("The imported FaceScape pack is damaged (its pack.json).", _HINT)
    files = {part: folder / Path(str(name)).name for part, name in names.items()}
    for path in files.values():
        if not path.is_file():
            raise ModelFileError(f"The imported FaceScape pack lacks its file {path.name}.", _HINT)
    return files


def load(folder: Path) -> FaceScapeData:
    """The imported pack; the core and the position maps stay on disk until they are touched.

    Args:
        folder: as ``default_folder`` gives it.

    Raises:
        ModelFileError: nothing is imported there, or a file of it is missing or damaged.
    """
    files = pack_files(folder)
    try:
        with np.load(files["model"], allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in MODEL_ARRAYS}
            right = _split(stored["contour_right"], stored["contour_right_sizes"])
            left = _split(stored["contour_left"], stored["contour_left_sizes"])
        maps = files.get("position_maps")
        return FaceScapeData(
            core=np.load(files["core"], mmap_mode="r", allow_pickle=False),
            position_maps=None if maps is None else np.load(maps, mmap_mode="r", allow_pickle=False),
            contour_right=right,
            contour_left=left,
            checkpoints=MappingProxyType({kind: files[kind] for kind in NETWORKS if kind in files}),
            folder=folder,
            **arrays,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"The imported FaceScape pack is damaged ({_short(error)}).", _HINT) from error


def _split(joined: IntArray, sizes: IntArray) -> tuple[IntArray, ...]:
    if len(joined) != sizes.sum():
        raise ValueError("contour lines do not add up")
    return tuple(np.ascontiguousarray(line) for line in np.split(joined, np.cumsum(sizes)[:-1]))


def _short(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
