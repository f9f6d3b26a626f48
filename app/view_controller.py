"""Session -> RenderState -> viewport: light drawing while something moves, full quality at rest."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

import numpy as np
from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Slot

from app.session import Session
from app.shown_face import ShownFace
from engine.camera import OrbitCamera, PhotoCamera, photo_of_face, project
from engine.expressions import SHAPE_INDEX, SHAPES
from engine.render.state import RenderState
from engine.rig import posed_vertices
from engine.types import AS_FOUND, FaceAsset, ViewOptions

REST_MS = 40
"""After this long without a change the picture is drawn in full quality; with the drawing it must stay below 200 ms."""

MOVING_MS = 100
"""A change this soon after the last one belongs to the same movement, however slow the hand or the computer is."""

REFINE_MS = 2500
"""New key maps are drawn at most this often while some of the shown expression are still missing: each costs a whole
picture, and the engine wants the time too."""

CAMERA_VIEWS: dict[str, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "three-quarter": (35.0, 5.0),
    "side": (90.0, 0.0),
}
"""Name -> azimuth and elevation, degrees."""


_MARGIN = 1.18  # around the face, seen from any side, as a factor
_CHIN_MARGIN = 1.04  # below the chin of an opened mouth
_SUNK = 0.25  # of the way that the chin moves, by which the view looks lower than at the face's middle
_OPENED = np.eye(len(SHAPES), dtype=np.float32)[SHAPE_INDEX["jawOpen"]]


def framing(face: FaceAsset | None) -> OrbitCamera:
    """The camera in front of ``face`` that shows all of it, opened mouth included, and turns around its middle."""
    if face is None:
        return OrbitCamera()
    skin = face.rig.neutral[: face.topology.skin.vertices[1]]
    low, high = skin.min(0), skin.max(0)
    x, y, z = (float(c) for c in (low + high) / 2)
    width, height, depth = (float(c) for c in high - low)
    chin = min(float(low[1]), float(posed_vertices(face.rig, _OPENED)[: len(skin), 1].min()))
    y -= _SUNK * (float(low[1]) - chin)
    radius = max(_MARGIN * max(height, math.hypot(width, depth)) / 2, _CHIN_MARGIN * (y - chin))
    return OrbitCamera(target_mm=(x, y, z), fit_radius_mm=radius)


def framing_in_photo(face: FaceAsset) -> PhotoCamera:
    """The camera that shows ``face`` with some room around it in its photo, at rest and as the photo has it."""
    skin = face.topology.skin.vertices[1]
    vertices = np.concatenate([face.rig.neutral[:skin], posed_vertices(face.rig, face.fit.weights)[:skin]])
    height, width = face.photo.image.shape[:2]
    return photo_of_face(project(face.fit.camera, vertices), width, height)


class StateView(Protocol):
    """What draws the states: the viewport."""

    def show_state(self, state: RenderState | None) -> None:
        """Draw ``state``, None for the empty view."""


class ViewController(QObject):
    """Keeps the viewport's state equal to the session."""

    def __init__(self, session: Session, shown: ShownFace, view: StateView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown = shown
        self._view = view
        self._was_light = False
        self._plain_view = session.view
        self._around: OrbitCamera | None = None  # to come back to from the photo
        self._drawn: tuple[object, ...] = ()
        self._rest = QTimer(self, singleShot=True)
        self._rest.timeout.connect(self._on_rest)
        self._since_moved = QElapsedTimer()
        self._refined = QTimer(self, singleShot=True, interval=REFINE_MS)
        self._refined.timeout.connect(self._on_refined)
        session.pose_changed.connect(self._on_moved)
        session.camera_changed.connect(self._on_moved)
        session.view_changed.connect(self._on_view_changed)
        session.face_changed.connect(self._on_face_changed)
        shown.refined.connect(self._on_face_refined)
        shown.changed.connect(self._on_shown_changed)

    @Slot(str)
    def look_from(self, name: str) -> None:
        """Look from somewhere else.

        One of CAMERA_VIEWS turns the camera, zoom and target stay; 'reset' sees the whole face from the front;
        'over-photo' lays it over its photo, or goes back; 'reframe' shows all of it from where the camera is.
        """
        face, camera = self._session.face, self._session.camera
        if name == "over-photo" and isinstance(camera, PhotoCamera):
            self._session.set_camera(self._orbit())
        elif name == "over-photo":
            self._enter_photo()
        elif name == "reframe" and isinstance(camera, PhotoCamera) and face is not None:
            self._session.set_camera(framing_in_photo(face).faded(camera.fade))
        elif name in CAMERA_VIEWS:
            azimuth, elevation = CAMERA_VIEWS[name]
            self._session.set_camera(replace(self._orbit(), azimuth_deg=azimuth, elevation_deg=elevation))
        else:
            self._session.set_camera(framing(face))

    def _orbit(self) -> OrbitCamera:
        """The camera around the face: the present one, or that from before the photo."""
        camera = self._session.camera
        return camera if isinstance(camera, OrbitCamera) else self._around or framing(self._session.face)

    def _enter_photo(self) -> None:
        face = self._session.face
        if face is not None:
            self._around = self._orbit()
            self._session.set_camera(framing_in_photo(face))

    @Slot(object)
    def take_view(self, view: ViewOptions) -> None:
        """Take what the viewport changed of the options that it draws with."""
        if isinstance(self._session.camera, PhotoCamera):
            view = replace(view, unlit=self._session.view.unlit)  # drawn unlit there, whatever is chosen
        self._session.set_view(view)

    @Slot(object)
    def _on_view_changed(self, view: ViewOptions) -> None:
        """Strengths of bands and colours of confidence arrive with the drawn face instead."""
        view = replace(view, detail_bands=AS_FOUND, confidence=False)
        if view != self._plain_view:
            self._plain_view = view
            self._on_moved()

    @Slot()
    def _on_moved(self) -> None:
        # A single change is drawn in full at once; a second one shortly after it is a movement.
        self._push(interactive=self._since_moved.isValid() and self._since_moved.elapsed() < MOVING_MS)
        self._since_moved.start()
        self._rest.start(REST_MS)

    @Slot(object)
    def _on_face_refined(self, face: FaceAsset) -> None:
        """Draw again only where the new map can be seen: most arrive while their expression is not shown."""
        before, self._drawn = self._drawn, face.key_maps
        pose = self._session.pose
        if pose is None:
            return
        new = [k for k, key_map in enumerate(face.key_maps) if k >= len(before) or key_map is not before[k]]
        # The neutral map stands in for missing ones; without it the static map does.
        if 0 not in new and not pose.map_weights[:, new].any():
            return
        missing = [k for k, key_map in enumerate(face.key_maps) if key_map is None]
        if not pose.map_weights[:, missing].any():
            self._refined.start(0)
        elif not self._refined.isActive():
            self._refined.start(REFINE_MS)

    @Slot()
    def _on_refined(self) -> None:
        self._push(interactive=self._rest.isActive())

    @Slot(object)
    def _on_shown_changed(self, face: FaceAsset | None) -> None:
        """The same face is drawn in another way: a drag of its strengths counts as a movement."""
        self._drawn = () if face is None else face.key_maps
        if self._session.pose is not None:
            self._on_moved()

    @Slot(object)
    def _on_face_changed(self, face: FaceAsset | None) -> None:
        self._drawn = () if face is None else face.key_maps
        camera = self._session.camera
        if face is not None and isinstance(camera, PhotoCamera):
            self._around = framing(face)
            self._session.set_camera(framing_in_photo(face).faded(camera.fade))
        else:
            self._session.set_camera(framing(face))
        if face is None:
            self._push(interactive=False)

    @Slot()
    def let_go(self) -> None:
        """The hand has let go of a slider: the movement is over, the picture in full quality need not wait."""
        if self._rest.isActive():
            self._rest.start(0)

    @Slot()
    def _on_rest(self) -> None:
        if self._was_light:
            self._push(interactive=False)

    def _push(self, interactive: bool) -> None:
        s = self._session
        self._was_light = interactive
        face = self._shown.face
        if face is None or s.pose is None:
            self._view.show_state(None)
        else:
            over_photo = isinstance(s.camera, PhotoCamera)
            view = replace(s.view, unlit=True) if over_photo else s.view  # the photo has its light in it
            self._view.show_state(RenderState(face, s.pose, view, s.camera, interactive, over_photo))
