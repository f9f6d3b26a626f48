"""Import dialog -> search and conversion on the engine thread -> a pack that can be used; and its removal."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.engine_thread import EngineThread, Job, Lane
from engine.detail.map_cache import MapCache
from engine.detail.map_cache import default_folder as cache_folder
from engine.errors import AppError, ModelFileError
from engine.packs.facescape.convert import convert, remove
from engine.packs.facescape.data import default_folder, pack_files, read_info
from engine.packs.facescape.inventory import FOUND, MISSING, Finding, Inventory, inventory_steps
from engine.packs.facescape.inventory_report import PARTS, detail_of, summary_of
from engine.types import Progress
from widgets.import_dialog import FileRow, ImportDialog

_FOLDERS = "import/folders"
_SEARCH, _IMPORT, _REMOVE = "search", "import", "remove"

_log = logging.getLogger("detailed_face")


class ImportController(QObject):
    """Runs one import dialog at a time."""

    about_to_change = Signal()  # whoever uses the pack lets go of it on the engine thread, before Lane.EXPORT's turn
    imported = Signal(object)  # Path of the pack's folder
    removed = Signal()  # also where files of it could not be deleted: there is no pack any more

    def __init__(
        self,
        thread: EngineThread,
        window: QWidget | None = None,
        settings: QSettings | None = None,
        folder: Path | None = None,
        maps: MapCache | None = None,
    ) -> None:
        """``folder`` of the pack, and the stored maps made with it, are this user's own where both are None."""
        super().__init__(window)
        self._thread = thread
        self._window = window
        self._settings = settings if settings is not None else QSettings("detailed-face", "detailed-face")
        self._folder = folder if folder is not None else default_folder()
        self._maps = maps if maps is not None or folder is not None else MapCache(cache_folder("facescape"))
        self._dialog: ImportDialog | None = None
        self._job: Job | None = None
        self._work = _SEARCH  # what the job does
        self._inventory: Inventory | None = None

    @property
    def dialog(self) -> ImportDialog | None:
        """The open dialog, if any."""
        return self._dialog

    @Slot()
    def open_dialog(self) -> None:
        """Show the dialog; it starts with the folders of the last time."""
        if self._dialog is not None:
            return
        dialog = ImportDialog(self._window)
        dialog.folders_changed.connect(self._search)
        dialog.import_requested.connect(self._import)
        dialog.remove_requested.connect(self._remove)
        dialog.cancel_requested.connect(self._cancel)
        dialog.finished.connect(self._on_closed)
        self._dialog = dialog
        folders = self._remembered_folders()
        dialog.set_folders(folders)
        dialog.set_installed(installed_text(self._folder))
        self._search(folders)
        dialog.open()

    def _remembered_folders(self) -> tuple[Path, ...]:
        kept = self._settings.value(_FOLDERS, [])
        names = kept if isinstance(kept, list) else [kept]
        return tuple(path for path in (Path(str(name)) for name in names if name) if path.exists())

    @Slot(tuple)
    def _search(self, folders: Sequence[Path]) -> None:
        """Look through the folders beside the window; a newer search cancels an older one."""
        self._settings.setValue(_FOLDERS, [str(folder) for folder in folders])
        self._inventory = None
        self._submit(inventory_steps(folders), _SEARCH)
        if self._dialog is not None:
            self._dialog.set_searching(Progress("Searching the folders", 0.0))

    @Slot()
    def _import(self) -> None:
        if self._dialog is None or self._inventory is None:
            return
        self.about_to_change.emit()
        self._submit(convert(self._inventory, self._folder), _IMPORT)
        self._dialog.set_progress(Progress("Preparing", 0.0))

    def _submit(self, steps: Generator[Progress, None, object], work: str) -> None:
        self._work = work
        self._job = Job(steps, Lane.EXPORT)
        self._job.progressed.connect(self._on_progressed)
        self._job.finished.connect(self._on_finished)
        self._job.failed.connect(self._on_failed)
        self._job.cancelled.connect(self._on_cancelled)
        self._thread.submit(self._job)

    @Slot()
    def _remove(self) -> None:
        """Delete the pack and the maps made with it, once the engine thread has let go of it."""
        if self._dialog is None:
            return
        self.about_to_change.emit()
        self._dialog.set_progress(Progress("Removing the pack", 0.0))
        self._submit(_removal(self._folder, self._maps), _REMOVE)

    @Slot()
    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    @Slot(object)
    def _on_progressed(self, progress: Progress) -> None:
        if self.sender() is self._job and self._dialog is not None:
            (self._dialog.set_searching if self._work == _SEARCH else self._dialog.set_progress)(progress)

    @Slot(object)
    def _on_finished(self, result: object) -> None:
        if self.sender() is not self._job:
            return
        self._job = None
        if isinstance(result, Inventory):
            self._inventory = result
            self._show_inventory()
        elif isinstance(result, tuple):
            self._show_imported(result)
        else:
            if self._dialog is not None:
                self._dialog.set_installed("")
                self._dialog.show_removed("The FaceScape pack was removed.")
            self.removed.emit()

    def _show_inventory(self) -> None:
        if self._dialog is None or self._inventory is None:
            return
        inventory, text = self._inventory, summary_of(self._inventory)
        parts = optional_found(inventory) if inventory.model is None and installed_text(self._folder) else ()
        if parts:
            text += f" The imported model stays; {', '.join(parts)} can be imported into it."
        rows = [row_of(finding, inventory.folders) for finding in inventory.findings]
        ready = inventory.model is not None or bool(parts)
        self._dialog.set_rows(rows, " ".join((text, *inventory.notes)), ready=ready)

    def _show_imported(self, parts: Sequence[str]) -> None:
        if self._dialog is not None:
            words = [PARTS[part] for part in PARTS if part in parts]
            self._dialog.set_installed(installed_text(self._folder))
            self._dialog.show_done("Imported " + ", ".join(words) + ".", str(self._folder))
        self.imported.emit(self._folder)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        if self.sender() is not self._job:
            return
        self._job = None
        if not isinstance(error, AppError):
            _log.error("%s failed", self._work, exc_info=error)
            error = AppError("The import failed unexpectedly; nothing was imported.", "The log file has the details.")
        if self._dialog is not None:
            self._dialog.set_installed(installed_text(self._folder))
            self._dialog.show_error(str(error), error.hint)
        if self._work == _REMOVE:
            self.removed.emit()

    @Slot()
    def _on_cancelled(self) -> None:
        if self.sender() is self._job:
            self._job = None
            if self._dialog is not None:
                self._dialog.show_cancelled()

    @Slot()
    def _on_closed(self) -> None:
        if self._work != _REMOVE:  # which takes a moment, and whose end has to be known
            self._cancel()
            self._job = None
        if self._dialog is not None:
            self._dialog.deleteLater()
        self._dialog = self._inventory = None


