"""Weak perspective and orbit cameras; the only file that knows both OpenCV and OpenGL axes.

Photo px are continuous here: pixel i spans i..i+1 and has its centre at i + 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import DoubleArray, FloatArray
from engine.types import WeakPerspective

_PITCH_LIMIT_DEG = 89.0
_ZOOM_RANGE = (0.2, 12.0)
_PHOTO_DEPTH_MM = 400.0  # nearer to and farther from the viewer than the model's origin, both drawn
_FACE_ROOM = 0.22  # around the face at each side, as a share of its longer side
_WHOLE_PHOTO_SHARE = 0.8  # of the view that the photo takes at least, however far away


def rotation_matrix(rotation: FloatArray | DoubleArray) -> DoubleArray:
    """Rodrigues vector (3,) rad -> (3, 3) float64 rotation matrix.

    Source: Rodrigues' formula.
    """
    vector = np.asarray(rotation, np.float64)
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross))


def rotation_vector(matrix: DoubleArray) -> DoubleArray:
    """(3, 3) rotation matrix -> (3,) Rodrigues vector, rad."""
    cosine = float(np.clip((np.trace(matrix) - 1.0) / 2.0, -1.0, 1.0))
    angle = float(np.arccos(cosine))
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    if angle < 1e-9:
        return axis / 2.0
    if np.pi - angle < 1e-6:  # the antisymmetric part vanishes: take the axis from R + I
        column = (matrix + np.eye(3))[:, int(np.argmax(np.diag(matrix)))]
        return np.asarray(angle * column / np.linalg.norm(column))
    return np.asarray(angle * axis / (2.0 * np.sin(angle)))


def project(camera: WeakPerspective, vertices: FloatArray) -> FloatArray:
    """Model space mm (n, 3) -> image px (n, 2), x right, y down."""
    turned = vertices.astype(np.float64) @ rotation_matrix(camera.rotation).T
    pixels = np.empty((len(vertices), 2), np.float32)
    pixels[:, 0] = camera.translation_px[0] + camera.scale_px_per_mm * turned[:, 0]
    pixels[:, 1] = camera.translation_px[1] - camera.scale_px_per_mm * turned[:, 1]
    return pixels


def depth_mm(camera: WeakPerspective, vertices: FloatArray) -> FloatArray:
    """Distance towards the camera of each vertex, mm (n,), larger is nearer."""
    return np.asarray(vertices @ rotation_matrix(camera.rotation)[2], np.float32)


def yaw_deg(camera: WeakPerspective) -> float:
    """Angle of the nose from the optical axis to the side; positive: the nose points to the image's right."""
    forward = rotation_matrix(camera.rotation)[:, 2]
    return float(np.degrees(np.arctan2(forward[0], forward[2])))


