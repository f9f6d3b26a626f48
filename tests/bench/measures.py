"""The measurements behind ``python3 -m tests.bench``; each yields the lines of its table."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engine.resources import resource_path
from tests.bench.accuracy import accuracy
from tests.bench.faces import sheets
from tests.running import finish

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "photos"
SAMPLES = ("samples/portrait_biden.jpg", "samples/portrait_obama.jpg", "samples/astronaut.png")
_REPEATS = 5


def photos() -> list[Path]:
    """The samples, and the shared photos where they are."""
    return [*(resource_path(sample) for sample in SAMPLES), *(sorted(SHARED.glob("*.*")) if SHARED.is_dir() else ())]


def start() -> Iterator[str]:
    """Process start to first paint, and --help."""
    yield "| measure | best | median | limit |"
    yield "|---|---|---|---|"
    environment = {**os.environ, "DETAILED_FACE_FIRST_PAINT": "quit"}
    found = []
    for _ in range(_REPEATS + 1):  # the first one warms the disk's cache
        run = subprocess.run(
            [sys.executable, ROOT / "main.py"], env=environment, capture_output=True, text=True, check=True
        )
        found.append(float(re.search(r"first paint after ([\d.]+)", run.stderr)[1]))
    yield f"| window, start to first paint | {min(found[1:]):.2f} s | {statistics.median(found[1:]):.2f} s | 1.0 s |"
    found = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        subprocess.run([sys.executable, ROOT / "main.py", "--help"], capture_output=True, check=True)
        found.append(time.perf_counter() - began)
    yield f"| main.py --help | {min(found):.2f} s | {statistics.median(found):.2f} s | 0.3 s |"


def stages() -> Iterator[str]:
    """Seconds per stage of each photo in a process of its own, and its peak memory."""
    yield "| photo | " + " | ".join(_STAGES) + " | sum without detail | 20 key maps | peak memory |"
    yield "|---" * (len(_STAGES) + 4) + "|"
    for photo in photos():
        run = subprocess.run(
            [sys.executable, "-m", "tests.bench.one_photo", str(photo)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(run.stdout.splitlines()[-1])
        cells = [f"{told['seconds'][stage]:.2f} s" for stage in _STAGES]
        fitted = sum(told["seconds"][stage] for stage in ("landmarks", "fit", "texture"))
        keys, memory = told["seconds"]["key maps"], told["peak_mb"]
        yield f"| {photo.name} | {' | '.join(cells)} | {fitted:.2f} s | {keys:.2f} s | {memory:.0f} MB |"


_STAGES = ("landmarks", "fit", "texture", "detail")


def window() -> Iterator[str]:
    """Frames per second of a slider move in the window, and the longest gap of the event loop while the engine works."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench.window"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    yield from run.stdout.splitlines()


def fit() -> Iterator[str]:
    """Reprojection errors over the outer-eye distance."""
    from engine.fitting import fit as fitting
    from engine.images import load_photo
    from engine.landmarks import LandmarkDetector
    from engine.packs.open_pack import load_open_pack

    pack = load_open_pack()
    yield "| photo | 68 points (limit 3.5 %) | dense (limit 2.5 %) | yaw | identity norm (expected 7) | fit |"
    yield "|---|---|---|---|---|---|"
    with LandmarkDetector() as detector:
        for path in photos():
            landmarks = detector.detect(load_photo(path))
            began = time.perf_counter()
            found = finish(fitting(landmarks, pack))[0]
            spent = time.perf_counter() - began
            yield (
                f"| {path.name} | {found.error68:.2%} | {found.error_dense:.2%} | {found.yaw_deg:.0f} deg "
                f"| {np.linalg.norm(found.identity):.1f} | {spent:.2f} s |"
            )


