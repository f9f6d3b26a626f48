"""A dialog that asks, then shows long work, then says how it ended; the ways through it are the same everywhere."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTreeWidget,
    QWidget,
)

from engine.types import Progress

_STEPS = 1000
_ERROR_COLOUR = "#ef7f76"


class WorkDialog(QDialog):
    """Progress bar, message and hint, the buttons back and on; ``_state`` is 'edit', 'confirm', a work or 'done'."""

    cancel_requested = Signal()

    _working: tuple[str, ...] = ("running",)
    """States in which closing stops something."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = "edit"
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setTextVisible(False)
        self._message, self._hint = QLabel(), QLabel()
        self._hint.setObjectName("muted")
        for label in (self._message, self._hint):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self._back = button("&Cancel", "Escape does the same", self._on_back)

    def show_error(self, message: str, hint: str) -> None:
        """Say what went wrong; the choices can be changed and tried again."""
        self._enter("edit")
        self._say(message, hint, _ERROR_COLOUR)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape goes one step back before it closes the dialog."""
        if event.key() == Qt.Key.Key_Escape and self._state in ("confirm", "running"):
            self._on_back()
        else:
            super().keyPressEvent(event)

    def reject(self) -> None:
        """Closing while something runs stops it first."""
        if self._state in self._working:
            self.cancel_requested.emit()
        super().reject()

    def _enter(self, state: str) -> None:
        raise NotImplementedError

    def _on_back(self) -> None:
        if self._state == "confirm":
            self._enter("edit")
        elif self._state == "running":
            self._back.setEnabled(False)
            self._back.setText("Stopping…")
            self.cancel_requested.emit()
        else:
            self.reject()

    def _show_progress(self, state: str, progress: Progress) -> None:
        if self._state != state:
            self._enter(state)
        self._bar.setValue(round(_STEPS * progress.fraction))
        self._say(progress.stage)

    def _say(self, message: str, hint: str = "", colour: str = "") -> None:
        for label, text in ((self._message, message), (self._hint, hint)):
            label.setText(text)
            label.setVisible(bool(text))
        self._message.setStyleSheet(f"color: {colour};" if colour else "")


def button(text: str, tip: str, act: Callable[[], object]) -> QPushButton:
    """A button that Enter presses only where it is the default."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setAutoDefault(False)
    made.clicked.connect(lambda: act())
    return made


def file_table(headers: list[str], fitted: tuple[int, ...]) -> QTreeWidget:
    """A flat table of files that are only looked at; the ``fitted`` columns are as wide as what they hold."""
    table = QTreeWidget()
    table.setAccessibleName("Files")
    table.setRootIsDecorated(False)
    table.setUniformRowHeights(True)
    table.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
    table.setHeaderLabels(headers)
    for column in fitted:
        table.header().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    return table
