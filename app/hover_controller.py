"""What lies under the cursor in the 3D view: the depth of the skin's detail there, while the detail panel is open."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, QTimer, Slot

from app.session import Session
from app.shown_face import ShownFace
from engine.camera import OrbitCamera
from widgets.detail_panel import DetailPanel, depth_text
from widgets.viewport import Viewport

PAUSE_MS = 30  # between two looks: the cursor moves more often than anybody reads


class HoverController(QObject):
    """Follows the cursor over the viewport; nobody who does not look at the detail pays for it."""

    def __init__(
        self, session: Session, shown: ShownFace, viewport: Viewport, panel: DetailPanel, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._shown = shown
        self._viewport = viewport
        self._panel = panel
        self._point: QPointF | None = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._look)
        viewport.hovered.connect(self._on_hovered)
        for change in (session.pose_changed, session.camera_changed, shown.changed, shown.refined):
            change.connect(self._look_soon)

    @Slot(object)
    def _on_hovered(self, point: QPointF | None) -> None:
        self._point = point
        self._look_soon()

    @Slot()
    def _look_soon(self) -> None:
        if self._panel.isVisible() and not self._pause.isActive():
            self._pause.start()

    @Slot()
    def _look(self) -> None:
        face, pose, point = self._shown.face, self._session.pose, self._point
        if not self._panel.isVisible():
            return
        if face is None or pose is None or point is None:
            self._panel.set_spot(None)
            return
        from engine.pick import depth_at, skin_spot
        from engine.trust import WORDS, spot_class

        width, height = self._viewport.width(), self._viewport.height()
        place = (2.0 * point.x() / width - 1.0, 1.0 - 2.0 * point.y() / height)
        camera = self._session.camera
        if isinstance(camera, OrbitCamera):
            clip = camera.clip_from_model(width, height)
        else:
            clip = camera.clip_from_model(face.fit.camera, (width, height))
        spot = skin_spot(face.topology, pose.vertices, clip, place)
        if spot is None:
            self._panel.set_spot(None)
        else:
            depth = depth_text(depth_at(face, pose, spot))
            self._panel.set_spot(spot.texel, f"{depth} under the cursor: {WORDS[spot_class(face, spot.texel)]}")
