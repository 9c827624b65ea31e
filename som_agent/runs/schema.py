"""The columns of `tracks.parquet` and the files of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from som_agent.colors import COLOR_TERMS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["INFO_FILE", "TRACKS_FILE", "VIDEO_FILE", "tracks_schema", "with_hiders"]

VIDEO_FILE = "marked.mp4"
TRACKS_FILE = "tracks.parquet"
INFO_FILE = "run.json"


def tracks_schema() -> pa.Schema:
    """A row per mark and frame, in source pixels.

    A mark has a row in every frame in which it is visible or occluded, and one when it is given up as gone;
    where it is not visible, geometry and colours are those of its last sight and `rle` is empty.
    `rle` holds COCO's compressed counts for a mask of the source's size. `colors` holds the percentage of the
    mask's pixels that each basic colour term names; the terms are in the schema's metadata. `hidden_by` is
    the mark that hides an occluded one, 0 for none.
    """
    import pyarrow as pa

    numbers = ["x0", "y0", "x1", "y1"]
    return pa.schema(
        [
            ("mark", pa.int32()),
            ("frame", pa.int32()),
            ("time", pa.float64()),
            ("state", pa.string()),
            *((name, pa.float32()) for name in numbers),
            ("area", pa.int32()),
            ("anchor_x", pa.float32()),
            ("anchor_y", pa.float32()),
            ("score", pa.float32()),
            ("rle", pa.string()),
            ("colors", pa.list_(pa.uint8(), len(COLOR_TERMS))),
            ("hidden_by", pa.int32()),
        ],
        metadata={"color_terms": ",".join(COLOR_TERMS)},
    )


def with_hiders(rows: pa.Table) -> pa.Table:
    """The rows with the column `hidden_by`, which runs of before do not have: nothing is hidden in them."""
    import numpy as np
    import pyarrow as pa

    if "hidden_by" in rows.column_names:
        return rows
    nobody = pa.array(np.zeros(len(rows), np.int32))
    return rows.append_column(tracks_schema().field("hidden_by"), nobody)
