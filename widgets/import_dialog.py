"""Import of FaceScape's files: which folders, what was found in them, progress, how it ended; and removal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QBrush, QColor, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.types import Progress
from widgets.style import GAP_PX, MARGIN_PX, MUTED, TEXT
from widgets.work_dialog import WorkDialog, button, file_table

STATUS_COLOURS = {"found": "#7cc48a", "missing": "#e8b04a", "wrong": "#ef7f76", "optional": MUTED, "not needed": MUTED}
"""'optional' is a missing file that the model does without."""
_LIST_HEIGHT_PX = 74
_STATUS, _LICENCE, _DETAIL = 1, 2, 3  # columns after the file's name


@dataclass(frozen=True, slots=True)
class FileRow:
    """One line of the table."""

    name: str
    status: str
    """A key of ``STATUS_COLOURS``."""
    detail: str
    """Where it is, where to get it, or what is wrong with it: the tool tip has all of it."""
    purpose: str
    licence: str
    """Its name, a colon, and what it allows and forbids."""


class ImportDialog(WorkDialog):
    """Asks and shows; the controller answers ``folders_changed`` with ``set_rows`` and does the importing."""

    folders_changed = Signal(tuple)  # of Paths
    import_requested = Signal()
    remove_requested = Signal()

    _working = ("running", "searching")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import FaceScape")
        self.setAcceptDrops(True)
        self._ready = False
        self._installed = ""
        self._build_folders()
        self._build_table()
        self._build_notes()
        self._build_buttons()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        layout.setSpacing(GAP_PX)
        for widget in (self._intro, self._folder_area):
            layout.addWidget(widget)
        layout.addWidget(self._table, 1)
        for widget in (self._summary, self._licence, self._bar, self._message, self._hint):
            layout.addWidget(widget)
        layout.addLayout(self._buttons)
        self.resize(900, 620)
        self._enter("edit")

    def folders(self) -> tuple[Path, ...]:
        """The folders to search."""
        return tuple(Path(self._folders.item(row).text()) for row in range(self._folders.count()))

    def set_folders(self, folders: Sequence[Path]) -> None:
        """Show these folders, silently."""
        self._folders.clear()
        self._folders.addItems([str(folder) for folder in folders])
        self._update_buttons()

    def set_rows(self, rows: Sequence[FileRow], summary: str, *, ready: bool) -> None:
        """Show what was found.

        Args:
            rows: one per file.
            summary: all of it in a sentence.
            ready: whether it can be imported.
        """
        self._ready = ready
        self._table.clear()
        for row in rows:
            item = QTreeWidgetItem([row.name, row.status.capitalize(), row.licence.partition(":")[0], row.detail])
            item.setForeground(_STATUS, QBrush(QColor(STATUS_COLOURS[row.status])))
            item.setForeground(_LICENCE, QBrush(QColor(MUTED)))
            item.setForeground(_DETAIL, QBrush(QColor(TEXT if row.status == "wrong" else MUTED)))
            tip = f"{row.name}: {row.purpose}.\n{row.detail}\n{row.licence}"
            for column in range(self._table.columnCount()):
                item.setToolTip(column, tip)
            self._table.addTopLevelItem(item)
        self._summary.setText(summary)
        if self._state == "searching":
            self._enter("edit")
        self._update_buttons()

    def set_installed(self, text: str) -> None:
        """Say which pack is imported already; '' where there is none."""
        self._installed = text
        self._remove.setVisible(bool(text))
        self._update_buttons()

    def set_searching(self, progress: Progress) -> None:
        """Show the running search."""
        self._show_progress("searching", progress)

    def set_progress(self, progress: Progress) -> None:
        """Show the running import."""
        self._show_progress("running", progress)

    def show_cancelled(self) -> None:
        """Back to the folders; nothing was imported."""
        self._enter("edit")
        self._say("Cancelled; nothing was imported.")

    def show_done(self, message: str, hint: str) -> None:
        """The pack is there."""
        self._enter("done")
        self._say(message, hint)

    def show_removed(self, message: str) -> None:
        """The pack is gone; it can be imported again."""
        self._enter("edit")
        self._say(message)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Folders may be dropped anywhere on the dialog."""
        if self._state in ("edit", "searching") and _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add the dropped folders."""
        self._add(_dropped(event))
        event.acceptProposedAction()

    def _build_folders(self) -> None:
        self._intro = QLabel(
            "Name the folders that hold FaceScape's files: the clone of the original's repository, the unzipped "
            "bilinear model, the checkpoints. They are searched with everything below them."
        )
        self._intro.setWordWrap(True)
        self._folders = QListWidget()
        self._folders.setAccessibleName("Folders")
        self._folders.setToolTip("Folders that are searched; more can be dropped here")
        self._folders.setFixedHeight(_LIST_HEIGHT_PX)
        self._folders.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self._folders.itemSelectionChanged.connect(self._update_buttons)
        self._add_button = button("&Add folder…", "Choose another folder to search", self._browse)
        self._drop_button = button("&Take off", "Take the selected folders off the list", self._take_off)
        column = QVBoxLayout()
        column.setSpacing(GAP_PX)
        column.addWidget(self._add_button)
        column.addWidget(self._drop_button)
        column.addStretch()
        self._folder_area = QWidget()
        row = QHBoxLayout(self._folder_area)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._folders, 1)
        row.addLayout(column)

    def _build_table(self) -> None:
        self._table = file_table(["File", "Status", "Licence", "Where, or why not"], (0, _STATUS, _LICENCE))
        self._table.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._table.header().setStretchLastSection(True)
        self._summary = QLabel()
        self._summary.setWordWrap(True)

    def _build_notes(self) -> None:
        self._licence = QLabel(
            "The model and the networks are FaceScape's: for non-commercial research only, and not to be passed on. They "
            "are converted into a folder of your own; nothing is copied into this program."
        )
        self._licence.setObjectName("muted")
        self._licence.setWordWrap(True)

    def _build_buttons(self) -> None:
        self._remove = button("&Remove pack…", "Delete the imported pack; your own files stay", self._on_remove)
        self._main = button("&Import", "Convert the files into the pack (Enter)", self._on_main)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(GAP_PX)
        self._buttons.addWidget(self._remove)
        self._buttons.addStretch()
        self._buttons.addWidget(self._back)
        self._buttons.addWidget(self._main)
        self._remove.setVisible(False)

    def _browse(self) -> None:
        last = self.folders()[-1] if self._folders.count() else Path.home()
        chosen = QFileDialog.getExistingDirectory(self, "Folder with FaceScape's files", str(last))
        if chosen:
            self._add([Path(chosen)])

    def _add(self, folders: Sequence[Path]) -> None:
        new = [folder for folder in folders if folder not in self.folders()]
        if new:
            self._folders.addItems([str(folder) for folder in new])
            self._announce()

    def _take_off(self) -> None:
        for item in self._folders.selectedItems():
            self._folders.takeItem(self._folders.row(item))
        self._announce()

    def _announce(self) -> None:
        self._ready = False
        self._say("")
        self._update_buttons()
        self.folders_changed.emit(self.folders())

    def _on_remove(self) -> None:
        self._enter("confirm")
        self._say("Remove the imported FaceScape pack?", f"{self._installed} Your own files are not touched.")

    def _on_main(self) -> None:
        if self._state == "done":
            self.accept()
        elif self._state == "confirm":
            self.remove_requested.emit()
        else:
            self.import_requested.emit()

    def _enter(self, state: str) -> None:
        self._state = state
        self._folder_area.setEnabled(state in ("edit", "searching"))
        self._bar.setVisible(state in ("running", "searching"))
        self._back.setVisible(state != "done")
        self._back.setEnabled(True)
        self._back.setText({"confirm": "&Keep it", "edit": "&Close", "searching": "&Close"}.get(state, "&Cancel"))
        self._main.setText({"confirm": "&Remove", "done": "&OK"}.get(state, "&Import"))
        self._say("", self._installed if state == "edit" else "")
        self._update_buttons()

    def _update_buttons(self) -> None:
        self._main.setEnabled(self._state in ("confirm", "done") or (self._state == "edit" and self._ready))
        # Removing wants a deliberate choice: there Enter keeps the pack.
        use_main = self._main.isEnabled() and self._state != "confirm"
        (self._main if use_main else self._back).setDefault(True)
        self._drop_button.setEnabled(bool(self._folders.selectedItems()))
        self._remove.setEnabled(self._state == "edit")
        if self._state == "edit" and not self._message.text():
            self._say("", self._installed)


def _dropped(event: QDropEvent) -> list[Path]:
    """Folders and files of this computer among what is dragged."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
