"""Photos that arrive by drag and drop or paste, and the bundled samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QImage, QPainter

from engine.resources import DEFAULT_SAMPLE, manifest, resource_path
from engine.types import Photo


@dataclass(frozen=True, slots=True)
class Sample:
    """A photo that comes with the program."""

    title: str
    path: Path


def samples() -> list[Sample]:
    """The bundled photos as the manifest titles them, the default one first.

    Raises:
        ModelFileError: the manifest is missing or damaged.
    """
    listed = [entry for entry in manifest().values() if entry.path.startswith("samples/")]
    listed.sort(key=lambda entry: entry.path != DEFAULT_SAMPLE)
    return [Sample(entry.name, resource_path(entry.path)) for entry in listed]


def holds_photo(mime: QMimeData) -> bool:
    """Whether ``photos_in`` would find something."""
    return mime.hasImage() or any(url.isLocalFile() for url in mime.urls())


def photos_in(mime: QMimeData) -> list[Path | Photo]:
    """All files, else the picture itself, else nothing."""
    files: list[Path | Photo] = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    if not files and mime.hasImage():
        image = mime.imageData()
        if isinstance(image, QImage) and not image.isNull():
            return [photo_from_image(image, "pasted.png")]
    return files


def photo_from_image(picture: QImage, name: str) -> Photo:
    """A Qt picture as a Photo; see-through parts become white."""
    opaque = QImage(picture.size(), QImage.Format.Format_RGB32)
    opaque.fill(0xFFFFFFFF)
    painter = QPainter(opaque)
    painter.drawImage(0, 0, picture)
    painter.end()
    rows = opaque.convertToFormat(QImage.Format.Format_RGB888)
    H, W = rows.height(), rows.width()
    flat = np.frombuffer(rows.constBits(), np.uint8).reshape(H, rows.bytesPerLine())
    image = flat[:, : 3 * W].reshape(H, W, 3).copy()
    return Photo(image=image, name=name, path=None, sha256=hashlib.sha256(image.tobytes()).hexdigest())
