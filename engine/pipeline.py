"""From a photo to a FaceAsset: the stages in order."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from engine.arrays import FloatArray
from engine.detail.predictor import STATIC, DetailPredictor, DetailRequest, DetailResult
from engine.landmarks import LandmarkDetector
from engine.packs.pack import ModelPack
from engine.rasterize import uv_raster
from engine.rig import make_basis, posed_vertices
from engine.steps import scaled
from engine.types import FaceAsset, FaceBox, Fit, Landmarks, Photo, Progress, RigBasis, SkinTexture

_DEFORMATION_PX = 256

# Share of the whole at which each stage begins.
_LANDMARKS, _FIT, _TEXTURE, _DETAIL = 0.0, 0.25, 0.5, 0.75


@dataclass(frozen=True, slots=True)
class Models:
    """What the pipeline needs besides the photo: loaded once, shared by all jobs of the engine thread."""

    pack: ModelPack
    detector: LandmarkDetector


@dataclass(slots=True)
class _Clock:
    """Wall time of the stages."""

    seconds: list[tuple[str, float]] = field(default_factory=list)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds.append((stage, now - self._last))
        self._last = now


def build_face(
    photo: Photo, models: Models, *, box: FaceBox | None = None, landmarks: Landmarks | None = None
) -> Generator[Progress, None, FaceAsset]:
    """Photo -> face with its static detail map.

    Args:
        photo: the decoded picture.
        models: pack and detector.
        box: the face to take where there are several.
        landmarks: known points; detection is skipped.

    Raises:
        NoFaceFound: no face in the photo.
        ModelFileError: a model file is missing or damaged.
    """
    clock = _Clock()
    pack = models.pack
    yield Progress("Looking for the face", _LANDMARKS)
    if landmarks is None:
        landmarks = pack.landmarks(photo, models.detector, box)
    clock.lap("landmarks")
    found = yield from scaled(pack.fit(landmarks), _FIT, _TEXTURE)
    rig = make_basis(pack, found.identity)
    clock.lap("fit")
    yield Progress("Laying the photo on the face", _TEXTURE)
    texture, found, rig = pack.surface(photo, landmarks, found, rig)
    clock.lap("texture")
    yield Progress("Reading the skin's detail", _DETAIL)
    request = detail_request(pack, rig, texture, (STATIC,), found)
    static = yield from _one_map(pack.predictor(), request, "Reading the skin's detail", _DETAIL, 1.0)
    clock.lap("detail")
    yield Progress("Done", 1.0)
    return FaceAsset(
        pack=pack.name,
        topology=pack.topology,
        photo=photo,
        landmarks=landmarks,
        fit=found,
        texture=texture,
        rig=rig,
        static_map=static.map_mm,
        confidence=static.confidence,
        key_maps=(None,) * len(pack.key_weights),
        warnings=(*photo.warnings, *landmarks.warnings, *found.warnings, *pack.notes),
        seconds=tuple(clock.seconds),
    )


def add_key_maps(face: FaceAsset, models: Models, keys: Sequence[int]) -> Generator[Progress, None, FaceAsset]:
    """The same face with the wanted key maps; keys that are there already cost nothing.

    Args:
        face: a face of ``models.pack``; one of another pack, still shown after a switch, gets nothing.
        models: pack and detector.
        keys: key indices, predicted in this order; one progress report after each.
    """
    wanted = tuple(dict.fromkeys(k for k in keys if face.key_maps[k] is None))
    if not wanted or face.pack != models.pack.name:
        return face
    clock = _Clock()
    names = models.pack.key_names
    request = detail_request(models.pack, face.rig, face.texture, wanted, face.fit)
    for done, key in enumerate(wanted):
        stage = f"Detail of the expression {_spoken(names[key])}"
        yield Progress(stage, done / len(wanted))
        asked = replace(request, keys=(key,))
        result = yield from _one_map(
            models.pack.predictor(), asked, stage, done / len(wanted), (done + 1) / len(wanted)
        )
        face = face.with_map(result.key, result.map_mm)
    clock.lap("key maps")
    return replace(face, seconds=_summed(face.seconds, clock.seconds))


def _one_map(
    predictor: DetailPredictor, request: DetailRequest, stage: str, start: float, end: float
) -> Generator[Progress, None, DetailResult]:
    """The first map of a request; its shares are reported as ``start``..``end``."""
    for step in predictor.steps(request):
        if isinstance(step, DetailResult):
            return step
        yield Progress(stage, start + step * (end - start))
    raise ValueError("request.keys: expected one key")


def _spoken(key_name: str) -> str:
    return "'" + key_name.replace("_", " ") + "'"


def _summed(before: Sequence[tuple[str, float]], new: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    total = dict(before)
    for stage, seconds in new:
        total[stage] = total.get(stage, 0.0) + seconds
    return tuple(total.items())


def detail_request(
    pack: ModelPack, rig: RigBasis, texture: SkinTexture, keys: tuple[int, ...], found: Fit | None = None
) -> DetailRequest:
    """What a predictor gets to see of one face (see ``DetailRequest``); remembered for the face's further maps.

    Args:
        pack: the face's model.
        rig: the face.
        texture: the face's.
        keys: wanted maps.
        found: knows the expression in the photo; without it the photo counts as a face at rest.
    """
    return replace(_request(pack, rig, texture, found), keys=keys)


def forget_requests() -> None:
    """Let go of the pack and the face that ``detail_request`` remembers."""
    _request.cache_clear()


@lru_cache(maxsize=1)
def _request(pack: ModelPack, rig: RigBasis, texture: SkinTexture, found: Fit | None) -> DetailRequest:
    import cv2

    topology = pack.topology
    window = topology.window
    skin = uv_raster(topology, window.map_size).covered
    coarse = uv_raster(topology, _DEFORMATION_PX)
    faces = topology.faces[: topology.skin.faces[1]]
    deformation = np.stack([coarse.interpolate(posed_vertices(rig, h) - rig.neutral, faces) for h in rig.key_weights])
    worn = None if found is None else coarse.interpolate(posed_vertices(rig, found.weights) - rig.neutral, faces)
    n = window.map_size
    visibility: FloatArray = texture.visibility
    if visibility.shape[0] != n:
        visibility = np.asarray(cv2.resize(visibility, (n, n), interpolation=cv2.INTER_LINEAR), np.float32)
    return DetailRequest(
        texture=pack.window_picture(texture.image) if texture.window is None else texture.window,
        visibility=visibility.copy(),
        skin=skin.copy(),
        deformation_mm=deformation,
        position_mm=coarse.interpolate(rig.neutral, faces),
        keys=(),
        worn_mm=worn,
        photo_px_per_mm=None if found is None else found.camera.scale_px_per_mm,
    )
