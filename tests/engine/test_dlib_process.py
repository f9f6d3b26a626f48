"""The life of the helper process that owns dlib."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from engine import dlib_process
from engine.images import load_photo
from engine.landmark_dlib import DlibGone, DlibHelper
from engine.landmarks import LandmarkDetector
from engine.resources import resource_path

ROOT = Path(__file__).resolve().parents[2]
FACE = (175, 76, 265, 166)
"""dlib's box of the astronaut's face, left, top, right, bottom."""


@pytest.fixture(scope="module")
def astronaut():
    return load_photo(resource_path("samples/astronaut.png"))


@pytest.fixture
def helper():
    made = DlibHelper()
    yield made
    made.close()


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def wait_until_gone(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_start_returns_at_once(helper):
    begin = time.perf_counter()
    helper.start()
    assert time.perf_counter() - begin < 0.2
    assert helper.pid is not None


def test_detect_and_predict_are_dlibs_own(helper, astronaut):
    """The same answers as from dlib in this process."""
    import dlib

    boxes = helper.detect(astronaut.image, upsample=1)
    wanted, scores, _ = dlib.get_frontal_face_detector().run(astronaut.image, 1, 0.0)
    assert [(b.left, b.top, b.right, b.bottom) for b in boxes] == [
        (w.left(), w.top(), w.right(), w.bottom()) for w in wanted
    ]
    assert [b.score for b in boxes] == pytest.approx(list(scores), abs=1e-3)
    grey = np.ascontiguousarray(astronaut.image[:, :, 1])
    points = helper.predict(grey, np.array([FACE, FACE], np.int32))
    assert points.shape == (2, 68, 2)
    assert (points[0] == points[1]).all()
    assert abs(points[0, 36:48].mean(0) - (225, 108)).max() < 6


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_killed_between_calls_it_comes_back(astronaut):
    with LandmarkDetector() as detector:
        first = detector.detect(astronaut)
        helper = detector._dlib
        pid = helper.pid
        os.kill(pid, signal.SIGKILL)
        again = detector.detect(astronaut)
        assert helper.pid != pid
        assert (again.points68 == first.points68).all()
        assert again.warnings == first.warnings
    assert children() == []


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_killed_while_it_works_the_request_is_repeated(helper, astronaut):
    helper.detect(astronaut.image, 0)
    pid = helper.pid
    large = np.repeat(np.repeat(astronaut.image, 2, 0), 2, 1)  # takes about half a second
    killer = threading.Timer(0.15, os.kill, (pid, signal.SIGKILL))
    killer.start()
    assert len(helper.detect(large, 1)) >= 1
    killer.join()
    assert helper.pid != pid


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_hung_process_is_replaced(astronaut):
    helper = DlibHelper(timeout_s=3.0)
    helper.detect(astronaut.image, 0)
    pid = helper.pid
    os.kill(pid, signal.SIGSTOP)
    begin = time.perf_counter()
    assert len(helper.detect(astronaut.image, 0)) >= 1
    assert time.perf_counter() - begin > 2.5
    assert helper.pid != pid
    helper.close()
    assert not psutil.pid_exists(pid)


def test_after_close_nothing_is_left_and_start_brings_it_back(astronaut):
    detector = LandmarkDetector()
    detector.start()
    detector.close()  # while it still loads
    assert children() == []
    found = detector.detect(astronaut)
    assert found.points68 is None
    assert children() == []
    detector.start()
    assert detector.detect(astronaut).points68 is not None
    detector.close()
    detector.close()
    assert children() == []


def test_close_ends_a_request_that_another_thread_waits_for(astronaut):
    helper = DlibHelper()
    helper.detect(astronaut.image, 0)
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(helper.detect(np.repeat(np.repeat(astronaut.image, 4, 0), 4, 1), 1))
        except DlibGone as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    helper.close()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(outcome[0], DlibGone)
    assert children() == []


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_it_dies_with_its_parent():
    program = (
        "import os, signal, sys\n"
        "from engine.landmark_dlib import DlibHelper\n"
        "helper = DlibHelper(); helper.start()\n"
        "print(helper.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert wait_until_gone(int(done.stdout))


def test_a_forgotten_helper_ends_with_the_program_quietly():
    program = "from engine.landmark_dlib import DlibHelper\nh = DlibHelper(); h.start(); print(h.pid)\n"
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert wait_until_gone(int(done.stdout))


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory map")
def test_the_helper_loads_neither_qt_nor_torch(helper, astronaut):
    helper.detect(astronaut.image, 0)
    loaded = {Path(part.path).name for part in psutil.Process(helper.pid).memory_maps()}
    assert any("dlib" in name for name in loaded)
    assert not [name for name in loaded if name.startswith(("libQt", "libtorch", "libc10", "cv2"))]


def test_it_starts_in_any_folder_whatever_lies_there(tmp_path, monkeypatch, astronaut):
    """A module of the user's that is named like one of ours or Python's must not be taken."""
    for name in ("struct.py", "numpy.py"):
        (tmp_path / name).write_text("raise SystemExit('wrong module')")
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("raise SystemExit('wrong package')")
    monkeypatch.chdir(tmp_path)
    helper = DlibHelper()
    assert helper.detect(astronaut.image, 0)
    helper.close()


def test_without_dlib_faces_are_found_by_the_dense_points_alone(astronaut):
    """A helper that ends at once, as where its Python cannot run it."""
    with LandmarkDetector(DlibHelper(module="engine.errors")) as detector:
        found = detector.detect(astronaut)
        assert found.points68 is None
        assert found.box.face_score > 10
        assert any("68-point detector is not available" in warning for warning in found.warnings)
        begin = time.perf_counter()
        detector.detect(astronaut)
        assert time.perf_counter() - begin < 2.0  # given up, not tried again for every photo
    assert children() == []


def test_a_missing_model_package_is_named(monkeypatch):
    monkeypatch.setattr(dlib_process, "_MODEL_PACKAGE", "no_such_package")
    worker = dlib_process.Worker()
    assert worker.detector is not None
    assert worker.predictor is None
    assert worker.problem == "the package no_such_package is not installed"


def test_missing_dlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    worker = dlib_process.Worker()
    assert worker.detector is None
    assert "dlib is not installed" in worker.problem
    assert worker.detect(np.zeros((50, 50, 3), np.uint8), 1).shape == (0, 5)


def test_a_damaged_model_in_a_folder_with_any_letters(monkeypatch, tmp_path):
    models = tmp_path / "Jürgen 写真" / "face_stand_in" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (models / dlib_process._MODEL_FILE).write_bytes(b"not a model")
    monkeypatch.syspath_prepend(str(models.parent.parent))
    monkeypatch.setattr(dlib_process, "_MODEL_PACKAGE", "face_stand_in")
    monkeypatch.chdir(tmp_path)  # the worker changes the folder; this brings it back
    worker = dlib_process.Worker()
    assert worker.predictor is None
    assert "is damaged" in worker.problem


def test_a_model_in_a_folder_with_any_letters_loads(monkeypatch, tmp_path):
    real = dlib_process._model_folder()
    assert real is not None
    models = tmp_path / "Jürgen 写真" / "face_stand_in" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    os.link(real / dlib_process._MODEL_FILE, models / dlib_process._MODEL_FILE)
    monkeypatch.syspath_prepend(str(models.parent.parent))
    monkeypatch.setattr(dlib_process, "_MODEL_PACKAGE", "face_stand_in")
    monkeypatch.chdir(tmp_path)
    assert dlib_process.Worker().predictor is not None


def test_odd_requests_do_not_end_the_process(helper, astronaut):
    with pytest.raises(DlibGone):
        helper.detect(np.zeros((40, 40, 2), np.uint8), 0)  # two channels: dlib refuses
    pid = helper.pid
    assert helper.detect(astronaut.image, 0)
    assert helper.pid == pid
