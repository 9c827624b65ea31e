"""Relations between marks as truth values per row of a `Table`."""

from __future__ import annotations

import numpy as np

from som_agent.grounding.attributes.table import Bools, Floats, Ints, Table

__all__ = ["compare", "distances", "related"]

_NEAR = 0.05  # of the diagonal, between boxes
_TOUCH = 0.004  # of the diagonal, between masks
_INSIDE = 0.9  # of the inner mask

# "Left of the red marks" means of each of them; the other relations mean to any of them.
_EACH_OF = ("left of", "right of", "above", "below")


def _row_at(table: Table, owner: int, rows: Bools) -> Ints:
    """Row of a mark at each frame, `[F] int64`; -1 where it has none among `rows`."""
    at = np.full(len(table.clock), -1, np.int64)
    own = np.flatnonzero(rows & (table.owner == owner))
    at[table.frame[own]] = own
    return at


def related(table: Table, kind: str, base: Bools, to: Bools) -> Bools:
    """Where rows of `base` are in a relation to rows of `to`, of the same frame and another mark.

    `left of`: the centre is left of the other's left side, and the right side left of the other's centre;
    `right of`, `above` and `below` alike. `near`: the boxes are less than 5 % of the diagonal apart.
    `nearest to`, `farthest from`: by distance of the box centres. `touching`: the masks come within 0.4 % of
    the diagonal; `overlapping`: they share pixels. `inside`: 90 % of the mask lies in the other one with its
    holes filled; `around`: the other way round. Masks are compared in some frames spread over the rows, and
    what is found holds until the next.
    """
    owners = np.unique(table.owner[to])
    if kind in ("nearest to", "farthest from"):
        return _extreme(table, base, to, owners, 1 if kind == "farthest from" else -1)
    if kind == "between":
        return _between(table, base, to, owners)
    if kind == "colored like":
        return _colored_like(table, base, owners)
    test = _masks_related if kind in ("touching", "overlapping", "inside", "around") else _boxes_related
    every = kind in _EACH_OF
    held = np.zeros(len(table), bool)
    denied = np.zeros(len(table), bool)
    for owner in owners:
        rows, others = _pairs(table, base, to, int(owner))
        truth = test(table, kind, rows, others, len(owners))
        held[rows[truth]] = True
        denied[rows[~truth]] = True
    return held & ~denied if every else held


def distances(table: Table, base: Bools, to: Bools) -> tuple[Ints, Floats]:
    """Rows of `base` and their distance in pixels to the nearest row of `to` in the frame, by centres."""
    best = np.full(len(table), np.inf)
    for owner in np.unique(table.owner[to]):
        rows, others = _pairs(table, base, to, int(owner))
        away = np.hypot(*(table.centres[rows] - table.centres[others]).T)
        best[rows] = np.minimum(best[rows], away)
    rows = np.flatnonzero(np.isfinite(best))
    return rows, best[rows]


def compare(values: Floats, table: Table, sign: int, base: Bools, to: Bools) -> Bools:
    """Marks of `base` whose value, `[M]`, is above (or below) that of each mark of `to`."""
    owners = np.unique(table.owner[to])
    others = values[owners]
    others = others[~np.isnan(others)]
    if not len(others):
        return np.zeros(len(table), bool)
    chosen = values > others.max() if sign > 0 else values < others.min()
    chosen[owners] = False
    return np.asarray(chosen[table.owner] & base)


def _pairs(table: Table, base: Bools, to: Bools, owner: int) -> tuple[Ints, Ints]:
    """Rows of `base` of other marks, and the row of mark `owner` in the same frame."""
    at = _row_at(table, owner, to)
    rows = np.flatnonzero(base & (table.owner != owner))
    others = at[table.frame[rows]]
    return rows[others >= 0], others[others >= 0]


def _boxes_related(table: Table, kind: str, rows: Ints, others: Ints, _: int) -> Bools:
    a, b = table.boxes[rows], table.boxes[others]
    if kind == "near":
        gap = np.maximum(np.maximum(a[:, :2] - b[:, 2:], b[:, :2] - a[:, 2:]), 0)
        return np.asarray(np.hypot(gap[:, 0], gap[:, 1]) <= _NEAR * table.diagonal)
    if kind in ("right of", "below"):
        a, b = b, a
    low, high = (0, 2) if kind in ("left of", "right of") else (1, 3)
    centre_a, centre_b = (a[:, low] + a[:, high]) / 2, (b[:, low] + b[:, high]) / 2
    return np.asarray((centre_a < b[:, low]) & (a[:, high] < centre_b))


