"""The frozen values that travel between stages, threads and windows.

Conventions everywhere: millimetres, right-handed, +Y up, +Z out of the face; the person's right eye is at -X. Images are
(H, W, 3) uint8 RGB, row 0 at the top. UV: u right, v up, both in [0, 1]. float32 at every border. A dataclass takes
ownership of its arrays and makes them read-only; instances are compared by identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from engine.arrays import BoolArray, ByteArray, FloatArray, IntArray, check, frozen


@dataclass(frozen=True, slots=True)
class Progress:
    """What the engine does right now, in the user's words, and how far the whole job is (0..1)."""

    stage: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Part:
    """A run of faces (and of vertices) with one look: 'skin', 'eye', 'socket' or 'mouth'."""

    name: str
    kind: str
    faces: tuple[int, int]
    """First face and one past the last."""
    vertices: tuple[int, int]
    """First vertex and one past the last. The skin comes first: faces 0.. and vertices 0.."""


@dataclass(frozen=True, slots=True)
class EyeChart:
    """Where one eyeball lies in the texture: a disc with the pupil in the middle, in UV units."""

    u: float
    v: float
    radius: float
    iris_radius: float


@dataclass(frozen=True, slots=True, eq=False)
class UvWindow:
    """The square of UV space that the detail maps cover. Row 0 of a map lies at ``v1``."""

    u0: float
    v0: float
    u1: float
    v1: float
    map_size: int
    """Pixels along one side of a detail map."""


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """What all faces of one pack share: who is connected to whom, and where in the texture it lies."""

    faces: IntArray
    """(F, 3) int32 vertex indices, counter-clockwise seen from outside."""
    uvs: FloatArray
    """(T, 2) float32 in [0, 1], v up."""
    uv_faces: IntArray
    """(F, 3) int32 indices into ``uvs``, corner by corner beside ``faces``."""
    vertex_count: int
    parts: tuple[Part, ...]
    mirror: IntArray
    """(V,) int32: the vertex on the other side of the face."""
    front_faces: IntArray
    """(n,) int32: faces that the exported front mesh keeps (all of them in the open pack)."""
    window: UvWindow

    def __post_init__(self) -> None:
        frozen("faces", self.faces, (None, 3), np.int32)
        frozen("uvs", self.uvs, (None, 2))
        frozen("uv_faces", self.uv_faces, (self.faces.shape[0], 3), np.int32)
        frozen("mirror", self.mirror, (self.vertex_count,), np.int32)
        frozen("front_faces", self.front_faces, (None,), np.int32)

    @property
    def skin(self) -> Part:
        """The part that wears the photo and the detail."""
        return self.parts[0]


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded, upright picture."""

    image: ByteArray
    """(H, W, 3) uint8 RGB, row 0 top."""
    name: str
    """File name for messages and for the names of results, e.g. 'anna.jpg'."""
    path: Path | None
    sha256: str
    """Of the file's bytes (of the pixels where there is no file)."""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        frozen("image", self.image, (None, None, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class FaceBox:
    """An upright square or rectangle around a face, image px, with the detector's score and the dense network's."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float
    face_score: float = float("nan")
    """Logit of the dense network that this is a face: above 0 is a face."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Points found in one photo, image px (x right, y down), sub-pixel."""

    dense: FloatArray
    """(468, 2) float32."""
    points68: FloatArray | None
    """(68, 2) float32 in iBUG order, None where that detector is missing or failed."""
    box: FaceBox
    others: tuple[FaceBox, ...] = ()
    """Further faces in the photo, best first, that the user may pick instead."""
    warnings: tuple[str, ...] = ()
    by_hand: bool = False
    """The 68 points were placed by hand and rule; the dense ones only go with them."""

    def __post_init__(self) -> None:
        frozen("dense", self.dense, (None, 2))
        if self.points68 is not None:
            frozen("points68", self.points68, (68, 2))


