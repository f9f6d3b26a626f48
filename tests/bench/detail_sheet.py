"""Clay pictures of the photos with each kind of detail, and close-ups: for ``tests.bench detail``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.detail.predictor import DetailPredictor
from engine.expressions import KEY_NAMES
from engine.images import photo_from_array
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from engine.rig import pose
from engine.types import ViewOptions, WeakPerspective
from tests.bench.detail_faces import RealFaces, maps_of

_KEYS = ("brow_raiser", "smile", "brow_lower")
_SIZE = (520, 640)
_CLOSE_UPS = {"forehead": (150, 40), "eye corner": (40, 130), "cheek": (60, 230)}
"""Corners, column and row, of 220 px close-ups in the clay picture of the face at rest."""


def contact_sheet(predictors: dict[str, DetailPredictor], folder: Path) -> Iterator[str]:
    """Write one sheet per photo and say where."""
    import cv2

    from engine.render.context import standalone_context
    from engine.render.offscreen import render_image
    from engine.render.state import RenderState
    from tests.bench.measures import photos

    folder.mkdir(parents=True, exist_ok=True)
    ctx = standalone_context()
    seen: set[bytes] = set()
    with LandmarkDetector() as detector:
        faces = RealFaces(load_open_pack(), detector)
        for path in photos():
            if path.read_bytes() in seen:
                continue
            seen.add(path.read_bytes())
            real = faces.of(path)
            blank = photo_from_array(np.zeros((_SIZE[1], _SIZE[0], 3), np.uint8), "blank.png")
            sitter = replace(real.face, photo=blank)  # cameras count in pixels of the photo
            keys = tuple(KEY_NAMES.index(name) for name in _KEYS)
            maps = {name: maps_of(p, real.request, (0, *keys)) for name, p in predictors.items()}
            camera = WeakPerspective(np.zeros(3, np.float32), 3.0, np.array([260.0, 330.0], np.float32))

            def drawn(static: np.ndarray, weights: np.ndarray, face=sitter, camera=camera) -> np.ndarray:
                face = replace(face, static_map=static, key_maps=(None,) * len(face.key_maps))
                state = RenderState(
                    face=face, pose=pose(face.rig, weights), view=ViewOptions(look="clay"), camera=camera
                )
                return render_image(state, _SIZE, ctx)

            rest = np.zeros(51, np.float32)
            flat = np.zeros_like(real.face.static_map)
            pictures = [drawn(flat, rest), *(drawn(found[0], rest) for found in maps.values())]
            weights = [real.face.rig.key_weights[key] for key in keys]
            pictures += [drawn(maps["learned"][key], h) for key, h in zip(keys, weights, strict=True)]
            close = [
                np.hstack([_enlarged(picture, corner) for picture in pictures[:3]]) for corner in _CLOSE_UPS.values()
            ]
            target = folder / f"{path.stem}.png"
            row = np.hstack(pictures)
            below = np.hstack(close)
            below = cv2.resize(below, (row.shape[1], round(len(below) * row.shape[1] / below.shape[1])))
            cv2.imwrite(str(target), np.vstack([row, below])[..., ::-1])
            yield f"- {target.relative_to(folder.parents[1])}: none, photometric, learned at rest; learned {', '.join(_KEYS)}"
    ctx.release()
    yield ""
    yield "Below: forehead, eye corner, cheek, each without detail, photometric, learned."


def _enlarged(picture: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    import cv2

    column, row = corner
    return np.asarray(cv2.resize(picture[row : row + 220, column : column + 220], (440, 440)), np.uint8)
