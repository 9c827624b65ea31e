from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from som_agent.errors import InputError, SegmenterError
from som_agent.evaluation.tracks import chosen, frame_count, score_sequence, scores_json, sequences, tables
from som_agent.segmenters import load_segmenter
from som_agent.session import Session
from som_agent.settings import Settings
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
    identity = score.identity.to_json()
    assert identity.pop("id_switches") == 0
    assert identity == pytest.approx(dict.fromkeys(identity, 1.0))


def test_the_caller_makes_the_session(root: Path) -> None:
    """Settings reach it, and a segmenter that is loaded already is taken as it is; frames are told of."""
    made, frames = [], []

    def new_session(segmenter):
        made.append(Session(segmenter, Settings(size=80)))
        return made[-1]

    segmenter = load_segmenter("hierarchy")
    score_sequence(root, "blocks", segmenter, new_session=new_session, on_frame=lambda: frames.append(1))
    (session,) = made
    assert session.segmenter is segmenter
    assert session.history.mask_size == (80, 48)
    assert len(frames) == 18


def test_sequences_are_chosen_by_name(root: Path) -> None:
    (root / "JPEGImages" / "cats").mkdir()
    assert sequences(root) == chosen(root, None) == ["blocks", "cats"]
    assert chosen(root, "cats, blocks,cats") == ["cats", "blocks"]
    for names, says in (
        ("dogs,blocks", "no sequence dogs in .*; there are blocks, cats"),
        (" ,", "is named"),
    ):
        with pytest.raises(InputError, match=says):
            chosen(root, names)
    assert frame_count(root, ["blocks"]) == 18
    with pytest.raises(InputError, match="cats has no pictures"):
        frame_count(root, ["cats"])


def test_scores_of_several_videos_are_taken_together(root: Path) -> None:
    good, bad = score_sequence(root, "blocks", "labels"), score_sequence(root, "blocks")
    data = scores_json([good, bad], "any")
    assert data["J"] == pytest.approx(np.mean([f.jaccard for f in (*good.objects, *bad.objects)]))
    assert data["mota"] == pytest.approx((good.identity.clear.mota + bad.identity.clear.mota) / 2)
    assert data["id_switches"] == bad.identity.clear.switches
    assert len(tables([good, bad], "any")) == 2


def test_what_does_not_fit_is_said_before_anything_is_tracked(root: Path) -> None:
    def refused(says: str) -> None:
        with pytest.raises(InputError, match=says):
            score_sequence(root, "blocks", "labels", new_session=lambda _: pytest.fail("it began"))

    mask = root / "Annotations" / "blocks" / "00013.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(mask)
    refused("blocks: there is an annotation of another size for 00013")
    mask.unlink()
    refused("blocks: there is no annotation for 00013")
    Image.fromarray(np.zeros((96, 160, 3), np.uint8)).save(mask)
    with pytest.raises(SegmenterError, match="must be a palette or grey index PNG"):
        score_sequence(root, "blocks")


@pytest.mark.slow
def test_real_videos(shared_data: Path) -> None:
    root = shared_data / "vos"
    assert len(sequences(root)) == 6
    (swan,) = score_sequence(root, "blackswan").objects
    assert swan.jaccard > 0.5
