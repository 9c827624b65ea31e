"""A session whose segments are boxes that a test moves about."""

import numpy as np
import pytest

from som_agent.regions import Regions
from som_agent.session import Session

SIZE = 240, 160
COLORS = np.array([(120, 120, 118), (210, 30, 30), (30, 60, 210), (40, 160, 60), (240, 215, 40)], np.uint8)


class Player:
    """Steps a session through label maps given as boxes; the marks of boxes 1 and 2 are 1 and 2."""

    name = "boxes"

    def __init__(self, fps=20.0):
        self.fps, self.index = fps, 0
        self.labels = np.zeros(SIZE[::-1], np.int32)
        self.session = Session(self)

    def segment(self, frame):
        return Regions.from_labels(self.labels)

    def step(self, boxes):
        self.labels = np.zeros(SIZE[::-1], np.int32)
        for name, (x0, y0, x1, y1) in boxes.items():
            self.labels[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = name
        noise = np.random.default_rng(7).integers(-9, 10, (*SIZE[::-1], 1))
        image = np.clip(COLORS[self.labels].astype(int) + noise, 0, 255).astype(np.uint8)
        marked = self.session.step(image, time=self.index / self.fps)
        self.index += 1
        return marked


@pytest.fixture
def player():
    return Player()


@pytest.fixture
def new_player():
    return Player
