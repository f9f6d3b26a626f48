"""Draws the icon: a cage of hand-placed points, shaded flat on the left and subdivided into smooth skin to the right.

Developers run it in the environment: ``python resources/icons/draw_icon.py``. It writes the SVG, the PNGs and the ICO.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer
from scipy.spatial import Delaunay

FOLDER = Path(__file__).resolve().parent
NAME = "detailed-face"
SIZES = (16, 32, 48, 64, 128, 256, 512)
MAIN_SIZE = 256  # the file without a number

OUTLINE = [  # x, y in the 512 px picture (y down), clockwise from the crown
    (258, 50), (325, 58), (376, 96), (397, 152), (399, 196), (388, 230), (399, 272), (394, 318), (376, 368),
    (352, 418), (318, 452), (270, 450), (216, 414), (168, 352), (138, 284), (118, 206), (130, 130), (184, 74),
]  # fmt: skip
INNER = [  # x, y, height towards the viewer
    (268, 100, 96), (330, 104, 104), (214, 128, 78), (284, 152, 128), (346, 154, 124), (180, 190, 66), (232, 178, 104),
    (216, 204, 96), (262, 190, 124), (318, 200, 134), (356, 196, 140), (384, 198, 96),  # brows
    (228, 234, 92), (268, 220, 106), (312, 238, 108), (270, 250, 108),  # near eye
    (362, 230, 134), (379, 228, 96), (371, 246, 104),  # far eye
    (354, 262, 152), (370, 300, 168), (330, 314, 138), (384, 316, 138), (358, 328, 152),  # nose
    (250, 300, 134), (190, 276, 78), (316, 276, 128), (200, 340, 70), (248, 366, 96),  # cheek and jaw
    (300, 364, 122), (346, 346, 150), (384, 350, 128), (346, 364, 146), (344, 386, 150), (336, 404, 142),  # mouth
    (328, 432, 140), (282, 412, 110), (374, 288, 112),
]  # fmt: skip
LIGHT = np.array([-0.42, 0.5, 0.76]) / np.linalg.norm([-0.42, 0.5, 0.76])
RIM_LIGHT = np.array([0.93, 0.2, 0.3]) / np.linalg.norm([0.93, 0.2, 0.3])
MESH = np.array([[18, 60, 104], [30, 118, 160], [76, 196, 208], [196, 246, 240]], float)  # night blue to mint
SKIN = np.array([[104, 42, 44], [178, 92, 72], [240, 172, 132], [255, 230, 204]], float)
BAND_COLOURS = 0.16 * MESH + 0.84 * SKIN
SLANT = np.array([0.9, 0.36])
EDGE = 258.0  # px along SLANT where the cage ends
BAND = 52.0  # px further to where the skin begins
HEADER = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">
<title>Detailed Face</title>
<defs><linearGradient id="night" x1="0" y1="0" x2="0.4" y2="1"><stop offset="0" stop-color="#38598c"/>
<stop offset="1" stop-color="#0b1430"/></linearGradient></defs>
<rect x="8" y="8" width="496" height="496" rx="108" fill="url(#night)"/>
<g stroke-linejoin="round" stroke-linecap="round" transform="translate(-46 -36) scale(1.14) scale(.1)">
"""
FEATURES = """<g fill="none" stroke="#5a2620" stroke-width="90">
<path d="M2120 2010Q2540 1750 3120 1960" stroke-width="110"/>
<path d="M3560 1920Q3720 1830 3850 1920" stroke-width="90"/>
<path d="M2240 2410Q2680 2160 3130 2410" stroke-width="64"/><path d="M3590 2390Q3720 2220 3870 2330" stroke-width="54"/>
<path d="M2300 2410Q2680 2220 3090 2410Q2720 2580 2300 2410z" fill="#fff6ea" stroke="none"/>
<path d="M3610 2390Q3720 2260 3850 2340Q3760 2480 3610 2390z" fill="#fff6ea" stroke="none"/>
<circle cx="2770" cy="2385" r="116" fill="#14505f" stroke="none"/>
<circle cx="2806" cy="2350" r="36" fill="#fff" stroke="none"/>
<circle cx="3765" cy="2362" r="78" fill="#14505f" stroke="none"/>
<path d="M3000 3660Q3300 3600 3460 3650Q3600 3600 3720 3625" stroke="#8a3530" stroke-width="54"/>
<path d="M3060 3665Q3440 3960 3690 3640Q3460 3580 3060 3665z" fill="#c4605a" stroke="none"/>
<path d="M3380 3290Q3450 3350 3530 3300Q3600 3350 3690 3230" stroke="#7c3a30" stroke-width="46"/></g>
"""
FOOTER = """
</g>
</svg>
"""


