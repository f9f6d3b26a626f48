"""Photos that the original program stumbles over, made from the samples: for tests of the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from engine.resources import resource_path

SAMPLE = "samples/portrait_obama.jpg"
FACE = (372, 126, 613, 419)
"""Left, top, right and lower border of the face in the sample portrait."""

ORIENTATION_TAG, TURNED_RIGHT = 0x0112, 6


def portrait(grow: float = 0.5) -> Image.Image:
    """The sample's head with some room around it, in shares of the face's size."""
    left, top, right, bottom = FACE
    across, down = grow * (right - left), grow * (bottom - top)
    box = (round(left - across), max(0, round(top - down)), round(right + across), round(bottom + down))
    return Image.open(resource_path(SAMPLE)).convert("RGB").crop(box)


def cut(side: str) -> Image.Image:
    """A portrait from which one side of the face is cut off."""
    picture = portrait()
    width, height = picture.size
    boxes = {
        "left": (round(0.35 * width), 0, width, height),
        "right": (0, 0, round(0.65 * width), height),
        "top": (0, round(0.35 * height), width, height),
        "bottom": (0, 0, width, round(0.75 * height)),
    }
    return picture.crop(boxes[side])


def write_good(folder: Path) -> None:
    """Each of these becomes a face here; the original crashes on most, and passes over others without a word."""
    cut("left").save(folder / "left.tif")
    unseen = cut("right")
    unseen.putalpha(0)
    unseen.save(folder / "right.webp", lossless=True, exact=True)
    pillow_heif.from_pillow(cut("top")).save(folder / "top.heic", quality=95)
    sideways = cut("bottom").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = TURNED_RIGHT  # upright again, for who looks at it
    sideways.save(folder / "bottom.Jpg", quality=95, exif=exif)
    Image.open(resource_path(SAMPLE)).convert("RGB").crop(FACE).save(folder / "tight.png")
    portrait().rotate(90, expand=True).save(folder / "turned.png")
    grey = np.asarray(portrait().convert("L")).astype(np.uint16)
    Image.fromarray(grey * 257).save(folder / "same.png")  # 16 bits
    portrait().save(folder / "same.bmp")
    two = Image.new("RGB", (2 * portrait().width, portrait().height))
    two.paste(portrait(), (0, 0))
    two.paste(portrait().transpose(Image.Transpose.FLIP_LEFT_RIGHT), (portrait().width, 0))
    two.save(folder / "two faces ü.jpg", quality=95)


def write_bad(folder: Path) -> None:
    """None of these has a face that could be found, or can be read at all."""
    folder.joinpath("folder.jpg").mkdir()
    folder.joinpath("empty.jpg").touch()
    folder.joinpath("broken.jpg").write_bytes(resource_path(SAMPLE).read_bytes()[:3000])
    folder.joinpath("text.png").write_text("I am no picture.")
    Image.new("RGB", (300, 300), (120, 130, 140)).save(folder / "wall.png")
    Image.new("RGB", (3, 4000), (120, 130, 140)).save(folder / "strip.png")
    small = portrait(1.0)
    small.thumbnail((36, 36))
    far = Image.new("RGB", (1024, 1024), (90, 100, 110))
    far.paste(small, (500, 400))
    far.save(folder / "far away.png")
