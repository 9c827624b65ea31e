import numpy as np
import pytest

from som_agent.errors import InputError, SegmenterError
from som_agent.history import GONE, OCCLUDED, VISIBLE
from som_agent.regions import Regions
from som_agent.rle import decode
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.tracking import IouTracker
from som_agent.video import Frame, open_video


class Maps:
    """A segmenter that reads its label maps by frame number."""

    name = "maps"

    def __init__(self, maps):
        self.maps = maps

    def segment(self, frame):
        return Regions.from_labels(self.maps[frame.index])


def play(make, maps, tracker=None, **settings):
    session = Session(Maps(maps), Settings(**settings), tracker=tracker)
    frames = [session.step(make.paint(labels), time=i / 10) for i, labels in enumerate(maps)]
    return session, frames


def two_boxes(make, frames, hide=range(0)):
    """A red box that moves, a blue one that is hidden in the frames of `hide`."""
    maps = []
    for i in range(frames):
        boxes = {1: (4 + i, 6, 34 + i, 24), 2: (60, 34, 92, 62)}
        if i in hide:
            del boxes[2]
        maps.append(make.labels(boxes, (120, 64)))
    return maps


def test_a_clip_from_a_file(clip):
    session = Session(clip.segmenter)
    with open_video(clip.path) as video:
        frames = list(session.run(video))
    assert [frame.index for frame in frames] == list(range(24))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(24) / 10, atol=1e-3)
    for frame in frames:
        truth = clip.maps[frame.index]
        for mark in frame.marks:
            overlap = np.unique(truth[frame.mask(mark.mark)])
            assert len(overlap) == 1, "the masks are the segmenter's own"
    owner = {}
    for frame in frames:
        for mark in frame.marks:
            label = int(clip.maps[frame.index][frame.mask(mark.mark)][0])
            assert owner.setdefault(mark.mark, label) == label
    assert sorted(owner.values()) == [1, 2, 3]
    history = session.history
    assert sorted(history.marks) == sorted(owner)
    assert history.size == history.mask_size == (96, 64)
    assert history.segmenter == clip.segmenter
    assert history.frames.tolist() == list(range(24))


def test_what_the_history_says_is_what_was_seen(make):
    maps = two_boxes(make, 20)
    session, frames = play(make, maps)
    history = session.history
    for mark, trace in history.traces.items():
        assert trace.frames.tolist() == list(range(20))
        assert (trace.states == VISIBLE).all()
        for k, frame in enumerate(frames):
            mask = decode(trace.rles[k], history.mask_size)
            np.testing.assert_array_equal(mask, frame.mask(mark))
            y, x = np.nonzero(mask)
            assert trace.boxes[k].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
            assert trace.areas[k] == mask.sum()
            assert mask[int(trace.anchors[k, 1]), int(trace.anchors[k, 0])]
    terms = {mark: int(np.argmax(trace.colors[0])) for mark, trace in history.traces.items()}
    assert len(set(terms.values())) == 2
    assert [row.mark for row in session.observations] == [1, 2]


def test_hidden_and_given_up(make):
    maps = two_boxes(make, 40, hide=range(5, 40))
    session, frames = play(make, maps, tracker=IouTracker(lost_s=2.0))
    mark = next(m.mark for m in frames[0].marks if frames[0].mask(m.mark)[40, 70])
    trace = session.history.traces[mark]
    states = trace.states.tolist()
    assert states[:5] == [VISIBLE] * 5
    assert set(states[5:-1]) == {OCCLUDED}
    assert states[-1] == GONE, "said once"
    assert trace.times[-1] == pytest.approx(2.5, abs=0.15)
    np.testing.assert_array_equal(trace.boxes[5:], np.repeat(trace.boxes[4:5], len(states) - 5, axis=0))
    assert set(trace.rles[5:]) == {""}
    assert (trace.scores[5:] == 0).all()


def test_the_size_inside_does_not_show(make):
    """Large frames are processed small; what comes out is in source pixels."""
    small = two_boxes(make, 6)
    large = [np.kron(labels, np.ones((8, 8), np.int32)) for labels in small]

    class Half(Maps):
        def segment(self, frame):
            h, w = frame.image.shape[:2]
            assert max(h, w) == 480
            step = 960 // 480
            return Regions.from_labels(self.maps[frame.index][::step, ::step][:h, :w])

    session = Session(Half(large))
    for i, labels in enumerate(large):
        frame = session.step(make.paint(labels), time=i / 10)
        for mark in frame.marks:
            mask = frame.mask(mark.mark)
            assert mask.shape == labels.shape
            truth = labels == labels[mask][0]
            assert (mask & truth).sum() > 0.97 * (mask | truth).sum()
            y, x = np.nonzero(truth)
            np.testing.assert_allclose(mark.box, [x.min(), y.min(), x.max() + 1, y.max() + 1], atol=4)
    assert session.history.size == (960, 512)
    assert session.history.mask_size == (480, 256)


