import json

import numpy as np
import torch

from som_agent.evaluation.shuffled import ShuffledLabels
from som_agent.segmenters import load_segmenter
from som_agent.video import Frame
from som_kernels import encode_rle

SIZE = (64, 48)


def frames(count):
    return [Frame(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), k, k / 10) for k in range(count)]


def masks(regions):
    return [regions.mask(k) for k in range(len(regions))]


def test_the_same_masks_in_another_order_in_each_frame(make, tmp_path):
    boxes = {k: (6 * k, 4 * k, 6 * k + 5, 4 * k + 4) for k in range(1, 9)}
    folder = make.write_labels(tmp_path / "masks", [make.labels(boxes, SIZE)] * 12)
    true = masks(load_segmenter(f"labels:{folder}").segment(frames(1)[0]))
    shuffled = ShuffledLabels(folder)
    rows, atoms = [], []
    for frame in frames(12):
        regions = shuffled.segment(frame)
        found = masks(regions)
        rows.append([next(k for k, mask in enumerate(true) if (mask == own).all()) for own in found])
        atoms.append([regions.atoms[mask][0] for mask in true])
    for order in (rows, atoms):
        assert len({tuple(row) for row in order}) == 12
    assert {tuple(sorted(row)) for row in rows} == {tuple(range(8))}
    assert {tuple(sorted(row)) for row in atoms} == {tuple(range(1, 9))}


def test_it_is_the_same_in_every_run_unless_the_seed_differs(make, tmp_path):
    boxes = {k: (6 * k, 4 * k, 6 * k + 5, 4 * k + 4) for k in range(1, 9)}
    folder = make.write_labels(tmp_path / "masks", [make.labels(boxes, SIZE)] * 3)

    def segmented(seed):
        return np.array([masks(ShuffledLabels(folder, seed).segment(frame)) for frame in frames(3)])

    assert (segmented(0) == segmented(0)).all()
    assert not (segmented(0) == segmented(1)).all()


def test_masks_that_lie_on_one_another_stay_whole(tmp_path):
    nested = np.zeros((3, SIZE[1], SIZE[0]), bool)
    nested[0, 4:40, 4:60], nested[1, 10:30, 10:30], nested[2, 20:44, 20:50] = True, True, True
    entries = [{"size": [SIZE[1], SIZE[0]], "counts": c} for c in encode_rle(torch.from_numpy(nested))]
    (tmp_path / "0.json").write_text(json.dumps(entries))
    (regions,) = (ShuffledLabels(tmp_path).segment(frame) for frame in frames(1))
    found = sorted(masks(regions), key=lambda mask: mask.sum())
    assert (np.array(found) == np.array(sorted(nested, key=lambda mask: mask.sum()))).all()


def test_a_frame_without_objects(make, tmp_path):
    folder = make.write_labels(tmp_path / "masks", [np.zeros((SIZE[1], SIZE[0]), np.uint8)])
    assert len(ShuffledLabels(folder).segment(frames(1)[0])) == 0
