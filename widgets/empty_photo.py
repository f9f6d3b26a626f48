"""The photo panel before there is a photo."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from widgets.style import MARGIN_PX


class EmptyPhoto(QWidget):
    """Says what to do, with a button for it."""

    open_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        text = QLabel("Drop a photo of a face here")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text.setWordWrap(True)
        button = QPushButton("&Open photo…")
        button.setObjectName("open")
        button.setToolTip("Choose a photo from your disk")
        button.clicked.connect(self.open_requested)
        layout = QVBoxLayout(self)
        layout.setSpacing(MARGIN_PX)
        layout.addStretch()
        layout.addWidget(text)
        layout.addWidget(button, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addStretch()
