"""Exports are whole or absent: cancelled, without rights, on a full disk, or with their folder gone."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from engine.atomic import FileSet, FolderUnusable
from engine.errors import ExportError
from engine.export import (
    ExportOptions,
    export_face,
)
from engine.types import FaceAsset
from tests.running import finish
from tests.synthetic import make_asset, make_pose


@pytest.fixture(scope="module")
def face() -> FaceAsset:
    return make_asset(3)


def listing(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


def test_cancel_at_any_step_leaves_nothing(face, tmp_path):
    options = ExportOptions()
    _, reports = finish(export_face(face, make_pose(face), options, tmp_path / "full", "a"))
    for stop in range(1, len(reports) + 1):
        folder = tmp_path / f"made-for-{stop}"
        steps = export_face(face, make_pose(face), options, folder, "a")
        for _ in range(stop):
            next(steps)
        assert folder.is_dir()
        steps.close()
        assert not folder.exists()


def test_cancel_keeps_the_files_of_before(face, tmp_path):
    (tmp_path / "a.obj").write_text("old")
    steps = export_face(face, make_pose(face), ExportOptions(), tmp_path, "a")
    next(steps)
    steps.close()
    assert listing(tmp_path) == {"a.obj"}
    assert (tmp_path / "a.obj").read_text() == "old"


def test_folder_where_a_file_should_go_undoes_everything(face, tmp_path):
    (tmp_path / "a.obj").write_text("old")
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(ExportError, match=r"a\.jpg is a folder"):
        finish(export_face(face, make_pose(face), ExportOptions(), tmp_path, "a"))
    assert listing(tmp_path) == {"a.obj", "a.jpg"}
    assert (tmp_path / "a.obj").read_text() == "old"


def test_file_where_the_folder_should_be(face, tmp_path):
    (tmp_path / "taken").write_text("x")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "deeper"):
        with pytest.raises(ExportError, match="taken is a file where a folder is needed"):
            finish(export_face(face, make_pose(face), ExportOptions(), folder, "a"))
    (tmp_path / "a_blendshapes").write_text("x")
    with pytest.raises(ExportError, match="a_blendshapes is a file where a folder is needed"):
        finish(export_face(face, make_pose(face), ExportOptions(expression="all"), tmp_path, "a"))
    assert listing(tmp_path) == {"taken", "a_blendshapes"}


@pytest.mark.parametrize("after", [1, 3, 5])
def test_folder_deleted_midway(face, tmp_path, after):
    folder = tmp_path / "gone"
    steps = export_face(face, make_pose(face), ExportOptions(), folder, "a")
    for _ in range(after):
        next(steps)
    shutil.rmtree(folder)
    with pytest.raises(ExportError, match="disappeared"):
        finish(steps)
    assert listing(tmp_path) == set()


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="this system has no folder that takes no files from anybody"
)
@pytest.mark.parametrize("folder", ["/proc", "/proc/faces"])
def test_folder_that_takes_no_files(face, folder):
    with pytest.raises(FolderUnusable, match=r"(cannot be written to|no permission)") as caught:
        finish(export_face(face, make_pose(face), ExportOptions(), Path(folder), "a"))
    assert folder in str(caught.value)
    assert caught.value.hint


def test_folder_in_which_every_name_seems_taken(monkeypatch, tmp_path):
    """What Python says on Windows where nothing may be made in the folder."""

    def taken(**_: object) -> str:
        raise FileExistsError(errno.EEXIST, "No usable temporary directory name found")

    monkeypatch.setattr(tempfile, "mkdtemp", taken)
    with pytest.raises(FolderUnusable, match="cannot be written to"), FileSet(tmp_path):
        pass


def test_path_too_long(face, tmp_path):
    deep = tmp_path / "/".join(["x" * 250] * 20)
    with pytest.raises(ExportError, match="too long"):
        finish(export_face(face, make_pose(face), ExportOptions(), deep, "a"))
    assert listing(tmp_path) == set()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_every_system_error_becomes_a_sentence(tmp_path, code):
    def chunks():
        yield b"x"
        raise OSError(code, os.strerror(code))

    with pytest.raises(ExportError) as caught, FileSet(tmp_path) as files:
        list(files.write("a.bin", chunks()))
    assert caught.value.hint
    assert "a.bin" in str(caught.value)
    assert isinstance(caught.value, FolderUnusable) == (code != errno.EIO)
    assert listing(tmp_path) == set()


CHILD = """
import os, sys
from pathlib import Path
from engine.errors import AppError
from engine.export import ExportOptions, export_face
from tests.synthetic import make_asset, make_pose
face, folder = make_asset(), Path(sys.argv[1])
{limit}
try:
    for _ in export_face(face, make_pose(face), ExportOptions(maps="static"), folder, "a"):
        pass
except AppError as error:
    os.write(1, (type(error).__name__ + ": " + error.sentence()).encode())
    raise SystemExit(3)
"""


def in_child(limit: str, folder: Path) -> str:
    """What the export says in a process of its own after ``limit`` has been laid upon it."""
    code = textwrap.dedent(CHILD).format(limit=limit)
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "setuid") or os.getuid() != 0, reason="needs to give up root's rights")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o755)
    said = in_child("import cv2, PIL.Image, scipy.sparse\nos.setgid(65534); os.setuid(65534)", tmp_path)
    assert said.startswith("FolderUnusable: There is no permission to write")
    assert listing(tmp_path) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_file_size_limit(tmp_path):
    said = in_child("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))", tmp_path)
    assert said.startswith("FolderUnusable:")
    assert "larger than the file size allowed" in said
    assert listing(tmp_path) == set()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs to mount a file system")
def test_full_disk(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        said = in_child("", tmp_path)
        assert said.startswith("FolderUnusable: The disk is full")
        assert listing(tmp_path) == set()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
