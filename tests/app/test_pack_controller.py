"""The window with the real engine and a small FaceScape stand-in: models are switched from the menu, without a restart."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QEvent, QSettings
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMessageBox

from app import import_controller
from app.engine_service import EngineService
from app.main_window import MainWindow
from app.pack_controller import PackController
from engine import expressions
from engine.detail.map_cache import default_folder as cache_folder
from engine.errors import ModelFileError
from engine.packs.facescape import data as pack_data
from engine.packs.facescape.switches import DetailSwitches
from engine.types import Progress
from tests import facescape_standin as standin
from tests.app import facescape_photos as photos
from widgets.import_dialog import ImportDialog
from widgets.style import apply_style
from widgets.viewport import request_core_profile

pytestmark = pytest.mark.gl
PATIENCE_MS = 60_000
OPEN, FACESCAPE, IMPORT = "Open face model", "FaceScape", "Import FaceScape…"
PREVIEW, OWN = "Quick Preview of the Detail", "Position Maps of This Person"
LINUX = sys.platform == "linux"
JAW_OPEN = expressions.SHAPE_INDEX["jawOpen"]
MOUTH_STRETCH = expressions.KEY_NAMES.index("mouth_stretch")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The networks are tiny."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Path:
    """An imported stand-in with position maps."""
    folder = tmp_path_factory.mktemp("imported")
    standin.make_pack(folder, width=2)
    pack = folder / "pack"
    waves = np.sin(np.arange(1, 61)[:, None] * np.linspace(0, 3, 1024)).astype(np.float32)
    np.save(pack / "maps.npy", np.broadcast_to(waves[:, None], (60, 1024, 1024)))
    info = json.loads((pack / pack_data.INFO_FILE).read_text())
    info["files"]["position_maps"] = "maps.npy"
    (pack / pack_data.INFO_FILE).write_text(json.dumps(info))
    return pack


@pytest.fixture
def pack_folder(imported, tmp_home) -> Path:
    """The user's pack."""
    folder = pack_data.default_folder()
    folder.mkdir(parents=True)
    for path in imported.iterdir():
        (folder / path.name).hardlink_to(path)
    return folder


@pytest.fixture
def window(qapp: QApplication, tmp_path: Path, pack_folder: Path, qtbot) -> Iterator[MainWindow]:
    """The window as a user gets it."""
    if qapp.platformName() == "offscreen":
        pytest.skip("the window needs a display; python3 -m tests starts a virtual one")
    request_core_profile()
    apply_style(qapp)
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    window = MainWindow(EngineService(), settings)
    window.show()
    qtbot.waitUntil(lambda: window.map_scale_mm is not None, timeout=PATIENCE_MS)
    yield window
    window.close()
    window.engine_thread.wait(60_000)  # a step may outlast the patience of a closing window
    window.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def entry(window: MainWindow, text: str) -> QAction:
    """An entry of File > Face Model, as the menu shows it when it is opened."""
    menu = window.packs.menu
    menu.aboutToShow.emit()
    return next(action for action in menu.actions() if action.text().replace("&", "") == text)


def mapped(folder: Path) -> set[str]:
    """Parts of the pack that this process has mapped into its memory, where the system tells."""
    if not LINUX:
        return set()
    parts = {str(path): part for part, path in pack_data.pack_files(folder.resolve()).items()}
    names = [line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()]
    return {parts[name] for name in names if name in parts}


def checked(window: MainWindow) -> list[str]:
    return [name for name in (OPEN, FACESCAPE) if entry(window, name).isChecked()]


def dialog_text(window: MainWindow, qtbot) -> str:
    qtbot.waitUntil(lambda: any(box.isVisible() for box in window.findChildren(QMessageBox)), timeout=PATIENCE_MS)
    box = next(box for box in window.findChildren(QMessageBox) if box.isVisible())
    text = f"{box.text()} {box.informativeText()}"
    box.accept()
    return text


def idle(window: MainWindow) -> bool:
    return window.engine_thread.is_idle() and window.session.progress is None


def shown_with(window: MainWindow, pack: str, qtbot) -> None:
    """Wait until the photo's face of that pack is shown; its key maps may still be on the way."""
    qtbot.waitUntil(lambda: window.session.face is not None and window.session.face.pack == pack, timeout=PATIENCE_MS)


def made(window: MainWindow) -> set[int]:
    return {k for k, key_map in enumerate(window.session.face.key_maps) if key_map is not None}


def settled(window, qtbot) -> None:
    """Wait for the engine, and for the window to have taken what it delivered: deliveries hold the pack they carry."""
    qtbot.waitUntil(window.engine_thread.is_idle, timeout=PATIENCE_MS)
    qtbot.wait(50)
    qtbot.waitUntil(window.engine_thread.is_idle, timeout=PATIENCE_MS)  # a delivery may have asked for more


