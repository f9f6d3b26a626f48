"""The running work in the status line: stage, fraction, Cancel."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from engine.types import Progress
from widgets.style import GAP_PX

_STEPS = 1000
_BAR_WIDTH_PX = 180
_LEAST_MS = 100  # between two reports: on software OpenGL each one puts the whole window together again


class WorkBar(QWidget):
    """Visible only while something runs."""

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stage = QLabel()
        self._bar = QProgressBar(maximum=_STEPS, textVisible=False)
        self._bar.setFixedWidth(_BAR_WIDTH_PX)
        self._bar.setAccessibleName("Progress")
        self._cancel = QPushButton("Cancel")
        self._cancel.setToolTip("Stop this; what is shown stays as it is")
        self._cancel.clicked.connect(self.cancel_requested)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.setSpacing(GAP_PX)
        layout.addWidget(self._stage)
        layout.addWidget(self._bar)
        layout.addWidget(self._cancel)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._newest: Progress | None = None
        self._due = QTimer(self, singleShot=True, interval=_LEAST_MS)
        self._due.timeout.connect(self._show_newest)
        self.hide()

    def set_progress(self, progress: Progress | None) -> None:
        """Show the stage and how far the work is; None hides all."""
        self._newest = progress
        if progress is None or self.isHidden():
            self._due.stop()
            self._show_newest()
        elif not self._due.isActive():
            self._due.start()

    @Slot()
    def _show_newest(self) -> None:
        self.setVisible(self._newest is not None)
        if self._newest is not None:
            self._stage.setText(self._newest.stage)
            self._bar.setValue(round(_STEPS * self._newest.fraction))
