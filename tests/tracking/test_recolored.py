"""A thing that changes colour while it moves fast: looks of the frame before say that it is the same."""

import numpy as np

from som_agent.evaluation.watch_scenes import Scene, Thing
from som_agent.regions import Regions
from som_agent.tracking import AssociationTracker

BOX = np.array([(-10.0, -10), (10, -10), (10, 10), (-10, 10)])


def test_what_changes_color_in_motion_keeps_its_number():
    """100 px/s at 10 frames a second, to and fro; a colour spreads over it within a second, twice."""
    stops = np.array([(0, 30, 60), (1, 30, 60), (3.2, 250, 60), (5.4, 30, 60)], float)
    colors = (0.0, "red"), (1.9, "blue"), (3.2, "yellow")
    thing = Thing(1, BOX, 1.0, stops, colors, np.array([(0, 1.0)]))
    scene = Scene(3, (280, 120), 10.0, 45, (thing,), (), (), 0.5)
    tracker = AssociationTracker()
    ids = [
        tracker.update(frame, Regions.from_labels(labels)).ids.tolist() for frame, labels in scene.frames()
    ]
    assert ids == [[1]] * 45
