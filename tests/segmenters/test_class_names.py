import pytest

from som_agent.segmenters.class_names import ade20k, cityscapes, coco_instances, coco_panoptic, names_of


@pytest.mark.parametrize(
    ("names", "count", "known"),
    [
        (coco_instances(), 80, {0: "person", 52: "hot dog", 79: "toothbrush"}),
        (coco_panoptic(), 133, {79: "toothbrush", 80: "banner", 116: "tree-merged", 132: "rug-merged"}),
        (ade20k(), 150, {0: "wall", 12: "person", 74: "computer", 126: "animal", 149: "flag"}),
        (cityscapes(), 19, {0: "road", 11: "person", 18: "bicycle"}),
    ],
)
def test_places(names, count, known):
    assert len(names) == len(set(names)) == count
    assert {i: names[i] for i in known} == known
    assert names_of(count) == names
    assert all(name == name.strip() and "  " not in name and "- " not in name for name in names)


def test_unknown_number_of_classes():
    assert names_of(3) == ("class 0", "class 1", "class 2")
