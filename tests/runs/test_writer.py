import json
import signal
import threading
from dataclasses import replace

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco

from som_agent.colors import COLOR_TERMS
from som_agent.errors import InputError, OutputError, SegmenterError
from som_agent.history import OCCLUDED
from som_agent.regions import Regions
from som_agent.runs import RunWriter, read_run
from som_agent.runs.record import record
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import open_video

# The promise of DESIGN §4, in its order.
COLUMNS = [
    ("mark", pa.int32()),
    ("frame", pa.int32()),
    ("time", pa.float64()),
    ("state", pa.string()),
    ("x0", pa.float32()),
    ("y0", pa.float32()),
    ("x1", pa.float32()),
    ("y1", pa.float32()),
    ("area", pa.int32()),
    ("anchor_x", pa.float32()),
    ("anchor_y", pa.float32()),
    ("score", pa.float32()),
    ("rle", pa.string()),
]


def writer(path, **more):
    values = {
        "source": "x.mp4",
        "size": (96, 64),
        "fps": 10.0,
        "segmenter": "labels:x",
        "settings": Settings(),
    }
    return RunWriter(path=path, **{**values, **more})


def frames(clip, count):
    session = Session(clip.segmenter)
    with open_video(clip.path) as video:
        for frame in video:
            if frame.index == count:
                return
            yield session.step(frame), session.observations


def fail(run, seen, error):
    """Write frames, and then an exception comes, which is handed back."""

    def work():
        with run:
            for marked, rows in seen:
                run.add(marked, rows)
            raise error

    with pytest.raises(error) as caught:
        work()
    return caught.value


def left(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_the_columns(run_dir):
    schema = pq.read_schema(run_dir / "tracks.parquet")
    assert [(field.name, field.type) for field in schema][: len(COLUMNS)] == COLUMNS
    assert schema.field(len(COLUMNS)).name == "colors"
    assert schema.metadata[b"color_terms"].decode().split(",") == list(COLOR_TERMS)
    assert left(run_dir) == ["marked.mp4", "run.json", "tracks.parquet"]


def test_masks_are_true_at_source_size(run_dir, clip):
    rows = pq.read_table(run_dir / "tracks.parquet").to_pylist()
    assert len(rows) > 48
    labels = set()
    for row in rows:
        assert row["state"] == "visible"
        rle = {"size": [64, 96], "counts": row["rle"].encode()}
        mask = coco.decode(rle).astype(bool)
        assert coco.area(rle) == row["area"]
        x, y, w, h = coco.toBbox(rle)
        assert [row["x0"], row["y0"], row["x1"], row["y1"]] == [x, y, x + w, y + h]
        assert mask[int(row["anchor_y"]), int(row["anchor_x"])]
        assert row["time"] == pytest.approx(row["frame"] / 10, abs=1e-3)
        assert 0 <= row["score"] <= 1
        assert 95 <= sum(row["colors"]) <= 105
        label = np.unique(clip.maps[row["frame"]][mask])
        assert len(label) == 1
        labels.add((row["mark"], int(label[0])))
    assert len(labels) == 3, "each mark on one object"


@pytest.mark.parametrize("size", [(960, 640), (1002, 668)])
def test_large_sources_have_masks_of_their_own_size(make, tmp_path, size):
    """Also where a region is a speck: it is in the table with the pixels that it has."""
    small = make.labels({1: (40, 30, 200, 150), 2: (300, 40, 420, 220), 3: (230, 250, 232, 252)}, (480, 320))
    rows, columns = np.arange(size[1]) * 320 // size[1], np.arange(size[0]) * 480 // size[0]
    clip = make.clip(tmp_path, [small[rows[:, None], columns]] * 3)

    class Small:
        name = "small"

        def segment(self, frame):
            return Regions.from_labels(small)

    with open_video(clip.path) as video:
        record(video, Session(Small()), tmp_path / "run")
    table = pq.read_table(tmp_path / "run" / "tracks.parquet").to_pylist()
    assert len(table) == 9
    for row in table:
        rle = {"size": [size[1], size[0]], "counts": row["rle"].encode()}
        assert coco.area(rle) == row["area"] > 0
        x, y, w, h = coco.toBbox(rle)
        assert [row["x0"], row["y0"], row["x1"], row["y1"]] == [x, y, x + w, y + h]


def test_the_video_plays_and_is_marked(run_dir, clip):
    with av.open(str(run_dir / "marked.mp4")) as video:
        stream = video.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (96, 64)
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(stream)]
    assert len(pictures) == 24
    with open_video(clip.path) as source:
        difference = [np.abs(a.image.astype(int) - b).mean() for a, b in zip(source, pictures, strict=True)]
    assert min(difference) > 3


