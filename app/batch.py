"""Photos to result folders without a window: one after the other, and no bad one stops the rest."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TypeVar

from app.engine_service import EngineService
from engine.atomic import FileSet, FolderUnusable
from engine.errors import AppError, GpuError, ModelFileError
from engine.export import ResultOptions, safe_stem, write_results
from engine.images import SUPPORTED_NAMES, SUPPORTED_SUFFIXES, load_photo
from engine.packs.facescape.switches import DetailSwitches
from engine.steps import scaled
from engine.types import FaceAsset, Pose, Progress, ViewOptions

if TYPE_CHECKING:
    from engine.arrays import ByteArray

ALL_DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130

_SHARE_THAT_SHOWS = 0.05  # of a key's map anywhere on the face
_NO_KEY_MAPS = "The maps of the key expressions need files of this face model that are not imported."
_NO_KEY_MAPS_HINT = "Import dpmap_rig_net_G.pth and posmaps.npz with --import-facescape, or use --name dpmap_single."

_Result = TypeVar("_Result")
_log = logging.getLogger("detailed_face")


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What is wanted of every photo."""

    output: Path
    rig: bool = False
    """The maps of all key expressions instead of the photo's own."""
    render: bool = False
    detailed: int | None = None
    """Subdivisions of the displaced mesh, None for none."""
    blendshapes: bool = False
    glb: bool = False
    """The rig as one glTF file."""
    exact: bool = False
    """The published masks; with the pack 'facescape' all that the original does, with its faults."""
    pack: str = "open"
    switches: DetailSwitches = field(default_factory=DetailSwitches)
    """How the networks of the pack 'facescape' make the maps."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photo."""

    photo: Path
    files: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()
    problem: str = ""
    """Why it failed; empty where it did not."""
    fatal: bool = False
    """The same would happen to every further photo."""
    seconds: float = 0.0

    def failure(self) -> str:
        """The problem, with the photo's name in front unless it says the name itself."""
        named = self.photo.name in self.problem
        return f"Failed: {self.problem}" if named else f"Failed: {self.photo.name}: {self.problem}"


