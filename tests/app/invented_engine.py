"""An engine without models for tests of the window and the controllers: it returns the face of tests.synthetic."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from app.engine_service import EngineService
from engine.arrays import FloatArray
from engine.errors import NoFaceFound
from engine.types import FaceAsset, FaceBox, Landmarks, Photo, Pose, Progress, RigBasis
from tests import synthetic

NO_FACE = "wall.png"
"""A photo of this name has no face."""


class InventedEngine(EngineService):
    """Counts its calls; ``hold`` makes faces wait, so that a test decides when they are done."""

    def __init__(self) -> None:
        super().__init__("open")
        self.hold = threading.Event()
        self.hold.set()
        self.faces = 0
        self.boxes: list[FaceBox | None] = []
        self.asked_keys: list[int] = []
        self.key_error: Exception | None = None
        self.click_error: Exception | None = None
        self.others: tuple[FaceBox, ...] = ()
        self.closed = False
        self.slow = False

    @property
    def slow_detail(self) -> bool:
        return self.slow

    def warm_up(self) -> Generator[Progress, None, SimpleNamespace]:
        yield Progress("Loading the face model", 0.5)
        return SimpleNamespace(title="Invented model 1.0", map_scale_mm=2.0, topology=synthetic.make_topology())

    def photo(self, path: Path) -> Photo:
        return replace(synthetic.make_photo(), name=path.name, path=path)

    def face(
        self, photo: Photo, box: FaceBox | None = None, landmarks: Landmarks | None = None
    ) -> Generator[Progress, None, FaceAsset]:
        self.boxes.append(box)
        yield Progress("Looking for the face", 0.2)
        while not self.hold.wait(0.005):
            yield Progress("Fitting the face", 0.5)
        if photo.name == NO_FACE and landmarks is None:
            raise NoFaceFound(photo.name)
        self.faces += 1
        face = replace(synthetic.make_asset(self.faces, keys=False), photo=photo)
        found = landmarks or replace(face.landmarks, others=self.others)
        return replace(face, landmarks=found, warnings=found.warnings)

    def landmarks_from_clicks(self, clicks: FloatArray) -> Generator[Progress, None, Landmarks]:
        yield Progress("Loading the face model", 1.0)
        if self.click_error is not None:
            raise self.click_error
        points = np.where(np.isfinite(clicks), clicks, np.nanmean(clicks, axis=0)).astype(np.float32)
        found = synthetic.make_asset().landmarks
        return replace(found, points68=points, by_hand=True)

    def key_maps(self, face: FaceAsset, keys: Sequence[int]) -> Generator[Progress, None, FaceAsset]:
        for key in keys:
            self.hold.wait()
            self.asked_keys.append(key)
            yield Progress("Predicting", 0.0)
            if self.key_error is not None:
                raise self.key_error
            face = face.with_map(key, synthetic.make_map(key))
        return face

    def close(self) -> None:
        self.closed = True


def invented_pose(rig: RigBasis, weights: FloatArray, exact: bool = False) -> Pose:
    """Linear mesh; key k shares in as far as its own strongest shape is there; the paper's masks: half as much."""
    share = np.zeros((len(rig.neutral), len(rig.key_weights)), np.float32)
    for key, own in enumerate(rig.key_weights):
        if own.any():
            strongest = int(own.argmax())
            share[:, key] = weights[strongest] * rig.activation[strongest] / len(rig.key_weights)
    share *= 0.5 if exact else 1.0
    share[:, 0] = 1.0 - share[:, 1:].sum(1)
    vertices = rig.neutral + np.tensordot(weights, rig.deltas, 1)
    return Pose(weights=weights.copy(), vertices=vertices.astype(np.float32), map_weights=share)
