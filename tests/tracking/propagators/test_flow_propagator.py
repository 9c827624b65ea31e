"""Clips whose truth is known: textured shapes over a textured ground."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.tracking.propagators.base import Propagated
from som_agent.tracking.propagators.flow.propagator import FlowPropagator
from som_agent.tracking.propagators.warp import WarpPropagator
from som_agent.video import Frame

W, H = 160, 120
Place = Callable[[int], tuple[float, float] | None]

RED, BLUE, GREEN = (200, 50, 40), (50, 70, 200), (50, 170, 60)


def texture(seed: int, color: tuple[int, int, int], spread: int, size: tuple[int, int]) -> np.ndarray:
    """A patch `[h, w, 3]` of a colour with soft blotches."""
    rng = np.random.default_rng(seed)
    blotches = rng.normal(0, spread, (size[1] // 5 + 2, size[0] // 5 + 2, 3)).astype(np.float32)
    return np.clip(cv2.resize(blotches, size, interpolation=cv2.INTER_CUBIC) + color, 0, 255)


@dataclass(frozen=True)
class Thing:
    """A box or an ellipse that moves; later things lie on earlier ones."""

    size: tuple[int, int]
    color: tuple[int, int, int]
    place: Place
    round: bool = True
    seed: int = 1
    spread: int = 22

    def draw(self, t: int, image: np.ndarray, labels: np.ndarray, number: int) -> None:
        place = self.place(t)
        if place is None:
            return
        w, h = self.size
        patch = texture(self.seed, self.color, self.spread, (w, h))
        y, x = np.mgrid[:h, :w]
        inside = ((x + 0.5 - w / 2) / (w / 2)) ** 2 + ((y + 0.5 - h / 2) / (h / 2)) ** 2 <= 1
        y, x = np.nonzero(inside | (not self.round))
        ty, tx = y + round(place[1]), x + round(place[0])
        seen = (ty >= 0) & (tx >= 0) & (ty < H) & (tx < W)
        image[ty[seen], tx[seen]] = patch[y[seen], x[seen]]
        labels[ty[seen], tx[seen]] = number


def clip(things: Mapping[int, Thing], frames: int) -> tuple[list[Frame], list[np.ndarray]]:
    ground = texture(99, (120, 118, 110), 14, (W, H))
    images, maps = [], []
    for t in range(frames):
        image, labels = ground.copy(), np.zeros((H, W), np.int32)
        for number, thing in things.items():
            thing.draw(t, image, labels, max(number, 0))
        images.append(Frame(image.astype(np.uint8), t, t / 25))
        maps.append(labels)
    return images, maps


def iou(a: np.ndarray, b: np.ndarray) -> float:
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


def mask_of(result: Propagated, number: int) -> np.ndarray:
    """The object's mask; none where it is hidden."""
    rows = np.flatnonzero(result.ids == number)
    return result.regions.mask(rows[0]) if len(rows) else np.zeros(result.regions.atoms.shape, bool)


def propagate(things: Mapping[int, Thing], frames: int) -> tuple[list[Propagated], list[np.ndarray]]:
    """All of the first frame's things of positive number, carried through the clip."""
    images, maps = clip(things, frames)
    propagator = FlowPropagator()
    results = [propagator.step(images[0])]
    numbers = [number for number in things if number > 0]
    propagator.put(numbers, np.array([maps[0] == number for number in numbers]))
    results += [propagator.step(frame) for frame in images[1:]]
    return results, maps


def walk(x: float, y: float, dx: float, dy: float = 0.0) -> Place:
    return lambda t: (x + dx * t, y + dy * t)


def test_moving_shapes_are_followed() -> None:
    things = {
        3: Thing((34, 26), RED, walk(10, 12, 3.2, 0.5)),
        8: Thing((30, 30), BLUE, walk(110, 70, -2.5, -0.7), round=False, seed=5),
    }
    results, maps = propagate(things, 20)
    assert len(results[0].ids) == 0
    for result, labels in zip(results[1:], maps[1:], strict=True):
        assert result.ids.tolist() == [3, 8]
        assert result.ids.dtype == np.int32
        assert ((result.scores > 0.5) & (result.scores <= 1)).all()
        for number in things:
            assert iou(mask_of(result, number), labels == number) > 0.85


