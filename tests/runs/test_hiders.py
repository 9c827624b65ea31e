"""Who hides whom, from the tracker through a session to a run and back."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from som_agent.errors import InputError
from som_agent.grounding.attributes import answer
from som_agent.history import OCCLUDED, VISIBLE
from som_agent.regions import Regions
from som_agent.runs import read_run, repair
from som_agent.runs.record import record
from som_agent.session import Session
from som_agent.tracking import Tracked
from som_agent.video import open_video, write_image

FRAMES = 12
COVERED = 6
"""The frame from which the ball is under the cup."""
TRACKS = {"cup": 40, "ball": 70}
MARKS = {"cup": 1, "ball": 2}


class Nothing:
    name = "nothing"

    def segment(self, frame):
        return Regions.from_masks(np.zeros((0, *frame.image.shape[:2]), bool))


class CupAndBall:
    """The tracks of a cup, and of a ball that is under it from frame 6 on."""

    wants_regions = True

    def update(self, frame, regions):
        h, w = frame.image.shape[:2]
        cup, ball = np.zeros((h, w), bool), np.zeros((h, w), bool)
        cup[8:30, 10 : 10 + 20] = True
        ball[35:45, 40:50] = True
        covered = frame.index >= COVERED
        masks = np.array([cup] if covered else [cup, ball])
        regions = Regions.from_masks(masks)
        return Tracked(
            regions=regions,
            ids=np.array(list(TRACKS.values())[: len(masks)], np.int32),
            scores=np.ones(len(masks), np.float32),
            centers=np.array([(20, 19), (45, 40)], np.float32)[: len(masks)],
            occluded=[TRACKS["ball"]] if covered else [],
            # 99 was never numbered
            hidden_by={TRACKS["ball"]: TRACKS["cup"], 99: TRACKS["cup"]} if covered else {},
        )

    def adopt(self, masks, whole=None):
        return []


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for k in range(FRAMES):
        write_image(folder / f"{k:03d}.png", np.full((48, 64, 3), 90 + k, np.uint8))
    return folder


@pytest.fixture
def run(source, tmp_path):
    with open_video(source, fps=10) as video:
        record(video, Session(Nothing(), tracker=CupAndBall()), tmp_path / "run", cut={})
    return read_run(tmp_path / "run")


def old(run, folder):
    """The same run as it was written before there was such a column."""
    shutil.copytree(run.path, folder)
    table = pq.read_table(folder / "tracks.parquet").drop_columns(["hidden_by"])
    pq.write_table(table, folder / "tracks.parquet")
    return folder


def test_the_tracker_s_word_goes_through_the_session_to_the_run(source, run):
    session = Session(Nothing(), tracker=CupAndBall())
    with open_video(source, fps=10) as video:
        for _ in session.run(video):
            pass
    for history in (session.history, run.history):
        ball, cup = history.traces[MARKS["ball"]], history.traces[MARKS["cup"]]
        assert ball.states.tolist() == [VISIBLE] * COVERED + [OCCLUDED] * (FRAMES - COVERED)
        assert ball.hidden_by.tolist() == [0] * COVERED + [MARKS["cup"]] * (FRAMES - COVERED)
        assert ball.hidden_by.dtype == np.int32
        assert not cup.hidden_by.any()
    live = session.ask("Where is [2]?")
    assert "hidden since 0.6 s by mark [1]" in live.text
    assert answer("Where is [2]?", run.history).text == live.text


def test_a_run_of_before_is_read_and_repaired(run, tmp_path):
    before = read_run(old(run, tmp_path / "old"))
    for mark, trace in before.history.traces.items():
        assert trace.hidden_by.tolist() == [0] * len(trace)
        assert trace.states.tolist() == run.history.traces[mark].states.tolist()
    assert "hidden" not in answer("Where is [2]?", before.history).text
    split = repair.split(before, 1, 0.8, video=False)
    assert set(split.history.marks) == {1, 2, 3}
    undone = repair.undo(split, video=False)
    assert "hidden_by" not in pq.read_table(undone.path / "tracks.parquet").column_names


def test_repairs_keep_the_hider(run):
    split = repair.split(run, MARKS["cup"], 0.8, video=False)
    assert split.history.traces[2].hidden_by.tolist() == [0] * 6 + [1] * 2 + [3] * 4
    assert "by mark [3]" in answer("Where is [2]?", split.history).text
    whole = repair.merge(split, 1, 3, video=False)
    assert whole.history.traces[2].hidden_by.tolist() == [0] * 6 + [1] * 6
    named = repair.rename(whole, 1, "left cup", video=False)
    assert "by mark [left cup]" in answer("Where is [2]?", named.history).text
    assert [m.mark for m in answer("What is under the left cup?", named.history).marks] == [2, 1]
    lone = repair.delete(named, 1, video=False)
    assert not lone.history.traces[2].hidden_by.any()


def test_a_hider_that_is_no_number_is_a_damaged_run(run):
    file = run.path / "tracks.parquet"
    table = pq.read_table(file)
    at = table.column_names.index("hidden_by")
    pq.write_table(table.set_column(at, "hidden_by", [[None] * len(table)]), file)
    with pytest.raises(InputError, match="make no sense"):
        read_run(run.path)
