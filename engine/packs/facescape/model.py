"""The imported FaceScape files as a model pack: the front mesh of the original, with a fit of its own."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import camera as cameras
from engine import expressions
from engine.arrays import ByteArray, DoubleArray, FloatArray, IntArray
from engine.detail.map_cache import MapCache
from engine.detail.map_cache import default_folder as cache_folder
from engine.detail.predictor import DetailPredictor
from engine.errors import PhotoError
from engine.fit_points import HALF_PX
from engine.fitting import fit_warnings
from engine.landmarks import LandmarkDetector
from engine.packs.facescape import model_core
from engine.packs.facescape.contour import candidates
from engine.packs.facescape.data import FaceScapeData, default_folder, load
from engine.packs.facescape.exact_files import ExactFiles
from engine.packs.facescape.exact_landmarks import original_landmarks
from engine.packs.facescape.fit import Solution, solve
from engine.packs.facescape.switches import DetailSwitches, offered_with
from engine.packs.facescape.texture import network_crop, unwrap_surface
from engine.packs.facescape.texture_exact import ExactTexture
from engine.packs.facescape.texture_topology import front_topology
from engine.rig import posed_vertices
from engine.types import (
    Corrective,
    Eyeball,
    EyeChart,
    FaceBox,
    Fit,
    Landmarks,
    Photo,
    Progress,
    RigBasis,
    SkinTexture,
    ViewOptions,
    WeakPerspective,
)

if TYPE_CHECKING:
    from engine.export.results import FileFormats

MAP_SCALE_MM = 0.914
"""Depth at full white of the original's maps."""
_EYE_OUTER = [36, 45]
_LIGHT_ELEVATION_DEG = 30.0  # from straight ahead, as the original has it, wrinkles hardly show
_NO_NETWORK = "FaceScape's detail networks are not imported: the detail is estimated from the photo's shading instead."
_PREVIEW = "The detail is a preview: the network saw the photo at half its size."
_AS_ORIGINAL = DetailSwitches()


