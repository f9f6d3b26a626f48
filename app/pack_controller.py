"""Which face model is in use: switched from the menu without a restart, with the import dialog beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from app.engine_service import EngineService
from app.engine_thread import EngineThread, Job, Lane

if TYPE_CHECKING:
    from app.import_controller import ImportController
    from engine.packs.pack import ModelPack

TITLES = {"open": "Open face model", "facescape": "FaceScape"}
_TIPS = {
    "open": "Comes with the program and needs no licence",
    "facescape": "The licensed model of the original program: the front of the face, open at eyes and mouth",
}


class PackController(QObject):
    """Keeps the menu, the engine's pack and the imported files in step."""

    changed = Signal(object)  # ModelPack now in use
    failed = Signal(object)  # Exception: the former pack stays

    def __init__(
        self, engine: EngineService, thread: EngineThread, window: QWidget, settings: QSettings | None = None
    ) -> None:
        super().__init__(window)
        self._engine = engine
        self._thread = thread
        self._window = window
        self._settings = settings
        self._job: Job | None = None
        self._imports: ImportController | None = None
        self.menu = QMenu("Face &Model", window)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.refresh)
        self._choices: dict[str, QAction] = {}
        group = QActionGroup(self)
        for name, title in TITLES.items():
            action = QAction(title, self, checkable=True)
            action.setToolTip(_TIPS[name])
            action.triggered.connect(lambda _checked=False, name=name: self.use(name))
            group.addAction(action)
            self.menu.addAction(action)
            self._choices[name] = action
        self.menu.addSeparator()
        self.menu.addAction("&Import FaceScape…", lambda: self.imports.open_dialog())

    @property
    def imports(self) -> ImportController:
        """The import dialog's controller, made when first asked for: the start of the window does without it."""
        if self._imports is None:
            from app.import_controller import ImportController

            self._imports = ImportController(self._thread, self._window, self._settings)
            self._imports.imported.connect(lambda _folder: self.use("facescape"))
            self._imports.removed.connect(self._on_removed)
        return self._imports

    @Slot()
    def refresh(self) -> None:
        """Show what is in use and what can be chosen."""
        from engine.packs.facescape.data import default_folder, is_imported

        self._choices[self._engine.pack_name].setChecked(True)
        in_use = self._engine.pack_name == "facescape"
        self._choices["facescape"].setEnabled(in_use or is_imported(default_folder()))

    @Slot(str)
    def use(self, name: str) -> None:
        """Load another pack on the engine thread; the one in use stays until that is done."""
        self._job = Job(self._engine.use_pack(name), Lane.WARM_UP)
        self._job.finished.connect(self._on_loaded)
        self._job.failed.connect(self._on_failed)
        self._thread.submit(self._job)

    @Slot(object)
    def _on_loaded(self, pack: ModelPack) -> None:
        self.refresh()
        self.changed.emit(pack)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self.refresh()
        self.failed.emit(error)

    @Slot()
    def _on_removed(self) -> None:
        if self._engine.pack_name == "facescape":
            self.use("open")
        self.refresh()
