"""The photos opened last, kept in the settings."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal

_KEY = "recent_photos"
LIMIT = 10


class RecentPhotos(QObject):
    """Newest first, each once, at most LIMIT."""

    changed = Signal()

    def __init__(self, settings: QSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings

    def paths(self) -> list[Path]:
        """Those that still exist."""
        stored = self._settings.value(_KEY, [])
        names = stored if isinstance(stored, list) else [stored] if stored else []  # INI files flatten a list of one
        return [path for path in map(Path, names) if path.is_file()]

    def add(self, path: Path) -> None:
        """Put ``path`` first."""
        path = path.absolute()
        self._store([path, *(other for other in self.paths() if other != path)][:LIMIT])

    def clear(self) -> None:
        """Forget all of them."""
        self._store([])

    def _store(self, paths: list[Path]) -> None:
        self._settings.setValue(_KEY, [str(path) for path in paths])
        self.changed.emit()
