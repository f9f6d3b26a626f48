"""What the export dialog starts with."""

from __future__ import annotations

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
