"""Groups of cage points that move or hold together: lip rings, eyes, brows, nose, outline."""

from __future__ import annotations

from engine.training import cage as p

# Four rings of each lip from the skin inwards, eleven columns from the person's right corner to the left.
UPPER_RINGS = (
    p.OUTER_UPPER,
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    p.INNER_UPPER,
)
LOWER_RINGS = (
    p.OUTER_LOWER,
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    p.INNER_LOWER,
)
FOREHEAD = {10, 109, 67, 103, 54, 21, 162, 338, 297, 332, 284, 251, 389}
SIDES = {127, 234, 93, 132, 356, 454, 323, 361}
JAWLINE = {58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288}
NOSE = {168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 48, 278}
EYES_R = {33, 133, *p.LID_UPPER_R, *p.LID_LOWER_R}
EYES_L = {263, 362, *p.LID_UPPER_L, *p.LID_LOWER_L}
EYES = EYES_R | EYES_L
BROWS = {*p.BROW_UPPER_R, *p.BROW_LOWER_R, *p.BROW_UPPER_L, *p.BROW_LOWER_L}
LIPS = {i for rings in (UPPER_RINGS, LOWER_RINGS) for ring in rings for i in ring}
MOUTH_FIXED = FOREHEAD | SIDES | JAWLINE | NOSE | EYES | BROWS
