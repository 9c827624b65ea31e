"""What holds for the regions of every segmenter of the registry, whatever is behind it."""

import numpy as np
import pytest
import torch

from som_agent.segmenters import load_prompted, load_segmenter
from som_agent.segmenters.prompts import Prompt
from tests.segmenters.tiny import FACTORIES, picture, quicken, rows

torch.set_num_threads(1)
ROWS = {f"{entry.name} {family.title}": (entry, family) for entry, family in rows()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The name of a row's tiny checkpoint, written once."""
    made = {}

    def name_of(row):
        entry, family = ROWS[row]
        if family.needs == "edgetam":
            pytest.importorskip("timm", reason="EdgeTAM's backbone is timm's")
        if row not in made:
            made[row] = FACTORIES[entry.name, family.title](tmp_path_factory.mktemp(entry.name))
        return made[row]

    return name_of


def assert_contract(regions, frame, *, ordered):
    """One frame's regions are sound; `ordered` where the largest must come first."""
    h, w = frame.image.shape[:2]
    n = len(regions)
    assert regions.atoms.shape == (h, w)
    assert regions.atoms.dtype == np.int32
    assert regions.atoms.min() >= 0
    assert regions.atoms.max() < regions.members.shape[1]
    assert regions.members.dtype == bool
    assert not regions.members[:, 0].any(), "the ground belongs to nothing"
    for name in ("scores", "levels", "parents", "proposed", "areas", "boxes"):
        assert len(getattr(regions, name)) == n, name
    assert np.isfinite(regions.scores).all()
    assert ((regions.scores >= 0) & (regions.scores <= 1)).all()
    assert (regions.levels >= 0).all()
    masks = [regions.mask(k) for k in range(n)]
    for k, mask in enumerate(masks):
        y, x = np.nonzero(mask)
        assert len(y) == regions.areas[k] > 0
        assert regions.boxes[k].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    if ordered:
        keys = [(-int(regions.areas[k]), int(mask.argmax())) for k, mask in enumerate(masks)]
        assert keys == sorted(keys), "largest first, equals by their first pixel"
    for child, parent in enumerate(regions.parents.tolist()):
        if parent >= 0:
            assert parent < n
            assert regions.areas[parent] > regions.areas[child], "links lead to larger regions: no circles"
            assert (masks[parent] & masks[child]).sum() > 0.5 * regions.areas[child]


def assert_same(one, two):
    np.testing.assert_array_equal(one.atoms, two.atoms)
    for name in ("members", "scores", "levels", "parents", "proposed"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)


@pytest.mark.parametrize("row", ROWS)
def test_regions_keep_the_contract(written, row):
    entry, family = ROWS[row]
    spec = written(row)
    segmenter, frame = quicken(load_segmenter(spec, device="cpu")), picture()
    assert segmenter.name == spec
    regions = segmenter.segment(frame)
    assert len(regions) > 0, "a contract of nothing proves nothing"
    # The numbers of ready-made masks are their order, and a tree's is from the root down.
    assert_contract(regions, frame, ordered=entry.name not in ("labels", "hierarchy"))
    assert_same(regions, segmenter.segment(picture()))
    if family.dial:
        fine = quicken(load_segmenter(spec, device="cpu", granularity=1))
        assert_contract(fine.segment(frame), frame, ordered=entry.name != "hierarchy")
    if "classes" in family.can:
        assert len(segmenter.classes) > 0
    if "points" in family.can:
        point, box = Prompt([(20, 11)]), Prompt(box=(8, 5, 50, 30))
        for prompt in (point, box) if "boxes" in family.can else (point,):
            mask = load_prompted(segmenter).prompted(frame, prompt)
            assert mask.shape == frame.image.shape[:2]
            assert mask.dtype == bool


def test_every_row_has_a_tiny_checkpoint():
    lacking = [row for row, (entry, family) in ROWS.items() if (entry.name, family.title) not in FACTORIES]
    assert not lacking, "add a line to FACTORIES of tests/segmenters/tiny.py"
    assert set(FACTORIES) <= {(entry.name, family.title) for entry, family in ROWS.values()}
