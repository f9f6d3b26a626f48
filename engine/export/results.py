"""The set of files that the command line writes for one photo."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from engine.arrays import ByteArray, FloatArray
from engine.atomic import FileSet
from engine.export import names, obj, pictures
from engine.export.face import NEUTRAL, blended_map, mesh_tail
from engine.export.gltf import glb_file
from engine.export.mesh import ExportMesh, export_mesh
from engine.expressions import PUBLISHED_KEYS, SHAPE_NAMES
from engine.types import FaceAsset, Pose, Progress, Topology

SCHEMA_VERSION = 1
_CLIPPED_SHARE_WORTH_A_WARNING = 1e-4


class FileFormats(Protocol):
    """Files laid out in a pack's own way; each content is made while it is written."""

    def mesh(self, vertices: FloatArray, stem: str) -> Iterator[bytes]:
        """``<stem>.obj``: (V, 3) float32 mm."""
        ...

    def material(self, stem: str) -> bytes:
        """``<stem>.obj.mtl``."""
        ...

    def detail_map(self, map_mm: FloatArray) -> Iterator[bytes]:
        """A map's file: (n, n) float32 signed mm over the window."""
        ...

    def detailed(self, vertices: FloatArray, map_mm: FloatArray, subdivisions: int, stem: str) -> Iterator[bytes]:
        """``<stem>_detailed.obj``."""
        ...


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """What the command line asks for."""

    map_scale_mm: float
    """Depth at full white: the pack's."""
    maps: Literal["single", "rig"] = "single"
    """The photo's own map, or those of the 20 key expressions."""
    detailed: int | None = None
    """Subdivisions of ``<stem>_detailed.obj``, None for no such file."""
    blendshapes: bool = False
    formats: FileFormats | None = None
    """The pack's own layout of the files; None for the usual one. glTF has but one."""
    glb: bool = False
    """``<stem>.glb``: the rig in one file, opened in the photo's expression."""


@dataclass(frozen=True, slots=True)
class WrittenResults:
    """What ``write_results`` left on the disk."""

    files: tuple[Path, ...]
    warnings: tuple[str, ...]
    """All sentences that the report carries."""


def write_results(
    face: FaceAsset,
    pose: Pose,
    folder: Path,
    stem: str,
    options: ResultOptions,
    *,
    render: ByteArray | None = None,
    warnings: tuple[str, ...] = (),
    seconds: tuple[tuple[str, float], ...] = (),
    closeness: Mapping[str, float] | None = None,
) -> Generator[Progress, None, WrittenResults]:
    """Write the results of one photo: all of them or, on failure or cancelling, none.

    ``<stem>.obj`` (the photo's expression, unposed, mm), ``.obj.mtl``, ``.jpg``, the maps, on request ``_render.jpg``,
    ``_detailed.obj``, ``.glb`` and ``_blendshapes/``, and always ``<stem>.json``.

    Args:
        face: the finished face; with ``options.maps`` 'rig' all its key maps are there.
        pose: the photo's expression.
        folder: made if it is missing.
        stem: first part of all names, as ``safe_stem`` gives it.
        options: which files.
        render: (H, W, 3) uint8 RGB, the face drawn over the photo.
        warnings: sentences for the report beside those of the face.
        seconds: stages measured outside the face's own.
        closeness: by key expression, as ``engine.rig.closeness`` measures it; None leaves it out of the report.

    Raises:
        ExportError: something cannot be written.
        ValueError: a key map is missing.
    """
    if options.maps == "rig" and any(key_map is None for key_map in face.key_maps[:PUBLISHED_KEYS]):
        raise ValueError("key_maps: expected all of them for maps 'rig', some are None")
    start = time.perf_counter()
    clipped: list[float] = []
    with FileSet(folder) as files:
        contents = list(_contents(face, pose, stem, options, render, clipped))
        for index, (name, chunks) in enumerate(contents):
            for _ in files.write(name, chunks):
                yield Progress(f"Writing {name}", index / (len(contents) + 1))
        all_warnings = (*face.warnings, *warnings, *_clipping_warning(clipped, options.map_scale_mm))
        all_seconds = (*face.seconds, *seconds, ("writing", time.perf_counter() - start))
        report = _report(face, options.map_scale_mm, all_warnings, all_seconds)
        if closeness is not None:
            report["closeness"] = {name: _number(value) for name, value in closeness.items()}
        for _ in files.write(f"{stem}.json", [_json(report)]):
            yield Progress(f"Writing {stem}.json", 1.0)
        return WrittenResults(files.commit(), all_warnings)


