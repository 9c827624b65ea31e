"""Regions drawn on the CPU: stretches of one label, inside or on its contour, are one sum over their bytes.

Two planes of bits say where a label differs from the one to the left and from the one above. A pixel p is
on an edge exactly where one of these changes is near: walk from p along its row and then along the column to
a pixel q of the disc that has another label; somewhere on the way the label changes, and since the disc is
round, every pixel of that way is in it. So a change between rows k - 1 and k further on reaches as far to
both sides as the disc is wide k rows from its middle, and a change within the row reaches all the way. All
of them are widened together, by one pixel at a time: those that reach far join early, the others later.
"""

from math import isqrt

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._runs import changes
from som_kernels._threads import in_parts
from som_kernels._words import first_bit, span_bits
from som_kernels.overlay_labels.lanes import BLOCK, mix_block, unlike

__all__ = ["overlay_labels"]

Words = npt.NDArray[np.uint32]
Labels = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


def overlay_labels(
    image: torch.Tensor, labels: torch.Tensor, colors: torch.Tensor, keep: int, line_px: int
) -> torch.Tensor:
    """See `som_kernels.overlay_labels`; `keep` of 256 parts of the picture stay under the tint."""
    h, w = labels.shape
    pixels = np.ascontiguousarray(image.numpy()).reshape(-1)
    flat = np.ascontiguousarray(labels.numpy()).reshape(-1)
    # What is added to each channel and what is kept of it: of a label's inside, then of its contour.
    table = np.full((len(colors) + 1, 2, 4), 128, np.uint16)
    table[0, :, 3], table[1:, 0, 3], table[1:, 1, 3] = 256, keep, 0
    table[1:, :, :3] += colors.numpy()[:, None] * (256 - table[1:, :, 3:])
    mixes = table.view(np.uint64).reshape(-1)
    # Rows without changes above and below the picture, and a word at both ends of each row.
    margin = max(line_px, 1)
    planes = np.zeros((3, h + 2 * margin, (w + 31) // 32 + 2), np.uint32)
    widths = np.array([isqrt(line_px**2 - dy**2) for dy in range(line_px + 1)], np.int64)
    drawn = np.empty((h, w, 3), np.uint8)
    out = drawn.reshape(-1)
    in_parts(lambda begin, end: _compare(flat, w, begin, end, margin, planes), h, least=64)
    in_parts(lambda begin, end: _draw(pixels, flat, w, mixes, widths, planes, begin, end, out), h, least=64)
    return torch.from_numpy(drawn)


@compiled
def _compare(labels: Labels, w: int, begin: int, end: int, margin: int, planes: Words) -> None:
    """Set the bits of rows `begin` to `end`: another label to the left, another above, a region."""
    nothing = np.zeros(32, np.int32)
    for y in range(begin, end):
        left, above, region = planes[0, y + margin], planes[1, y + margin], planes[2, y + margin]
        start = y * w
        for k in range(1, w // 32 + 1):
            at = start + 32 * (k - 1)
            # All read before one is written: what is read twice then stays in registers.
            to_left = changes(labels, at) if at > 0 else _first(labels)
            to_above = unlike(labels, at, labels, at - w if y > 0 else at)
            marked = unlike(labels, at, nothing, 0)
            left[k], above[k], region[k] = to_left, to_above, marked
        left[1] &= ~np.uint32(1)  # nothing is to the left of the first pixel
        for x in range(w // 32 * 32, w):
            at, k, bit = start + x, x // 32 + 1, np.uint32(1) << np.uint32(x % 32)
            if x > 0 and labels[at] != labels[at - 1]:
                left[k] |= bit
            if y > 0 and labels[at] != labels[at - w]:
                above[k] |= bit
            if labels[at] != 0:
                region[k] |= bit


@compiled
def _first(labels: Labels) -> np.uint32:
    """What `changes` would say of the first 32 labels, before which there is nothing to be read."""
    word = np.uint32(0)
    for i in range(1, 32):
        if labels[i] != labels[i - 1]:
            word |= np.uint32(1) << np.uint32(i)
    return word


@compiled
def _draw(
    image: Bytes,
    labels: Labels,
    w: int,
    mixes: npt.NDArray[np.uint64],
    widths: npt.NDArray[np.int64],
    planes: Words,
    begin: int,
    end: int,
    out: Bytes,
) -> None:
    """Draw rows `begin` to `end`."""
    line = len(widths) - 1
    margin, n_words = max(line, 1), planes.shape[2]
    edge, spare = np.zeros(n_words, np.uint32), np.zeros(n_words, np.uint32)
    ends = np.empty(w, np.int32)
    for y in range(begin, end):
        row = y + margin
        left, region = planes[0, row], planes[2, row]
        if line:
            _edges(planes, row, widths, edge, spare)
        n_stretches = _stretches(left, edge, w, ends)
        _tint(image, out, y * w, w, labels, edge, mixes, ends[:n_stretches])
        if line:
            _near(planes[2, row - 1], region, planes[2, row + 1], edge)
            _widen(edge, spare)
            _darken(image, out, y * w, w, spare, region)


@compiled
def _stretches(left: Words, edge: Words, w: int, ends: npt.NDArray[np.int32]) -> int:
    """Find the stretches of a row of one label, all on the contour or all not: their ends and how many."""
    n = 0
    for k in range(1, len(left) - 1):
        before = np.uint32(edge[k] << np.uint32(1) | edge[k - 1] >> np.uint32(31))  # not 64 bits wide
        word = (left[k] | edge[k] ^ before) & span_bits(k - 1, 1, w)
        while word:
            ends[n] = 32 * (k - 1) + first_bit(word)
            n += 1
            word &= word - np.uint32(1)
    ends[n] = w
    return n + 1


@compiled
def _tint(
    image: Bytes,
    out: Bytes,
    start: int,
    w: int,
    labels: Labels,
    edge: Words,
    mixes: npt.NDArray[np.uint64],
    ends: npt.NDArray[np.int32],
) -> None:
    """Write the stretches of the row of `w` pixels that begins at pixel `start`.

    Up to 15 pixels behind a short one come out wrong; they are written by those that follow.
    """
    x0 = 0
    for x1 in ends:
        lined = edge[x0 // 32 + 1] >> np.uint32(x0 % 32) & np.uint32(1)
        mix = mixes[2 * labels[start + x0] + lined]
        if x0 + BLOCK <= w:
            last = 3 * (start + max(x0, x1 - BLOCK))
            for p in range(3 * (start + x0), last, 3 * BLOCK):
                mix_block(image, out, p, mix)
            mix_block(image, out, last, mix)
        else:
            keep = np.uint32(mix >> np.uint64(48))
            for i in range(3 * (x1 - x0)):
                add = np.uint32((mix >> np.uint64(16 * (i % 3))) & np.uint64(0xFFFF))
                p = 3 * (start + x0) + i
                out[p] = (image[p] * keep + add) >> np.uint32(8)
        x0 = x1


@compiled
def _darken(image: Bytes, out: Bytes, start: int, w: int, near: Words, region: Words) -> None:
    """Write the seam of the row that begins at pixel `start`: ground near a region."""
    for k in range(1, len(near) - 1):
        word = near[k] & ~region[k] & span_bits(k - 1, 0, w)
        while word:
            at = 3 * (start + 32 * (k - 1) + first_bit(word))
            for p in range(at, at + 3):
                out[p] = (np.uint32(9) * image[p] + np.uint32(10)) // np.uint32(20)
            word &= word - np.uint32(1)


@compiled
def _edges(planes: Words, row: int, widths: npt.NDArray[np.int64], edge: Words, spare: Words) -> None:
    """Fill in which pixels of a row are of a region and have another label in the disc."""
    line = len(widths) - 1
    left, region = planes[0, row], planes[2, row]
    here, after, out = left[:-1], left[1:], edge[:-1]
    for k in range(len(out)):  # both pixels at a change within the row
        out[k] = here[k] | here[k] >> np.uint32(1) | after[k] << np.uint32(31)
    dy = 1
    for width in range(line - 1, -1, -1):
        while dy <= line and widths[dy] == width:
            below, above = planes[1, row + dy], planes[1, row - dy + 1]
            for k in range(len(edge)):
                edge[k] |= below[k] | above[k]
            dy += 1
        if width > 0:
            _widen(edge, spare)
            edge[:] = spare
    for k in range(len(edge)):
        edge[k] &= region[k]


@compiled
def _near(above: Words, here: Words, below: Words, out: Words) -> None:
    """The bits set in one of three rows."""
    for k in range(len(out)):
        out[k] = above[k] | here[k] | below[k]


@compiled
def _widen(words: Words, out: Words) -> None:
    """The bits set in a row of words, and those beside them; its first and its last word are margins."""
    before, here, after, inner = words[:-2], words[1:-1], words[2:], out[1:-1]
    for k in range(len(inner)):
        beside = here[k] << np.uint32(1) | here[k] >> np.uint32(1)
        inner[k] = here[k] | beside | before[k] >> np.uint32(31) | after[k] << np.uint32(31)