def _extreme(table: Table, base: Bools, to: Bools, owners: Ints, sign: int) -> Bools:
    """The nearest (or farthest) mark of each frame that is not one of the others itself."""
    others = np.isin(table.owner, owners)
    rows, away = distances(table, base & ~others, to)
    held = np.zeros(len(table), bool)
    if len(rows):
        order = np.lexsort((rows, -sign * away, table.frame[rows]))
        first = np.ones(len(order), bool)
        first[1:] = np.diff(table.frame[rows][order]) != 0
        held[rows[order[first]]] = True
    return held


def _between(table: Table, base: Bools, to: Bools, owners: Ints) -> Bools:
    """On the way from one mark to the other: at most 15 % of the way off the straight line."""
    held = np.zeros(len(table), bool)
    if len(owners) != 2:
        return held
    first, second = (_row_at(table, int(owner), to)[table.frame] for owner in owners)
    rows = np.flatnonzero(base & (first >= 0) & (second >= 0) & ~np.isin(table.owner, owners))
    start = table.centres[first[rows]]
    along = table.centres[second[rows]] - start
    here = table.centres[rows] - start
    length = np.maximum((along**2).sum(axis=1), 1e-9)
    part = (here * along).sum(axis=1) / length
    off = np.abs(here[:, 0] * along[:, 1] - here[:, 1] * along[:, 0]) / length
    held[rows] = (part > 0) & (part < 1) & (off <= 0.15)
    return held


def _colored_like(table: Table, base: Bools, owners: Ints) -> Bools:
    """Marks that share 60 % of their mean colours with one of the others."""
    seen = table.seen
    total = np.zeros((len(table.marks), 11))
    np.add.at(total, table.owner[seen], table.shares[seen])
    mean = total / np.maximum(np.bincount(table.owner[seen], minlength=len(table.marks)), 1)[:, None]
    held = np.zeros(len(table), bool)
    for owner in owners:
        alike = np.minimum(mean, mean[owner]).sum(axis=1) >= 60
        held |= base & alike[table.owner] & (table.owner != owner)
    return held


def _masks_related(table: Table, kind: str, rows: Ints, others: Ints, parties: int) -> Bools:
    """Compare masks at up to 24 frames (fewer where the other marks are many), and hold between them."""
    truth = np.zeros(len(rows), bool)
    slack = 2 * _TOUCH * table.diagonal + 4
    a, b = table.boxes[rows], table.boxes[others]
    close = np.asarray(((a[:, :2] - b[:, 2:] <= slack) & (b[:, :2] - a[:, 2:] <= slack)).all(axis=1))
    frames = np.unique(table.frame[rows])
    most = min(max(4, 24 // max(parties, 1)), len(frames))
    chosen = frames[np.linspace(0, len(frames) - 1, most).astype(int)]
    for owner in np.unique(table.owner[rows]):
        own = np.flatnonzero(table.owner[rows] == owner)
        sampled = own[np.isin(table.frame[rows[own]], chosen)]
        if not len(sampled):
            sampled = own[[len(own) // 2]]
        found = np.array(
            [bool(close[i]) and _compare_masks(table, kind, int(rows[i]), int(others[i])) for i in sampled]
        )
        at = table.frame[rows[sampled]]
        nearest = np.abs(table.frame[rows[own]][:, None] - at[None, :]).argmin(axis=1)
        truth[own] = found[nearest] & close[own]
    return truth


def _compare_masks(table: Table, kind: str, row: int, other: int) -> bool:
    """Compare two masks, in their own pixels, around the first of them."""
    import cv2

    if kind == "around":
        row, other = other, row
    (width, height), (mask_width, mask_height) = table.history.size, table.history.mask_size
    scale = np.array([mask_width / max(width, 1), mask_height / max(height, 1)])
    margin = int(np.ceil(_TOUCH * np.hypot(mask_width, mask_height))) + 1
    x0, y0 = np.maximum(np.floor(table.boxes[row, :2] * scale).astype(int) - margin, 0)
    x1, y1 = np.ceil(table.boxes[row, 2:] * scale).astype(int) + margin
    mine = table.mask(row)[y0:y1, x0:x1].astype(np.uint8)
    whole = table.mask(other).astype(np.uint8)
    if not mine.any():
        return False
    if kind in ("inside", "around"):
        filled = np.zeros(whole.shape, np.uint8)
        outlines, _ = cv2.findContours(whole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
        return bool((mine & filled[y0:y1, x0:x1]).sum() >= _INSIDE * mine.sum())
    if kind == "touching":
        size = 2 * margin + 1
        mine = cv2.dilate(mine, np.ones((size, size), np.uint8)).astype(np.uint8)
    return bool((mine & whole[y0:y1, x0:x1]).any())
