"""Names, order and fixed weights of the 51 expression shapes and the 20 key expressions.

Source: the FaceScape authors' own list (facescape demo_rig.ipynb and issue 52); the ARKit partner of each shape; the
weights of the key expressions as published with Semantic Facial Detail Manipulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Shape:
    """One expression shape: ARKit name (shown and exported), FaceScape name, and the panel group it belongs to."""

    name: str
    facescape: str
    region: str


def _pair(arkit: str, facescape: str, region: str) -> tuple[Shape, Shape]:
    return (
        Shape(f"{arkit}Left", f"{facescape}_L", region),
        Shape(f"{arkit}Right", f"{facescape}_R", region),
    )


SHAPES: tuple[Shape, ...] = (
    *_pair("eyeBlink", "EyeBlink", "Eyes"),
    *_pair("eyeSquint", "EyeSquint", "Eyes"),
    *_pair("eyeLookDown", "EyeDown", "Gaze"),
    *_pair("eyeLookIn", "EyeIn", "Gaze"),
    *_pair("eyeWide", "EyeOpen", "Eyes"),
    *_pair("eyeLookOut", "EyeOut", "Gaze"),
    *_pair("eyeLookUp", "EyeUp", "Gaze"),
    *_pair("browDown", "BrowsD", "Brows"),
    Shape("browInnerUp", "BrowsU_C", "Brows"),
    *_pair("browOuterUp", "BrowsU", "Brows"),
    Shape("jawOpen", "JawOpen", "Jaw"),
    Shape("mouthClose", "LipsTogether", "Mouth"),
    Shape("jawLeft", "JawLeft", "Jaw"),
    Shape("jawRight", "JawRight", "Jaw"),
    Shape("jawForward", "JawFwd", "Jaw"),
    *_pair("mouthUpperUp", "LipsUpperUp", "Mouth"),
    *_pair("mouthLowerDown", "LipsLowerDown", "Mouth"),
    Shape("mouthRollUpper", "LipsUpperClose", "Mouth"),
    Shape("mouthRollLower", "LipsLowerClose", "Mouth"),
    *_pair("mouthSmile", "MouthSmile", "Mouth"),
    *_pair("mouthDimple", "MouthDimple", "Mouth"),
    *_pair("mouthStretch", "LipsStretch", "Mouth"),
    *_pair("mouthFrown", "MouthFrown", "Mouth"),
    *_pair("mouthPress", "MouthPress", "Mouth"),
    Shape("mouthPucker", "LipsPucker", "Mouth"),
    Shape("mouthFunnel", "LipsFunnel", "Mouth"),
    Shape("mouthLeft", "MouthLeft", "Mouth"),
    Shape("mouthRight", "MouthRight", "Mouth"),
    Shape("mouthShrugLower", "ChinLowerRaise", "Mouth"),
    Shape("mouthShrugUpper", "ChinUpperRaise", "Mouth"),
    *_pair("noseSneer", "Sneer", "Nose and cheeks"),
    Shape("cheekPuff", "Puff", "Nose and cheeks"),
    *_pair("cheekSquint", "CheekSquint", "Nose and cheeks"),
)
"""The 51 shapes in the order of the expression vector's entries 1..51. Left is the person's own left."""

SHAPE_NAMES: tuple[str, ...] = tuple(shape.name for shape in SHAPES)
SHAPE_INDEX: dict[str, int] = {name: index for index, name in enumerate(SHAPE_NAMES)}
"""ARKit name -> position in the 51 weights ``a`` (0-based)."""

REGIONS: tuple[str, ...] = ("Brows", "Eyes", "Gaze", "Nose and cheeks", "Jaw", "Mouth")
"""Panel groups from the top of the face to the bottom."""

_LR = ("Left", "Right")


def _both(name: str, weight: float) -> dict[str, float]:
    return {name + side: weight for side in _LR}


KEY_EXPRESSIONS: tuple[tuple[str, dict[str, float]], ...] = (
    ("neutral", {}),
    ("smile", _both("mouthSmile", 0.6)),
    ("mouth_stretch", {"jawOpen": 0.7}),
    ("anger", {**_both("browDown", 1.0), **_both("mouthFrown", 0.3)}),
    ("jaw_left", {"jawLeft": 1.0}),
    ("jaw_right", {"jawRight": 1.0}),
    ("jaw_forward", {"jawForward": 1.0}),
    ("mouth_left", {"mouthLeft": 1.0}),
    ("mouth_right", {"mouthRight": 1.0}),
    ("dimpler", _both("mouthDimple", 1.0)),
    ("chin_raiser", {"mouthRollLower": 0.6, "mouthShrugUpper": 1.0}),
    ("lip_puckerer", {"mouthPucker": 1.0}),
    ("lip_funneler", {"mouthFunnel": 1.0}),
    ("sadness", {**_both("browDown", 0.5), **_both("mouthFrown", 0.8)}),
    ("lip_roll", {"jawOpen": 0.23, "mouthRollUpper": 0.8, "mouthRollLower": 0.6}),
    ("grin", {**_both("mouthSmile", 0.5), "mouthShrugUpper": 1.0, **_both("cheekSquint", 1.0)}),
    ("cheek_blowing", {"cheekPuff": 1.0}),
    ("eye_closed", _both("eyeBlink", 1.0)),
    ("brow_raiser", {"browInnerUp": 0.4, **_both("browOuterUp", 0.4), **_both("eyeLookUp", 0.8)}),
    ("brow_lower", _both("browDown", 1.0)),
)
"""The 20 key expressions in order, each with its weights on the 51 shapes."""

EXTRA_KEY_EXPRESSIONS: tuple[tuple[str, dict[str, float]], ...] = (
    ("squint", _both("eyeSquint", 1.0)),
    ("look_down", _both("eyeLookDown", 1.0)),
    ("look_in", _both("eyeLookIn", 1.0)),
    ("look_out", _both("eyeLookOut", 1.0)),
    ("eye_wide", _both("eyeWide", 1.0)),
    ("upper_lip_raiser", _both("mouthUpperUp", 1.0)),
    ("lower_lip_depressor", _both("mouthLowerDown", 1.0)),
    ("lips_together", {"mouthClose": 1.0}),
    ("lip_stretcher", _both("mouthStretch", 1.0)),
    ("lip_presser", _both("mouthPress", 1.0)),
    ("lower_chin_raiser", {"mouthShrugLower": 1.0}),
    ("sneer", _both("noseSneer", 1.0)),
)
"""Ours: keys for the 22 shapes that the 20 leave without detail, numbered after them."""

KEY_NAMES: tuple[str, ...] = tuple(name for name, _ in KEY_EXPRESSIONS)
PUBLISHED_KEYS = len(KEY_EXPRESSIONS)
"""Key maps that are exported; a pack may have further ones behind them."""
ALL_KEY_NAMES: tuple[str, ...] = KEY_NAMES + tuple(name for name, _ in EXTRA_KEY_EXPRESSIONS)


def key_weights() -> FloatArray:
    """Weights of the key expressions: (20, 51) float32, row k = the ``a`` of key k, row 0 = zeros (neutral)."""
    return _weight_table(KEY_EXPRESSIONS)


def all_key_weights() -> FloatArray:
    """The same with the extra keys after them, (32, 51) float32: every shape appears in a row."""
    return _weight_table(KEY_EXPRESSIONS + EXTRA_KEY_EXPRESSIONS)


def _weight_table(expressions: tuple[tuple[str, dict[str, float]], ...]) -> FloatArray:
    table = np.zeros((len(expressions), len(SHAPES)), np.float32)
    for row, (_, weights) in zip(table, expressions, strict=True):
        for name, weight in weights.items():
            row[SHAPE_INDEX[name]] = weight
    return table


def mirror_shapes() -> tuple[int, ...]:
    """Index of each shape's left-right partner (itself for the symmetric ones)."""
    swap = {"Left": "Right", "Right": "Left"}
    partners = []
    for name in SHAPE_NAMES:
        side = next((s for s in _LR if name.endswith(s)), None)
        partners.append(SHAPE_INDEX[name.removesuffix(side) + swap[side]] if side else SHAPE_INDEX[name])
    return tuple(partners)
