"""The original's 68 points: dlib on a copy of the photo whose longer side has 512 px.

dlib rounds its points to whole pixels of that copy, which are several pixels of the photo. Drawn ``_ENLARGED`` times as
large with square pixels the copy shows dlib's trees the very same grey values, and the rounding gets that much finer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import ByteArray, FloatArray, IntArray
from engine.errors import NoFaceFound
from engine.landmark_dlib import DlibBox, DlibGone, DlibHelper
from engine.landmarks import LandmarkDetector
from engine.types import FaceBox, Landmarks, Photo

_SIDE_PX = 512.0
_UPSAMPLE = 1
_ENLARGED = 9
"""Odd, so that the middle of an enlarged pixel is a pixel and each sample stays in its square."""
_MARGIN = 1.0
"""Kept around dlib's box when it is enlarged, over the box: the trees look at most a quarter beyond it."""
_SAME_FACE = 0.3  # overlap of dlib's box with the dense points' box, intersection over union
_LOOKED_ELSEWHERE = (
    "The original's face detector does not see this face; its points were found another way and are less exact."
)


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """The reduced (or enlarged) copy that the original looks at."""

    image: ByteArray
    """(h, w, 3) uint8 RGB."""
    scale: float
    """Photo px per px of the copy."""

    @classmethod
    def of(cls, photo: Photo) -> Copy:
        """Bilinear, as the original makes it."""
        import cv2

        height, width = photo.image.shape[:2]
        scale = max(width, height) / _SIDE_PX
        size = (max(1, int(width / scale)), max(1, int(height / scale)))
        return cls(np.asarray(cv2.resize(photo.image, size, interpolation=cv2.INTER_LINEAR), np.uint8), scale)

    def faces(self, helper: DlibHelper) -> list[DlibBox]:
        """What dlib takes for faces, surest first. Raises DlibGone."""
        return helper.detect(np.ascontiguousarray(self.image[:, :, ::-1]), _UPSAMPLE)  # the original shows it BGR

    def points(self, helper: DlibHelper, box: DlibBox, *, exact: bool) -> FloatArray:
        """The 68 points of one face, (68, 2) float32 px of the copy: whole if ``exact``. Raises DlibGone."""
        grey = (self.image.astype(np.uint16).sum(axis=2) // 3).astype(np.uint8)  # how dlib greys colours
        corners = np.array([box.left, box.top, box.right, box.bottom], np.int32)
        if exact:
            return np.asarray(helper.predict(grey, corners[None])[0], np.float32)
        part, origin = _around(grey, corners)
        middle = (_ENLARGED - 1) // 2
        large = np.repeat(np.repeat(part, _ENLARGED, axis=0), _ENLARGED, axis=1)
        moved = (corners - np.tile(origin, 2)) * _ENLARGED + middle
        found = helper.predict(large, moved[None].astype(np.int32))[0]
        return np.asarray((found - middle) / _ENLARGED + origin, np.float32)

    def in_photo(self, box: DlibBox) -> FaceBox:
        """A box of dlib in photo px."""
        s = self.scale
        return FaceBox(s * box.left, s * box.top, s * (box.right + 1), s * (box.bottom + 1), box.score)


def _around(grey: ByteArray, corners: IntArray) -> tuple[ByteArray, IntArray]:
    """The part of the copy that dlib's trees may look at, and where it begins (2,)."""
    margin = int(_MARGIN * (corners[2] - corners[0] + 1))
    low = np.maximum(corners[:2] - margin, 0)
    high = np.minimum(corners[2:] + 1 + margin, grey.shape[::-1])
    return grey[low[1] : high[1], low[0] : high[0]], low.astype(np.int32)


def original_landmarks(
    photo: Photo, detector: LandmarkDetector, *, exact: bool = False, box: FaceBox | None = None
) -> Landmarks:
    """The landmarks of one face with the original's 68 points, in photo px.

    The original takes the face that dlib is surest of. A box of dlib that the dense network does not take for a face is
    passed over, and where dlib sees none the detector's own 68 points stand in.

    Args:
        photo: the decoded picture.
        detector: finds the dense points, and faces that dlib's detector misses.
        exact: whole pixels of the small copy, as the original has them.
        box: the face to take where there are several.

    Raises:
        NoFaceFound: there is none (in ``box``).
    """
    helper, copy = detector.dlib, Copy.of(photo)
    known = detector.faces(photo)
    try:
        for candidate in copy.faces(helper):
            seen = copy.in_photo(candidate)
            if box is not None and _overlap(seen, box) < _SAME_FACE:
                continue
            dense = _dense_of(photo, detector, known, seen)
            if dense is not None:
                points = copy.points(helper, candidate, exact=exact) * np.float32(copy.scale)
                return replace(dense, points68=points, warnings=_warnings(dense, alone=box is not None))
    except DlibGone:
        return detector.detect(photo, box)  # says in a warning that dlib is missing
    found = detector.detect(photo, box)
    return replace(found, warnings=(*found.warnings, _LOOKED_ELSEWHERE))


def _dense_of(photo: Photo, detector: LandmarkDetector, known: list[FaceBox], seen: FaceBox) -> Landmarks | None:
    """All but the 68 points for dlib's box ``seen``; None where the dense network finds no face there."""
    same = max(known, key=lambda face: _overlap(face, seen), default=seen)
    try:
        return detector.detect(photo, same if _overlap(same, seen) > _SAME_FACE else seen)
    except NoFaceFound:
        return None


def _warnings(found: Landmarks, *, alone: bool) -> tuple[str, ...]:
    """What the detector says, less what it says of its own 68 points, and that there are other faces."""
    kept = tuple(sentence for sentence in found.warnings if "68-point" not in sentence)
    if alone or not found.others:
        return kept
    more = "Another face was found" if len(found.others) == 1 else f"{len(found.others)} more faces were found"
    return (*kept, f"{more}; the clearest one is used.")


def _overlap(one: FaceBox, other: FaceBox) -> float:
    """Intersection over union."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    both = max(width, 0.0) * max(height, 0.0)
    areas = sum((face.x1 - face.x0) * (face.y1 - face.y0) for face in (one, other))
    return both / max(areas - both, 1e-9)
