"""The FaceScape pack beside the original program: ``python3 -m tests.bench facescape [--against DIR] [FOLDER]``.

The recorded figures are the best that were seen of the original on two cores. What is compared in the same run is the
original's way of running the network (torch's own modules, with gradients) and, with ``--against``, the original itself.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from engine.detail.generator import load_network, run
from engine.expressions import KEY_NAMES
from engine.images import load_photo
from engine.landmarks import LandmarkDetector
from engine.packs.facescape import data as packs
from engine.packs.facescape.displace import DetailMesh
from engine.packs.facescape.maps import CANVAS_SIZE
from engine.packs.facescape.model import FaceScapePack, load_facescape_pack, points_of_original
from engine.packs.facescape.network_predictor import NetworkPredictor
from engine.packs.facescape.switches import DetailSwitches
from engine.packs.facescape.texture_exact import ExactTexture
from engine.pipeline import Models, add_key_maps, build_face
from engine.render.offscreen import render_over_photo
from engine.resources import resource_path
from engine.rig import closeness, pose
from engine.types import FaceAsset
from tests.bench import facescape_command, facescape_recordings
from tests.running import finish

PHOTO = "samples/portrait_obama.jpg"
_ROUNDS, _NETWORK_ROUNDS = 5, 3
_KEYS = 20


@dataclass
class Row:
    """One stage: what the original took, what ours may take, and the work that is measured."""

    name: str
    original: str
    limit: str
    work: Callable[[], object]
    here: Callable[[], object] | None = None
    """The original's way of doing it, where this program can repeat it."""
    seconds: list[float] = field(default_factory=list)
    seconds_here: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Of all threads: bears other programs better than the wall's time."""

    def run(self) -> None:
        """Measure one round, the two ways one after the other."""
        if self.here is not None:
            self.seconds_here.append(_timed(self.here)[0])
        spent, processor = _timed(self.work)
        self.seconds.append(spent)
        self.processor.append(processor)

    def forget(self) -> None:
        """Begin again: what is made once is made now."""
        for measured in (self.seconds, self.seconds_here, self.processor):
            measured.clear()

    def line(self) -> str:
        """The row of the table."""
        here = f"{min(self.seconds_here):.2f} s" if self.seconds_here else ""
        share = f" ({min(self.seconds) / min(self.seconds_here):.0%})" if self.seconds_here else ""
        best, median = f"{min(self.seconds):.2f} s{share}", f"{statistics.median(self.seconds):.2f} s"
        processor = f"{min(self.processor):.2f} s" if self.processor else ""
        return f"| {self.name} | {self.original} | {here} | {best} | {median} | {processor} | {self.limit} |"


def facescape(
    folder: Path, against: Path | None = None, python: Path | None = None, *, all_maps: bool = False
) -> Iterator[str]:
    """Lines of all tables.

    Args:
        folder: the imported pack.
        against: a copy of the original program with its files in place.
        python: the interpreter that runs it; None takes this one.
        all_maps: measure the 20 maps, too, which takes minutes.
    """
    if not packs.is_imported(folder):
        yield f"No FaceScape pack is imported in {folder}. Import one with main.py --import-facescape DIR."
        return
    pack = load_facescape_pack(folder)
    photo = load_photo(resource_path(PHOTO))
    yield f"{photo.name}, {photo.image.shape[1]} x {photo.image.shape[0]} px; core of {pack.data.core.nbytes / 1e6:.0f} MB."
    yield ""
    yield "| stage | original, best seen | the original's way, this run | ours, best | median | processor time | limit |"
    yield "|---|---|---|---|---|---|---|"
    with LandmarkDetector() as detector:
        flat = FaceScapePack(pack.data, _NoDetail())
        face = finish(build_face(photo, Models(flat, detector)))[0]
        rows = list(_stages(pack, face))
        _measure(rows, 1)  # what is made once, such as charts of the texture
        for row in rows:
            row.forget()
        _measure(rows, _ROUNDS)
        yield from (row.line() for row in rows)
        if set(packs.NETWORKS) <= set(pack.data.checkpoints) and pack.data.position_maps is not None:
            yield from _networks(pack)
            yield from _keys(face, pack, detector, all_maps)
        else:
            yield ""
            yield "The networks and position maps are not imported: no maps, no closeness."
    yield ""
    yield from facescape_command.compared(folder, against, python, all_maps=all_maps)
    yield ""
    yield from facescape_recordings.compared(pack)


class _NoDetail:
    """A predictor that costs nothing."""

    name = "none"

    def steps(self, request):
        from engine.detail.predictor import DetailResult

        n = len(request.texture)
        for key in request.keys:
            yield DetailResult(key, np.zeros((n, n), np.float32), np.ones((n, n), np.float32))

    predict = steps


