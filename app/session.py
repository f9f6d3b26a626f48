"""The one mutable state of the application: frozen values in, a signal out only when one of them changes."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, Signal

from engine.arrays import FloatArray, check
from engine.camera import OrbitCamera, PhotoCamera
from engine.expressions import SHAPES
from engine.types import FaceAsset, Photo, Pose, Progress, ViewOptions


class Session(QObject):
    """What the window shows right now. Lives on the main thread; only controllers call the setters."""

    photo_changed = Signal(object)  # Photo | None: decoded, its face may still be on the way
    face_changed = Signal(object)  # FaceAsset | None: another face
    face_refined = Signal(object)  # FaceAsset: the same face with one more key map
    weights_changed = Signal(object)  # (51,) float32
    pose_changed = Signal(object)  # Pose | None
    exact_changed = Signal(bool)
    view_changed = Signal(object)  # ViewOptions
    camera_changed = Signal(object)  # OrbitCamera, or PhotoCamera: over the photo
    progress_changed = Signal(object)  # Progress | None

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._photo: Photo | None = None
        self._face: FaceAsset | None = None
        self._weights = _read_only(np.zeros(len(SHAPES), np.float32))
        self._pose: Pose | None = None
        self._exact = False
        self._view = ViewOptions()
        self._camera: OrbitCamera | PhotoCamera = OrbitCamera()
        self._progress: Progress | None = None

    @property
    def photo(self) -> Photo | None:
        """The picture on show; its face may still be on the way."""
        return self._photo

    @property
    def face(self) -> FaceAsset | None:
        """The face on show."""
        return self._face

    @property
    def weights(self) -> FloatArray:
        """(51,) float32 in [0, 1], read-only."""
        return self._weights

    @property
    def pose(self) -> Pose | None:
        """The face at ``weights``; lags behind them until the event loop comes round."""
        return self._pose

    @property
    def exact(self) -> bool:
        """Whether maps are blended with the paper's masks instead of ours."""
        return self._exact

    @property
    def view(self) -> ViewOptions:
        """How the face is drawn."""
        return self._view

    @property
    def camera(self) -> OrbitCamera | PhotoCamera:
        """Where the face is seen from; a PhotoCamera sees it where it lies in its photo."""
        return self._camera

    @property
    def progress(self) -> Progress | None:
        """The work that runs, None while idle."""
        return self._progress

    def set_photo(self, photo: Photo | None) -> None:
        """Show another picture."""
        if photo is not self._photo:
            self._photo = photo
            self.photo_changed.emit(photo)

    def set_face(self, face: FaceAsset | None) -> None:
        """Show another face; its pose is not known yet."""
        if face is self._face:
            return
        self._face = face
        self._pose = None
        self.face_changed.emit(face)

    def refine_face(self, face: FaceAsset) -> None:
        """Swap in the same face with more key maps; those that are there, and the pose, stay."""
        if self._face is None or face.rig is not self._face.rig:
            raise ValueError("face: expected the shown face with more maps, got another face")
        face = face.with_maps_of(self._face)
        if face is not self._face:
            self._face = face
            self.face_refined.emit(face)

    def set_weights(self, weights: FloatArray) -> None:
        """Take new expression weights, (51,) float32, clipped to [0, 1]."""
        clipped = np.clip(check("weights", weights, (len(SHAPES),)), 0.0, 1.0)
        if not np.array_equal(clipped, self._weights):
            self._weights = _read_only(clipped)
            self.weights_changed.emit(self._weights)

    def set_pose(self, pose: Pose | None) -> None:
        """Take the face's new shape."""
        if pose is not self._pose:
            self._pose = pose
            self.pose_changed.emit(pose)

    def set_exact(self, exact: bool) -> None:
        """Blend with the paper's masks, or with ours."""
        if exact != self._exact:
            self._exact = exact
            self.exact_changed.emit(exact)

    def set_view(self, view: ViewOptions) -> None:
        """Draw in another way."""
        if view != self._view:
            self._view = view
            self.view_changed.emit(view)

    def set_camera(self, camera: OrbitCamera | PhotoCamera) -> None:
        """Look from elsewhere."""
        if camera != self._camera:
            self._camera = camera
            self.camera_changed.emit(camera)

    def set_progress(self, progress: Progress | None) -> None:
        """Report the running work."""
        if progress != self._progress:
            self._progress = progress
            self.progress_changed.emit(progress)


def _read_only(array: FloatArray) -> FloatArray:
    array.flags.writeable = False
    return array
