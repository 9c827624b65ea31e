"""The embedded propagator: objects through a video without a segmenter and without weights.

Each object competes with the others and the background for every pixel near it. Its odds come from what
was there a frame ago (by the flow, and by the object's own motion), from its looks when it was given, from
its colours against those around it, from its remembered shape, and from whether the pixel moves with it.
What is hidden keeps moving as it last did, and is looked for farther and farther around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from som_agent.errors import InputError
from som_agent.regions import BoolArray, IntArray, Regions
from som_agent.tracking.propagators.base import Propagated
from som_agent.tracking.propagators.flow.carried import Carried, carry, learn, new_carried
from som_agent.tracking.propagators.flow.coarse import HALF, pooled, refined
from som_agent.tracking.propagators.flow.looks import (
    FAST_FLOW_SIDE_PX,
    FLOW_SIDE_PX,
    SIDE_PX,
    Looks,
    flow_between,
)
from som_agent.tracking.propagators.flow.owners import claim, count_owned, enlarged, settle
from som_agent.tracking.propagators.flow.wholes import inside, own_pixels
from som_agent.video.frame import Frame, Image
from som_kernels._threads import in_parts, together

__all__ = ["FlowPropagator"]

FEW = 4
"""Objects that are worth waking a thread for."""
MANY = 12
"""Objects from which on the flow is computed on a smaller picture, and large ones are followed in one."""
LARGE_PX = 48
"""Square root of the area from which an object is large."""
LEAST_PX, LEAST_SHARE = 4, 0.02
"""Pixels, and share of its remembered size, from which an object is seen and not hidden."""


class FlowPropagator:
    """Objects of the frames before → the same objects in the next frame; see `Propagator`.

    Works on frames of at most `SIDE_PX`; results are at the frames' size. The same frames and masks give the
    same results, bit for bit.
    """

    name = "flow"

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._now: Looks | None = None
        self._ids: list[int] = []
        self._pieces: dict[int, Carried] = {}  # what is no one's part; a whole of parts alone has none
        self._parts: dict[int, set[int]] = {}
        self._owners: IntArray = np.zeros((0, 0), np.int32)

    def fresh(self) -> FlowPropagator:
        """See `Propagator.fresh`."""
        return FlowPropagator()

    def step(self, frame: Frame) -> Propagated:
        """Carry the objects into the next frame; see `Propagator.step`.

        Raises:
            InputError: the frame is of another size than those before.
        """
        h, w = frame.image.shape[:2]
        if self._size is None:
            self._size = (w, h)
        if self._size != (w, h):
            raise InputError(f"frame {frame.index} is {w}x{h} px, those before are {_by(self._size)} px")
        side = FLOW_SIDE_PX if len(self._pieces) <= MANY else FAST_FLOW_SIDE_PX
        now, before = Looks(_working(frame.image), side), self._now
        self._now = now
        if before is None or not self._pieces:
            self._owners = np.zeros(now.fine.shape, np.int32)
            return self._seen()
        pieces = list(self._pieces.values())
        scales = {piece.scale for piece in pieces}
        flow, _ = together(
            lambda: flow_between(now.fine, before.fine), lambda: [now.at(scale) for scale in scales]
        )
        past = {1: (now.fine, before.fine, flow, self._owners)}
        if HALF in scales:
            half_flow = np.ascontiguousarray(flow[::HALF, ::HALF]) / np.float32(HALF)
            half_owners = np.ascontiguousarray(self._owners[::HALF, ::HALF])
            past[HALF] = (now.at(HALF), before.at(HALF), half_flow, half_owners)
        total, most = np.zeros(now.fine.shape, np.float32), np.ones(now.fine.shape, np.float32)
        owners = np.zeros(now.fine.shape, np.int32)
        shares = [piece.soft for piece in pieces]  # of the pixels of working size

        def carried(begin: int, end: int) -> None:
            for k, piece in enumerate(pieces[begin:end], begin):
                carry(piece, *past[piece.scale])
                shares[k] = piece.soft
                if piece.scale == HALF:
                    shares[k] = refined(piece.soft, piece.corner, now.fine.lab, now.at(HALF).lab)

        def learnt(begin: int, end: int) -> None:
            for k, piece in enumerate(pieces[begin:end], begin):
                settle(shares[k], corners[k], total)
                if piece.scale == HALF:
                    piece.soft = pooled(shares[k], *piece.soft.shape)
                learn(piece, now.at(piece.scale))

        in_parts(carried, len(pieces), least=FEW)
        corners = [(piece.scale * piece.corner[0], piece.scale * piece.corner[1]) for piece in pieces]
        for piece, share, corner in zip(pieces, shares, corners, strict=True):
            claim(share, corner, piece.number, total, most, owners)
        in_parts(learnt, len(pieces), least=FEW)
        self._owners = owners
        self._hide_specks()
        return self._seen()

    def put(self, ids: Sequence[int], masks: BoolArray) -> None:
        """Add or correct objects; see `Propagator.put`.

        Where they overlap, each pixel goes to the smallest; what lies in another object is a part of it and
        stays in its region. They take pixels from those that were there, but not from their own parts.

        Raises:
            InputError: there is no frame yet, or a mask is empty or not of its size.
        """
        w, h = self._checked(ids, masks)
        given = {int(number): _shrunk(mask, (w, h)) for number, mask in zip(ids, masks, strict=True)}
        for number in given:
            self._forget(number)
        areas, shared = self._overlaps(given)
        for number in given:
            self._parts[number] = set()
            for other in areas:
                if other == number:
                    continue
                # Of two of one size the one that was there before is the whole.
                larger = (areas[other], other not in given) > (areas[number], False)
                whole, part = (other, number) if larger else (number, other)
                if inside(shared[number, other], areas[part]):
                    self._parts.setdefault(whole, set()).add(part)
        own = own_pixels(given)
        for number in own:
            for part in self._parts[number] - set(given):
                own[number] = own[number] & ~self._mask(part)
        for number, uncovered in own.items():
            if uncovered.any():
                self._take(uncovered)
                self._pieces[number] = self._new(uncovered, len(given))
        self._ids += list(given)

    def drop(self, ids: Sequence[int]) -> None:
        """Forget objects; what was a part goes back to the smallest whole. See `Propagator.drop`."""
        for number in ids:
            if number not in self._ids:
                continue
            left = self._mask(number) if number in self._pieces else None
            wholes = [whole for whole, parts in self._parts.items() if number in parts]
            own_parts = self._parts.get(number, set())
            self._forget(number)
            if left is None or not wholes or self._now is None:
                continue
            whole = min(wholes, key=lambda k: np.count_nonzero(self._mask(k)))
            for part in own_parts & set(self._ids):
                left &= ~self._mask(part)
            if whole in self._pieces:
                left |= self._owners == self._pieces[whole].number
            if left.any():
                self._pieces[whole] = self._new(left)

    def _new(self, mask: BoolArray, beside: int = 0) -> Carried:
        """An object in the newest frame, `beside` others that are put there too; the pixels become its."""
        assert self._now is not None
        used = {piece.number for piece in self._pieces.values()}
        number = next(number for number in range(1, len(used) + 2) if number not in used)
        many = len(self._pieces) + beside > MANY
        scale = HALF if many and np.count_nonzero(mask) >= LARGE_PX**2 else 1
        now = self._now.at(scale)
        self._owners[mask] = number
        return new_carried(number, _shrunk(mask, now.shape[::-1]), now, scale)

    def _overlaps(self, given: Mapping[int, BoolArray]) -> tuple[dict[int, int], dict[tuple[int, int], int]]:
        """Pixels of each object in sight, those of `given` included, and of each of `given` with each of all.

        Args:
            given: objects that are not there yet, and their masks at working size, `[h, w] bool`.
        """
        most = max((piece.number for piece in self._pieces.values()), default=0)
        rows = {number: self._row(number, most) for number in self._ids}
        counts = count_owned(self._owners, most)
        areas = {number: int(counts[row].sum()) for number, row in rows.items() if counts[row].any()}
        shared: dict[tuple[int, int], int] = {}
        for number, mask in given.items():
            counts = np.bincount(self._owners[mask], minlength=most + 1)
            shared |= {(number, other): int(counts[rows[other]].sum()) for other in areas}
        pairs = {(a, b): int(np.count_nonzero(given[a] & given[b])) for a in given for b in given if a <= b}
        shared |= pairs | {(b, a): count for (a, b), count in pairs.items()}
        return areas | {number: pairs[number, number] for number in given}, shared

    def _checked(self, ids: Sequence[int], masks: BoolArray) -> tuple[int, int]:
        """The working size, width and height."""
        if self._now is None or self._size is None:
            raise InputError("objects are put into the frame of the last step: there is none yet")
        w, h = self._size
        if masks.shape != (len(ids), h, w):
            raise InputError(
                f"{len(ids)} masks of {_by(self._size)} px are needed, got an array {masks.shape}"
            )
        for number, mask in zip(ids, masks, strict=True):
            if number < 1 or not mask.any():
                raise InputError(f"object {number}: numbers count from 1, and a mask must not be empty")
        h, w = self._now.fine.shape
        return w, h

    def _forget(self, number: int) -> None:
        piece = self._pieces.pop(number, None)
        if piece is not None:
            self._owners[self._owners == piece.number] = 0
        self._ids = [kept for kept in self._ids if kept != number]
        self._parts.pop(number, None)
        for parts in self._parts.values():
            parts.discard(number)

    def _take(self, mask: BoolArray) -> None:
        """Take pixels `[h, w] bool` from all pieces."""
        for piece in self._pieces.values():
            x, y = piece.corner
            m, n = piece.soft.shape
            taken = mask[:: piece.scale, :: piece.scale][y : y + m, x : x + n]
            piece.soft = np.where(taken, np.float32(0), piece.soft)

    def _mask(self, number: int) -> BoolArray:
        """Where an object is in the working picture, `[h, w] bool`."""
        most = max((piece.number for piece in self._pieces.values()), default=0)
        return np.asarray(self._row(number, most)[self._owners])

    def _row(self, number: int, most: int) -> BoolArray:
        """Which numbers in the map of owners are an object, `[most + 1] bool`."""
        row = np.zeros(most + 1, bool)
        row[[self._pieces[k].number for k in self._all_parts(number) if k in self._pieces]] = True
        return row

    def _all_parts(self, number: int) -> set[int]:
        """An object, its parts and theirs."""
        found, open_ones = {number}, [number]
        while open_ones:
            more = self._parts.get(open_ones.pop(), set()) - found
            found |= more
            open_ones += more
        return found

    def _hide_specks(self) -> None:
        """Objects of which next to nothing is seen are hidden."""
        counts = count_owned(self._owners, max(piece.number for piece in self._pieces.values()))
        for piece in self._pieces.values():
            least = max(LEAST_PX, LEAST_SHARE * (piece.scale * piece.size_px) ** 2)
            if 0 < counts[piece.number] < least:
                self._owners[self._owners == piece.number] = 0

    def _seen(self) -> Propagated:
        """What is seen in the newest frame, at its size."""
        if self._size is None:
            raise InputError("there is no frame yet")
        most = max((piece.number for piece in self._pieces.values()), default=0)
        atoms = (
            self._owners if self._owners.shape == self._size[::-1] else enlarged(self._owners, *self._size)
        )
        visible = count_owned(atoms, most) > 0
        ids, rows, scores = [], [], []
        for number in self._ids:
            row = self._row(number, most)
            if not (row & visible).any():
                continue
            pieces = [self._pieces[k] for k in self._all_parts(number) if k in self._pieces]
            first = [self._pieces[number]] if number in self._pieces else pieces
            ids.append(number)
            rows.append(row)
            scores.append(sum(piece.sureness for piece in first) / len(first))
        sure = np.array(scores, np.float32)
        members = np.array(rows, bool).reshape(len(ids), most + 1)
        return Propagated(Regions.from_atoms(atoms, members, scores=sure), np.array(ids, np.int32), sure)


def _working(image: Image) -> Image:
    """A picture at working size; down to a half by bilinear interpolation, a fifth of the time."""
    h, w = image.shape[:2]
    scale = SIDE_PX / max(h, w)
    if scale >= 1:
        return image
    method = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
    return np.asarray(
        cv2.resize(image, (round(w * scale) or 1, round(h * scale) or 1), interpolation=method), np.uint8
    )


def _shrunk(mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    """A mask at working size: pixels of which it covers half; the fullest ones where there are none."""
    if mask.shape == (size[1], size[0]):
        return mask
    covered = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(covered >= min(0.5, float(covered.max())))


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