class FaceScapePack:
    """The original's model (see ``engine.packs.pack.ModelPack``). Vertices are those of its front mesh.

    The fit works on the whole head, of which the front mesh is a part; ``data`` has it.
    """

    name = "facescape"
    title = "FaceScape"
    version = "1.0 topology"
    map_scale_mm = MAP_SCALE_MM
    dense_vertices: IntArray | None = None
    eye_charts: tuple[EyeChart, ...] = ()

    slow_detail = True
    photo_view = ViewOptions(look="clay", light_azimuth_deg=0.0, light_elevation_deg=_LIGHT_ELEVATION_DEG)

    def __init__(
        self,
        data: FaceScapeData,
        detail: DetailPredictor | None = None,
        *,
        exact: bool = False,
        switches: DetailSwitches = _AS_ORIGINAL,
    ) -> None:
        """Build the pack over imported files.

        Args:
            data: the files.
            detail: the predictor to use; None takes the networks on the best device, with maps kept between runs.
            exact: whole-pixel landmarks, the smeared texture and the files of the original.
            switches: how the networks make the maps; what the imported files do not offer is passed over.
        """
        self.data = data
        self._exact = exact
        self.formats: FileFormats | None = ExactFiles(data) if exact else None
        parts = {*data.checkpoints, *(() if data.position_maps is None else ("position_maps",))}
        self._switches = switches.among(offered_with(parts))
        self.has_key_maps = not data.checkpoints or {"rig", "position_maps"} <= parts
        self.notes: tuple[str, ...] = () if data.checkpoints else (_NO_NETWORK,)
        if self._switches.preview:
            self.notes += (_PREVIEW,)
        self.topology = front_topology(data)
        self.identity_mean: FloatArray = data.id_mean.astype(np.float32)
        self.identity_sd: FloatArray = np.sqrt(data.id_var).astype(np.float32)
        self.key_weights = expressions.key_weights()
        self.key_names = expressions.KEY_NAMES
        self.base_texture: ByteArray = np.zeros((4, 4, 3), np.uint8)  # black around the skin, as the original's
        self._front = np.full(data.vertex_count + 1, -1, np.int32)  # the last entry answers for -1
        self._front[data.front_vertices] = np.arange(len(data.front_vertices), dtype=np.int32)
        self.landmark_vertices: IntArray = self._front[data.landmark_vertices]
        in_front = (self._front[line] for line in candidates(data))
        self.contour_candidates: tuple[IntArray, ...] = tuple(line[line >= 0] for line in in_front)
        self._last_person: tuple[bytes, FloatArray] | None = None
        self._predictor = detail
        self._painter: ExactTexture | None = None

    def landmarks(self, photo: Photo, detector: LandmarkDetector, box: FaceBox | None = None) -> Landmarks:
        """The original's 68 points with the detector's dense ones (see ``original_landmarks``).

        Raises:
            NoFaceFound: no face in the photo (in ``box``).
        """
        return original_landmarks(photo, detector, exact=self._exact, box=box)

    def fit(self, landmarks: Landmarks) -> Generator[Progress, None, Fit]:
        """Pose, identity and expression by the original's costs, from the 68 points alone.

        Raises:
            PhotoError: there are no 68 points, or they lie in one place.
        """
        if landmarks.points68 is None:
            raise PhotoError(
                "This face has no 68 landmarks, which the FaceScape model needs.",
                "Use a more frontal photo, place the points by hand, or take the open face model.",
            )
        found = yield from solve(self.data, landmarks.points68 + HALF_PX)
        return self._as_fit(found, landmarks.points68)

    def _as_fit(self, found: Solution, points68: FloatArray) -> Fit:
        camera = WeakPerspective(
            rotation=cameras.rotation_vector(found.view.turn).astype(np.float32),
            scale_px_per_mm=found.view.scale,
            translation_px=(found.view.shift * (1.0, -1.0)).astype(np.float32),
        )
        eyes = float(np.linalg.norm(np.subtract(*points68[_EYE_OUTER])))
        error = float(np.nanmean(found.distances_px)) / eyes
        yaw = cameras.yaw_deg(camera)
        return Fit(
            camera=camera,
            identity=found.identity.astype(np.float32),
            expression=found.expression.astype(np.float32),
            landmark_vertices=self._front[found.landmark_vertices],
            error68=error,
            error_dense=float("nan"),
            yaw_deg=yaw,
            warnings=fit_warnings(yaw, error),
        )

    def bilinear(self, vertices: IntArray) -> tuple[FloatArray, FloatArray]:
        """Rows of the model for front vertices: mean (n, 3, E), which is zero, and core (n, 3, E, I), float32 mm.

        Raises:
            ValueError: a vertex does not belong to the front mesh.
        """
        rows = np.asarray(vertices)
        if len(rows) and (rows.min() < 0 or rows.max() >= self.topology.vertex_count):
            raise ValueError("vertices: expected vertices of the front mesh")
        part = model_core.gathered(self.data.core, self.data.front_vertices[rows])
        core = model_core.as_rows(part)
        return np.zeros(core.shape[:3], np.float32), core

    def shapes(self, identity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Neutral (V, 3) and shape-minus-neutral (51, V, 3) of one person on the front mesh, float32 mm."""
        front = self._person(identity)[:, self.data.front_vertices]
        return front[0].copy(), front[1:].copy()

    def head(self, identity: FloatArray, expression: FloatArray) -> FloatArray:
        """The whole head of one person in one expression (E,): (n, 3) float32 mm, in the original's order."""
        return np.asarray(np.tensordot(expression, self._person(identity), 1), np.float32)

    def correctives(self, identity: FloatArray) -> tuple[Corrective, ...]:
        """None: the original's model is linear in the weights."""
        return ()

    def eyeballs(self, identity: FloatArray) -> tuple[Eyeball, ...]:
        """None: the original's front mesh has no eyeballs."""
        return ()

    def surface(
        self, photo: Photo, landmarks: Landmarks, found: Fit, rig: RigBasis
    ) -> tuple[SkinTexture, Fit, RigBasis]:
        """The 4096 texture: sub-pixel with visibility and fill, or with ``exact`` the original's."""
        seen = unwrap_surface(photo, found.camera, self.topology, posed_vertices(rig, found.weights))
        if not self._exact:
            return seen, found, rig
        if self._painter is None:
            self._painter = ExactTexture(self.data)
        head = self.head(found.identity, found.expression)
        painted = self._painter.paint(photo.image, points_of_original(found.camera, head, photo.image.shape[0]))
        return SkinTexture(painted, seen.visibility), found, rig

    def window_picture(self, texture: ByteArray) -> ByteArray:
        """What the network sees of a texture, before the colour transfer: (1024, 1024, 3) uint8 RGB."""
        return network_crop(texture)

    def predictor(self) -> DetailPredictor:
        """The networks of the original; where none is imported, the photometric method (``notes`` says so)."""
        if self._predictor is None:
            if self.data.checkpoints:
                from engine.packs.facescape.network_predictor import NetworkPredictor

                cache = MapCache(cache_folder(self.name))
                self._predictor = NetworkPredictor(self.data, cache=cache, switches=self._switches)
            else:
                from engine.detail.photometric import PhotometricPredictor

                self._predictor = PhotometricPredictor()
        return self._predictor

    def _person(self, identity: FloatArray) -> FloatArray:
        """All shapes of the whole head (E, n, 3); the last person's are kept, because all stages ask for them."""
        key = identity.astype(np.float32).tobytes()
        last = self._last_person
        if last is None or last[0] != key:
            last = self._last_person = (key, model_core.person_shapes(self.data.core, identity))
        return last[1]


def points_of_original(camera: WeakPerspective, vertices: FloatArray, photo_height: int) -> DoubleArray:
    """Where the original sees vertices (n, 3): (n, 2) float64 px, y up, whole numbers at the middle of a pixel."""
    turned = vertices.astype(np.float64) @ cameras.rotation_matrix(camera.rotation)[:2].T
    shift = camera.translation_px.astype(np.float64) - float(HALF_PX)
    return np.asarray(camera.scale_px_per_mm * turned + (shift[0], photo_height - shift[1]))


def load_facescape_pack(
    folder: Path | None = None, *, exact: bool = False, switches: DetailSwitches = _AS_ORIGINAL
) -> FaceScapePack:
    """The imported pack.

    Args:
        folder: where it lies; this user's if None.
        exact: follow the original to the letter.
        switches: how the networks make the maps.

    Raises:
        ModelFileError: nothing is imported there, or a file of it is missing or damaged.
    """
    return FaceScapePack(load(folder or default_folder()), exact=exact, switches=switches)
