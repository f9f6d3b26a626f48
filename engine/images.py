"""Decodes photos of every usual format into upright 8-bit RGB, and encodes results; the only file that knows BGR."""

from __future__ import annotations

import functools
import hashlib
import io
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.arrays import ByteArray, check
from engine.errors import UnreadableImage
from engine.types import Photo

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUPPORTED_SUFFIXES: tuple[str, ...] = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".ppm", ".pgm", ".pnm",
    ".tif", ".tiff", ".webp", ".gif", ".heic", ".heif", ".hif", ".avif",
)  # fmt: skip
"""File name endings that the dialog offers and a folder run picks up. What a file is, its content decides."""
SUPPORTED_NAMES = "JPEG, PNG, BMP, PPM/PGM, TIFF, WebP, GIF, HEIC/HEIF and AVIF"

MAX_PIXELS = 100_000_000
"""Larger pictures are refused by their declared size, before anything is decoded."""
MAX_SIDE_PX = 6000
"""Larger pictures are reduced to this long side: a face of 6000 px has more detail than any map here, and the peak
memory of the pipeline stays under 1.5 GB."""
MIN_SIDE_PX = 40
"""Nothing smaller can hold a face that the detectors find."""
MAX_FILE_BYTES = 500_000_000

_PILLOW_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "PPM", "TIFF", "WEBP", "GIF", "AVIF")
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAGIC = (b"\xff\xd8", b"\x89PNG", b"BM", b"P2", b"P3", b"P5", b"P6", b"GIF8", *_TIFF_MAGIC)
_ORIENTATION_TAG = 0x0112
_TIFF_WIDTH_TAG, _TIFF_HEIGHT_TAG = 256, 257

# What Pillow and its codecs raise for damaged data; they have no common base class.
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, AttributeError,
    struct.error, zlib.error,
)  # fmt: skip


def load_photo(path: Path) -> Photo:
    """Read and decode one picture file, upright, as sRGB.

    Raises:
        UnreadableImage: missing, a folder, not permitted, empty, damaged, too large, too small or of an unknown format.
    """
    name = path.name or str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableImage(f"{name} is a folder, not a picture.", "Choose one picture inside it.")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage(f"{name} is not a file.", "Choose a picture file.")
        if status.st_size > MAX_FILE_BYTES:
            raise UnreadableImage(f"{name} is too large ({status.st_size / 1e6:.0f} MB).", "Save it as a JPEG first.")
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableImage(f"{name} does not exist.", "Check the name; perhaps the file was moved.") from error
    except PermissionError as error:
        raise UnreadableImage(f"{name} may not be read.", "Change its permissions, or copy it elsewhere.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise UnreadableImage(f"{name} cannot be read.", "Check the drive and the file's name.") from error
    return photo_from_bytes(data, name, path)


def photo_from_bytes(data: bytes, name: str, path: Path | None = None) -> Photo:
    """Decode the content of a picture file: one that was read already, or a paste from the clipboard.

    Raises:
        UnreadableImage: empty, damaged, too large, too small or of an unknown format.
    """
    if not data:
        raise UnreadableImage(f"{name} is empty (0 bytes).", "Copy or download it again.")
    with _decoding(name, data):
        image, notes = _decode(data, name)
    return Photo(image=image, name=name, path=path, sha256=hashlib.sha256(data).hexdigest(), warnings=tuple(notes))


def photo_from_array(rgb: ByteArray, name: str) -> Photo:
    """A photo of pixels that are decoded already, e.g. a webcam frame; the pixels are copied.

    Args:
        rgb: (H, W, 3) uint8 RGB, row 0 top.
        name: what to call it in messages and results.

    Raises:
        UnreadableImage: too large, or too small to hold a face.
    """
    height, width, _ = check("rgb", rgb, (None, None, 3), np.uint8).shape
    _check_size(width, height, name)
    image = np.array(rgb, order="C")
    notes: tuple[str, ...] = ()
    if max(width, height) > MAX_SIDE_PX:
        image, notes = resize_area(image, MAX_SIDE_PX / max(width, height)), (_reduced_note(width, height),)
    return Photo(image=image, name=name, path=None, sha256=hashlib.sha256(image.tobytes()).hexdigest(), warnings=notes)


def bgr_to_rgb(frame: npt.NDArray[Any]) -> ByteArray:
    """A camera or OpenCV picture, (H, W), (H, W, 3) BGR or (H, W, 4) BGRA uint8 -> (H, W, 3) uint8 RGB."""
    if frame.ndim == 2:
        return np.repeat(frame[:, :, None], 3, axis=2)
    return np.ascontiguousarray(frame[:, :, 2::-1])


def resize_area(rgb: ByteArray, scale: float) -> ByteArray:
    """Picture (H, W, ...) uint8 scaled by ``scale``: area averages when smaller, cubic when larger; at least 1 px."""
    import cv2

    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8)


