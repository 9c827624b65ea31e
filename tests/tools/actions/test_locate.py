"""`locate_marks`, and the session of a program whose camera it needs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from som_agent.bearings import Camera
from som_agent.errors import InputError
from som_agent.regions import Regions
from som_agent.video.frame import Frame
from som_tools.access import Access
from som_tools.actions.locate import LOCATE
from som_tools.call import Call
from som_tools.sessions import SessionStore

SIZE = (160, 120)
CAMERA = Camera.of_fov(SIZE, 60.0, height_m=0.3)


class ByColor:
    """Segments what is red and what is blue."""

    name = "by colour"

    def segment(self, frame: Frame) -> Regions:
        red, _, blue = (frame.image[..., k].astype(int) for k in range(3))
        return Regions.from_labels(np.where(red - blue > 80, 1, np.where(blue - red > 80, 2, 0)))

    def prompted(self, frame, prompt):
        mask = np.zeros(frame.image.shape[:2], bool)
        x0, y0, x1, y1 = (round(v) for v in prompt.box)
        mask[y0:y1, x0:x1] = True
        return mask


def picture(half: int, blue: bool = True) -> np.ndarray:
    """A red square right of the middle that stands on the floor, and a blue one left of it."""
    image = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    image[80 - 2 * half : 80, 110 - half : 110 + half] = (210, 25, 25)
    if blue:
        image[70:90, 30:50] = (25, 50, 200)
    return image


@pytest.fixture
def store(tmp_path):
    return SessionStore(Access.to(tmp_path), segmenter=ByColor())


def locate(store, session="v1", call=Call(), **fields):  # noqa: B008 (it is frozen)
    return LOCATE.run(store, LOCATE.form(session=session, **fields), call)


def test_every_mark_has_a_line_and_a_row(store):
    fed = store.feed("camera", camera=CAMERA)
    fed.step(picture(10), 0.0)
    told = locate(store)
    head, *lines = told.text.splitlines()
    assert head == "At 0.00 s, 2 marks from the camera:"
    rows = {row["colors"]: row for row in told.data["marks"]}
    red, blue = rows["red"], rows["blue"]
    azimuth = np.degrees(np.arctan((110 - 80) / CAMERA.fx))
    assert red["azimuth_deg"] == pytest.approx(azimuth, abs=0.3)
    assert blue["azimuth_deg"] < -15
    assert red["ground_m"] == pytest.approx(0.3 * CAMERA.fy / 20 / np.cos(np.radians(azimuth)), rel=0.02)
    line = next(line for line in lines if "red" in line)
    assert line.startswith(f"[{red['label']}] red: {azimuth:.0f}° right, ")
    assert f"{red['range_m']:.2f} m (floor)" in line
    json.dumps(told.data, allow_nan=False)


def test_what_comes_nearer_is_told_and_what_is_hidden(store):
    fed = store.feed("camera", camera=CAMERA)
    depth = np.full(SIZE[::-1], 2.0)
    for k in range(8):
        fed.step(picture(10 + k, blue=k < 7), k / 6, np.where(depth > 0, 2.0 - 0.05 * k, 0))
    text = locate(store).text
    assert "closing 0.3" in text
    assert "here in" in text
    assert "blue: occluded for 0.2 s, was" in text


def test_chosen_marks_by_number_or_citation(store):
    fed = store.feed("camera", camera=CAMERA)
    fed.step(picture(10), 0.0)
    assert [row["mark"] for row in locate(store, marks=["[2]"]).data["marks"]] == [2]
    with pytest.raises(InputError, match='no mark "9"'):
        locate(store, marks=["9"])


def test_a_mark_that_was_made_since_the_frame_came_is_located(store):
    fed = store.feed("camera", camera=CAMERA)
    fed.step(picture(10), 0.0)
    info = fed.session.point(box=(60, 20, 90, 40))
    row = next(row for row in locate(store).data["marks"] if row["mark"] == info.mark)
    assert row["elevation_deg"] > 10


def test_without_a_camera_there_are_no_bearings(store):
    store.feed("no camera").step(picture(10), 0.0)
    with pytest.raises(InputError, match="v1 knows no camera"):
        locate(store)
    with pytest.raises(InputError, match="has no camera"):
        store.get("v1", Call()).step(picture(10), 0.1, np.ones(SIZE[::-1]))


def test_what_cannot_be_is_refused(store):
    fed = store.feed("camera", camera=CAMERA)
    with pytest.raises(InputError, match="no frame yet"):
        locate(store)
    with pytest.raises(InputError, match="depth map is 10x10"):
        fed.step(picture(10), 0.0, np.ones((10, 10)))
    with pytest.raises(InputError, match="no session"):
        locate(store, call=Call(owner="another"))
    with pytest.raises(ValidationError):
        LOCATE.form(session="v1", marks=3)
