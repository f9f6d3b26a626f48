"""What the controllers ask of the engine: its generators, with the models loaded when first needed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.arrays import FloatArray
from engine.detail.predictor import DetailRequest
from engine.errors import ModelFileError
from engine.steps import scaled
from engine.types import FaceAsset, FaceBox, Landmarks, Photo, Progress, RigBasis, SkinTexture

if TYPE_CHECKING:  # the engine's stages import OpenCV and SciPy: the window comes first
    from engine.landmarks import LandmarkDetector
    from engine.packs.pack import ModelPack
    from engine.pipeline import Models

_Result = TypeVar("_Result")

_LOADING_SHARE = 0.1  # of the progress bar, the first time


class EngineService:
    """Pack and detector, loaded on the engine thread. All methods but ``close`` belong to that thread.

    Loading happens in whole pieces between two ``yield`` s, so that two generators that are stepped in turns can both
    ask for the models.
    """

    def __init__(self, pack_name: str = "open") -> None:
        self.pack_name = pack_name
        self._pack: ModelPack | None = None
        self._detector: LandmarkDetector | None = None
        self._request: tuple[RigBasis, SkinTexture, DetailRequest] | None = None

    def warm_up(self) -> Generator[Progress, None, ModelPack]:
        """Load everything that the first photo needs."""
        pack = (yield from self.models()).pack
        from engine.render.mesh import mesh_tables

        mesh_tables(pack.topology)  # kept there: the window's thread then finds them ready
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
            self._pack = _load_pack(self.pack_name)
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
        request = self._detail_request(face)
        for key in keys:
            yield Progress("Adding expression detail", 0.0)
            for result in models.pack.predictor().predict(replace(request, keys=(key,))):
                face = face.with_map(result.key, result.map_mm)
        return face

    def _detail_request(self, face: FaceAsset) -> DetailRequest:
        """What the predictor looks at, made once per face: maps are asked for one by one."""
        if self._request is None or self._request[0] is not face.rig or self._request[1] is not face.texture:
            from engine.pipeline import detail_request

            self._request = (face.rig, face.texture, detail_request(face.topology, face.rig, face.texture, ()))
        return self._request[2]

    def close(self) -> None:
        """End the detector's helper process. Call it when no generator runs any more."""
        if self._detector is not None:
            self._detector.close()
            self._detector = None


def _load_pack(name: str) -> ModelPack:
    if name != "open":
        raise ModelFileError(f"The model pack '{name}' is not installed.", "Start with the open pack: --pack open.")
    from engine.packs.open_pack import load_open_pack

    return load_open_pack()
