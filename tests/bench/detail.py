"""How good the detail is: ``python3 -m tests.bench detail``. The learned network beside the photometric method.

Errors are weighed on held-out invented faces whose relief is known; steadiness on photos. Where folds arise in skin that
shows no line at rest nobody can know their place, so truth and both methods take it from the same guide
(``WrinkleField`` of seed 0); lines that the skin shows at rest are the photo's own, and only the photo tells of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.detail.learned import best_predictor
from engine.detail.photometric import PhotometricPredictor
from engine.detail.predictor import STATIC, DetailPredictor, DetailRequest
from engine.expressions import ALL_KEY_NAMES, SHAPE_NAMES, all_key_weights
from engine.fields import blurred, enlarged
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from engine.resources import resource_path
from tests.bench.detail_faces import (
    FACE_PX,
    HELD_OUT_SEED,
    KnownFace,
    RealFace,
    RealFaces,
    held_out_heads,
    known_face,
    known_faces,
    maps_of,
    request_of,
)

ROOT = Path(__file__).parents[2]
BANDS_MM = {"pores 0.4-1 mm": (0.13, 0.33), "lines 1-2.5 mm": (0.33, 0.8), "wrinkles 2.5-8 mm": (0.8, 2.6)}
FACES = int(os.environ.get("DETAILED_FACE_BENCH_FACES", "6"))
THE_20 = tuple(range(1, 20))
Predictors = dict[str, DetailPredictor]


def measure(weights: Path | None = None) -> Iterator[str]:
    """All tables; ``weights``: a safetensors file to judge instead of the shipped one."""
    predictors: Predictors = {"photometric": PhotometricPredictor(), "learned": _learned(weights)}
    if predictors["learned"].name != "learned":
        yield "No weights of the detail network are shipped, and none were given, so there is nothing to compare."
        yield "Train some with 'python -m engine.training.detail' (see its --help), then run"
        yield "'python3 -m tests.bench detail --weights .../weights.safetensors' with the file in its folder."
        return
    heads = held_out_heads(load_open_pack())
    yield "### 1. Error on invented faces that no training saw"
    yield from _errors(predictors, heads)
    yield "### 2. Steadiness on photos (correlation of the map at rest with that of the unchanged photo, seen skin)"
    yield from _steadiness(predictors)
    yield "### 3. What is no relief: RMS in um of the map on skin without any relief"
    yield from _negatives(predictors, heads[0])
    yield "### 4. Dynamics: RMS of the map over its RMS at rest"
    yield from _dynamics(predictors["learned"], heads[0])
    yield "### 5. Cost, in a process of its own"
    yield from _cost(weights)
    yield "### 6. Contact sheet"
    from tests.bench.detail_sheet import contact_sheet

    yield from contact_sheet(predictors, ROOT / "out" / "detail_bench")


def _learned(weights: Path | None) -> DetailPredictor:
    if weights is None:
        return best_predictor()[0]
    from engine.detail.learned import LearnedPredictor, load_detail_network

    return LearnedPredictor(load_detail_network(weights.read_bytes()), "judged")


# -- 1 -------------------------------------------------------------------------------------------------------------


def _errors(predictors: Predictors, heads: list) -> Iterator[str]:
    names = ("flat", *predictors)
    total: dict[tuple[str, str, str], list[float]] = {}
    likeness, widths = [], []
    for i, face in enumerate(known_faces(heads, FACES, THE_20)):
        found = {name: maps_of(p, face.request, (STATIC, *THE_20)) for name, p in predictors.items()}
        flat = np.zeros_like(face.sample.static_mm)
        for key in (STATIC, *THE_20):
            true = face.sample.static_mm if key == STATIC else face.sample.key_mm[face.sample.keys.index(key)]
            group = "static map" if key == STATIC else "key maps"
            for name in names:
                guess = flat if name == "flat" else found[name][key]
                for measure_name, value in _error(guess, true, face).items():
                    total.setdefault((group, measure_name, name), []).append(value)
        static = [total["static map", "RMS um", name][-1] for name in names]
        widths.append((FACE_PX[i % len(FACE_PX)], face.sample.person.age, *static))
        pair = [found[name][STATIC][face.judged] for name in predictors]
        likeness.append(float(np.corrcoef(*pair)[0, 1]))
    yield ""
    yield "| what | measure | flat map | photometric | learned | learned below photometric (limit 40 %) |"
    yield "|---|---|---|---|---|---|"
    for group in ("static map", "key maps"):
        for measure_name in dict.fromkeys(m for g, m, _ in total if g == group):
            values = [float(np.mean(total[group, measure_name, name])) for name in names]
            less = 1.0 - values[2] / values[1]
            cells = " | ".join(f"{v:.2f}" for v in values)
            yield f"| {group} | {measure_name} | {cells} | {less:.0%} |"
    yield ""
    yield "| face in the photo, px | age (0 young, 1 old) | flat map, static RMS um | photometric | learned | below |"
    yield "|---|---|---|---|---|---|"
    for px, age, flat_um, shading_um, learned_um in widths:
        less = 1.0 - learned_um / shading_um
        yield f"| {px} | {age:.2f} | {flat_um:.1f} | {shading_um:.1f} | {learned_um:.1f} | {less:.0%} |"
    yield ""
    yield f"Correlation of the learned with the photometric static map: {np.mean(likeness):.2f} (limit 0.95)."
    yield ""


def _error(guess: np.ndarray, true: np.ndarray, face: KnownFace) -> dict[str, float]:
    """Errors in um and degrees over the judged skin."""
    off, judged, t = guess - true, face.judged, face.texel_mm
    errors = {"RMS um": 1e3 * _rms(off[judged])}
    for name, (low, high) in BANDS_MM.items():
        errors[f"{name}, RMS um"] = 1e3 * _rms(_band(off, low, high, t)[judged])
    normals = [_normal(field, t) for field in (guess, true)]
    cosine = np.clip((normals[0] * normals[1]).sum(-1), -1.0, 1.0)
    errors["normal angle, deg"] = float(np.degrees(np.arccos(cosine))[judged].mean())
    return errors


def _band(field: np.ndarray, low_mm: float, high_mm: float, t: float) -> np.ndarray:
    return blurred(field.astype(np.float32), low_mm / t) - blurred(field.astype(np.float32), high_mm / t)


def _normal(relief: np.ndarray, t: float) -> np.ndarray:
    down, right = np.gradient(relief, t)
    normal = np.dstack([-right, -down, np.ones_like(relief)])
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2))) if values.size else 0.0


# -- 2 -------------------------------------------------------------------------------------------------------------


def _steadiness(predictors: Predictors) -> Iterator[str]:
    yield ""
    yield "| photo | change | photometric | learned | limit for learned |"
    yield "|---|---|---|---|---|"
    with LandmarkDetector() as detector:
        faces = RealFaces(load_open_pack(), detector)
        for sample in ("samples/portrait_biden.jpg", "samples/portrait_obama.jpg"):
            real = faces.of(resource_path(sample))
            own = {name: maps_of(p, real.request, (STATIC,))[STATIC] for name, p in predictors.items()}
            for change, limit, request, undo in _changes(faces, real):
                cells = []
                for name, predictor in predictors.items():
                    other = undo(maps_of(predictor, request, (STATIC,))[STATIC])
                    cells.append(f"{np.corrcoef(own[name][real.judged], other[real.judged])[0, 1]:.2f}")
                yield f"| {real.name} | {change} | {' | '.join(cells)} | {limit} |"
    yield ""


def _changes(
    faces: RealFaces, real: RealFace
) -> Iterator[tuple[str, float, DetailRequest, Callable[[np.ndarray], np.ndarray]]]:
    """Changed photos, and how their maps go back onto the first one's."""
    import cv2

    image, request = real.face.photo.image, real.request
    yield "mirrored", 0.9, _mirrored(request), lambda found: found[:, ::-1]
    linear = (image / 255.0) ** 2.2

    def encoded(light: np.ndarray) -> np.ndarray:
        return (255.0 * np.clip(light, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)

    same = np.asarray
    for factor in (0.6, 1.4):
        yield f"brightness x{factor}", 0.85, faces.changed(real, encoded(linear * factor)), same
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    yield "JPEG quality 60", 0.85, faces.changed(real, cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].copy()), same
    for name, tint in (("warm", (1.2, 1.0, 0.75)), ("cold", (0.8, 1.0, 1.3))):
        yield f"white balance {name}", 0.85, faces.changed(real, encoded(linear * np.array(tint))), same
    for name, lamp in (("right", (-0.8, 0.2, 0.55)), ("left", (0.8, 0.2, 0.55)), ("above", (0.0, 0.85, 0.5))):
        yield f"light from the {name}", 0.6, _relit(request, np.array(lamp)), same


