import shutil

import numpy as np
import pytest
from PIL import Image

import som_agent as som
from som_agent.errors import AnswererError, InputError, SegmenterError
from som_agent.runs.record import record
from som_agent.video import open_video, read_image


def test_every_name_is_there():
    for name in som.__all__:
        assert getattr(som, name) is not None
    assert set(som.__all__) <= set(dir(som))
    assert som.__version__
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = som.nothing_of_the_kind


def test_mark_a_file(picture):
    marked = som.mark(picture, segmenter=f"labels:{picture.parent / 'labels'}")
    assert [mark.mark for mark in marked.marks] == [1, 2, 3, 4]
    assert marked.image.shape == (160, 240, 3)
    assert marked.frame.name == "scene"
    assert (marked.image != read_image(picture)).any()
    assert marked.mask(1).sum() == 90 * 70


def test_mark_an_array_with_settings(picture):
    image = read_image(picture)
    marked = som.mark(image, max_marks=2, labels="letters")
    assert sum(mark.shown for mark in marked.marks) == 2
    assert [mark.label for mark in marked.marks if mark.shown] == ["A", "B"]


def test_mark_wants_one_picture(clip):
    with pytest.raises(InputError, match="not a single picture; use track"):
        som.mark(clip.path)


def test_track_is_a_stream(clip):
    stream = som.track(clip.path, segmenter=clip.segmenter)
    first = next(stream)
    assert first.index == 0
    assert len(first.marks) == 2
    stream.close()
    some = list(som.track(clip.path, segmenter=clip.segmenter, start=0.5, end=1.5, every=2))
    assert [frame.index for frame in some] == [5, 7, 9, 11, 13]


def test_ask_a_video(clip):
    answer = som.ask(clip.path, "Which mark is red?", segmenter=clip.segmenter)
    assert len(answer.marks) == 1
    assert answer.lmm == "attributes"
    assert answer.segmenter == clip.segmenter
    (red,) = answer.marks
    assert f"[{red.mark}]" in answer.text
    for evidence in red.evidence:
        y, x = np.nonzero(clip.maps[evidence.frame] == 1)
        assert list(evidence.box) == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert evidence.time == pytest.approx(evidence.frame / clip.fps, abs=1e-3)


def test_ask_a_run_is_asking_the_video(clip, tmp_path):
    masks = shutil.copytree(clip.labels, tmp_path / "masks")
    segmenter = f"labels:{masks}"
    session = som.Session(segmenter)
    with open_video(clip.path) as video:
        assert record(video, session, tmp_path / "run") == "complete"
    questions = [
        "Which mark is red?",
        "How many objects are there?",
        "What is mark 2 doing?",
        "Which is largest?",
    ]
    direct = [som.ask(clip.path, question, segmenter=segmenter) for question in questions]
    shutil.rmtree(masks)  # from here on nothing can be segmented
    with pytest.raises(SegmenterError):
        som.ask(clip.path, questions[0], segmenter=segmenter)
    for question, expected in zip(questions, direct, strict=True):
        assert som.ask(tmp_path / "run", question).to_json() == expected.to_json()
    run = som.read_run(tmp_path / "run")
    assert sorted(run.history.marks) == sorted(session.history.marks)


def test_what_is_wrong_is_named(clip, tmp_path):
    with pytest.raises(InputError, match=r"no such file: .*nowhere\.mp4"):
        next(som.track(tmp_path / "nowhere.mp4"))
    with pytest.raises(SegmenterError, match=r"unknown segmenter 'yolo'; known: .*labels:DIR"):
        next(som.track(clip.path, segmenter="yolo"))
    with pytest.raises(InputError, match="max_marks must be at least 1"):
        som.mark(np.zeros((9, 9, 3), np.uint8), max_marks=0)
    with pytest.raises(InputError, match="question"):
        som.ask(clip.path, "  ", segmenter=clip.segmenter)
    with pytest.raises(AnswererError, match="attributes"):
        som.ask(clip.path, "Which is red?", segmenter=clip.segmenter, lmm="nobody")
    with pytest.raises(TypeError, match="colour"):
        som.mark(np.zeros((9, 9, 3), np.uint8), colour=3)


def test_an_empty_name_is_not_the_current_folder(clip, picture, tmp_path, monkeypatch):
    with open_video(clip.path, end=0.3) as video:
        record(video, som.Session(clip.segmenter), tmp_path)
    shutil.copy(picture, tmp_path)
    monkeypatch.chdir(tmp_path)
    for call in (som.mark, lambda name: som.ask(name, "Which is red?"), lambda name: next(som.track(name))):
        with pytest.raises(InputError, match="the source is empty"):
            call("")


def test_zoom(picture, make):
    image = read_image(picture)
    image[20:60, 30:60] = (20, 90, 200)
    zoom = som.zoom(image, "1", segmenter=f"labels:{picture.parent / 'labels'}", parts="hierarchy")
    assert isinstance(zoom, som.Zoom)
    assert {mark.label for mark in zoom.marks} >= {"1a", "1b"}
    (spot,) = [mark for mark in zoom.marks if mark.label == "1b"]
    np.testing.assert_allclose(spot.box, (30, 20, 60, 60), atol=2)
    with pytest.raises(SegmenterError, match="masks of whole pictures"):
        som.zoom(picture, 1, segmenter=f"labels:{picture.parent / 'labels'}")
    with pytest.raises(InputError, match="mark 99 is not visible in frame 0; visible marks: 1, 2"):
        som.zoom(picture, 99)


def test_ready_made_masks_of_one_picture_are_taken_as_they_are(tmp_path):
    """Not at the 480 pixels at which pictures are processed: no outline is rounded."""
    labels = np.zeros((300, 1000), np.uint8)
    labels[31:198, 13:777] = 1
    labels[7:29, 800:833:2] = 2  # lines of one pixel
    Image.fromarray(labels).save(tmp_path / "a.png")
    (tmp_path / "photos").mkdir()
    photo = tmp_path / "photos" / "a.png"
    Image.fromarray(np.full((300, 1000, 3), 99, np.uint8)).save(photo)
    masks = f"labels:{tmp_path}"
    marks = som.mark(photo, segmenter=masks).marks
    assert [mark.area for mark in marks] == [(labels == n).sum() for n in (1, 2)]
    assert marks[0].box == (13, 31, 777, 198)
    assert som.mark(photo, segmenter=masks, size=480).regions.atoms.shape == (144, 480)
    assert som.zoom(photo, 1, segmenter=masks, parts="hierarchy").box == (0, 0, 853, 274)
