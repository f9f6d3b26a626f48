"""Draws a RenderState into a framebuffer. Owns every GL object it makes."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import moderngl
import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.camera import OrbitCamera, PhotoCamera, rotation_matrix, whole_photo
from engine.relief_colours import STOPS
from engine.render.blend import MapBlender
from engine.render.draft import DraftBuffer, draws_in_software
from engine.render.mesh import FaceMesh
from engine.render.program import Program
from engine.render.state import RenderState
from engine.render.texture import (
    LONGEST_CLOSE_PX,
    LONGEST_PHOTO_PX,
    QUICK,
    SMOOTH,
    fitting_photo,
    picture_texture,
    smoothen,
)
from engine.steps import finished
from engine.types import FaceAsset, Part, Pose, ViewOptions, WeakPerspective

LOOKS = ("texture", "clay", "map")
_DEFINES = {"STOP_COUNT": len(STOPS)}
_RELIEF_COLOURS = {
    "stop_depths_mm": np.array([depth for depth, _ in STOPS], np.float32),
    "stop_colors": np.array([colour for _, colour in STOPS], np.float32) / np.float32(255),
}

_PART_KINDS = {"skin": 0, "eye": 1}  # as the shaders number them; all others are insides
_INSIDE = 2
_DETAIL_UNIT, _PICTURE_UNIT = 0, 1
_LINE_COLOR = (0.05, 0.07, 0.10)
_LINE_ALPHA = 0.55
_LINE_FULL_SPACING_PX = 12.0  # lines closer than this fade, so that the surface stays readable from afar
_LINE_DEPTH_BIAS = 3e-4  # about half a millimetre in the orbit camera
_IDENTITY = np.eye(4, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Eye:
    """The camera as the shaders want it."""

    clip_from_model: FloatArray
    view_from_model: FloatArray
    perspective: float
    px_per_mm: float


class FaceRenderer:
    """Draws faces with one context. All calls on that context's thread; ``release`` before the context goes."""

    def __init__(self, ctx: moderngl.Context) -> None:
        """Compile all programs.

        Raises:
            GpuError: the driver refuses a shader.
        """
        self.ctx = ctx
        self._looks, self._inner_looks = (
            {look: Program(ctx, "face.vert", f"face_{look}.frag", {**_DEFINES, **more}) for look in LOOKS}
            for more in ({"ONLY_SKIN": 1}, {})
        )
        self._wireframe = Program(ctx, "wireframe.vert", "wireframe.frag")
        self._background = Program(ctx, "screen.vert", "background.frag")
        self._photo_program = Program(ctx, "screen.vert", "photo.frag")
        self._background_pass = ctx.vertex_array(self._background.glo, [])
        self._photo_pass = ctx.vertex_array(self._photo_program.glo, [])
        software = draws_in_software(ctx)
        self._draft = DraftBuffer(ctx) if software else None
        self.blender = MapBlender(ctx, drag_shrink=4 if software else 2)
        self._mesh: FaceMesh | None = None
        self._person: FaceAsset | None = None
        self._neutral: Pose | None = None
        self._skin: tuple[ByteArray | None, moderngl.Texture] | None = None  # no picture: not complete yet
        self._photo: tuple[ByteArray | None, int, moderngl.Texture] | None = None  # the same, and its longest side

    def draw(self, state: RenderState, target: moderngl.Framebuffer, size_px: tuple[int, int]) -> None:
        """Draw the state into ``target``, of which the lower left ``size_px`` (width, height) device pixels are used.

        Raises:
            ValueError: the state contradicts itself (unknown look, pose of another mesh, photo without its camera).
        """
        width, height = size_px
        if state.view.look not in LOOKS:
            raise ValueError(f"view.look: expected one of {LOOKS}, got {state.view.look!r}")
        if width < 1 or height < 1:
            return
        mesh, detail = finished(self.steps(state))
        if state.interactive and mesh is not None and self._draft is not None:
            smaller, size = self._draft.sized(size_px)
            self._draw_into(state, mesh, detail, smaller, size)
            self._draft.enlarge(target, size_px)
        else:
            self._draw_into(state, mesh, detail, target, size_px)

    def steps(self, state: RenderState) -> Generator[None, None, tuple[FaceMesh | None, moderngl.Texture | None]]:
        """Bring to the GPU what ``draw`` needs of the state and what is not there yet, in pieces of some 10 ms each.

        A window that takes them one by one before it draws answers in between. The last picture can still be drawn
        only after the last step. Returns the mesh and the relief map.
        """
        if state.face is None:
            return None, None
        pose = self._prepared(state.face, state.pose)
        if self._mesh is None or self._mesh.topology is not state.face.topology:
            if self._mesh is not None:
                self._mesh.release()
            self._mesh, self._person = FaceMesh(self.ctx, state.face.topology), None
            yield
        mesh = self._mesh
        if self._person is None or self._person.rig is not state.face.rig:
            mesh.set_face(state.face)
            yield
        self._person = state.face
        mesh.set_pose(pose, fine=not state.interactive)
        yield
        if state.view.look == "texture":
            yield from self._skin_steps(state.face.texture.image)
        if state.photo_background:
            close = isinstance(state.camera, PhotoCamera)
            yield from self._photo_steps(state.face.photo.image, LONGEST_CLOSE_PX if close else LONGEST_PHOTO_PX)
        target = yield from self.blender.steps(state.face, pose, interactive=state.interactive)
        return mesh, target.relief

    def _skin_steps(self, image: ByteArray) -> Generator[None, None, None]:
        if self._skin is None or self._skin[0] is not image:
            if self._skin is not None:
                self._skin[1].release()
            texture = picture_texture(self.ctx, image)
            self._skin = (None, texture)
            yield
            smoothen(texture)
            self._skin = (image, texture)
            yield

    def _photo_steps(self, image: ByteArray, longest_px: int) -> Generator[None, None, None]:
        if self._photo is None or self._photo[0] is not image or self._photo[1] != longest_px:
            fitting = fitting_photo(image, longest_px)
            yield
            if self._photo is not None:
                self._photo[2].release()
            texture = picture_texture(self.ctx, fitting)
            self._photo = (None, longest_px, texture)
            yield
            smoothen(texture)
            self._photo = (image, longest_px, texture)
            yield

    def _draw_into(
        self,
        state: RenderState,
        mesh: FaceMesh | None,
        detail: moderngl.Texture | None,
        target: moderngl.Framebuffer,
        size_px: tuple[int, int],
    ) -> None:
        width, height = size_px
        target.use()
        target.viewport = (0, 0, width, height)
        target.color_mask, target.depth_mask = (True, True, True, True), True
        target.clear(depth=1.0)
        if state.face is None or mesh is None or detail is None:
            self._draw_background(state, size_px)
        else:
            eye = _eye(state, size_px)
            photo = state.camera if isinstance(state.camera, PhotoCamera) else None
            if photo is not None:
                self._draw_background(state, size_px)  # first: the face's outline passes into it
                target.color_mask = (True, True, True, False)  # windows and files would take alpha for their own
            self._draw_face(state, mesh, detail, eye)
            if photo is None:
                self._draw_background(state, size_px)
            if state.view.wireframe:
                self._draw_wireframe(state, mesh, detail, eye, target)
            if photo is not None and photo.fade > 0.0:
                self._draw_faded_photo(state, size_px, photo.fade)
            target.color_mask = (True, True, True, True)
        self.ctx.enable_only(moderngl.NOTHING)

    def release(self) -> None:
        """Free all GL objects; safe to call twice."""
        for program in (
            *self._looks.values(),
            *self._inner_looks.values(),
            self._wireframe,
            self._background,
            self._photo_program,
        ):
            program.release()
        self._background_pass.release()
        self._photo_pass.release()
        self.blender.release()
        if self._draft is not None:
            self._draft.release()
        if self._mesh is not None:
            self._mesh.release()
        for kept in (self._skin, self._photo):
            if kept is not None:
                kept[-1].release()
        self._mesh = self._person = self._skin = self._photo = None

    def _prepared(self, face: FaceAsset, pose: Pose | None) -> Pose:
        if pose is not None:
            return pose
        if self._neutral is None or self._neutral.vertices is not face.rig.neutral:
            shares = np.zeros((len(face.rig.neutral), len(face.key_maps)), np.float32)
            shares[:, :1] = 1.0
            self._neutral = Pose(np.zeros(len(face.rig.deltas), np.float32), face.rig.neutral, shares)
        return self._neutral

    def _draw_background(self, state: RenderState, size_px: tuple[int, int]) -> None:
        """Where the depth buffer is empty: behind a face, shading hidden pixels would cost a tenth of a frame."""
        self.ctx.enable_only(moderngl.DEPTH_TEST)
        self.ctx.depth_func = "<="
        if state.photo_background and state.face is not None:
            self._draw_photo(state, size_px)
        else:
            self._background.set(middle=state.view.background)
            self._background_pass.render(moderngl.TRIANGLES, vertices=3)

    def _draw_faded_photo(self, state: RenderState, size_px: tuple[int, int], fade: float) -> None:
        self.ctx.enable_only(moderngl.BLEND)
        self._set_blending()
        self._draw_photo(state, size_px, fade)

    def _draw_photo(self, state: RenderState, size_px: tuple[int, int], alpha: float = 1.0) -> None:
        if state.face is None or self._photo is None:
            return
        height, width = state.face.photo.image.shape[:2]
        camera = _photo_camera(state, width, height)
        left, top = camera.photo_from_view((0.0, 0.0), size_px)
        right, bottom = camera.photo_from_view((float(size_px[0]), float(size_px[1])), size_px)
        self._photo[2].filter = QUICK if state.interactive else SMOOTH
        self._photo[2].use(_PICTURE_UNIT)
        self._photo_program.set(
            photo=_PICTURE_UNIT,
            shown=(left / width, top / height, right / width, bottom / height),
            middle=state.view.background,
            alpha=alpha,
        )
        self._photo_pass.render(moderngl.TRIANGLES, vertices=3)

    def _set_blending(self) -> None:
        self.ctx.blend_equation = moderngl.FUNC_ADD, moderngl.FUNC_ADD
        self.ctx.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA

    def _draw_face(self, state: RenderState, mesh: FaceMesh, detail: moderngl.Texture, eye: _Eye) -> None:
        if state.face is None:
            return
        view = state.view
        detail.use(_DETAIL_UNIT)
        if view.look == "texture" and self._skin is not None:
            self._skin[1].filter = QUICK if state.interactive else SMOOTH
            self._skin[1].use(_PICTURE_UNIT)
        uniforms = {
            **_detail_uniforms(state.face),
            **_camera_uniforms(eye),
            **_look_uniforms(state),
            "light_direction": _light_direction(view),
        }
        self.ctx.enable_only(moderngl.DEPTH_TEST | (moderngl.BLEND if _over_photo(state) else moderngl.NOTHING))
        self.ctx.depth_func = "<="
        self._set_blending()
        for programs, parts in (
            (self._looks, state.face.topology.parts[:1]),
            (self._inner_looks, state.face.topology.parts[1:]),
        ):
            program = programs[view.look]
            if parts:
                program.set(**uniforms)
            for part in parts:
                program.set(part_kind=_part_kind(part), detail_strength=view.detail_strength * _has_detail(part))
                if view.look == "texture" and part in mesh.eye_axes:
                    program.set(eye_axis=tuple((eye.view_from_model[:3, :3] @ mesh.eye_axes[part]).tolist()))
                mesh.draw_part(program, part, fine=not state.interactive)

    def _draw_wireframe(
        self, state: RenderState, mesh: FaceMesh, detail: moderngl.Texture, eye: _Eye, target: moderngl.Framebuffer
    ) -> None:
        if state.face is None:
            return
        detail.use(_DETAIL_UNIT)
        self._wireframe.set(
            **_detail_uniforms(state.face),
            clip_from_model=eye.clip_from_model,
            detail_strength=state.view.detail_strength,
            depth_bias=_LINE_DEPTH_BIAS,
            line_color=(*_LINE_COLOR, _LINE_ALPHA * min(1.0, mesh.edge_mm * eye.px_per_mm / _LINE_FULL_SPACING_PX)),
        )
        self.ctx.enable_only(moderngl.DEPTH_TEST | moderngl.BLEND)
        self._set_blending()
        target.depth_mask = False
        mesh.draw_edges(self._wireframe, fine=not state.interactive)
        target.depth_mask = True