def _contents(
    face: FaceAsset, pose: Pose, stem: str, options: ResultOptions, render: ByteArray | None, clipped: list[float]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Names and contents; a content is made while it is written."""
    mesh = export_mesh(face.topology, 0)
    formats = options.formats or _UsualFormats(face.topology, options.map_scale_mm, clipped)
    yield f"{stem}.obj", formats.mesh(pose.vertices, stem)
    yield names.material_file(stem), iter([formats.material(stem)])
    yield names.texture_file(stem), pictures.jpeg_file(face.texture.image)
    if options.maps == "single":
        yield names.static_map_file(stem), formats.detail_map(face.static_map)
    else:
        for key in range(len(face.key_maps[:PUBLISHED_KEYS])):
            yield names.key_map_file(stem, key), formats.detail_map(face.map_or_fallback(key))
    if render is not None:
        yield f"{stem}_render.jpg", pictures.jpeg_file(render)
    if options.detailed is not None:
        yield f"{stem}_detailed.obj", _detailed_file(face, pose, options.detailed, stem, formats)
    if options.glb:
        yield names.rig_file(stem), glb_file(face, pose.weights, stem)
    if options.blendshapes:
        yield from _shape_files(face, mesh, stem)


class _UsualFormats:
    """The engine's own files."""

    def __init__(self, topology: Topology, map_scale_mm: float, clipped: list[float]) -> None:
        self._topology, self._scale_mm, self._clipped = topology, map_scale_mm, clipped

    def mesh(self, vertices: FloatArray, stem: str) -> Iterator[bytes]:
        mesh = export_mesh(self._topology, 0)
        return _mesh_file(mesh, mesh.base(vertices), stem)

    def material(self, stem: str) -> bytes:
        return obj.material_text(names.texture_file(stem))

    def detail_map(self, map_mm: FloatArray) -> Iterator[bytes]:
        return pictures.map_file(map_mm, self._topology.window, self._scale_mm, self._clipped)

    def detailed(self, vertices: FloatArray, map_mm: FloatArray, subdivisions: int, stem: str) -> Iterator[bytes]:
        fine = export_mesh(self._topology, subdivisions)
        return _mesh_file(fine, fine.displaced(vertices, map_mm), stem)


def _shape_files(face: FaceAsset, mesh: ExportMesh, stem: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Neutral and the 51 shapes: geometry in the vertex order of ``<stem>.obj``, which carries the material."""
    tail = list(mesh_tail(mesh, material=False))
    folder = names.shapes_folder(stem)
    yield f"{folder}/{NEUTRAL}.obj", _shape_file(mesh, NEUTRAL, face.rig.neutral, tail)
    for name, delta in zip(SHAPE_NAMES, face.rig.deltas, strict=True):
        yield f"{folder}/{name}.obj", _shape_file(mesh, name, face.rig.neutral + delta, tail)


def _shape_file(mesh: ExportMesh, name: str, vertices: FloatArray, tail: list[bytes]) -> Iterator[bytes]:
    yield obj.header(name, "mm", None)
    yield from obj.vertex_lines(mesh.base(vertices), "mm")
    yield from tail


def _detailed_file(face: FaceAsset, pose: Pose, subdivisions: int, stem: str, formats: FileFormats) -> Iterator[bytes]:
    yield from formats.detailed(pose.vertices, blended_map(face, pose), subdivisions, stem)


def _mesh_file(mesh: ExportMesh, vertices: FloatArray, stem: str) -> Iterator[bytes]:
    yield obj.header(names.object_name(stem), "mm", names.material_file(stem))
    yield from obj.vertex_lines(vertices, "mm")
    yield from mesh_tail(mesh, material=True)


def _clipping_warning(shares: list[float], scale_mm: float) -> tuple[str, ...]:
    worst = max(shares, default=0.0)
    if worst < _CLIPPED_SHARE_WORTH_A_WARNING:
        return ()
    return (f"Detail deeper than {scale_mm:g} mm was cut in the exported maps ({worst:.2%} of the worst map).",)


def _report(
    face: FaceAsset, map_scale_mm: float, warnings: tuple[str, ...], seconds: tuple[tuple[str, float], ...]
) -> dict[str, Any]:
    """The content of ``<stem>.json``."""
    height, width = face.photo.image.shape[:2]
    camera, points68 = face.fit.camera, face.landmarks.points68
    in_file = export_mesh(face.topology, 0).vertex_in_file(face.fit.landmark_vertices)
    return {
        "schema_version": SCHEMA_VERSION,
        "photo": {"file": names.printable(face.photo.name), "sha256": face.photo.sha256},
        "pack": face.pack,
        "image_size": {"width": width, "height": height},
        "landmarks": None if points68 is None else _plain(points68),
        "landmarks_dense": _plain(face.landmarks.dense),
        "landmark_vertices": [None if vertex < 0 else int(vertex) for vertex in in_file],
        "camera": {
            "model": "weak perspective: x = s (R v)_x + t_x, y = t_y - s (R v)_y, image px, y down",
            "rotation_vector_rad": _plain(camera.rotation),
            "scale_px_per_mm": _number(camera.scale_px_per_mm),
            "translation_px": _plain(camera.translation_px),
        },
        "fit_error": {"points68": _number(face.fit.error68), "dense": _number(face.fit.error_dense)},
        "identity": _plain(face.fit.identity),
        "expression": dict(zip(SHAPE_NAMES, _plain(face.fit.weights), strict=True)),
        "map_scale_mm": map_scale_mm,
        "units": "mm",
        "seconds": _summed(seconds),
        "warnings": list(warnings),
    }


def _json(report: dict[str, Any]) -> bytes:
    """One line per entry, so that the short ones can be read among the long lists."""
    lines = [f"{json.dumps(key)}: {json.dumps(report[key], ensure_ascii=False, allow_nan=False)}" for key in report]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _plain(values: FloatArray) -> list[Any]:
    """An array as nested lists of numbers that JSON can carry."""
    return [_number(float(value)) if np.ndim(value) == 0 else _plain(value) for value in values]


def _number(value: float) -> float | None:
    """Seven digits, which hold a float32; what is not finite becomes null."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _summed(seconds: tuple[tuple[str, float], ...]) -> dict[str, float]:
    total: dict[str, float] = {}
    for stage, duration in seconds:
        total[stage] = round(total.get(stage, 0.0) + duration, 3)
    return total
