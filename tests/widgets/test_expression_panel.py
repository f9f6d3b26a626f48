from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QSpinBox, QToolButton

from engine.expressions import KEY_NAMES, REGIONS, SHAPE_INDEX, SHAPE_NAMES
from widgets.expression_panel import ExpressionPanel, readable_key, readable_name
from widgets.expression_tips import KEY_TIPS, SHAPE_TIPS


@pytest.fixture
def panel(qtbot):
    panel = ExpressionPanel()
    qtbot.addWidget(panel)
    panel.resize(360, 900)
    panel.show()
    return panel


def test_user_edit_is_reported_and_echo_is_not(panel, qtbot):
    with qtbot.waitSignal(panel.weight_edited) as edit:
        panel.slider(1).setValue(40)
    assert edit.args == [1, 0.4]
    with qtbot.assertNotEmitted(panel.weight_edited):
        panel.set_weights(np.linspace(0, 1, 51))
    assert [panel.slider(i).value() for i in (0, 25, 50)] == [0, 50, 100]


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("mouthSmileLeft", "Mouth smile · left"),
        ("browInnerUp", "Brow inner up"),
        ("jawLeft", "Jaw left"),
        ("mouthRight", "Mouth right"),
        ("eyeLookInRight", "Eye look in · right"),
    ],
)
def test_readable_names(name, readable):
    assert readable_name(name) == readable


def test_every_shape_has_a_row_under_its_region(panel):
    titles = {label.text() for label in panel.findChildren(QLabel)}
    assert {readable_name(name) for name in SHAPE_NAMES} <= titles
    assert set(REGIONS) <= titles
    assert len({readable_name(name) for name in SHAPE_NAMES}) == 51


def test_number_follows_slider_and_edits_it(panel, qtbot):
    row = panel.slider(4).parentWidget()
    number = row.findChild(QSpinBox)
    panel.slider(4).setValue(35)
    assert number.value() == 35
    with qtbot.waitSignal(panel.weight_edited) as edit:
        number.setValue(60)
    assert edit.args == [4, 0.6]
    assert number.lineEdit().width() > number.fontMetrics().horizontalAdvance("100 %")


def test_double_click_on_the_name_resets(panel, qtbot):
    jaw = SHAPE_INDEX["jawOpen"]
    panel.slider(jaw).setValue(80)
    label = panel.slider(jaw).parentWidget().findChild(QLabel)
    with qtbot.waitSignals([panel.weight_edited, panel.edit_finished]):
        qtbot.mouseDClick(label, Qt.MouseButton.LeftButton)
    assert panel.slider(jaw).value() == 0


def test_search_shows_what_matches_and_its_heading(panel, qtbot):
    search = panel._search
    qtbot.keyClicks(search, "smile left")
    shown = [name for i, name in enumerate(SHAPE_NAMES) if panel.slider(i).isVisible()]
    assert shown == ["mouthSmileLeft"]
    assert [region for region in REGIONS if panel._headings[region].isVisible()] == ["Mouth"]
    search.setText("BrowsU_C")  # FaceScape's name is found too
    assert [name for i, name in enumerate(SHAPE_NAMES) if panel.slider(i).isVisible()] == ["browInnerUp"]
    search.setText("nothing like this")
    assert panel._nothing_found.isVisible()
    search.clear()
    assert all(panel.slider(i).isVisibleTo(panel) for i in range(51))


@pytest.mark.parametrize("key", [0, 1, 19])
def test_preset_buttons_name_their_key(panel, qtbot, key):
    chip = next(b for b in panel.findChildren(QToolButton) if b.text() == readable_key(KEY_NAMES[key]))
    with qtbot.waitSignal(panel.preset_chosen) as chosen:
        qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert chosen.args == [key]


def test_buttons_report(panel, qtbot):
    buttons = {button.text(): button for button in panel.findChildren(QPushButton)}
    with qtbot.waitSignal(panel.reset_requested):
        buttons["Reset"].click()
    with qtbot.waitSignal(panel.photo_expression_requested):
        buttons["Photo's expression"].click()
    with qtbot.waitSignal(panel.symmetry_toggled) as toggled:
        panel._symmetric.click()
    assert toggled.args == [False]


def test_keyboard_moves_a_slider_and_tab_goes_to_the_next(panel, qtbot):
    # The last of one group and the first of the next: far apart in the order of the shapes.
    first, second = (panel.slider(SHAPE_INDEX[name]) for name in ("browOuterUpRight", "eyeBlinkLeft"))
    first.setFocus()
    with qtbot.waitSignals([panel.weight_edited, panel.edit_finished]):
        qtbot.keyClick(first, Qt.Key.Key_PageUp)
    assert first.value() == 10
    qtbot.keyClick(first, Qt.Key.Key_Tab)
    assert panel.focusWidget() is second


def test_wheel_over_a_slider_does_not_move_it(panel):
    slider = panel.slider(0)
    turn = QWheelEvent(
        QPointF(5, 5),
        slider.mapToGlobal(QPointF(5, 5)),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    slider.setValue(50)
    QApplication.sendEvent(slider, turn)
    assert slider.value() == 50


def test_every_slider_has_a_name_for_screen_readers_and_both_names_as_tooltip(panel):
    label = panel.slider(SHAPE_INDEX["mouthPucker"]).parentWidget().findChild(QLabel)
    assert "mouthPucker" in label.toolTip()
    assert "LipsPucker" in label.toolTip()
    assert all(panel.slider(i).accessibleName() for i in range(51))


def test_every_preset_says_in_one_line_what_it_is(panel):
    tips = [chip.toolTip() for chip in panel.findChildren(QToolButton, "chip")]
    assert len(tips) == len(set(tips)) == len(KEY_NAMES)
    assert all(tip and "\n" not in tip and not tip.endswith(".") for tip in tips)
    assert set(KEY_TIPS) == set(KEY_NAMES)


def test_closing_the_lips_says_that_it_wants_an_open_jaw(panel):
    tips = {i: panel.slider(i).parentWidget().findChild(QLabel).toolTip() for i in range(51)}
    assert "raise 'Jaw open' with it" in tips.pop(SHAPE_INDEX["mouthClose"])
    assert not any("with it" in tip for tip in tips.values())
    assert set(SHAPE_TIPS) <= set(SHAPE_NAMES)


def test_the_narrowest_panel_is_still_of_use(panel):
    panel.resize(1, 900)
    panel.set_weights(np.full(51, 0.08))
    QApplication.processEvents()
    assert panel.width() == panel.minimumSizeHint().width()
    chips = panel.findChildren(QToolButton, "chip")
    assert all(chip.width() >= chip.sizeHint().width() for chip in chips)
    for slider in (panel.slider(i) for i in range(51)):
        row = slider.parentWidget()
        label, number = row.findChild(QLabel), row.findChild(QSpinBox)
        assert label.width() >= label.sizeHint().width(), label.text()
        assert slider.width() >= 60
        assert number.text() == "8 %"
        inside = row.visibleRegion().boundingRect() if not row.visibleRegion().isEmpty() else row.rect()
        assert inside.right() >= number.geometry().right(), "nothing is cut off"