def _part_kind(part: Part) -> int:
    return _PART_KINDS.get(part.kind, _INSIDE)


def _has_detail(part: Part) -> bool:
    return part.kind == "skin"


def _detail_uniforms(face: FaceAsset) -> dict[str, int | tuple[float, ...]]:
    window = face.topology.window
    return {"detail_map": _DETAIL_UNIT, "window": (window.u0, window.v0, window.u1, window.v1)}


def _camera_uniforms(eye: _Eye) -> dict[str, FloatArray | float]:
    return {
        "clip_from_model": eye.clip_from_model,
        "view_from_model": eye.view_from_model,
        "perspective": eye.perspective,
    }


def _look_uniforms(state: RenderState) -> Mapping[str, int | FloatArray]:
    if state.view.look == "texture":
        return {"skin_texture": _PICTURE_UNIT, "unlit": state.view.unlit, "over_photo": _over_photo(state)}
    return _RELIEF_COLOURS if state.view.look == "map" else {}


def _over_photo(state: RenderState) -> bool:
    """Whether the face is to look like a part of the photo behind it."""
    return isinstance(state.camera, PhotoCamera) and state.view.look == "texture"


def _light_direction(view: ViewOptions) -> tuple[float, float, float]:
    azimuth, elevation = np.radians([view.light_azimuth_deg, view.light_elevation_deg])
    across = float(np.cos(elevation))
    return float(np.sin(azimuth)) * across, float(np.sin(elevation)), float(np.cos(azimuth)) * across


