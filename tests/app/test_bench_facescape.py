"""The measurement beside a copy of the original program, with an invented program in its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import facescape, facescape_command
from tests.bench.facescape_command import watched
from tests.facescape_standin import make_pack

_PROGRAM = """
import json, os, sys
options = sys.argv[1:]
given = dict(zip(options[:10:2], options[1:10:2]))
with open("called.json", "a") as log:
    log.write(json.dumps([given, options[10:], os.listdir(given["--input"]), os.getcwd()]) + "\\n")
if "--render" in options:
    print("a warning", file=sys.stderr)
    raise SystemExit("pygame.error: video system not initialized")
ballast = bytearray(60_000_000)
os.mkdir(os.path.join(given["--output"], "photo"))
open(os.path.join(given["--output"], "photo", "photo_dpmap.png"), "w").close()
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="whole programs are measured on Linux only")


def test_without_an_import_the_way_to_it_is_said(tmp_path):
    lines = list(facescape.facescape(tmp_path))
    assert lines == [f"No FaceScape pack is imported in {tmp_path}. Import one with main.py --import-facescape DIR."]


def test_its_own_arguments():
    chosen = facescape.parsed(["--against", "there", "pack"])
    assert (chosen.against, chosen.folder, chosen.all_maps) == (Path("there"), Path("pack"), False)
    with pytest.raises(SystemExit):
        facescape.parsed(["--again"])


@linux_only
def test_time_and_memory_of_a_program(tmp_path):
    code = "import time; ballast = bytearray(120_000_000); time.sleep(0.3)"
    small = watched([sys.executable, "-c", "pass"], {})
    large = watched([sys.executable, "-c", code], {})
    assert large.seconds > 0.3
    assert 100 < large.peak_mb < 200
    assert large.peak_mb > small.peak_mb + 80
    failed = watched([sys.executable, "-c", "raise SystemExit('no such file')"], {})
    assert failed.problem == "no such file"
    assert watched([str(tmp_path / "nothing")], {}).problem


@linux_only
def test_the_original_is_called_as_from_its_own_folder(tmp_path, monkeypatch):
    data = make_pack(tmp_path / "made", networks=False)
    program = tmp_path / "original"
    program.mkdir()
    (program / "main.py").write_text(_PROGRAM)
    ours = [
        sys.executable,
        "-c",
        "import os; assert os.listdir(os.environ['XDG_DATA_HOME'] + '/detailed-face/packs/facescape')",
    ]
    monkeypatch.setattr(facescape_command, "_ours", lambda output, options: ours)
    lines = list(facescape_command.compared(data.folder, program, None, window=False))
    called = [json.loads(line) for line in (program / "called.json").read_text().splitlines()]
    assert [extra for _, extra, _, _ in called] == [[], ["--render"]]
    for given, _, photos, cwd in called:
        assert given["--name"] == "dpmap_single"
        assert given["--predef_dir"] == "./predef"
        assert given["--checkpoints_dir"] == "./checkpoints"
        assert photos == ["photo.jpg"]
        assert Path(cwd) == program
    single, rendered = lines[-2:]
    assert single.count("MB") == 2
    assert "failed: pygame.error: video system not initialized" in rendered
    assert all(line.count("|") == 7 for line in lines)


@linux_only
def test_it_is_listed_and_runs_by_name(tmp_path):
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "tests.bench"]
    listed = subprocess.run([*command, "--help"], capture_output=True, text=True, env=environment, check=True)
    assert "facescape --help" in " ".join(listed.stdout.split())
    done = subprocess.run([*command, "facescape"], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith(f"No FaceScape pack is imported in {tmp_path}")
