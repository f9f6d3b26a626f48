"""Which of FaceScape's files are in the folders that a user names, whether they are sound, and what is still needed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ModelFileError
from engine.packs.facescape import inventory_files as files
from engine.packs.facescape.bilinear16 import Model16, old_order
from engine.packs.facescape.convert_core import CoreSource, VertexMap
from engine.packs.facescape.convert_predef import CHIN, READERS, Arrays, contradictions, read_chin
from engine.packs.facescape.restricted import WrongContent
from engine.types import Progress

FOUND, MISSING, WRONG, UNNEEDED = "found", "missing", "wrong", "not needed"

ORIGINAL = "the repository yanght321/Detailed3DFace on GitHub, folder predef"
REQUEST = "https://facescape.nju.edu.cn, after signing the licence agreement"
NETWORKS = "the links in the README of yanght321/Detailed3DFace on GitHub"
MIT = "MIT: free to use with its notice."
LICENSED = "FaceScape licence: non-commercial research only; the file must not be passed on."

CORE, FACTORS, POSITION_MAPS = "core_847_50_52.npy", "factors_id_847_50_52.npy", "posmaps.npz"
CHECKPOINTS = {"dpmap_single_net_G.pth": "single", "dpmap_rig_net_G.pth": "rig"}
_CHIN_FILE = "index_chin.txt"
_PRIORS = ("id_mean.pkl", "id_var.pkl")


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One file that the pack is made of."""

    name: str
    """As the original names it; also the key."""
    purpose: str
    required: bool
    source: str
    """Where to get it."""
    licence: str
    """What its licence allows and forbids."""


def _predef(name: str, purpose: str) -> FileSpec:
    return FileSpec(name, purpose, True, ORIGINAL, MIT)


SPECS: tuple[FileSpec, ...] = (
    FileSpec(CORE, "the shapes (or facescape_bm_v1.6_..._id_front.npz)", True, REQUEST, LICENSED),
    FileSpec(FACTORS, "the people that the shapes come from", True, REQUEST, LICENSED),
    _predef("faces.pkl", "triangles and texture coordinates of the head"),
    _predef("front_verts_indices.pkl", "vertices of the front mesh"),
    _predef("front_faces.pkl", "triangles of the front mesh"),
    _predef("front_texcoords.pkl", "texture coordinates of the front mesh"),
    _predef("front_face_indices.pkl", "triangles that wear the photo"),
    _predef("front_mask.png", "the skin that the networks see"),
    _predef("index_68.txt", "the 68 landmarks"),
    _predef("contour_line_68.pkl", "candidates for the outline of the face"),
    _predef("exp_GMM.pkl", "how likely expressions are"),
    _predef("id_mean.pkl", "mean of the identities"),
    _predef("id_var.pkl", "spread of the identities"),
    FileSpec("dpmap_single_net_G.pth", "network: detail of the photo", False, NETWORKS, LICENSED),
    FileSpec("dpmap_rig_net_G.pth", "network: detail of 20 expressions", False, NETWORKS, LICENSED),
    FileSpec(POSITION_MAPS, "expressions, as the second network reads them", False, ORIGINAL, LICENSED),
)
_BY_NAME = {spec.name: spec for spec in SPECS}


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What became of one file."""

    spec: FileSpec
    status: str
    """'found', 'missing', 'wrong' or 'not needed'."""
    path: Path | None = None
    why: str = ""
    """Why it is wrong, or what else there is to know: a sentence."""
    content: Any = None
    """What the check read, for the conversion."""

    @property
    def blocks(self) -> bool:
        """Whether the model cannot be imported because of it."""
        return self.spec.required and self.status in (MISSING, WRONG)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A complete model, ready to be converted."""

    core: CoreSource
    vertex_map: VertexMap
    vertices: int
    """Of the result."""
    version: str
    """'1.0-1.3' or '1.6'."""
    arrays: Arrays
    """Entries of the pack's model file."""


@dataclass(frozen=True, slots=True, eq=False)
class Inventory:
    """All files, in the order of ``SPECS``, and the model where it is complete."""

    folders: tuple[Path, ...]
    findings: tuple[Finding, ...]
    model: Model | None
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.spec.name == name)

    @property
    def found_any(self) -> bool:
        """Whether there is anything to import."""
        return any(finding.status == FOUND for finding in self.findings)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Files that were found and refused."""
        return tuple(finding for finding in self.findings if finding.status == WRONG)

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Files without which there is no model."""
        return tuple(finding for finding in self.findings if finding.blocks)


def take_inventory(folders: Sequence[Path]) -> Inventory:
    """Find and check the files.

    Raises:
        ModelFileError: a folder is not there.
    """
    steps = inventory_steps(folders)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            inventory: Inventory = end.value
            return inventory


def inventory_steps(folders: Sequence[Path]) -> Generator[Progress, None, Inventory]:
    """Find and check the files, one by one.

    Args:
        folders: searched with everything below them; single files may be named as well.

    Yields:
        Progress before each file.

    Returns:
        What was found.

    Raises:
        ModelFileError: a folder is not there.
    """
    yield Progress("Searching the folders", 0.0)
    found_files = files.search(folders)
    findings: dict[str, Finding] = {}
    for index, spec in enumerate(SPECS):
        yield Progress(f"Checking {spec.name}", (index + 0.5) / (len(SPECS) + 1))
        findings[spec.name] = _find(spec, found_files, findings)
    yield Progress("Comparing the files", len(SPECS) / (len(SPECS) + 1))
    notes = list(found_files.notes)
    model = _model(findings, found_files, notes)
    return Inventory(tuple(folders), tuple(findings[spec.name] for spec in SPECS), model, tuple(notes))


