"""The command line with FaceScape's files: the original's results under its names, and a way out of each of its crashes.

The files are small stand-ins, the photos are those on which the original program was seen to fail.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from app import batch as batch_mode
from app import cli
from engine import expressions
from engine.images import load_photo
from engine.packs.facescape import data as pack_data
from engine.packs.facescape.model import load_facescape_pack
from engine.packs.facescape.switches import DetailSwitches
from tests.app import facescape_photos as photos
from tests.app.facescape_runs import at_home, call, imported, start

pytestmark = pytest.mark.usefixtures("detector")

GOOD = ("left", "right", "top", "bottom", "tight", "turned", "same", "same_2", "two faces ü")
BAD = {
    "broken.jpg": "broken.jpg is damaged: it ends early.",
    "empty.jpg": "empty.jpg is empty (0 bytes).",
    "far away.png": "No face was found in far away.png.",
    "strip.png": "strip.png is too small to hold a face: 3 x 4000 px.",
    "text.png": "text.png is not a picture in a known format.",
    "wall.png": "No face was found in wall.png.",
}


@dataclass(frozen=True)
class Run:
    """What one start of the command line said and left behind."""

    source: Path
    folder: Path
    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
def batch(user, tmp_path_factory) -> Run:
    """One run over a folder of difficult photos, with pictures: the good among the bad."""
    folder = tmp_path_factory.mktemp("batch")
    source, out = folder / "my photos", folder / "new" / "results"  # neither of the output's folders is there
    source.mkdir()
    photos.write_good(source)
    photos.write_bad(source)
    arguments = ("--input", source, "--output", out, "--name", "dpmap_single", "--render", "--gpu_ids", "-1")
    with at_home(user):
        run = Run(source, out, *call("--pack", "facescape", *arguments))
    (source / "same.png").rename(source / "same_2.png")  # as its results are called
    return run


def report_of(folder: Path, stem: str) -> dict:
    return json.loads((folder / stem / f"{stem}.json").read_text(encoding="utf-8"))


def mesh_of(folder: Path, stem: str) -> trimesh.Trimesh:
    return trimesh.load(folder / stem / f"{stem}.obj", process=False, maintain_order=True)


# the folder of difficult photos


def test_one_bad_photo_does_not_stop_the_others(batch):
    assert batch.status == cli.SOME_FAILED
    assert "Traceback" not in batch.err
    assert {path.name for path in batch.folder.iterdir()} == set(GOOD), "no folder is left for a photo that failed"
    assert f"{len(GOOD)} of {len(GOOD) + len(BAD)} photos done." in batch.err


@pytest.mark.parametrize("stem", GOOD)
def test_each_good_photo_gives_the_original_s_files(batch, stem):
    folder = batch.folder / stem
    names = {f"{stem}{end}" for end in (".obj", ".obj.mtl", ".jpg", "_dpmap.png", "_render.jpg", ".json")}
    assert {path.name for path in folder.iterdir()} == names
    report = report_of(batch.folder, stem)
    size = report["image_size"]
    assert report["pack"] == "facescape"
    texture = cv2.imread(str(folder / f"{stem}.jpg"), cv2.IMREAD_REDUCED_COLOR_4)
    assert texture.shape == (1024, 1024, 3)
    assert texture[250:500, 375:650].mean() > 40, "not black"
    canvas = cv2.imread(str(folder / f"{stem}_dpmap.png"), cv2.IMREAD_UNCHANGED)
    assert canvas.dtype == np.uint16
    assert canvas.shape == (4096, 4096)
    window = (slice(600, 2500), slice(1100, 3000))
    assert canvas[window].std() > 10
    canvas[window] = 32768
    assert (canvas == 32768).all(), "none beside the window"
    render = cv2.imread(str(folder / f"{stem}_render.jpg"))
    assert render.shape == (size["height"], size["width"], 3)
    mesh = mesh_of(batch.folder, stem)
    assert mesh.visual.material.image.size == (4096, 4096)
    assert np.isfinite(mesh.vertices).all()
    assert report["fit_error"]["points68"] < 0.12


@pytest.mark.parametrize("stem", GOOD)
def test_the_picture_shows_the_grey_face_on_this_photo(batch, stem):
    """The original's second picture of a process was of another photo, or black."""
    source = next(path for path in batch.source.iterdir() if path.stem == stem)
    photo = load_photo(source).image.astype(int)
    render = cv2.imread(str(batch.folder / stem / f"{stem}_render.jpg"))[:, :, ::-1].astype(int)
    changed = np.abs(render - photo).max(2) > 24
    hull = cv2.convexHull(np.array(report_of(batch.folder, stem)["landmarks"]).astype(np.int32))
    face = cv2.fillConvexPoly(np.zeros(changed.shape, np.uint8), hull, 1)
    around = cv2.dilate(face, np.ones((121, 121), np.uint8))  # the mesh reaches beyond the points
    assert changed[face > 0].mean() > 0.5
    assert changed[around == 0].sum() <= 0.02 * changed.size
    grey = render[(face > 0) & changed]
    assert np.ptp(grey, axis=1).mean() < 12
    assert 60 < grey.mean() < 230, "lit"


