"""The docks give way to a narrow window and come back; the real window on a real display."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

pytestmark = pytest.mark.gl
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SIDES = ("photo", "expressions")


def widths(window) -> list[int]:
    return [window.docks[name].width() for name in SIDES]


def resize(window, qtbot, width: int) -> None:
    """Give the window another width, or the least that it takes."""
    window.resize(width, window.height())
    expected = max(width, window.minimumSizeHint().width())
    qtbot.waitUntil(lambda: window.width() == expected)
    qtbot.wait(50)


def drag_edge(window, qtbot, dock, by: int) -> None:
    """Draw the edge between a dock on the right and the viewport, through the window system as a hand does."""
    handle = window.windowHandle()
    start = dock.mapTo(window, QPoint(-2, dock.height() // 2))
    QTest.mouseMove(handle, start)
    QTest.mousePress(handle, LEFT, NONE, start)
    for step in (by // 2, by):
        QTest.mouseMove(handle, start + QPoint(step, 0))
        qtbot.wait(30)
    QTest.mouseRelease(handle, LEFT, NONE, start + QPoint(by, 0))
    qtbot.wait(50)


def test_docks_come_back_when_the_window_is_wide_again(window, qtbot):
    before = widths(window)
    resize(window, qtbot, 760)
    narrow = widths(window)
    assert all(now < then for now, then in zip(narrow, before, strict=True))
    for width in (900, 960, 1360):  # also step by step, as a hand draws the window's edge
        resize(window, qtbot, width)
    assert widths(window) == before
    assert window.viewport.width() > 600


def test_a_width_that_the_user_gave_comes_back(window, qtbot):
    drag_edge(window, qtbot, window.docks["expressions"], -70)
    wide = widths(window)
    assert wide[1] == pytest.approx(420, abs=5)
    resize(window, qtbot, 760)
    assert window.docks["expressions"].width() < 400
    resize(window, qtbot, 1360)
    assert widths(window) == wide


def test_a_window_that_stays_wide_enough_moves_no_dock(window, qtbot):
    before = widths(window)
    for width in (1200, 1500):
        resize(window, qtbot, width)
        assert widths(window) == before


def test_the_panel_of_the_expressions_is_whole_in_the_narrowest_window(window, qtbot):
    resize(window, qtbot, 300)
    panel = window.expression_panel
    assert panel.width() >= panel.minimumSizeHint().width()
    assert panel.slider(0).width() >= 60
