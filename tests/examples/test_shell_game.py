"""The clip of the demo, through the whole embedded path: what the README says of it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from som_agent.evaluation.match import Match
from som_agent.evaluation.scene_file import read_scene
from som_agent.session import Session
from som_agent.video import open_video

SCENE = Path(__file__).parents[2] / "examples" / "scenes" / "shell_game.json"


@pytest.mark.slow
def test_the_cups_of_the_demo_keep_their_numbers():
    scene = read_scene(SCENE)
    match, session = Match(sorted(scene.rles)), Session()
    with open_video(scene.video) as video:
        for frame in video:
            marked = session.step(frame)
            marks = [info.mark for info in marked.infos]
            match.add(frame.time, marks, marked.source_regions, scene.labels(frame.index))
    cups = [found for found in match.found() if "cup" in scene.names[found.object]]
    assert sorted(cup.mark for cup in cups) == [4, 5, 6]
    assert min(cup.jaccard for cup in cups) > 0.7
