"""Export dialog -> job on the engine thread -> files, and a way to the folder."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, QProcess, QSettings, QStandardPaths, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from app.engine_thread import EngineThread, Job, Lane
from app.session import Session
from engine.errors import AppError
from engine.export import MAX_STRENGTH, ExportOptions, estimate_sizes, export_face, keys_to_make, safe_stem
from engine.expressions import PUBLISHED_KEYS
from engine.steps import scaled
from engine.types import FaceAsset, Pose, Progress
from widgets.export_choices import EXPRESSIONS, FIRST_CHOICES, MAPS, MESHES, UNITS
from widgets.export_dialog import ExportDialog

SETTLE_MS = 150  # after the last key stroke, before the sizes are worked out again
_FOLDER = "export/folder"
_MAPS_SHARE = 0.8  # of the progress bar, where maps have to be made first
_CHOICES = (("mesh", MESHES), ("expression", EXPRESSIONS), ("maps", MAPS), ("units", UNITS))

_log = logging.getLogger("detailed_face")


class MapEngine(Protocol):
    """What this controller needs of ``EngineService``."""

    @property
    def has_key_maps(self) -> bool:
        """Whether maps of the key expressions can be made at all."""
        ...

    def key_maps(self, face: FaceAsset, keys: Sequence[int]) -> Generator[Progress, None, FaceAsset]:
        """The same face with these key maps."""
        ...


class ExportController(QObject):
    """Runs one export dialog at a time, for the face that was shown when it was opened."""

    exported = Signal(object)  # tuple of the written Paths

    def __init__(
        self,
        session: Session,
        engine: MapEngine,
        thread: EngineThread,
        window: QWidget | None = None,
        settings: QSettings | None = None,
        map_scale_mm: float | None = None,
    ) -> None:
        """The face comes from ``session``; ``map_scale_mm`` is the pack's depth at full white of the maps."""
        super().__init__(window)
        self._session = session
        self._engine = engine
        self._thread = thread
        self._window = window
        self._settings = settings if settings is not None else QSettings("detailed-face", "detailed-face")
        self.map_scale_mm = map_scale_mm
        self._dialog: ExportDialog | None = None
        self._face: FaceAsset | None = None
        self._files: tuple[tuple[str, int], ...] = ()
        self._estimate_job: Job | None = None
        self._export_job: Job | None = None
        self._written: tuple[Path, ...] = ()
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._estimate)
        session.face_refined.connect(self._on_face_refined)

    @property
    def dialog(self) -> ExportDialog | None:
        """The open dialog, if any."""
        return self._dialog

    @Slot()
    def open_dialog(self) -> None:
        """Ask what to export; does nothing while there is no face."""
        if self._session.face is None or self._dialog is not None:
            return
        self._face = self._session.face
        dialog = ExportDialog(self._window)
        dialog.set_triangles([len(self._face.topology.front_faces) * 4**level for level in range(4)])
        dialog.set_texture_size(self._face.texture.image.shape[0])
        dialog.set_choices(self._remembered_options(), self._remembered_folder(), safe_stem(_stem(self._face)))
        dialog.changed.connect(self._on_changed)
        dialog.export_requested.connect(self._export)
        dialog.cancel_requested.connect(self._cancel)
        dialog.show_requested.connect(self._show_files)
        dialog.finished.connect(self._on_closed)
        self._dialog = dialog
        self._show_ready_maps()
        self._estimate()
        dialog.open()

    def _remembered_options(self) -> ExportOptions:
        """The last choices, where they are still valid; the detail is as deep as in the window."""
        kept: dict[str, Any] = {}
        for field, choices in _CHOICES:
            value = str(self._settings.value(f"export/{field}", ""))
            if value in [choice for choice, _ in choices]:
                kept[field] = value
        level = str(self._settings.value("export/subdivisions", ""))
        if level in tuple("0123"):
            kept["subdivisions"] = int(level)
        kept["texture"] = str(self._settings.value("export/texture", "true")).lower() == "true"
        kept["glb"] = str(self._settings.value("export/glb", "false")).lower() == "true"
        kept["detail_strength"] = min(max(self._session.view.detail_strength, 0.0), MAX_STRENGTH)
        kept["detail_bands"] = self._session.view.detail_bands
        options = replace(FIRST_CHOICES, **kept, exact=self._session.exact)
        return options if self.map_scale_mm is None else replace(options, map_scale_mm=self.map_scale_mm)

    def _remembered_folder(self) -> Path:
        documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        return Path(str(self._settings.value(_FOLDER, documents or str(Path.home()))))

    def _remember(self, options: ExportOptions, folder: Path) -> None:
        for field in ("mesh", "expression", "maps", "units", "subdivisions", "texture", "glb"):
            self._settings.setValue(f"export/{field}", getattr(options, field))
        self._settings.setValue(_FOLDER, str(folder))

    @Slot(object)
    def _on_face_refined(self, face: FaceAsset) -> None:
        if self._dialog is not None and self._face is not None and face.rig is self._face.rig:
            self._face = face
            self._show_ready_maps()

    def _show_ready_maps(self) -> None:
        if self._dialog is not None and self._face is not None:
            maps = self._face.key_maps[:PUBLISHED_KEYS]
            self._dialog.set_ready_maps(sum(key_map is not None for key_map in maps), len(maps))

    @Slot()
    def _on_changed(self) -> None:
        if self._dialog is not None:
            self._dialog.set_unknown_files()
            self._settle.start()

    @Slot()
    def _estimate(self) -> None:
        """Work out the files beside the window: maps and texture are encoded in part, which takes up to a second."""
        if self._dialog is None or self._face is None or self._export_job is not None:
            return
        self._dialog.set_unknown_files()
        steps = _estimate_steps(self._face, self._dialog.options(), self._dialog.name())
        self._estimate_job = Job(steps, Lane.EXPORT)
        self._estimate_job.finished.connect(self._on_estimated)
        self._estimate_job.failed.connect(self._on_failed)
        self._thread.submit(self._estimate_job)

    @Slot(object)
    def _on_estimated(self, files: tuple[tuple[str, int], ...]) -> None:
        if self.sender() is not self._estimate_job or self._dialog is None:
            return
        self._estimate_job = None
        self._files = files
        folder = self._dialog.folder()
        existing = _existing(folder, [name for name, _ in files])
        self._dialog.set_files(files, existing, _free_bytes(folder), permitted=_may_write(folder))

    @Slot(tuple)
    def _export(self, agreed: tuple[str, ...]) -> None:
        if self._dialog is None or self._face is None:
            return
        options, folder = self._dialog.options(), self._dialog.folder()
        existing = _existing(folder, [name for name, _ in self._files])
        if not set(existing) <= set(agreed):  # came up since the list was made
            self._dialog.ask_to_replace(existing)
            return
        self._settle.stop()
        self._remember(options, folder)
        self._estimate_job = None
        steps = self._export_steps(self._face, self._session, options, folder, self._dialog.name())
        self._export_job = Job(steps, Lane.EXPORT)
        self._export_job.progressed.connect(self._on_progressed)
        self._export_job.delivered.connect(self._on_delivered)
        self._export_job.finished.connect(self._on_finished)
        self._export_job.failed.connect(self._on_failed)
        self._export_job.cancelled.connect(self._on_cancelled)
        self._dialog.set_progress(Progress("Preparing", 0.0))
        self._thread.submit(self._export_job)

    def _export_steps(
        self, face: FaceAsset, session: Session, options: ExportOptions, folder: Path, name: str
    ) -> Generator[object, None, tuple[Path, ...]]:
        weights = session.weights
        pose: Pose | None = session.pose

        def steps() -> Generator[object, None, tuple[Path, ...]]:
            shown = pose
            if shown is None:  # the slider moved this very moment
                from engine.rig import pose as pose_of

                shown = pose_of(face.rig, weights, options.exact)
            complete = yield from self._with_maps(face, shown, options)
            start = 0.0 if complete is face else _MAPS_SHARE
            return (yield from scaled(export_face(complete, shown, options, folder, name), start, 1.0))

        return steps()

    def _with_maps(self, face: FaceAsset, pose: Pose, options: ExportOptions) -> Generator[object, None, FaceAsset]:
        """Engine thread: make the key maps that the files need first; the window gets each of them, too."""
        yield Progress("Preparing", 0.0)
        keys = keys_to_make(face, pose, options)
        if not self._engine.has_key_maps and options.maps != "all":
            return face  # the mesh then has the detail that the window shows
        for index, key in enumerate(keys):
            start, end = (_MAPS_SHARE * done / len(keys) for done in (index, index + 1))
            face = yield from scaled(self._engine.key_maps(face, (key,)), start, end)
            yield face
        return face

    @Slot()
    def _cancel(self) -> None:
        if self._export_job is not None:
            self._export_job.cancel()

    @Slot(object)
    def _on_progressed(self, progress: Progress) -> None:
        if self.sender() is self._export_job and self._dialog is not None:
            self._dialog.set_progress(progress)

    @Slot(object)
    def _on_delivered(self, face: FaceAsset) -> None:
        """A key map was made: the shown face gets it even if the export is cancelled."""
        shown = self._session.face
        if shown is not None and shown.rig is face.rig:
            self._session.refine_face(face)

    @Slot(object)
    def _on_finished(self, paths: tuple[Path, ...]) -> None:
        if self.sender() is not self._export_job:
            return
        self._export_job = None
        self._written = paths
        if self._dialog is not None:
            self._dialog.show_done(len(paths), paths[0].parent if paths else self._dialog.folder())
        self.exported.emit(paths)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        if self.sender() not in (self._export_job, self._estimate_job):
            return
        self._export_job = self._estimate_job = None
        if not isinstance(error, AppError):
            _log.error("export failed", exc_info=error)
            error = AppError("The export failed unexpectedly; nothing was written.", "The log file has the details.")
        if self._dialog is not None:
            self._dialog.show_error(str(error), error.hint)

    @Slot()
    def _on_cancelled(self) -> None:
        if self.sender() is self._export_job:
            self._export_job = None
            if self._dialog is not None:
                self._dialog.show_cancelled()

    @Slot()
    def _show_files(self) -> None:
        if self._written:
            show_in_folder(self._written[0])

    @Slot()
    def _on_closed(self) -> None:
        self._settle.stop()
        if self._dialog is not None:
            self._dialog.deleteLater()
        self._dialog = self._face = self._estimate_job = None


def show_in_folder(path: Path) -> bool:
    """Open the file manager at ``path``, with the file selected where the system can; False when nothing opens."""
    if sys.platform == "win32":
        return bool(QProcess.startDetached("explorer", [f"/select,{path}"]))
    if sys.platform == "darwin":
        return bool(QProcess.startDetached("open", ["-R", str(path)]))
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def _stem(face: FaceAsset) -> str:
    return Path(face.photo.name).stem


def _estimate_steps(
    face: FaceAsset, options: ExportOptions, name: str
) -> Generator[Progress, None, tuple[tuple[str, int], ...]]:
    """Engine thread. The first ``yield`` lets newer requests cancel this one before it costs anything."""
    yield Progress("Working out the files", 0.0)
    return estimate_sizes(face, options, name)


def _existing(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(name for name in names if (folder / name).exists())
    except OSError:  # no permission to look: writing will say so
        return ()


def _free_bytes(folder: Path) -> int | None:
    """Free space on the disk of ``folder``, or of the nearest parent that is there."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None


def _may_write(folder: Path) -> bool:
    """Whether files can be made in ``folder``, or in the nearest parent that is there, as far as its rights tell."""
    place = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
    return place is None or os.access(place, os.W_OK | os.X_OK)
