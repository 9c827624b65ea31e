"""Bearings of spheres and boxes whose pictures follow from geometry alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from som_agent.bearings import Bearings, Camera
from som_agent.errors import InputError
from som_agent.history import GONE, OCCLUDED, VISIBLE, MarkInfo, Observation
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.placement import place
from som_agent.marks.style import MarkStyle
from som_agent.regions import Regions
from som_agent.video.frame import Frame

SIZE = (320, 240)
CAMERA = Camera.of_fov(SIZE, 60.0, height_m=0.3, pitch_deg=-10.0)


def pixel_rays(camera, size=SIZE):
    """Directions of all pixels, `[h, w, 3]`, from the camera's definition and nothing else."""
    w, h = size
    x, y = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)], axis=-1)
    p = math.radians(camera.pitch_deg)
    level = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    rays = rays @ level.T
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def place_of(azimuth, elevation, distance):
    a, e = math.radians(azimuth), math.radians(elevation)
    return distance * np.array([math.cos(e) * math.sin(a), -math.sin(e), math.cos(e) * math.cos(a)])


def sphere(camera, middle, radius):
    """The mask of a ball, and its depth along the optical axis, NaN beside it."""
    rays = pixel_rays(camera)
    along = rays @ middle
    inside = along**2 - middle @ middle + radius**2
    mask = (inside > 0) & (along > 0)
    p = math.radians(camera.pitch_deg)
    axis = np.array([0, -math.sin(p), math.cos(p)])
    depth = np.where(mask, (along - np.sqrt(np.maximum(inside, 0))) * (rays @ axis), np.nan)
    return mask, depth


def frame_of(masks, time=0.0, marks=None, size=SIZE):
    marks = marks or range(1, len(masks) + 1)
    regions = (
        Regions.from_masks(np.array(masks)) if len(masks) else Regions.from_labels(np.zeros(size[::-1], int))
    )
    frame = Frame(np.zeros((size[1], size[0], 3), np.uint8), round(time * 100), time)
    infos = [MarkInfo(mark, str(mark), (255, 0, 0)) for mark in marks]
    placement = place(regions.visible(), np.zeros((0, 1, 2)) if not len(masks) else [[(6, 8)]] * len(masks))
    scores = np.ones(len(masks), np.float32)
    return MarkedFrame(frame, infos, scores, regions, list(range(len(masks))), placement, MarkStyle())


def rows_of(marked, hidden=(), gone=()):
    def row(mark, state):
        return Observation(
            mark, marked.index, marked.time, state, (0, 0, 1, 1), 1, (0, 0), 1.0, bytes(11), "x"
        )

    return (
        [row(info.mark, VISIBLE) for info in marked.infos]
        + [row(mark, OCCLUDED) for mark in hidden]
        + [row(mark, GONE) for mark in gone]
    )


def update(bearings, masks, time=0.0, depth=None, hidden=(), gone=(), marks=None):
    marked = frame_of(masks, time, marks)
    return bearings.update(marked, rows_of(marked, hidden, gone), depth)


@settings(max_examples=20, deadline=None)
@given(
    azimuth=st.floats(-20, 20),
    elevation=st.floats(-18, 8),
    distance=st.floats(1.0, 3.0),
    radius=st.floats(0.08, 0.2),
    pitch=st.floats(-15, 5),
)
def test_a_ball_is_where_it_is(azimuth, elevation, distance, radius, pitch):
    camera = Camera.of_fov(SIZE, 60.0, pitch_deg=pitch)
    mask, depth = sphere(camera, place_of(azimuth, elevation, distance), radius)
    (bearing,) = update(Bearings(camera), [mask], depth=depth)
    pixel = math.degrees(1 / camera.fy)
    assert bearing.azimuth_deg == pytest.approx(azimuth, abs=0.5 * pixel / math.cos(math.radians(20)))
    assert bearing.elevation_deg == pytest.approx(elevation, abs=0.5 * pixel)
    half = math.degrees(math.asin(radius / distance))
    assert bearing.width_deg == pytest.approx(2 * half / math.cos(math.radians(elevation)), abs=2.5 * pixel)
    assert bearing.top_deg - bearing.bottom_deg == pytest.approx(2 * half, abs=2.5 * pixel)
    assert bearing.range_from == "depth"
    assert bearing.range_at_deg == pytest.approx(azimuth, abs=0.25 * half)
    assert distance - radius - 1e-6 <= bearing.range_m < distance - 0.75 * radius  # its near side
    assert bearing.ground_m == pytest.approx(bearing.range_m * math.cos(math.radians(elevation)), rel=0.06)


