import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.marks.algebra import Derived, derive
from som_agent.regions import Regions
from som_agent.tracking import Tracked


def tracked(masks, **fields):
    """Tracks 1, 2, … of masks `[N, h, w]`; the empty ones are not visible."""
    shown = [k for k, mask in enumerate(masks) if mask.any()]
    n = len(shown)
    return Tracked(
        Regions.from_masks(masks[shown]),
        np.array([k + 1 for k in shown], np.int32),
        np.linspace(0.5, 1, n, dtype=np.float32),
        np.zeros((n, 2), np.float32),
        **fields,
    )


def mask_of(frame, track):
    """Its mask; None where it is not visible."""
    rows = {int(i): k for k, i in enumerate(frame.ids)}
    return frame.regions.mask(rows[track]) if track in rows else None


TRUTH = {
    "union": lambda masks: np.any(masks, axis=0),
    "intersection": lambda masks: np.all(masks, axis=0),
    "minus": lambda masks: masks[0] & ~np.any(masks[1:], axis=0),
}


@given(st.integers(0, 99999), st.sampled_from(list(TRUTH)), st.integers(2, 4))
def test_masks_are_the_sets_of_pixels(seed, op, count):
    rng = np.random.default_rng(seed)
    masks = rng.random((5, 9, 12)) < rng.random((5, 1, 1))
    masks[:, 0, 0] = True  # all are visible
    operands = tuple(int(k) + 1 for k in rng.permutation(5)[:count])
    frame = derive(tracked(masks), {-7: Derived(op, operands)})
    expected = TRUTH[op](masks[[k - 1 for k in operands]])
    if not expected.any():
        assert -7 in frame.occluded
        assert -7 not in frame.ids
        return
    np.testing.assert_array_equal(mask_of(frame, -7), expected)
    y, x = np.nonzero(expected)
    np.testing.assert_allclose(frame.centers[-1], [x.mean(), y.mean()], atol=1e-3)
    assert frame.scores[-1] == min(frame.scores[k - 1] for k in operands)
    for k in range(5):
        np.testing.assert_array_equal(mask_of(frame, k + 1), masks[k])


@given(st.integers(0, 99999))
def test_sums_of_sums(seed):
    """(1 ∪ 2) ∖ 3 and (1 ∖ 3) ∪ (2 ∖ 3) are the same pixels."""
    masks = np.random.default_rng(seed).random((3, 6, 8)) < 0.4
    masks[0, 0, 0], masks[2, 0, 0], masks[:, 0, 1], masks[:, 0, 2] = True, False, True, (0, 1, 0)
    what = {
        -4: Derived("union", (1, 2)),
        -5: Derived("minus", (-4, 3)),
        -6: Derived("minus", (1, 3)),
        -7: Derived("minus", (2, 3)),
        -8: Derived("union", (-6, -7)),
    }
    frame = derive(tracked(masks), what)
    np.testing.assert_array_equal(mask_of(frame, -5), mask_of(frame, -8))


def boxes(*spans):
    """Masks `[N, 1, 12]` of columns; None is empty."""
    masks = np.zeros((len(spans), 1, 12), bool)
    for mask, span in zip(masks, spans, strict=True):
        if span:
            mask[:, slice(*span)] = True
    return masks


@pytest.mark.parametrize(
    ("op", "spans", "occluded", "state"),
    [
        ("union", [(0, 3), None], [2], "visible"),
        ("union", [(0, 3), None], [], "visible"),
        ("union", [None, None], [1, 2], "occluded"),
        ("union", [None, None], [2], "occluded"),
        ("union", [None, None], [], "gone"),
        ("intersection", [(0, 3), (2, 5)], [], "visible"),
        ("intersection", [(0, 3), (3, 5)], [], "occluded"),
        ("intersection", [(0, 3), None], [2], "occluded"),
        ("intersection", [(0, 3), None], [], "gone"),
        ("minus", [(0, 3), (2, 5)], [], "visible"),
        ("minus", [(0, 3), None], [2], "visible"),
        ("minus", [(0, 3), None], [], "visible"),
        ("minus", [(0, 3), (0, 5)], [], "occluded"),
        ("minus", [None, (0, 5)], [1], "occluded"),
        ("minus", [None, (0, 5)], [], "gone"),
    ],
)
def test_states(op, spans, occluded, state):
    frame = derive(tracked(boxes(*spans), occluded=occluded), {-3: Derived(op, (1, 2))})
    told = {"visible": -3 in frame.ids, "occluded": -3 in frame.occluded, "gone": -3 in frame.gone}
    assert [name for name, is_so in told.items() if is_so] == [state]


def test_what_is_made_of_something_gone_is_gone_too():
    what = {-3: Derived("intersection", (1, 2)), -4: Derived("union", (-3,)), -5: Derived("union", (-3, 2))}
    frame = derive(tracked(boxes(None, (0, 4)), gone=[1]), what)
    assert frame.gone == [1, -3, -4]
    np.testing.assert_array_equal(mask_of(frame, -5), boxes((0, 4))[0])


def test_words():
    assert Derived.of("union", [5, 2]) == Derived.of("union", [2, 5])
    assert Derived.of("minus", [5, 2, 1]) == Derived.of("minus", [5, 1, 2]) != Derived.of("minus", [2, 5, 1])
    assert Derived("minus", (1, 2)).written(["3", "4a"]) == "3 ∖ 4a"
    assert Derived("union", (1, 2, 3)).written(["3", "4", "5"]) == "3 ∪ 4 ∪ 5"
    assert Derived("intersection", (1, 2)).nothing(["3", "4"]) == "marks 3 and 4 share no pixel"
    assert Derived("minus", (1, 2)).nothing(["3", "4"]) == "nothing of mark 3 is left without mark 4"


def test_nothing_is_derived_from_nothing():
    frame = derive(tracked(boxes()), {})
    assert len(frame.ids) == len(frame.regions) == 0
