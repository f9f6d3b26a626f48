"""What the pinned Qt binding must keep to, whatever its version."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

CALLS = 200  # a faulty binding uses up no more than it takes to be seen


@pytest.mark.parametrize("singleton", [None, True, False])
def test_calls_do_not_use_up_the_references_of_a_singleton(qtbot, singleton):
    """A version that lost one in every call made Python 3.11 abort after some minutes of work in the window."""
    widget = QWidget()
    qtbot.addWidget(widget)
    other = QObject()
    before = sys.getrefcount(singleton)
    for _ in range(CALLS):
        widget.update()
        widget.parent()
        widget.isVisible()
        other.blockSignals(False)
    assert abs(sys.getrefcount(singleton) - before) < CALLS // 2