@dataclass(frozen=True, slots=True)
class OrbitCamera:
    """A perspective camera that looks at ``target_mm`` from a sphere around it."""

    azimuth_deg: float = 0.0
    """0 = in front of the face; positive = the camera moves to the viewer's right (the person's left)."""
    elevation_deg: float = 0.0
    zoom: float = 1.0
    """1 = the whole face fits."""
    target_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Model space. The pack's faces have their origin near the middle of the head's front."""
    fit_radius_mm: float = 125.0
    """Half of the height that fits at zoom 1."""
    field_of_view_deg: float = 20.0
    """Vertical. Narrow, as portrait lenses are."""

    def orbited(self, azimuth_deg: float, elevation_deg: float) -> OrbitCamera:
        """Turned by the given angles; the elevation stops at the poles."""
        elevation = float(np.clip(self.elevation_deg + elevation_deg, -_PITCH_LIMIT_DEG, _PITCH_LIMIT_DEG))
        return replace(
            self, azimuth_deg=(self.azimuth_deg + azimuth_deg + 180.0) % 360.0 - 180.0, elevation_deg=elevation
        )

    def zoomed(self, factor: float) -> OrbitCamera:
        """Closer by ``factor`` within the allowed range."""
        return replace(self, zoom=float(np.clip(self.zoom * factor, *_ZOOM_RANGE)))

    def panned(self, right_px: float, up_px: float, height_px: int) -> OrbitCamera:
        """Moved so that the picture follows a drag of the given pixels in a view ``height_px`` tall."""
        mm_per_px = 2.0 * self.fit_radius_mm / self.zoom / max(height_px, 1)
        view = self._view_rotation()
        move = -(right_px * view[0] + up_px * view[1]) * mm_per_px
        x, y, z = (float(c) for c in np.asarray(self.target_mm) + move)
        return replace(self, target_mm=(x, y, z))

    def _view_rotation(self) -> DoubleArray:
        a, e = np.radians([self.azimuth_deg, self.elevation_deg])
        turn = np.array([[np.cos(a), 0.0, -np.sin(a)], [0.0, 1.0, 0.0], [np.sin(a), 0.0, np.cos(a)]])
        tilt = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(e), -np.sin(e)], [0.0, np.sin(e), np.cos(e)]])
        return np.asarray(tilt @ turn)

    def _distance_mm(self) -> float:
        return float(self.fit_radius_mm / self.zoom / np.tan(np.radians(self.field_of_view_deg) / 2.0))

    def view_from_model(self) -> FloatArray:
        """(4, 4) float32: model space -> OpenGL eye space (camera looks along -Z)."""
        view = np.eye(4)
        view[:3, :3] = self._view_rotation()
        view[:3, 3] = -view[:3, :3] @ np.asarray(self.target_mm)
        view[2, 3] -= self._distance_mm()
        return view.astype(np.float32)

    def clip_from_model(self, width: int, height: int) -> FloatArray:
        """(4, 4) float32 for a view of ``width`` x ``height`` px; a tall, narrow view keeps the whole face."""
        aspect = width / max(height, 1)
        half = np.tan(np.radians(self.field_of_view_deg) / 2.0)
        half_y = half if aspect >= 0.8 else half * 0.8 / aspect
        distance = self._distance_mm()
        near, far = max(1.0, distance - 600.0), distance + 600.0
        clip = np.zeros((4, 4))
        clip[0, 0] = 1.0 / (half_y * aspect)
        clip[1, 1] = 1.0 / half_y
        clip[2, 2] = -(far + near) / (far - near)
        clip[2, 3] = -2.0 * far * near / (far - near)
        clip[3, 2] = -1.0
        return (clip @ self.view_from_model()).astype(np.float32)


@dataclass(frozen=True, slots=True)
class PhotoCamera:
    """Looks straight at a photo and at the face that lies where it is in it.

    Views are in any px of the caller, x right and y down from their upper left corner; what shows depends on their shape
    alone, not on how many pixels they have.
    """

    centre_px: tuple[float, float]
    """The photo's point in the middle of the view, photo px."""
    frame_px: tuple[float, float]
    """Width and height of what just fits into the view at zoom 1, photo px."""
    photo_px: tuple[int, int]
    """Width and height of the photo."""
    zoom: float = 1.0
    fade: float = 0.0
    """How much of the photo lies over the face: 0 none, 1 nothing else."""

    def scale(self, size_px: tuple[int, int]) -> float:
        """View px to a photo px in a view of ``size_px`` (width, height)."""
        return self.zoom * min(size_px[0] / self.frame_px[0], size_px[1] / self.frame_px[1])

    def photo_from_view(self, point: tuple[float, float], size_px: tuple[int, int]) -> tuple[float, float]:
        """A point of the view -> photo px."""
        scale = self.scale(size_px)
        x, y = ((at - side / 2) / scale for at, side in zip(point, size_px, strict=True))
        return self.centre_px[0] + x, self.centre_px[1] + y

    def view_from_photo(self, point: tuple[float, float], size_px: tuple[int, int]) -> tuple[float, float]:
        """Photo px -> a point of the view."""
        scale = self.scale(size_px)
        x, y = ((at - middle) * scale for at, middle in zip(point, self.centre_px, strict=True))
        return size_px[0] / 2 + x, size_px[1] / 2 + y

    def clip_from_model(self, face: WeakPerspective, size_px: tuple[int, int]) -> FloatArray:
        """(4, 4) float32 OpenGL matrix, clip space from model space, for a view of ``size_px`` (width, height).

        ``face``: where the model is in the photo.
        """
        turn, s, scale = rotation_matrix(face.rotation), face.scale_px_per_mm, self.scale(size_px)
        origin = self.view_from_photo((float(face.translation_px[0]), float(face.translation_px[1])), size_px)
        clip = np.zeros((4, 4))
        clip[0, :3] = 2.0 * s * scale / size_px[0] * turn[0]
        clip[0, 3] = 2.0 * origin[0] / size_px[0] - 1.0
        clip[1, :3] = 2.0 * s * scale / size_px[1] * turn[1]  # image y is down, clip y is up: two signs cancel
        clip[1, 3] = 1.0 - 2.0 * origin[1] / size_px[1]
        clip[2, :3] = -turn[2] / _PHOTO_DEPTH_MM  # OpenGL: nearer means smaller
        clip[3, 3] = 1.0
        return clip.astype(np.float32)

    def zoomed(self, factor: float, point: tuple[float, float], size_px: tuple[int, int]) -> PhotoCamera:
        """Closer by ``factor`` within the allowed range; what lies at ``point`` of the view stays there."""
        whole = _WHOLE_PHOTO_SHARE * whole_photo(*self.photo_px).scale(size_px)
        smallest = min(1.0, whole * self.zoom / self.scale(size_px))
        closer = replace(self, zoom=float(np.clip(self.zoom * factor, smallest, _ZOOM_RANGE[1])))
        x, y = closer.view_from_photo(self.photo_from_view(point, size_px), size_px)
        return closer.panned(point[0] - x, point[1] - y, size_px)

    def panned(self, right_px: float, down_px: float, size_px: tuple[int, int]) -> PhotoCamera:
        """Moved so that the picture follows a drag of the given view px; the view's middle stays on the photo."""
        middle = (size_px[0] / 2 - right_px, size_px[1] / 2 - down_px)
        wanted = self.photo_from_view(middle, size_px)
        # A face may reach beyond its photo: then the middle begins outside, and must not be pulled in by a touch.
        x, y = (
            float(np.clip(new, min(0.0, old), max(float(side), old)))
            for new, old, side in zip(wanted, self.centre_px, self.photo_px, strict=True)
        )
        return replace(self, centre_px=(x, y))

    def faded(self, fade: float) -> PhotoCamera:
        """With another share of the photo over the face, clipped to [0, 1]."""
        return replace(self, fade=float(np.clip(fade, 0.0, 1.0)))


def whole_photo(width: int, height: int) -> PhotoCamera:
    """Shows a photo of ``width`` x ``height`` px as large as it fits in."""
    return PhotoCamera((width / 2, height / 2), (float(width), float(height)), (width, height))


def photo_of_face(points_px: FloatArray, width: int, height: int) -> PhotoCamera:
    """Shows a face with some room around it, but nothing beside the photo for the room's sake alone.

    Args:
        points_px: (n, 2) the face's points, photo px; they may lie beyond the photo's border.
        width: of the photo, px.
        height: of the photo, px.
    """
    low, high = points_px.min(0).astype(np.float64), points_px.max(0).astype(np.float64)
    room = _FACE_ROOM * float((high - low).max())
    left, top = (float(v) for v in np.maximum(low - room, np.minimum(low, 0.0)))
    right, bottom = (float(v) for v in np.minimum(high + room, np.maximum(high, (width, height))))
    frame = (max(right - left, 1.0), max(bottom - top, 1.0))
    return PhotoCamera(((left + right) / 2, (top + bottom) / 2), frame, (width, height))
