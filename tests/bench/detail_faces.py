"""The faces on which ``tests.bench detail`` judges detail: invented ones of known relief, and photos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.detail.predictor import STATIC, DetailPredictor, DetailRequest
from engine.images import load_photo, photo_from_array
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import OpenPack
from engine.pipeline import Models, build_face, detail_request
from engine.training.skin.heads import Head, make_head
from engine.training.skin.person import invent_person
from engine.training.skin.samples import Sample, make_sample
from engine.types import FaceAsset
from tests.running import finish

HELD_OUT_HEADS = (5001, 5002)
HELD_OUT_SEED = 7_000_000
"""Neither appears in training, whose heads are 1001.. and 2001.. and whose examples have seeds 1 and 900001."""
GUIDE_SEED = 0
"""Of the folds that no photo can show: the one that both predictors use."""
FACE_PX = (300, 450, 650, 900, 1300, 1800)


@dataclass(frozen=True)
class KnownFace:
    """An invented face with its true relief."""

    head: Head
    sample: Sample
    request: DetailRequest
    judged: np.ndarray
    """(n, n) bool: bare skin that the photo shows."""
    texel_mm: float


def held_out_heads(pack: OpenPack) -> list[Head]:
    """Face shapes that no training saw."""
    return [make_head(pack, seed, GUIDE_SEED) for seed in HELD_OUT_HEADS]


def known_faces(heads: list[Head], count: int, keys: tuple[int, ...]) -> Iterator[KnownFace]:
    """Invented photos of invented people, of every age and resolution."""
    for i in range(count):
        rng = np.random.default_rng((HELD_OUT_SEED, i))
        yield known_face(heads[i % len(heads)], rng, keys, FACE_PX[i % len(FACE_PX)])


def known_face(
    head: Head, rng: np.random.Generator, keys: tuple[int, ...], face_px: int, age: float | None = None
) -> KnownFace:
    """One of them; ``age`` in [0, 1] if it matters."""
    person = invent_person(rng)
    if age is not None:
        person = replace(
            person,
            age=age,
            creases=0.1 + 1.1 * age,
            crease_depth=0.3 + 0.6 * age,
            fold_mm=0.06 + 0.36 * age,
            onset=0.045 - 0.03 * age,
        )
    n = len(head.skin)
    sample = make_sample(head, rng, keys, (0, 0, n), face_px, person)
    request = request_of(head, sample.texture, sample.visibility, sample.photo_px_per_mm)
    judged = (sample.visibility > 0.5) & (sample.bare > 0.8) & (sample.window.rim_mm > 3.0)
    return KnownFace(head, sample, request, judged, sample.window.texel_mm)


def request_of(head: Head, texture: np.ndarray, visibility: np.ndarray, photo_px_per_mm: float) -> DetailRequest:
    """What a predictor gets to see of an invented face."""
    skin = head.skin > 0
    request = DetailRequest(texture, visibility, skin, head.deformation_mm, head.position_mm, (STATIC,))
    return replace(request, photo_px_per_mm=photo_px_per_mm)


def maps_of(predictor: DetailPredictor, request: DetailRequest, keys: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Maps in mm by key."""
    return {result.key: result.map_mm for result in predictor.predict(replace(request, keys=keys))}


@dataclass(frozen=True)
class RealFace:
    """A photo's face with what its detail is read from."""

    name: str
    face: FaceAsset
    request: DetailRequest
    judged: np.ndarray
    """(n, n) bool: seen skin away from rims."""


class RealFaces:
    """Photos through the whole pipeline."""

    def __init__(self, pack: OpenPack, detector: LandmarkDetector) -> None:
        self._models = Models(pack, detector)

    def of(self, path: Path) -> RealFace:
        """The face of a photo."""
        face = finish(build_face(load_photo(path), self._models))[0]
        return self._real(path.name, face)

    def changed(self, real: RealFace, image: np.ndarray) -> DetailRequest:
        """The same face in a changed photo of the same size, with the landmarks of the first."""
        photo = photo_from_array(image, "changed.png")
        face = finish(build_face(photo, self._models, landmarks=real.face.landmarks))[0]
        return self._real(real.name, face).request

    def _real(self, name: str, face: FaceAsset) -> RealFace:
        from engine.fields import distance_inside

        request = detail_request(self._models.pack, face.rig, face.texture, (STATIC,), face.fit)
        inside = distance_inside(np.pad(request.skin.astype(np.uint8), 1))[1:-1, 1:-1]
        return RealFace(name, face, request, (request.visibility > 0.7) & (inside > 20))
