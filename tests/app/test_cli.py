"""The command line as a user starts it: real photos, real files, exit codes and sentences."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from app import batch, cli
from app.batch import BatchOptions, Outcome, find_photos, unique_stems
from engine.atomic import FolderUnusable
from engine.errors import ExportError, ModelFileError, NoFaceFound
from engine.expressions import SHAPE_NAMES
from engine.types import Progress

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / "resources" / "samples"
MAIN = "import sys; from app import cli; sys.exit(cli.main(sys.argv[1:]))"
NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}


def start(*arguments: object, cwd: Path = ROOT, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    environment = {**os.environ, **NO_DISPLAY, "PYTHONPATH": str(ROOT), **changes}
    command = [sys.executable, "-W", "error", "-c", MAIN, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.exists() else set()


# usage


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--render"], "--render needs --input"),
        (["--output", "x"], "--output needs --input"),
        (["--detailed", "0"], "--detailed needs --input"),
        (["--gpu_ids", "-1"], "--gpu_ids needs --input"),
        (["--input", "a", "--detailed", "5"], "from 0 to 4"),
        (["--input", "a", "--detailed", "many"], "from 0 to 4"),
        (["--input", "a", "--gpu_ids", "-2"], "expected -1 or GPU numbers"),
        (["--input", "a", "--gpu_ids", "0;1"], "expected -1 or GPU numbers"),
        (["--input", "a", "--name", "dpmap"], "invalid choice"),
        (["--input", "a", "--pack", "mine"], "invalid choice"),
        (["--input", "a", "b.jpg"], "not both"),
        (["--camera", "no-such-video.mp4"], "there is no file no-such-video.mp4"),
        (["--unknown"], "unrecognized"),
        (["--input", "a", "--rend"], "unrecognized"),
    ],
)
def test_wrong_usage_is_exit_2_with_a_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == cli.WRONG_USAGE
    assert sentence in capsys.readouterr().err


@pytest.mark.usefixtures("tmp_home")
def test_facescape_that_is_not_imported_is_answered_with_the_way_that_works(capsys):
    assert cli.main(["--pack", "facescape"]) == cli.WRONG_USAGE
    (said,) = capsys.readouterr().err.splitlines()
    assert "--import-facescape FOLDER" in said
    assert "--pack open" in said


def test_import_from_a_folder_that_is_not_there(capsys):
    assert cli.main(["--import-facescape", "no such folder"]) == cli.SOME_FAILED
    assert capsys.readouterr().err.endswith("no such folder is no folder. Name folders that exist.\n")


def test_version_is_that_of_the_project(capsys):
    assert cli.main(["--version"]) == 0
    version = capsys.readouterr().out.split()[-1]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from app import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('HEAVY', [m for m in ('numpy', 'cv2', 'torch', 'PySide6', 'PIL', 'tqdm', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("HEAVY []\n")
    assert "--import-facescape" in done.stdout


def test_missing_gpu_is_said_and_the_cpu_used(monkeypatch, capsys):
    import torch

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "unset")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    cli._choose_gpus((0, 3))
    assert capsys.readouterr().err == "There is no GPU 3 for torch here; the CPU is used.\n"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    cli._choose_gpus((0,))
    assert (os.environ["CUDA_VISIBLE_DEVICES"], capsys.readouterr().err) == ("0", "")
    cli._choose_gpus(())
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_without_input_the_window_opens(monkeypatch, tmp_path):
    from app import window

    video = tmp_path / "v.avi"
    video.touch()
    monkeypatch.setenv("DISPLAY", ":0")
    calls = []
    monkeypatch.setattr(window, "run", lambda *given, exact, switches: calls.append((*given, exact, switches)) or 7)
    assert cli.main([]) == 7
    assert cli.main(["anna.jpg", "--camera", str(video), "--exact"]) == 7
    assert [call[:4] for call in calls] == [(None, "open", None, False), (Path("anna.jpg"), "open", video, True)]


# which photos, which names


def test_photos_of_a_folder_in_natural_order_others_named(tmp_path):
    for name in ("b10.jpg", "b2.JPG", "A.heic", "notes.txt", ".hidden.jpg", "x.webp"):
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    photos, skipped = find_photos(tmp_path)
    assert [p.name for p in photos] == ["A.heic", "b2.JPG", "b10.jpg", "x.webp"]
    assert [p.name for p in skipped] == ["notes.txt"]
    assert find_photos(tmp_path / "missing.jpg") == ([tmp_path / "missing.jpg"], [])


def test_same_stem_twice_gets_a_number():
    photos = [Path(name) for name in ("a.jpg", "A.png", "a_2.jpg", "b c.jpg", "a.webp")]
    assert unique_stems(photos) == ["a", "A_2", "a_2_2", "b c", "a_3"]


# the batch, with a stand-in for the work on one photo


@pytest.fixture
def work(monkeypatch):
    """Replace the work on one photo by a function of its path."""

    def use(function):
        def steps(photo, stem, service, options):
            yield Progress("Working", 0.5)
            return function(photo, options.output / stem)

        monkeypatch.setattr(batch, "process_photo", steps)

    return use


def folder_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def test_one_bad_photo_does_not_stop_the_others(work, tmp_path, capsys):
    def one(photo, folder):
        if photo.name == "b.jpg":
            raise NoFaceFound("b.jpg")
        if photo.name == "c.jpg":
            raise MemoryError
        if photo.name == "d.jpg":
            raise ExportError("The folder disappeared.")
        return Outcome(photo, (folder / "x.obj",), ("Beware.",))

    work(one)
    photos = folder_of(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    assert batch.run(photos, BatchOptions(tmp_path / "out")) == batch.SOME_FAILED
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "out" / "a"), str(tmp_path / "out" / "e")]
    assert "1/5 a.jpg: done" in said.err
    assert "a.jpg: note: Beware." in said.err
    assert "2 of 5 photos done." in said.err
    assert "Failed: No face was found in b.jpg." in said.err
    assert "Failed: c.jpg: There is not enough memory" in said.err
    assert "Failed: d.jpg: The folder disappeared." in said.err


@pytest.mark.parametrize("error", [FolderUnusable("The disk is full."), ModelFileError("A model is damaged.")])
def test_what_would_stop_every_photo_stops_the_batch(work, tmp_path, capsys, error):
    def one(photo, folder):
        raise error

    work(one)
    assert batch.run(folder_of(tmp_path, "a.jpg", "b.jpg", "c.jpg"), BatchOptions(tmp_path / "out")) == 1
    said = capsys.readouterr().err
    assert said.count("Failed:") == 2  # when it happens and in the summary
    assert "0 of 3 photos done." in said
    assert "Not done: 2." in said


def test_a_fault_of_ours_costs_one_photo_and_is_logged(work, tmp_path, capsys, monkeypatch):
    import platformdirs

    def one(photo, folder):
        return {}["missing"] if photo.name == "a.jpg" else Outcome(photo)

    work(one)
    monkeypatch.setattr(platformdirs, "user_log_path", lambda *_, **__: tmp_path / "log")
    assert batch.run(folder_of(tmp_path, "a.jpg", "b.jpg"), BatchOptions(tmp_path / "out")) == 1
    said = capsys.readouterr().err
    assert "Failed: a.jpg: Something went wrong inside the program (KeyError: 'missing')." in said
    assert "b.jpg: done" in said
    assert "Traceback" not in said
    assert "Traceback" in (tmp_path / "log" / "command-line.log").read_text()


def test_ctrl_c_keeps_what_is_done(work, tmp_path, capsys):
    def one(photo, folder):
        if photo.name == "b.jpg":
            raise KeyboardInterrupt
        return Outcome(photo)

    work(one)
    assert batch.run(folder_of(tmp_path, "a.jpg", "b.jpg"), BatchOptions(tmp_path / "out")) == batch.INTERRUPTED
    said = capsys.readouterr().err
    assert "1 of 2 photos done." in said
    assert "Stopped." in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking")
def test_being_asked_to_end_is_like_ctrl_c(work, tmp_path, capsys):
    former = signal.getsignal(signal.SIGTERM)
    work(lambda photo, folder: os.kill(os.getpid(), signal.SIGTERM))
    assert batch.run(folder_of(tmp_path, "a.jpg"), BatchOptions(tmp_path / "out")) == batch.INTERRUPTED
    assert "Stopped." in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is former


def test_bar_on_a_terminal(work, tmp_path, capsys, monkeypatch):
    work(lambda photo, folder: Outcome(photo, problem="Bad." if photo.name == "b.jpg" else ""))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    batch.run(folder_of(tmp_path, "a.jpg", "b.jpg"), BatchOptions(tmp_path / "out"))
    said = capsys.readouterr().err
    assert "100%" in said
    assert "2/2 b.jpg" in said
    assert "Working" in said


def test_empty_folder(tmp_path, capsys):
    assert cli.main(["--input", str(folder_of(tmp_path, "notes.txt")), "--output", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "Skipped notes.txt" in said
    assert "There is no photo in" in said
    assert not (tmp_path / "out").exists()


def test_output_that_is_a_file_is_found_at_once(tmp_path, capsys):
    (tmp_path / "out").write_text("x")
    assert cli.main(["--input", str(SAMPLES), "--output", str(tmp_path / "out")]) == 1
    assert "out is a file where a folder is needed" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "setuid") or os.getuid() != 0, reason="needs to give up root's rights")
def test_output_without_permission(tmp_path):
    photos = folder_of(tmp_path, "a.jpg")
    code = (
        "import os, sys; from pathlib import Path; from app import batch\n"
        "os.chdir(sys.argv[1]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(batch.run(Path('.'), batch.BatchOptions(Path('out'))))"
    )
    command = [sys.executable, "-c", code, str(photos)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("There is no permission to write")
    assert "Traceback" not in done.stderr


# the whole way, with real photos


def check_obj_beside_photo(folder: Path, stem: str, photo: Path) -> dict:
    """Re-read mesh and report: the landmark vertices of the OBJ, seen by the reported camera, lie on the landmarks."""
    report = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
    height, width = cv2.imread(str(photo)).shape[:2]
    assert report["image_size"] == {"width": width, "height": height}
    lines = (folder / f"{stem}.obj").read_text(encoding="utf-8").splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    camera = report["camera"]
    turn = cv2.Rodrigues(np.array(camera["rotation_vector_rad"]))[0]
    pairs = [(v, xy) for v, xy in zip(report["landmark_vertices"], report["landmarks"], strict=True) if v is not None]
    assert len(pairs) >= 60
    turned = vertices[[v for v, _ in pairs]] @ turn.T
    scale, (tx, ty) = camera["scale_px_per_mm"], camera["translation_px"]
    seen = np.stack([tx + scale * turned[:, 0], ty - scale * turned[:, 1]], 1)
    points = np.array(report["landmarks"])
    eyes = np.linalg.norm(points[36] - points[45])
    assert np.linalg.norm(seen - [xy for _, xy in pairs], axis=1).mean() / eyes < 0.05
    mesh = trimesh.load(folder / f"{stem}.obj", process=False)
    assert mesh.visual.material.image is not None
    return report


@pytest.mark.slow
def test_everything_for_one_photo(tmp_path):
    source = tmp_path / "my photo ü.jpg"
    shutil.copy(SAMPLES / "portrait_biden.jpg", source)
    done = start(
        "--input", source, "--output", tmp_path / "out", "--name", "dpmap_rig", "--render", "--detailed", "1",
        "--blendshapes", "--gpu_ids", "-1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stem = "my photo ü"
    folder = tmp_path / "out" / stem
    shapes = {f"{stem}_blendshapes/{name}.obj" for name in ("neutral", *SHAPE_NAMES)}
    plain = {f"{stem}{end}" for end in (".obj", ".obj.mtl", ".jpg", ".json", "_render.jpg", "_detailed.obj")}
    maps = {f"{stem}_dpmap_{k}.png" for k in range(20)}
    assert listing(folder) == shapes | plain | maps | {f"{stem}_blendshapes"}
    assert {str(Path(line).relative_to(folder)) for line in done.stdout.splitlines()} == shapes | plain | maps
    report = check_obj_beside_photo(folder, stem, source)
    assert set(report["expression"]) == set(SHAPE_NAMES)
    assert report["pack"] == "open"
    assert {"reading", "rendering", "writing"} <= set(report["seconds"])
    coarse, fine = (trimesh.load(folder / f"{stem}{end}.obj", process=False) for end in ("", "_detailed"))
    assert len(fine.faces) == 4 * len(coarse.faces)
    render = cv2.imread(str(folder / f"{stem}_render.jpg"))
    photo = cv2.imread(str(source))
    assert abs(render.shape[0] / render.shape[1] - photo.shape[0] / photo.shape[1]) < 0.01
    assert not np.allclose(render, cv2.resize(photo, render.shape[1::-1]), atol=8)
    first = cv2.imread(str(folder / f"{stem}_dpmap_1.png"), cv2.IMREAD_UNCHANGED)
    assert first.shape == (4096, 4096)
    assert first.dtype == np.uint16
    assert first.std() > 10


@pytest.mark.slow
def test_folder_with_good_and_bad_photos(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(SAMPLES / "portrait_obama.jpg", photos / "obama.jpg")
    shutil.copy(SAMPLES / "astronaut.png", photos / "obama.png")  # the same stem
    (photos / "broken.jpg").write_bytes((SAMPLES / "portrait_obama.jpg").read_bytes()[:3000])
    (photos / "empty.jpg").touch()
    cv2.imwrite(str(photos / "grey.png"), np.full((300, 300), 128, np.uint8))
    (photos / "readme.txt").write_text("no photo")
    done = start("--input", photos, "--output", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert listing(tmp_path / "out") == {
        f"{stem}{end}"
        for stem in ("obama", "obama_2")
        for end in ("", *(f"/{stem}{rest}" for rest in (".obj", ".obj.mtl", ".jpg", "_dpmap.png", ".json")))
    }
    assert "2 of 5 photos done." in done.stderr
    assert "No face was found in grey.png" in done.stderr
    assert "Skipped readme.txt" in done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "out" / name) for name in ("obama", "obama_2")]
    check_obj_beside_photo(tmp_path / "out" / "obama", "obama", photos / "obama.jpg")
    check_obj_beside_photo(tmp_path / "out" / "obama_2", "obama_2", photos / "obama.png")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be without a display")
def test_without_a_display_the_sample_is_worked_on(tmp_path):
    done = start(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("There is no display for a window, so portrait_biden.jpg is worked on without one")
    folder = tmp_path / "out" / "portrait_biden"
    assert (folder / "portrait_biden_render.jpg").stat().st_size > 10_000
    assert {(tmp_path / line).resolve() for line in done.stdout.splitlines()} == set(folder.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sends Linux signals to a child")
def test_interrupted_batch_leaves_no_halves(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in ("0.jpg", "1.jpg", "2.jpg"):
        shutil.copy(SAMPLES / "portrait_obama.jpg", photos / name)
    code = "from signal import *; signal(SIGINT, default_int_handler); " + MAIN  # some shells have it ignored
    command = [sys.executable, "-c", code, "--input", str(photos), "--output", str(out), "--blendshapes"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as child:
        deadline = time.monotonic() + 120
        while not any(out.glob("*/.detailed-face-*/*")) and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)  # until it is in the middle of writing the first photo
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert child.returncode == batch.INTERRUPTED, said
    assert "Traceback" not in said
    assert not list(out.rglob(".detailed-face-*"))
    assert all((folder / f"{folder.name}.json").exists() for folder in out.glob("*"))
    assert len(listing(out)) < 3 * 50
