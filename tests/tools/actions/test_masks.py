"""Masks for programs, as `pycocotools` and PNG readers read them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from som_agent.errors import InputError, OutputError
from som_tools.access import Access
from som_tools.quota import Quota
from som_tools.sessions import SessionStore

from .conftest import ByColor, doing

Do = Callable[..., Any]


def test_codes_of_the_newest_frame(do: Do) -> None:
    outcome = do("export_masks", session="v1", marks=["1", "2"])
    red, blue = outcome.data["masks"]
    assert outcome.data["size"] == [90, 160]
    mask = coco.decode({**blue["rle"], "counts": blue["rle"]["counts"].encode()}).astype(bool)
    assert mask.shape == (90, 160)
    assert mask.sum() == blue["area"] == pytest.approx(600, abs=20)
    assert mask[40, 90]
    assert not mask[40, 60]
    assert red["box"] == pytest.approx([15, 20, 55, 60], abs=1)
    assert "the codes are in the data" in outcome.text
    assert "counts" not in outcome.text


def test_codes_are_bounded(do: Do) -> None:
    with pytest.raises(InputError, match=r"48 masks from 0.00 to 1.92 s are more than the 32 of rle"):
        do("export_masks", session="v1", marks=["1", "2"], start_s=0.0)


def test_pictures_hold_the_marks_as_their_pixels(do: Do) -> None:
    data = do("export_masks", session="v1", marks=["1", "2"], form="png", start_s=1.5).data
    assert Path(data["folder"]).parent.name.startswith("out")
    assert data["files"] == [f"{frame:05d}.png" for frame in data["frames"]]
    assert data["times"][-1] == 1.917
    pixels = np.asarray(Image.open(Path(data["folder"]) / data["files"][-1]))
    assert pixels.shape == (90, 160)
    assert (pixels[40, 30], pixels[40, 90], pixels[5, 5]) == (1, 2, 0)


def test_instances_of_coco(do: Do) -> None:
    data = do("export_masks", session="v1", marks=["2"], form="coco", start_s=1.5).data
    content = json.loads((Path(data["folder"]) / "masks.json").read_text())
    assert [image["frame"] for image in content["images"]] == data["frames"]
    assert {annotation["track_id"] for annotation in content["annotations"]} == {2}
    assert [annotation["area"] for annotation in content["annotations"]] == [
        mask["area"] for mask in data["masks"]
    ]


def test_a_mark_that_is_not_visible_then_is_told(fresh: Do) -> None:
    made = fresh("combine_marks", session="v1", marks=["1", "2"]).data["label"]  # in the newest frame only
    data = fresh("export_masks", session="v1", marks=["1", made], start_s=0.0, end_s=0.0).data
    assert data["not_visible"] == [made]
    with pytest.raises(InputError, match=r"no mask of \[3\]: not visible from 0.00 to 0.00 s"):
        fresh("export_masks", session="v1", marks=[made], start_s=0.0, end_s=0.0)


def test_no_marks_are_no_masks(do: Do) -> None:
    with pytest.raises(InputError, match="marks is empty"):
        do("export_masks", session="v1", marks=[])


def test_megabytes_that_are_not_allowed_are_not_kept(films: Path, tmp_path: Path) -> None:
    access, quota = Access.to(films, out=tmp_path / "out"), Quota(out_mb=1)
    do = doing(SessionStore(access, quota=quota, segmenter=ByColor()))
    do("open_video", source="crossing.mp4")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "before").write_bytes(bytes(999_000))
    with pytest.raises(OutputError, match="at most 1 MB are allowed"):
        do("export_masks", session="v1", marks=["1", "2"], form="coco", start_s=0.0)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["before"]
