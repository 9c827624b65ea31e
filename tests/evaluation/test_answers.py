import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from som_agent.answer import Answer, GroundedMark
from som_agent.errors import InputError
from som_agent.evaluation.answers import Total, main, score_answer, score_scene, totals
from som_agent.evaluation.match import Match
from som_agent.evaluation.scene_file import SceneQuestion, read_scene
from som_agent.regions import Regions
from som_agent.video import write_video


@pytest.fixture
def match() -> Match:
    """Marks 1 and 2 lie on objects 1 and 2, mark 3 on neither; two seconds."""
    match = Match([1, 2])
    ours = np.repeat(np.arange(4, dtype=np.int32), 4).reshape(4, 4)
    for time in (0.0, 1.0, 2.0):
        match.add(time, [1, 2, 3], Regions.from_labels(ours), np.where(ours == 3, 0, ours))
    return match


def question(
    *objects: int, count: int | None = None, when: tuple[float, float] | None = None
) -> SceneQuestion:
    return SceneQuestion("?", "color", frozenset(objects), count, None if when is None else (when,))


def answer(*marks: int, when: tuple[float, float] = (0.0, 2.0)) -> Answer:
    return Answer("", [GroundedMark(mark, str(mark), [when], []) for mark in marks])


@pytest.mark.parametrize(
    ("wanted", "named", "right", "found", "exact"),
    [
        ((1,), (1,), 1, 1, True),
        ((1, 2), (1,), 1, 1, False),
        ((1,), (1, 2), 1, 1, False),
        ((1,), (3,), 0, 0, False),
        ((), (), 0, 0, True),
        ((), (1,), 0, 0, False),
        ((1,), (), 0, 0, False),
    ],
)
def test_marks_are_right_where_they_lie(
    match: Match, wanted: tuple[int, ...], named: tuple[int, ...], right: int, found: int, exact: bool
) -> None:
    score = score_answer("s", question(*wanted), answer(*named), match)
    assert (score.right, score.named) == (right, len(named))
    assert (score.found, score.wanted) == (found, len(wanted))
    assert score.exact == exact


def test_two_marks_on_one_object_are_no_count_of_one(match: Match) -> None:
    twice = Answer("", [*answer(1).marks, *answer(1).marks])
    assert score_answer("s", question(1), twice, match).exact
    assert not score_answer("s", question(1, count=1), twice, match).exact


@pytest.mark.parametrize(
    ("given", "overlap", "exact"), [((0, 2), 1.0, True), ((0, 1), 0.5, False), ((5, 6), 0, False)]
)
def test_when(match: Match, given: tuple[float, float], overlap: float, exact: bool) -> None:
    score = score_answer("s", question(1, when=(0, 2)), answer(1, when=given), match)
    assert score.when == pytest.approx(overlap)
    assert score.exact == exact


def test_never_is_a_time_too(match: Match) -> None:
    never = replace(question(), intervals=())
    assert score_answer("s", never, answer(), match).when == 1
    assert score_answer("s", never, answer(1), match).when == 0


def test_totals_add_up_marks_and_objects(match: Match) -> None:
    scores = [
        score_answer("s", question(1, 2), answer(1, 3), match),
        replace(score_answer("s", question(), answer(), match), kind="size"),
    ]
    assert totals(scores) == {
        "color": Total(1, 0.0, 0.5, 0.5),
        "size": Total(1, 1.0, 1.0, 1.0),
        "all": Total(2, 0.5, 0.5, 0.5),
    }


def test_the_whole_path(scene: Path) -> None:
    scores = {score.kind: score for score in score_scene(read_scene(scene))}
    for kind in ("color", "motion", "count", "time"):
        assert scores[kind].exact, scores[kind]
    assert not scores["hidden"].exact
    assert scores["hidden"].unsupported == ("dog",)
    assert scores["time"].when == pytest.approx(1)


def test_without_the_true_masks(scene: Path) -> None:
    scores = {score.kind: score for score in score_scene(read_scene(scene), "hierarchy")}
    assert scores["motion"].found == 1
    assert scores["count"].exact


def test_the_command_prints_one_object(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(scene), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["segmenter"] == "labels"
    assert data["totals"]["all"] == {"questions": 5, "exact": 0.8, "precision": 1.0, "recall": 0.75}
    assert [row["kind"] for row in data["questions"]] == ["color", "motion", "count", "time", "hidden"]


def test_the_command_prints_tables(
    scene: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert main([str(scene)]) == 0
    out = capsys.readouterr()
    assert "Which marks are red?" in out.out
    assert "[1]" in out.out or "[2]" in out.out
    assert "precision" in out.out
    assert "blocks: 5 questions" in out.err


def test_bad_input_is_one_line(tmp_path: Path, scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.json").write_text("[1]")
    for arguments, says in (
        ([str(tmp_path / "none.json")], "cannot read the scene"),
        ([str(tmp_path / "text.json")], "is no scene with its truth"),
        ([str(scene), "--segmenter", "magic"], "unknown segmenter"),
    ):
        assert main(arguments) == 2
        assert says in capsys.readouterr().err.splitlines()[-1]


def test_the_video_must_be_the_one_of_the_truth(scene: Path) -> None:
    write_video(scene.with_suffix(".mp4"), [np.zeros((96, 160, 3), np.uint8)] * 30, 6)
    with pytest.raises(InputError, match="is not the video of its truth"):
        score_scene(read_scene(scene))
