"""Teeth as a smiling photo shows them: their colour, and how far the upper ones reach down."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray
from engine.camera import project
from engine.dense_points import LIPS
from engine.fields import blurred, smoothstep
from engine.rig import posed_vertices
from engine.types import Fit, Landmarks, Photo, RigBasis, Topology, WeakPerspective

_STEP_MM = 0.25  # between the places that are looked at
_ACROSS_MM = 9.0  # on both sides of the mouth's middle: the four incisors are 30 mm wide together
_PARTED_MM = 3.0  # lips nearer to each other tell nothing of the teeth between them
_LEAST_SCALE = 0.5  # photo px per mm
_BEYOND_LIP_MM = 1.5  # teeth are looked for so far over the points' own border of the lips
_TOOTH_LIGHTNESS = 0.62  # of the lips' surroundings: darker is the mouth's inside
_TOOTH_REDNESS = 0.62  # of the lips': redder is gum, tongue or lip
_SHORTEST_MM = 1.8  # lower rims of light are a moist lip's
_ENOUGH = 0.4  # share of the columns that must show a tooth
_TOUCHING_MM = 1.2  # a row of teeth that ends so near the lower lip goes on behind it
_BEHIND_LIP_MM = 0.7  # as far, at least
_BITE_DARKNESS = 0.9  # lightness between the two rows over that of the rows
_SHADE = 0.85  # of a tooth's lightness: darker is what lies below it
_CROWN_MM = 10.5  # of a middle incisor (Wheeler): what is longer shows the lower row, too
_MOVES_MM = (-1.5, 4.5)  # how far the row may stand lower than the average face's
_MIDDLE_MM, _EDGE_MM = 6.0, 0.4  # of the row: where its edge is judged
_LIT = (0.5, 0.9)  # quantiles of brightness between which their colour is taken: neither grooves nor glints
_LIT_AGAIN = 0.94  # the renderer's light and gloss come on top of the photo's
_TONES = (120.0, 244.0)  # mean grey of a tooth in the atlas
_GUM = (0.10, 0.28)  # (red - green) / red of the paint: tooth below the first, gum above the second


@dataclass(frozen=True, slots=True, eq=False)
class Teeth:
    """The upper front teeth in the photo."""

    colour: FloatArray
    """(3,) sRGB 0..255."""
    edge_px: FloatArray
    """(2,) image px: the middle of their lower edge, or of what the lower lip leaves to be seen."""
    covered: bool
    """The lower lip hides the edge."""


def read_teeth(photo: Photo, landmarks: Landmarks, camera: WeakPerspective) -> Teeth | None:
    """The upper teeth, None where parted lips do not show them.

    Source: ours; light, little red, between the lips, in columns across the mouth.
    """
    scale = camera.scale_px_per_mm
    if scale < _LEAST_SCALE:
        return None
    frame = _Mouth.of(landmarks.dense, scale)
    if frame is None:
        return None
    lab, rgb = frame.sampled(photo.image)
    tooth = frame.tooth(lab)
    top, bottom = _longest_run(tooth & frame.inside(_BEYOND_LIP_MM))
    seen = ((bottom - top) * _STEP_MM >= _SHORTEST_MM) & frame.within(photo.image.shape)
    if seen.mean() < _ENOUGH:
        return None
    bottom = np.minimum(bottom, _edge(lab[..., 0], top, bottom))
    edge = float(np.median(bottom[seen]))
    middle = frame.columns_mm[seen].mean()
    covered = float(np.median((frame.lower_rows - bottom)[seen])) * _STEP_MM < _TOUCHING_MM
    shown = rgb[tooth & frame.inside(0.0)]  # both rows: the upper one may lie in the lip's shade
    if len(shown) == 0:
        return None
    bounds = np.quantile(shown.mean(1), _LIT)
    colour = shown[(shown.mean(1) >= bounds[0]) & (shown.mean(1) <= bounds[1])].mean(0).astype(np.float32)
    return Teeth(colour, frame.point(middle, edge), covered)


@dataclass(frozen=True, slots=True, eq=False)
class _Mouth:
    """A grid over the mouth's middle: columns along the line between the corners, rows down the face."""

    origin: FloatArray
    right: FloatArray
    """(2,) photo px per mm, to the person's left."""
    down: FloatArray
    columns_mm: FloatArray
    rows_mm: FloatArray
    upper_rows: FloatArray
    """(columns,) row of the upper lip's border."""
    lower_rows: FloatArray

    @classmethod
    def of(cls, dense: FloatArray, scale: float) -> _Mouth | None:
        """None where the lips are not parted."""
        (_, upper), (_, lower) = LIPS
        corners = dense[[upper[0], upper[-1]]].astype(np.float64)
        origin = corners.mean(0)
        right = (corners[1] - corners[0]) / np.linalg.norm(corners[1] - corners[0])
        down = np.array([-right[1], right[0]])
        axes = np.stack([right, down], 1) / scale
        borders = [(dense[list(lip)] - origin) @ axes for lip in (upper, lower)]
        columns = np.arange(-_ACROSS_MM, _ACROSS_MM + 1e-6, _STEP_MM)
        above, below = (np.interp(columns, border[:, 0], border[:, 1]) for border in borders)
        if float(np.median(below - above)) < _PARTED_MM:
            return None
        first = float(above.min()) - 2.0 * _BEYOND_LIP_MM - 2.0
        rows = np.arange(first, float(below.max()) + 2.0 * _BEYOND_LIP_MM + 2.0, _STEP_MM)
        return cls(
            origin=origin.astype(np.float32),
            right=(right * scale).astype(np.float32),
            down=(down * scale).astype(np.float32),
            columns_mm=columns.astype(np.float32),
            rows_mm=rows.astype(np.float32),
            upper_rows=((above - first) / _STEP_MM).astype(np.float32),
            lower_rows=((below - first) / _STEP_MM).astype(np.float32),
        )

    def sampled(self, image: ByteArray) -> tuple[FloatArray, FloatArray]:
        """The photo in CIELAB (as OpenCV scales it, 0..255) and RGB at the grid's places, (rows, columns, 3) float32."""
        import cv2

        at = self.origin + self.rows_mm[:, None, None] * self.down + self.columns_mm[None, :, None] * self.right
        px = np.asarray(at - 0.5, np.float32)
        rgb = cv2.remap(image, px[..., 0], px[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32), rgb.astype(np.float32)

    def within(self, shape: tuple[int, ...]) -> BoolArray:
        """(columns,): whose middle lies in a photo of that shape."""
        at = self.origin + self.columns_mm[:, None] * self.right
        return np.asarray(((at > 0) & (at < (shape[1], shape[0]))).all(1))

    def inside(self, beyond_mm: float) -> BoolArray:
        """(rows, columns): between the lips."""
        rows, beyond = np.arange(len(self.rows_mm))[:, None], beyond_mm / _STEP_MM
        return np.asarray((rows > self.upper_rows - beyond) & (rows < self.lower_rows + beyond))

    def tooth(self, lab: FloatArray) -> BoolArray:
        """(rows, columns): as light as teeth and less red than the lips around."""
        around = lab[~self.inside(_BEYOND_LIP_MM)]
        light, red = np.median(around[:, 0]), float(np.median(around[:, 1])) - 128.0
        smooth = blurred(lab, 1.0)
        return np.asarray(
            (smooth[..., 0] > _TOOTH_LIGHTNESS * light) & (smooth[..., 1] - 128.0 < max(_TOOTH_REDNESS * red, 2.0))
        )

    def point(self, column_mm: float, row: float) -> FloatArray:
        """Image px of a place."""
        row_mm = float(self.rows_mm[0]) + row * _STEP_MM
        return np.asarray(self.origin + row_mm * self.down + column_mm * self.right, np.float32)


def _longest_run(mask: BoolArray) -> tuple[FloatArray, FloatArray]:
    """First row of each column's longest run of True, and the row after its last one."""
    n = mask.shape[1]
    top, bottom, start = np.zeros(n), np.zeros(n), np.zeros(n)
    for row in range(len(mask) + 1):
        now = mask[row] if row < len(mask) else np.zeros(n, bool)
        longer = ~now & (row - start > bottom - top)
        top, bottom = np.where(longer, start, top), np.where(longer, row, bottom)
        start = np.where(now, start, row + 1)
    return top.astype(np.float32), bottom.astype(np.float32)


def _edge(light: FloatArray, top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Row (columns,) at which each run of tooth's upper tooth ends: at the shade below it, or at the lower row."""
    smooth, found = blurred(light, 1.2), bottom.copy()
    margin = round(_SHORTEST_MM / _STEP_MM)
    for column, (first, last) in enumerate(zip(top.astype(int), bottom.astype(int), strict=True)):
        run = smooth[first:last, column]
        if len(run) >= 3 * margin:
            darkest = margin + int(run[margin:-margin].argmin())
            if run[darkest] < _BITE_DARKNESS * min(run[:darkest].max(), run[darkest:].max()):
                run = run[:darkest]
        run = run[: int(1.25 * _CROWN_MM / _STEP_MM)]
        if len(run):
            found[column] = first + 1 + int(np.flatnonzero(run >= _SHADE * np.median(run)).max())
    return found


def seated(rig: RigBasis, topology: Topology, found: Fit, teeth: Teeth | None) -> RigBasis:
    """The rig with its upper teeth as low as the photo shows them; the same rig where it shows none.

    Args:
        rig: the person's basis.
        topology: with a part ``teeth_upper``.
        found: pose and expression in the photo.
        teeth: as ``read_teeth`` found them.
    """
    run = next((slice(*part.vertices) for part in topology.parts if part.name == "teeth_upper"), None)
    if teeth is None or run is None:
        return rig
    rest, posed = rig.neutral[run], posed_vertices(rig, found.weights)[run]
    front = np.abs(rest[:, 0]) < _MIDDLE_MM
    edge = posed[front & (rest[:, 1] < rest[front, 1].min() + _EDGE_MM)].mean(0)
    here, below = project(found.camera, np.stack([edge, edge - (0.0, 1.0, 0.0)]).astype(np.float32))
    down = (below - here).astype(np.float64)
    lower_mm = float((teeth.edge_px - here) @ down / max(float(down @ down), 1e-9))
    if teeth.covered:
        lower_mm = max(lower_mm + _BEHIND_LIP_MM, 0.0)
    neutral = rig.neutral.copy()
    neutral[run, 1] -= np.float32(np.clip(lower_mm, *_MOVES_MM))
    return replace(rig, neutral=neutral)


def toned_teeth(painted: ByteArray, topology: Topology, teeth: Teeth | None) -> ByteArray:
    """The painted atlas with teeth in the photo's colour; gums and all else keep their paint.

    Args:
        painted: (S, S, 3) uint8 RGB, row 0 at v = 1.
        topology: with parts ``teeth_upper`` and ``teeth_lower``.
        teeth: as ``read_teeth`` found them.
    """
    toned = painted.copy()
    if teeth is None:
        return toned
    S = len(painted)
    grey = max(float(teeth.colour.mean()), 1.0)
    wanted = teeth.colour * np.float32(np.clip(_LIT_AGAIN * grey, *_TONES) / grey)
    for part in topology.parts:
        if not part.name.startswith("teeth"):
            continue
        uv = topology.uvs[topology.uv_faces[slice(*part.faces)]].reshape(-1, 2)
        (left, low), (right, high) = uv.min(0), uv.max(0)
        box = toned[int((1 - high) * S) : int((1 - low) * S) + 1, int(left * S) : int(right * S) + 1]
        colour = box.astype(np.float32)
        redness = (colour[..., 0] - colour[..., 1]) / np.maximum(colour[..., 0], 1.0)
        enamel = (1.0 - smoothstep(np.asarray(redness, np.float32), *_GUM))[..., None]
        light = colour[(enamel[..., 0] > 0.9) & (colour.mean(-1) > np.quantile(colour.mean(-1), 0.6))]
        gain = wanted / np.maximum(light.mean(0), 1.0) if len(light) else np.ones(3)
        box[:] = np.clip(colour * (1.0 + enamel * (gain - 1.0)) + 0.5, 0, 255).astype(np.uint8)
    return toned
