"""What the export dialog starts with, and the folders that it refuses beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QSettings

from app.engine_thread import EngineThread
from app.export_controller import ExportController
from app.session import Session
from engine.export.pictures import map_canvas
from tests import synthetic
from tests.app.invented_engine import InventedEngine

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def settings(tmp_path):
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    settings.setValue("export/folder", str(tmp_path / "out" / "faces"))
    return settings


@pytest.fixture
def session(qapp):
    session, face = Session(), synthetic.make_asset()
    session.set_face(face)
    session.set_pose(synthetic.make_pose(face, np.zeros(51, np.float32)))
    return session


@pytest.fixture
def controller(session, settings):
    thread = EngineThread()
    controller = ExportController(session, InventedEngine(), thread, None, settings)
    yield controller
    if controller.dialog is not None:
        controller.dialog.reject()
    assert thread.stop()


def test_the_first_export_carries_the_detail_of_the_photo(controller, session, qtbot, tmp_path):
    controller.open_dialog()
    dialog = controller.dialog
    assert (dialog.options().mesh, dialog.options().maps) == ("base", "static")
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    with qtbot.waitSignal(controller.exported, timeout=5000):
        dialog._main.click()
    written = cv2.imread(str(tmp_path / "out" / "faces" / "dome_dpmap.png"), cv2.IMREAD_UNCHANGED)
    face = session.face
    kept = map_canvas(face.static_map, face.topology.window, dialog.options().map_scale_mm)[0]
    np.testing.assert_array_equal(written, kept)
    assert np.ptp(written) > 1000


def test_whoever_chose_no_maps_gets_none_again(controller, settings):
    settings.setValue("export/maps", "none")
    controller.open_dialog()
    assert controller.dialog.options().maps == "none"


def test_a_folder_that_is_not_there_yet_is_fine(controller, qtbot, tmp_path):
    controller.open_dialog()
    qtbot.waitUntil(controller.dialog._main.isEnabled, timeout=5000)
    assert not controller.dialog._message.text()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder here that takes no files from anybody")
def test_a_folder_that_takes_no_files_is_said_before(controller, qtbot, settings, tmp_path):
    settings.setValue("export/folder", "/proc/faces")
    controller.open_dialog()
    dialog = controller.dialog
    qtbot.waitUntil(lambda: bool(dialog._message.text()), timeout=5000)
    assert "permission" in dialog._message.text() or "no space is free" in dialog._message.text()
    assert not dialog._main.isEnabled()
    dialog._folder.setText(str(tmp_path / "out"))
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    assert not dialog._message.text()


@pytest.mark.skipif(IS_ROOT or sys.platform == "win32", reason="whoever runs this may write everywhere")
def test_a_folder_without_permission_is_said_before(controller, qtbot, tmp_path):
    (tmp_path / "out").mkdir(mode=0o500)
    controller.open_dialog()
    qtbot.waitUntil(lambda: "permission" in controller.dialog._message.text(), timeout=5000)
    assert not controller.dialog._main.isEnabled()


@pytest.mark.skipif(not IS_ROOT, reason="needs to give up root's rights")
def test_permission_is_that_of_the_nearest_folder():
    code = """
import os, sys
from pathlib import Path
from app.export_controller import _may_write
os.setgid(65534); os.setuid(65534)
print(*(_may_write(Path(place) / "new" / "folder") for place in sys.argv[1:]))
"""
    places = ("/", tempfile.gettempdir())
    done = subprocess.run([sys.executable, "-c", code, *places], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True"], done.stderr
