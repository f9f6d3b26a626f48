"""Photos of every format and in every bad shape."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from engine import images
from engine.errors import UnreadableImage
from engine.resources import resource_path

ROOT = Path(__file__).resolve().parents[2]


def gradient(height: int = 60, width: int = 80) -> np.ndarray:
    """Smooth colours that tell the four corners apart."""
    y, x = np.mgrid[:height, :width]
    return np.stack([30 + 2 * x, 40 + 3 * y, 220 - x - y], axis=-1).astype(np.uint8)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(gradient())


def deviation(image: np.ndarray, wanted: np.ndarray) -> float:
    assert image.shape == wanted.shape
    assert image.dtype == np.uint8
    return float(np.abs(image.astype(int) - wanted).mean())


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("PPM", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 3),
        ("JPEG", {"quality": 95}, 3),
        ("JPEG", {"quality": 95, "progressive": True}, 3),
        ("GIF", {}, 8),
        ("AVIF", {"quality": 95}, 3),
    ],
)
def test_colour_comes_back(picture, kind, options, tolerance):
    photo = images.photo_from_bytes(encoded(picture, kind, **options), "a")
    assert deviation(photo.image, gradient()) <= tolerance
    assert photo.warnings == ()
    assert not photo.image.flags.writeable


def test_heic_from_a_phone(picture):
    import pillow_heif

    pillow_heif.register_heif_opener()
    photo = images.photo_from_bytes(encoded(picture, "HEIF", quality=95), "IMG_1.HEIC")
    assert deviation(photo.image, gradient()) <= 3


def test_every_supported_suffix_is_named_for_the_user():
    for suffix in images.SUPPORTED_SUFFIXES:
        assert suffix == suffix.lower()
        assert suffix.startswith(".")
    assert {".jpg", ".png", ".heic", ".webp", ".tif", ".avif"} <= set(images.SUPPORTED_SUFFIXES)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "CMYK", "YCbCr"])
def test_other_colour_modes(picture, mode):
    kind = {"CMYK": "TIFF", "YCbCr": "TIFF"}.get(mode, "PNG")
    source = picture.convert(mode)
    photo = images.photo_from_bytes(encoded(source, kind), "a")
    assert deviation(photo.image, np.asarray(source.convert("RGB"))) <= 2


def test_cmyk_jpeg(picture):
    photo = images.photo_from_bytes(encoded(picture.convert("CMYK"), "JPEG", quality=95), "a.jpg")
    assert deviation(photo.image, gradient()) <= 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_keeps_its_brightness(kind):
    grey = gradient()[:, :, 0]
    deep = grey.astype(np.uint16) * 257
    photo = images.photo_from_bytes(encoded(Image.fromarray(deep), kind), "a")
    assert deviation(photo.image, np.repeat(grey[:, :, None], 3, 2)) == 0


def test_dark_sixteen_bit_grey_is_not_taken_for_eight_bit():
    dark = np.full((60, 80), 200, np.uint16)
    for kind in ("PNG", "PPM"):
        assert images.photo_from_bytes(encoded(Image.fromarray(dark), kind), "a").image.max() == 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_sixteen_bit_colour(suffix):
    import cv2

    deep = gradient().astype(np.uint16) * 257
    data = cv2.imencode(suffix, deep[:, :, ::-1])[1].tobytes()
    assert deviation(images.photo_from_bytes(data, "a").image, gradient()) <= 1


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("colour", [True, False])
def test_floating_point_tiff(kind, colour):
    import cv2

    values = (gradient() / 255).astype(kind)
    stored = values[:, :, ::-1] if colour else values[:, :, 0]
    data = cv2.imencode(".tif", np.ascontiguousarray(stored))[1].tobytes()
    wanted = gradient() if colour else np.repeat(gradient()[:, :, :1], 3, 2)
    assert deviation(images.photo_from_bytes(data, "a").image, wanted) <= 1


def test_transparency_is_laid_on_white_and_said():
    rgba = np.dstack([gradient(), np.full((60, 80), 255, np.uint8)])
    rgba[:30, :, 3] = 0
    photo = images.photo_from_bytes(encoded(Image.fromarray(rgba), "PNG"), "cut.png")
    assert (photo.image[:30] == 255).all()
    assert (photo.image[30:] == gradient()[30:]).all()
    assert photo.warnings == ("cut.png has transparent parts; they were filled with white.",)


def test_an_alpha_channel_that_hides_nothing_is_not_mentioned():
    rgba = np.dstack([gradient(), np.full((60, 80), 255, np.uint8)])
    photo = images.photo_from_bytes(encoded(Image.fromarray(rgba), "PNG"), "a.png")
    assert photo.warnings == ()
    assert (photo.image == gradient()).all()


def test_an_alpha_channel_that_hides_everything_is_ignored():
    rgba = np.dstack([gradient(), np.zeros((60, 80), np.uint8)])
    photo = images.photo_from_bytes(encoded(Image.fromarray(rgba), "PNG"), "a.png")
    assert (photo.image == gradient()).all()
    assert "transparency was ignored" in photo.warnings[0]


def test_palette_transparency():
    palette = Image.fromarray(gradient()).quantize(32)
    hidden = int(np.asarray(palette)[0, 0])
    photo = images.photo_from_bytes(encoded(palette, "PNG", transparency=hidden), "a.png")
    assert (photo.image[np.asarray(palette) == hidden] == 255).all()
    assert len(photo.warnings) == 1


ORIENTED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}
"""EXIF value -> how an upright picture is stored under it."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF", "HEIF"])
def test_exif_orientation_is_turned_upright(kind, orientation):
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    stored = Image.fromarray(np.ascontiguousarray(ORIENTED[orientation](gradient())))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.get(kind, {"quality": 95})
    photo = images.photo_from_bytes(encoded(stored, kind, exif=exif.tobytes(), **options), "a")
    assert deviation(photo.image, gradient()) <= 3