def encode_jpeg(rgb: ByteArray, quality: int = 95) -> bytes:
    """(H, W, 3) uint8 RGB -> bytes of a JPEG file with full colour resolution."""
    import cv2

    check("rgb", rgb, (None, None, 3), np.uint8)
    full_colour = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    return _encoded(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality, *full_colour])


def encode_png(array: npt.NDArray[Any]) -> bytes:
    """(H, W) uint8 or uint16 grey, or (H, W, 3) uint8 or uint16 RGB -> bytes of a PNG file.

    The fastest level with the 'sub' filter: 0.3 s for 4096 x 4096 grey 16-bit, as small as the slower level 2.
    """
    import cv2

    if array.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"array: expected uint8 or uint16, got {array.dtype}")
    check("array", array, (None, None) if array.ndim == 2 else (None, None, 3), array.dtype)
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
    return _encoded(".png", array if array.ndim == 2 else array[:, :, ::-1], fast)


def _encoded(suffix: str, bgr: npt.NDArray[Any], options: list[int]) -> bytes:
    import cv2

    done, buffer = cv2.imencode(suffix, np.ascontiguousarray(bgr), options)
    if not done:
        raise ValueError(f"a {bgr.shape} {bgr.dtype} array cannot be written as {suffix}")
    return buffer.tobytes()


@contextmanager
def _decoding(name: str, data: bytes) -> Iterator[None]:
    """Turn what the codecs raise into one sentence, and keep their Python warnings from the user."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "corrupt EXIF" and the like: the picture is what counts
            yield
    except MemoryError as error:
        raise UnreadableImage(f"{name} needs more memory than there is.", "Reduce the picture first.") from error
    except _DECODE_ERRORS as error:
        if not (data.startswith(_MAGIC) or data[8:12] == b"WEBP" or _is_heif(data)):
            hint = f"Supported are {SUPPORTED_NAMES}."
            raise UnreadableImage(f"{name} is not a picture in a known format.", hint) from error
        ends_early = any(word in str(error).lower() for word in ("truncated", "end of", "eof", "not enough"))
        reason = "it ends early" if ends_early else "it cannot be decoded"
        raise UnreadableImage(f"{name} is damaged: {reason}.", "Copy or download it again.") from error


def _decode(data: bytes, name: str) -> tuple[ByteArray, list[str]]:
    """File content -> (H, W, 3) uint8 RGB upright, and sentences about what was changed."""
    image = _open(data, name)
    width, height = image.size
    _check_size(width, height, name)
    notes = []
    if image.format in _ANIMATED and getattr(image, "is_animated", False):
        notes.append(f"{name} is an animation; only its first frame is used.")
    elif image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        notes.append(f"{name} has several pages; only the first is used.")
    image.load()
    orientation = image.getexif().get(_ORIENTATION_TAG, 1)  # after loading: some formats are turned by their decoder
    frame = _eight_bit(image)
    if max(width, height) > MAX_SIDE_PX:
        notes.append(_reduced_note(width, height))
        scale = MAX_SIDE_PX / max(width, height)
        frame = frame.resize((round(width * scale), round(height * scale)), reducing_gap=2.0)
    frame = _srgb(frame, image.info.get("icc_profile"))
    frame, alpha_note = _flattened(frame)
    if alpha_note:
        notes.append(f"{name} {alpha_note}")
    return np.asarray(_upright(frame, orientation), np.uint8), notes


def _open(data: bytes, name: str) -> Picture:
    """Read the header only; formats outside the list are not tried."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # Pillow only warns below twice its limit; ours is checked right after opening
    formats: tuple[str, ...] = _PILLOW_FORMATS
    if _is_heif(data) and b"avif" not in data[8:64]:
        formats = _heif_formats()
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        if not data.startswith(_TIFF_MAGIC):
            raise
        return _open_tiff_with_opencv(data, name)


def _is_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


