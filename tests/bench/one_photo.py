"""Builds the face of one photo and prints seconds per stage and peak memory as JSON: for ``tests.bench stages``."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from engine.images import load_photo
from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from engine.pipeline import Models, add_key_maps, build_face
from tests.running import finish


def peak_kib() -> float:
    """Largest resident size of this process; getrusage alone would count the parent's size before exec."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    peaks = [float(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return peaks[0] if peaks else float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> int:
    """The photo is built twice; the second time counts, with all imports and tables made."""
    with LandmarkDetector() as detector:
        detector.start()
        models = Models(load_open_pack(), detector)
        photo = load_photo(Path(sys.argv[1]))
        finish(build_face(photo, models))
        face = finish(build_face(photo, models))[0]
        peak = peak_kib()
        face = finish(add_key_maps(face, models, range(20)))[0]
    sys.stdout.write(json.dumps({"seconds": dict(face.seconds), "peak_mb": peak / 1024}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
