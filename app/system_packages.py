"""System libraries of Qt, OpenGL and the tests on Linux: look, install as root, or name. Standard library only."""

from __future__ import annotations

import os
import sys
from pathlib import Path

LIBRARIES = {  # what Qt and OpenGL load at run time -> the Debian package that has it
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
DRIVERS = ("libEGL_mesa.so.0", "libEGL_nvidia.so.0")  # one of them is enough
DRIVER_PACKAGES = ["libgl1-mesa-dri", "libegl-mesa0", "libglx-mesa0"]
TEST_TOOLS = {
    "Xvfb": "xvfb",
    "xauth": "xauth",
    "xdotool": "xdotool",
    "desktop-file-validate": "desktop-file-utils",
}
LOADER_CACHE = Path("/etc/ld.so.cache")


def missing(extras: bool) -> list[str]:
    """Return the Debian names of the system packages that are not there (always none on Windows and macOS)."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        known = LOADER_CACHE.read_bytes()
    except OSError:
        known = b""  # a system without glibc: ask the loader itself
    packages = [package for library, package in LIBRARIES.items() if not _exists(library, known)]
    if not any(_exists(library, known) for library in DRIVERS):
        packages += DRIVER_PACKAGES
    if extras:
        import shutil

        packages += [package for tool, package in TEST_TOOLS.items() if shutil.which(tool) is None]
    return packages


def _exists(library: str, known: bytes) -> bool:
    """Look into the loader's cache (under 1 ms for all), and only if it is not there try to load the library."""
    if library.encode() + b"\0" in known:
        return True
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def command(packages: list[str]) -> str:
    """Return what a user types to install Debian packages."""
    return f"sudo apt-get install {' '.join(packages)}"


def install(packages: list[str]) -> bool:
    """Install Debian packages where apt-get is there and we are root; tell whether that was done."""
    import shutil
    import subprocess

    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    sys.stderr.write(f"Detailed Face: installing system packages with apt-get: {' '.join(packages)}\n")
    options = ["-qq", "-o", "DPkg::Lock::Timeout=300"]
    done = -1
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *options, *arguments],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output belongs to the program itself
            check=False,
        ).returncode
    return done == 0
