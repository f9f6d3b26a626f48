from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QPushButton, QSlider

from engine.types import ViewOptions
from widgets.view_panel import BACKGROUNDS, LOOKS, ViewPanel


@pytest.fixture
def panel(qtbot):
    panel = ViewPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


def button(panel, text):
    return next(b for b in panel.findChildren(QPushButton) if text in (b.text(), b.accessibleName()))


@pytest.mark.parametrize(("look", "title"), [(look, title) for look, title, _ in LOOKS])
def test_looks(panel, qtbot, look, title):
    with qtbot.waitSignal(panel.view_edited) as edit:
        qtbot.mouseClick(button(panel, title), Qt.MouseButton.LeftButton)
    assert edit.args[0].look == look
    assert button(panel, title).isChecked()


def test_an_edit_keeps_everything_else(panel, qtbot):
    start = ViewOptions(look="clay", detail_strength=0.3, light_azimuth_deg=50.0)
    panel.set_view(start)
    with qtbot.waitSignal(panel.view_edited) as edit:
        next(box for box in panel.findChildren(QCheckBox) if box.text() == "Wireframe").click()
    view = edit.args[0]
    assert (view.look, view.detail_strength, view.light_azimuth_deg, view.wireframe) == ("clay", 0.3, 50.0, True)


def test_set_view_is_silent_and_shows_all(panel, qtbot):
    with qtbot.assertNotEmitted(panel.view_edited):
        panel.set_view(ViewOptions("map", True, 1.0, 90.0, -20.0, True, BACKGROUNDS[3][1]))
    assert button(panel, "Relief").isChecked()
    assert button(panel, "Background white").isChecked()
    assert [slider.value() for slider in panel.findChildren(QSlider)] == [90, -20]
    assert all(box.isChecked() for box in panel.findChildren(QCheckBox))


def test_light_and_background(panel, qtbot):
    azimuth, elevation = panel.findChildren(QSlider)
    with qtbot.waitSignal(panel.view_edited) as edit:
        azimuth.setValue(120)
    assert edit.args[0].light_azimuth_deg == 120.0
    with qtbot.waitSignal(panel.view_edited) as edit:
        elevation.setValue(-45)
    assert (edit.args[0].light_azimuth_deg, edit.args[0].light_elevation_deg) == (120.0, -45.0)
    with qtbot.waitSignal(panel.view_edited) as edit:
        button(panel, "Background black").click()
    assert edit.args[0].background == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("view", ["front", "three-quarter", "side", "reset"])
def test_camera_buttons(panel, qtbot, view):
    with qtbot.waitSignal(panel.camera_requested) as wish:
        button(panel, f"Camera {view}").click()
    assert wish.args == [view]
