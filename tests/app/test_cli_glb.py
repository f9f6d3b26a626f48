"""The command line's ``--glb`` with a real photo."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh

from app import cli
from tests.app.test_cli import SAMPLES, listing, start


def test_it_needs_a_photo(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--glb"])
    assert end.value.code == cli.WRONG_USAGE
    assert "--glb needs --input" in capsys.readouterr().err


@pytest.mark.slow
def test_the_rig_in_one_file(tmp_path):
    done = start("--input", SAMPLES / "portrait_obama.jpg", "--output", tmp_path, "--glb", "--gpu_ids", "-1")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "portrait_obama"
    ends = (".obj", ".obj.mtl", ".jpg", "_dpmap.png", ".json", ".glb")
    assert listing(folder) == {f"portrait_obama{end}" for end in ends}
    assert str(folder / "portrait_obama.glb") in done.stdout.splitlines()
    data = (folder / "portrait_obama.glb").read_bytes()
    (mesh,) = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])["meshes"]
    report = json.loads((folder / "portrait_obama.json").read_text(encoding="utf-8"))
    weights = dict(zip(mesh["extras"]["targetNames"], mesh["weights"], strict=True))
    assert weights == pytest.approx(report["expression"], abs=1e-6)
    rig = trimesh.load(folder / "portrait_obama.glb", process=False)
    face = trimesh.load(folder / "portrait_obama.obj", process=False)
    assert sum(len(part.faces) for part in rig.geometry.values()) == len(face.faces)
    np.testing.assert_allclose(1000 * rig.bounds, face.bounds, atol=10)  # mm; without the expression
