"""One recorded run that the tests read, and never change."""

from __future__ import annotations

from pathlib import Path

import pytest

from som_agent.runs.record import record
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import open_video


@pytest.fixture(scope="session")
def run_dir(clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with open_video(clip.path) as video:
        record(video, Session(clip.segmenter, Settings(max_marks=5)), folder, cut={"every": 1})
    return folder
