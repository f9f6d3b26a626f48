"""The 3D view: owns the GL context and the renderer, turns mouse, wheel, touch and keys into wishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QNativeGestureEvent, QSurfaceFormat, QWheelEvent
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

from engine.camera import PhotoCamera
from engine.errors import AppError, GpuError
from engine.types import Topology, ViewOptions, WeakPerspective
from widgets.camera_moves import Camera, dragged, stepped, zoomed

if TYPE_CHECKING:  # compiled after the first paint
    from moderngl import Framebuffer

    from engine.render.renderer import FaceRenderer
    from engine.render.state import RenderState

_GL_VERSION = (3, 3)
_GL_COLOR_BUFFER_BIT = 0x4000
_GL_FRAMEBUFFER = 0x8D40
_LIGHT_DEGREES_PER_PX = 0.5
_ZOOM_PER_WHEEL_STEP = 1.15
_WHEEL_STEP = 120.0  # Qt counts eighths of a degree, 15 degrees a click
_ZOOM_PER_KEY = 1.15

_CAMERA_KEYS: dict[int, str] = {
    Qt.Key.Key_1: "front",
    Qt.Key.Key_2: "three-quarter",
    Qt.Key.Key_3: "side",
    Qt.Key.Key_4: "over-photo",
    Qt.Key.Key_R: "reset",
    Qt.Key.Key_Home: "reset",
}
_STEP_KEYS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
"""Key -> right and up."""
_ZOOM_KEYS: dict[int, float] = {
    Qt.Key.Key_Plus: _ZOOM_PER_KEY,
    Qt.Key.Key_Equal: _ZOOM_PER_KEY,
    Qt.Key.Key_Minus: 1.0 / _ZOOM_PER_KEY,
}


def request_core_profile() -> None:
    """Ask for OpenGL 3.3 core for all widgets; macOS wants this before the QApplication."""
    wanted = QSurfaceFormat()
    wanted.setVersion(*_GL_VERSION)
    wanted.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    wanted.setDepthBufferSize(24)
    QSurfaceFormat.setDefaultFormat(wanted)


class Viewport(QOpenGLWidget):
    """Shows the newest RenderState.

    Left drag turns, middle or Shift drag moves, the wheel zooms, right or Ctrl drag turns the light; a double click and
    R reset; 1, 2 and 3 look from the front, three-quarter and side. 4 lays the face over its photo, where any drag but
    the light's moves the picture and the wheel zooms about the cursor.
    """

    camera_edited = Signal(object)  # OrbitCamera or PhotoCamera, whichever is in use
    view_edited = Signal(object)  # ViewOptions: the light was turned
    camera_requested = Signal(str)  # 'front', 'three-quarter', 'side', 'over-photo', 'reframe' or 'reset'
    failed = Signal(object)  # AppError: nothing can be drawn
    hovered = Signal(object)  # QPointF under the resting or moving cursor, None: gone, or a button is down
    painted = Signal()  # after each paint
    resized = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state: RenderState | None = None
        self._renderer: FaceRenderer | None = None
        self._problem: AppError | None = None
        self._drag_from: QPointF | None = None
        self._coming: RenderState | None = None  # drawn once all of it is on the GPU
        self._steps: Iterator[None] | None = None
        self._rehearsal: Iterator[None] | None = None  # goes first
        self._next_step = QTimer(self, singleShot=True, interval=0)
        self._next_step.timeout.connect(self._take_step)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 240)
        self.setMouseTracking(True)
        self.setAccessibleName("3D face")
        self.grabGesture(Qt.GestureType.PinchGesture)

    def show_state(self, state: RenderState | None) -> None:
        """Draw ``state`` with the next paint; Qt merges many calls into one. None: the empty background.

        A new face and a picture in full quality are prepared in pieces first, so that the window answers meanwhile.
        """
        self.setCursor(Qt.CursorShape.ArrowCursor if state is None else Qt.CursorShape.OpenHandCursor)
        self._drop_steps()
        shown = None if self._state is None or self._state.face is None else self._state.face.rig
        moving = state is not None and state.interactive and state.face is not None and state.face.rig is shown
        if state is None or moving or self._renderer is None:
            self._state = state
            self.update()
        else:
            self._coming = state
            self._next_step.start()

    def picture(self, size_px: tuple[int, int] | None = None) -> QImage:
        """The newest state as it would be on the screen, (H, W) device pixels; or drawn anew, smoothly, at (W, H).

        Raises:
            GpuError: nothing can be drawn, or not at this size.
        """
        self._state = self._newest()
        self._drop_steps()
        return self.grabFramebuffer() if size_px is None else self._drawn(size_px)

    def _drawn(self, size_px: tuple[int, int]) -> QImage:
        from engine.render.offscreen import draw_image
        from engine.render.state import RenderState

        self.makeCurrent()
        try:
            renderer = self._ensure_renderer()
            if renderer is None:
                raise self._problem or _no_opengl("This display offers no OpenGL.")
            self._rehearsal = None  # begun anew: this picture takes its place on the GPU
            rows = draw_image(renderer, replace(self._state or RenderState(), interactive=False), size_px)
        finally:
            self.doneCurrent()
        self.update()  # what was being prepared for the screen is there now
        return QImage(rows.data, *size_px, 3 * size_px[0], QImage.Format.Format_RGB888).copy()

    @Slot()
    def _take_step(self) -> None:
        renderer = self._renderer
        if renderer is None or (self._coming is None and self._rehearsal is None):
            return
        self.makeCurrent()
        if self._rehearsal is None and self._steps is None and self._coming is not None:
            self._steps = renderer.steps(self._coming)
        try:
            next(self._rehearsal or self._steps or iter(()))
            renderer.ctx.finish()  # software OpenGL would pile up the work of all steps in the last
            if self._rehearsal is not None:
                self._clear()  # nobody shall see it
            self._next_step.start()
        except StopIteration:
            self._end_steps()
        finally:
            self.doneCurrent()

    def _end_steps(self) -> None:
        """What was rehearsed can begin; what was prepared can be shown."""
        if self._rehearsal is not None:
            self._rehearsal = None
            self._next_step.start()
        else:
            self._state = self._coming
            self._drop_steps()
            self.update()

    def _drop_steps(self) -> None:
        if self._rehearsal is None:
            self._next_step.stop()
        self._coming = self._steps = None

    @property
    def problem(self) -> AppError | None:
        """Why nothing can be drawn, None while all is well."""
        return self._problem

    @Slot()
    def warm_up(self) -> None:
        """Compile the programs and try them all, piece by piece, so that the first face is there at once.

        Finds out whether OpenGL suffices.
        """
        if not self.isValid() or not self.defaultFramebufferObject():
            self._fail(_no_opengl("This display offers no OpenGL."))
            return
        self.makeCurrent()
        if self._ensure_renderer() is not None:
            from engine.render.rehearsal import rehearse_programs

            self._rehearse(rehearse_programs)
        self.doneCurrent()

    def expect(self, topology: Topology) -> None:
        """Faces of this topology are to come: prepare what they share, piece by piece. Not while a face is shown."""
        if self._renderer is not None and self._state is None:
            from engine.render.rehearsal import rehearse_memory

            self.makeCurrent()
            self._rehearse(lambda renderer, target: rehearse_memory(renderer, topology, target))
            self.doneCurrent()

    def _rehearse(self, steps: Callable[[FaceRenderer, Framebuffer], Iterator[None]]) -> None:
        if self._renderer is not None:
            target = self._renderer.ctx.detect_framebuffer(self.defaultFramebufferObject())
            self._rehearsal = chain(self._rehearsal or (), steps(self._renderer, target))
            self._steps = None  # begun anew: the rehearsal takes their place on the GPU
            self._next_step.start()

    def initializeGL(self) -> None:  # called again when docking gives a new context
        """Check the version; the renderer follows with the first face."""
        self.context().aboutToBeDestroyed.connect(self._release)
        version = self.context().format().version()
        if tuple(version) < _GL_VERSION:
            self._fail(_no_opengl(f"This computer offers OpenGL {version[0]}.{version[1]}."))

    def resizeGL(self, width: int, height: int) -> None:
        """Tell of the new size; the picture follows with the paint."""
        self.resized.emit()

    def paintGL(self) -> None:
        """Draw the newest state, or the empty background."""
        renderer = self._ensure_renderer() if self._state is not None else None
        if self._state is not None and renderer is not None:
            # Qt's framebuffer is never 0 and changes on resize, so ask every frame.
            target = renderer.ctx.detect_framebuffer(self.defaultFramebufferObject())
            ratio = self.devicePixelRatio()
            renderer.draw(self._state, target, (round(ratio * self.width()), round(ratio * self.height())))
            self._steps = self._rehearsal = None  # begun anew: this picture has taken their place on the GPU
        else:
            self._clear()
        self.painted.emit()

    def _clear(self) -> None:
        gl = self.context().functions()
        gl.glBindFramebuffer(_GL_FRAMEBUFFER, self.defaultFramebufferObject())
        gl.glClearColor(*ViewOptions().background, 1.0)
        gl.glClear(_GL_COLOR_BUFFER_BIT)

    def _ensure_renderer(self) -> FaceRenderer | None:
        """The renderer, made in the current context if need be; None where it cannot be made."""
        if self._renderer is None and self._problem is None:
            try:
                from engine.render.context import current_context
                from engine.render.renderer import FaceRenderer

                self._renderer = FaceRenderer(current_context())
            except AppError as error:
                self._fail(error)
        return self._renderer

    def _fail(self, error: AppError) -> None:
        self._problem = error
        self.failed.emit(error)

    def _release(self) -> None:
        self._state = self._newest()  # prepared again in the next context
        self._coming = self._steps = self._rehearsal = None  # the timer may be gone: the destructor calls this, too
        if self._renderer is not None:
            self.makeCurrent()
            self._renderer.release()
            self._renderer = None
            self.doneCurrent()

    def _newest(self) -> RenderState | None:
        return self._coming or self._state

    def _camera(self) -> Camera | None:
        """The camera that the user moves, None while there is nothing to look at."""
        state = self._newest()
        camera = None if state is None else state.camera
        return None if isinstance(camera, WeakPerspective) else camera

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the face."""
        self._drag_from = event.position()
        if self._state is not None:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        if event.buttons() == Qt.MouseButton.NoButton:
            self._drag_from = None
            self.setCursor(Qt.CursorShape.ArrowCursor if self._state is None else Qt.CursorShape.OpenHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Turn, move, or turn the light, by buttons and keys; without a button, tell where the cursor is."""
        camera = self._camera()
        self.hovered.emit(event.position() if event.buttons() == Qt.MouseButton.NoButton else None)
        if self._drag_from is None or camera is None:
            return
        move = event.position() - self._drag_from
        self._drag_from = event.position()
        keys, buttons = event.modifiers(), event.buttons()
        if buttons & Qt.MouseButton.RightButton or keys & Qt.KeyboardModifier.ControlModifier:
            self._turn_light(move.x() * _LIGHT_DEGREES_PER_PX, -move.y() * _LIGHT_DEGREES_PER_PX)
        else:
            shift = bool(buttons & Qt.MouseButton.MiddleButton or keys & Qt.KeyboardModifier.ShiftModifier)
            self.camera_edited.emit(dragged(camera, move, self.size(), shift=shift))

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing lies under the cursor any more."""
        self.hovered.emit(None)
        super().leaveEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show the whole face again: over the photo there, else from the front."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.camera_requested.emit("reframe" if isinstance(self._camera(), PhotoCamera) else "reset")

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom."""
        self._zoom(_ZOOM_PER_WHEEL_STEP ** (event.angleDelta().y() / _WHEEL_STEP), event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Camera keys; all others go to the window."""
        key, camera = event.key(), self._camera()
        if key in _CAMERA_KEYS:
            self.camera_requested.emit(_CAMERA_KEYS[key])
        elif camera is not None and key in _STEP_KEYS:
            self.camera_edited.emit(stepped(camera, *_STEP_KEYS[key], self.size()))
        elif camera is not None and key in _ZOOM_KEYS:
            self._zoom(_ZOOM_KEYS[key])
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Pinch on a touch screen (gesture) or touchpad (native gesture): zoom."""
        factor, at = 1.0, None
        if isinstance(event, QGestureEvent):
            pinch = event.gesture(Qt.GestureType.PinchGesture)
            factor = pinch.scaleFactor() if isinstance(pinch, QPinchGesture) else 1.0
        elif isinstance(event, QNativeGestureEvent):
            pinched = event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
            factor, at = 1.0 + event.value() if pinched else 1.0, event.position()
        else:
            return super().event(event)
        self._zoom(factor, at)
        return True

    def _zoom(self, factor: float, at: QPointF | None = None) -> None:
        camera = self._camera()
        if camera is not None and factor > 0.0:
            self.camera_edited.emit(zoomed(camera, factor, at, self.size()))

    def _turn_light(self, azimuth_deg: float, elevation_deg: float) -> None:
        state = self._newest()
        if state is None:
            return
        view = state.view
        azimuth = (view.light_azimuth_deg + azimuth_deg + 180.0) % 360.0 - 180.0
        elevation = min(max(view.light_elevation_deg + elevation_deg, -90.0), 90.0)
        self.view_edited.emit(replace(view, light_azimuth_deg=azimuth, light_elevation_deg=elevation))


def _no_opengl(found: str) -> GpuError:
    return GpuError(
        f"{found} Drawing the face needs OpenGL 3.3.",
        "Update the graphics driver. Faces can also be made without a window: main.py --input PHOTO --output FOLDER",
    )
