"""Files that are small and claim to be huge, made byte by byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

__all__ = ["gif", "mjpeg", "mp4", "png_header", "tiff_header"]


def png_header(path: Path, width: int, height: int) -> Path:
    """A PNG that ends after it has said how large it is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    )
    return path


def tiff_header(path: Path, width: int, height: int) -> Path:
    """A TIFF of one strip that holds nothing like so many pixels."""
    tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, 8),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4))
    return path


def gif(path: Path, width: int, height: int, frames: int) -> Path:
    """A GIF whose frames each change one pixel, a tenth of a second apart: some 25 bytes a frame."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\0\x0a\0\0\0" + b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0"
    path.write_bytes(head + frame * frames + b"\x3b")
    return path


def mjpeg(path: Path, sizes: list[tuple[int, int]]) -> Path:
    """JPEGs in a row, each of its own size: a video whose frames grow on the way."""
    with path.open("wb") as file:
        for width, height in sizes:
            file.write(cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1].tobytes())
    return path


def mp4(path: Path, frames: int, seconds: float, size: tuple[int, int] = (64, 64)) -> Path:
    """An mp4 of one JPEG, whose index claims so many frames in so many seconds."""
    jpeg = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))[1].tobytes()
    w, h = size
    rate = 1000
    length = round(seconds * rate)

    def box(name: bytes, *parts: bytes) -> bytes:
        data = b"".join(parts)
        return struct.pack(">I", 8 + len(data)) + name + data

    def full(name: bytes, *parts: bytes) -> bytes:
        return box(name, bytes(4), *parts)

    ftyp = box(b"ftyp", b"qt  ", bytes(4), b"qt  ")
    matrix = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = full(b"mvhd", struct.pack(">IIII", 0, 0, rate, length), bytes(16), matrix, bytes(24), b"\0\0\0\2")
    tkhd = box(
        b"tkhd",
        struct.pack(">IIIIII", 7, 0, 0, 1, 0, length),
        bytes(16),
        matrix,
        struct.pack(">II", w << 16, h << 16),
    )
    mdhd = full(b"mdhd", struct.pack(">IIIII", 0, 0, rate, length, 0))
    hdlr = full(b"hdlr", b"mhlrvide", bytes(13))
    entry = bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HH", w, h)
    entry += struct.pack(">IIIH", 0x480000, 0x480000, 0, 1) + bytes(32) + struct.pack(">Hh", 24, -1)
    head = len(ftyp) + 8

    stbl = box(
        b"stbl",
        full(b"stsd", struct.pack(">I", 1), box(b"jpeg", entry)),
        full(b"stts", struct.pack(">III", 1, frames, max(1, length // frames))),
        full(b"stsc", struct.pack(">IIII", 1, 1, frames, 1)),
        full(b"stsz", struct.pack(">II", len(jpeg), frames)),
        full(b"stco", struct.pack(">II", 1, head)),
    )
    dinf = box(b"dinf", full(b"dref", struct.pack(">I", 1), struct.pack(">I", 12) + b"url \0\0\0\1"))
    minf = box(b"minf", full(b"vmhd", bytes(8)), dinf, stbl)
    moov = box(b"moov", mvhd, box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, minf)))
    path.write_bytes(ftyp + box(b"mdat", jpeg) + moov)
    return path
