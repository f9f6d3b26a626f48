"""What of a face the photo shows: skin that is seen, stretched or invented, and its colours over texture and map."""

from __future__ import annotations

import numpy as np

from engine.arrays import ByteArray, FloatArray, check
from engine.rasterize import uv_raster
from engine.types import FaceAsset

OFF_SKIN, SEEN, STRETCHED, INVENTED = range(4)

COLOURS: dict[int, tuple[int, int, int]] = {SEEN: (0, 158, 115), STRETCHED: (240, 190, 40), INVENTED: (213, 94, 160)}
"""sRGB; they differ in lightness too, for eyes that mix up hues.

Source: after Okabe and Ito, Color Universal Design (2008).
"""

WORDS: dict[int, str] = {SEEN: "seen", STRETCHED: "seen at a slant, stretched", INVENTED: "hidden, invented"}
LEGEND: tuple[tuple[tuple[int, int, int], str], ...] = tuple((COLOURS[kind], text) for kind, text in WORDS.items())

_STRETCHED_FROM, _SEEN_FROM = 0.1, 0.5
"""Visibility at which the unwrapped photo begins to show, and from which it shows alone (see ``engine.unwrap``)."""
_TINT = 0.5
_MAP_ALPHA = 75


def skin_classes(face: FaceAsset) -> ByteArray:
    """OFF_SKIN, SEEN, STRETCHED or INVENTED for each texel of the detail maps: (n, n) uint8."""
    import cv2

    n = face.topology.window.map_size
    visibility: FloatArray = check("visibility", face.texture.visibility, (None, None))
    if len(visibility) != n:
        visibility = np.asarray(cv2.resize(visibility, (n, n), interpolation=cv2.INTER_LINEAR), np.float32)
    classes = np.full((n, n), INVENTED, np.uint8)
    classes[visibility >= _STRETCHED_FROM] = STRETCHED
    classes[visibility >= _SEEN_FROM] = SEEN
    classes[~uv_raster(face.topology, n).covered] = OFF_SKIN
    return classes


def spot_class(face: FaceAsset, texel: tuple[int, int]) -> int:
    """SEEN, STRETCHED or INVENTED: what ``skin_classes`` says about one texel of the skin."""
    visibility = face.texture.visibility
    share = len(visibility) / face.topology.window.map_size
    seen = float(visibility[tuple(int((i + 0.5) * share) for i in texel)])
    return SEEN if seen >= _SEEN_FROM else STRETCHED if seen >= _STRETCHED_FROM else INVENTED


def map_overlay(classes: ByteArray) -> ByteArray:
    """The colours as a picture to lay over a map: (n, n, 4) uint8 RGBA."""
    table = np.zeros((4, 4), np.uint8)
    for kind, colour in COLOURS.items():
        table[kind] = *colour, _MAP_ALPHA
    return table[classes]


def tinted(face: FaceAsset, classes: ByteArray) -> ByteArray:
    """The face's texture with the colours mixed in: (S, S, 3) uint8 RGB."""
    import cv2

    image, window = face.texture.image, face.topology.window
    S = len(image)
    columns = slice(max(0, round(window.u0 * S)), min(S, round(window.u1 * S)))
    rows = slice(max(0, round((1.0 - window.v1) * S)), min(S, round((1.0 - window.v0) * S)))
    result = image.copy()
    part = result[rows, columns]
    size = (part.shape[1], part.shape[0])
    table = np.array([COLOURS.get(kind, (0, 0, 0)) for kind in range(4)], np.uint8)
    colours = cv2.resize(table[classes], size, interpolation=cv2.INTER_NEAREST)
    skin = cv2.resize((classes != OFF_SKIN).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    mixed = cv2.addWeighted(part, 1.0 - _TINT, colours, _TINT, 0.0)
    result[rows, columns] = cv2.copyTo(mixed, skin, part.copy())
    return result