class Display(Protocol):
    """How the batch is shown while it runs."""

    def stage(self, index: int, photo: Path, progress: Progress) -> None:
        """Photo number ``index`` (from 0) is at ``progress``."""
        ...

    def outcome(self, index: int, outcome: Outcome) -> None:
        """Photo number ``index`` is through."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


def run(source: Path, options: BatchOptions) -> int:
    """Work on a photo or on every photo of a folder, show progress on stderr and results on stdout.

    Returns:
        0 all done, 1 something failed, 130 stopped with Ctrl-C; what was done by then stays.
    """
    with _ended_like_an_interrupt():
        try:
            photos, skipped = find_photos(source)
            for path in skipped:
                _say(f"Skipped {path.name}: not a photo in a supported format.")
            if not photos:
                _say(f"There is no photo in {source}. Supported are {SUPPORTED_NAMES}.")
                return SOME_FAILED
            with FileSet(options.output):  # an output that cannot be written is found before the models are loaded
                pass
            return _run_all(photos, options)
        except AppError as error:
            _say(error.sentence())
            return SOME_FAILED
        except KeyboardInterrupt:
            _say("Stopped. Results that were complete stay.")
            return INTERRUPTED


def find_photos(source: Path) -> tuple[list[Path], list[Path]]:
    """The photos of a folder in natural order (2 before 10), and the files that are none; hidden files are left out.

    Anything but a folder is a photo by itself: what is wrong with it is found when it is read.

    Raises:
        AppError: the folder may not be read.
    """
    if not os.path.isdir(source):  # unlike Path.is_dir it does not raise where a parent is closed to us
        return [source], []
    try:
        files = [path for path in source.iterdir() if not path.name.startswith(".") and not path.is_dir()]
    except OSError as error:
        raise AppError(f"The folder {source} cannot be read ({error.strerror}).", "Check its permissions.") from error
    files.sort(key=lambda path: _natural(path.name))
    photos = [path for path in files if path.suffix.lower() in SUPPORTED_SUFFIXES]
    return photos, [path for path in files if path.suffix.lower() not in SUPPORTED_SUFFIXES]


def unique_stems(photos: list[Path]) -> list[str]:
    """A folder name for every photo; the second of the same name gets ``_2``, also where only the case differs."""
    stems: list[str] = []
    taken: set[str] = set()
    for photo in photos:
        stem = wanted = safe_stem(photo.stem)
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{wanted}_{number}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def process_photo(
    photo_path: Path, stem: str, service: EngineService, options: BatchOptions
) -> Generator[Progress, None, Outcome]:
    """One photo from the file to its result folder.

    Raises:
        AppError: it cannot become a face, or its results cannot be written.
    """
    yield Progress("Reading the photo", 0.0)
    start = time.perf_counter()
    photo = load_photo(photo_path)
    reading = ("reading", time.perf_counter() - start)
    models = yield from scaled(service.models(), 0.0, 0.1)
    if options.rig and not models.pack.has_key_maps:
        raise ModelFileError(_NO_KEY_MAPS, _NO_KEY_MAPS_HINT)
    from engine.expressions import PUBLISHED_KEYS
    from engine.pipeline import add_key_maps, build_face

    start = time.perf_counter() - reading[1]  # loading the models is not this photo's time
    face = yield from scaled(build_face(photo, models), 0.1, 0.5)
    closeness: dict[str, float] | None = None
    if options.rig:
        shares = _pose_of_photo(face, options).map_weights.max(axis=0)  # the photo's expression may show further keys
        keys = [key for key, share in enumerate(shares) if key < PUBLISHED_KEYS or share > _SHARE_THAT_SHOWS]
        face = yield from scaled(add_key_maps(face, models, keys), 0.5, 0.69)
        yield Progress("Comparing the blended maps", 0.69)
        closeness = _closeness(face, models.pack.key_names, options)
    pose = _pose_of_photo(face, options)
    warnings: tuple[str, ...] = ()
    picture, drawing = None, time.perf_counter()
    if options.render:
        yield Progress("Rendering", 0.7)
        picture, warnings = _rendering(face, pose, models.pack.photo_view)
    results = ResultOptions(
        map_scale_mm=models.pack.map_scale_mm,
        maps="rig" if options.rig else "single",
        detailed=options.detailed,
        blendshapes=options.blendshapes,
        glb=options.glb,
        formats=models.pack.formats,
    )
    steps = write_results(
        face,
        pose,
        options.output / stem,
        stem,
        results,
        render=picture,
        warnings=warnings,
        seconds=(reading, ("rendering", time.perf_counter() - drawing)),
        closeness=closeness,
    )
    written = yield from scaled(steps, 0.75, 1.0)
    return Outcome(photo_path, written.files, written.warnings, seconds=time.perf_counter() - start)


def _run_all(photos: list[Path], options: BatchOptions) -> int:
    """Every photo in turn, then the summary."""
    display: Display = _Bar(len(photos)) if sys.stderr.isatty() else _Lines(len(photos))
    outcomes: list[Outcome] = []
    service = EngineService(options.pack, exact=options.exact, switches=options.switches)
    try:
        for index, (photo, stem) in enumerate(zip(photos, unique_stems(photos), strict=True)):
            outcome = _one(index, process_photo(photo, stem, service, options), photo, display)
            display.outcome(index, outcome)
            outcomes.append(outcome)
            if outcome.fatal:
                break
    finally:
        service.close()
        display.close()
        _summarise(outcomes, len(photos))
    return ALL_DONE if len(outcomes) == len(photos) and not any(o.problem for o in outcomes) else SOME_FAILED


def _one(index: int, steps: Generator[Progress, None, Outcome], photo: Path, display: Display) -> Outcome:
    """Drive one photo to its outcome, whatever happens to it."""
    try:
        while True:
            display.stage(index, photo, next(steps))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    except AppError as error:
        return Outcome(photo, problem=error.sentence(), fatal=isinstance(error, FolderUnusable | ModelFileError))
    except MemoryError:
        return Outcome(
            photo, problem="There is not enough memory for it. Close other programs, or use a smaller photo."
        )
    except Exception as error:  # noqa: BLE001 - a fault of ours with one photo must not cost the others
        where = _log_unexpected(error)
        problem = f"Something went wrong inside the program ({type(error).__name__}: {error}). Please report it."
        return Outcome(photo, problem=problem + where)
    finally:
        steps.close()


def _pose_of_photo(face: FaceAsset, options: BatchOptions) -> Pose:
    from engine.rig import pose

    return pose(face.rig, face.fit.weights, exact=options.exact)


def _closeness(face: FaceAsset, names: Sequence[str], options: BatchOptions) -> dict[str, float]:
    """How near the blend at each key expression's own weights comes to its map, 0 = there."""
    from engine.expressions import PUBLISHED_KEYS
    from engine.rig import closeness

    found = closeness(face, exact=options.exact)[:PUBLISHED_KEYS].tolist()
    return dict(zip(names[:PUBLISHED_KEYS], found, strict=True))


