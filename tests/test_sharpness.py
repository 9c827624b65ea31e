import cv2
import numpy as np
import pytest

from som_agent.session import Session
from som_agent.sharpness import sharpness
from tests.grounding.scripted import Squares, picture


def test_the_more_blurred_the_less_sharp():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    blurred = [cv2.GaussianBlur(image, (0, 0), sigma) for sigma in (1, 2, 4)]
    values = [sharpness(each) for each in (image, *blurred)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0
    assert sharpness(np.full((20, 20, 3), 90, np.uint8)) == 0


def test_a_session_remembers_how_sharp_each_frame_was():
    squares = Squares()
    session = Session(squares)
    for index, sigma in enumerate((0.1, 3, 0.1)):
        session.step(cv2.GaussianBlur(picture(squares, index), (0, 0), sigma), time=index / 10)
    kept = session.history.sharpness
    assert kept[0] == pytest.approx(kept[2])
    assert kept[1] < kept[0] / 2
