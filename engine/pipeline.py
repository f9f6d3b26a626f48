"""From a photo to a FaceAsset: the stages in order."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.detail.predictor import STATIC, DetailRequest
from engine.eyes import read_eyes, skin_grey, toned_eyes, with_gaze
from engine.fitting import fit
from engine.landmarks import LandmarkDetector
from engine.not_skin import not_skin
from engine.packs.pack import ModelPack
from engine.rasterize import uv_raster
from engine.rig import make_basis, pose
from engine.skin_mending import mended
from engine.types import FaceAsset, FaceBox, Landmarks, Photo, Progress, RigBasis, SkinTexture, Topology
from engine.unwrap import unwrap

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
        landmarks = models.detector.detect(photo, box)
    clock.lap("landmarks")
    fitting = fit(landmarks, pack)
    while True:
        try:
            step = next(fitting)
        except StopIteration as done:
            found = done.value
            break
        yield Progress(step.stage, _FIT + step.fraction * (_TEXTURE - _FIT))
    rig = make_basis(pack, found.identity)
    clock.lap("fit")
    yield Progress("Laying the photo on the face", _TEXTURE)
    fitted = pose(rig, found.weights)
    eyes = read_eyes(photo, landmarks, found.camera)
    painted = toned_eyes(pack.base_texture, pack.eye_charts, eyes, skin_grey(photo, landmarks))
    hidden = not_skin(photo, landmarks, found.camera)
    texture = unwrap(photo, found.camera, pack.topology, fitted.vertices, painted, not_skin=hidden)
    if pack.dense_vertices is not None:
        texture = mended(texture, pack.topology, rig.neutral, pack.dense_vertices)
    found = with_gaze(found, eyes, pack.topology, fitted.vertices)
    clock.lap("texture")
    yield Progress("Reading the skin's detail", _DETAIL)
    request = detail_request(pack.topology, rig, texture, (STATIC,))
    static = next(iter(pack.predictor().predict(request)))
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
        warnings=(*photo.warnings, *landmarks.warnings, *found.warnings),
        seconds=tuple(clock.seconds),
    )


def add_key_maps(face: FaceAsset, models: Models, keys: Sequence[int]) -> Generator[Progress, None, FaceAsset]:
    """The same face with the wanted key maps; keys that are there already cost nothing.

    Args:
        face: any face of ``models.pack``.
        models: pack and detector.
        keys: key indices, predicted in this order; one progress report after each.
    """
    wanted = tuple(dict.fromkeys(k for k in keys if face.key_maps[k] is None))
    if not wanted:
        return face
    clock = _Clock()
    names = models.pack.key_names
    yield Progress(f"Detail of the expression {_spoken(names[wanted[0]])}", 0.0)
    request = detail_request(face.topology, face.rig, face.texture, wanted)
    for done, result in enumerate(models.pack.predictor().predict(request), 1):
        face = face.with_map(result.key, result.map_mm)
        upcoming = names[wanted[min(done, len(wanted) - 1)]]
        yield Progress(f"Detail of the expression {_spoken(upcoming)}", done / len(wanted))
    clock.lap("key maps")
    return replace(face, seconds=_summed(face.seconds, clock.seconds))


def _spoken(key_name: str) -> str:
    return "'" + key_name.replace("_", " ") + "'"


def _summed(before: Sequence[tuple[str, float]], new: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    total = dict(before)
    for stage, seconds in new:
        total[stage] = total.get(stage, 0.0) + seconds
    return tuple(total.items())


def window_picture(texture: ByteArray, topology: Topology) -> ByteArray:
    """The part of the atlas that the detail maps cover, at their size: (n, n, 3) uint8 RGB."""
    import cv2

    window, size = topology.window, texture.shape[0]
    left, right = round(window.u0 * size), round(window.u1 * size)
    top, bottom = round((1 - window.v1) * size), round((1 - window.v0) * size)
    n = window.map_size
    way = cv2.INTER_AREA if right - left > n else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(texture[top:bottom, left:right], (n, n), interpolation=way), np.uint8)


def detail_request(topology: Topology, rig: RigBasis, texture: SkinTexture, keys: tuple[int, ...]) -> DetailRequest:
    """What a predictor gets to see of one face (see ``DetailRequest``); remembered for the face's further maps."""
    import cv2

    window = topology.window
    skin = uv_raster(topology, window.map_size).covered
    coarse = uv_raster(topology, _DEFORMATION_PX)
    faces = topology.faces[: topology.skin.faces[1]]
    deformation = np.stack(
        [coarse.interpolate(np.tensordot(h, rig.deltas, 1).astype(np.float32), faces) for h in rig.key_weights]
    )
    n = window.map_size
    visibility: FloatArray = texture.visibility
    if visibility.shape[0] != n:
        visibility = np.asarray(cv2.resize(visibility, (n, n), interpolation=cv2.INTER_LINEAR), np.float32)
    return DetailRequest(
        texture=window_picture(texture.image, topology),
        visibility=visibility.copy(),
        skin=skin.copy(),
        deformation_mm=deformation,
        position_mm=coarse.interpolate(rig.neutral, faces),
        keys=keys,
    )