def test_display_p3_becomes_srgb():
    """A profile whose primaries are swapped shows plainly whether it was applied."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ", 128), profile.index(b"bXYZ", 128)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    profile = profile.replace(b"s\0R\0G\0B", b"t\0E\0S\0T").replace(b"sRGB built-in", b"test built-in")
    plain = encoded(Image.fromarray(gradient()), "PNG")
    tagged = encoded(Image.fromarray(gradient()), "PNG", icc_profile=bytes(profile))
    before, after = (images.photo_from_bytes(data, "a").image.astype(int) for data in (plain, tagged))
    assert np.abs(after - before[:, :, ::-1]).mean() < 2


def test_a_broken_colour_profile_is_ignored(picture):
    data = encoded(picture, "PNG", icc_profile=b"no profile at all")
    assert (images.photo_from_bytes(data, "a").image == gradient()).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_used_and_that_is_said(kind):
    frames = [Image.fromarray(np.full((60, 80, 3), value, np.uint8)) for value in (200, 20)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    photo = images.photo_from_bytes(data, "a.gif")
    assert abs(int(photo.image.mean()) - 200) <= 2
    assert photo.warnings == ("a.gif is an animation; only its first frame is used.",)


def test_of_a_document_the_first_page_is_used_and_that_is_said():
    pages = [Image.fromarray(np.full((60, 80, 3), value, np.uint8)) for value in (200, 20)]
    photo = images.photo_from_bytes(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "scan.tif")
    assert (photo.image == 200).all()
    assert photo.warnings == ("scan.tif has several pages; only the first is used.",)


def test_a_file_is_known_by_its_content_not_by_its_name(tmp_path, picture):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(picture, "PNG"))
    assert (images.load_photo(path).image == gradient()).all()


def test_names_with_any_letters(tmp_path, picture):
    path = tmp_path / "Jürgen 写真 😀.png"
    path.write_bytes(encoded(picture, "PNG"))
    photo = images.load_photo(path)
    assert photo.name == path.name
    assert photo.path == path
    assert len(photo.sha256) == 64


def test_48_megapixels_are_reduced_with_sane_memory():
    """In a child, so that the peak is its own."""
    pytest.importorskip("resource")
    program = (
        "import io, pathlib, resource, numpy as np\n"
        "from PIL import Image\n"
        "from engine.images import photo_from_bytes\n"
        "small = np.add.outer(np.arange(189), np.arange(252)).astype(np.uint8) // 2\n"
        "stream = io.BytesIO()\n"
        "Image.fromarray(small).resize((8064, 6048)).convert('RGB').save(stream, 'JPEG')\n"
        "photo = photo_from_bytes(stream.getvalue(), 'big.jpg')\n"
        "wanted = np.asarray(Image.fromarray(small).resize((400, 300)), int)\n"
        "seen = np.asarray(Image.fromarray(photo.image[:, :, 0]).resize((400, 300)), int)\n"
        "print(photo.image.shape, int(abs(seen - wanted).mean()), photo.warnings[0])\n"
        "status = pathlib.Path('/proc/self/status')\n"  # getrusage would count the parent's size before exec
        "lines = status.read_text().splitlines() if status.is_file() else []\n"
        "peaks = [line.split()[1] for line in lines if line.startswith('VmHWM')]\n"
        "print(peaks[0] if peaks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    line, peak = done.stdout.splitlines()
    assert line == "(4500, 6000, 3) 0 The photo was reduced from 8064 x 6048 px to 6000 px on its long side."
    assert int(peak) < (900_000 if sys.platform == "linux" else 900_000_000)  # KiB on Linux, bytes on macOS


# Arrays and writing


def test_photo_from_array_copies_and_freezes():
    pixels = gradient()
    photo = images.photo_from_array(pixels, "webcam")
    pixels[:] = 0
    assert (photo.image == gradient()).all()
    assert photo.path is None
    assert photo.sha256 == images.photo_from_array(gradient(), "again").sha256


def test_photo_from_array_has_the_same_limits():
    with pytest.raises(UnreadableImage, match="too small"):
        images.photo_from_array(np.zeros((10, 10, 3), np.uint8), "a")
    photo = images.photo_from_array(np.zeros((60, 6600, 3), np.uint8), "wide")
    assert photo.image.shape == (55, 6000, 3)
    assert "reduced" in photo.warnings[0]
    with pytest.raises(ValueError, match="rgb"):
        images.photo_from_array(np.zeros((60, 60), np.uint8), "a")


def test_camera_frames_become_rgb():
    frame = gradient()
    assert (images.bgr_to_rgb(frame) == frame[:, :, ::-1]).all()
    assert (images.bgr_to_rgb(np.dstack([frame, frame[:, :, :1]])) == frame[:, :, ::-1]).all()
    assert images.bgr_to_rgb(frame[:, :, 0]).shape == (60, 80, 3)


def test_jpeg_is_reread_by_another_library():
    data = images.encode_jpeg(gradient(), 95)
    assert deviation(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), gradient()) <= 2


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_png_is_reread_exactly_by_another_library(depth):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, np.iinfo(depth).max + 1, (40, 50)).astype(depth)
    assert (np.asarray(Image.open(io.BytesIO(images.encode_png(grey)))) == grey).all()
    colour = Image.open(io.BytesIO(images.encode_png(gradient())))
    assert (np.asarray(colour) == gradient()).all()


def test_png_refuses_other_kinds_of_numbers():
    with pytest.raises(ValueError, match="float32"):
        images.encode_png(np.zeros((4, 4), np.float32))


def test_resize_area_averages():
    checker = (np.indices((64, 64)).sum(0) % 2 * 200).astype(np.uint8)[:, :, None].repeat(3, 2)
    small = images.resize_area(checker, 0.25)
    assert small.shape == (16, 16, 3)
    assert (small == 100).all()


@pytest.mark.parametrize(
    ("name", "size"),
    [("portrait_biden.jpg", (2204, 970)), ("portrait_obama.jpg", (1137, 910)), ("astronaut.png", (512, 512))],
)
def test_the_samples_decode(name, size):
    photo = images.load_photo(resource_path(f"samples/{name}"))
    assert photo.image.shape == (*size, 3)
    assert photo.warnings == ()