@settings(max_examples=20, deadline=None)
@given(
    azimuth=st.floats(-25, 25),
    ground=st.floats(0.6, 4.0),
    height=st.floats(0.2, 0.6),
    pitch=st.floats(-20, 0),
)
def test_a_box_on_the_floor_is_as_far_as_its_foot(azimuth, ground, height, pitch):
    camera = Camera.of_fov(SIZE, 60.0, height_m=height, pitch_deg=pitch)
    foot = math.degrees(math.atan2(height, ground))
    rays = pixel_rays(camera)
    level = np.degrees(np.arctan2(rays[..., 0], rays[..., 2]))
    dip = np.degrees(np.arctan2(rays[..., 1], np.hypot(rays[..., 0], rays[..., 2])))
    mask = (np.abs(level - azimuth) < 4) & (dip < foot) & (dip > foot - 8)
    assume(mask.any())
    (bearing,) = update(Bearings(camera), [mask])
    if mask[-1].any():
        assert bearing.range_from is None
        assert bearing.cut
        return
    error = math.radians(1.1 * math.degrees(1 / camera.fy)) * (height**2 + ground**2) / height
    assert bearing.range_from == "floor"
    assert bearing.ground_m == pytest.approx(ground, abs=error)
    assert bearing.range_at_deg == pytest.approx(azimuth, abs=4.1)
    assert bearing.range_m == pytest.approx(math.hypot(ground, height), abs=error)


@settings(max_examples=12, deadline=None)
@given(
    azimuth=st.floats(-12, 12),
    tau=st.floats(0.8, 4.0),
    radius=st.floats(0.12, 0.25),
    turn=st.floats(-6, 6),
    seed=st.integers(0, 99),
)
def test_looming_gives_the_time_to_contact_of_a_ball_without_depth(azimuth, tau, radius, turn, seed):
    """Also while the camera turns, and with one bad mask in between."""
    camera = Camera.of_fov(SIZE, 60.0)
    bearings, speed, end = Bearings(camera), 0.5, 0.9
    bad = np.random.default_rng(seed).integers(2, 8)
    for i in range(10):
        time = i / 10
        distance = speed * (tau + end - time) + radius
        mask, _ = sphere(camera, place_of(azimuth + turn * (time - end), 0.0, distance), radius)
        if i == bad:
            mask &= np.arange(SIZE[0]) % 9 > 0  # a comb: an area too small, a box as it was
        (bearing,) = update(bearings, [mask], time)
    truth = (speed * tau + radius) / speed  # until the camera is where the ball's middle is
    if bearing.time_to_contact_s is None:
        assert truth > 2.0  # growth that the noise of a mask's edge may explain
        return
    assert bearing.contact_from == "looming"
    assert bearing.time_to_contact_s == pytest.approx(truth, abs=4 * bearing.time_to_contact_sd_s)
    assert bearing.time_to_contact_s == pytest.approx(truth, rel=0.35)
    assert bearing.closing_m_s is None  # no range, no speed


def test_depth_gives_speed_and_time_to_the_near_side():
    bearings = Bearings(CAMERA)
    for i in range(8):
        mask, depth = sphere(CAMERA, place_of(5, -5, 2.0 - 0.4 * i / 8), 0.15)
        (bearing,) = update(bearings, [mask], i / 8, depth)
    assert bearing.closing_m_s == pytest.approx(0.4, rel=0.05)
    assert bearing.time_to_contact_s == pytest.approx(bearing.range_m / 0.4, rel=0.15)


@pytest.mark.parametrize("speed", [0.0, -0.4])
def test_what_does_not_come_nearer_has_no_time_to_contact(speed):
    bearings = Bearings(CAMERA)
    for i in range(10):
        mask, depth = sphere(CAMERA, place_of(5 + i, -5, 1.5 - speed * i / 8), 0.15)
        (bearing,) = update(bearings, [mask], i / 8, depth)
        assert bearing.time_to_contact_s is None
    assert bearing.closing_m_s == pytest.approx(speed, abs=0.03)


def test_a_thing_that_is_uncovered_does_not_loom():
    bearings = Bearings(Camera.of_fov(SIZE, 60.0))
    whole, _ = sphere(bearings.camera, place_of(0, 0, 1.0), 0.2)
    for i in range(12):
        mask = whole & (np.arange(SIZE[0]) < 140 + 5 * i)
        (bearing,) = update(bearings, [mask], i / 12)
        assert bearing.time_to_contact_s is None


def test_a_thing_at_the_border_does_not_loom():
    bearings = Bearings(Camera.of_fov(SIZE, 60.0))
    for i in range(8):
        mask, _ = sphere(bearings.camera, place_of(37, 0, 1.2 - 0.06 * i), 0.2)
        (bearing,) = update(bearings, [mask], i / 8)
        assert bearing.cut
        assert bearing.time_to_contact_s is None


