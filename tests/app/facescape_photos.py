"""Photos that the original program stumbles over, made from the samples: for tests of the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from engine.resources import resource_path

FACE = (372, 126, 613, 419)
"""Left, top, right and lower border of the face in the sample portrait."""

ORIENTATION_TAG, TURNED_RIGHT = 0x0112, 6


def portrait(grow: float = 0.5) -> Image.Image:
    """The sample's head with some room around it, in shares of the face's size."""
    left, top, right, bottom = FACE
    across, down = grow * (right - left), grow * (bottom - top)
    box = (round(left - across), max(0, round(top - down)), round(right + across), round(bottom + down))
    return Image.open(resource_path("samples/portrait_obama.jpg")).convert("RGB").crop(box)


def cut(side: str, share: float = 0.2) -> Image.Image:
    """A portrait from which one side of the face is cut off."""
    picture = portrait()
    width, height = picture.size
    face = 0.25 * width  # the room on either side
    box = {
        "left": (round(face + share * 2 * face), 0, width, height),
        "right": (0, 0, round(width - face - share * 2 * face), height),
        "top": (0, round(0.25 * height + share * 0.5 * height), width, height),
        "bottom": (0, 0, width, round(0.75 * height)),
    }[side]
    return picture.crop(box)


def write_good(folder: Path) -> None:
    """Each of these becomes a face here; the original crashes on some, and passes over others without a word."""
    cut("left").save(folder / "left.tif")
    cut("right").save(folder / "right.webp", quality=95)
    pillow_heif.from_pillow(cut("top")).save(folder / "top.heic", quality=95)
    sideways = cut("bottom").transpose(Image.Transpose.ROTATE_90)  # the tag below turns it upright again
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = TURNED_RIGHT
    sideways.save(folder / "bottom.Jpg", quality=95, exif=exif)
    left, top, right, bottom = FACE
    Image.open(resource_path("samples/portrait_obama.jpg")).convert("RGB").crop(FACE).save(folder / "tight.png")
    words = np.asarray(portrait().convert("L")).astype(np.uint16) * 257
    Image.fromarray(words).save(folder / "same.png")  # 16-bit grey
    see_through = portrait()
    see_through.putalpha(255)
    see_through.save(folder / "same.bmp.png")
    two = Image.new("RGB", (2 * portrait().width, portrait().height))
    two.paste(portrait(), (0, 0))
    two.paste(portrait().transpose(Image.Transpose.FLIP_LEFT_RIGHT), (portrait().width, 0))
    two.save(folder / "two faces ü.jpg", quality=95)


def write_bad(folder: Path) -> None:
    """None of these has a face that could be found, or can be read at all."""
    folder.joinpath("folder.jpg").mkdir()
    folder.joinpath("empty.jpg").touch()
    folder.joinpath("broken.jpg").write_bytes(resource_path("samples/portrait_obama.jpg").read_bytes()[:3000])
    folder.joinpath("text.png").write_text("I am no picture.")
    Image.new("RGB", (300, 300), (120, 130, 140)).save(folder / "wall.png")
    Image.new("RGB", (3, 4000), (120, 130, 140)).save(folder / "strip.png")
    small = portrait(1.0)
    small.thumbnail((36, 36))
    far = Image.new("RGB", (1024, 1024), (90, 100, 110))
    far.paste(small, (500, 400))
    far.save(folder / "far away.png")