def test_switched_there_and_back_the_shown_photo_is_made_again(window, qtbot, tmp_path):
    photos.portrait().save(tmp_path / "anna.png")
    assert window.pack_label.text() == "Open face model"
    assert checked(window) == [OPEN]
    window.commands.open_source(tmp_path / "anna.png")
    shown_with(window, "open", qtbot)
    photo, former = window.session.photo, window.session.face

    entry(window, FACESCAPE).trigger()
    shown_with(window, "facescape", qtbot)
    qtbot.waitUntil(lambda: idle(window), timeout=PATIENCE_MS)
    face = window.session.face
    assert window.pack_label.text() == "FaceScape"
    assert checked(window) == [FACESCAPE]
    assert face.photo is photo
    assert face.topology is not former.topology
    assert window.map_scale_mm == 0.914
    assert window.viewport.problem is None

    # Only the maps that the expression shows are made: each takes seconds with the real networks.
    shares = window.session.pose.map_weights.max(0)
    assert made(window) == set(np.flatnonzero(shares > 0.05).tolist())
    window.expressions.reset()
    qtbot.waitUntil(lambda: 0 in made(window) and idle(window), timeout=PATIENCE_MS)
    before = made(window)
    if MOUTH_STRETCH not in before:
        window.expression_panel.slider(JAW_OPEN).setValue(70)
        qtbot.waitUntil(lambda: MOUTH_STRETCH in made(window) and idle(window), timeout=PATIENCE_MS)
        assert len(made(window) - before) < 6
    assert len(made(window)) < 20

    entry(window, OPEN).trigger()
    shown_with(window, "open", qtbot)
    assert window.pack_label.text() == "Open face model"
    assert checked(window) == [OPEN]
    assert window.session.face.photo is photo
    assert window.session.face.topology.vertex_count == former.topology.vertex_count
    assert not window.findChildren(QMessageBox)


def test_networks_are_switched_in_the_menu(window, qtbot, tmp_path):
    assert not entry(window, PREVIEW).isEnabled()
    photos.portrait().save(tmp_path / "anna.png")
    entry(window, FACESCAPE).trigger()
    qtbot.waitUntil(lambda: window.pack_label.text() == "FaceScape", timeout=PATIENCE_MS)
    window.commands.open_source(tmp_path / "anna.png")
    shown_with(window, "facescape", qtbot)
    full = window.session.face
    window.expression_panel.slider(JAW_OPEN).setValue(70)
    weights = window.session.weights

    assert entry(window, PREVIEW).isEnabled()
    assert not entry(window, PREVIEW).isChecked()
    with qtbot.waitSignal(window.packs.said, timeout=PATIENCE_MS) as said:
        entry(window, PREVIEW).trigger()
    assert said.args == ["The detail is now a preview, made at half the size."]
    qtbot.waitUntil(lambda: window.session.face.rig is not full.rig, timeout=PATIENCE_MS)
    preview = window.session.face
    assert np.array_equal(window.session.weights, weights), "the expression stays"
    assert np.array_equal(preview.fit.identity, full.fit.identity)
    assert np.abs(preview.static_map - full.static_map).max() > 0.01
    assert any("preview" in warning for warning in preview.warnings)
    assert entry(window, PREVIEW).isChecked()

    entry(window, OWN).trigger()
    entry(window, PREVIEW).trigger()  # before the first was done: the last word counts
    qtbot.waitUntil(lambda: window.session.face.rig is not preview.rig and not window.photos.is_building)
    assert np.array_equal(window.session.face.static_map, full.static_map), "from the cache, not the preview's"
    assert window.engine.switches == DetailSwitches(own_positions=True)

    entry(window, OPEN).trigger()
    shown_with(window, "open", qtbot)
    assert not entry(window, OWN).isEnabled()
    kept = EngineService()
    PackController(kept, window.engine_thread, window, window.settings)
    assert kept.switches == DetailSwitches(own_positions=True)
    exact = EngineService("facescape", exact=True)
    PackController(exact, window.engine_thread, window, window.settings)
    assert exact.switches == DetailSwitches(), "to the letter"
    assert not window.findChildren(QMessageBox)


def test_a_pack_in_use_is_let_go_of_before_it_is_removed(window, qtbot, pack_folder, tmp_path, monkeypatch):
    photos.portrait().save(tmp_path / "anna.png")
    entry(window, FACESCAPE).trigger()
    qtbot.waitUntil(lambda: window.pack_label.text() == "FaceScape", timeout=PATIENCE_MS)
    window.commands.open_source(tmp_path / "anna.png")
    shown_with(window, "facescape", qtbot)
    assert any(cache_folder("facescape").glob("*.map"))
    if LINUX:
        assert "core" in mapped(pack_folder)
    real, held = import_controller.remove, []

    def remove(folder, maps):
        held.append(mapped(folder))
        return real(folder, maps)

    monkeypatch.setattr(import_controller, "remove", remove)
    settled(window, qtbot)
    entry(window, IMPORT).trigger()
    dialog = window.findChild(ImportDialog)
    qtbot.waitUntil(dialog._remove.isEnabled, timeout=PATIENCE_MS)
    dialog._remove.click()
    with qtbot.waitSignal(window.packs.said, timeout=PATIENCE_MS) as said:
        dialog._main.click()
    assert held == [set()], "Windows does not delete what is mapped"
    assert said.args == ["The FaceScape pack was removed. The open face model is in use now."]
    assert dialog._message.text() == said.args[0]
    assert window.pack_label.text() == "Open face model"
    assert not cache_folder("facescape").exists(), "with the maps made with it"
    assert not pack_data.is_imported(pack_folder)
    shown_with(window, "open", qtbot)
    dialog.reject()


