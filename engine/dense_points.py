"""Which of the 468 dense landmarks border eyes, lips and nostrils."""

from __future__ import annotations

EYE_RIMS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
"""Around each eye: outer corner, upper lid, inner corner, lower lid; the person's right eye first."""
UPPER_RIM = 9
"""So many points of a rim come first: the corners and the upper lid between them."""
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""Around the lips: the person's right corner, upper lip, left corner, lower lip."""
NOSTRILS = ((239, 79, 166, 59, 75, 60, 20, 238), (459, 309, 392, 289, 305, 290, 250, 458))
"""The inner edge of each nostril."""
LIPS = (
    ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291), (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)),
    ((61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291), (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)),
)
"""Outer and inner border of the upper and of the lower lip, from the person's right corner to the left one."""
ORBITS = (
    (226, 113, 225, 224, 223, 222, 221, 189, 244, 233, 232, 231, 230, 229, 228, 31),
    (446, 342, 445, 444, 443, 442, 441, 413, 464, 453, 452, 451, 450, 449, 448, 261),
)
"""Around the lids, below the brow; the person's right eye first."""