@pytest.mark.parametrize("stem", ["left", "right", "top"])
def test_a_face_that_leaves_the_frame_is_said(batch, stem):
    assert any("cut by the picture's border" in warning for warning in report_of(batch.folder, stem)["warnings"])


def test_exif_rotation_is_applied_to_results_and_picture(batch):
    size = report_of(batch.folder, "bottom")["image_size"]
    assert size["height"] < size["width"] == photos.portrait().width
    nose_bridge, chin = (report_of(batch.folder, "bottom")["landmarks"][i] for i in (27, 8))
    assert chin[1] > nose_bridge[1] + 80, "upright"


def test_a_second_face_is_said_and_the_clearest_taken(batch):
    assert "two faces ü.jpg: note: Another face was found; the clearest one is used." in batch.err


def test_same_stem_twice_keeps_both(batch):
    pictures = (cv2.imread(str(batch.folder / stem / f"{stem}_render.jpg")) for stem in ("same", "same_2"))
    colours, grey = (picture[-60:] for picture in pictures)  # the clothes
    assert np.ptp(grey.astype(int), axis=2).mean() < 3
    assert np.ptp(colours.astype(int), axis=2).mean() > 20


def test_spaces_and_unicode_are_found_by_readers(batch):
    stem = "two faces ü"
    folder = batch.folder / stem
    lines = (folder / f"{stem}.obj").read_text(encoding="utf-8").splitlines()
    library = next(line.split(" ", 1)[1] for line in lines if line.startswith("mtllib"))
    assert (folder / library).is_file()
    material = (folder / library).read_text(encoding="utf-8").splitlines()
    picture = next(line.split(" ", 1)[1] for line in material if line.startswith("map_Kd"))
    assert (folder / picture).is_file()
    diffuse = next(line.split()[1:] for line in material if line.startswith("Kd "))
    assert min(map(float, diffuse)) > 0.5, "viewers that multiply show no black"


@pytest.mark.parametrize(("name", "sentence"), BAD.items())
def test_each_bad_photo_is_one_clear_sentence(batch, name, sentence):
    said = [line for line in batch.err.splitlines() if name in line and "Failed" in line]
    assert said
    assert all(sentence in line for line in said)


def test_a_folder_in_place_of_a_photo(user, tmp_path):
    (tmp_path / "x.jpg").mkdir()
    with at_home(user):
        status, _, err = call("--pack", "facescape", "--input", tmp_path / "x.jpg", "--output", tmp_path / "out")
    assert status == cli.SOME_FAILED
    assert err.startswith(f"There is no photo in {tmp_path / 'x.jpg'}. Supported are ")
    assert not (tmp_path / "out").exists()


def test_output_that_is_a_file(user, tmp_path):
    (tmp_path / "out").write_text("mine")
    photos.portrait().save(tmp_path / "a.png")
    with at_home(user):
        status, _, err = call("--pack", "facescape", "--input", tmp_path / "a.png", "--output", tmp_path / "out")
    assert status == cli.SOME_FAILED
    assert "out is a file where a folder is needed" in err
    assert err.count("\n") == 1
    assert (tmp_path / "out").read_text() == "mine"


# the original's own way of calling it, from another folder, without CUDA


def with_position_maps(pack: Path) -> None:
    """Add position maps to an imported pack; their import is tested elsewhere and takes some seconds."""
    waves = np.sin(np.arange(1, 61)[:, None] * np.linspace(0, 3, 1024)).astype(np.float32)
    np.save(pack / "maps.npy", np.broadcast_to(waves[:, None], (60, 1024, 1024)))
    info = json.loads((pack / pack_data.INFO_FILE).read_text())
    info["files"]["position_maps"] = "maps.npy"
    (pack / pack_data.INFO_FILE).write_text(json.dumps(info))