def test_a_hidden_mark_keeps_its_direction_and_nothing_else_and_a_gone_one_is_forgotten():
    bearings = Bearings(CAMERA)
    mask, depth = sphere(CAMERA, place_of(8, -5, 1.0), 0.1)
    (seen,) = update(bearings, [mask], 0.0, depth)
    (hidden,) = update(bearings, [], 0.5, hidden=[1])
    assert (hidden.state, hidden.age_s) == ("occluded", 0.5)
    assert hidden.azimuth_deg == seen.azimuth_deg
    assert hidden.range_m is None
    assert update(bearings, [], 1.0, gone=[1]) == []
    assert update(bearings, [], 1.5, hidden=[1]) == []  # nothing is remembered of it


def test_memory_does_not_grow_with_the_marks_that_went():
    bearings = Bearings(CAMERA)
    mask, _ = sphere(CAMERA, place_of(0, -5, 1.0), 0.1)
    for i in range(1, 60):
        update(bearings, [mask], i / 10, gone=[i - 1], marks=[i])
    assert list(bearings._known) == [59]


@pytest.mark.parametrize("nothing", [0.0, -1.0, math.nan, math.inf])
def test_depth_that_is_not_known_counts_for_nothing(nothing):
    mask, depth = sphere(CAMERA, place_of(0, -5, 1.0), 0.1)
    patchy = np.where(np.arange(SIZE[0]) % 2 == 0, depth, nothing).astype(np.float32)
    (bearing,) = update(Bearings(CAMERA), [mask], depth=patchy)
    assert bearing.range_m == pytest.approx(0.9, abs=0.02)
    (blind,) = update(Bearings(CAMERA), [mask], depth=np.full(SIZE[::-1], nothing))
    assert blind.range_from == "floor"  # where it stands is still seen
    (nowhere,) = update(Bearings(Camera.of_fov(SIZE, 60)), [mask], depth=np.full(SIZE[::-1], nothing))
    assert (nowhere.range_m, nowhere.ground_m, nowhere.range_from) == (None, None, None)


@pytest.mark.parametrize(
    ("depth", "said"),
    [
        (np.ones((10, 10)), "the depth map is 10x10 px"),
        (np.ones(SIZE[::-1], np.uint16), "uint16 of shape"),
        (np.ones((*SIZE[::-1], 1)), "of shape (240, 320, 1)"),
        ([[1.0]], "got list"),
    ],
)
def test_a_wrong_depth_map_is_refused(depth, said):
    with pytest.raises(InputError) as error:
        update(Bearings(CAMERA), [], depth=depth)
    assert said in str(error.value)


def test_a_frame_of_another_size_is_refused():
    with pytest.raises(InputError, match="320x240 px, frame 0 is 100x80 px"):
        Bearings(CAMERA).update(frame_of([], size=(100, 80)), [])
    with pytest.raises(InputError, match="window_s"):
        Bearings(CAMERA, window_s=math.nan)


def test_a_frame_given_again_changes_nothing():
    once, twice = Bearings(CAMERA), Bearings(CAMERA)
    for i in range(6):
        mask, depth = sphere(CAMERA, place_of(5, -5, 2.0 - 0.4 * i / 8), 0.15)
        first = update(once, [mask], i / 8, depth)
        update(twice, [mask], i / 8, depth)
        assert update(twice, [mask], i / 8, depth) == first


def test_processed_at_half_the_size_it_is_where_it_was():
    mask, depth = sphere(CAMERA, place_of(12, -8, 1.2), 0.15)
    marked = frame_of([mask])
    small = frame_of([mask[::2, ::2]], size=(160, 120))
    small = MarkedFrame(
        marked.frame, small.infos, small.scores, small.regions, [0], small.placement, small.style
    )
    (fine,) = Bearings(CAMERA).update(marked, rows_of(marked), depth)
    (coarse,) = Bearings(CAMERA).update(small, rows_of(small), depth)
    for name in ("azimuth_deg", "elevation_deg", "left_deg", "right_deg"):
        assert getattr(coarse, name) == pytest.approx(getattr(fine, name), abs=0.5)
    assert coarse.range_m == pytest.approx(fine.range_m, abs=0.01)


def test_json_is_short_and_has_the_width():
    mask, depth = sphere(CAMERA, place_of(12, -8, 1.2), 0.15)
    (bearing,) = update(Bearings(CAMERA), [mask], depth=depth)
    row = bearing.to_json()
    assert row["mark"] == 1
    assert row["width_deg"] == pytest.approx(bearing.width_deg, abs=1e-3)
    assert row["range_m"] == round(bearing.range_m, 3)
    assert row["time_to_contact_s"] is None