def inside(polygon: np.ndarray, point: np.ndarray) -> bool:
    """Tell whether a point lies in a polygon (crossing number)."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    crosses = (a[:, 1] > point[1]) != (b[:, 1] > point[1])
    at = a[:, 0] + (point[1] - a[:, 1]) / np.where(crosses, b[:, 1] - a[:, 1], 1) * (b[:, 0] - a[:, 0])
    return bool((crosses & (point[0] < at)).sum() % 2)


def cage() -> tuple[np.ndarray, np.ndarray]:
    """Return the points (N, 3), y down, z to the viewer, and the triangles (M, 3) of the cage."""
    points = np.array([(x, y, 8.0) for x, y in OUTLINE] + INNER, float)
    triangles = Delaunay(points[:, :2]).simplices
    middle = points[triangles, :2].mean(axis=1)
    rim = np.array(OUTLINE, float)
    return points, triangles[[inside(rim, m) for m in middle]]


def subdivide(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mesh after one Loop step; the four children of triangle t are the triangles 4t .. 4t+3."""
    opposite: dict[tuple[int, int], list[int]] = {}
    for a, b, c in triangles.tolist():
        for i, j, k in ((a, b, c), (b, c, a), (c, a, b)):
            opposite.setdefault((min(i, j), max(i, j)), []).append(k)
    number = {edge: len(points) + n for n, edge in enumerate(opposite)}
    around: dict[int, set[int]] = {i: set() for i in range(len(points))}
    rim: dict[int, list[int]] = {i: [] for i in range(len(points))}
    odd = []
    for (i, j), far in opposite.items():
        around[i].add(j)
        around[j].add(i)
        middle = (points[i] + points[j]) / 2
        if len(far) == 2:
            odd.append(0.75 * middle + 0.125 * (points[far[0]] + points[far[1]]))
        else:
            rim[i].append(j)
            rim[j].append(i)
            odd.append(middle)
    even = points.copy()
    for i, near in around.items():
        if rim[i]:
            even[i] = 0.75 * points[i] + 0.125 * points[rim[i]].sum(axis=0)
        else:
            beta = 3 / 16 if len(near) == 3 else 3 / (8 * len(near))
            even[i] = (1 - len(near) * beta) * points[i] + beta * points[list(near)].sum(axis=0)
    children = []
    for a, b, c in triangles.tolist():
        ab, bc, ca = (number[min(e), max(e)] for e in ((a, b), (b, c), (c, a)))
        children += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.vstack([even, odd]), np.array(children)


def colours(points: np.ndarray, triangles: np.ndarray, ramp: np.ndarray) -> np.ndarray:
    """Return (M, 3) colours of the lit triangles."""
    up = points * (1, -1, 1)
    normals = np.cross(up[triangles[:, 1]] - up[triangles[:, 0]], up[triangles[:, 2]] - up[triangles[:, 0]])
    normals *= np.sign(normals[:, 2:3])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    light = np.clip(normals @ LIGHT, 0, 1) + 0.5 * np.clip(normals @ RIM_LIGHT, 0, 1) ** 3
    at = np.clip(light, 0, 1) * (len(ramp) - 1)
    low = np.minimum(at.astype(int), len(ramp) - 2)
    share = (at - low)[:, None]
    return ramp[low] * (1 - share) + ramp[low + 1] * share


def paths(points: np.ndarray, triangles: np.ndarray, ramp: np.ndarray, stroke: str, width: float) -> list[str]:
    """Return filled triangles, those of one colour in one path; without a stroke their own colour hides the seams."""
    same: dict[str, list[str]] = {}
    for triangle, colour in zip(triangles, colours(points, triangles, ramp), strict=True):
        fill = "#" + "".join(f"{4 * round(v / 4):02x}" for v in np.minimum(colour, 252))
        outline = "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in 10 * points[triangle, :2]) + "z"
        same.setdefault(fill, []).append(outline)
    return [
        f'<path d="{"".join(outlines)}" fill="{fill}" stroke="{stroke or fill}" stroke-width="{width}"/>'
        for fill, outlines in same.items()
    ]


def svg() -> str:
    """Return the whole picture: smooth skin, over it a band of once divided triangles, over that the cage."""
    points, triangles = cage()
    middle = points[triangles, :2].mean(axis=1)
    reach = middle @ SLANT - EDGE  # to the right of the slanted line, in px
    finer, finer_triangles = subdivide(points, triangles)
    skin = subdivide(*subdivide(finer, finer_triangles))
    band = np.repeat(reach < BAND, 4)
    parts = [
        *paths(*skin, SKIN, "", 6),
        FEATURES,
        *paths(finer, finer_triangles[band], BAND_COLOURS, "#c8f7f0", 13),
        *paths(points, triangles[reach < 0], MESH, "#d5fbf5", 24),
    ]
    return HEADER + "\n".join(parts) + FOOTER


def picture(source: str, size: int) -> Image.Image:
    """Return the SVG drawn at a size, from four times as many pixels."""
    image = QImage(4 * size, 4 * size, QImage.Format.Format_RGBA8888)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(QByteArray(source.encode())).render(painter)
    painter.end()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(4 * size, 4 * size, 4)
    return Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX)


def main() -> None:
    """Write all files."""
    application = QGuiApplication(["icon", "-platform", "offscreen"])
    source = svg()
    (FOLDER / f"{NAME}.svg").write_text(source, encoding="utf-8")
    pictures = {size: picture(source, size) for size in SIZES}
    for size, image in pictures.items():
        name = NAME if size == MAIN_SIZE else f"{NAME}-{size}"
        image.save(FOLDER / f"{name}.png", optimize=True)
    pictures[MAIN_SIZE].save(
        FOLDER / f"{NAME}.ico", sizes=[(s, s) for s in SIZES if s <= 256], append_images=list(pictures.values())
    )
    application.quit()


if __name__ == "__main__":
    main()
