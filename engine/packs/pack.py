"""The contract behind which a face model stands."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Protocol

from engine.arrays import ByteArray, FloatArray, IntArray
from engine.detail.predictor import DetailPredictor
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
    Topology,
    ViewOptions,
)

if TYPE_CHECKING:
    from engine.export.results import FileFormats
    from engine.landmarks import LandmarkDetector


class ModelPack(Protocol):
    """One face model with its landmark maps, key expressions and detail predictor. Immutable after loading."""

    def __hash__(self) -> int:
        """By identity: results are remembered per pack."""
        ...

    name: str
    """'open' or 'facescape': the ``--pack`` value."""
    title: str
    """For the window and the reports."""
    version: str
    topology: Topology
    identity_mean: FloatArray
    """(I,) float32: prior mean of the identity coefficients."""
    identity_sd: FloatArray
    """(I,) float32: prior standard deviations."""
    key_weights: FloatArray
    """(K, 51) float32."""
    key_names: tuple[str, ...]
    map_scale_mm: float
    """Depth at full white of an exported 16-bit map: value = 32768 + mm / scale * 32768."""
    base_texture: ByteArray
    """(S, S, 3) uint8 RGB of the whole UV square: eyes, mouth and an average skin."""

    eye_charts: tuple[EyeChart, ...]
    """Eyeballs in the texture, the person's right eye first; empty where the model has none."""

    landmark_vertices: IntArray
    """(68,) int32: vertex of each iBUG point in a frontal view, -1 where the model has none."""
    contour_candidates: tuple[IntArray, ...]
    """17 arrays: vertices among which the visible contour point of jaw landmark 0..16 is chosen."""
    dense_vertices: IntArray | None
    """(468,) int32: vertex of each dense landmark, None where the pack has no such map."""

    def bilinear(self, vertices: IntArray) -> tuple[FloatArray, FloatArray]:
        """Rows of the model for a few vertices, as the solver needs them.

        Returns:
            mean: (n, 3, E) float32 mm, and core: (n, 3, E, I) float32, so that
            positions = (mean + core @ identity) @ expression.
        """
        ...

    def shapes(self, identity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Neutral (V, 3) and shape-minus-neutral (51, V, 3) of one person, float32 mm."""
        ...

    def correctives(self, identity: FloatArray) -> tuple[Corrective, ...]:
        """What combinations of shapes need beside their sum, for one person; empty where the model is plainly linear."""
        ...

    def eyeballs(self, identity: FloatArray) -> tuple[Eyeball, ...]:
        """The parts that turn rigidly with the gaze, for one person."""
        ...

    def predictor(self) -> DetailPredictor:
        """The detail predictor, loaded when first asked for: always the same one."""
        ...

    # The stages of the pipeline that a model does in its own way.

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that belong into every result: what the pack had to do without."""
        ...

    slow_detail: bool
    """A map takes seconds: the window makes those that an expression shows, and no others."""
    has_key_maps: bool
    """Whether maps of the key expressions can be made; the neutral or static map stands in for them elsewhere."""
    photo_view: ViewOptions
    """How the face is drawn over its photo."""
    formats: FileFormats | None
    """Files laid out in a way of the pack's own; None for the usual one."""

    def landmarks(self, photo: Photo, detector: LandmarkDetector, box: FaceBox | None) -> Landmarks:
        """The points that ``fit`` wants.

        Raises:
            NoFaceFound: no face in the photo (in ``box``).
        """
        ...

    def fit(self, landmarks: Landmarks) -> Generator[Progress, None, Fit]:
        """Pose, identity and expression; fractions of the progress from 0 to 1.

        Raises:
            PhotoError: the points do not suffice.
        """
        ...

    def surface(
        self, photo: Photo, landmarks: Landmarks, found: Fit, rig: RigBasis
    ) -> tuple[SkinTexture, Fit, RigBasis]:
        """The photo on the person's mesh in the photo's expression; the fit and the rig with the gaze and the teeth found."""
        ...

    def window_picture(self, texture: ByteArray) -> ByteArray:
        """The part of a texture that the detail maps cover, at their size: (n, n, 3) uint8 RGB."""
        ...