@functools.cache
def _heif_formats() -> tuple[str, ...]:
    """Teach Pillow the HEIF family; the name under which it is known then."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return ("HEIF",)


def _open_tiff_with_opencv(data: bytes, name: str) -> Picture:
    """TIFF layouts that Pillow does not know, such as colour in floating point."""
    import cv2
    from PIL import Image, TiffImagePlugin

    stream = io.BytesIO(data)
    directory = TiffImagePlugin.ImageFileDirectory_v2(stream.read(8))
    stream.seek(directory.next)
    directory.load(stream)
    _check_size(int(directory[_TIFF_WIDTH_TAG]), int(directory[_TIFF_HEIGHT_TAG]), name)
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise OSError("OpenCV cannot decode this TIFF") from error
    if decoded is None:
        raise OSError("OpenCV does not know this TIFF layout")
    return Image.fromarray(bgr_to_rgb(_float_to_bytes(np.asarray(decoded))))


def _check_size(width: int, height: int, name: str) -> None:
    """Refuse what is too large to decode safely or too small for a face.

    Raises:
        UnreadableImage: it is.
    """
    if width * height > MAX_PIXELS:
        megapixels = f"{width} x {height} px = {width * height / 1e6:.0f} megapixels"
        hint = f"Reduce it to {MAX_PIXELS / 1e6:.0f} megapixels or less, or crop it to the face."
        raise UnreadableImage(f"{name} is too large: {megapixels}.", hint)
    shrink = min(1.0, MAX_SIDE_PX / max(width, height, 1))
    if min(width, height) * shrink < MIN_SIDE_PX:
        kind = "small" if min(width, height) < MIN_SIDE_PX else "narrow"
        sentence = f"{name} is too {kind} to hold a face: {width} x {height} px."
        raise UnreadableImage(sentence, "Use a photo in which the face is at least 200 px wide.")


def _reduced_note(width: int, height: int) -> str:
    return f"The photo was reduced from {width} x {height} px to {MAX_SIDE_PX} px on its long side."


def _eight_bit(image: Picture) -> Picture:
    """Any mode -> L, RGB, RGBA or CMYK with 8 bits."""
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PPM", "PNG")):
        to_bytes = np.rint(np.arange(65536) / 257).astype(np.uint8)
        return Image.fromarray(to_bytes[np.clip(np.asarray(image), 0, 65535)])
    if image.mode in ("I", "F"):
        return Image.fromarray(_float_to_bytes(np.asarray(image)))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _float_to_bytes(values: npt.NDArray[Any]) -> ByteArray:
    """Numbers of unstated range -> uint8: white is 1, 255, 65535 or the maximum, whichever is the first to hold all."""
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(finite.max())
    is_float = values.dtype.kind == "f"
    white = next((w for w in (1.0, 255.0, 65535.0) if top <= w * 1.001 and (w > 1.0 or is_float)), top)
    return np.asarray(np.rint(np.clip(finite, 0.0, white) * (255.0 / white)), np.uint8)


def _srgb(image: Picture, profile: bytes | None) -> Picture:
    """Apply an embedded colour profile (phones: Display P3; print: CMYK); a broken or unfitting one is ignored.

    Returns:
        A picture in mode L, RGB or RGBA.
    """
    from PIL import ImageCms

    if profile and image.mode != "L":
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                colour = image.convert("RGB") if image.mode == "RGBA" else image
                managed = ImageCms.profileToProfile(colour, source, _srgb_profile(), outputMode="RGB")
                if managed is not None:
                    if image.mode == "RGBA":
                        managed.putalpha(image.getchannel("A"))
                    return managed
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB") if image.mode == "CMYK" else image


@functools.cache
def _srgb_profile() -> Any:
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")


def _flattened(image: Picture) -> tuple[Picture, str]:
    """Mode RGB on white, and the end of a sentence where something really was transparent."""
    from PIL import Image

    if image.mode != "RGBA":
        return image.convert("RGB"), ""
    alpha = image.getchannel("A")
    low, high = alpha.getextrema()
    if low == 255:
        return image.convert("RGB"), ""
    if high == 0:  # a fourth channel that means something else: showing the colours beats a white page
        return image.convert("RGB"), "is wholly transparent; its transparency was ignored."
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image.convert("RGB"), mask=alpha)
    return white, "has transparent parts; they were filled with white."


def _upright(image: Picture, orientation: int) -> Picture:
    """Undo the EXIF orientation 1..8; other values count as 1."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation)
    return image if turn is None else image.transpose(turn)