def _photo_camera(state: RenderState, width: int, height: int) -> PhotoCamera:
    """How a photo of ``width`` x ``height`` px lies in the view."""
    return state.camera if isinstance(state.camera, PhotoCamera) else whole_photo(width, height)


def _eye(state: RenderState, size_px: tuple[int, int]) -> _Eye:
    camera = state.camera if state.camera is not None else OrbitCamera()
    if isinstance(camera, OrbitCamera):
        if state.photo_background:
            raise ValueError("camera: expected one of the photo's for a photo background, got OrbitCamera")
        clip = camera.clip_from_model(*size_px)
        px_per_mm = 0.5 * size_px[1] * float(np.linalg.norm(clip[1, :3]) / clip[3, 3])
        return _Eye(clip, camera.view_from_model(), 1.0, px_per_mm)
    if state.face is None:
        return _Eye(_IDENTITY, _IDENTITY, 0.0, 1.0)
    height, width = state.face.photo.image.shape[:2]
    found = camera if isinstance(camera, WeakPerspective) else state.face.fit.camera
    photo = _photo_camera(state, width, height)
    view = np.eye(4, dtype=np.float32)
    view[:3, :3] = rotation_matrix(found.rotation)
    return _Eye(photo.clip_from_model(found, size_px), view, 0.0, found.scale_px_per_mm * photo.scale(size_px))