def test_an_import_that_fails_leaves_the_pack_in_use(window, qtbot, pack_folder, tmp_path, monkeypatch):
    photos.portrait().save(tmp_path / "anna.png")
    original = standin.make(tmp_path / "original", networks=False)
    entry(window, FACESCAPE).trigger()
    qtbot.waitUntil(lambda: window.pack_label.text() == "FaceScape", timeout=PATIENCE_MS)
    held = []

    def broken(inventory, folder):
        held.append(mapped(folder))
        yield Progress("Importing the shapes", 0.3)
        raise ModelFileError("It is broken.", "Take another.")

    monkeypatch.setattr(import_controller, "convert", broken)
    settled(window, qtbot)
    entry(window, IMPORT).trigger()
    dialog = window.findChild(ImportDialog)
    dialog._add([original])
    qtbot.waitUntil(dialog._main.isEnabled, timeout=PATIENCE_MS)
    dialog._main.click()
    qtbot.waitUntil(lambda: dialog._message.text() == "It is broken.", timeout=PATIENCE_MS)
    dialog.reject()
    assert held == [set()]
    assert checked(window) == [FACESCAPE]
    window.commands.open_source(tmp_path / "anna.png")
    shown_with(window, "facescape", qtbot)
    assert window.engine.slow_detail


def test_a_pack_that_was_removed_meanwhile_leaves_the_former_in_use(window, qtbot, pack_folder, tmp_path):
    photos.portrait().save(tmp_path / "anna.png")
    window.commands.open_source(tmp_path / "anna.png")
    shown_with(window, "open", qtbot)
    face = window.session.face
    choice = entry(window, FACESCAPE)  # the menu is open ...
    shutil.rmtree(pack_folder)  # ... while another window removes the pack
    choice.trigger()
    said = dialog_text(window, qtbot)
    assert said.startswith("The FaceScape pack is not imported. ")
    assert "Import" in said
    assert window.pack_label.text() == "Open face model"
    assert checked(window) == [OPEN]
    assert not entry(window, FACESCAPE).isEnabled()
    assert window.session.face.rig is face.rig
    qtbot.waitUntil(lambda: len(made(window)) > 1, timeout=PATIENCE_MS)  # the engine goes on with the former pack


def test_a_damaged_pack_is_one_sentence(window, qtbot, pack_folder):
    core = pack_data.pack_files(pack_folder)["core"]
    core.unlink()
    entry(window, FACESCAPE).trigger()
    said = dialog_text(window, qtbot)
    assert said == f"The imported FaceScape pack lacks its file {core.name}. Import the FaceScape files again."
    assert window.pack_label.text() == "Open face model"


def test_imported_from_the_menu_the_pack_is_in_use_and_removed_it_is_not(window, qtbot, pack_folder, tmp_path):
    shutil.rmtree(pack_folder)
    assert not entry(window, FACESCAPE).isEnabled()
    original = standin.make(tmp_path / "original", networks=False)
    settled(window, qtbot)
    entry(window, IMPORT).trigger()
    dialog = window.findChild(ImportDialog)
    assert dialog.isVisible()
    dialog._add([original])
    qtbot.waitUntil(dialog._main.isEnabled, timeout=PATIENCE_MS)
    dialog._main.click()
    qtbot.waitUntil(lambda: window.pack_label.text() == "FaceScape", timeout=PATIENCE_MS)
    assert checked(window) == [FACESCAPE]
    dialog._main.click()  # OK
    settled(window, qtbot)
    entry(window, IMPORT).trigger()
    dialog = next(dialog for dialog in window.findChildren(ImportDialog) if dialog.isVisible())
    qtbot.waitUntil(dialog._remove.isEnabled, timeout=PATIENCE_MS)
    dialog._remove.click()
    assert pack_data.is_imported(pack_folder), "it asks first"
    dialog._main.click()
    qtbot.waitUntil(lambda: window.pack_label.text() == "Open face model", timeout=PATIENCE_MS)
    assert checked(window) == [OPEN]
    assert not entry(window, FACESCAPE).isEnabled()
    assert not pack_data.is_imported(pack_folder)
    dialog.reject()
