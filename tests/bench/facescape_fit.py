"""The FaceScape pack from its files to the fitted face: seconds, costs and errors beside the original's recordings."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engine.images import load_photo
from engine.landmarks import LandmarkDetector
from engine.packs.facescape import data as packs
from engine.packs.facescape.fit import solve
from engine.packs.facescape.model import FaceScapePack, load_facescape_pack
from tests.bench.one_photo import peak_kib
from tests.running import finish

SHARED = Path(__file__).parents[3] / "shared"
_RECORDED = {"astronaut": "astronaut.png", "obama": "obama.jpg", "biden": "biden.jpg"}
_REPEATS = 5
_ORIGINAL_LOAD, _ORIGINAL_FIT = "2.0 s", "23.6 s"  # best seen on two cores


def fit(folder: Path | None = None) -> Iterator[str]:
    """Load, landmarks and fit of a pack in ``folder`` (this user's if None); costs where the recordings are."""
    folder = folder or packs.default_folder()
    if not packs.is_imported(folder):
        yield f"No FaceScape pack is imported in {folder}."
        return
    pack = load_facescape_pack(folder)
    yield f"Core of {pack.data.core.nbytes / 1e6:.0f} MB, {len(pack.identity_mean)} identity coefficients."
    yield ""
    yield "| stage | best | median | limit | original, best seen |"
    yield "|---|---|---|---|---|"
    yield _row("load model, mapped", lambda: load_facescape_pack(folder), "0.3 s", _ORIGINAL_LOAD)
    points = _recorded_points() or {"an invented face": _invented_points(pack)}
    for name, points68 in points.items():
        yield _row(f"fit, 4 loops, {name}", lambda p=points68: finish(solve(pack.data, p)), "0.8 s", _ORIGINAL_FIT)
    people = [pack.identity_mean + np.float32(0.1 * k) * pack.identity_sd for k in range(_REPEATS + 1)]
    yield _row("51 shapes of a new person", lambda: pack.shapes(people.pop()), "", "")
    yield ""
    yield f"Peak memory of this process: {peak_kib() / 1024:.0f} MB."
    yield ""
    if len(points) > 1:
        yield from _costs(pack, points)


def _row(name: str, work: Callable[[], object], limit: str, original: str) -> str:
    seconds = []
    for _ in range(_REPEATS + 1):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    best, median = min(seconds[1:]), statistics.median(seconds[1:])
    return f"| {name} | {best:.3f} s | {median:.3f} s | {limit} | {original} |"


def _recorded_points() -> dict[str, np.ndarray]:
    """(68, 2) photo px, y down, as the original used them."""
    points = {}
    for name in _RECORDED:
        path = SHARED / "facescape" / "golden" / f"{name}_original.npz"
        if path.is_file():
            with np.load(path) as recorded:
                points[name] = recorded["landmarks_small"] * float(recorded["small_scale"])
    return points


def _invented_points(pack: FaceScapePack) -> np.ndarray:
    """The model's own landmarks, enlarged and shaken."""
    head = pack.head(pack.identity_mean, np.eye(1, 52, dtype=np.float32)[0])
    seen = 2.0 * head[pack.data.landmark_vertices, :2] * (1.0, -1.0)
    return np.asarray(seen + np.random.default_rng(0).normal(0, 1.0, seen.shape))


def _costs(pack: FaceScapePack, points: dict[str, np.ndarray]) -> Iterator[str]:
    """Final costs and mean landmark error, at the contour that each chose last; the default landmarks beside."""
    yield "| photo | identity cost: original, ours | expression cost | landmark error, px | px per mm | finer landmarks |"
    yield "|---|---|---|---|---|---|"
    with LandmarkDetector() as detector:
        for name, points68 in points.items():
            found, _ = finish(solve(pack.data, points68))
            photo = load_photo(SHARED / "photos" / _RECORDED[name])
            fine, _ = finish(pack.fit(pack.landmarks(photo, detector)))
            with np.load(SHARED / "facescape" / "golden" / f"{name}_original.npz") as recorded:
                error = float(recorded["landmark_error_px"].mean())
                eyes = float(np.linalg.norm(np.subtract(*points68[[36, 45]])))
                yield (
                    f"| {name} | {float(recorded['cost_id']):.1f} -> {found.cost_id:.1f} "
                    f"| {float(recorded['cost_exp']):.1f} -> {found.cost_exp:.1f} "
                    f"| {error:.3f} -> {found.distances_px.mean():.3f} "
                    f"| {float(recorded['scale']):.3f} -> {found.view.scale:.3f} | {fine.error68 * eyes:.3f} |"
                )
