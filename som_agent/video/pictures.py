"""Still pictures, in and out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from som_agent.errors import InputError, OutputError, first_line
from som_agent.video.frame import Image
from som_agent.video.kinds import check_regular
from som_agent.video.output import moved_into_place, part_file
from som_agent.video.readers import Reader, UnreadableError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["PictureReader", "check_pixels", "picture_size", "read_image", "write_image"]

# What Pillow raises for files that are not pictures, or broken ones.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)

_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 turn the picture by a quarter


def read_image(path: str | Path) -> Image:
    """Read a picture as viewers show it.

    Turned as its EXIF orientation says. Grey and palette pictures become RGB, 16-bit ones are scaled to
    8 bits (65535 becomes 255), transparent pixels lie on white, and of several pages the first is taken.

    Returns:
        `[H, W, 3] uint8` RGB.

    Raises:
        InputError: there is no such picture, or it cannot be read.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    check_regular(path)
    try:
        with Pillow.open(path) as picture:
            return _as_rgb(ImageOps.exif_transpose(picture))
    except FileNotFoundError as error:
        raise InputError(f"no such file: {path}") from error
    except (*_BROKEN, Pillow.DecompressionBombError) as error:
        raise InputError(f"{path} is not a picture that can be read: {_reason(error, path)}") from error


def picture_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a picture as `read_image` gives it, from its header alone.

    Raises:
        InputError: it is no picture, or its header is broken.
    """
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as picture:
            w, h = picture.size
            # Asking a PNG for EXIF that it does not announce would decode it.
            turned = ("exif" in picture.info or picture.format == "TIFF") and picture.getexif().get(
                _ORIENTATION
            )
    except (*_BROKEN, Pillow.DecompressionBombError) as error:
        raise InputError(f"{path} is not a picture that can be read: {_reason(error, path)}") from error
    return (h, w) if turned in {5, 6, 7, 8} else (w, h)


def write_image(path: str | Path, image: Image) -> Path:
    """Write a picture; it appears under its name only when it is whole.

    Args:
        path: ends in .png, .jpg or .jpeg (quality 95).
        image: `[H, W, 3] uint8` RGB.

    Returns:
        The path.

    Raises:
        OutputError: it cannot be written there, or the ending is not known.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".png", ".jpg", ".jpeg"}:
        raise OutputError(f"cannot write {path}: known endings of pictures are .png, .jpg and .jpeg")
    part = part_file(path)
    try:
        # Encoded in memory: OpenCV cannot open every path that the file system can.
        options = [] if suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 95]
        part.write_bytes(cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes())
        moved_into_place(part, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def check_pixels(path: Path, size: tuple[int, int], max_pixels: int) -> None:
    """Refuse a picture that is too large, before it is decoded.

    Raises:
        InputError: it has more pixels than `max_pixels`.
    """
    w, h = size
    if w * h > max_pixels:
        raise InputError(f"{path} has {w}x{h} pixels, more than the {max_pixels} of a frame that are allowed")


class PictureReader(Reader):
    """One picture as a source of one frame, without a clock."""

    fps = None
    duration = None
    missing = ""
    expected = 1

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        self._path = path
        if max_pixels is not None:
            check_pixels(path, picture_size(path), max_pixels)
        image = read_image(path)
        self.size = (image.shape[1], image.shape[0])
        self.times = np.zeros(1)

    def read(self, indices: range) -> Iterator[tuple[int, Image]]:
        """The picture, if it is asked for."""
        for i in indices:
            try:
                yield i, read_image(self._path)
            except InputError as error:
                raise UnreadableError("is damaged", after=-1) from error

    def stem(self, index: int) -> str:
        """The picture's own."""
        return self._path.stem


def _as_rgb(picture: Picture) -> Image:
    from PIL import Image as Pillow

    if picture.mode == "I" or picture.mode.startswith("I;16"):
        deep = np.asarray(picture).astype(np.int64)
        if deep.min() < 0 or deep.max() > 65535:
            raise ValueError(f"its values go from {deep.min()} to {deep.max()}, more than 16 bits")
        return np.repeat(((deep * 255 + 32767) // 65535).astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Pillow.new("RGB", layer.size, "white")
        picture.paste(layer, mask=layer.getchannel("A"))
    return np.array(picture.convert("RGB"))


def _reason(error: Exception, path: str | Path) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        file = Path(path)
        return (
            "it is empty (0 bytes)"
            if file.stat().st_size == 0
            else "its content is of no known picture format"
        )
    return error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
