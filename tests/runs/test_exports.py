"""Exports are read back by the tools that they are for."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import motmetrics
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from som_agent.errors import InputError, OutputError
from som_agent.history import OCCLUDED, VISIBLE, History, MarkInfo, Observation, traces
from som_agent.marks.style import MarkStyle
from som_agent.runs import Run, read_run
from som_agent.runs.exports import FORMATS, export, export_davis
from som_agent.runs.record import record
from som_agent.segmenters import load_segmenter
from som_agent.session import Session
from som_agent.video import Frame, open_video, write_image
from som_kernels import encode_rle

SIZE = (40, 30)


def frame() -> Frame:
    return Frame(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), 0, 0.0)


def box(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((SIZE[1], SIZE[0]), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def run_of(folder: Path, masks: list[dict[int, np.ndarray]], source: str = "clip.mp4", first: int = 0) -> Run:
    """A run of frames that each give some marks a mask; the others are occluded."""
    numbers = sorted({mark for frame in masks for mark in frame})
    rows = []
    for k, frame in enumerate(masks):
        for mark in numbers:
            mask = frame.get(mark, box(0, 0, 1, 1))
            (y, x), state = np.nonzero(mask), VISIBLE if mark in frame else OCCLUDED
            rle = encode_rle(torch.from_numpy(mask[None]))[0] if mark in frame else ""
            ends = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
            seen = mark, first + k, k / 10, state, ends, len(x), (0.0, 0.0), 0.75, bytes(11), rle
            rows.append(Observation(*seen))
    history = History(
        size=SIZE,
        frames=first + np.arange(len(masks), dtype=np.int32),
        times=np.arange(len(masks)) / 10,
        marks={mark: MarkInfo(mark, str(mark), (255, 0, 0)) for mark in numbers},
        traces=traces(rows),
    )
    return Run(folder, {}, source, 10.0, history, MarkStyle(), 20)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Three frames: 2 moves and hides once, 7 lies on a part of it, and the last frame shows nothing."""
    return run_of(
        tmp_path / "run",
        [
            {2: box(2, 3, 20, 20), 7: box(10, 10, 30, 18)},
            {7: box(12, 10, 32, 18)},
            {2: box(4, 3, 22, 20)},
            {},
        ],
    )


def masks_of(run: Run) -> dict[tuple[int, int], np.ndarray]:
    """Frame and mark → mask."""
    return {
        (int(frame), mark): coco_mask.decode({"size": run.history.size[::-1], "counts": rle}).astype(bool)
        for mark, trace in run.history.traces.items()
        for frame, rle in zip(trace.frames, trace.rles, strict=True)
        if rle
    }


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
    return picture


