"""The import controller with a real engine thread and real files; and the report for the terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSettings

from app import import_controller
from app.engine_thread import EngineThread
from app.import_controller import ImportController
from engine.detail.map_cache import MapCache
from engine.errors import ModelFileError
from engine.packs.facescape import data as pack_data
from engine.packs.facescape.inventory import CORE
from engine.packs.facescape.inventory_report import import_facescape, import_report
from engine.types import Progress
from tests import facescape_standin as standin


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return standin.make(tmp_path_factory.mktemp("facescape"), networks=False)


@pytest.fixture
def thread(qtbot):
    thread = EngineThread()
    yield thread
    assert thread.stop()


@pytest.fixture
def pack(tmp_path):
    return tmp_path / "user" / "facescape"


@pytest.fixture
def controller(thread, tmp_path, pack):
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    controller = ImportController(thread, None, settings, pack, MapCache(tmp_path / "maps"))
    yield controller
    if controller.dialog is not None:
        controller.dialog.reject()


def _open(controller, qtbot, *folders):
    controller.open_dialog()
    dialog = controller.dialog
    qtbot.waitUntil(lambda: dialog._state == "edit", timeout=20_000)
    if folders:
        dialog._add(folders)
        assert dialog._state == "searching"
        qtbot.waitUntil(lambda: dialog._state == "edit", timeout=20_000)
    return dialog


def test_import_from_the_first_folder_to_the_finished_pack(controller, qtbot, original, pack):
    dialog = _open(controller, qtbot)
    assert dialog._summary.text() == "No folder is named yet."
    assert not dialog._main.isEnabled()
    dialog._add([original])
    qtbot.waitUntil(dialog._main.isEnabled, timeout=20_000)
    assert dialog._summary.text().startswith("The model (version 1.0-1.3) is complete, without dpmap_single_net_G.pth")
    with qtbot.waitSignals([controller.about_to_change, controller.imported], timeout=20_000):
        dialog._main.click()
    assert dialog._state == "done"
    assert dialog._message.text() == "Imported the shapes, the model's data."
    assert pack_data.load(pack).vertex_count == 514


def test_folders_are_remembered_and_the_pack_is_shown(controller, qtbot, original):
    dialog = _open(controller, qtbot, original)
    with qtbot.waitSignal(controller.imported, timeout=20_000):
        dialog._main.click()
    dialog.accept()
    assert controller.dialog is None
    dialog = _open(controller, qtbot)
    assert dialog.folders() == (original,)
    assert "version 1.0-1.3" in dialog._hint.text()
    assert dialog._remove.isVisible()


def test_pack_is_removed_after_the_question(controller, qtbot, original, pack, tmp_path):
    maps = MapCache(tmp_path / "maps")
    maps.put("made with it", np.zeros((4, 4), np.float32))
    dialog = _open(controller, qtbot, original)
    with qtbot.waitSignal(controller.imported, timeout=20_000):
        dialog._main.click()
    dialog.accept()
    dialog = _open(controller, qtbot)
    dialog._remove.click()
    with qtbot.waitSignals([controller.about_to_change, controller.removed]):
        dialog._main.click()
    assert not pack.exists()
    assert not (tmp_path / "maps").exists()
    assert dialog._message.text() == "The FaceScape pack was removed."
    assert not dialog._remove.isVisible()
    assert original.is_dir()


def test_pack_that_is_in_use_elsewhere_is_said_and_gone_all_the_same(controller, qtbot, original, pack, monkeypatch):
    dialog = _open(controller, qtbot, original)
    with qtbot.waitSignal(controller.imported, timeout=20_000):
        dialog._main.click()
    dialog.accept()
    dialog = _open(controller, qtbot)
    core = pack_data.pack_files(pack)["core"]
    real = Path.unlink

    def held(path, missing_ok=False):
        if path == core:
            raise PermissionError(13, "in use")  # as Windows answers while another program has it mapped
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", held)
    dialog._remove.click()
    with qtbot.waitSignal(controller.removed):
        dialog._main.click()
    assert dialog._message.text() == f"{core.name} of the FaceScape pack is still in use."
    assert not pack_data.is_imported(pack)


def test_wrong_file_is_named_and_nothing_can_be_imported(controller, qtbot, original, tmp_path):
    folder = Path(shutil.copytree(original, tmp_path / "copy"))
    (folder / "predef" / "faces.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    dialog = _open(controller, qtbot, folder)
    assert not dialog._main.isEnabled()
    rows = [dialog._table.topLevelItem(index) for index in range(dialog._table.topLevelItemCount())]
    row = next(item for item in rows if item.text(0) == "faces.pkl")
    assert row.text(1) == "Wrong"
    assert "asks to run os.system" in row.text(3)


def test_damage_that_shows_while_importing_is_one_sentence(controller, qtbot, original, tmp_path, pack):
    folder = Path(shutil.copytree(original, tmp_path / "copy"))
    core = np.load(folder / "model" / CORE)
    core[-1, -1, -1] = np.nan
    np.save(folder / "model" / CORE, core)
    dialog = _open(controller, qtbot, folder)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._state == "edit", timeout=20_000)
    assert dialog._message.text() == f"{CORE} holds numbers that are not finite, or impossibly large."
    assert "nothing was imported" in dialog._hint.text()
    assert not pack.exists()


def test_missing_folder_is_one_sentence(controller, qtbot, tmp_path):
    dialog = _open(controller, qtbot, tmp_path / "gone")
    assert dialog._message.text() == f"{tmp_path / 'gone'} is no folder."
    assert not dialog._main.isEnabled()


def test_cancel_leaves_nothing(controller, qtbot, original, pack, monkeypatch):
    real = import_controller.convert

    def endless(inventory, folder):
        steps = real(inventory, folder)
        for _ in range(4):
            yield next(steps)
        try:
            while True:
                yield Progress("Importing the shapes", 0.3)
        finally:
            steps.close()

    monkeypatch.setattr(import_controller, "convert", endless)
    dialog = _open(controller, qtbot, original)
    dialog._main.click()
    qtbot.waitUntil(pack.exists, timeout=20_000)
    dialog._back.click()
    qtbot.waitUntil(lambda: dialog._state == "edit", timeout=20_000)
    assert dialog._message.text() == "Cancelled; nothing was imported."
    assert not pack.exists()


def test_closing_while_importing_stops_it(controller, qtbot, original, pack, thread, monkeypatch):
    def endless(inventory, folder):
        while True:
            yield Progress("Importing the shapes", 0.3)

    monkeypatch.setattr(import_controller, "convert", endless)
    dialog = _open(controller, qtbot, original)
    dialog._main.click()
    dialog.reject()
    assert controller.dialog is None
    assert thread.stop()  # would wait for ever if the job went on


def test_newer_search_wins(controller, qtbot, original, tmp_path):
    dialog = _open(controller, qtbot)
    dialog._add([original])
    dialog._add([tmp_path])
    dialog._folders.item(0).setSelected(True)
    dialog._take_off()
    qtbot.waitUntil(lambda: dialog._state == "edit", timeout=20_000)
    assert dialog.folders() == (tmp_path,)
    assert dialog._summary.text() == "None of FaceScape's files was found in these folders."


def test_unexpected_failure_is_logged_and_plain(controller, qtbot, original, monkeypatch, caplog):
    def broken(inventory, folder):
        yield Progress("Importing", 0.1)
        raise ZeroDivisionError("x")

    monkeypatch.setattr(import_controller, "convert", broken)
    dialog = _open(controller, qtbot, original)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._state == "edit", timeout=20_000)
    assert dialog._message.text() == "The import failed unexpectedly; nothing was imported."
    assert "ZeroDivisionError" in caplog.text


def test_networks_alone_can_be_added_to_an_imported_model(controller, qtbot, original, tmp_path, pack):
    dialog = _open(controller, qtbot, original)
    with qtbot.waitSignal(controller.imported, timeout=20_000):
        dialog._main.click()
    dialog.accept()
    standin.write_networks(tmp_path, 2)
    dialog = _open(controller, qtbot)
    dialog._folders.item(0).setSelected(True)
    dialog._take_off()
    dialog._add([tmp_path])
    qtbot.waitUntil(dialog._main.isEnabled, timeout=20_000)
    assert (
        "The imported model stays; dpmap_single_net_G.pth, dpmap_rig_net_G.pth can be imported"
        in dialog._summary.text()
    )
    with qtbot.waitSignal(controller.imported, timeout=20_000):
        dialog._main.click()
    assert sorted(pack_data.load(pack).checkpoints) == ["rig", "single"]


# ------------------------------------------------------------------------------------------------------- the terminal


def test_report_says_all_of_every_file(original, tmp_path):
    report = import_report([original])
    lines = {line.split()[1]: line for line in report.splitlines() if line.startswith("  ") and len(line.split()) > 2}
    assert lines[CORE].split() == ["found", CORE, str(Path(original.name) / "model" / CORE)]
    assert "missing" in lines["posmaps.npz"]
    assert "optional; get it from the repository yanght321/Detailed3DFace" in lines["posmaps.npz"]
    assert "FaceScape licence: non-commercial research only; the file must not be passed on." in report
    assert "MIT: free to use with its notice." in report
    empty = import_report([tmp_path])
    assert empty.count("  missing ") == 16
    assert "None of FaceScape's files was found in these folders." in empty


def test_command_s_steps_report_first_and_then_import(original, pack):
    seen = list(import_facescape([original], pack))
    texts = [step for step in seen if isinstance(step, str)]
    assert len(texts) == 1
    assert "is complete" in texts[0]
    fractions = [step.fraction for step in seen[seen.index(texts[0]) + 1 :]]
    assert fractions == sorted(fractions)
    assert pack_data.load(pack).vertex_count == 514


def test_command_reports_before_it_refuses(tmp_path, pack):
    seen = []
    with pytest.raises(ModelFileError, match="not complete"):
        seen.extend(import_facescape([tmp_path], pack))
    assert "None of FaceScape's files was found" in next(step for step in seen if isinstance(step, str))
    assert not pack.exists()


def test_report_needs_neither_qt_nor_torch(original):
    code = (
        "import sys; from pathlib import Path; from engine.packs.facescape.inventory_report import import_report;"
        "import_report([Path(sys.argv[1])]);"
        "print([name for name in ('PySide6', 'torch', 'cv2', 'sklearn') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(original)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert done.stdout.strip() == "[]"