def test_run_json(run_dir, clip):
    info = json.loads((run_dir / "run.json").read_text())
    assert info["source"] == str(clip.path)
    assert info["size"] == [96, 64]
    assert info["fps"] == pytest.approx(10)
    assert info["segmenter"] == clip.segmenter
    assert info["ended"] == "complete"
    assert info["frames"] == list(range(24))
    assert info["settings"]["max_marks"] == 5
    assert info["settings"]["style"]["draw"] == ["mark", "mask", "contour"]
    assert info["cut"] == {"every": 1}
    assert {"som-agent", "torch", "numpy"} <= set(info["versions"])
    assert [mark["mark"] for mark in info["marks"]] == [1, 2, 3]
    for mark in info["marks"]:
        assert mark["label"] == str(mark["mark"])
        assert len(mark["color"]) == 3
        assert mark["frames"] <= 24
    late = info["marks"][2]
    assert late["first_time"] >= 1.0
    assert late["last_time"] == pytest.approx(2.3)


def test_nothing_is_there_before_it_is_whole(clip, tmp_path):
    with writer(tmp_path / "run") as run:
        for marked, rows in frames(clip, 4):
            run.add(marked, rows)
        names = left(tmp_path / "run")
        assert all(name.startswith(".som-") for name in names)
    assert left(tmp_path / "run") == ["marked.mp4", "run.json", "tracks.parquet"]


def test_ctrl_c_keeps_what_was_done(clip, tmp_path):
    fail(writer(tmp_path / "run"), frames(clip, 5), KeyboardInterrupt)
    assert left(tmp_path / "run") == ["marked.mp4", "run.json", "tracks.parquet"]
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["ended"] == "interrupted after frame 4"
    table = pq.read_table(tmp_path / "run" / "tracks.parquet")
    assert sorted(set(table["frame"].to_pylist())) == info["frames"] == [0, 1, 2, 3, 4]


def test_ctrl_c_waits_for_the_files(clip, tmp_path, monkeypatch):
    run = writer(tmp_path / "run")
    for marked, rows in frames(clip, 3):
        run.add(marked, rows)
    close = run._video.close

    def interrupted():
        signal.raise_signal(signal.SIGINT)
        close()

    monkeypatch.setattr(run._video, "close", interrupted)
    before = signal.getsignal(signal.SIGINT)
    run.close()
    assert signal.getsignal(signal.SIGINT) is before
    assert left(tmp_path / "run") == ["marked.mp4", "run.json", "tracks.parquet"]


def test_a_thread_can_write_too(clip, tmp_path):
    def work():
        with writer(tmp_path / "run") as run:
            for marked, rows in frames(clip, 3):
                run.add(marked, rows)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert left(tmp_path / "run") == ["marked.mp4", "run.json", "tracks.parquet"]


@pytest.mark.parametrize("count", [0, 3])
def test_an_error_takes_everything_back(clip, tmp_path, count):
    fail(writer(tmp_path / "new" / "deep" / "run"), frames(clip, count), RuntimeError)
    assert left(tmp_path) == []


def test_an_error_leaves_an_older_run_as_it_was(clip, tmp_path):
    with writer(tmp_path / "run") as run:
        for marked, rows in frames(clip, 2):
            run.add(marked, rows)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    fail(writer(tmp_path / "run"), frames(clip, 3), RuntimeError)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_without_a_frame_there_is_no_run(tmp_path):
    with writer(tmp_path / "run"):
        pass
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", ["marked.mp4", "tracks.parquet", "run.json"])
def test_a_folder_in_the_way_is_said_at_once(tmp_path, name):
    (tmp_path / "run" / name).mkdir(parents=True)
    with pytest.raises(OutputError, match=rf"cannot write .*{name}"):
        writer(tmp_path / "run")
    assert left(tmp_path / "run") == [name]


def test_a_file_in_the_way_is_said_at_once(tmp_path):
    (tmp_path / "run").write_text("mine")
    for path in (tmp_path / "run", tmp_path / "run" / "deeper"):
        with pytest.raises(OutputError, match="cannot write"):
            writer(path)
    assert left(tmp_path) == ["run"]
    assert (tmp_path / "run").read_text() == "mine"