def test_large_ones_among_many_are_followed_at_half_the_size() -> None:
    rng = np.random.default_rng(3)
    things = {
        1: Thing((70, 56), RED, walk(4, 4, 0.5, 0.4)),
        2: Thing((64, 60), BLUE, walk(84, 50, -0.6, -0.3), round=False, seed=5),
    }
    for number in range(3, 17):
        color = tuple(int(c) for c in rng.integers(40, 210, 3))
        things[number] = Thing((10, 10), color, walk(10 * (number - 3) + 4, 108, 0.0, -0.3), seed=number)
    images, maps = clip(things, 12)
    propagator = FlowPropagator()
    propagator.step(images[0])
    propagator.put(list(things), np.array([maps[0] == number for number in things]))
    assert {n: piece.scale for n, piece in propagator._pieces.items() if piece.scale > 1} == {1: 2, 2: 2}
    for image, labels in zip(images[1:], maps[1:], strict=True):
        result = propagator.step(image)
        assert result.ids.tolist() == list(things)
        for number in (1, 2):
            assert iou(mask_of(result, number), labels == number) > 0.9
    # They can be taken from, corrected and dropped like the others.
    propagator.put([1], (maps[-1] == 1)[None])
    propagator.drop([2])
    result = propagator.step(images[-1])
    assert 2 not in result.ids
    assert iou(mask_of(result, 1), maps[-1] == 1) > 0.9


def test_it_holds_what_plain_warping_loses() -> None:
    things = {
        1: Thing((40, 30), RED, walk(2, 30, 4.0)),
        -1: Thing((12, H), GREEN, walk(76, 0, 0), round=False),
    }
    images, maps = clip(things, 26)
    ends = {}
    for propagator in (FlowPropagator(), WarpPropagator()):
        propagator.step(images[0])
        propagator.put([1], (maps[0] == 1)[None])
        for frame in images[1:]:
            result = propagator.step(frame)
        ends[propagator.name] = iou(mask_of(result, 1), maps[-1] == 1)
    assert ends["flow"] > 0.85
    assert ends["flow"] > ends["warp"] + 0.2


def test_a_pole_in_front_cuts_an_object_in_two_pieces() -> None:
    things = {
        1: Thing((56, 36), RED, walk(4, 40, 3.0)),
        -1: Thing((8, H), GREEN, walk(90, 0, 0), round=False),
    }
    results, maps = propagate(things, 26)
    cut = [t for t in range(1, 26) if cv2.connectedComponents((maps[t] == 1).astype(np.uint8))[0] == 3]
    assert len(cut) > 8
    for t in cut:
        assert iou(mask_of(results[t], 1), maps[t] == 1) > 0.8


def test_an_object_that_was_hidden_comes_back_by_itself() -> None:
    things = {
        1: Thing((24, 24), RED, walk(6, 50, 3.0)),
        -1: Thing((40, H), GREEN, walk(64, 0, 0), round=False),
    }
    results, maps = propagate(things, 42)
    hidden = [t for t in range(42) if not (maps[t] == 1).any()]
    assert len(hidden) > 3
    for t in hidden[1:]:
        assert results[t].ids.tolist() == []
    for t in range(hidden[-1] + 12, 42):
        assert iou(mask_of(results[t], 1), maps[t] == 1) > 0.8


def test_an_object_that_left_the_picture_is_found_again() -> None:
    def out_and_back(t: int) -> tuple[float, float]:
        return 60 + 5.0 * min(t, 44 - t) if t < 44 else 60.0, 44.0

    results, maps = propagate({1: Thing((26, 26), RED, out_and_back)}, 48)
    gone = [t for t in range(48) if not (maps[t] == 1).any()]
    assert len(gone) > 3
    assert all(results[t].ids.tolist() == [] for t in gone[1:])
    assert all(iou(mask_of(results[t], 1), maps[t] == 1) > 0.8 for t in range(40, 48))


