"""Fetches the third-party models and sample photos in resources/ again and checks them against the manifest.

Run with ``python -m engine.training.fetch_models`` in the environment. Nothing is written unless its hash fits.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import AppError, ModelFileError
from engine.resources import RESOURCES, manifest

_WHEEL = ("--only-binary=:all:", "--python-version", "3.11", "--platform")


@dataclass(frozen=True, slots=True)
class Package:
    """One package of the registry, how pip gets it, and which of its files ship under which name."""

    requirement: str
    options: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    """(path inside the archive, path below resources/)."""


PACKAGES: tuple[Package, ...] = (
    Package(
        "mediapipe==0.10.21",
        (*_WHEEL, "manylinux_2_28_x86_64"),
        (
            ("mediapipe/modules/face_landmark/face_landmark.tflite", "models/face_landmark.tflite"),
            (
                "mediapipe/modules/face_detection/face_detection_short_range.tflite",
                "models/face_detection_short_range.tflite",
            ),
            ("mediapipe-0.10.21.dist-info/LICENSE", "models/LICENSE.mediapipe"),
        ),
    ),
    Package(
        "face_recognition==1.3.0",
        ("--no-binary=:all:",),
        (
            ("face_recognition-1.3.0/tests/test_images/biden.jpg", "samples/portrait_biden.jpg"),
            ("face_recognition-1.3.0/tests/test_images/obama.jpg", "samples/portrait_obama.jpg"),
        ),
    ),
    Package(
        "scikit-image==0.25.2",
        (*_WHEEL, "manylinux_2_17_x86_64"),
        (("skimage/data/astronaut.png", "samples/astronaut.png"),),
    ),
)


def download(package: Package, folder: Path) -> Path:
    """Let pip fetch one package without its dependencies; the archive's path.

    Raises:
        ModelFileError: pip failed.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    result = subprocess.run(
        [*command, *package.options, package.requirement], capture_output=True, text=True, check=False
    )
    archives = sorted(folder.iterdir()) if folder.is_dir() else []
    if result.returncode != 0 or not archives:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        hint = "Check the network, then run this again."
        raise ModelFileError(f"{package.requirement} could not be downloaded: {last}", hint)
    return archives[0]


def read_members(archive: Path, members: tuple[str, ...]) -> list[bytes]:
    """The named files of a wheel (zip) or source package (tar.gz).

    Raises:
        ModelFileError: one of them is not in the archive.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as wheel:
                return [wheel.read(member) for member in members]
        with tarfile.open(archive) as source:
            streams = [source.extractfile(member) for member in members]
            return [stream.read() for stream in streams if stream is not None]
    except KeyError as error:
        raise ModelFileError(f"{archive.name} does not hold what was expected: {error.args[0]}") from error


def install(data: bytes, relative: str, root: Path = RESOURCES) -> None:
    """Write one file below ``root`` if its hash is the manifest's, whole or not at all.

    Raises:
        ModelFileError: the hash differs.
    """
    if hashlib.sha256(data).hexdigest() != manifest()[relative].sha256:
        sentence = f"The download for resources/{relative} is not the file in the manifest."
        raise ModelFileError(sentence, "The file that was there before is untouched.")
    target = root / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    partial.write_bytes(data)
    partial.replace(target)


def fetch(report: Callable[[str], object]) -> None:
    """Fetch, check and install all files of all packages; ``report`` gets one sentence per step."""
    for package in PACKAGES:
        report(f"Downloading {package.requirement} ...")
        with tempfile.TemporaryDirectory() as folder:
            members = read_members(download(package, Path(folder)), tuple(member for member, _ in package.files))
        for (_, relative), data in zip(package.files, members, strict=True):
            install(data, relative)
            report(f"  resources/{relative}: {len(data):,} bytes, checksum right")


def main() -> int:
    """Command line; 0 when everything is in place, else 1 and a sentence."""
    argparse.ArgumentParser(prog="python -m engine.training.fetch_models", description=__doc__).parse_args()
    try:
        fetch(lambda line: sys.stdout.write(line + "\n"))
    except AppError as error:
        sys.stderr.write(error.sentence() + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
