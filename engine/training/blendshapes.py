"""The 51 expression shapes and their correctives as motions of the cage, measured on the face they act on.

Each shape says how its muscles move lips, lids, brows, cheek or jaw, in units of that face (half mouth width, lid opening,
distance to the jaw joint ...); ``handles.Spreader`` carries the motion into the surrounding skin. So the shapes
follow identity: a wide mouth smiles wide.

Sources: Ekman & Friesen, Facial Action Coding System (1978) for which muscle pulls where; Apple's ARKit definitions of the
shapes; extents as cited in ``jaw``, ``lids``, ``lip_motions`` and ``upper_face``.
"""

from __future__ import annotations

import numpy as np

from engine import expressions
from engine.arrays import DoubleArray, IntArray
from engine.training import correctives
from engine.training.face_frame import FaceFrame
from engine.training.jaw import jaw_affine, jaw_affines, jaw_shapes, jaw_weights
from engine.training.lids import lid_shapes
from engine.training.mouth import lip_pairs, whole_lip_shapes
from engine.training.upper_face import brow_shapes, cheek_shapes

_UPPER_HALF_WIDTH_MM = 6.0  # over which a two-sided motion of eyes and brows passes from one side to the other
_MOUTH_HALF_WIDTH = 0.45  # the same at the mouth, in half mouth widths


class ExpressionRig:
    """Makes the displacement fields of any face on the cage."""

    def __init__(self, template: DoubleArray, faces: IntArray, mirror: IntArray) -> None:
        self._template, self._faces, self._mirror = template, faces, mirror
        self._jaw = jaw_weights(self._frame(template))

    def shapes(self, face: DoubleArray) -> DoubleArray:
        """(51, 468, 3) float64 mm: displacement of each shape at weight 1 on ``face`` (468, 3) mm."""
        return self._shapes(self._frame(face))

    def shapes_and_correctives(self, face: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """The shapes, and the correctives (C, 468, 3) float64 mm in the order of ``correctives.NAMES``."""
        frame = self._frame(face)
        shapes = self._shapes(frame)
        return shapes, correctives.corrective_fields(frame, self._jaw.opening, shapes)

    def jaw_affines(self, face: DoubleArray) -> dict[str, DoubleArray]:
        """Rigid motion of the lower jaw per shape, as (4, 3) with [x y z 1] @ it = displacement in mm."""
        return jaw_affines(self._frame(face))

    @staticmethod
    def half_open_affine(face: DoubleArray) -> DoubleArray:
        """(4, 3): what the rigid motion half-way open has beside half of that of jawOpen."""
        return jaw_affine(face, 0.5) - jaw_affine(face, 1.0) / 2

    def _frame(self, face: DoubleArray) -> FaceFrame:
        return FaceFrame(face, self._template, self._faces, self._mirror)

    def _shapes(self, frame: FaceFrame) -> DoubleArray:
        pairs = lid_shapes(frame) | brow_shapes(frame) | lip_pairs(frame) | cheek_shapes(frame)
        fields = {
            **jaw_shapes(frame, self._jaw),
            **whole_lip_shapes(frame),
            "browInnerUp": pairs.pop("browInnerUp"),
            "cheekPuff": pairs.pop("cheekPuff"),
        }
        for name, both in pairs.items():
            upper = name.startswith(("eye", "brow"))
            width = _UPPER_HALF_WIDTH_MM if upper else _MOUTH_HALF_WIDTH * frame.half_mouth
            left = frame.left_share(width)[:, None]
            fields[f"{name}Left"] = left * both
            fields[f"{name}Right"] = frame.mirrored(left * both)
        return np.array([fields[name] for name in expressions.SHAPE_NAMES])