def _measure(rows: list[Row], rounds: int) -> None:
    """All rows in turn, so that a busy moment hits all of them."""
    for _ in range(rounds):
        for row in rows:
            row.run()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of all threads of this process."""
    began, began_processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - began_processor


def _stages(pack: FaceScapePack, face: FaceAsset) -> Iterator[Row]:
    data, photo, found = pack.data, face.photo, face.fit
    posed = pose(face.rig, found.weights)
    exact, mesh = ExactTexture(data), DetailMesh(data)
    points = points_of_original(found.camera, pack.head(found.identity, found.expression), photo.image.shape[0])
    canvas = np.random.default_rng(2).integers(30_000, 35_000, (CANVAS_SIZE, CANVAS_SIZE), np.uint16)
    yield Row("load model, mapped", "2.0 s", "0.3 s", lambda: load_facescape_pack(data.folder))
    yield Row("fit, 4 loops", "23.6 s", "0.8 s", lambda: finish(pack.fit(face.landmarks)))
    yield Row("texture 4096", "1.0 s", "0.25 s", lambda: pack.surface(photo, face.landmarks, found, face.rig))
    yield Row("texture 4096, --exact", "1.0 s", "0.25 s", lambda: exact.paint(photo.image, points))
    triangles = f"{len(mesh.faces) / 1e6:.2f} M triangles"
    yield Row(f"displaced mesh, {triangles}", "4.3 s", "0.4 s", lambda: mesh.displaced(posed.vertices, face.static_map))
    yield Row("the same, --exact", "4.3 s", "0.4 s", lambda: mesh.displaced_exactly(posed.vertices, canvas))
    yield Row("render over the photo", "8.3 s", "0.5 s", lambda: render_over_photo(face, posed, pack.photo_view))


def _networks(pack: FaceScapePack) -> Iterator[str]:
    """One map beside torch's own modules with the same weights, as the original runs them."""
    import torch
    from safetensors.torch import load_file

    from engine.packs.facescape.checkpoint import read_architecture
    from tests.bench.generator import plain, random_pictures

    path = pack.data.checkpoints["single"]
    weights = load_file(path)
    shape = read_architecture({name: tuple(tensor.shape) for name, tensor in weights.items()})
    pictures = random_pictures(shape.input_channels, 1024)
    small = np.ascontiguousarray(pictures[..., ::2, ::2])
    module, network = plain(weights, shape), load_network(path, "cpu")
    source = torch.from_numpy(pictures)
    full = Row(
        "network, one map 1024x1024",
        "10.4-13.2 s",
        "60 %",
        lambda: run(network, pictures),
        lambda: module(source).detach(),
    )
    half = Row("half-size preview", "", "25 %", lambda: run(network, small))
    _measure([full, half], _NETWORK_ROUNDS)
    half.seconds_here = full.seconds_here
    all_keys = Row(f"{_KEYS} maps, extrapolated", "about 320 s", "60 %", full.work)
    all_keys.seconds = [_KEYS * seconds for seconds in full.seconds]
    all_keys.seconds_here = [_KEYS * seconds for seconds in full.seconds_here]
    yield from (row.line() for row in (full, half, all_keys))


def _keys(face: FaceAsset, pack: FaceScapePack, detector: LandmarkDetector, all_maps: bool) -> Iterator[str]:
    """Rows of the 20 maps as they are really made, and the closeness of the blend to each of them."""
    for preview in (True, False) if all_maps else (True,):
        predictor = NetworkPredictor(pack.data, device="cpu", switches=DetailSwitches(preview=preview))
        models = Models(FaceScapePack(pack.data, predictor), detector)
        began = time.perf_counter()
        complete = finish(add_key_maps(replace(face, key_maps=(None,) * _KEYS), models, range(_KEYS)))[0]
        spent = time.perf_counter() - began
        name = "half-size previews" if preview else "measured"
        yield f"| {_KEYS} maps, {name} | about 320 s | | {spent:.0f} s | | | {'' if preview else '60 %'} |"
    ours, paper = closeness(complete), closeness(complete, exact=True)
    yield ""
    yield "RMS(D(h_k) - D_k) / RMS(D_k) over the skin that the key moves (limit 0.35 for 15 of 19 keys):"
    yield ""
    yield "| key | ours | the paper's masks (--exact) |"
    yield "|---|---|---|"
    for k, key in enumerate(KEY_NAMES):
        yield f"| {key} | {ours[k]:.2f} | {paper[k]:.2f} |"
    yield f"| keys within 0.35, of 19 | {(ours[1:] <= 0.35).sum()} | {(paper[1:] <= 0.35).sum()} |"


def parsed(arguments: list[str]) -> argparse.Namespace:
    """What ``tests.bench facescape`` takes."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench facescape", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="an imported pack (default: this user's)"
    )
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="a copy of the original program, with all its files"
    )
    parser.add_argument(
        "--python", type=Path, metavar="FILE", help="the Python that runs the original (default: this one)"
    )
    parser.add_argument("--all-maps", action="store_true", help="measure all 20 maps in full size: minutes")
    return parser.parse_args(arguments)


def main(chosen: argparse.Namespace, folder: Path) -> int:
    """Print the tables of the pack in ``folder``."""
    for line in facescape(folder, chosen.against, chosen.python, all_maps=chosen.all_maps):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0
