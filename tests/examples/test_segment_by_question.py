from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.segment_by_question import main
from som_agent.video import open_video, write_video


def picture(k: int) -> np.ndarray:
    image = np.full((90, 160, 3), 200, np.uint8)
    image[20:60, 15:55] = (210, 25, 25)
    image[35:70, 80 + k : 115 + k] = (235, 210, 30)
    return image


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_video(tmp_path / "clip.mp4", [picture(k) for k in range(6)], 6)
    return tmp_path / "clip.mp4"


def test_what_a_question_names_is_segmented(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = clip.parent / "out"
    assert main([str(clip), "Which mark is yellow?", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    masks = sorted((out / "masks").glob("*.png"))
    assert [mask.name for mask in masks] == [f"{k:05d}.png" for k in range(6)]
    for k, file in enumerate(masks):
        with Image.open(file) as mask:
            labels = np.array(mask)
        (number,) = set(labels.ravel().tolist()) - {0}
        true = np.zeros((90, 160), bool)
        true[35:70, 80 + k : 115 + k] = True
        found = labels == number
        assert (found & true).sum() / (found | true).sum() > 0.9
        assert f"[{number}] has a mask in 6 frames" in said
    with open_video(out / "marked.mp4") as video:
        frames = [frame.image.astype(int) for frame in video]
    assert len(frames) == 6
    assert np.abs(frames[0][25:55, 20:50] - (210, 25, 25)).mean() < 12  # the other thing is as it was
    assert main([str(clip), "-o", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_an_answer_without_marks_says_so(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(clip), "Which mark is purple?", "-o", str(clip.parent / "none")]) == 2
    assert "names no mark" in capsys.readouterr().err
