"""The slider between face and photo: there while the camera looks at the photo, and equal to its fade."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from app.session import Session
from engine.camera import OrbitCamera, PhotoCamera
from widgets.fade_bar import FadeBar


class FadeController(QObject):
    """Connects the bar with the session's camera."""

    def __init__(self, session: Session, bar: FadeBar, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._bar = bar
        bar.fade_edited.connect(self._on_edited)
        session.camera_changed.connect(self._on_camera_changed)

    @Slot(float)
    def _on_edited(self, fade: float) -> None:
        camera = self._session.camera
        if isinstance(camera, PhotoCamera):
            self._session.set_camera(camera.faded(fade))

    @Slot(object)
    def _on_camera_changed(self, camera: OrbitCamera | PhotoCamera) -> None:
        self._bar.set_fade(camera.fade if isinstance(camera, PhotoCamera) else None)
