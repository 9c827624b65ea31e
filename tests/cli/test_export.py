import json
import shutil

import numpy as np
import pytest
from PIL import Image

from som_agent.runs.record import record
from som_agent.session import Session
from som_agent.video import open_video


@pytest.fixture(scope="module")
def run_dir(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    with open_video(clip.path) as video:
        record(video, Session(clip.segmenter), folder)
    return folder


def test_every_format(cli, run_dir, tmp_path):
    for to in ("davis", "coco", "ytvis", "mot"):
        out = tmp_path / f"{to}.out"
        done = cli("export", run_dir, "--to", to, "-o", out, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.json == {"export": str(out), "format": to, "frames": 24, "marks": 3, "notes": []}
    assert len(list((tmp_path / "davis.out").iterdir())) == 24
    assert len(json.loads((tmp_path / "coco.out").read_text())["images"]) == 24
    assert len(json.loads((tmp_path / "ytvis.out").read_text())["annotations"]) == 3
    assert (tmp_path / "mot.out").read_text().startswith("1,1,")


def test_it_says_what_it_wrote(cli, run_dir, tmp_path):
    done = cli("export", run_dir, "--to", "mot", "--out", "gt.txt")
    assert (done.code, done.out, done.err) == (0, "gt.txt: 24 frames, 3 marks\n", "")


def test_a_davis_export_is_tracked_like_the_masks_that_it_came_from(cli, clip, run_dir, tmp_path):
    cli("export", run_dir, "--to", "davis", "-o", tmp_path / "masks")
    again = tmp_path / "again"
    cli("track", clip.path, "-o", again, "--segmenter", f"labels:{tmp_path / 'masks'}")
    cli("export", again, "--to", "davis", "-o", tmp_path / "masks2")
    for name in ("00009.png", "00023.png"):
        pictures = []
        for folder in ("masks", "masks2"):
            with Image.open(tmp_path / folder / name) as picture:
                pictures.append(np.array(picture) > 0)
        np.testing.assert_array_equal(*pictures)


def test_notes_are_on_stderr(cli, clip, make, tmp_path):
    shots = tmp_path / "shots"
    shots.mkdir()
    maps = [make.labels({1: (5, 5, 20, 20)}, (40, 30))] * 2
    for k, labels in enumerate(maps):
        Image.fromarray(make.paint(labels)).save(shots / f"s{k}.png")
    masks = make.write_labels(tmp_path / "masks", maps, ["s0", "s1"])
    cli("track", shots, "-o", tmp_path / "run", "--segmenter", f"labels:{masks}")
    (shots / "s1.png").unlink()
    done = cli("export", tmp_path / "run", "--to", "davis", "-o", "out", "--json")
    assert done.err.count("\n") == 1
    assert done.err == f"som-agent: {done.json['notes'][0]}\n"


def test_bad_input_is_one_line(cli, run_dir, tmp_path, unchanged):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    check = unchanged()
    cli("export", tmp_path / "nowhere", "--to", "mot", "-o", "out").refused("nowhere", "not a readable run")
    cli("export", "", "--to", "mot", "-o", "out").refused("its name is empty")
    cli("export", run_dir, "--to", "voc", "-o", "out").refused("'voc'", "davis, coco, ytvis, mot")
    cli("export", run_dir, "-o", "out").refused("Missing option '--to'")
    cli("export", run_dir, "--to", "mot").refused("Missing option '-o'")
    cli("export", run_dir, "--to", "mot", "-o", "").refused("--out is empty")
    cli("export", run_dir, "--to", "davis", "-o", tmp_path / "full").refused("the folder is not empty")
    cli("export", run_dir, "--to", "coco", "-o", tmp_path / "full").refused("it is a folder")
    cli("export", run_dir, "--to", "coco", "-o", run_dir / "run.json").refused(
        "would overwrite its own input"
    )
    cli("export", run_dir, "--to", "mot", "-o", "no/such/out").refused("cannot write")
    check()
    damaged = shutil.copytree(run_dir, tmp_path / "damaged")
    (damaged / "tracks.parquet").write_bytes(b"no parquet")
    cli("export", damaged, "--to", "mot", "-o", "out").refused("tracks.parquet")