def test_two_alike_objects_that_pass_each_other_keep_their_numbers() -> None:
    things = {1: Thing((26, 26), RED, walk(8, 40, 3.4)), 2: Thing((26, 26), RED, walk(124, 56, -3.4))}
    results, maps = propagate(things, 34)
    assert iou(mask_of(results[-1], 1), maps[-1] == 1) > 0.75
    assert iou(mask_of(results[-1], 2), maps[-1] == 2) > 0.75


def test_a_whole_keeps_its_parts() -> None:
    body, spot = Thing((60, 50), RED, walk(10, 20, 2.0)), Thing((20, 18), BLUE, walk(28, 34, 2.0))
    images, maps = clip({1: body, 2: spot}, 14)
    propagator = FlowPropagator()
    propagator.step(images[0])
    propagator.put([7, 4], np.array([maps[0] > 0, maps[0] == 2]))
    for frame, labels in zip(images[1:], maps[1:], strict=True):
        result = propagator.step(frame)
        assert iou(mask_of(result, 7), labels > 0) > 0.9
        assert iou(mask_of(result, 4), labels == 2) > 0.8
        assert not (mask_of(result, 4) & ~mask_of(result, 7)).any()
    propagator.drop([4])  # its pixels stay with the whole
    result = propagator.step(Frame(images[-1].image, 14, 1.0))
    assert result.ids.tolist() == [7]
    assert iou(mask_of(result, 7), maps[-1] > 0) > 0.9


def test_wholes_that_consist_of_parts_alone() -> None:
    images, maps = clip({1: Thing((40, 40), RED, walk(10, 20, 2.0), round=False)}, 6)
    whole = maps[0] == 1
    left = whole & (np.arange(W) < 30)
    propagator = FlowPropagator()
    propagator.step(images[0])
    propagator.put([1, 2, 3, 4], np.array([whole, left, whole & ~left, whole]))
    for frame, labels in zip(images[1:], maps[1:], strict=True):
        result = propagator.step(frame)
        assert iou(mask_of(result, 1), labels == 1) > 0.9
        assert (mask_of(result, 1) == mask_of(result, 4)).all()
        assert not (mask_of(result, 2) & mask_of(result, 3)).any()


def test_a_correction_leaves_the_others_as_they_are() -> None:
    things = {
        1: Thing((30, 26), RED, walk(8, 10, 1.5)),
        2: Thing((30, 26), BLUE, walk(110, 80, -1.5), seed=4),
    }
    images, maps = clip(things, 16)

    def run(corrected: bool) -> list[Propagated]:
        propagator = FlowPropagator()
        propagator.step(images[0])
        wrong = np.roll(maps[0] == 2, -14, axis=1)
        propagator.put([1, 2], np.array([maps[0] == 1, wrong]))
        results = []
        for t in range(1, 16):
            results.append(propagator.step(images[t]))
            if t == 5 and corrected:
                propagator.put([2], (maps[5] == 2)[None])
        return results

    plain, corrected = run(False), run(True)
    for a, b in zip(plain, corrected, strict=True):
        assert (mask_of(a, 1) == mask_of(b, 1)).all()
    assert iou(mask_of(corrected[-1], 2), maps[-1] == 2) > 0.85
    assert iou(mask_of(plain[-1], 2), maps[-1] == 2) < 0.7


