"""The export of the window: one face as OBJ in the wanted form, with texture and maps beside it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from engine.arrays import FloatArray, check
from engine.atomic import FileSet
from engine.errors import ExportError
from engine.export import names, obj, pictures
from engine.export.gltf import glb_file, glb_size
from engine.export.mesh import ExportMesh, export_mesh, refined_counts
from engine.expressions import PUBLISHED_KEYS, SHAPE_NAMES
from engine.types import AS_FOUND, BandStrengths, FaceAsset, Pose, Progress

NEUTRAL = "neutral"
MAX_SUBDIVISIONS = 3
MAX_STRENGTH = 2.0
_SEED_SCALE_MM = 0.914  # depth at full white of the original program's maps
_SHARE_THAT_SHOWS = 0.05  # of a key's map anywhere on the face
_MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the Export dialog asks for."""

    mesh: Literal["base", "displaced"] = "base"
    subdivisions: int = 0
    """0..3: how often every triangle is cut in four."""
    expression: Literal["current", "neutral", "all"] = "current"
    """'all': neutral and the 51 shapes as a set of files with the same vertex order, in a folder of their own."""
    texture: bool = True
    maps: Literal["none", "static", "all"] = "none"
    """'static': the detail that the photo shows; 'all': the 20 key expressions."""
    units: Literal["mm", "cm", "m"] = "mm"
    map_scale_mm: float = _SEED_SCALE_MM
    """Depth at full white of the maps: the pack's ``map_scale_mm``."""
    detail_strength: float = 1.0
    """Factor on the detail, in the displaced mesh and in the maps; 1 = as found."""
    exact: bool = False
    """Blend the key expressions' maps with the paper's masks (see ``engine.rig.pose``)."""
    detail_bands: BandStrengths = AS_FOUND
    """Factors on pores, fine lines and wrinkles (see ``engine.detail.bands``), besides ``detail_strength``."""
    glb: bool = False
    """The rig as one glTF file besides: smooth, with all shapes, in metres; ``expression`` sets its weights."""

    def __post_init__(self) -> None:
        if not 0 <= self.subdivisions <= MAX_SUBDIVISIONS:
            raise ValueError(f"subdivisions: expected 0..{MAX_SUBDIVISIONS}, got {self.subdivisions}")
        if self.units not in _MM_PER_UNIT:
            raise ValueError(f"units: expected one of {', '.join(_MM_PER_UNIT)}, got {self.units}")
        if not 0.0 <= self.detail_strength <= MAX_STRENGTH:
            raise ValueError(f"detail_strength: expected 0..{MAX_STRENGTH:g}, got {self.detail_strength}")
        if len(self.detail_bands) != 3 or not all(0.0 <= factor <= MAX_STRENGTH for factor in self.detail_bands):
            raise ValueError(f"detail_bands: expected three in 0..{MAX_STRENGTH:g}, got {self.detail_bands}")


def planned_files(face: FaceAsset, options: ExportOptions, stem: str) -> tuple[str, ...]:
    """Names that ``export_face`` will write, relative to the folder, in its order."""
    return tuple(name for name, _ in estimate_sizes(face, options, stem))


def estimate_sizes(face: FaceAsset, options: ExportOptions, stem: str) -> tuple[tuple[str, int], ...]:
    """Every file of the export with about its size in bytes (within a tenth), without making them."""
    stem, folder = _places(options, stem)
    mesh_bytes = _obj_size(face, options)
    sizes = [(names.rig_file(stem), glb_size(face, texture=options.texture))] if options.glb else []
    sizes += [(f"{folder}{name}.obj", mesh_bytes) for name in _mesh_names(options, stem)]
    if options.texture:
        sizes.append((folder + names.material_file(stem), len(obj.material_text(names.texture_file(stem)))))
        sizes.append((folder + names.texture_file(stem), pictures.jpeg_size(face.texture.image)))
    if options.maps != "none":
        map_bytes = pictures.map_size(_maps(face, options)[0], face.topology.window, options.map_scale_mm)
        sizes += [(folder + name, map_bytes) for name in _map_names(face, options, stem)]
        sizes.append((folder + _note_name(stem), len(_map_note(options))))
    return tuple(sizes)


def keys_to_make(face: FaceAsset, pose: Pose, options: ExportOptions) -> tuple[int, ...]:
    """Key maps that ``export_face`` would look at and that are not made yet."""
    wanted: set[int] = set(range(len(face.key_maps[:PUBLISHED_KEYS]))) if options.maps == "all" else set()
    if options.mesh == "displaced":
        for shown in _poses(face, pose, options):
            wanted |= set(np.flatnonzero(shown.map_weights.max(axis=0) > _SHARE_THAT_SHOWS).tolist())
    return tuple(sorted(key for key in wanted if face.key_maps[key] is None))


