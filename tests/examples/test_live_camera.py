from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples.live_camera import main
from tests.examples.clips import hiding


def test_the_agent_reacts_when_it_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = hiding(tmp_path / "clip.mp4", from_s=1.5, to_s=5.5, seconds=10)  # a slow machine misses frames
    assert main([str(clip), "--size", "160"]) == 0
    said = capsys.readouterr().out
    assert re.findall(r"(?m)^-> (\w+) ", said) == ["open_video", "find", "watch", "describe_mark"]
    assert "paused until watch w1 sees {'kind': 'comes_back'" in said
    last = said.splitlines()[-1]
    mark = re.search(r"The yellow thing is \[(\w+)\]", last)
    assert mark is not None
    came_back = re.search(rf"mark \[{mark[1]}\] came back into view at ([\d.]+) s", last)
    assert came_back is not None
    assert float(came_back[1]) >= 5.5