def loaded(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def voc_palette() -> list[int]:
    """The palette as VOC's own code defines it, bit by bit."""
    colors = []
    for index in range(256):
        r = g = b = 0
        rest = index
        for j in range(8):
            r |= (rest & 1) << (7 - j)
            g |= (rest >> 1 & 1) << (7 - j)
            b |= (rest >> 2 & 1) << (7 - j)
            rest >>= 3
        colors += [r, g, b]
    return colors


def test_davis(run, tmp_path):
    done = export(run, "davis", tmp_path / "out")
    assert (done.path, done.format, done.frames, done.marks) == (tmp_path / "out", "davis", 4, 2)
    assert done.notes == ()
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["00000.png", "00001.png", "00002.png", "00003.png"]
    pictures = [opened(file) for file in files]
    for picture in pictures:
        assert (picture.mode, picture.size) == ("P", SIZE)
        assert picture.getpalette() == voc_palette()
    assert picture.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    labels = np.where(box(10, 10, 30, 18), 7, np.where(box(2, 3, 20, 20), 2, 0))
    np.testing.assert_array_equal(np.array(pictures[0]), labels)
    assert not np.array(pictures[3]).any()


def test_labels_read_davis_back(clip, run_dir, tmp_path):
    run = read_run(run_dir)
    export_davis(run, tmp_path / "out")
    segmenter, expected = load_segmenter(f"labels:{tmp_path / 'out'}"), masks_of(run)
    with open_video(clip.path) as video:
        found = {
            (frame.index, k): regions.mask(k)
            for frame in video
            for regions in [segmenter.segment(frame)]
            for k in range(len(regions))
        }
    assert len(found) == len(expected) > 40
    own = {(index, mask.tobytes()) for (index, _), mask in expected.items()}
    assert {(index, mask.tobytes()) for (index, _), mask in found.items()} == own


def test_a_number_above_the_palette_makes_grey_pngs(tmp_path):
    many = {mark: box(mark % 40, mark // 40, mark % 40 + 1, mark // 40 + 1) for mark in range(1, 301)}
    done = export_davis(run_of(tmp_path, [many]), tmp_path / "out")
    assert "number 300 is above 254" in done.notes[0]
    picture = opened(tmp_path / "out" / "00000.png")
    assert picture.mode == "I;16"
    assert np.array(picture)[7, 20] == 300
    assert len(load_segmenter(f"labels:{tmp_path / 'out'}").segment(frame())) == 300
    just = {254: box(0, 0, 3, 3)}
    assert export_davis(run_of(tmp_path, [just]), tmp_path / "just").notes == ()
    assert opened(tmp_path / "just" / "00000.png").mode == "P"
    with pytest.raises(OutputError, match=r"mark 65536 .* is above 65535"):
        export_davis(run_of(tmp_path, [{65536: box(0, 0, 3, 3)}]), tmp_path / "deep")


def test_a_mark_that_is_wholly_covered_is_told_of(tmp_path):
    whole, halves = box(0, 0, 20, 20), {2: box(0, 0, 10, 20), 3: box(10, 0, 20, 20)}
    done = export_davis(run_of(tmp_path, [{1: whole, **halves}, {1: whole}]), tmp_path / "out")
    assert done.notes == ("1 times a mark lies wholly under smaller ones, and is not in the picture",)


def test_coco(run, tmp_path):
    done = export(run, "coco", str(tmp_path / "out.json"))
    assert (done.frames, done.marks) == (4, 2)
    coco = loaded(done.path)
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == [
        "00000.jpg", "00001.jpg", "00002.jpg", "00003.jpg",
    ]  # fmt: skip
    read = {}
    for annotation in coco.loadAnns(coco.getAnnIds(iscrowd=False)):
        mask = coco.annToMask(annotation).astype(bool)
        x, y, w, h = annotation["bbox"]
        assert (mask == (mask & box(x, y, x + w, y + h))).all()
        assert mask[y].any()
        assert mask[:, x + w - 1].any()
        assert annotation["area"] == mask.sum()
        frame = coco.imgs[annotation["image_id"]]["frame"]
        read[frame, annotation["track_id"]] = mask
    expected = masks_of(run)
    assert read.keys() == expected.keys()
    for key, mask in expected.items():
        np.testing.assert_array_equal(read[key], mask)


def test_coco_is_evaluated_as_perfect_against_itself(run, tmp_path):
    coco = loaded(export(run, "coco", tmp_path / "out.json").path)
    with contextlib.redirect_stdout(io.StringIO()):
        found = coco.loadRes(coco.dataset["annotations"])
        for kind in ("segm", "bbox"):
            evaluation = COCOeval(coco, found, kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            assert evaluation.stats[0] == pytest.approx(1), kind


def test_youtube_vis(run, tmp_path):
    data = json.loads(export(run, "ytvis", tmp_path / "out.json").path.read_text())
    (video,) = data["videos"]
    assert (video["length"], video["width"], video["height"]) == (4, *SIZE)
    assert video["file_names"] == [f"clip/{k:05d}.jpg" for k in range(4)]
    read = {}
    for annotation in data["annotations"]:
        assert (annotation["video_id"], annotation["category_id"]) == (1, data["categories"][0]["id"])
        columns = [annotation[name] for name in ("segmentations", "bboxes", "areas")]
        for frame, (rle, bbox, area) in enumerate(zip(*columns, strict=True)):
            assert (rle is None) == (bbox is None) == (area is None)
            if rle is not None:
                assert rle["size"] == [annotation["height"], annotation["width"]]
                read[frame, annotation["id"]] = coco_mask.decode(rle).astype(bool)
                assert area == coco_mask.area(rle)
                np.testing.assert_array_equal(bbox, coco_mask.toBbox(rle))
    expected = masks_of(run)
    assert read.keys() == expected.keys()
    assert all((read[key] == mask).all() for key, mask in expected.items())


@pytest.mark.filterwarnings("ignore::DeprecationWarning:motmetrics")  # it is older than pandas 3
def test_mot_challenge(run, tmp_path):
    done = export(run, "mot", tmp_path / "gt.txt")
    assert done.path.read_text().splitlines()[0] == "1,2,3,4,18,17,0.7500,-1,-1,-1"
    table = motmetrics.io.loadtxt(str(done.path), fmt="mot15-2D")
    read = {
        (frame - 1, mark): (row.X, row.Y, row.Width, row.Height)
        for (frame, mark), row in zip(table.index, table.itertuples(), strict=True)
    }
    expected = masks_of(run)
    assert read.keys() == expected.keys()
    for key, (x, y, w, h) in read.items():
        assert (expected[key] == (expected[key] & box(int(x), int(y), int(x + w), int(y + h)))).all()
    assert set(table.Confidence) == {0.75}


def test_a_cut_keeps_the_numbers_of_the_source(tmp_path):
    run = run_of(tmp_path, [{1: box(0, 0, 3, 3)}] * 2, first=5)
    assert sorted(p.name for p in export(run, "davis", tmp_path / "d").path.iterdir()) == [
        "00005.png",
        "00006.png",
    ]
    assert export(run, "mot", tmp_path / "m.txt").path.read_text().startswith("6,1,")
    images = json.loads(export(run, "coco", tmp_path / "c.json").path.read_text())["images"]
    assert [(image["id"], image["frame"], image["time"]) for image in images] == [(1, 5, 0.0), (2, 6, 0.1)]


def test_frames_go_by_the_names_of_pictures(make, tmp_path):
    shots, maps = tmp_path / "shots", [make.labels({1: (4 + k, 4, 20 + k, 20)}, SIZE) for k in range(3)]
    for k, labels in enumerate(maps):
        (shots).mkdir(exist_ok=True)
        write_image(shots / f"view_{k}.png", make.paint(labels))
    masks = make.write_labels(tmp_path / "masks", maps, ["view_0", "view_1", "view_2"])
    with open_video(shots) as video:
        record(video, Session(f"labels:{masks}"), tmp_path / "run")
    run = read_run(tmp_path / "run")
    export(run, "davis", tmp_path / "out")
    segmenter = load_segmenter(f"labels:{tmp_path / 'out'}")
    with open_video(shots) as video:
        for frame, labels in zip(video, maps, strict=True):
            np.testing.assert_array_equal(segmenter.segment(frame).mask(0), labels == 1)
    coco = json.loads(export(run, "coco", tmp_path / "c.json").path.read_text())
    assert [image["file_name"] for image in coco["images"]] == ["view_0.png", "view_1.png", "view_2.png"]
    write_image(shots / "view_1.jpg", make.paint(maps[1]))
    (shared,) = export(run, "davis", tmp_path / "shared").notes
    assert "share a name" in shared
    for file in list(shots.iterdir())[1:]:
        file.unlink()
    (lacks,) = export(run, "davis", tmp_path / "numbers").notes
    assert "lacks pictures" in lacks
    assert (tmp_path / "numbers" / "00002.png").exists()


def test_a_still_picture_keeps_its_name(tmp_path):
    run = run_of(tmp_path, [{1: box(0, 0, 3, 3)}], source="somewhere/cat.jpeg")
    assert [p.name for p in export(run, "davis", tmp_path / "out").path.iterdir()] == ["cat.png"]


@pytest.mark.parametrize("to", FORMATS)
def test_a_run_without_marks(tmp_path, to):
    done = export(run_of(tmp_path, [{}, {}]), to, tmp_path / "out")
    assert (done.frames, done.marks) == (2, 0)
    if to in ("coco", "ytvis"):
        assert json.loads(done.path.read_text())["annotations"] == []


def test_unknown_formats(run, tmp_path):
    with pytest.raises(InputError, match="unknown format 'voc'; known: davis, coco, ytvis, mot"):
        export(run, "voc", tmp_path / "out")


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("to", FORMATS)
def test_places_that_cannot_be_written(run, tmp_path, to):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    before = tree(tmp_path)
    for out in ("folder", "file" if to == "davis" else "folder", "nowhere/out", "file/out"):
        with pytest.raises(OutputError, match=rf"cannot write .*{out}"):
            export(run, to, tmp_path / out)
    assert tree(tmp_path) == before


def test_an_empty_folder_is_taken(run, tmp_path):
    (tmp_path / "out").mkdir()
    export(run, "davis", tmp_path / "out")
    assert tree(tmp_path) == ["out", *(f"out/0000{k}.png" for k in range(4))]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_half_way_leaves_nothing(run, tmp_path, monkeypatch, error):
    save, calls = Image.Image.save, []

    def fail(picture, *arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise error
        return save(picture, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", fail)
    kind = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(kind) as raised:
        export(run, "davis", tmp_path / "out")
    if kind is OutputError:
        assert str(raised.value) == f"cannot write {tmp_path / 'out'}: No space left on device"
    assert len(calls) == 3
    assert tree(tmp_path) == []


@pytest.mark.parametrize("name", ["run.json", "tracks.parquet", "marked.mp4"])
def test_a_run_is_not_overwritten(run_dir, name):
    before = (run_dir / name).read_bytes()
    with pytest.raises(OutputError, match="would overwrite its own input"):
        export(read_run(run_dir), "coco", run_dir / name)
    assert (run_dir / name).read_bytes() == before


def test_a_file_is_replaced_when_it_is_whole(run, tmp_path):
    (tmp_path / "out.txt").write_text("older")
    export(run, "mot", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text().startswith("1,2,")
    assert tree(tmp_path) == ["out.txt"]