def test_maps_of_20_expressions_with_their_closeness(own, tmp_path):
    with_position_maps(pack_data.default_folder())
    photos.portrait().save(tmp_path / "my face.png")
    arguments = ("--name", "dpmap_rig", "--input", tmp_path / "my face.png", "--output", tmp_path / "out")
    status, _, err = call("--pack", "facescape", *arguments, "--gpu_ids", "-1", "--render")
    assert status == 0, err
    folder = tmp_path / "out" / "my face"
    maps = [f"my face_dpmap_{k}.png" for k in range(20)]
    plain = {f"my face{end}" for end in (".obj", ".obj.mtl", ".jpg", "_render.jpg", ".json")}
    assert {path.name for path in folder.iterdir()} == plain | set(maps)
    first, last = (cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED) for name in (maps[0], maps[-1]))
    assert not np.array_equal(first, last)
    report = report_of(tmp_path / "out", "my face")
    assert list(report["closeness"]) == list(expressions.KEY_NAMES)
    assert sum(value <= 0.35 for value in report["closeness"].values()) >= 16, "the neutral one is 0"
    assert len(set(own.rglob("*.map"))) == 21, "with the photo's own: kept for the next run"
    render = cv2.imread(str(folder / "my face_render.jpg"))
    assert np.abs(render.astype(int) - np.asarray(photos.portrait())[:, :, ::-1]).max() > 60


def test_a_preview_says_that_it_is_one(own, tmp_path):
    photos.portrait().save(tmp_path / "a.png")
    arguments = ("--pack", "facescape", "--input", tmp_path / "a.png", "--gpu_ids", "-1")
    canvases = []
    for switches in (("--preview",), ()):
        out = tmp_path / f"out{len(canvases)}"
        status, _, err = call(*arguments, "--output", out, *switches)
        assert status == 0, err
        note = "The detail is a preview: the network saw the photo at half its size."
        assert (f"a.png: note: {note}" in err) == bool(switches)
        assert (note in report_of(out, "a")["warnings"]) == bool(switches)
        canvases.append(cv2.imread(str(out / "a" / "a_dpmap.png"), cv2.IMREAD_UNCHANGED).astype(int))
    assert np.abs(canvases[0] - canvases[1]).max() > 500, "the full map is not the preview from the cache"


def test_own_position_maps_reach_the_networks(own, tmp_path, monkeypatch):
    with_position_maps(pack_data.default_folder())
    asked = []
    monkeypatch.setattr(batch_mode, "run", lambda photos, options: asked.append(options) or 0)
    arguments = ("--name", "dpmap_rig", "--input", tmp_path / "a.png", "--own-positions")
    assert call("--pack", "facescape", *arguments)[0] == 0
    pack = load_facescape_pack(switches=asked[0].switches)
    assert pack.predictor()._switches == DetailSwitches(own_positions=True)


def test_the_original_s_folders_are_imported_at_the_first_start(original, tmp_path):
    predef = Path(shutil.copytree(original / "predef", tmp_path / "pre def"))
    for path in (original / "model").iterdir():
        shutil.copy(path, predef)
    arguments = ("--pack", "facescape", "--predef_dir", predef, "--checkpoints_dir", original / "checkpoints")
    with at_home(tmp_path / "home"):
        status, out, err = call(*arguments, "--input", tmp_path / "home", "--output", tmp_path / "out")
        assert set(imported()) == {"core", "model", "single", "rig"}
    assert "Imported the shapes, the model's data, the network for" in out
    assert status == cli.SOME_FAILED
    assert "There is no photo in" in err


@pytest.mark.skipif(sys.platform != "linux", reason="Mesa's variable takes OpenGL away")
def test_exact_files_from_another_folder_without_opengl_and_cuda(user, tmp_path):
    photos.portrait().save(tmp_path / "my face.png")
    done = start(
        "--pack", "facescape", "--exact", "--input", "my face.png", "--output", "out", "--render",
        "--predef_dir", tmp_path, "--gpu_ids", "0",
        cwd=tmp_path, place=user, MESA_GL_VERSION_OVERRIDE="2.1", CUDA_VISIBLE_DEVICES="",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert said[0].startswith(
        "--predef_dir and --checkpoints_dir are not read: FaceScape's files are imported already."
    )
    assert said[1] == "There is no GPU 0 for torch here; the CPU is used."
    assert any("The picture was not rendered: " in line for line in said)
    folder = tmp_path / "out" / "my face"
    names = {f"my face{end}" for end in (".obj", ".obj.mtl", ".jpg", "_dpmap.png", ".json")}
    assert {path.name for path in folder.iterdir()} == names
    text = (folder / "my face.obj").read_text(encoding="utf-8").splitlines()
    assert text[0] == "mtllib ./my face.obj.mtl"
    assert {line.split(" ")[0] for line in text} == {"mtllib", "v", "vt", "usemtl", "f"}
    material = "newmtl material_0\nKd 0 0 0\nillum 2\nmap_Kd ./my face.jpg\n"
    assert (folder / "my face.obj.mtl").read_text() == material
    with at_home(user):
        data = pack_data.load(pack_data.default_folder())
    mesh = mesh_of(tmp_path / "out", "my face")
    np.testing.assert_array_equal(mesh.faces, data.front_faces)
