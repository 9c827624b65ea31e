"""Little videos with a known picture for every frame, made by the real encoders."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def scene(i: int, w: int, h: int) -> np.ndarray:
    """Frame `i`: bars of its number's bits along the top, one colour a corner to tell a turned picture."""
    image = np.full((h, w, 3), 96, np.uint8)
    for bit in range(8):
        image[: h // 3, bit * w // 8 : (bit + 1) * w // 8] = 230 if i >> bit & 1 else 25
    image[2 * h // 3 :, : w // 3] = (220, 30, 30)
    image[2 * h // 3 :, 2 * w // 3 :] = (30, 30, 220)
    return image


def number_of(image: np.ndarray) -> int:
    """The frame number that `scene` painted."""
    h, w = image.shape[:2]
    cells = [image[h // 12 : h // 4, bit * w // 8 + 2 : (bit + 1) * w // 8 - 2] for bit in range(8)]
    return sum((float(cell.mean()) > 128) << bit for bit, cell in enumerate(cells))


def make_clip(
    path: Path,
    times: Sequence[float] | int = 30,
    size: tuple[int, int] = (96, 64),
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    form: str | None = None,
    gop: int = 12,
    faststart: bool = False,
    paint: Callable[[int, int, int], np.ndarray] = scene,
    **options: str,
) -> Path:
    """Encode `scene` frames, at 30 fps or at the given times (whole milliseconds)."""
    times = [i / 30 for i in range(times)] if isinstance(times, int) else times
    flags = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", format=form, options=flags) as container:
        stream = container.add_stream(codec, rate=30, options={"crf": "12", **options})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.gop_size = gop
        unit = Fraction(1, 30 if codec == "mpeg4" else 90_000)
        stream.codec_context.time_base = unit
        for i, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(paint(i, *size), format="rgb24")
            frame.pts, frame.time_base = round(time / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, degrees: int) -> Path:
    """Write a rotation (clockwise on display) into the track header of an mp4."""
    data = bytearray(path.read_bytes())
    body = data.index(b"tkhd") + 4
    matrix = body + (52 if data[body] else 40)
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", a * one, b * one, 0, -b * one, a * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def trim_start(source: Path, target: Path, frames: int) -> Path:
    """Copy an mp4 so that its first frames are decoded but not shown (an edit list)."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        shift = round(Fraction(frames, 30) / stream.time_base)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                made.mux(packet)
    return target


def make_sound(path: Path) -> Path:
    """A second of silence, and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        for i in range(16):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def clips() -> type:
    """The makers above, for tests: conftest modules cannot be imported by name."""

    class Clips:
        make = staticmethod(make_clip)
        make_sound = staticmethod(make_sound)
        number_of = staticmethod(number_of)
        scene = staticmethod(scene)
        trim_start = staticmethod(trim_start)
        turn = staticmethod(turn)

    return Clips
