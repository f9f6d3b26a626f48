from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSlider, QWidget

from widgets.fade_bar import FadeBar


@pytest.fixture
def bar(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.resize(700, 400)
    legend = QLabel("legend", parent)
    legend.setGeometry(10, 350, 300, 40)
    legend.hide()
    bar = FadeBar(parent, legend)
    parent.show()
    bar.legend, bar.view = legend, parent
    return bar


def slider(bar: FadeBar) -> QSlider:
    return bar.findChild(QSlider)


def test_it_shows_a_fade_silently_and_reports_the_users(bar, qtbot):
    assert not bar.isVisible()
    with qtbot.assertNotEmitted(bar.fade_edited):
        bar.set_fade(0.3)
    assert bar.isVisible()
    assert slider(bar).value() == 30
    slider(bar).setFocus()
    with qtbot.waitSignal(bar.fade_edited) as edit:
        qtbot.keyClick(slider(bar), Qt.Key.Key_Right)
    assert edit.args == [0.31]
    bar.set_fade(None)
    assert not bar.isVisible()


def test_it_is_reached_with_the_keyboard_and_says_what_it_is(bar):
    assert slider(bar).focusPolicy() & Qt.FocusPolicy.TabFocus
    assert slider(bar).accessibleName()
    assert "photo" in bar.toolTip()
    assert [label.text() for label in bar.findChildren(QLabel)] == ["Face", "Photo"]


def test_it_lies_at_the_lower_edge_and_above_the_legend(bar, qtbot):
    bar.set_fade(0.0)
    for width in (700, 160):
        bar.view.resize(width, 400)
        bar.place()
        assert bar.view.rect().contains(bar.geometry())
        assert bar.geometry().bottom() > 380
        assert abs(bar.geometry().center().x() - width / 2) <= 1
    bar.legend.show()
    assert bar.geometry().bottom() < bar.legend.y()
    bar.legend.move(10, 320)
    assert bar.geometry().bottom() < 320
    bar.legend.hide()
    assert bar.geometry().bottom() > 380