def _rendering(face: FaceAsset, pose: Pose, view: ViewOptions) -> tuple[ByteArray | None, tuple[str, ...]]:
    """The face over its photo, or a warning where there is no OpenGL."""
    from engine.render.offscreen import render_over_photo

    try:
        return render_over_photo(face, pose, view), ()
    except GpuError as error:
        return None, (f"The picture was not rendered: {error.sentence()}",)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key: runs of digits count as numbers."""
    runs = re.split(r"(\d+)", name.casefold())
    return [(0, int(run), "") if run.isdecimal() else (1, 0, run) for run in runs if run]


def _log_unexpected(error: Exception) -> str:
    """Write the traceback to the log file; a sentence that says where it is."""
    import platformdirs

    path = platformdirs.user_log_path("detailed-face", appauthor=False) / "command-line.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError:
        return ""
    _log.addHandler(handler)
    _log.error("unexpected failure", exc_info=error)
    _log.removeHandler(handler)
    handler.close()
    return f" Details: {path}"


@contextmanager
def _ended_like_an_interrupt() -> Iterator[None]:
    """Being asked to end (SIGTERM) unwinds as Ctrl-C does, so that half-written results are removed."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


class _Bar:
    """A tqdm bar over the whole batch with photo and stage beside it."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        layout = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]{postfix}"
        self._bar = tqdm(total=float(total), bar_format=layout, file=sys.stderr, dynamic_ncols=True)
        self._total = total

    def stage(self, index: int, photo: Path, progress: Progress) -> None:
        self._bar.set_description_str(f"{index + 1}/{self._total} {photo.name}", refresh=False)
        self._bar.set_postfix_str(progress.stage, refresh=False)
        self._bar.update(max(0.0, index + progress.fraction - self._bar.n))

    def outcome(self, index: int, outcome: Outcome) -> None:
        self._bar.update(index + 1 - self._bar.n)
        if outcome.problem:
            self._bar.write(outcome.failure(), file=sys.stderr)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    """One line per photo, for log files and pipes."""

    def __init__(self, total: int) -> None:
        self._total = total

    def stage(self, index: int, photo: Path, progress: Progress) -> None:
        """Lines come when a photo is through."""

    def outcome(self, index: int, outcome: Outcome) -> None:
        what = outcome.failure() if outcome.problem else f"{outcome.photo.name}: done in {outcome.seconds:.1f} s"
        _say(f"{index + 1}/{self._total} {what}")

    def close(self) -> None:
        """Nothing is open."""


def _summarise(outcomes: list[Outcome], total: int) -> None:
    """Folders, warnings and failures of the whole batch; every file where there was but one photo."""
    for outcome in outcomes:
        if outcome.files:
            listed = outcome.files if total == 1 else outcome.files[:1]
            sys.stdout.write("".join(f"{path if total == 1 else path.parent}\n" for path in listed))
        for warning in outcome.warnings:
            _say(f"{outcome.photo.name}: note: {warning}")
    if total == 1:  # its failure has just been said
        return
    failed = [outcome for outcome in outcomes if outcome.problem]
    if failed or len(outcomes) < total:
        _say(f"{len(outcomes) - len(failed)} of {total} photos done.")
    for outcome in failed:
        _say(outcome.failure())
    if len(outcomes) < total:
        _say(f"Not done: {total - len(outcomes)}.")


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