def _find(spec: FileSpec, found: files.FoundFiles, findings: dict[str, Finding]) -> Finding:
    """Look for one file: those that bear its name, then those that may be it by their content."""
    check: Callable[[Path], Any]
    core = findings[CORE].content if CORE in findings else None
    if spec.name == CORE:
        called, others = files.core_candidates(found, CORE)
        check = files.check_core
    elif spec.name == FACTORS:
        if isinstance(core, Model16):
            return Finding(spec, UNNEEDED, why="v1.6 carries its own")
        called, others = files.factor_candidates(found, FACTORS)
        identities = core.identities if isinstance(core, CoreSource) else 50

        def check(path: Path) -> Any:
            return files.check_factors(path, identities)

    elif spec.name in CHECKPOINTS:
        called, others = files.network_candidates(found, spec.name)

        def check(path: Path) -> Any:
            return files.check_network(found, path, CHECKPOINTS[spec.name])

    elif spec.name == POSITION_MAPS:
        called, others = files.position_map_candidates(found, POSITION_MAPS)
        check = files.check_position_maps
    else:
        called, others = found.named(spec.name), []

        def check(path: Path) -> Any:
            return files.check_predef(spec.name, path)

    path, content, failed = files.first_sound(called, check)
    if path is None:
        path, content, _ = files.first_sound(others, check)
    if path is not None:
        note = ""
        if spec.name in READERS:
            content, note = content
        return Finding(spec, FOUND, path, note, content)
    if failed is not None:
        return _wrong(spec, *failed)
    return Finding(spec, MISSING)


def _wrong(spec: FileSpec, path: Path, error: ModelFileError) -> Finding:
    why = f"{path.name} {error}." if isinstance(error, WrongContent) else error.sentence()
    return Finding(spec, WRONG, path, why)


def _model(findings: dict[str, Finding], found: files.FoundFiles, notes: list[str]) -> Model | None:
    """Put the model together from its files; where they contradict each other, mark the wrong one."""
    core = findings[CORE].content
    for name, why in _own_priors(core, findings):
        findings[name] = Finding(_BY_NAME[name], UNNEEDED, why=why)
    if any(finding.blocks for finding in findings.values()):
        return None
    arrays: Arrays = {}
    for name in READERS:
        if findings[name].status == FOUND:
            arrays |= findings[name].content
    try:
        arrays["chin_vertices"] = _chin(found, int(arrays["faces"].max()))
    except WrongContent as error:
        findings["index_68.txt"] = replace(findings["index_68.txt"], status=WRONG, why=f"{_CHIN_FILE} {error}.")
        return None
    of_16 = isinstance(core, Model16)
    model = _model16(core, arrays, findings, notes) if of_16 else _model10(core, arrays, findings)
    if model is None:
        return None
    wrong = contradictions(model.arrays, model.vertices)
    for name, why in wrong.items():
        key = "index_68.txt" if name == _CHIN_FILE else name
        path = findings[key].path
        findings[key] = replace(findings[key], status=WRONG, why=f"{path.name if path else name} {why}.")
    return None if wrong else model


def _own_priors(core: CoreSource | Model16 | None, findings: dict[str, Finding]) -> list[tuple[str, str]]:
    """Files of priors that this model replaces, and why."""
    if isinstance(core, Model16):
        names = (*_PRIORS, "exp_GMM.pkl") if core.gmm is not None else _PRIORS
        return [(name, "v1.6 carries its own") for name in names]
    if core is None or findings[FACTORS].status != FOUND:
        return []
    sizes = {
        name: next(iter(findings[name].content.values())).size if findings[name].status == FOUND else 0
        for name in _PRIORS
        if findings[name].status != WRONG
    }
    return [(name, "computed from the factors") for name, size in sizes.items() if size != core.identities]


def _model10(core: CoreSource, arrays: Arrays, findings: dict[str, Finding]) -> Model:
    factors = findings[FACTORS].content
    arrays.setdefault("id_mean", factors.mean(0))
    arrays.setdefault("id_var", factors.var(0))
    arrays["start_identity"] = np.ascontiguousarray(factors[0])
    return Model(core, lambda vertices: vertices, core.vertices, "1.0-1.3", arrays)


def _model16(model: Model16, arrays: Arrays, findings: dict[str, Finding], notes: list[str]) -> Model | None:
    old_count = int(arrays["faces"].max()) + 1
    try:
        vertex_map, note = old_order(model, old_count, arrays["faces"])
    except WrongContent as error:
        findings[CORE] = _wrong(_BY_NAME[CORE], model.core.path, error)
        return None
    notes.extend(f"{model.core.path.name}: {text}." for text in (*model.notes, note) if text)
    arrays |= {"id_mean": model.id_mean, "id_var": model.id_var, "start_identity": model.id_mean.copy()}
    arrays |= model.gmm or {}
    return Model(model.core, vertex_map, old_count, "1.6", arrays)


def _chin(found: files.FoundFiles, largest: int) -> np.ndarray[Any, Any]:
    """Candidates of landmark 8: the original's constants, or a file of their own for another topology."""
    paths = found.named(_CHIN_FILE)
    if paths:
        return read_chin(paths[0].read_bytes()[: 1 << 16])["chin_vertices"]
    if max(CHIN) > largest:
        raise WrongContent(
            "is needed for a face that has not the original's topology: 16 vertices of the chin, one a line"
        )
    return np.array(CHIN, np.int32)
