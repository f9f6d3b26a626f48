"""torch is loaded beside the engine's first work, and without holding up the window."""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import sys
import threading
from pathlib import Path

_LIBRARIES = ("*torch_cpu.*", "*torch_cuda.*")
"""Largest first. Python would keep its lock while the system loads them, a third of a second in which no window moves."""

_log = logging.getLogger("detailed_face")


def load_torch_aside() -> threading.Thread:
    """Import torch in a thread of its own; who needs it meanwhile waits for that import."""
    thread = threading.Thread(target=_load, name="loading torch")
    thread.start()
    return thread


def _load() -> None:
    try:
        for path in _libraries():
            _load_library(path)
        import torch  # noqa: F401
    except (ImportError, OSError) as error:  # told in words where a network is really needed
        _log.warning("torch cannot be loaded: %s", error)


def _libraries() -> list[Path]:
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return []
    folder = Path(found.submodule_search_locations[0]) / "lib"
    return [path for pattern in _LIBRARIES for path in sorted(folder.glob(pattern)) if path.suffix != ".lib"]


def _load_library(path: Path) -> bool:
    """Load a library as Python will, but let go of Python's lock meanwhile; where that fails, the import does it."""
    if sys.platform == "win32":
        load = ctypes.WinDLL("kernel32").LoadLibraryW
        load.argtypes, load.restype = [ctypes.c_wchar_p], ctypes.c_void_p
        return bool(load(str(path)))
    # ctypes.CDLL(path) would keep the lock; a call of a C function does not.
    load = ctypes.CDLL(None).dlopen
    load.argtypes, load.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
    return bool(load(os.fsencode(path), ctypes.RTLD_GLOBAL | os.RTLD_NOW))
