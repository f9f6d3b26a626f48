from __future__ import annotations

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QPushButton

from widgets.style import ACCENT, PANEL, apply_style


@pytest.mark.parametrize("enabled", [True, False])
def test_the_main_button_shows_whether_it_can_be_pressed(qapp, qtbot, enabled):
    assert isinstance(qapp, QApplication)
    apply_style(qapp)
    button = QPushButton("Import")
    qtbot.addWidget(button)
    button.setDefault(True)
    button.setEnabled(enabled)
    button.show()
    picture = button.grab().toImage()
    assert picture.pixelColor(5, picture.height() // 2) == QColor(ACCENT if enabled else PANEL)