def _removal(folder: Path, maps: MapCache | None) -> Generator[Progress, None, bool]:
    yield Progress("Removing the pack", 0.0)
    return remove(folder, maps)


def row_of(finding: Finding, folders: Sequence[Path]) -> FileRow:
    """One line of the dialog's table; paths are given from the searched folders on."""
    optional = finding.status == MISSING and not finding.spec.required
    return FileRow(
        name=finding.spec.name,
        status="optional" if optional else finding.status,
        detail=detail_of(finding, folders),
        purpose=finding.spec.purpose,
        licence=finding.spec.licence,
    )


def optional_found(inventory: Inventory) -> tuple[str, ...]:
    """Names of the networks and position maps that were found."""
    return tuple(f.spec.name for f in inventory.findings if f.status == FOUND and not f.spec.required)


def installed_text(folder: Path) -> str:
    """Which pack is imported in ``folder``, in a sentence; '' where there is none."""
    try:
        parts, info = pack_files(folder), read_info(folder)
    except ModelFileError:
        return ""
    extra = [PARTS[part].removeprefix("the ") for part in ("single", "rig", "position_maps") if part in parts]
    made = str(info.get("made", ""))[:10]
    return f"Imported on {made}: version {info.get('version', '?')}" + (f", with {', '.join(extra)}." if extra else ".")
