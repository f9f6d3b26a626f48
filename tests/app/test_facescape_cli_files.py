"""The command line where FaceScape's files are missing, damaged or of another network: a sentence, or a way without them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
import torch

from app import cli
from engine.packs.facescape import data as pack_data
from tests import facescape_standin as standin
from tests.app import facescape_photos as photos
from tests.app.facescape_runs import WIDTH, at_home, call, imported

pytestmark = pytest.mark.usefixtures("detector")


def test_without_an_import_the_way_to_it_is_said(tmp_path):
    with at_home(tmp_path):
        status, out, err = call("--pack", "facescape", "--input", tmp_path, "--output", tmp_path / "out")
    assert (status, out) == (cli.WRONG_USAGE, "")
    assert err.count("\n") == 1
    assert "--import-facescape" in err


@pytest.mark.parametrize("part", ["core", "model"])
def test_a_missing_model_file_is_a_sentence(own, tmp_path, part):
    path = imported()[part]
    path.unlink()
    status, _, err = call("--pack", "facescape", "--input", tmp_path, "--output", tmp_path / "out")
    assert status != 0
    assert "--import-facescape" in err
    assert "Traceback" not in err


def test_a_folder_without_the_core_is_named(original, tmp_path):
    with at_home(tmp_path):
        status, out, err = call(
            "--pack", "facescape", "--input", tmp_path, "--predef_dir", original / "predef",
            "--checkpoints_dir", original / "checkpoints",
        )  # fmt: skip
    assert status == cli.SOME_FAILED
    assert "core_847_50_52.npy" in out
    assert "core_847_50_52.npy" in err
    assert "Traceback" not in err


def test_without_networks_the_photo_s_shading_is_read(original, tmp_path):
    with at_home(tmp_path):
        assert call("--import-facescape", original / "predef", original / "model")[0] == 0
        photos.portrait().save(tmp_path / "a.png")
        status, _, err = call("--pack", "facescape", "--input", tmp_path / "a.png", "--output", tmp_path / "out")
    assert status == 0, err
    assert "FaceScape's detail networks are not imported" in err
    canvas = cv2.imread(str(tmp_path / "out" / "a" / "a_dpmap.png"), cv2.IMREAD_UNCHANGED)
    assert canvas.std() > 10


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--input", "a", "--preview"], "--preview needs --pack facescape"),
        (["--own-positions"], "--own-positions needs --pack facescape"),
        (["--pack", "facescape", "--exact", "--preview"], "--preview departs from the original and does not go with"),
        (["--pack", "facescape", "--input", "a", "--own-positions"], "--own-positions needs --name dpmap_rig"),
    ],
)
def test_switches_that_would_do_nothing_are_refused(arguments, sentence):
    status, _, err = call(*arguments)
    assert status == cli.WRONG_USAGE
    assert sentence in err


@pytest.mark.parametrize(
    ("switches", "sentence"),
    [
        (("--preview",), "--preview needs FaceScape's detail networks, which are not imported: add them with"),
        (
            ("--own-positions", "--name", "dpmap_rig"),
            "--own-positions needs dpmap_rig_net_G.pth and posmaps.npz, which",
        ),
    ],
)
def test_switches_of_networks_that_are_not_imported_are_refused(own, tmp_path, switches, sentence):
    info = pack_data.default_folder() / pack_data.INFO_FILE
    content = json.loads(info.read_text())
    content["files"] = {part: name for part, name in content["files"].items() if part in ("core", "model")}
    info.write_text(json.dumps(content))
    photos.portrait().save(tmp_path / "a.png")
    status, out, err = call(
        "--pack", "facescape", "--input", tmp_path / "a.png", "--output", tmp_path / "out", *switches
    )
    assert (status, out) == (cli.WRONG_USAGE, "")
    (said,) = err.splitlines()
    assert said.startswith(sentence)
    assert not (tmp_path / "out").exists()


def test_without_the_rig_s_network_the_missing_file_is_named(own, tmp_path):
    info = pack_data.default_folder() / pack_data.INFO_FILE
    content = json.loads(info.read_text())
    content["files"].pop("rig")
    info.write_text(json.dumps(content))
    photos.portrait().save(tmp_path / "a.png")
    arguments = ("--name", "dpmap_rig", "--input", tmp_path / "a.png", "--output", tmp_path / "out")
    status, _, err = call("--pack", "facescape", *arguments)
    assert status == cli.SOME_FAILED
    assert "Import dpmap_rig_net_G.pth and posmaps.npz" in err
    assert "Traceback" not in err
    assert not list((tmp_path / "out").rglob("*.obj"))


def test_a_corrupt_network_is_refused_at_the_import(original, tmp_path):
    folder = Path(shutil.copytree(original / "checkpoints", tmp_path / "checkpoints"))
    path = folder / standin.TORCH_NAMES["single"]
    path.write_bytes(path.read_bytes()[:2000])
    with at_home(tmp_path):
        status, out, err = call("--import-facescape", original / "predef", original / "model", folder)
    assert "wrong" in next(line for line in out.splitlines() if path.name in line)
    assert "Traceback" not in out + err
    assert status == 0, "the model and the other network are good"
    assert "the network for 20 expressions" in out.splitlines()[-1]
    assert "photo's own detail" not in out.splitlines()[-1]


def test_another_network_is_refused_naming_both_lists(original, tmp_path):
    """The original went on with random weights."""
    folder = Path(shutil.copytree(original / "checkpoints", tmp_path / "checkpoints"))
    state = standin.make_state_dict("single", WIDTH)
    state["model.99.extra"] = state.pop("model.38.bias")
    torch.save(state, folder / standin.TORCH_NAMES["single"])
    with at_home(tmp_path):
        _, out, _ = call("--import-facescape", original / "predef", original / "model", folder)
    line = next(line for line in out.splitlines() if standin.TORCH_NAMES["single"] in line)
    assert "model.38.bias" in line
    assert "model.99.extra" in line


def test_a_network_damaged_after_the_import_is_a_sentence(own, tmp_path):
    path = imported()["single"]
    path.write_bytes(path.read_bytes()[:100])
    photos.portrait().save(tmp_path / "a.png")
    status, _, err = call("--pack", "facescape", "--input", tmp_path / "a.png", "--output", tmp_path / "out")
    assert status == cli.SOME_FAILED
    assert "Traceback" not in err
    assert "inside the program" not in err
    assert path.name in err or "network" in err
