"""Finds faces in a photo, and the landmarks of one of them: 468 dense points and, through dlib, the 68 iBUG points."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from engine.arrays import ByteArray, DoubleArray, FloatArray
from engine.errors import NoFaceFound
from engine.images import resize_area
from engine.landmark_boxes import Candidate, ShortRangeDetector, without_doubles
from engine.landmark_crops import CROP_MARGIN, Crop, crop_around
from engine.landmark_dense import DenseNetwork
from engine.landmark_dlib import DlibBox, DlibGone, DlibHelper
from engine.landmark_ibug import DLIB_RISE, DLIB_SIZE, ibug_points
from engine.types import FaceBox, Landmarks, Photo

MIN_FACE_PX = 40
"""Faces narrower than this are not reliably found."""
SMALL_FACE_PX = 120
"""Below this width a warning says that there is little detail to read."""

_SEARCH_SIDE_PX = 1600  # of the copy that the short-range detector searches
_DLIB_SIDE_PX, _DLIB_FINE_SIDE_PX = 640, 1000
_QUARTER_TURNS = (0.5 * math.pi, math.pi, -0.5 * math.pi)
_MAX_CANDIDATES = 24
_SURE_FACE_SCORE = 3.5  # cut and tiny faces score +11..+29, turned ones +4..+20; a cat, rockets and curtains up to +3.3
_CERTAIN_FACE_SCORE = 10.0  # no need to look for heads that lie on their side
_SURE_SCORE = 0.65  # of the detector, where the dense network is not sure
_HAND_MIN_SCORE = -4.0  # a marked area is believed down to here; noise and texture score -8 and less
_SAME_FACE = 0.3
_SECOND_TRIES = ({"scale": 0.85}, {"scale": 0.85, "roll": 0.35}, {"scale": 0.85, "roll": -0.35})  # for turned heads


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """A confirmed face."""

    box: FaceBox
    crop: Crop


class LandmarkDetector:
    """All detectors behind one door. Owns the dlib helper process; use as a context manager or call ``close``."""

    def __init__(self, helper: DlibHelper | None = None) -> None:
        self._dlib = helper or DlibHelper()
        self._dense = DenseNetwork()
        self._short = ShortRangeDetector()
        self._last: tuple[str, list[_Face]] | None = None

    @property
    def dlib(self) -> DlibHelper:
        """The helper process, for packs that ask dlib themselves."""
        return self._dlib

    def start(self) -> None:
        """Start loading dlib in its own process; returns at once."""
        self._dlib.start()

    def close(self) -> None:
        """End the helper process; until ``start`` is called again, faces are found without dlib."""
        self._dlib.close()

    def __enter__(self) -> LandmarkDetector:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def faces(self, photo: Photo) -> list[FaceBox]:
        """All faces of the photo, best (large and certain) first; empty where there is none."""
        return [face.box for face in self._find(photo)]

    def detect(self, photo: Photo, box: FaceBox | None = None) -> Landmarks:
        """Landmarks of the best face, or of the one in ``box``.

        Args:
            photo: upright or not; the head may be rolled in any way.
            box: one of ``faces(photo)``, or an area that the user marked.

        Raises:
            NoFaceFound: there is none (in ``box``).
        """
        found = self._find(photo)
        chosen = (found[0] if found else None) if box is None else self._face_in(photo.image, box, found)
        if chosen is None:
            error = NoFaceFound(photo.name)
            error.hint = f"{error.hint} It has to be at least about {MIN_FACE_PX} px wide."
            raise error
        dense = self._dense.averaged(photo.image, chosen.crop)
        crop = crop_around(dense)
        points68, problem = ibug_points(self._dlib, photo.image, crop, dense)
        refined = _box_around(dense, chosen.box.score, self._dense.score(photo.image, crop))
        others = tuple(f.box for f in found if f is not chosen and f.crop.overlap(crop) < _SAME_FACE)
        warnings = _warnings(photo.image, dense, refined, len(others) if box is None else 0)
        return Landmarks(dense, points68, refined, others, (*warnings, *problem))

    def _find(self, photo: Photo) -> list[_Face]:
        key = f"{photo.sha256} {photo.image.shape}"
        if self._last is None or self._last[0] != key:
            self._last = (key, self._search(photo.image))
        return self._last[1]

    def _search(self, image: ByteArray) -> list[_Face]:
        """Sure faces, best first; where there is none, the best doubtful one."""
        faces: list[_Face] = []
        looks = (
            (self._first_look, _CERTAIN_FACE_SCORE),
            (self._rolled_look, _SURE_FACE_SCORE),
            (self._fine_look, _SURE_FACE_SCORE),
        )
        for look, enough in looks:
            faces = _distinct([*faces, *self._confirmed(image, look(image))])
            if any(face.box.face_score > enough for face in faces):
                break
        sure = [face for face in faces if face.box.face_score > _SURE_FACE_SCORE]
        return sure or [face for face in faces if face.box.score > _SURE_SCORE][:1]

    def _first_look(self, image: ByteArray) -> list[Candidate]:
        """Upright faces of usual size; dlib looks at the same time in its own process."""
        with ThreadPoolExecutor(1) as beside:
            boxes = beside.submit(self._dlib_candidates, image, _DLIB_SIDE_PX)
            return [*self._short_candidates(image), *boxes.result()]

    def _rolled_look(self, image: ByteArray) -> list[Candidate]:
        """Pictures that lie on their side or stand on their head."""
        return self._short_candidates(image, rolls=_QUARTER_TURNS)

    def _fine_look(self, image: ByteArray) -> list[Candidate]:
        """Small faces."""
        with ThreadPoolExecutor(1) as beside:
            boxes = beside.submit(self._dlib_candidates, image, _DLIB_FINE_SIDE_PX)
            return [*self._short_candidates(image, fine=True), *boxes.result()]

    def _short_candidates(
        self, image: ByteArray, *, fine: bool = False, rolls: tuple[float, ...] = (0.0,)
    ) -> list[Candidate]:
        small, scale = _reduced(image, _SEARCH_SIDE_PX)
        return [_enlarged(candidate, scale) for candidate in self._short.search(small, fine=fine, rolls=rolls)]

    def _dlib_candidates(self, image: ByteArray, side: int) -> list[Candidate]:
        small, scale = _reduced(image, side)
        try:
            return [_enlarged(_candidate_of(box), scale) for box in self._dlib.detect(small, upsample=1)]
        except DlibGone:
            return []

    def _confirmed(self, image: ByteArray, candidates: list[Candidate]) -> list[_Face]:
        """Those that the dense network does not refuse."""
        faces: list[_Face] = []
        for candidate in without_doubles(candidates)[:_MAX_CANDIDATES]:
            points, crop, face_score = self._settled(image, candidate.crop)
            if face_score > 0.0:
                faces.append(_Face(_box_around(points, candidate.score, face_score), crop))
        return faces

    def _settled(self, image: ByteArray, start: Crop) -> tuple[DoubleArray, Crop, float]:
        """The dense network's points, crop and score; a doubtful start is tried tighter and tilted as well."""
        best = self._dense.settle(image, start)
        if _HAND_MIN_SCORE < best[2] < _SURE_FACE_SCORE:
            neighbours = [self._dense.settle(image, start.changed(**change), rounds=3) for change in _SECOND_TRIES]
            best = max(best, *neighbours, key=lambda result: result[2])
        return best

    def _face_in(self, image: ByteArray, box: FaceBox, found: list[_Face]) -> _Face | None:
        """The face that ``box`` names or roughly encloses, whichever way up it is."""
        for face in found:
            if face.box == box:
                return face
        side = max(box.x1 - box.x0, box.y1 - box.y0, 1.0)
        marked = Crop((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, side, 0.0)
        trials: list[tuple[float, Crop, DoubleArray]] = []
        for roll in (0.0, *_QUARTER_TURNS):
            seen = self._short.search_square(image, marked.changed(scale=1.2, roll=roll))
            best = max(seen, key=lambda c: c.score, default=None)
            for start in (marked.changed(scale=CROP_MARGIN, roll=roll), *([best.crop] if best else [])):
                points, crop, face_score = self._dense.settle(image, start, rounds=3)
                if marked.overlap(crop.changed(scale=1 / CROP_MARGIN)) > _SAME_FACE / 2:
                    trials.append((face_score, crop, points))
        face_score, crop, points = max(trials, key=lambda t: t[0], default=(-math.inf, marked, np.zeros((1, 2))))
        return _Face(_box_around(points, box.score, face_score), crop) if face_score > _HAND_MIN_SCORE else None


def _reduced(image: ByteArray, side: int) -> tuple[ByteArray, float]:
    """A copy of at most ``side`` px, and how many photo px one of its pixels covers."""
    scale = max(1.0, max(image.shape[:2]) / side)
    return (resize_area(image, 1 / scale) if scale > 1.0 else image), scale


def _enlarged(candidate: Candidate, scale: float) -> Candidate:
    """From px of a reduced copy to photo px."""
    crop = candidate.crop
    moved = Crop((crop.x + 0.5) * scale - 0.5, (crop.y + 0.5) * scale - 0.5, crop.side * scale, crop.roll)
    return Candidate(moved, candidate.score)


def _candidate_of(box: DlibBox) -> Candidate:
    side = (box.right - box.left + 1) / DLIB_SIZE
    middle_y = (box.top + box.bottom) / 2 + DLIB_RISE * side
    return Candidate(Crop((box.left + box.right) / 2, middle_y, CROP_MARGIN * side, 0.0), box.score)


def _box_around(points: FloatArray | DoubleArray, score: float, face_score: float) -> FaceBox:
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return FaceBox(x0, y0, x1, y1, score, face_score)


def _rank(face: _Face) -> float:
    """Large faces first, but a doubtful one counts for less than its size."""
    return face.crop.side * min(1.0, max(0.2, face.box.face_score / 10.0))


def _distinct(faces: list[_Face]) -> list[_Face]:
    """Each face once, best first."""
    kept: list[_Face] = []
    for face in sorted(faces, key=_rank, reverse=True):
        if not any(face.crop.overlap(other.crop) > _SAME_FACE or _is_part(face, other) for other in kept):
            kept.append(face)
    return kept


def _is_part(face: _Face, other: _Face) -> bool:
    """A smaller 'face' whose middle lies on a larger one: an eye and a brow look a little like a face."""
    apart = max(abs(face.crop.x - other.crop.x), abs(face.crop.y - other.crop.y))
    return face.crop.side < 0.7 * other.crop.side and apart < 0.5 * other.crop.side / CROP_MARGIN


def _warnings(image: ByteArray, dense: FloatArray, box: FaceBox, others: int) -> tuple[str, ...]:
    """What about this face the user should know."""
    height, width = image.shape[:2]
    notes = []
    outside = (dense[:, 0] < -0.5) | (dense[:, 1] < -0.5) | (dense[:, 0] > width - 0.5) | (dense[:, 1] > height - 0.5)
    if outside.any():
        notes.append("The face is cut by the picture's border; the missing part is guessed.")
    if box.face_score < _SURE_FACE_SCORE:
        notes.append("This hardly looks like a face; check the points.")
    if box.x1 - box.x0 < SMALL_FACE_PX:
        notes.append(f"The face is small ({box.x1 - box.x0:.0f} px wide): little detail can be read from it.")
    if others:
        more = "Another face was found" if others == 1 else f"{others} more faces were found"
        notes.append(f"{more}; the largest clear one is used.")
    return tuple(notes)
