"""Time and memory of one predictor on the default sample, as JSON: for ``tests.bench detail``."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.detail.learned import LearnedPredictor, best_predictor, load_detail_network
from engine.detail.photometric import PhotometricPredictor
from engine.detail.predictor import STATIC, DetailPredictor
from engine.packs.open_pack import load_open_pack
from engine.training.skin.heads import make_head
from tests.bench.detail_faces import request_of
from tests.bench.one_photo import peak_kib


def _predictor(name: str, weights: Path | None) -> DetailPredictor:
    if name == "photometric":
        return PhotometricPredictor()
    if weights is None:
        return best_predictor()[0]
    return LearnedPredictor(load_detail_network(weights.read_bytes()), "judged")


def main() -> int:
    """The face is read twice; the faster time counts, with all imports and tables made."""
    head = make_head(load_open_pack(), 5001)
    n = len(head.skin)
    noise = np.clip(np.random.default_rng(0).normal(150, 12, (n, n, 3)), 0, 255).astype(np.uint8)
    predictor = _predictor(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    told: dict[str, float] = {}
    for turn in range(3):
        request = request_of(head, noise + np.uint8(turn), np.ones((n, n), np.float32), 5.0)
        for label, keys in (("static map", (STATIC,)), ("20 key maps", tuple(range(1, 20)))):
            wall, processor = time.perf_counter(), time.process_time()
            for _ in predictor.predict(replace(request, keys=keys)):
                pass
            spent = {"s": time.perf_counter() - wall, "processor s": time.process_time() - processor}
            for unit, value in spent.items():
                told[f"{label}, {unit}"] = min(told.get(f"{label}, {unit}", np.inf), value)
    told["peak memory, MB"] = peak_kib() / 1024
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
