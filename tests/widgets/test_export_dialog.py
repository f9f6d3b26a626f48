"""The export dialog: choices in, choices out, and the states between."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from engine.export import ExportOptions
from engine.types import Progress
from widgets.export_choices import EXPRESSIONS, MAPS, MESHES, UNITS
from widgets.export_dialog import ExportDialog

FILES = (("anna.obj", 2_000_000), ("anna.obj.mtl", 67), ("anna.jpg", 500_000))


@pytest.fixture
def dialog(qtbot, tmp_path):
    dialog = ExportDialog()
    qtbot.addWidget(dialog)
    dialog.set_triangles([528, 2112, 8448, 33792])
    dialog.set_texture_size(2048)
    dialog.set_ready_maps(20, 20)
    dialog.set_choices(ExportOptions(), tmp_path, "anna")
    dialog.set_files(FILES, (), 10**9)
    dialog.show()
    return dialog


def test_choices_come_back_as_they_were_set(dialog, tmp_path):
    wanted = ExportOptions("displaced", 2, "all", False, "all", "m", 1.25, 0.4, True)
    dialog.set_choices(wanted, tmp_path / "x", "Zoë B.")
    assert dialog.options() == wanted
    assert dialog.folder() == tmp_path / "x"
    assert dialog.name() == "Zoë B."


@pytest.mark.parametrize(
    ("field", "choices"), [("mesh", MESHES), ("expression", EXPRESSIONS), ("maps", MAPS), ("units", UNITS)]
)
def test_every_choice_reaches_the_options(dialog, qtbot, field, choices):
    combo = getattr(dialog, f"_{field}")
    for row, (value, _) in enumerate(choices):
        combo.setCurrentIndex(row)
        assert getattr(dialog.options(), field) == value
    with qtbot.waitSignal(dialog.changed):
        combo.setCurrentIndex(0)


def test_the_rig_in_one_file_is_a_choice_of_its_own(dialog, qtbot, tmp_path):
    assert not dialog.options().glb
    with qtbot.waitSignal(dialog.changed):
        dialog._glb.click()
    assert dialog.options().glb
    with qtbot.assertNotEmitted(dialog.changed, wait=20):
        dialog.set_choices(ExportOptions(), tmp_path, "anna")
    assert not dialog._glb.isChecked()
    dialog.set_choices(ExportOptions(glb=True), tmp_path, "anna")
    assert dialog.options() == ExportOptions(glb=True)
    assert ".glb" in dialog._glb.text()


def test_folder_home_sign_and_spaces(dialog):
    dialog._folder.setText("  ~/faces ")
    assert dialog.folder() == Path.home() / "faces"


def test_triangle_counts_are_shown(dialog):
    assert [dialog._subdivisions.itemText(row) for row in range(4)][2] == "2:  8,448 triangles"
    dialog._subdivisions.setCurrentIndex(3)
    assert dialog.options().subdivisions == 3


def test_all_maps_can_be_exported_before_they_are_computed(dialog):
    dialog._maps.setCurrentIndex(dialog._maps.findData("all"))
    dialog.set_ready_maps(7, 20)
    assert dialog.options().maps == "all"
    assert "13 of them are made first" in dialog._maps.currentText()
    dialog.set_ready_maps(20, 20)
    assert "first" not in dialog._maps.currentText()


def test_files_are_listed_with_sizes(dialog):
    items = [dialog._files.topLevelItem(row) for row in range(dialog._files.topLevelItemCount())]
    assert [item.text(0) for item in items] == [name for name, _ in FILES]
    assert items[0].text(1) == "2.0 MB"
    assert dialog._summary.text() == "3 files, about 2.5 MB; 1.0 GB free there"


def test_full_disk_is_foreseen(dialog):
    dialog.set_files(FILES, (), 1000)
    assert "too full" in dialog._message.text()
    dialog.set_files(FILES, (), None)
    assert "free" not in dialog._summary.text()


@pytest.mark.parametrize(("free", "permitted", "word"), [(10**9, False, "permission"), (0, True, "no space is free")])
def test_a_folder_that_takes_no_files_is_said_before(dialog, qtbot, free, permitted, word):
    dialog.set_files(FILES, (), free, permitted=permitted)
    assert word in dialog._message.text()
    assert dialog._hint.text()
    assert not dialog._main.isEnabled()
    with qtbot.assertNotEmitted(dialog.export_requested, wait=20):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    dialog._folder.setText("~/faces")
    dialog.set_files(FILES, (), 10**9)
    assert not dialog._message.isVisible()
    assert dialog._main.isEnabled()


def test_enter_exports_when_nothing_is_in_the_way(dialog, qtbot):
    with qtbot.waitSignal(dialog.export_requested) as agreed:
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert agreed.args == [()]


@pytest.mark.parametrize("missing", ["_name", "_folder"])
def test_nothing_is_exported_without_a_name_or_a_folder(dialog, qtbot, missing):
    getattr(dialog, missing).setText("  ")
    with qtbot.assertNotEmitted(dialog.export_requested, wait=20):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert not dialog._main.isEnabled()


def test_nothing_is_exported_before_the_files_are_known(dialog):
    dialog.set_unknown_files()
    assert not dialog._main.isEnabled()
    dialog.set_files(FILES, (), None)
    assert dialog._main.isEnabled()


def test_replacing_is_asked_with_the_names_and_enter_keeps_the_files(dialog, qtbot):
    existing = ("anna.obj", "anna.jpg")
    dialog.set_files(FILES, existing, None)
    assert dialog._files.topLevelItem(0).text(2) == "replaces a file"
    with qtbot.assertNotEmitted(dialog.export_requested, wait=20):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
        assert dialog._message.text() == "2 of these files exist already. Replace them?"
        assert dialog._hint.text() == "anna.obj, anna.jpg"
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert dialog._state == "edit"
    dialog._main.click()
    with qtbot.waitSignal(dialog.export_requested) as agreed:
        dialog._main.click()
    assert agreed.args == [existing]


def test_many_existing_files_are_cut_short(dialog):
    dialog.ask_to_replace([f"shape{number}.obj" for number in range(52)])
    assert dialog._hint.text().endswith("shape5.obj and 46 more")


def test_running_export_shows_progress_and_escape_stops_it(dialog, qtbot):
    dialog.set_progress(Progress("Writing anna.obj", 0.25))
    assert dialog._message.text() == "Writing anna.obj"
    assert dialog._bar.value() == 250
    assert not dialog._form.isEnabled()
    with qtbot.waitSignal(dialog.cancel_requested):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    dialog.set_progress(Progress("Writing anna.obj", 0.3))  # still on the way
    assert not dialog._back.isEnabled()
    dialog.show_cancelled()
    assert "nothing was written" in dialog._message.text()
    assert dialog._form.isEnabled()


def test_closing_while_running_stops_the_export(dialog, qtbot):
    dialog.set_progress(Progress("Writing anna.obj", 0.25))
    with qtbot.waitSignals([dialog.cancel_requested, dialog.finished]):
        dialog.close()


def test_end_offers_the_folder_and_ok(dialog, qtbot):
    dialog.show_done(3, Path("/faces"))
    assert dialog._message.text() == "Exported 3 files."
    with qtbot.waitSignal(dialog.show_requested):
        dialog._show.click()
    with qtbot.waitSignal(dialog.accepted):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)


def test_error_stays_in_the_dialog_until_something_changes(dialog):
    dialog.set_progress(Progress("Writing", 0.1))
    dialog.show_error("The folder is gone.", "Choose another one.")
    assert (dialog._message.text(), dialog._hint.text()) == ("The folder is gone.", "Choose another one.")
    assert dialog._main.isEnabled()
    dialog._name.setText("bert")
    assert not dialog._message.isVisibleTo(dialog)


def test_tab_goes_from_top_to_bottom_and_every_control_explains_itself(dialog):
    order = [dialog._folder, dialog._name, dialog._mesh, dialog._subdivisions, dialog._expression]
    order += [dialog._texture, dialog._maps, dialog._units, dialog._files, dialog._back, dialog._main]
    chain, widget = [], dialog
    for _ in range(60):
        widget = widget.nextInFocusChain()
        if widget in order and widget not in chain:
            chain.append(widget)
    start = chain.index(dialog._folder)
    assert chain[start:] + chain[:start] == order
    assert all(widget.toolTip() for widget in order)
    assert all(label.buddy() for label in dialog._form.findChildren(QLabel) if "&" in label.text())


def test_detail_strength_matters_where_the_files_hold_detail(dialog, qtbot):
    assert not dialog._strength.isEnabled()  # a smooth mesh without maps
    dialog._mesh.setCurrentIndex(dialog._mesh.findData("displaced"))
    assert dialog._strength.isEnabled()
    dialog._mesh.setCurrentIndex(dialog._mesh.findData("base"))
    dialog._maps.setCurrentIndex(dialog._maps.findData("static"))
    assert dialog._strength.isEnabled()
    with qtbot.waitSignal(dialog.changed):
        dialog._strength.setValue(160)
    assert dialog.options().detail_strength == 1.6


def choose(combo, value):
    combo.setCurrentIndex(combo.findData(value))


def test_a_detailed_mesh_is_fine_enough_for_the_detail(dialog):
    choose(dialog._mesh, "displaced")
    assert dialog.options().subdivisions == 2
    assert not dialog._coarse.isVisible()
    choose(dialog._mesh, "base")
    dialog._subdivisions.setCurrentIndex(3)
    choose(dialog._mesh, "displaced")
    assert dialog.options().subdivisions == 3, "finer than needed is the user's own choice"


def test_a_detailed_mesh_made_coarse_by_hand_is_said(dialog, tmp_path):
    choose(dialog._mesh, "displaced")
    dialog._subdivisions.setCurrentIndex(1)
    assert dialog.options().subdivisions == 1
    assert dialog._coarse.isVisible()
    assert dialog._coarse.height() < 2 * dialog._coarse.fontMetrics().height(), "one line"
    choose(dialog._mesh, "base")
    assert not dialog._coarse.isVisible()
    dialog.set_choices(ExportOptions("displaced", 0), tmp_path, "anna")  # as remembered
    assert dialog._coarse.isVisible()