def rig() -> Iterator[str]:
    """Closeness at the keys' own weights, ours and the paper's masks; time of a pose."""
    from engine import expressions
    from engine.images import load_photo
    from engine.landmarks import LandmarkDetector
    from engine.packs.open_pack import load_open_pack
    from engine.pipeline import Models, add_key_maps, build_face
    from engine.rig import closeness, pose

    with LandmarkDetector() as detector:
        models = Models(load_open_pack(), detector)
        face = finish(build_face(load_photo(resource_path(SAMPLES[0])), models))[0]
        face = finish(add_key_maps(face, models, range(len(models.pack.key_weights))))[0]
    ours, paper = closeness(face), closeness(face, exact=True)
    yield "RMS(D(h_k) - D_k) / RMS(D_k) over the skin that the key moves (limit 0.35 for 15 of 19 keys):"
    yield ""
    yield "| key | ours | the paper's masks |"
    yield "|---|---|---|"
    for k, name in enumerate(expressions.ALL_KEY_NAMES):
        published = k < expressions.PUBLISHED_KEYS
        if k:
            yield f"| {name} | {ours[k]:.2f} | {f'{paper[k]:.2f}' if published else 'not among them'} |"
    kept = slice(1, expressions.PUBLISHED_KEYS)
    yield f"| of the 19 within 0.35 | {(ours[kept] <= 0.35).sum()} | {(paper[kept] <= 0.35).sum()} |"
    yield f"| of the further ones | {(ours[expressions.PUBLISHED_KEYS :] <= 0.35).sum()} of {len(ours) - kept.stop} | |"
    yield ""
    for active in (1, 6, 20, 51):
        weights = np.zeros(51, np.float32)
        weights[np.random.default_rng(0).permutation(51)[:active]] = 0.5
        times = []
        for _ in range(21):
            began = time.perf_counter()
            pose(face.rig, weights)
            times.append(time.perf_counter() - began)
        yield f"pose with {active} shapes: best {1e3 * min(times):.1f} ms, median {1e3 * statistics.median(times):.1f} ms"


def turned() -> Iterator[str]:
    """Yaw that the fit finds on the project's own renderings of fitted faces."""
    from engine import camera as cameras
    from engine.fitting import fit as fitting
    from engine.images import load_photo, photo_from_array
    from engine.landmarks import LandmarkDetector
    from engine.packs.open_pack import load_open_pack
    from engine.pipeline import Models, build_face
    from engine.render.context import standalone_context
    from engine.render.offscreen import render_image
    from engine.render.state import RenderState
    from engine.rig import pose
    from engine.types import ViewOptions, WeakPerspective

    pack, ctx = load_open_pack(), standalone_context()
    angles = (-60, -45, -30, -15, 0, 15, 30, 45, 60)
    yield "Found yaw, and the mean distance of the 468 points from where they are, over the outer-eye distance:"
    yield ""
    yield "| photo | " + " | ".join(f"{angle} deg" for angle in angles) + " |"
    yield "|---" * (len(angles) + 1) + "|"
    with LandmarkDetector() as detector:
        for sample in SAMPLES[:2]:
            face = finish(build_face(load_photo(resource_path(sample)), Models(pack, detector)))[0]
            posed = pose(face.rig, face.fit.weights)
            H, W = face.photo.image.shape[:2]
            cells = []
            for angle in angles:
                turn = np.array([0, np.radians(angle), 0], np.float32)
                camera = WeakPerspective(turn, 2.6, np.array([W / 2, H / 2], np.float32))
                state = RenderState(face=face, pose=posed, view=ViewOptions(unlit=True), camera=camera)
                drawn = photo_from_array(render_image(state, (W, H), ctx), "drawn.png")
                found = finish(fitting(detector.detect(drawn), pack))[0]
                neutral, deltas = pack.shapes(found.identity)
                again = cameras.project(found.camera, (neutral + np.tensordot(found.weights, deltas, 1))[:468])
                off = np.linalg.norm(again - cameras.project(camera, posed.vertices[:468]), axis=1).mean()
                eyes = 2.6 * np.linalg.norm(face.rig.neutral[33] - face.rig.neutral[263])
                cells.append(f"{found.yaw_deg:.0f} ({off / eyes:.1%})")
            yield f"| {Path(sample).name} | " + " | ".join(cells) + " |"
    ctx.release()


def gallery() -> Iterator[str]:
    """Contact sheets of all shapes and key expressions (see ``tests.bench.gallery``)."""
    from tests.bench import gallery as sheets

    for path in sheets.written(sheets.FOLDER):
        yield str(path.relative_to(ROOT))


def faces() -> Iterator[str]:
    """Sheets of random faces."""
    yield from sheets(ROOT / "out" / "bench")


def network() -> Iterator[str]:
    """Ways of running FaceScape's detail network (see ``tests.bench.generator``)."""
    from tests.bench.generator import generator

    yield from generator()


def detail(weights: Path | None = None) -> Iterator[str]:
    """The learned detail, with the shipped weights or those of a file, beside the photometric one."""
    from tests.bench.detail import measure

    yield from measure(weights)


MEASURES: dict[str, Callable[[], Iterator[str]]] = {
    "start": start,
    "stages": stages,
    "window": window,
    "fit": fit,
    "rig": rig,
    "turned": turned,
    "gallery": gallery,
    "accuracy": accuracy,
    "faces": faces,
    "network": network,
    "detail": detail,
}
