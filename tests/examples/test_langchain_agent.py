from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from examples.langchain_agent import main
from tests.examples.clips import hiding


def test_the_plan_is_carried_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = hiding(tmp_path / "clip.mp4", from_s=1.3, to_s=2.6, seconds=4)
    assert main([str(clip), "--size", "160", "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    tools = re.findall(r"(?m)^-> (\w+) ", said)
    assert tools == ["open_video", "find", "ask", "watch", "export_masks"]
    last = said.splitlines()[-1]
    mark = re.search(r"The yellow thing is \[(\w+)\]", last)
    assert mark is not None
    assert f"mark [{mark[1]}] went out of sight at 1." in last
    (folder,) = (tmp_path / "out").iterdir()
    with Image.open(folder / "00000.png") as mask:
        assert set(mask.get_flattened_data()) == {0, int(mark[1])}


def test_what_is_not_there_ends_the_plan(tmp_path: Path) -> None:
    clip = hiding(tmp_path / "clip.mp4", from_s=1, to_s=1, seconds=1)
    with pytest.raises(SystemExit, match="no mark in this result"):
        main([str(clip), "--size", "160", "--thing", "purple thing"])


def test_a_model_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = hiding(tmp_path / "clip.mp4", from_s=1, to_s=1, seconds=1)
    assert main([str(clip), "--model", "nobody:nothing"]) == 2
    assert "unknown model 'nobody:nothing'" in capsys.readouterr().err