def test_a_failing_segmenter_leaves_nothing(clip, make, tmp_path):
    masks = make.write_labels(tmp_path / "masks", clip.maps[:10])
    with (
        open_video(clip.path) as video,
        pytest.raises(SegmenterError, match="10 masks, none for frame 10"),
    ):
        record(video, Session(f"labels:{masks}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_many_rows_are_flushed_in_groups(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("som_agent.runs.writer.ROWS_A_GROUP", 10)
    with open_video(clip.path) as video:
        record(video, Session(clip.segmenter), tmp_path / "run")
    file = pq.ParquetFile(tmp_path / "run" / "tracks.parquet")
    assert file.num_row_groups > 3
    frames_of = file.read()["frame"].to_pylist()
    assert frames_of == sorted(frames_of)
    assert set(frames_of) == set(range(24))


def test_stopping_is_a_way_to_end(clip, tmp_path):
    count = iter(range(100))
    with open_video(clip.path) as video:
        ended = record(video, Session(clip.segmenter), tmp_path / "run", on_frame=lambda: next(count) < 6)
    assert ended == "interrupted after frame 6"
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["ended"] == ended
    assert info["frames"] == list(range(7))


def test_an_unreadable_video_leaves_no_folder(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"")
    with pytest.raises(InputError), open_video(tmp_path / "broken.mp4") as video:
        record(video, Session(), tmp_path / "run")
    assert left(tmp_path) == ["broken.mp4"]


@pytest.mark.parametrize("name", ["marked.mp4", "tracks.parquet", "run.json"])
def test_a_run_does_not_overwrite_its_source(tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_bytes(b"mine")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "run" / name)
    for source in (tmp_path / "run" / name, tmp_path / "run" / ".." / "run" / name, tmp_path / "link.mp4"):
        with pytest.raises(OutputError, match=f"{name} would overwrite its own input"):
            writer(tmp_path / "run", source=str(source))
    assert left(tmp_path / "run") == [name]
    assert (tmp_path / "run" / name).read_bytes() == b"mine"


def test_record_does_not_overwrite_its_source(clip, tmp_path):
    with open_video(clip.path) as video:
        record(video, Session(clip.segmenter), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    session = Session(clip.segmenter)
    with (
        open_video(tmp_path / "run" / "marked.mp4") as video,
        pytest.raises(OutputError, match="would overwrite its own input"),
    ):
        record(video, session, tmp_path / "run")
    assert len(session.history.frames) == 0, "said before any work"
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


FULL = OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device")


def full_disk(monkeypatch, part):
    """From here on one library finds the disk full, whatever it does; ends in the errors that each raises."""

    def full(*_arguments, **_options):
        import av

        raise av.error.OSError(28, "No space left on device", "x") if part == "video" else FULL

    if part == "video":
        monkeypatch.setattr("som_agent.video.writer._Encoder.write", full)
        encoder = "som_agent.video.writer._Encoder"
        monkeypatch.setattr(
            f"{encoder}.__init__", lambda self, *_: setattr(self, "_container", Closing(full))
        )
    elif part == "start":
        monkeypatch.setattr(pq, "ParquetWriter", full)
    elif part == "rows":
        monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
        monkeypatch.setattr(pq.ParquetWriter, "close", full)
    else:
        monkeypatch.setattr(pq.ParquetWriter, "close", full)


class Closing:
    def __init__(self, close):
        self.close = close


@pytest.mark.parametrize("part", ["video", "start", "rows", "end"])
@pytest.mark.parametrize("older", [False, True])
def test_a_full_disk_is_one_line_and_leaves_nothing(clip, tmp_path, monkeypatch, part, older):
    if older:
        with writer(tmp_path / "run") as run:
            for marked, rows in frames(clip, 2):
                run.add(marked, rows)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr("som_agent.runs.writer.ROWS_A_GROUP", 4)
    full_disk(monkeypatch, part)
    with (
        open_video(clip.path) as video,
        pytest.raises(OutputError, match=r"^cannot write .*run.*: No space left on device$"),
    ):
        record(video, Session(clip.segmenter), tmp_path / "run")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert (tmp_path / "run").exists() == older


def test_a_full_disk_does_not_hide_the_first_error(clip, tmp_path, monkeypatch):
    full_disk(monkeypatch, "rows")
    fail(writer(tmp_path / "run"), frames(clip, 2), ZeroDivisionError)
    assert left(tmp_path) == []


@pytest.mark.parametrize(("count", "kept"), [(0, "nothing was kept"), (3, "interrupted after frame 2")])
def test_ctrl_c_says_what_was_kept(clip, tmp_path, count, kept):
    stop = fail(writer(tmp_path / "run"), frames(clip, count), KeyboardInterrupt)
    assert stop.__notes__ == [f"{tmp_path / 'run'}: {kept}"]


def test_a_folder_that_cannot_be_made_leaves_none_above_it(tmp_path, monkeypatch):
    from pathlib import Path

    make = Path.mkdir

    def full(self, *arguments, **options):
        if self.name == "run":
            if not self.parent.exists():
                make(self.parent)
            raise OSError(28, "No space left on device")
        make(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OutputError, match="No space left"):
        writer(tmp_path / "new" / "run")
    assert left(tmp_path) == []


def test_what_was_never_seen_in_the_run_has_no_rows(clip, tmp_path):
    """A mark that was made after a frame was written, and hides in the next one."""
    (one, rows), (other, _) = list(frames(clip, 2))
    hidden = replace(rows[0], mark=9, frame=1, state=OCCLUDED, rle="")
    with writer(tmp_path / "run") as run:
        run.add(one, rows)
        run.add(other, [hidden, replace(rows[0], frame=1, state=OCCLUDED, rle="")])
    table = pq.read_table(tmp_path / "run" / "tracks.parquet").to_pylist()
    assert [(row["mark"], row["state"]) for row in table if row["frame"] == 1] == [(rows[0].mark, "occluded")]
    assert 9 not in read_run(tmp_path / "run").history.marks