def test_ask_after_and_between_steps(make):
    maps = two_boxes(make, 12)
    session = Session(Maps(maps))
    answers = []
    for i, labels in enumerate(maps):
        session.step(make.paint(labels), time=i / 10)
        answers.append(session.ask("Which mark is red?"))
    red = {tuple(mark.mark for mark in answer.marks) for answer in answers}
    assert len(red) == 1
    assert len(red.pop()) == 1
    assert answers[-1].segmenter == "maps"
    assert answers[-1].lmm == "attributes"


def test_before_the_first_frame(make):
    session = Session(Maps([]))
    assert session.observations == []
    history = session.history
    assert history.traces == {}
    assert len(history.frames) == 0
    answer = session.ask("Which mark is red?")
    assert answer.marks == []


def test_frames_with_their_own_numbers_and_times(make):
    maps = two_boxes(make, 30)
    session = Session(Maps(maps))
    for index in (3, 7, 20):
        session.step(Frame(make.paint(maps[index]), index, index / 25))
    assert session.history.frames.tolist() == [3, 7, 20]
    assert session.history.times.tolist() == [3 / 25, 7 / 25, 20 / 25]


def picture(**kind):
    return np.zeros(kind.get("shape", (48, 64, 3)), kind.get("dtype", np.uint8))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (picture(shape=(48, 64)), r"\(48, 64\)"),
        (picture(shape=(48, 64, 4)), r"\(48, 64, 4\)"),
        (picture(dtype=np.float32), "float32"),
        (picture(shape=(0, 64, 3)), r"\(0, 64, 3\)"),
        ([[1, 2, 3]], "list"),
    ],
)
def test_what_is_no_picture_is_refused(image, words):
    with pytest.raises(InputError, match=rf"\[H, W, 3\] uint8 RGB, got .*{words}"):
        Session().step(image, time=0.0)


def test_the_clock_of_a_session(make):
    labels = make.labels({1: (4, 4, 30, 30)}, (64, 48))
    session = Session(Maps([labels] * 5))
    image = make.paint(labels)
    with pytest.raises(InputError, match="time of the frame"):
        session.step(image)
    session.step(image, time=1.0)
    session.step(image, time=1.0)
    with pytest.raises(InputError, match=r"frame 2 is at 0\.5 s, before the last one \(1\.0 s\)"):
        session.step(image, time=0.5)
    with pytest.raises(InputError, match="nan"):
        session.step(image, time=float("nan"))
    with pytest.raises(InputError, match="frame 2 is 32x48 px, the frames before it are 64x48 px"):
        session.step(np.ascontiguousarray(image[:, :32]), time=2.0)
    assert session.step(image, time=2.0).index == 2, "what was refused leaves no trace"


def test_settings_are_checked():
    for wrong, words in (
        ({"max_marks": 0}, "max_marks must be at least 1, got 0"),
        ({"size": 15}, "size must be at least 16, got 15"),
        ({"labels": "roman"}, "'roman'; known: numbers, letters"),
        ({"max_rows": 0}, "max_rows"),
        ({"keyframes": 0}, "keyframes"),
    ):
        with pytest.raises(InputError, match=words):
            Settings(**wrong)
    with pytest.raises(SegmenterError, match="unknown segmenter 'sharp'; known: hierarchy"):
        Session("sharp")


def test_memory_does_not_grow_with_the_video(make):
    """Things come and go for a long time; everything that a session holds stays bounded."""
    rng = np.random.default_rng(1)

    class Coming:
        name = "coming"

        def segment(self, frame):
            k = frame.index // 8
            place = 10 * (k % 8)
            return Regions.from_labels(make.labels({1: (place, 10, place + 20, 40)}, (96, 48)))

    session = Session(Coming(), Settings(max_rows=60, keyframes=3), tracker=IouTracker(lost_s=0.3))
    noise = rng.integers(0, 40, (48, 96, 3)).astype(np.uint8)
    for i in range(480):
        image = noise.copy()
        place, shade = 10 * (i // 8 % 8), 60 + 60 * (i // 8 % 3)
        image[10:40, place : place + 20] = (shade, 255 - shade, shade)
        session.step(image, time=i / 10)
    assert sum(len(trace) for trace in session.history.traces.values()) <= 60
    assert len(session._book.table) <= 30, "marks that nothing remembers are forgotten"
    assert len(session._observer._last) <= 10
    assert max(session.history.marks) > 20, "although many were given"
