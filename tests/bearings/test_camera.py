"""Pixels to directions, against OpenCV's own projection."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from som_agent.bearings import Camera
from som_agent.bearings.camera import angles_deg
from som_agent.errors import InputError


def test_the_field_of_view_ends_at_the_picture():
    camera = Camera.of_fov((640, 360), 46.0)
    _, elevation = angles_deg(camera.rays([(320, 0), (320, 360), (320, 180)]))
    assert elevation == pytest.approx([23.0, -23.0, 0.0])
    azimuth, _ = angles_deg(camera.rays([(0, 180), (640, 180)]))
    assert azimuth == pytest.approx([-azimuth[1], azimuth[1]])
    assert azimuth[1] == pytest.approx(math.degrees(math.atan(320 / camera.fx)))


def test_pitch_is_taken_out():
    azimuth, elevation = angles_deg(Camera.of_fov((64, 48), 50, pitch_deg=-20).rays([(32, 24), (32, 0)]))
    assert azimuth == pytest.approx([0, 0])
    assert elevation == pytest.approx([-20, 5])


@pytest.mark.parametrize("pitch", [0.0, -12.0])
def test_a_distorted_camera_undoes_what_opencv_does(pitch):
    camera = Camera(300, 310, 330, 235, (640, 480), (-0.2, 0.05, 0.001, -0.002, 0.01), pitch_deg=pitch)
    rng = np.random.default_rng(0)
    points = rng.uniform((-0.6, -0.4, 1), (0.6, 0.4, 1), (50, 3))
    matrix = np.array([[300, 0, 330], [0, 310, 235], [0, 0, 1.0]])
    pixels, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(camera.distortion))
    p = math.radians(pitch)
    level = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    expected = points @ level.T / np.linalg.norm(points, axis=1, keepdims=True)
    assert camera.rays(pixels[:, 0]) == pytest.approx(expected, abs=1e-4)


def test_depth_is_along_the_axis_and_distance_along_the_sight():
    camera = Camera.of_fov((640, 480), 50, pitch_deg=-30)
    assert camera.depth_factors([(320, 240)]) == pytest.approx([1.0])
    assert camera.depth_factors([(320, 0)]) == pytest.approx([1 / math.cos(math.radians(25))])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fx": 0.0}, "fx"),
        ({"fy": math.nan}, "fy"),
        ({"cx": math.inf}, "cx"),
        ({"size": (0, 5)}, "size"),
        ({"distortion": (math.nan, 0, 0, 0, 0)}, "distortion"),
        ({"height_m": 0.0}, "height_m"),
        ({"pitch_deg": 90.0}, "pitch_deg"),
    ],
)
def test_what_no_camera_has_is_refused(change, said):
    whole = {"fx": 100.0, "fy": 100.0, "cx": 50.0, "cy": 50.0, "size": (100, 100)}
    with pytest.raises(InputError, match=said):
        Camera(**(whole | change))


@pytest.mark.parametrize("fov", [0.0, 180.0, math.nan])
def test_a_field_of_view_that_no_pinhole_has_is_refused(fov):
    with pytest.raises(InputError, match="vertical_fov_deg"):
        Camera.of_fov((100, 100), fov)
