"""The running work in the status line: stage, fraction, Cancel."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from engine.types import Progress
from widgets.style import GAP_PX

_STEPS = 1000
_BAR_WIDTH_PX = 180


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
        self.hide()

    def set_progress(self, progress: Progress | None) -> None:
        """Show the stage and how far the work is; None hides all."""
        self.setVisible(progress is not None)
        if progress is not None:
            self._stage.setText(progress.stage)
            self._bar.setValue(round(_STEPS * progress.fraction))
