"""Contact sheets of the 51 shapes and the 20 key expressions: ``python3 -m tests.bench gallery`` writes ``out/gallery``.

Every face, side and look has a picture of its own, so that two versions of the model can be compared cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine import expressions
from engine.arrays import ByteArray, FloatArray
from engine.camera import OrbitCamera
from engine.images import load_photo
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from engine.pipeline import Models, build_face
from engine.render.context import standalone_context
from engine.render.offscreen import draw_image
from engine.render.renderer import FaceRenderer
from engine.render.state import RenderState
from engine.resources import resource_path
from engine.rig import make_basis, pose
from engine.types import FaceAsset, ViewOptions
from tests.render.plain_face import face_of
from tests.running import finish

FOLDER = Path(__file__).parents[2] / "out" / "gallery"
PHOTOS = {"biden": "samples/portrait_biden.jpg", "obama": "samples/portrait_obama.jpg"}
SIDES = {"front": (0.0, 0.0), "side": (38.0, 4.0)}
LOOKS = {"clay": ViewOptions(look="clay"), "texture": ViewOptions()}
_CELL_PX = (250, 300)
_TITLE_PX = 20
_COLUMNS = {51: 9, 20: 5}
_CAMERA = OrbitCamera(target_mm=(0.0, 2.0, -38.0), zoom=1.15)


@dataclass(frozen=True)
class Sheet:
    """The expressions of one sheet with their titles."""

    name: str
    titles: tuple[str, ...]
    weights: FloatArray
    """(n, 51)."""


def sheets() -> tuple[Sheet, Sheet]:
    """Each shape at 1, and the key expressions at their own weights; mouthClose on the opened jaw that it is meant for."""
    singles = np.eye(len(expressions.SHAPES), dtype=np.float32)
    singles[expressions.SHAPE_INDEX["mouthClose"], expressions.SHAPE_INDEX["jawOpen"]] = 1.0
    titles = tuple("mouthClose + jawOpen" if name == "mouthClose" else name for name in expressions.SHAPE_NAMES)
    return (
        Sheet("shapes", titles, singles),
        Sheet("keys", expressions.KEY_NAMES, expressions.key_weights()),
    )


def faces(names: tuple[str, ...]) -> Iterator[tuple[str, FaceAsset]]:
    """The mean face of the model, and those of two photos."""
    pack = load_open_pack()
    if "mean" in names:
        yield "mean", face_of(make_basis(pack, pack.identity_mean))
    with LandmarkDetector() as detector:
        for name in (n for n in PHOTOS if n in names):
            yield name, finish(build_face(load_photo(resource_path(PHOTOS[name])), Models(pack, detector)))[0]


def drawn_sheet(
    renderer: FaceRenderer, face: FaceAsset, sheet: Sheet, view: ViewOptions, side: tuple[float, float]
) -> ByteArray:
    """All expressions of a sheet in one picture, titled."""
    width, height = _CELL_PX
    columns = _COLUMNS.get(len(sheet.titles), 6)
    rows = -(-len(sheet.titles) // columns)
    picture = np.full((rows * (height + _TITLE_PX), columns * width, 3), 30, np.uint8)
    for cell, (title, weights) in enumerate(zip(sheet.titles, sheet.weights, strict=True)):
        state = RenderState(face=face, pose=pose(face.rig, weights), view=view, camera=_CAMERA.orbited(*side))
        top, left = cell // columns * (height + _TITLE_PX), cell % columns * width
        picture[top : top + height, left : left + width] = draw_image(renderer, state, _CELL_PX)
        at = (left + 6, top + height + _TITLE_PX - 6)
        cv2.putText(picture, title, at, cv2.FONT_HERSHEY_SIMPLEX, 0.48, (235, 235, 235), 1, cv2.LINE_AA)
    return picture


def written(folder: Path, names: tuple[str, ...] = ("mean", *PHOTOS)) -> Iterator[Path]:
    """Draw and save all sheets, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    ctx = standalone_context()
    renderer = FaceRenderer(ctx)
    try:
        for name, face in faces(names):
            for sheet in sheets():
                for side, angles in SIDES.items():
                    for look, view in LOOKS.items():
                        picture = drawn_sheet(renderer, face, sheet, view, angles)
                        path = folder / f"{sheet.name}_{name}_{side}_{look}.png"
                        cv2.imwrite(str(path), picture[..., ::-1])
                        yield path
    finally:
        renderer.release()
        ctx.release()
