"""Sentences of the status line, and the words of the legend."""

from __future__ import annotations

import math

from engine import relief_colours, trust
from engine.types import FaceAsset, Photo, ViewOptions

_POOR_ERROR, _POOR_FACE_SCORE = 0.05, 3.5  # where the engine's own warnings begin


def describe_face(face: FaceAsset) -> str:
    """What was made, in one line, such as: Face of anna.jpg: 27,600 vertices, reprojection error 1.8 %."""
    fit = face.fit
    error = fit.error68 if math.isfinite(fit.error68) else fit.error_dense
    parts = [f"{face.topology.vertex_count:,} vertices"]
    if math.isfinite(error):
        parts.append(f"reprojection error {100 * error:.1f} %")
    others = len(face.landmarks.others)
    if others:
        parts.append(f"{others} more {'face' if others == 1 else 'faces'} in the photo to pick from")
    sentence = f"Face of {face.photo.name}: {', '.join(parts)}."
    return " ".join([sentence, *face.warnings[:1]])


def advice(face: FaceAsset) -> tuple[str, ...]:
    """What the user can do about points that are probably wrong."""
    fit = face.fit
    error = fit.error_dense if math.isfinite(fit.error_dense) else fit.error68
    doubtful = error > _POOR_ERROR or face.landmarks.box.face_score < _POOR_FACE_SCORE
    return ("'Adjust points' moves those that are in the wrong place.",) if doubtful else ()


def first_of(count: int) -> str:
    """What became of several files at once."""
    return f"The first of {count} files was taken; for a whole folder: main.py --input FOLDER --output FOLDER."


def legend(view: ViewOptions) -> tuple[tuple[tuple[int, int, int], str], ...]:
    """The colours (sRGB) that the face wears in this view, and what they mean."""
    if view.look == "map":
        return relief_colours.LEGEND
    return trust.LEGEND if view.confidence and view.look == "texture" else ()  # the texture carries these colours


def describe_photo(photo: Photo) -> str:
    """Name and size of a photo."""
    H, W, _ = photo.image.shape
    return f"{photo.name}, {W:,} x {H:,} px"