@dataclass(frozen=True, slots=True, eq=False)
class WeakPerspective:
    """Scaled orthographic camera of a photo: x = s (R v)_x + t_x, y = t_y - s (R v)_y in image px, y down."""

    rotation: FloatArray
    """(3,) float32 Rodrigues vector, rad."""
    scale_px_per_mm: float
    translation_px: FloatArray
    """(2,) float32: where the model's origin lands."""

    def __post_init__(self) -> None:
        frozen("rotation", self.rotation, (3,))
        frozen("translation_px", self.translation_px, (2,))


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Pose, identity and expression that explain the landmarks."""

    camera: WeakPerspective
    identity: FloatArray
    """(I,) float32."""
    expression: FloatArray
    """(E,) float32; [0] is 1, [1:] are the 51 weights in [0, 1]."""
    landmark_vertices: IntArray
    """(68,) int32 vertex that stands for each iBUG point after the contour update, -1 where there is none."""
    error68: float
    """Mean reprojection distance of the 68 points over the outer-eye distance; nan without them."""
    error_dense: float
    """The same over the dense points."""
    yaw_deg: float
    """Positive: the person turned to their own left (the image's right)."""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        frozen("identity", self.identity, (None,))
        frozen("expression", self.expression, (None,))
        frozen("landmark_vertices", self.landmark_vertices, (68,), np.int32)

    @property
    def weights(self) -> FloatArray:
        """(51,) float32 expression weights of the photo."""
        return self.expression[1:]


@dataclass(frozen=True, slots=True, eq=False)
class SkinTexture:
    """The photo in UV space."""

    image: ByteArray
    """(S, S, 3) uint8 RGB of the whole UV square, row 0 at v = 1; unseen skin filled, eyes and mouth painted."""
    visibility: FloatArray
    """(n, n) float32 in [0, 1] over the UV *window*: 1 seen squarely, 0 hidden (filled)."""
    window: ByteArray | None = None
    """(n, n, 3) uint8 RGB over the UV window: the skin with all that detail is read from, where ``image`` has less."""

    def __post_init__(self) -> None:
        frozen("image", self.image, (None, None, 3), np.uint8)
        if self.window is not None:
            frozen("window", self.window, (None, None, 3), np.uint8)
        frozen("visibility", self.visibility, (None, None))


@dataclass(frozen=True, slots=True, eq=False)
class Corrective:
    """What two shapes need beside their sum when they act together: a combination shape."""

    shapes: tuple[int, int]
    """It is added by the product of the two weights a b; an in-between, of twice the same shape, by 4 a (1 - a)."""
    delta: FloatArray
    """(V, 3) float32 mm."""

    def __post_init__(self) -> None:
        frozen("delta", self.delta, (None, 3))


@dataclass(frozen=True, slots=True, eq=False)
class Eyeball:
    """A part that turns as a whole about its centre."""

    vertices: tuple[int, int]
    """First vertex and one past the last."""
    centre: FloatArray
    """(3,) float32 mm on the neutral face."""
    turns: FloatArray
    """(51, 3) float32 rad: rotation vector of each shape at weight 1; those of several shapes add up."""

    def __post_init__(self) -> None:
        frozen("centre", self.centre, (3,))
        frozen("turns", self.turns, (None, 3))


@dataclass(frozen=True, slots=True, eq=False)
class EdgeMiddles:
    """The vertices of a skin that its last subdivision put between two others."""

    first: int
    """They are this one and those that follow; all before it are older."""
    ends: IntArray
    """(n, 2) int32: between which older vertices each lies."""

    def __post_init__(self) -> None:
        frozen("ends", self.ends, (None, 2), np.int32)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class RigBasis:
    """What turns 51 weights into a mesh and into shares of the key maps, for one person."""

    neutral: FloatArray
    """(V, 3) float32 mm."""
    deltas: FloatArray
    """(51, V, 3) float32 mm: shape minus neutral."""
    activation: FloatArray
    """(51, V) float32 in [0, 1]: how far each shape moves each vertex, over its own maximum."""
    key_weights: FloatArray
    """(K, 51) float32: weights of the key expressions, row 0 neutral."""
    correctives: tuple[Corrective, ...] = ()
    """Combination shapes and in-betweens; at any single shape's weight 1 they are silent, so the deltas stay true."""
    eyeballs: tuple[Eyeball, ...] = ()
    """Parts that turn rigidly; their deltas are the chords of the turns at weight 1."""
    middles: EdgeMiddles | None = None
    """Where told, the shares of the key maps are worked out at the skin's older vertices alone."""

    def __post_init__(self) -> None:
        V = frozen("neutral", self.neutral, (None, 3)).shape[0]
        J = frozen("deltas", self.deltas, (None, V, 3)).shape[0]
        frozen("activation", self.activation, (J, V))
        frozen("key_weights", self.key_weights, (None, J))


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One evaluated expression: all that a slider can change."""

    weights: FloatArray
    """(51,) float32."""
    vertices: FloatArray
    """(V, 3) float32 mm, model space."""
    map_weights: FloatArray
    """(V, K) float32 in [0, 1], rows sum to 1: share of each key map at each vertex, column 0 the neutral map."""

    def __post_init__(self) -> None:
        frozen("weights", self.weights, (None,))
        V = frozen("vertices", self.vertices, (None, 3)).shape[0]
        frozen("map_weights", self.map_weights, (V, None))


@dataclass(frozen=True, slots=True, eq=False)
class FaceAsset:
    """A finished face: everything that the window and the exporter need. Key maps may arrive later (``with_map``)."""

    pack: str
    """Name of the model pack, 'open' or 'facescape'."""
    topology: Topology
    photo: Photo
    landmarks: Landmarks
    fit: Fit
    texture: SkinTexture
    rig: RigBasis
    static_map: FloatArray
    """(H, W) float32 signed mm along the normal over the UV window: the detail that the photo shows."""
    confidence: FloatArray
    """(H, W) float32 in [0, 1]: how far the static map rests on seen skin."""
    key_maps: tuple[FloatArray | None, ...]
    """K maps like ``static_map``; None until predicted. A missing one counts as the neutral (else the static) map."""
    warnings: tuple[str, ...] = ()
    """Plain sentences for the user: what about this result deserves care."""
    seconds: tuple[tuple[str, float], ...] = field(default=())
    """Measured time of each stage."""

    def __post_init__(self) -> None:
        n = self.topology.window.map_size
        frozen("static_map", self.static_map, (n, n))
        frozen("confidence", self.confidence, (n, n))
        for k, key_map in enumerate(self.key_maps):
            if key_map is not None:
                frozen(f"key_maps[{k}]", key_map, (n, n))

    def with_map(self, key: int, map_mm: FloatArray) -> FaceAsset:
        """The same face with key map ``key`` in place."""
        maps = list(self.key_maps)
        maps[key] = map_mm
        return replace(self, key_maps=tuple(maps))

    def with_maps_of(self, other: FaceAsset) -> FaceAsset:
        """The same face with the key maps that only ``other``, the same face too, has."""
        known = tuple(
            theirs if mine is None else mine for mine, theirs in zip(self.key_maps, other.key_maps, strict=True)
        )
        same = all(mine is old for mine, old in zip(known, self.key_maps, strict=True))
        return self if same else replace(self, key_maps=known)

    def map_or_fallback(self, key: int) -> FloatArray:
        """Key map ``key`` where it is there, else the neutral key map, else the static map."""
        for candidate in (self.key_maps[key], self.key_maps[0]):
            if candidate is not None:
                return candidate
        return self.static_map


BandStrengths = tuple[float, float, float]
"""Factors on the pores, the fine lines and the wrinkles of the detail (see ``engine.detail.bands``)."""
AS_FOUND: BandStrengths = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """How the viewport draws, independent of whose face it is."""

    look: str = "texture"
    """'texture' (photo), 'clay' (grey, shape only) or 'map' (displacement in false colour)."""
    wireframe: bool = False
    detail_strength: float = 1.0
    """Factor on the displacement map, 0 = off."""
    light_azimuth_deg: float = -35.0
    """0 = from the viewer, positive = from the viewer's right."""
    light_elevation_deg: float = 35.0
    unlit: bool = False
    """Texture without shading: the photo's own light only."""
    background: tuple[float, float, float] = (0.16, 0.17, 0.19)
    detail_bands: BandStrengths = AS_FOUND
    confidence: bool = False
    """Texture and map are tinted by how well the photo shows the skin (see ``engine.trust``)."""


def mask_of_visible(visibility: FloatArray, threshold: float = 0.05) -> BoolArray:
    """Pixels that the photo really shows: (n, n) bool."""
    return check("visibility", visibility, (None, None)) > threshold
