import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from som_agent.evaluation.tracks import main, score_sequence, sequences
from som_agent.video import write_image


@pytest.fixture
def root(tmp_path: Path, blocks: tuple[list[np.ndarray], list[np.ndarray]]) -> Path:
    """One sequence in the layout of DAVIS, with a void pixel that is nobody's."""
    pictures, masks = tmp_path / "JPEGImages" / "blocks", tmp_path / "Annotations" / "blocks"
    pictures.mkdir(parents=True)
    masks.mkdir(parents=True)
    for k, (image, labels) in enumerate(zip(*blocks, strict=True)):
        write_image(pictures / f"{k:05d}.jpg", image)
        with_void = labels.copy()
        with_void[0, 0] = 255
        mask = Image.fromarray(with_void).convert("P")
        mask.putpalette([channel for v in range(256) for channel in (v, 255 - v, v // 2)])
        mask.putdata(with_void.ravel().tolist())
        mask.save(masks / f"{k:05d}.png")
    return tmp_path


def test_the_automatic_path(root: Path) -> None:
    score = score_sequence(root, "blocks")
    assert (score.name, score.frames) == ("blocks", 18)
    assert score.fps > 0
    assert [found.object for found in score.objects] == [1, 2]
    for found in score.objects:
        assert found.jaccard > 0.5
        assert found.any_mark > 0.5
        assert found.frames == 18
    assert len({found.mark for found in score.objects}) == 2


def test_true_masks_are_found_exactly(root: Path) -> None:
    score = score_sequence(root, "blocks", "labels")
    assert [(found.jaccard, found.marks) for found in score.objects] == [(1.0, 1), (1.0, 1)]


def test_the_command(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(root), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["sequences"]["blocks"]["objects"][0]["object"] == 1
    assert data["J"] == pytest.approx(
        np.mean([found["jaccard"] for found in data["sequences"]["blocks"]["objects"]])
    )
    assert main(["--root", str(root), "--sequences", "blocks"]) == 0
    out = capsys.readouterr()
    assert "frames/s" in out.out
    assert "mean" in out.out
    assert out.err.startswith("blocks: 18 frames")


def test_bad_input_is_one_line(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def says(*arguments: str) -> str:
        assert main(["--root", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "is not in the layout of DAVIS" in says(str(tmp_path / "Annotations"))
    assert "no sequence cats" in says(str(root), "--sequences", "cats")
    assert "unknown segmenter" in says(str(root), "--segmenter", "magic")
    mask = root / "Annotations" / "blocks" / "00003.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(mask)
    assert "there is an annotation of another size for 00003" in says(str(root))
    Image.fromarray(np.zeros((96, 160, 3), np.uint8)).save(mask)
    assert "must be a palette or grey index PNG" in says(str(root))
    mask.unlink()
    assert "there is no annotation for 00003" in says(str(root))


@pytest.mark.slow
def test_real_videos(shared_data: Path) -> None:
    root = shared_data / "vos"
    assert len(sequences(root)) == 6
    (swan,) = score_sequence(root, "blackswan").objects
    assert swan.jaccard > 0.5
