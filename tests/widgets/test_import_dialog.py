"""The import dialog: folders in, what was found out, and the states between."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog

from engine.types import Progress
from widgets.import_dialog import STATUS_COLOURS, FileRow, ImportDialog

ROWS = [
    FileRow("core.npy", "found", "model/core.npy", "the shapes", "FaceScape licence: research only."),
    FileRow("faces.pkl", "wrong", "faces.pkl asks to run os.system.", "triangles", "MIT: free."),
    FileRow("front.png", "missing", "get it from the repository", "the mask", "MIT: free."),
    FileRow(
        "posmaps.npz", "optional", "optional; get it from there", "expressions", "FaceScape licence: research only."
    ),
    FileRow("id_mean.pkl", "not needed", "computed", "mean", "MIT: free."),
]


@pytest.fixture
def dialog(qtbot, tmp_path):
    dialog = ImportDialog()
    qtbot.addWidget(dialog)
    dialog.set_folders([tmp_path / "clone", tmp_path / "model"])
    dialog.set_rows(ROWS, "One file is wrong.", ready=True)
    dialog.show()
    return dialog


def test_folders_come_back_as_they_were_set_and_echo_is_silent(dialog, qtbot, tmp_path):
    assert dialog.folders() == (tmp_path / "clone", tmp_path / "model")
    with qtbot.assertNotEmitted(dialog.folders_changed):
        dialog.set_folders([tmp_path])
    assert dialog.folders() == (tmp_path,)


def test_folder_is_added_once_and_announced(dialog, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "new"))
    with qtbot.waitSignal(dialog.folders_changed) as signal:
        dialog._add_button.click()
    assert signal.args[0][-1] == tmp_path / "new"
    assert not dialog._main.isEnabled()  # until the search has answered
    with qtbot.assertNotEmitted(dialog.folders_changed):
        dialog._add_button.click()


def test_choosing_no_folder_changes_nothing(dialog, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    with qtbot.assertNotEmitted(dialog.folders_changed):
        dialog._add_button.click()


def test_selected_folders_are_taken_off(dialog, qtbot, tmp_path):
    assert not dialog._drop_button.isEnabled()
    dialog._folders.item(0).setSelected(True)
    assert dialog._drop_button.isEnabled()
    with qtbot.waitSignal(dialog.folders_changed) as signal:
        dialog._drop_button.click()
    assert signal.args == [(tmp_path / "model",)]


def _data(*urls: QUrl) -> QMimeData:
    data = QMimeData()
    data.setUrls(list(urls))
    return data


def test_folders_can_be_dropped(dialog, qtbot, tmp_path):
    data = _data(QUrl.fromLocalFile(str(tmp_path / "dropped")), QUrl("https://example.org/x"))
    actions, buttons, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(9, 9), actions, data, buttons, keys)
    dialog.dragEnterEvent(enter)
    assert enter.isAccepted()
    with qtbot.waitSignal(dialog.folders_changed) as signal:
        dialog.dropEvent(QDropEvent(QPointF(9, 9), actions, data, buttons, keys))
    assert signal.args[0][2:] == (tmp_path / "dropped",)
    dialog.set_progress(Progress("Importing", 0.5))
    refused_data = _data(QUrl.fromLocalFile(str(tmp_path)))
    late = QDragEnterEvent(QPoint(9, 9), actions, refused_data, buttons, keys)
    late.ignore()
    dialog.dragEnterEvent(late)
    assert not late.isAccepted()


def test_table_shows_status_licence_and_reason_of_each_file(dialog):
    table = dialog._table
    items = [table.topLevelItem(row) for row in range(table.topLevelItemCount())]
    assert [item.text(0) for item in items] == [row.name for row in ROWS]
    assert [item.text(1) for item in items] == ["Found", "Wrong", "Missing", "Optional", "Not needed"]
    assert [item.text(2) for item in items] == ["FaceScape licence", "MIT", "MIT", "FaceScape licence", "MIT"]
    assert items[1].text(3) == "faces.pkl asks to run os.system."
    for item, row in zip(items, ROWS, strict=True):
        assert item.foreground(1).color().name() == STATUS_COLOURS[row.status]
        assert row.licence in item.toolTip(3)
        assert row.purpose in item.toolTip(0)
    assert dialog._summary.text() == "One file is wrong."


@pytest.mark.parametrize("ready", [True, False])
def test_import_waits_until_the_files_are_complete(dialog, qtbot, ready):
    dialog.set_rows(ROWS, "", ready=ready)
    assert dialog._main.isEnabled() is ready
    assert (dialog._main if ready else dialog._back).isDefault()
    if ready:
        with qtbot.waitSignal(dialog.import_requested):
            dialog._main.click()


def test_search_shows_progress_and_ends_with_the_rows(dialog):
    dialog.set_searching(Progress("Checking faces.pkl", 0.25))
    assert dialog._bar.isVisible()
    assert dialog._bar.value() == 250
    assert dialog._message.text() == "Checking faces.pkl"
    assert not dialog._main.isEnabled()
    assert dialog._folder_area.isEnabled()
    dialog.set_rows(ROWS, "done", ready=True)
    assert not dialog._bar.isVisible()
    assert dialog._main.isEnabled()


def test_running_import_can_be_stopped_and_says_so(dialog, qtbot):
    dialog.set_progress(Progress("Importing the shapes", 0.4))
    assert not dialog._folder_area.isEnabled()
    assert dialog._back.text() == "&Cancel"
    with qtbot.waitSignal(dialog.cancel_requested):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog._back.isEnabled()
    dialog.show_cancelled()
    assert dialog._message.text() == "Cancelled; nothing was imported."
    assert dialog._main.isEnabled()


def test_closing_stops_what_runs(dialog, qtbot):
    dialog.set_searching(Progress("Searching", 0.1))
    with qtbot.waitSignals([dialog.cancel_requested, dialog.rejected]):
        dialog._back.click()


def test_error_stays_readable_and_can_be_tried_again(dialog):
    dialog.set_progress(Progress("Importing", 0.4))
    dialog.show_error("core.npy is cut short.", "Get it again.")
    assert (dialog._message.text(), dialog._hint.text()) == ("core.npy is cut short.", "Get it again.")
    assert dialog._message.textFormat() == Qt.TextFormat.PlainText
    assert dialog._main.isEnabled()


def test_done_offers_only_ok(dialog, qtbot):
    dialog.show_done("Imported the shapes.", str(Path("somewhere")))
    assert dialog._main.text() == "&OK"
    assert not dialog._back.isVisible()
    with qtbot.waitSignal(dialog.accepted):
        dialog._main.click()


def test_removal_is_asked_for_and_enter_keeps_the_pack(dialog, qtbot):
    assert not dialog._remove.isVisible()
    dialog.set_installed("Imported on 2026-01-02.")
    assert dialog._remove.isVisible()
    assert dialog._hint.text() == "Imported on 2026-01-02."
    dialog._remove.click()
    assert dialog._message.text() == "Remove the imported FaceScape pack?"
    assert dialog._back.isDefault()
    with qtbot.assertNotEmitted(dialog.remove_requested):
        dialog._back.click()
    dialog._remove.click()
    with qtbot.waitSignal(dialog.remove_requested):
        dialog._main.click()
    dialog.set_installed("")
    dialog.show_removed("Removed.")
    assert dialog._message.text() == "Removed."
    assert not dialog._remove.isVisible()


def test_every_control_is_named_and_explained(dialog):
    for button in (dialog._add_button, dialog._drop_button, dialog._remove, dialog._back, dialog._main):
        assert button.toolTip()
        assert "&" in button.text()
    letters = [button.text().partition("&")[2][0].lower() for button in (dialog._add_button, dialog._drop_button)]
    letters += [button.text().partition("&")[2][0].lower() for button in (dialog._remove, dialog._back, dialog._main)]
    assert len(set(letters)) == len(letters)
    assert dialog._table.accessibleName() == "Files"
    assert dialog._folders.accessibleName() == "Folders"