def test_objects_come_and_go_in_mid_video() -> None:
    things = {
        1: Thing((30, 26), RED, walk(8, 10, 1.5)),
        2: Thing((30, 26), BLUE, walk(110, 80, -1.5), seed=4),
    }
    images, maps = clip(things, 12)
    propagator = FlowPropagator()
    propagator.step(images[0])
    propagator.put([1], (maps[0] == 1)[None])
    for frame in images[1:5]:
        propagator.step(frame)
    propagator.put([2], (maps[4] == 2)[None])
    assert propagator.step(images[5]).ids.tolist() == [1, 2]
    propagator.drop([1, 77])
    for frame in images[6:]:
        result = propagator.step(frame)
        assert result.ids.tolist() == [2]
    assert iou(mask_of(result, 2), maps[-1] == 2) > 0.85
    propagator.drop([2])
    assert propagator.step(images[-1]).ids.tolist() == []


def test_the_same_input_gives_the_same_result() -> None:
    things = {n: Thing((22, 20), RED, walk(10 + 25 * n, 10 + 15 * n, 1.0, 0.4), seed=n) for n in range(1, 6)}
    first, _ = propagate(things, 8)
    second, _ = propagate(things, 8)
    for a, b in zip(first, second, strict=True):
        assert (a.ids == b.ids).all()
        assert (a.regions.atoms == b.regions.atoms).all()
        assert (a.scores == b.scores).all()


def test_black_frames_hide_everything_and_do_no_harm() -> None:
    images, maps = clip({1: Thing((34, 28), RED, walk(40, 40, 0.5))}, 16)
    propagator = FlowPropagator()
    propagator.step(images[0])
    propagator.put([1], (maps[0] == 1)[None])
    for t in range(1, 16):
        dark = 6 <= t < 9
        result = propagator.step(Frame(np.zeros_like(images[t].image), t, t / 25) if dark else images[t])
        if t == 8:
            assert result.ids.tolist() == []
    assert iou(mask_of(result, 1), maps[-1] == 1) > 0.85


@pytest.mark.parametrize("size", [(854, 480), (320, 180), (40, 600), (17, 9)])
def test_results_are_at_the_frames_size(size: tuple[int, int]) -> None:
    w, h = size
    image = cv2.resize(clip({1: Thing((60, 50), RED, walk(40, 30, 0))}, 1)[0][0].image, size)
    mask = np.zeros((h, w), bool)
    mask[h // 4 : h * 2 // 3, w // 4 : w * 2 // 3] = True
    propagator = FlowPropagator()
    propagator.step(Frame(image, 0, 0.0))
    propagator.put([1], mask[None])
    result = propagator.step(Frame(image, 1, 0.1))
    assert result.regions.atoms.shape == (h, w)
    assert iou(mask_of(result, 1), mask) > 0.8


def test_an_object_of_one_pixel_of_a_large_frame() -> None:
    image = np.full((480, 854, 3), 90, np.uint8)
    mask = np.zeros((480, 854), bool)
    mask[100, 200] = True
    propagator = FlowPropagator()
    propagator.step(Frame(image, 0, 0.0))
    propagator.put([1], mask[None])
    assert propagator.step(Frame(image, 1, 0.1)).regions.atoms.shape == (
        480,
        854,
    )  # seen or hidden, but no crash


def test_misuse_is_one_clear_line() -> None:
    propagator = FlowPropagator()
    some = np.ones((1, H, W), bool)
    with pytest.raises(InputError, match="there is none yet"):
        propagator.put([1], some)
    propagator.step(Frame(np.zeros((H, W, 3), np.uint8), 0, 0.0))
    with pytest.raises(InputError, match=r"1 masks of 160x120 px are needed, got an array \(1, 4, 4\)"):
        propagator.put([1], np.ones((1, 4, 4), bool))
    with pytest.raises(InputError, match=r"object 3: .* a mask must not be empty"):
        propagator.put([3], ~some)
    with pytest.raises(InputError, match="numbers count from 1"):
        propagator.put([0], some)
    with pytest.raises(InputError, match="frame 1 is 80x60 px, those before are 160x120 px"):
        propagator.step(Frame(np.zeros((60, 80, 3), np.uint8), 1, 0.1))
    assert propagator.step(Frame(np.zeros((H, W, 3), np.uint8), 2, 0.2)).ids.tolist() == []
