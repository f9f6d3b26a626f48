"""Placing and dragging points, with real clicks and keys on the photo."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from widgets.photo_panel import PhotoPanel
from widgets.points_editor import CLICKS, FEWEST_CLICKS, FINE_STEP_PX, STEP_PX

LEFT, NONE, SHIFT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def panel(qtbot):
    panel = PhotoPanel()
    qtbot.addWidget(panel)
    panel.resize(700, 800)
    panel.show()
    qtbot.waitUntil(lambda: panel._view is not None, timeout=5000)
    panel.set_photo(np.full((200, 300, 3), 90, np.uint8))
    return panel


def on_screen(panel, x: float, y: float) -> QPoint:
    """Position in the view of landmark px."""
    return panel._view.mapFromScene(panel._view.getViewBox().mapViewToScene(QPointF(x + 0.5, y + 0.5)))


def settle(panel) -> None:
    """Give the view the size that the bar below leaves it."""
    panel.layout().activate()
    for _ in range(3):
        QApplication.processEvents()


def click(panel, x: float, y: float) -> None:
    settle(panel)
    QTest.mouseClick(panel._view.viewport(), LEFT, NONE, on_screen(panel, x, y))
    QTest.qWait(1)


def drag(panel, start: tuple[float, float], end: tuple[float, float]) -> None:
    settle(panel)
    port, a, b = panel._view.viewport(), on_screen(panel, *start), on_screen(panel, *end)
    QTest.mousePress(port, LEFT, NONE, a)
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(port, a + (b - a) * share)
        QTest.qWait(15)  # pyqtgraph leaves out moves that follow too fast
    QTest.mouseRelease(port, LEFT, NONE, b)


def press(panel, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
    QTest.keyClick(panel._view, key, modifiers)


def spots(count: int) -> np.ndarray:
    """(count, 2) landmark px, far from each other."""
    return np.stack([40 + 20 * np.arange(count), 60 + 50 * (np.arange(count) % 3)], -1).astype(np.float32)


def grid68() -> np.ndarray:
    return (
        np.stack(np.meshgrid(np.linspace(60, 240, 17), np.linspace(40, 160, 4)), -1).reshape(-1, 2).astype(np.float32)
    )


def near(panel) -> float:
    """Landmark px per screen px: how exact a click can be."""
    return 1.0 / panel._editor.item.screen_scale()


def test_each_click_asks_for_the_next_point_and_the_last_one_reports_them_all(panel, qtbot):
    panel.begin_clicks()
    assert panel._editor.isVisibleTo(panel)
    assert not panel._tools.isVisibleTo(panel)
    with qtbot.waitSignal(panel.clicks_placed) as placed:
        for (_, place), (x, y) in zip(CLICKS, spots(len(CLICKS)), strict=True):
            assert place in panel._editor._sentence.text()
            click(panel, x, y)
    clicks = placed.args[0]
    np.testing.assert_allclose(clicks[[index for index, _ in CLICKS]], spots(len(CLICKS)), atol=near(panel))
    assert np.isfinite(clicks).all(1).sum() == len(CLICKS)
    assert panel._editor.phase == "waiting"


def test_points_close_to_each_other_can_be_clicked(panel):
    panel.begin_clicks()
    for x in (100, 101, 102):
        click(panel, x, 80)
    np.testing.assert_allclose(panel._editor.item.points[:, 0] - 0.5, (100, 101, 102), atol=near(panel))


def test_skip_fill_in_the_rest_and_undo(panel, qtbot):
    editor = panel._editor
    panel.begin_clicks()
    assert not editor._undo_button.isEnabled()
    editor._skip.click()
    assert CLICKS[1][1] in editor._sentence.text()
    for x, y in spots(FEWEST_CLICKS):
        assert not editor._fill.isEnabled()
        click(panel, x, y)
    editor._undo_button.click()
    assert not editor._fill.isEnabled()
    press(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(editor.item.points) == FEWEST_CLICKS - 2
    for x, y in spots(FEWEST_CLICKS)[-2:]:
        click(panel, x, y)
    with qtbot.waitSignal(panel.clicks_placed) as placed:
        QTest.mouseClick(editor._fill, LEFT)
    known = np.flatnonzero(np.isfinite(placed.args[0]).all(1))
    assert sorted(known) == sorted(index for index, _ in CLICKS[1 : 1 + FEWEST_CLICKS])


def test_so_many_points_cannot_be_skipped_that_too_few_are_left(panel):
    panel.begin_clicks()
    for _ in range(len(CLICKS)):
        panel._editor._skip.click()
    assert len(CLICKS) - panel._editor._next == FEWEST_CLICKS


def test_a_placed_point_can_be_dragged_to_a_better_place(panel):
    panel.begin_clicks()
    click(panel, 100, 80)
    drag(panel, (100, 80), (130, 95))
    np.testing.assert_allclose(panel._editor.item.points - 0.5, [(130, 95)], atol=2 * near(panel))
    assert CLICKS[1][1] in panel._editor._sentence.text()


def test_the_photo_can_be_moved_and_zoomed_between_clicks(panel):
    panel.begin_clicks()
    before = on_screen(panel, 150, 100)
    drag(panel, (150, 100), (170, 110))
    assert on_screen(panel, 150, 100) != before
    assert len(panel._editor.item.points) == 0
    box = panel._view.getViewBox()
    box.scaleBy((0.5, 0.5))
    click(panel, 150, 100)
    np.testing.assert_allclose(panel._editor.item.points - 0.5, [(150, 100)], atol=near(panel))


def test_clicks_by_keyboard(panel):
    panel.begin_clicks()
    press(panel, Qt.Key.Key_Right)
    press(panel, Qt.Key.Key_Down, SHIFT)
    press(panel, Qt.Key.Key_Space)
    middle = panel._view.getViewBox().viewRect().center()
    scale = panel._editor.item.screen_scale()
    expected = [(middle.x() + STEP_PX / scale, middle.y() + FINE_STEP_PX / scale)]
    np.testing.assert_allclose(panel._editor.item.points, expected, atol=1e-3)
    press(panel, Qt.Key.Key_Backspace)
    assert len(panel._editor.item.points) == 0


def test_points_are_dragged_undone_and_accepted(panel, qtbot):
    points = grid68()
    panel.begin_points(points)
    drag(panel, tuple(points[20]), tuple(points[20] + (6, -8)))
    drag(panel, tuple(points[67]), tuple(points[67] + (5, 9)))
    press(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    with qtbot.waitSignal(panel.points_accepted) as accepted:
        QTest.mouseClick(panel._editor._use, LEFT)
    shift = accepted.args[0] - points
    np.testing.assert_allclose(shift[20], (6, -8), atol=2 * near(panel))
    assert np.abs(np.delete(shift, 20, axis=0)).max() < 1e-3


def test_points_by_keyboard(panel, qtbot):
    points = grid68()
    panel.begin_points(points)
    first = panel._editor.item.chosen
    press(panel, Qt.Key.Key_PageDown)
    press(panel, Qt.Key.Key_PageUp)
    press(panel, Qt.Key.Key_PageUp)
    press(panel, Qt.Key.Key_Up)
    with qtbot.waitSignal(panel.points_accepted) as accepted:
        press(panel, Qt.Key.Key_Return)
    shift = accepted.args[0] - points
    assert panel._editor.item.chosen == first - 1
    np.testing.assert_allclose(shift[first - 1], (0, -STEP_PX * near(panel)), atol=1e-3)


def test_escape_cancels_from_the_photo_and_from_a_button(panel, qtbot):
    panel.begin_clicks()
    with qtbot.waitSignal(panel.editing_cancelled):
        press(panel, Qt.Key.Key_Escape)
    with qtbot.waitSignal(panel.editing_cancelled):
        QTest.keyClick(panel._editor._skip, Qt.Key.Key_Escape)
    with qtbot.waitSignal(panel.editing_cancelled):
        panel._editor._cancel.click()
    panel.end_editing()
    assert not panel.is_editing
    assert panel._tools.isVisibleTo(panel)
    assert panel._editor.item is None


def test_small_faces_are_shown_closer_for_dragging(panel):
    small = 100 + 0.1 * (grid68() - 100)
    panel.begin_points(small)
    height = on_screen(panel, 0, small[:, 1].max()).y() - on_screen(panel, 0, small[:, 1].min()).y()
    assert height > 0.35 * panel._view.height()
    panel._view.getViewBox().scaleBy((0.8, 0.8))
    closer = near(panel)
    panel.begin_points(small)
    assert near(panel) == closer  # where the user chose the view it stays


def test_every_control_says_what_it_does(panel):
    panel.begin_clicks()
    for button in (panel._editor._undo_button, panel._editor._skip, panel._editor._fill, panel._editor._cancel):
        assert button.toolTip()
    assert "Space" in panel._view.toolTip()
    panel.begin_points(grid68())
    assert "Page Up" in panel._view.toolTip()
