"""From a photo to a FaceAsset: the stages in order. (Signatures fixed; bodies follow.)"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from engine.landmarks import LandmarkDetector
from engine.packs.pack import ModelPack
from engine.types import FaceAsset, FaceBox, Landmarks, Photo, Progress


@dataclass(frozen=True, slots=True)
class Models:
    """What the pipeline needs besides the photo: loaded once, shared by all jobs of the engine thread."""

    pack: ModelPack
    detector: LandmarkDetector


def build_face(
    photo: Photo, models: Models, *, box: FaceBox | None = None, landmarks: Landmarks | None = None
) -> Generator[Progress, None, FaceAsset]:
    """Photo -> face with its static detail map. ``box`` picks a face, ``landmarks`` skips detection."""
    raise NotImplementedError


def add_key_maps(face: FaceAsset, models: Models, keys: Sequence[int]) -> Generator[Progress, None, FaceAsset]:
    """The same face with the wanted key maps; keys that are there already cost nothing."""
    raise NotImplementedError