def _mirrored(request: DetailRequest) -> DetailRequest:
    """The mirrored face in its mirrored photo; the chart is symmetric."""
    flip = np.array([-1.0, 1.0, 1.0], np.float32)
    return DetailRequest(
        np.ascontiguousarray(request.texture[:, ::-1]),
        np.ascontiguousarray(request.visibility[:, ::-1]),
        np.ascontiguousarray(request.skin[:, ::-1]),
        np.ascontiguousarray(request.deformation_mm[:, :, ::-1] * flip),
        np.ascontiguousarray(request.position_mm[:, ::-1] * flip),
        request.keys,
        None if request.worn_mm is None else np.ascontiguousarray(request.worn_mm[:, ::-1] * flip),
        request.photo_px_per_mm,
    )


def _relit(request: DetailRequest, lamp: np.ndarray) -> DetailRequest:
    """The texture under another lamp: times the shading of the smooth fitted mesh."""
    from engine.detail.inputs import surface_normals

    normal, _ = surface_normals(request.position_mm, request.skin)
    shading = 0.25 + 1.0 * np.maximum(normal @ (lamp / np.linalg.norm(lamp)).astype(np.float32), 0.0)
    linear = (request.texture / 255.0) ** 2.2 * enlarged(shading.astype(np.float32), len(request.skin))[..., None]
    texture = (255.0 * np.clip(linear, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)
    return replace(request, texture=texture)


# -- 3 -------------------------------------------------------------------------------------------------------------


def _negatives(predictors: Predictors, head) -> Iterator[str]:
    from engine.training.skin.camera import px_per_mm
    from tests.bench.detail_negatives import FACE_PX_OF_NEGATIVES, NEGATIVES, negative_face

    yield ""
    yield "| on the skin | photometric | learned | share (limit 20 %) |"
    yield "|---|---|---|---|"
    for kind in NEGATIVES:
        sums = dict.fromkeys(predictors, 0.0)
        for i in range(3):
            texture, visibility, where = negative_face(head, kind, np.random.default_rng((HELD_OUT_SEED, 1, i)))
            request = request_of(head, texture, visibility, px_per_mm(FACE_PX_OF_NEGATIVES))
            for name, predictor in predictors.items():
                sums[name] += _rms(maps_of(predictor, request, (STATIC,))[STATIC][where]) ** 2 / 3
        photometric, learned = (1e3 * np.sqrt(sums[name]) for name in ("photometric", "learned"))
        yield f"| {kind} | {photometric:.1f} | {learned:.1f} | {learned / max(photometric, 1e-6):.0%} |"
    yield ""


# -- 4 -------------------------------------------------------------------------------------------------------------

CLAIMS = (
    ("brow_raiser", "forehead"),
    ("smile", "crow's feet"),
    ("smile", "nasolabial"),
    ("sneer", "nose"),
    ("lip_funneler", "lips"),
    ("eye_closed", "lids"),
)


def _zones(head) -> dict[str, np.ndarray]:
    """Regions of the face on the coarse grid, (C, C) bool."""
    c = len(head.nose)
    rows, columns = np.mgrid[:c, :c]
    eyes = np.argwhere(head.eyes_mm == 0)
    middle, between = eyes[:, 1].mean(), np.ptp(eyes[:, 1])
    outside = np.abs(columns - middle) > 0.5 * between
    mouth_row = np.argwhere(head.mouth_mm == 0)[:, 0].mean()
    cheek = (rows > eyes[:, 0].mean() + 0.4 * (mouth_row - eyes[:, 0].mean())) & (rows < mouth_row)
    return {
        "forehead": (head.forehead > 0.5) & (np.abs(columns - middle) < 0.5 * between) & (head.rim_mm > 4),
        "crow's feet": outside & (head.eyes_mm > 2) & (head.eyes_mm < 22) & (rows > eyes[:, 0].min()),
        "nasolabial": cheek & (np.abs(columns - middle) > 0.22 * between) & (head.mouth_mm < 28) & (head.nose < 0.1),
        "nose": head.nose > 0.5,
        "lips": (head.mouth_mm > 3) & (head.mouth_mm < 16),
        "lids": (head.eyes_mm > 1) & (head.eyes_mm < 9),
        "chin": (rows > mouth_row) & (head.mouth_mm > 12) & (np.abs(columns - middle) < 0.3 * between),
    }


def _dynamics(predictor: DetailPredictor, head) -> Iterator[str]:
    n = len(head.skin)
    zones = {name: enlarged(zone.astype(np.float32), n) > 0.5 for name, zone in _zones(head).items()}
    keys = tuple(range(1, len(ALL_KEY_NAMES)))
    found = {}
    for kind, age in (("older", 0.85), ("younger", 0.12)):
        face = known_face(head, np.random.default_rng((HELD_OUT_SEED, 2)), (), 900, age)
        found[kind] = maps_of(predictor, face.request, (STATIC, *keys))
    yield ""
    yield "| key (older face) | " + " | ".join(zones) + " |"
    yield "|---" * (len(zones) + 1) + "|"
    yield "| at rest, um | " + " | ".join(f"{1e3 * _rms(found['older'][STATIC][z]):.0f}" for z in zones.values()) + " |"
    for key in keys:
        ratios = (_rms(found["older"][key][z]) / _rms(found["older"][STATIC][z]) for z in zones.values())
        yield f"| {ALL_KEY_NAMES[key]} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |"
    yield ""
    yield "| expression, region | older (limit 2) | younger (limit: less, in um added) |"
    yield "|---|---|---|"
    for key_name, zone_name in CLAIMS:
        key, zone, cells = ALL_KEY_NAMES.index(key_name), zones[zone_name], []
        for kind in ("older", "younger"):
            rest, now = (_rms(found[kind][k][zone]) for k in (STATIC, key))
            cells.append(f"{now / rest:.2f} ({1e3 * rest:.0f} -> {1e3 * now:.0f} um)")
        yield f"| {key_name}, {zone_name} | {' | '.join(cells)} |"
    yield ""
    yield from _untouched(found["older"], head, keys)


def _untouched(found: dict[int, np.ndarray], head, keys: tuple[int, ...]) -> Iterator[str]:
    """The largest change where a key moves the skin by less than 0.1 mm, and the shapes that drive detail."""
    n = len(head.skin)
    worst, moving = 0.0, set()
    for key in keys:
        move = np.linalg.norm(head.deformation_mm[key], axis=-1)
        still = (enlarged(move, n) < 0.1) & (head.skin > 0)
        rest = _rms(found[STATIC][still])
        worst = max(worst, abs(_rms(found[key][still]) / max(rest, 1e-9) - 1.0))
        if _rms((found[key] - found[STATIC])[head.skin > 0]) > 2e-4:
            moving |= set(np.flatnonzero(all_key_weights()[key]).tolist())
    yield f"Largest change of the RMS where the expression does not move the skin: {worst:.1%} (limit 10 %)."
    yield f"Shapes that drive detail: {len(moving)} of {len(SHAPE_NAMES)}."
    yield ""


# -- 5 -------------------------------------------------------------------------------------------------------------


def _cost(weights: Path | None) -> Iterator[str]:
    told = {}
    for name in ("photometric", "learned"):
        command = [sys.executable, "-m", "tests.bench.detail_cost", name, *([str(weights)] if weights else [])]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        told[name] = json.loads(run.stdout.splitlines()[-1])
    yield ""
    yield "| measure | photometric | learned | limit |"
    yield "|---|---|---|---|"
    for measure_name, limit in (
        ("static map, s", "0.6"),
        ("static map, processor s", ""),
        ("20 key maps, s", "6"),
        ("20 key maps, processor s", ""),
        ("peak memory, MB", "1500"),
    ):
        cells = " | ".join(f"{told[name][measure_name]:.2f}" for name in told)
        yield f"| {measure_name} | {cells} | {limit} |"
    yield ""


if __name__ == "__main__":
    for line in measure(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
