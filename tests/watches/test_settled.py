"""A truth that does not flicker, whatever the frames show."""

from hypothesis import given
from hypothesis import strategies as st

from som_agent.watches.settled import SETTLE_S, Settled


@given(st.lists(st.sampled_from([True, False, None]), max_size=60), st.sampled_from([10, 15, 24, 30]))
def test_a_change_is_agreed_on_by_frames_that_lasted(shown, fps):
    known, before = Settled(), None
    for frame, holds in enumerate(shown):
        changed = known.take(holds, frame / fps, frame)
        assert changed == (known.state is not before)
        if changed and before is not None:
            since = round(known.since_s * fps)
            agreed = [said for said in shown[since : frame + 1] if said is not None]
            assert len(agreed) >= 2
            assert set(agreed) == {known.state}
            assert (frame - since) / fps >= SETTLE_S
        before = known.state


@given(st.integers(0, 20), st.sampled_from([10, 15, 24, 30]))
def test_a_change_that_lasts_is_told_within_three_frames(first, fps):
    known = Settled()
    changes = [f for f in range(first + 12) if known.take(f >= first, f / fps, f) and f >= first]
    assert changes[0] - first <= 2


def test_the_same_frame_again_agrees_with_nobody():
    known = Settled()
    known.take(False, 0.0, 0)
    assert not known.take(True, 0.5, 1)
    assert not known.take(True, 0.5, 1)
    assert known.take(True, 0.6, 2)