def export_face(
    face: FaceAsset, pose: Pose, options: ExportOptions, folder: Path, stem: str
) -> Generator[Progress, None, tuple[Path, ...]]:
    """Write the files of ``planned_files``: all of them or, on failure or cancelling, none.

    Args:
        face: whose.
        pose: the current expression; looked at where ``options.expression`` is 'current'.
        options: what.
        folder: where; made if it is missing. Existing files of the same names are replaced: ask before.
        stem: first part of the names; unfit characters become ``_``.

    Returns:
        The written files.

    Raises:
        ExportError: key maps are asked for that are not there yet, or something cannot be written.
    """
    if options.maps == "all" and any(key_map is None for key_map in face.key_maps[:PUBLISHED_KEYS]):
        raise ExportError("Not all of the key expressions' maps are computed yet.", "Wait for them, then export again.")
    total = max(1, sum(size for _, size in estimate_sizes(face, options, stem)))
    done = 0
    face = yield from _weighed(face, options)
    with FileSet(folder) as files:
        for name, chunks in _contents(face, pose, options, stem):
            yield Progress(f"Writing {name}", min(done / total, 0.99))
            for size in files.write(name, chunks):
                done += size
                yield Progress(f"Writing {name}", min(done / total, 0.99))
        return files.commit()


def _weighed(face: FaceAsset, options: ExportOptions) -> Generator[Progress, None, FaceAsset]:
    """The face with pores, lines and wrinkles as deep as asked for; untouched where the files hold no detail."""
    if options.detail_bands == AS_FOUND or (options.mesh == "base" and options.maps == "none"):
        return face
    from engine.detail.bands import face_steps

    steps = face_steps(face, options.detail_bands)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield Progress("Weighing the detail", 0.0)


