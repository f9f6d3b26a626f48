"""The export controller with a real engine thread and real files."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh
from PySide6.QtCore import QSettings

from app import export_controller
from app.engine_thread import EngineThread
from app.export_controller import ExportController
from app.session import Session
from engine.errors import ExportError, ModelFileError
from engine.export.mesh import export_mesh
from engine.export.pictures import map_canvas
from engine.rig import blend_maps
from engine.types import Progress
from tests import synthetic
from tests.app.invented_engine import InventedEngine


@pytest.fixture
def thread(qtbot):
    thread = EngineThread()
    yield thread
    assert thread.stop()


@pytest.fixture
def session():
    session = Session()
    face = synthetic.make_asset()
    session.set_face(face)
    weights = np.zeros(51, np.float32)
    weights[14] = 0.5
    session.set_pose(synthetic.make_pose(face, weights))
    return session


@pytest.fixture
def settings(tmp_path):
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    settings.setValue("export/folder", str(tmp_path / "out"))
    return settings


@pytest.fixture
def engine():
    return InventedEngine()


@pytest.fixture
def controller(session, engine, thread, settings):
    controller = ExportController(session, engine, thread, None, settings)
    yield controller
    if controller.dialog is not None:
        controller.dialog.reject()


def _open(controller, qtbot):
    controller.open_dialog()
    qtbot.waitUntil(controller.dialog._main.isEnabled, timeout=5000)
    return controller.dialog


def _listing(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def _slow_export(monkeypatch, error=None):
    """Replace the writing by something that goes on until it is cancelled or fails."""
    closed = []

    def steps(face, pose, options, folder, stem):
        try:
            for step in range(10_000):
                if error is not None and step == 3:
                    raise error
                time.sleep(0.002)
                yield Progress(f"Writing {stem}.obj", 0.5)
        finally:
            closed.append(stem)

    monkeypatch.setattr(export_controller, "export_face", steps)
    return closed


FIRST_FILES = ["dome.jpg", "dome.obj", "dome.obj.mtl", "dome_dpmap.png", "dome_dpmap.txt"]


def test_shown_expression_is_exported_as_previewed(controller, session, qtbot, tmp_path):
    dialog = _open(controller, qtbot)
    names = [dialog._files.topLevelItem(row).text(0) for row in range(dialog._files.topLevelItemCount())]
    with qtbot.waitSignal(controller.exported, timeout=5000) as exported:
        dialog._main.click()
    assert _listing(tmp_path / "out") == sorted(names) == FIRST_FILES
    assert {path.name for path in exported.args[0]} == set(names)
    mesh = trimesh.load(tmp_path / "out" / "dome.obj", process=False, maintain_order=True)
    low, high = session.pose.vertices.min(0), session.pose.vertices.max(0)
    np.testing.assert_allclose(mesh.bounds, [low, high], atol=1e-3)
    assert dialog._message.text() == "Exported 5 files."


def test_triangles_and_texture_are_those_of_the_face(controller, session, qtbot):
    dialog = _open(controller, qtbot)
    count = len(session.face.topology.front_faces)
    assert dialog._subdivisions.itemText(1) == f"1:  {4 * count:,} triangles"
    assert "128 x 128" in dialog._texture.text()


def test_preview_follows_the_choices(controller, qtbot):
    dialog = _open(controller, qtbot)
    dialog._texture.setChecked(False)
    dialog._name.setText("other")
    assert not dialog._main.isEnabled()
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    names = [dialog._files.topLevelItem(row).text(0) for row in range(dialog._files.topLevelItemCount())]
    assert names == ["other.obj", "other_dpmap.png", "other_dpmap.txt"]


def test_existing_files_are_asked_for_and_kept(controller, qtbot, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dome.obj").write_text("precious")
    dialog = _open(controller, qtbot)
    dialog._main.click()
    assert "Replace it?" in dialog._message.text()
    dialog._back.click()
    assert (tmp_path / "out" / "dome.obj").read_text() == "precious"
    dialog._main.click()
    with qtbot.waitSignal(controller.exported, timeout=5000):
        dialog._main.click()
    assert (tmp_path / "out" / "dome.obj").read_text() != "precious"


def test_a_file_that_came_up_meanwhile_is_asked_for_too(controller, qtbot, tmp_path):
    dialog = _open(controller, qtbot)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dome.jpg").write_text("precious")
    dialog._main.click()
    assert dialog._hint.text() == "dome.jpg"
    qtbot.wait(50)
    assert (tmp_path / "out" / "dome.jpg").read_text() == "precious"


def test_choices_are_remembered(controller, qtbot, tmp_path, session, engine, thread, settings):
    dialog = _open(controller, qtbot)
    dialog._units.setCurrentIndex(dialog._units.findData("m"))
    dialog._subdivisions.setCurrentIndex(1)
    dialog._texture.setChecked(False)
    dialog._folder.setText(str(tmp_path / "elsewhere"))
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    with qtbot.waitSignal(controller.exported, timeout=5000):
        dialog._main.click()
    dialog.accept()
    settings.sync()
    again = ExportController(
        session, engine, thread, None, QSettings(settings.fileName(), QSettings.Format.IniFormat), map_scale_mm=1.5
    )
    dialog = _open(again, qtbot)
    options = dialog.options()
    assert (options.units, options.subdivisions, options.texture, options.map_scale_mm) == ("m", 1, False, 1.5)
    assert dialog.folder() == tmp_path / "elsewhere"
    dialog.reject()


def test_the_rig_in_one_file_is_written_as_shown_and_remembered(controller, session, qtbot, tmp_path, settings):
    dialog = _open(controller, qtbot)
    dialog._glb.setChecked(True)
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    assert dialog._files.topLevelItem(0).text(0) == "dome.glb"
    with qtbot.waitSignal(controller.exported, timeout=5000) as exported:
        dialog._main.click()
    assert {path.name for path in exported.args[0]} == {"dome.glb", *FIRST_FILES}
    data = (tmp_path / "out" / "dome.glb").read_bytes()
    document = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert document["meshes"][0]["weights"] == session.pose.weights.tolist()
    dialog.accept()
    settings.sync()
    assert _open(controller, qtbot).options().glb


def test_damaged_settings_do_no_harm(controller, qtbot, settings):
    for key in ("mesh", "maps", "units", "expression", "texture", "glb"):
        settings.setValue(f"export/{key}", "nonsense")
    settings.setValue("export/subdivisions", "12")
    options = _open(controller, qtbot).options()
    assert (options.units, options.subdivisions) == ("mm", 0)


def test_cancel_leaves_nothing(controller, qtbot, tmp_path, monkeypatch):
    closed = _slow_export(monkeypatch)
    dialog = _open(controller, qtbot)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._message.text() == "Writing dome.obj", timeout=2000)
    dialog._back.click()
    qtbot.waitUntil(lambda: "nothing was written" in dialog._message.text(), timeout=2000)
    assert closed == ["dome"]
    assert _listing(tmp_path / "out") == []


def test_cancel_of_the_real_export_leaves_nothing(controller, qtbot, tmp_path):
    dialog = _open(controller, qtbot)
    dialog._maps.setCurrentIndex(dialog._maps.findData("static"))
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    dialog._main.click()
    dialog._back.click()  # the job has hardly begun
    qtbot.waitUntil(lambda: dialog._state != "running", timeout=5000)
    assert "nothing was written" in dialog._message.text()
    assert _listing(tmp_path / "out") == []


def test_closing_the_dialog_ends_the_export(controller, thread, qtbot, monkeypatch):
    closed = _slow_export(monkeypatch)
    dialog = _open(controller, qtbot)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._message.text() == "Writing dome.obj", timeout=2000)
    dialog.close()
    qtbot.waitUntil(thread.is_idle, timeout=2000)
    assert closed == ["dome"]
    assert controller.dialog is None
    _open(controller, qtbot)  # a new one works


def test_failure_is_a_sentence_in_the_dialog(controller, qtbot, monkeypatch):
    _slow_export(monkeypatch, error=ExportError("The disk is full.", "Make room and try again."))
    dialog = _open(controller, qtbot)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._message.text() == "The disk is full.", timeout=2000)
    assert dialog._hint.text() == "Make room and try again."
    assert dialog._form.isEnabled()


def test_bug_is_logged_and_said_plainly(controller, qtbot, monkeypatch, caplog):
    _slow_export(monkeypatch, error=KeyError("vt"))
    dialog = _open(controller, qtbot)
    dialog._main.click()
    qtbot.waitUntil(lambda: "failed unexpectedly" in dialog._message.text(), timeout=2000)
    assert "KeyError" in caplog.text


def test_folder_that_is_a_file_is_a_sentence(controller, qtbot, tmp_path):
    (tmp_path / "out").write_text("I am a file")
    dialog = _open(controller, qtbot)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._state == "edit" and bool(dialog._message.text()), timeout=5000)
    assert dialog._hint.text()
    assert (tmp_path / "out").read_text() == "I am a file"


def test_folder_deleted_halfway_is_a_sentence(controller, qtbot, tmp_path, monkeypatch):
    real = export_controller.export_face

    def steps(face, pose, options, folder, stem):
        writing = real(face, pose, options, folder, stem)
        yield next(writing)
        shutil.rmtree(folder)
        return (yield from writing)

    monkeypatch.setattr(export_controller, "export_face", steps)
    dialog = _open(controller, qtbot)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._state == "edit" and bool(dialog._message.text()), timeout=5000)
    assert "unexpectedly" not in dialog._message.text()
    assert dialog._hint.text()
    assert _listing(tmp_path / "out") == []


def _without_maps(session, keys=20):
    """Show the face before any key map is there."""
    session.set_face(replace(synthetic.make_asset(), key_maps=(None,) * keys))
    session.set_pose(synthetic.make_pose(session.face, session.weights))


def _ready(session):
    return [k for k, key_map in enumerate(session.face.key_maps) if key_map is not None]


def test_key_maps_that_arrive_while_the_dialog_is_open(controller, session, qtbot):
    complete = synthetic.make_asset()
    session.set_face(replace(complete, key_maps=(None,) * 20))
    dialog = _open(controller, qtbot)
    row = dialog._maps.findData("all")
    assert "20 of them are made first" in dialog._maps.itemText(row)
    session.refine_face(complete)
    assert "first" not in dialog._maps.itemText(row)


def test_maps_that_are_not_made_yet_are_made_first(controller, session, engine, qtbot, tmp_path):
    _without_maps(session, keys=5)  # few of these large files; a real face has 20
    session.refine_face(session.face.with_map(3, synthetic.make_map(9)))
    dialog = _open(controller, qtbot)
    dialog._maps.setCurrentIndex(dialog._maps.findData("all"))
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    stages = []
    engine.hold.clear()  # until somebody listens
    with qtbot.waitSignal(controller.exported, timeout=20_000):
        dialog._main.click()
        controller._export_job.progressed.connect(stages.append)
        engine.hold.set()
    assert engine.asked_keys == [0, 1, 2, 4]
    assert _ready(session) == [0, 1, 2, 3, 4], "the window has them, too"
    assert {f"dome_dpmap_{k}.png" for k in range(5)} < set(_listing(tmp_path / "out"))
    assert "Predicting" in [progress.stage for progress in stages]
    fractions = [progress.fraction for progress in stages]
    assert fractions == sorted(fractions)
    written = cv2.imread(str(tmp_path / "out" / "dome_dpmap_3.png"), cv2.IMREAD_UNCHANGED)
    kept = map_canvas(synthetic.make_map(9), session.face.topology.window, dialog.options().map_scale_mm)[0]
    np.testing.assert_array_equal(written, kept)


def test_cancelled_making_of_maps_writes_nothing_and_keeps_those_that_are_made(
    controller, session, engine, qtbot, tmp_path, monkeypatch
):
    def slow(face, keys):
        time.sleep(0.02)
        return (yield from InventedEngine.key_maps(engine, face, keys))

    monkeypatch.setattr(engine, "key_maps", slow)
    _without_maps(session)
    dialog = _open(controller, qtbot)
    dialog._maps.setCurrentIndex(dialog._maps.findData("all"))
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    session.face_refined.connect(lambda _: len(_ready(session)) == 2 and dialog._back.click())
    dialog._main.click()
    qtbot.waitUntil(lambda: "nothing was written" in dialog._message.text(), timeout=5000)
    assert _listing(tmp_path / "out") == []
    assert 2 <= len(_ready(session)) < 20


def test_a_detailed_mesh_waits_for_the_maps_that_it_shows_and_no_others(controller, session, engine, qtbot):
    _without_maps(session)
    shown = np.flatnonzero(session.pose.map_weights.max(0) > 0.05).tolist()
    assert 0 < len(shown) < 20
    dialog = _open(controller, qtbot)
    dialog._mesh.setCurrentIndex(dialog._mesh.findData("displaced"))
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    with qtbot.waitSignal(controller.exported, timeout=20_000):
        dialog._main.click()
    assert engine.asked_keys == shown


def test_a_map_that_cannot_be_made_is_a_sentence(controller, session, engine, qtbot, tmp_path):
    _without_maps(session)
    engine.key_error = ModelFileError("The network is not imported.", "Import it.")
    dialog = _open(controller, qtbot)
    dialog._maps.setCurrentIndex(dialog._maps.findData("all"))
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._message.text() == "The network is not imported.", timeout=5000)
    assert dialog._hint.text() == "Import it."
    assert _listing(tmp_path / "out") == []


def test_no_face_opens_no_dialog(thread, settings):
    controller = ExportController(Session(), InventedEngine(), thread, None, settings)
    controller.open_dialog()
    assert controller.dialog is None


def test_folder_is_shown_in_the_file_manager(controller, qtbot, monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(export_controller, "show_in_folder", shown.append)
    dialog = _open(controller, qtbot)
    with qtbot.waitSignal(controller.exported, timeout=5000):
        dialog._main.click()
    dialog._show.click()
    assert shown == [tmp_path / "out" / "dome.obj"]


def test_the_detail_is_as_deep_as_in_the_window(controller, session, qtbot, tmp_path):
    session.set_view(replace(session.view, detail_strength=0.25))
    session.set_exact(True)
    dialog = _open(controller, qtbot)
    dialog._mesh.setCurrentIndex(dialog._mesh.findData("displaced"))
    assert dialog._strength.value() == 25
    assert dialog.options().exact
    qtbot.waitUntil(dialog._main.isEnabled, timeout=5000)
    with qtbot.waitSignal(controller.exported, timeout=5000):
        dialog._main.click()
    quarter = trimesh.load(tmp_path / "out" / "dome.obj", process=False, maintain_order=True).vertices
    base = session.pose.vertices
    mesh = export_mesh(session.face.topology, dialog.options().subdivisions)
    base, full = mesh.base(base), mesh.displaced(base, blend_maps(session.face, session.pose))
    assert np.abs(full - base).max() > 0.1
    np.testing.assert_allclose(quarter - base, 0.25 * (full - base), atol=1e-5)
