"""The tree of failures a user can act on; everything else is a bug."""

from __future__ import annotations


class AppError(Exception):
    """A failure the user can act on. ``str(error)`` is the dialog text, ``hint`` the next step."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def sentence(self) -> str:
        """Message and next step in one line, as the command line prints it."""
        return f"{self} {self.hint}".strip()


class PhotoError(AppError):
    """A photo that cannot become a face."""


class UnreadableImage(PhotoError):
    """The file is missing, empty, damaged, too large or in an unknown format."""


class NoFaceFound(PhotoError):
    """The photo was read, but no face was found in it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No face was found in {name}.", "Use a frontal, well lit photo in which the whole face shows."
        )


class ModelFileError(AppError):
    """A model, pack or other resource is missing, damaged or of the wrong kind."""


class GpuError(AppError):
    """OpenGL or the compute device cannot do what is needed."""


class ExportError(AppError):
    """A result could not be written."""


class CameraError(AppError):
    """The webcam (or the video standing in for it) cannot deliver pictures."""
