"""Sets of files that are whole or absent: written under temporary names in the target folder, then renamed together."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from engine.errors import ExportError

_TEMPORARY = ".detailed-face-"
_TOO_LONG_ON_WINDOWS = 206  # ERROR_FILENAME_EXCED_RANGE


class FolderUnusable(ExportError):
    """The target folder takes no files at all: no permission, read-only or full. Further files would fail as well."""


class FileSet:
    """Files that appear in ``folder`` all at once at ``commit`` and not at all otherwise.

    Used as a context manager. Leaving the block without ``commit`` (an error, a cancelled generator, Ctrl-C) removes
    what was written, and the folders that were made for it. Existing files of the same names are replaced only by
    ``commit``, and come back where a later rename of the same set fails.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._made_folders: list[Path] = []
        self._names: list[str] = []
        self._temporary = self._folder  # replaced in __enter__
        self._committed = False

    def __enter__(self) -> FileSet:
        """Make the folder where it is missing, and the temporary one inside.

        Raises:
            ExportError: one of them cannot be made.
        """
        with self._explained(self._folder):
            self._make_folder(self._folder)
            try:
                self._temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=self._folder))
            except OSError:
                self._remove_made_folders()
                raise
        return self

    def write(self, name: str, chunks: Iterable[bytes]) -> Iterator[int]:
        """Write one file piece by piece.

        Args:
            name: relative to the folder, with ``/`` before the name where the file goes into a folder of its own.
            chunks: the content.

        Yields:
            The size of each piece after it was handed to the system.

        Raises:
            ExportError: full, gone, or no permission.
        """
        path = self._temporary / name
        target = self._folder / name
        with self._explained(target), contextlib.ExitStack() as stack:
            if path.parent != self._temporary:
                path.parent.mkdir(exist_ok=True)
            stream = stack.enter_context(path.open("wb"))
            for chunk in chunks:
                stream.write(chunk)
                yield len(chunk)
        self._names.append(name)

    def commit(self) -> tuple[Path, ...]:
        """Rename everything into place.

        Returns:
            The files, in the order of writing.

        Raises:
            ExportError: a name is taken by a folder, or the target folder is gone or closed; then all of it is undone.
        """
        done: list[tuple[Path, Path | None]] = []
        try:
            for index, name in enumerate(self._names):
                target = self._folder / name
                with self._explained(target):
                    done.append((target, self._put_in_place(index, name, target)))
        except BaseException:
            for target, backup in reversed(done):
                with contextlib.suppress(OSError):
                    if backup is None:
                        target.unlink()
                    else:
                        os.replace(backup, target)
            raise
        self._committed = True
        return tuple(target for target, _ in done)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)
        if not self._committed:
            self._remove_made_folders()

    def _put_in_place(self, index: int, name: str, target: Path) -> Path | None:
        """Move one file to its target; the path of the old file's backup, None where there was none."""
        if target.is_dir():
            raise ExportError(f"{target} is a folder, so the file of that name cannot be written.", "Move it away.")
        if target.parent != self._folder and not target.parent.is_dir():
            target.parent.mkdir()
            self._made_folders.append(target.parent)
        backup = None
        if os.path.lexists(target):
            backup = self._temporary / f"backup-{index}"
            os.replace(target, backup)
        try:
            os.replace(self._temporary / name, target)
        except BaseException:
            if backup is not None:
                os.replace(backup, target)
            raise
        return backup

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if folder.parent != folder:
            self._make_folder(folder.parent)
        folder.mkdir()
        self._made_folders.append(folder)

    def _remove_made_folders(self) -> None:
        for folder in reversed(self._made_folders):
            with contextlib.suppress(OSError):  # no longer empty, or gone already: both are fine
                folder.rmdir()

    @contextlib.contextmanager
    def _explained(self, target: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            begun = self._temporary != self._folder
            raise (_explanation(error, target, self._folder) if begun else _refusal(error, self._folder)) from error


def _refusal(error: OSError, folder: Path) -> ExportError:
    """The same where not even a temporary folder could be made in ``folder``."""
    # A system folder such as /proc answers 'no such file'. Where nothing may be made in a folder, Windows lets Python
    # believe that every name is taken.
    if error.errno == errno.ENOENT or (error.errno == errno.EEXIST and folder.is_dir()):
        return FolderUnusable(f"The folder {folder} cannot be written to.", "Choose a folder of your own.")
    return _explanation(error, folder, folder)


def _explanation(error: OSError, target: Path, folder: Path) -> ExportError:
    """The sentence for the user: what happened to ``target`` and what to do."""
    code = error.errno
    if code == errno.ENAMETOOLONG or getattr(error, "winerror", None) == _TOO_LONG_ON_WINDOWS:
        return ExportError(f"The path {target} is too long for this system.", "Use a shorter name or another folder.")
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FolderUnusable(f"There is no permission to write {target}.", "Choose a folder of your own.")
    if code in (errno.ENOSPC, errno.EDQUOT):
        return FolderUnusable(
            f"The disk is full: {target} could not be written.", "Free some space or choose another disk."
        )
    if code == errno.EFBIG:
        return FolderUnusable(
            f"{target.name} is larger than the file size allowed in {folder}.", "Export less or elsewhere."
        )
    if code in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return ExportError(
            f"{_file_in_the_way(target)} is a file where a folder is needed.", "Move it away or choose another folder."
        )
    if code == errno.ENOENT:
        return ExportError(f"The folder {folder} disappeared while files were written to it.", "Export again.")
    return ExportError(f"{target} could not be written ({error.strerror or error}).", "Choose another folder.")


def _file_in_the_way(target: Path) -> Path:
    for path in reversed([target, *target.parents]):
        if os.path.lexists(path) and not os.path.isdir(path):
            return path
    return target
