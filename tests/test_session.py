import numpy as np
import pytest

from som_agent.errors import InputError, SegmenterError
from som_agent.history import GONE, OCCLUDED, VISIBLE
from som_agent.regions import Regions
from som_agent.rle import decode
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.tracking import AssociationTracker
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
    session, frames = play(make, maps, tracker=AssociationTracker(lost_s=2.0))
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

    def place_of(i):
        """Each thing comes where the one before it was not: else it would be that one in another colour."""
        return 10 * (3 * (i // 8) % 8)

    class Coming:
        name = "coming"

        def segment(self, frame):
            place = place_of(frame.index)
            return Regions.from_labels(make.labels({1: (place, 10, place + 20, 40)}, (96, 48)))

    session = Session(Coming(), Settings(max_rows=60, keyframes=3), tracker=AssociationTracker(lost_s=0.3))
    noise = rng.integers(0, 40, (48, 96, 3)).astype(np.uint8)
    for i in range(480):
        image = noise.copy()
        place, shade = place_of(i), 60 + 60 * (i // 8 % 3)
        image[10:40, place : place + 20] = (shade, 255 - shade, shade)
        session.step(image, time=i / 10)
    assert sum(len(trace) for trace in session.history.traces.values()) <= 60
    assert len(session._numbers.book.table) <= 40, "marks that nothing remembers are forgotten"
    assert len(session._numbers._observer._last) <= 10
    assert max(session.history.marks) > 20, "although many were given"


class Columns:
    """A segmenter of the zoom's picture: equal columns, which are parts of whatever is opened."""

    name = "columns"

    def __init__(self, count=2):
        self.count = count

    def segment(self, frame):
        h, w = frame.image.shape[:2]
        return Regions.from_labels(np.tile(np.arange(w) * self.count // w + 1, (h, 1)))


def still(make, frames=12, hide=()):
    """A large red box and a blue one; those of `hide` are not seen in their frames: number → range."""
    maps = []
    for i in range(frames):
        boxes = {1: (8, 8, 56, 56), 2: (70, 20, 110, 50)}
        maps.append(
            make.labels({k: box for k, box in boxes.items() if i not in dict(hide).get(k, ())}, (120, 64))
        )
    return maps


def begin(make, maps, **more):
    session = Session(Maps(maps), **more)
    session.step(make.paint(maps[0]), time=0.0)
    return session


def test_parts_of_a_mark_are_marks_of_the_session(make):
    maps = still(make)
    session = begin(make, maps)
    before = session.newest
    zoom = session.zoom(1, segmenter=Columns())
    assert [(mark.mark, mark.label) for mark in zoom.marks] == [(3, "1a"), (4, "1b")]
    assert zoom.untracked == frozenset()
    assert [info.label for info in before.infos] == ["1", "2"], "what was handed out stays as it was"
    assert [info.label for info in session.newest.infos] == ["1", "2", "1a", "1b"]
    assert [row.mark for row in session.observations] == [1, 2, 3, 4]
    for i in range(1, 12):
        frame = session.step(make.paint(maps[i]), time=i / 10)
        assert [info.label for info in frame.infos] == ["1", "2", "1a", "1b"]
        assert [info.parent for info in frame.infos] == [None, None, 1, 1]
        for mark in (3, 4):
            mask, truth = frame.mask(mark), zoom.mask(mark)
            assert (mask & truth).sum() > 0.95 * (mask | truth).sum()
    history = session.history
    assert history.marks[3].label == "1a"
    for mark in (3, 4):
        assert history.traces[mark].frames.tolist() == list(range(12)), "seen from the opened frame on"
        assert (history.traces[mark].states == VISIBLE).all()


def test_the_same_part_keeps_its_number_and_another_gets_a_new_letter(make):
    maps = still(make)
    session = begin(make, maps)
    first = session.zoom("1", segmenter=Columns(2))
    assert session.zoom(1, segmenter=Columns(2)).marked.infos == first.marked.infos, "in the same frame"
    session.step(make.paint(maps[1]), time=0.1)
    again = session.zoom(1, segmenter=Columns(2))
    assert again.marked.infos == first.marked.infos
    assert sorted(session.newest.infos, key=lambda info: info.mark) == session.newest.infos
    finer = session.zoom(1, segmenter=Columns(6))
    labels = [info.label for info in finer.marked.infos]
    assert sorted(labels) == ["1c", "1d", "1e", "1f"], "a sixth is no half"


def test_a_part_of_a_part(make):
    session = begin(make, still(make))
    session.zoom(1, segmenter=Columns())
    zoom = session.zoom("1b", segmenter=Columns())
    assert [(info.label, info.parent) for info in zoom.marked.infos] == [("1b1", 4), ("1b2", 4)]
    whole, part = session.newest.mask(4), zoom.mask(zoom.marks[0].mark)
    assert not (part & ~whole).any()
    frame = session.step(make.paint(still(make)[1]), time=0.1)
    assert [info.label for info in frame.infos] == ["1", "2", "1a", "1b", "1b1", "1b2"]


def test_parts_go_on_without_the_mark(make):
    """From frame 3 on only the left half of the box is seen: what it was is given up, its half is not."""
    maps = still(make)
    for labels in maps[3:]:
        labels[:, 32:56] = 0
    session = Session(Maps(maps), tracker=AssociationTracker(lost_s=0.3))
    image = make.paint(maps[0])
    session.step(image, time=0.0)
    zoom = session.zoom(1, segmenter=Columns())
    right, left = sorted(zoom.marked.infos, key=lambda info: zoom.mask(info.mark)[32, 12])
    frames = [session.step(image, time=i / 10) for i in range(1, 12)]
    traces = session.history.traces
    assert traces[1].states[-1] == traces[right.mark].states[-1] == GONE
    assert (traces[left.mark].states == VISIBLE).all()
    assert left in frames[-1].infos
    assert left.parent == 1
    opened = session.zoom(left.label, segmenter=Columns())
    assert [info.label for info in opened.marked.infos] == [f"{left.label}1", f"{left.label}2"]


def test_a_part_too_small_to_be_followed(make):
    """Large frames are processed small: what is a mark in the close-up may be a few pixels there."""
    labels = make.labels({1: (100, 100, 140, 140), 2: (300, 100, 900, 400)}, (1200, 600))
    session = Session(Maps([labels[::10, ::10]] * 3), Settings(size=120))
    session.step(make.paint(labels), time=0.0)
    zoom = session.zoom(2, segmenter=Columns())
    assert [mark.label for mark in zoom.marks] == ["2a", "2b"]
    assert zoom.untracked == {3, 4}
    assert {mark.reason for mark in zoom.marks} == {"too small to be followed from frame to frame"}
    assert zoom.mask(3).sum() > 700
    frame = session.step(make.paint(labels), time=0.1)
    assert [info.label for info in frame.infos] == ["1", "2"]
    assert sorted(session.history.marks) == [1, 2]


def test_what_cannot_be_opened(make, clip):
    session = Session(Maps(still(make)))
    assert session.newest is None
    with pytest.raises(InputError, match="there is no frame yet"):
        session.zoom(1)
    with pytest.raises(InputError, match="there is no frame yet"):
        session.union(1, 2)
    session = begin(make, still(make))
    with pytest.raises(InputError, match="mark 7 is not visible in frame 0; visible marks: 1, 2"):
        session.zoom(7)
    with pytest.raises(InputError, match="max_marks must be at least 1, got 0"):
        session.zoom(1, max_marks=0)
    with pytest.raises(SegmenterError, match="unknown segmenter 'sharp'"):
        session.zoom(1, segmenter="sharp")
    session = Session(clip.segmenter)
    with open_video(clip.path) as video:
        session.step(next(iter(video)))
    with pytest.raises(SegmenterError, match="masks of whole pictures"):
        session.zoom(1)
    assert [info.label for info in session.newest.infos] == ["1", "2"], "what failed leaves no trace"


def crossing(make, frames=14):
    """A box that moves under a smaller one and out again, as masks that overlap: `[F, 2, h, w]`."""
    masks = np.zeros((frames, 2, 64, 120), bool)
    for i in range(frames):
        masks[i, 0, 10:54, 8:48] = True
        masks[i, 1, 20:44, 40 + 4 * i : 64 + 4 * i] = True
    return masks


class Stacks:
    """A segmenter of overlapping masks by frame number; those without a pixel are not there."""

    name = "stacks"

    def __init__(self, masks):
        self.masks = masks

    def segment(self, frame):
        masks = self.masks[frame.index]
        return Regions.from_masks(masks[masks.any(axis=(1, 2))])


def test_marks_made_of_marks(make):
    masks = crossing(make)
    session = Session(Stacks(masks))
    images = [make.paint(np.where(m[1], 2, m[0].astype(np.int32))) for m in masks]
    session.step(images[0], time=0.0)
    rows = [session.union(1, 2), session.intersection(1, "2"), session.minus(1, 2)]
    assert [(row.mark, row.label, row.made_of) for row in rows] == [
        (3, "3", "1 ∪ 2"),
        (4, "4", "1 ∩ 2"),
        (5, "5", "1 ∖ 2"),
    ]
    assert session.union(2, 1) == rows[0], "asked for again it is the same"
    frames = [session.newest] + [session.step(image, time=i / 10) for i, image in enumerate(images[1:], 1)]
    for i, frame in enumerate(frames):
        here = [info.mark for info in frame.infos]
        one, two = frame.mask(1), frame.mask(2)
        np.testing.assert_array_equal(frame.mask(3), one | two)
        np.testing.assert_array_equal(frame.mask(5), one & ~two)
        assert (4 in here) == bool((one & two).any()) == (i < 2)
        if 4 in here:
            np.testing.assert_array_equal(frame.mask(4), one & two)
        labels = [frame.infos[k].label for k in frame.drawn]
        assert labels == ["3", "4", "5"] if i < 2 else ["3", "5"], "a union is drawn in place of its operands"
    traces = session.history.traces
    assert traces[3].frames.tolist() == list(range(14))
    assert traces[4].states.tolist() == [VISIBLE] * 2 + [OCCLUDED] * 12
    assert session.history.marks[5].made_of == "1 ∖ 2"


def test_marks_made_of_marks_are_gone_when_they_cannot_come_back(make):
    maps = still(make, 30, hide={2: range(4, 30)})
    session = Session(Maps(maps), tracker=AssociationTracker(lost_s=1.0))
    session.step(make.paint(maps[0]), time=0.0)
    both, rest = session.union(1, 2), session.minus(2, 1)
    of_both = session.minus(both.label, 1)
    for i in range(1, 30):
        session.step(make.paint(maps[i]), time=i / 10)
    traces = session.history.traces
    assert (traces[both.mark].states == VISIBLE).all(), "one of them is there"
    assert traces[rest.mark].states.tolist() == traces[2].states.tolist()
    assert traces[rest.mark].states[-1] == GONE
    states = traces[of_both.mark].states.tolist()
    assert states == [VISIBLE] * 4 + [OCCLUDED] * 26, "what it is made of is there still"
    assert rest.mark not in session.history.traces or rest.mark not in [
        info.mark for info in session.newest.infos
    ]
    assert len(session._numbers._derived) == 2


def test_marks_that_make_nothing(make):
    session = begin(make, still(make))
    with pytest.raises(InputError, match="marks 1 and 2 share no pixel in frame 0: there is nothing to mark"):
        session.intersection(1, 2)
    both = session.union(1, 2)
    with pytest.raises(InputError, match="nothing of mark 1 is left without mark 3 in frame 0"):
        session.minus(1, both.mark)
    with pytest.raises(InputError, match="union needs two marks or more, got 1"):
        session.union(1)
    with pytest.raises(InputError, match="minus needs two marks or more, got 1, 1"):
        session.minus(1, 1)
    with pytest.raises(InputError, match="union needs two marks or more, got none"):
        session.union()
    with pytest.raises(InputError, match="mark 9 is not visible in frame 0; visible marks: 1, 2, 3"):
        session.union(1, 9)
    assert sorted(session.history.marks) == [1, 2, 3], "no number was given away"
    assert session.union(1, 2) == both


def test_parts_can_be_joined_again(make):
    session = begin(make, still(make))
    zoom = session.zoom(1, segmenter=Columns(3))
    joined = session.union("1a", "1b")
    assert joined.made_of == "1a ∪ 1b"
    mask = session.newest.mask(joined.mark)
    np.testing.assert_array_equal(mask, session.newest.mask(3) | session.newest.mask(4))
    opened = session.zoom(joined.label, segmenter=Columns(2))
    assert {info.label for info in opened.marked.infos} <= {"1a", "1b", "1c", "6a", "6b"}
    assert zoom.marked.infos[0].label == "1a"


def test_memory_stays_bounded_when_every_frame_is_opened(make):
    maps = still(make, 60)
    session = Session(
        Maps(maps), Settings(max_rows=200), tracker=AssociationTracker(lost_s=0.3, max_tracks=12)
    )
    for i, labels in enumerate(maps):
        session.step(make.paint(labels), time=i / 10)
        session.zoom(1, segmenter=Columns(2 + i % 4))
        session.minus(1, 2)
    assert len(session._tracker._lives.tracks) <= 12
    assert len(session._numbers._derived) == 1
    assert sum(len(trace) for trace in session.history.traces.values()) <= 200
    assert len(session._numbers.book.table) < 120
