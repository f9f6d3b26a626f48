"""What one picture shows, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.camera import OrbitCamera, PhotoCamera
from engine.types import FaceAsset, Pose, ViewOptions, WeakPerspective


@dataclass(frozen=True, slots=True, eq=False)
class RenderState:
    """The sum of all that the renderer looks at. Parts are compared by identity, so an unchanged part costs nothing."""

    face: FaceAsset | None = None
    pose: Pose | None = None
    """None: the neutral face."""
    view: ViewOptions = field(default_factory=ViewOptions)
    camera: OrbitCamera | PhotoCamera | WeakPerspective | None = None
    """None: from the front. A WeakPerspective lays the face where it is in its whole photo, a PhotoCamera where the fit
    found it in the part of the photo that it looks at."""
    interactive: bool = False
    """While the user drags: lighter mesh and half-size detail, for speed."""
    photo_background: bool = False
    """Show the photo behind the face, and faded over it as the camera says (not with an OrbitCamera)."""
