import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.segmenters.granularity import (
    checked,
    class_threshold,
    everything_means,
    finer,
    semantic_sam_levels,
    slider,
    stage,
)


def soms_slider(at):
    """What Set-of-Mark's tool takes at a place of its slider, from the notes on it."""
    if at < 1.5:
        return "seem", None
    if at > 2.5:
        return "sam", None
    for level in range(1, 7):
        if at < 1.5 + 0.14 * level - 1e-9:
            return "semantic-sam", (level,)
    return "semantic-sam", (6, 1, 2, 3, 4, 5)


@given(st.floats(1, 3))
def test_the_dial_is_soms_slider(at):
    granularity = (at - 1) / 2
    at = slider(granularity)
    name, levels = soms_slider(at)
    assert stage(granularity) == name
    if levels:
        assert semantic_sam_levels(at - 1.5) == levels


def test_levels_of_semantic_sam():
    assert [semantic_sam_levels(k * 0.14) for k in range(6)] == [(level,) for level in range(1, 7)]
    assert semantic_sam_levels(0.839) == (6,)
    assert semantic_sam_levels(0.84) == semantic_sam_levels(1) == (6, 1, 2, 3, 4, 5)
    assert semantic_sam_levels(None) == (1, 2, 3, 4, 5, 6)


def test_the_middle_is_what_segmenters_do_anyway():
    assert (finer(0, 4), finer(0.5, 4), finer(1, 4)) == (0.25, 1, 4)
    assert everything_means(0.5).points_per_side == 32
    assert class_threshold(0.5) == pytest.approx(0.5)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_finer_never_means_fewer(dial):
    dial = sorted(dial)
    everything = [everything_means(g) for g in dial]
    assert (np.diff([means.points_per_side for means in everything]) >= 0).all()
    assert (np.diff([means.least_share for means in everything]) <= 0).all()
    for coarse, fine in itertools.pairwise(everything):
        assert set(coarse.masks) <= set(fine.masks)
    assert (np.diff([class_threshold(g) for g in dial]) <= 0).all()


@pytest.mark.parametrize("wrong", [-0.01, 1.01, float("nan"), "0.5", [0.5]])
def test_the_dial_has_ends(wrong):
    with pytest.raises(InputError, match="from 0"):
        checked(wrong)
    assert checked(None) is None
    assert checked(1) == 1.0
