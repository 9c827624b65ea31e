"""Who hides whom, in a table whose rows are edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["renamed_hider", "with_hiders_of", "without_lost_hiders"]


def renamed_hider(rows: pa.Table, old: int, new: int, frames: npt.NDArray[np.int32]) -> pa.Table:
    """What mark `old` hides in these frames is hidden by mark `new` there, 0 for none.

    Args:
        rows: a table of `tracks_schema`.
        old: a mark.
        new: a mark or 0.
        frames: numbers of frames, `[F] int32`.
    """
    hiders = np.asarray(rows["hidden_by"].to_numpy())
    there = (hiders == old) & np.isin(rows["frame"].to_numpy(), frames)
    return _with(rows, np.where(there, new, hiders))


def with_hiders_of(rows: pa.Table, stays: Mapping[int, int], merged: tuple[int, int]) -> pa.Table:
    """Rows that nothing hides but one of two marks that become one are hidden by what hides other rows.

    Args:
        rows: a table of `tracks_schema`.
        stays: row → the row that it replaces.
        merged: the two marks.
    """
    hiders = np.array(rows["hidden_by"].to_numpy())
    for kept, lost in stays.items():
        if hiders[kept] in (0, *merged):
            hiders[kept] = hiders[lost]
    return _with(rows, hiders)


def without_lost_hiders(rows: pa.Table) -> pa.Table:
    """Nothing is hidden by itself, or by a mark that has no row; and what is not occluded by none."""
    hiders, marks = np.asarray(rows["hidden_by"].to_numpy()), np.asarray(rows["mark"].to_numpy())
    occluded = np.array([state == "occluded" for state in rows["state"].to_pylist()], bool)
    return _with(rows, np.where(occluded & (hiders != marks) & np.isin(hiders, marks), hiders, 0))


def _with(rows: pa.Table, hiders: npt.NDArray[np.int32]) -> pa.Table:
    import pyarrow as pa

    at = rows.column_names.index("hidden_by")
    return rows.set_column(at, rows.schema.field("hidden_by"), pa.array(hiders, pa.int32()))