def _contents(face: FaceAsset, pose: Pose, options: ExportOptions, stem: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Names and contents of all files, each made when it is asked for."""
    stem, folder = _places(options, stem)
    if options.glb:
        weights = pose.weights if options.expression == "current" else np.zeros_like(pose.weights)
        yield names.rig_file(stem), glb_file(face, weights, stem, texture=options.texture)
    material = names.material_file(stem) if options.texture else None
    mesh = export_mesh(face.topology, options.subdivisions)
    tail = list(mesh_tail(mesh, material=options.texture))  # the same in all files of a set
    for name, shown in zip(_mesh_names(options, stem), _poses(face, pose, options), strict=True):
        yield f"{folder}{name}.obj", _mesh_file(face, mesh, shown, options, (name, material, tail))
    if options.texture:
        texture = names.texture_file(stem)
        yield folder + names.material_file(stem), iter([obj.material_text(texture)])
        yield folder + texture, pictures.jpeg_file(face.texture.image)
    for name, map_mm in zip(_map_names(face, options, stem), _maps(face, options), strict=True):
        yield folder + name, pictures.map_file(map_mm, face.topology.window, options.map_scale_mm)
    if options.maps != "none":
        yield folder + _note_name(stem), iter([_map_note(options)])


def mesh_tail(mesh: ExportMesh, *, material: bool) -> Iterator[bytes]:
    """UVs and faces of an OBJ file, the same for all poses."""
    yield from obj.uv_lines(mesh.uvs)
    yield from obj.face_lines(mesh.subdivision.faces, mesh.subdivision.uv_faces, mesh.groups, material=material)


def blended_map(face: FaceAsset, pose: Pose) -> FloatArray:
    """(n, n) float32 mm: the detail of a pose."""
    from engine.rig import blend_maps

    return check("blended map", blend_maps(face, pose), face.static_map.shape)


def _mesh_file(
    face: FaceAsset,
    mesh: ExportMesh,
    pose: Pose,
    options: ExportOptions,
    text: tuple[str, str | None, list[bytes]],
) -> Iterator[bytes]:
    name, material, tail = text
    yield obj.header(names.object_name(name), options.units, material)
    if options.mesh == "displaced":
        vertices = mesh.displaced(pose.vertices, _deepened(blended_map(face, pose), options))
    else:
        vertices = mesh.base(pose.vertices)
    yield from obj.vertex_lines(vertices, options.units)
    yield from tail


def _poses(face: FaceAsset, pose: Pose, options: ExportOptions) -> Iterator[Pose]:
    """The expression of each mesh file, in the order of ``_mesh_names``."""
    if options.expression == "current":
        yield pose
        return
    from engine.rig import pose as pose_of

    yield pose_of(face.rig, np.zeros(len(SHAPE_NAMES), np.float32), options.exact)
    if options.expression == "all":
        for weights in np.eye(len(SHAPE_NAMES), dtype=np.float32):
            yield pose_of(face.rig, weights, options.exact)


def _mesh_names(options: ExportOptions, stem: str) -> tuple[str, ...]:
    return (NEUTRAL, *SHAPE_NAMES) if options.expression == "all" else (stem,)


def _map_names(face: FaceAsset, options: ExportOptions, stem: str) -> tuple[str, ...]:
    if options.maps == "all":
        return tuple(names.key_map_file(stem, key) for key in range(len(face.key_maps[:PUBLISHED_KEYS])))
    return (names.static_map_file(stem),) if options.maps == "static" else ()


def _maps(face: FaceAsset, options: ExportOptions) -> tuple[FloatArray, ...]:
    found: tuple[FloatArray, ...] = (face.static_map,) if options.maps == "static" else ()
    if options.maps == "all":
        found = tuple(face.map_or_fallback(key) for key in range(len(face.key_maps[:PUBLISHED_KEYS])))
    return tuple(_deepened(map_mm, options) for map_mm in found)


def _deepened(map_mm: FloatArray, options: ExportOptions) -> FloatArray:
    return map_mm if options.detail_strength == 1.0 else map_mm * np.float32(options.detail_strength)


def _places(options: ExportOptions, stem: str) -> tuple[str, str]:
    """The safe stem, and the folder in front of all names: a set of shapes lies in its own, complete with texture.

    Readers such as trimesh refuse materials and textures outside the folder of the OBJ, hence everything in one.
    """
    stem = names.safe_stem(stem)
    return stem, f"{names.shapes_folder(stem)}/" if options.expression == "all" else ""


def _obj_size(face: FaceAsset, options: ExportOptions) -> int:
    """Bytes of one OBJ file, from the mean length of a few lines and of the indices."""
    vertices, uvs, faces = refined_counts(face.topology, options.subdivisions)
    sample = face.rig.neutral[:: max(1, len(face.rig.neutral) // 1000)]
    vertex_line = sum(map(len, obj.vertex_lines(sample, options.units))) / len(sample)
    uv_line = sum(map(len, obj.uv_lines(face.topology.uvs[:1000]))) / min(1000, len(face.topology.uvs))
    face_line = 2 + 6 + 3 * (_mean_digits(vertices) + _mean_digits(uvs))
    return round(vertices * vertex_line + uvs * uv_line + faces * face_line)


def _mean_digits(count: int) -> float:
    """Mean number of digits of 1..count."""
    digits: int = sum(count - 10**power + 1 for power in range(len(str(count))))
    return digits / max(count, 1)


def _note_name(stem: str) -> str:
    return f"{stem}_dpmap.txt"


def _map_note(options: ExportOptions) -> bytes:
    """How to use the maps elsewhere, with the numbers filled in.

    Source: ours; from offset = S (value / 65535 - 0.5), which other programs use, S = 65535 / 32768 * depth.
    """
    depth = options.map_scale_mm / _MM_PER_UNIT[options.units]
    strength = 65535 / 32768 * depth
    return (
        "Displacement maps: 16-bit greyscale, linear (not sRGB), 4096 x 4096 over the whole UV square, V up.\n"
        f"Offset along the normal in {options.units} = (value - 32768) / 32768 * {depth:.9g}; 32768 = none.\n"
        f"Blender: image as Non-Color; Displacement node with Midlevel 0.5 and Scale {strength:.9g};"
        " Subdivision modifier of type Simple.\n"
        f"Maya + Arnold: colour space Raw; displacement height {strength:.9g}, zero value 0.5.\n"
        f"The detail is {100 * options.detail_strength:.0f} % as deep as it was found.\n{_bands_note(options)}"
    ).encode()


def _bands_note(options: ExportOptions) -> str:
    if options.detail_bands == AS_FOUND:
        return ""
    from engine.detail.bands import CUTOFFS_MM

    pores, lines, wrinkles = (f"{100 * factor:.0f} %" for factor in options.detail_bands)
    low, high = CUTOFFS_MM
    return (
        f"Of that, pores (below {low:g} mm from crest to crest) {pores}, fine lines (to {high:g} mm) {lines},"
        f" wrinkles (wider) {wrinkles}.\n"
    )
