"""What the controllers ask of the engine: its generators, with the models loaded when first needed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from app.torch_loading import load_torch_aside
from engine.arrays import FloatArray
from engine.packs.facescape.switches import DetailSwitches
from engine.steps import scaled
from engine.types import FaceAsset, FaceBox, Landmarks, Photo, Progress

if TYPE_CHECKING:  # the engine's stages import OpenCV and SciPy: the window comes first
    from engine.landmarks import LandmarkDetector
    from engine.packs.pack import ModelPack
    from engine.pipeline import Models

_Result = TypeVar("_Result")

_AS_ORIGINAL = DetailSwitches()
_LOOK_S = 0.03  # between two looks whether torch has been loaded
_LOADING_SHARE = 0.1  # of the progress bar, the first time
_LATE_MODULES = (
    "cv2",
    "PIL.Image",
    "scipy.fft",
    "scipy.linalg.blas",
    "scipy.special",
    "engine.detail.wrinkles",
    "engine.eyes",
    "engine.unwrap",
)
"""Imported only where they are needed, so that the start is quick: loaded ahead of the first photo."""


class EngineService:
    """Pack and detector, loaded on the engine thread. All methods but ``close`` belong to that thread.

    Loading happens in whole pieces between two ``yield`` s, so that two generators that are stepped in turns can both
    ask for the models.
    """

    def __init__(
        self, pack_name: str = "open", *, exact: bool = False, switches: DetailSwitches = _AS_ORIGINAL
    ) -> None:
        """Load nothing yet.

        Args:
            pack_name: 'open' or 'facescape'.
            exact: the FaceScape pack follows the original to the letter.
            switches: how its networks make the maps.
        """
        self.pack_name = pack_name
        self.exact = exact
        self.switches = switches
        self._pack: ModelPack | None = None
        self._detector: LandmarkDetector | None = None

    @property
    def slow_detail(self) -> bool:
        """Whether a map of this pack takes seconds."""
        return self._pack is not None and self._pack.slow_detail

    @property
    def has_key_maps(self) -> bool:
        """Whether this pack can make the maps of the key expressions."""
        return self._pack is None or self._pack.has_key_maps

    def use_pack(self, name: str, switches: DetailSwitches | None = None) -> Generator[Progress, None, ModelPack]:
        """Load another pack, or this one with other switches, and let go of this one; on failure this one stays.

        Raises:
            ModelFileError: nothing is imported under that name, or a file is missing or damaged.
        """
        yield Progress("Loading the face model", 0.0)
        switches = self.switches if switches is None else switches
        pack = _load_pack(name, self.exact, switches)
        self._forget()
        self.pack_name, self.switches, self._pack = name, switches, pack
        return (yield from self.warm_up())

    def let_go(self) -> Generator[Progress, None, None]:
        """Close the pack's files; it is loaded again when it is next needed."""
        yield Progress("Closing the face model", 0.0)
        self._forget()

    def _forget(self) -> None:
        self._pack = None
        if "engine.pipeline" in sys.modules:  # it remembers what the predictor got to see
            from engine.pipeline import forget_requests

            forget_requests()

    def warm_up(self) -> Generator[Progress, None, ModelPack]:
        """Load everything that the first photo needs."""
        from engine.detail.learned import learned_detail_ships

        aside = load_torch_aside() if self.pack_name != "open" or learned_detail_ships() else None
        pack = (yield from self.models()).pack
        for number, name in enumerate(_LATE_MODULES):
            yield Progress("Loading the face model", number / len(_LATE_MODULES))
            importlib.import_module(name)
        from engine.render.mesh import mesh_tables

        mesh_tables(pack.topology)  # kept there: the window's thread then finds them ready
        while aside is not None and aside.is_alive():  # a photo that is opened meanwhile goes first
            yield Progress("Loading the detail network", 0.9)
            aside.join(_LOOK_S)
        if aside is not None and not pack.slow_detail:
            pack.predictor()
        return pack

    def models(self) -> Generator[Progress, None, Models]:
        """Pack and detector; costs nothing once they are there.

        Raises:
            ModelFileError: a file of the pack or of the detector is missing or damaged.
        """
        if self._detector is None:
            yield Progress("Starting the face detector", 0.0)
            from engine.landmarks import LandmarkDetector

            detector = LandmarkDetector()
            detector.start()
            self._detector = detector
        if self._pack is None:
            yield Progress("Loading the face model", 0.3)
            self._pack = _load_pack(self.pack_name, self.exact, self.switches)
        yield Progress("Loading the face model", 1.0)
        from engine.pipeline import Models

        return Models(pack=self._pack, detector=self._detector)

    def photo(self, path: Path) -> Photo:
        """Decode a file.

        Raises:
            UnreadableImage: it is no picture, or too large.
        """
        from engine.images import load_photo

        return load_photo(path)

    def face(
        self, photo: Photo, box: FaceBox | None = None, landmarks: Landmarks | None = None
    ) -> Generator[Progress, None, FaceAsset]:
        """Photo -> face with its static map; the key maps are still to come."""
        first_time = self._pack is None
        models = yield from scaled(self.models(), 0.0, _LOADING_SHARE if first_time else 0.0)
        from engine.pipeline import build_face

        steps = build_face(photo, models, box=box, landmarks=landmarks)
        return (yield from scaled(steps, _LOADING_SHARE if first_time else 0.0, 1.0))

    def landmarks_from_clicks(self, clicks: FloatArray) -> Generator[Progress, None, Landmarks]:
        """All points of a face from a few clicks, (68, 2) float32 in iBUG order, NaN where there is none."""
        models = yield from self.models()
        from engine.hand_points import predicted_landmarks

        pack = models.pack
        if pack.dense_vertices is None:  # the embedded model maps all points
            pack = _load_pack("open")
        return predicted_landmarks(clicks, pack)

    def key_maps(self, face: FaceAsset, keys: Sequence[int]) -> Generator[Progress, None, FaceAsset]:
        """The same face with the wanted key maps."""
        models = yield from self.models()
        from engine.pipeline import add_key_maps

        return (yield from add_key_maps(face, models, keys))

    def close(self) -> None:
        """End the detector's helper process and close the pack's files. Call it when no generator runs any more."""
        self._forget()
        if self._detector is not None:
            self._detector.close()
            self._detector = None


def _load_pack(name: str, exact: bool = False, switches: DetailSwitches = _AS_ORIGINAL) -> ModelPack:
    if name == "facescape":
        from engine.packs.facescape.model import load_facescape_pack

        return load_facescape_pack(exact=exact, switches=switches)
    from engine.packs.open_pack import load_open_pack

    return load_open_pack()
