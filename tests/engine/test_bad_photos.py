"""Files that are no photo, damaged, too large or too small: a sentence and a next step, never a traceback."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import images
from engine.errors import UnreadableImage
from engine.resources import read_resource

ROOT = Path(__file__).resolve().parents[2]


def encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))


def refused(path: Path) -> UnreadableImage:
    with pytest.raises(UnreadableImage) as error:
        images.load_photo(path)
    assert path.name in str(error.value)
    assert error.value.hint
    assert "\n" not in error.value.sentence()
    return error.value


def test_missing(tmp_path):
    assert str(refused(tmp_path / "no.jpg")) == "no.jpg does not exist."


def test_name_with_a_nul_character():
    with pytest.raises(UnreadableImage, match="cannot be read"):
        images.load_photo(Path("a\0b.jpg"))


def test_folder(tmp_path):
    (tmp_path / "photos.jpg").mkdir()
    assert "is a folder" in str(refused(tmp_path / "photos.jpg"))


def test_zero_bytes(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert "is empty (0 bytes)" in str(refused(tmp_path / "a.jpg"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert "is not a file" in str(refused(tmp_path / "a.jpg"))


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="no user ids here")
def test_no_permission(tmp_path):
    """In a child that gives up its rights: nothing is unreadable for root."""
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(noise(), "PNG"))
    path.chmod(0)
    program = (
        "import os, sys, pathlib\n"
        "from engine.images import load_photo, UnreadableImage\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: load_photo(pathlib.Path(sys.argv[1]))\n"
        "except UnreadableImage as error: print(error.sentence())\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "secret.png may not be read. Change its permissions, or copy it elsewhere.\n"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_cut_off_files_are_damaged_not_half_shown(tmp_path, kind, share):
    data = encoded(noise(), kind)
    path = tmp_path / "a.jpg"
    path.write_bytes(data[: int(len(data) * share)])
    assert "is damaged" in str(refused(path))


def test_a_truncated_jpeg_is_said_to_end_early(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(read_resource("samples/portrait_obama.jpg")[:100_000])
    assert str(refused(path)) == "a.jpg is damaged: it ends early."


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_random_damage_is_a_sentence_or_a_picture(kind):
    data = encoded(noise(), kind)
    rng = np.random.default_rng(7)
    for _ in range(40):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 6):
            damaged[place] = rng.integers(0, 256)
        try:
            assert images.photo_from_bytes(bytes(damaged), "a").image.ndim == 3
        except UnreadableImage as error:
            assert str(error).startswith("a is")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("notes.txt", b"Dear diary, today ..."),
        ("report.pdf", b"%PDF-1.7\n1 0 obj"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("sound.wav", b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 40),
        ("film.mp4", b"\0\0\0\x20ftypisom" + b"\0" * 40),
        ("figure.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n"),
        ("photo.jpg", b"<html>404 not found</html>"),
    ],
)
def test_an_unknown_format_lists_the_known_ones(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    error = refused(tmp_path / name)
    assert str(error) == f"{name} is not a picture in a known format."
    assert error.hint == f"Supported are {images.SUPPORTED_NAMES}."


def png_of_zeros(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress(bytes((width // 8 + 2) * height), 1)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_declared_size():
    data = png_of_zeros(20_000, 20_000)
    assert len(data) < 1_000_000
    begin = time.perf_counter()
    with pytest.raises(UnreadableImage, match="too large: 20000 x 20000 px = 400 megapixels"):
        images.photo_from_bytes(data, "bomb.png")
    assert time.perf_counter() - begin < 0.5


def test_a_bomb_in_a_layout_that_only_opencv_knows_is_refused_too():
    tags = [(256, 4, 1, 60_000), (257, 4, 1, 60_000), (258, 3, 1, 64), (262, 3, 1, 2), (277, 3, 1, 3), (339, 3, 1, 3)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    with pytest.raises(UnreadableImage, match="too large: 60000 x 60000 px"):
        images.photo_from_bytes(b"II*\0" + struct.pack("<I", 8) + directory, "bomb.tif")


@pytest.mark.parametrize("size", [(1, 1), (39, 500), (500, 39)])
def test_too_small_for_a_face(size):
    data = encoded(Image.new("RGB", size), "PNG")
    with pytest.raises(UnreadableImage, match=f"too small to hold a face: {size[0]} x {size[1]} px"):
        images.photo_from_bytes(data, "dot.png")


def test_a_strip_that_is_too_narrow_once_reduced():
    with pytest.raises(UnreadableImage, match="too narrow to hold a face"):
        images.photo_from_bytes(encoded(Image.new("L", (30_000, 100)), "PNG"), "strip.png")
