"""Which face model is in use: switched from the menu without a restart, with the import dialog beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from app.engine_service import EngineService
from app.engine_thread import EngineThread, Job, Lane
from engine.packs.facescape.switches import DetailSwitches

if TYPE_CHECKING:
    from app.import_controller import ImportController
    from engine.packs.pack import ModelPack

TITLES = {"open": "Open face model", "facescape": "FaceScape"}
_TIPS = {
    "open": "Comes with the program and needs no licence",
    "facescape": "The licensed model of the original program: the front of the face, open at eyes and mouth",
}
_SWITCHES = {
    "preview": ("&Quick Preview of the Detail", "The networks see half the size: several times quicker, coarser"),
    "own_positions": (
        "Position Maps of This &Person",
        "For the maps of the expressions: of the fitted person, in place of the shipped ones, which are everybody's",
    ),
}
_SAID = {
    ("preview", True): "The detail is now a preview, made at half the size.",
    ("preview", False): "The detail is now made at full size.",
    ("own_positions", True): "The position maps are now this person's own.",
    ("own_positions", False): "The position maps are now the shipped ones.",
}
_REMOVED = "The FaceScape pack was removed. The open face model is in use now."


class PackController(QObject):
    """Keeps the menu, the engine's pack and the imported files in step."""

    changed = Signal(object)  # ModelPack now in use, or the same with other switches
    said = Signal(str)  # a sentence about that
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
        self._sentence = ""  # for the end of the job
        self._wanted: DetailSwitches | None = None  # by a job that is not done yet
        self._imports: ImportController | None = None
        if settings is not None and not engine.exact:
            kept = {name: str(settings.value(f"facescape/{name}", "false")).lower() == "true" for name in _SWITCHES}
            chosen = {name: value or getattr(engine.switches, name) for name, value in kept.items()}
            engine.switches = DetailSwitches(**chosen)
        self.menu = QMenu("Face &Model", window)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.refresh)
        self._choices: dict[str, QAction] = {}
        self._switches: dict[str, QAction] = {}
        self._fill_menu()

    def _fill_menu(self) -> None:
        group = QActionGroup(self)
        for name, title in TITLES.items():
            action = QAction(title, self, checkable=True)
            action.setToolTip(_TIPS[name])
            action.triggered.connect(lambda _checked=False, name=name: self.use(name))
            group.addAction(action)
            self.menu.addAction(action)
            self._choices[name] = action
        self.menu.addSeparator()
        for name, (title, tip) in _SWITCHES.items():
            action = QAction(title, self, checkable=True)
            action.setToolTip(tip)
            action.triggered.connect(lambda on, name=name: self._switch(name, on))
            self.menu.addAction(action)
            self._switches[name] = action
        self.menu.addSeparator()
        self.menu.addAction("&Import FaceScape…", lambda: self.imports.open_dialog())

    @property
    def imports(self) -> ImportController:
        """The import dialog's controller, made when first asked for: the start of the window does without it."""
        if self._imports is None:
            from app.import_controller import ImportController

            self._imports = ImportController(self._thread, self._window, self._settings)
            self._imports.about_to_change.connect(self._let_go)
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
        offered = _offered(default_folder()) if in_use and not self._engine.exact else DetailSwitches()
        shown = self._wanted or self._engine.switches
        for name, action in self._switches.items():
            action.setEnabled(getattr(offered, name))
            action.setChecked(getattr(shown, name))

    @Slot(str)
    def use(self, name: str) -> None:
        """Load another pack on the engine thread; the one in use stays until that is done."""
        self._load(name, None, f"The face model is now {TITLES[name]}.")

    def _switch(self, name: str, on: bool) -> None:
        """Let the networks make the maps in another way."""
        if self._settings is not None:
            self._settings.setValue(f"facescape/{name}", on)
        chosen = {name: action.isChecked() for name, action in self._switches.items()}
        self._load(self._engine.pack_name, DetailSwitches(**chosen), _SAID[name, on])

    def _load(self, name: str, switches: DetailSwitches | None, sentence: str) -> None:
        self._sentence, self._wanted = sentence, switches
        self._job = Job(self._engine.use_pack(name, switches), Lane.WARM_UP)
        self._job.finished.connect(self._on_loaded)
        self._job.failed.connect(self._on_failed)
        self._job.cancelled.connect(self._on_ended)
        self._thread.submit(self._job)

    @Slot()
    def _on_ended(self) -> None:
        if self.sender() is self._job:  # not one that another took the place of
            self._wanted = None
        self.refresh()

    @Slot(object)
    def _on_loaded(self, pack: ModelPack) -> None:
        self._on_ended()
        self.changed.emit(pack)
        self.said.emit(self._sentence)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self._on_ended()
        self.failed.emit(error)

    @Slot()
    def _let_go(self) -> None:
        """Have the engine close the imported files before they are replaced or removed.

        The pack is loaded again after that, whether it is the new one or, where the import failed, still the old one.
        """
        if self._engine.pack_name == "facescape":
            self._thread.cancel_all()  # whose generators hold the pack, too
            self._thread.submit(Job(self._engine.let_go(), Lane.PHOTO))
            # Once the import is submitted, too, and goes first: the engine must not open the files again before it.
            QTimer.singleShot(0, self, self._load_again)

    @Slot()
    def _load_again(self) -> None:
        self._thread.submit(Job(self._engine.warm_up(), Lane.WARM_UP))

    @Slot()
    def _on_removed(self) -> None:
        if self._engine.pack_name == "facescape":
            self._load("open", None, _REMOVED)
            if self.imports.dialog is not None:
                self.imports.dialog.show_removed(_REMOVED)
        self.refresh()


def _offered(folder: Path) -> DetailSwitches:
    """What the imported files allow."""
    from engine.errors import ModelFileError
    from engine.packs.facescape.data import pack_files
    from engine.packs.facescape.switches import offered_with

    try:
        return offered_with(pack_files(folder))
    except ModelFileError:
        return DetailSwitches()
