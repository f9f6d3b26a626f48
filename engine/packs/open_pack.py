"""The embedded pack: a face model that needs no licence, stored at cage level and subdivided on load."""

from __future__ import annotations

import functools
import io
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import expressions
from engine.arrays import ByteArray, FloatArray, IntArray
from engine.detail.predictor import DetailPredictor
from engine.errors import ModelFileError
from engine.resources import read_resource
from engine.types import (
    Corrective,
    Eyeball,
    EyeChart,
    FaceBox,
    Fit,
    Landmarks,
    Part,
    Photo,
    Progress,
    RigBasis,
    SkinTexture,
    Topology,
    UvWindow,
    ViewOptions,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from engine.export.results import FileFormats
    from engine.landmarks import LandmarkDetector

PACK_FILE = "packs/open/open_pack.npz"
_DENSE_POINTS = 468
_CACHE_BYTES = 2 << 30
"""Room for the maps of about ten photos."""
_MAP_SCALE_MM = 1.5
"""Depth at full white of exported maps: deeper than any fold the predictors make."""


class OpenPack:
    """The default model (see ``engine.packs.pack.ModelPack``). Built by ``engine.training.build_open_pack``."""

    name = "open"
    title = "Open face model"
    map_scale_mm = _MAP_SCALE_MM
    slow_detail = False
    has_key_maps = True
    photo_view = ViewOptions()
    formats: FileFormats | None = None

    def __init__(self, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        from scipy.sparse import csr_matrix

        self.version = str(arrays["version"])
        self._mean: FloatArray = arrays["mean"]  # (468, 3, 52) control points
        self._core: FloatArray = arrays["core"].astype(np.float32)  # (468, 3, 52, I)
        self._offsets: FloatArray = arrays["offsets"]
        self._follow: FloatArray = arrays["follow"]
        self._motion: FloatArray = arrays["motion"].astype(np.float32)  # (51, V - skin, 3)
        indptr = arrays["matrix_indptr"]
        V = len(indptr) - 1
        self._matrix: csr_matrix = csr_matrix(
            (arrays["matrix_data"], arrays["matrix_indices"], indptr), shape=(V, self._mean.shape[0])
        )
        self._corrective_pairs: IntArray = arrays["corrective_pairs"]  # (C, 2)
        self._corrective_mean: FloatArray = arrays["corrective_mean"]  # (468, 3, C)
        self._corrective_core: FloatArray = arrays["corrective_core"].astype(np.float32)  # (468, 3, C, I')
        self._corrective_motion: FloatArray = arrays["corrective_motion"].astype(np.float32)  # (C, V - skin, 3)
        self._eyes = tuple(zip(arrays["eye_anchors"], arrays["eye_offsets"], arrays["eye_turns"], strict=True))
        self.topology = _topology(arrays, V)
        identities = self._core.shape[3]
        self.identity_mean: FloatArray = np.zeros(identities, np.float32)
        self.identity_sd: FloatArray = arrays["identity_sd"]
        self.key_weights = expressions.all_key_weights()
        self.key_names = expressions.ALL_KEY_NAMES
        self.base_texture: ByteArray = arrays["base_texture"]
        self.eye_charts = tuple(EyeChart(*(float(x) for x in row)) for row in arrays["eye_charts"])
        self.landmark_vertices: IntArray = arrays["landmarks"]
        ends = np.cumsum(arrays["contour_sizes"])[:-1]
        self.contour_candidates: tuple[IntArray, ...] = tuple(np.split(arrays["contour_vertices"], ends))
        self.dense_vertices: IntArray | None = arrays.get("dense_landmarks", np.arange(_DENSE_POINTS, dtype=np.int32))

    @property
    def cage_matrix(self) -> csr_matrix:
        """(V, 468): how the vertices follow the cage's control points; the first 468 vertices are the cage's own."""
        return self._matrix

    def bilinear(self, vertices: IntArray) -> tuple[FloatArray, FloatArray]:
        """Rows of the model for skin vertices: mean (n, 3, E) and core (n, 3, E, I), float32 mm.

        Raises:
            ValueError: a vertex does not belong to the skin, whose points alone follow the bilinear rule.
        """
        rows = np.asarray(vertices)
        if len(rows) and (rows.min() < 0 or rows.max() >= self.topology.skin.vertices[1]):
            raise ValueError("vertices: expected skin vertices")
        n, (C, _, E, identities) = len(rows), self._core.shape
        part = self._matrix[rows]
        mean = part @ self._mean.reshape(C, -1)
        core = part @ self._core.reshape(C, -1)
        return mean.reshape(n, 3, E).astype(np.float32), core.reshape(n, 3, E, identities).astype(np.float32)

    def shapes(self, identity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Neutral (V, 3) and shape-minus-neutral (51, V, 3) of one person, float32 mm."""
        control = self._mean + self._core @ identity.astype(np.float32)  # (468, 3, 52)
        C, _, E = control.shape
        fine = (self._matrix @ control.reshape(C, -1)).reshape(-1, 3, E)
        neutral = fine[:, :, 0] + self._offsets
        deltas = np.ascontiguousarray(fine[:, :, 1:].transpose(2, 0, 1)) * self._follow[None, :, None]
        deltas[:, self.topology.skin.vertices[1] :] += self._motion
        return neutral.astype(np.float32), deltas.astype(np.float32)

    def correctives(self, identity: FloatArray) -> tuple[Corrective, ...]:
        """What combinations of shapes need beside their sum, for one person."""
        modes = self._corrective_core.shape[3]
        control = self._corrective_mean + self._corrective_core @ identity[:modes].astype(np.float32)  # (468, 3, C)
        rows, _, count = control.shape
        fine = (self._matrix @ control.reshape(rows, -1)).reshape(-1, 3, count) * self._follow[:, None, None]
        deltas = np.ascontiguousarray(fine.transpose(2, 0, 1), np.float32)
        deltas[:, self.topology.skin.vertices[1] :] += self._corrective_motion
        pairs = self._corrective_pairs.tolist()
        return tuple(Corrective((a, b), delta) for (a, b), delta in zip(pairs, deltas, strict=True))

    def eyeballs(self, identity: FloatArray) -> tuple[Eyeball, ...]:
        """The two eyeballs, the person's right one first."""
        control = self._mean[:, :, 0] + self._core[:, :, 0] @ identity.astype(np.float32)
        balls = (part for part in self.topology.parts if part.kind == "eye")
        return tuple(
            Eyeball(ball.vertices, (anchor @ control + offset).astype(np.float32), turns)
            for ball, (anchor, offset, turns) in zip(balls, self._eyes, strict=True)
        )

    @functools.cached_property
    def _detail(self) -> tuple[DetailPredictor, tuple[str, ...]]:
        from engine.detail.learned import best_predictor
        from engine.detail.map_cache import MapCache, default_folder

        return best_predictor(MapCache(default_folder(self.name), _CACHE_BYTES))

    def predictor(self) -> DetailPredictor:
        """The learned predictor or its stand-in, which remembers the last face between its maps."""
        return self._detail[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """That the learned detail is missing, where it is."""
        return self._detail[1]

    def landmarks(self, photo: Photo, detector: LandmarkDetector, box: FaceBox | None) -> Landmarks:
        """The 68 points and the dense ones.

        Raises:
            NoFaceFound: no face in the photo (in ``box``).
        """
        return detector.detect(photo, box)

    def fit(self, landmarks: Landmarks) -> Generator[Progress, None, Fit]:
        """See ``engine.fitting``."""
        from engine.fitting import fit

        return (yield from fit(landmarks, self))

    def surface(
        self, photo: Photo, landmarks: Landmarks, found: Fit, rig: RigBasis
    ) -> tuple[SkinTexture, Fit, RigBasis]:
        """See ``engine.unwrap``; eyes and teeth as the photo shows them, lids and lips mended, worn folds softened."""
        from engine.eyes import read_eyes, skin_grey, toned_eyes, with_gaze
        from engine.not_skin import not_skin
        from engine.rig import posed_vertices
        from engine.skin_mending import mended
        from engine.teeth import read_teeth, seated, toned_teeth
        from engine.unwrap import misfit_of, unwrap
        from engine.worn_folds import softened

        vertices = posed_vertices(rig, found.weights)
        eyes = read_eyes(photo, landmarks, found.camera)
        painted = toned_eyes(self.base_texture, self.eye_charts, eyes, skin_grey(photo, landmarks))
        teeth = read_teeth(photo, landmarks, found.camera)
        painted = toned_teeth(painted, self.topology, teeth)
        hidden = not_skin(photo, landmarks, found.camera)
        misfit_mm = misfit_of(found.error_dense)
        texture = unwrap(photo, found.camera, self.topology, vertices, painted, not_skin=hidden, misfit_mm=misfit_mm)
        texture = mended(texture, self.topology, rig.neutral, np.arange(_DENSE_POINTS, dtype=np.int32))
        texture = softened(texture, self.topology, rig, found.weights)
        return texture, with_gaze(found, eyes, self.topology, vertices), seated(rig, self.topology, found, teeth)

    def window_picture(self, texture: ByteArray) -> ByteArray:
        """The part of the texture that the detail maps cover: (n, n, 3) uint8 RGB."""
        from engine.uv_chart import window_picture

        return window_picture(texture, self.topology)


def _topology(arrays: dict[str, np.ndarray[Any, Any]], vertex_count: int) -> Topology:
    parts, face, vertex = [], 0, 0
    for name, kind, (faces, vertices) in zip(
        arrays["part_names"], arrays["part_kinds"], arrays["part_sizes"].tolist(), strict=True
    ):
        parts.append(Part(str(name), str(kind), (face, face + faces), (vertex, vertex + vertices)))
        face, vertex = face + faces, vertex + vertices
    u0, v0, u1, v1, size = (float(x) for x in arrays["window"])
    faces = arrays["faces"]
    return Topology(
        faces=faces,
        uvs=arrays["uvs"],
        uv_faces=faces.copy(),  # one uv per vertex: no chart has an inner seam
        vertex_count=vertex_count,
        parts=tuple(parts),
        mirror=arrays["mirror"],
        front_faces=np.arange(len(faces), dtype=np.int32),
        window=UvWindow(u0, v0, u1, v1, int(size)),
    )


@functools.cache
def load_open_pack() -> OpenPack:
    """The embedded pack, loaded once per process.

    Raises:
        ModelFileError: its file is missing or damaged.
    """
    data = read_resource(PACK_FILE)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return OpenPack({key: archive[key] for key in archive.files})
    except (ValueError, KeyError, OSError) as error:
        raise ModelFileError(
            "The embedded face model cannot be read.", "Download the program again, or restore resources/packs/open."
        ) from error
