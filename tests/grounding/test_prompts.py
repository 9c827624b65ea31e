import numpy as np

from som_agent.grounding.prompts import frame_caption, question_prompt, roster
from som_agent.history import GONE, OCCLUDED, VISIBLE, History, MarkInfo, Trace
from som_agent.keyframes import Keyframe

IMAGE = np.zeros((4, 4, 3), np.uint8)


def trace(states, first=0):
    n = len(states)
    frames = np.arange(first, first + n, dtype=np.int32)
    colors = np.zeros((n, 11), np.uint8)
    colors[:, 3] = 100
    return Trace(
        frames=frames,
        times=frames / 10,
        states=np.asarray(states, np.int8),
        boxes=np.tile(np.float32([1, 2, 9, 8.4]), (n, 1)),
        areas=np.full(n, 40, np.int32),
        anchors=np.full((n, 2), 5, np.float32),
        scores=np.ones(n, np.float32),
        colors=colors,
        rles=[""] * n,
    )


def history(traces):
    frames = np.arange(20, dtype=np.int32)
    marks = {mark: MarkInfo(mark, str(mark), (0, 0, 0)) for mark in traces}
    return History((64, 48), frames, frames / 10, marks, traces, "x")


def test_the_state_is_that_of_the_last_frame_shown():
    seen, hidden, gone = (
        [VISIBLE] * 20,
        [VISIBLE] * 8 + [OCCLUDED] * 12,
        [VISIBLE] * 3 + [OCCLUDED] * 2 + [GONE],
    )
    h = history({1: trace(seen), 2: trace(hidden), 3: trace(gone), 4: trace([VISIBLE] * 8, first=12)})
    place = "red, at 0.00 s: x 1 to 9, y 2 to 8; visible"
    late = "red, at 1.20 s: x 1 to 9, y 2 to 8; visible 1.20 to 1.90 s"
    assert roster(h, [0, 4, 10]).splitlines() == [
        f"[1] {place} 0.00 to 1.90 s",
        f"[2] {place} 0.00 to 0.70 s; occluded since 0.80 s",
        f"[3] {place} 0.00 to 0.20 s; gone since 0.50 s",
        f"[4] {late}",
    ]
    assert roster(h, [0, 4]).splitlines()[1:3] == [
        f"[2] {place} 0.00 to 0.70 s",
        f"[3] {place} 0.00 to 0.20 s; occluded since 0.30 s",
    ]


def test_what_comes_first_is_listed_where_not_all_can_be():
    h = history({mark: trace([VISIBLE]) for mark in range(1, 301)})
    order = [*range(300, 0, -1)]
    lines = roster(h, [0], order).splitlines()
    assert lines[0].startswith("[101]")
    assert lines[-2].startswith("[300]")
    assert lines[-1] == "and 100 more that are not listed"
    assert roster(h, [0]).startswith("[1]")
    prompt = question_prompt("Which?", h, [Keyframe(IMAGE, 0, 0.0, tuple(range(1, 11)))], order)
    (undrawn,) = [line for line in prompt.splitlines() if line.startswith("Drawn in none of the pictures")]
    assert undrawn.startswith("Drawn in none of the pictures: 11, 12,")
    assert undrawn.endswith("210 and 90 more.")


def test_captions_leave_nothing_out_silently():
    h = history({mark: trace([VISIBLE]) for mark in (1, 2, 3)})
    assert frame_caption(Keyframe(IMAGE, 4, 0.4, (1, 2)), h) == "Frame at 0.40 s, marks shown: 1, 2."
    part = Keyframe(IMAGE, 4, 0.4, (), part=2, parts=3, left_out=(1, 3))
    assert frame_caption(part, h) == (
        "Picture 2 of 3 of the frame at 0.40 s, marks shown: none. "
        "2 more marks are in this frame but not drawn."
    )
