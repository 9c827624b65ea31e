from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from som_agent.regions import Regions
from som_agent.video import Frame, write_video
from som_tools.access import Access
from som_tools.actions import ACTIONS, Outcome
from som_tools.call import Call
from som_tools.sessions import SessionStore

Do = Callable[..., Outcome]


class ByColor:
    """Segments a red, a blue and a green thing; it takes no prompts."""

    name = "by-color"

    def segment(self, frame: Frame) -> Regions:
        red, green, blue = (frame.image[..., k].astype(int) for k in range(3))
        labels = np.where(red - blue > 80, 1, np.where(blue - red > 80, 2, 0))
        return Regions.from_labels(np.where((green - red > 80) & (green - blue > 80), 3, labels))


def crossing(k: int) -> np.ndarray:
    """A red block that stands, and a blue one that comes from the right, 5 px a frame, until 20 px away."""
    image = np.full((90, 160, 3), 200, np.uint8)
    image[20:60, 15:55] = (210, 25, 25)
    left = max(115 - 5 * k, 75)
    image[30:50, left : left + 30] = (25, 50, 200)
    return image


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `crossing.mp4`: 24 frames at 12 a second, two seconds."""
    folder = tmp_path_factory.mktemp("films")
    write_video(folder / "crossing.mp4", [crossing(k) for k in range(24)], 12)
    return folder


@pytest.fixture
def store(films: Path, tmp_path: Path) -> SessionStore:
    return SessionStore(Access.to(films, out=tmp_path / "out"), segmenter=ByColor())


def doing(store: SessionStore, call: Call | None = None) -> Do:
    """Runs actions of a store by name, as a tool would."""
    table = {action.name: action for action in ACTIONS}

    def do(name: str, **fields: Any) -> Outcome:
        action = table[name]
        outcome = action.run(store, action.form(**fields), call or Call())
        assert set(outcome.data) == set(action.keys)
        return outcome

    return do


@pytest.fixture(scope="module")
def do(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Do:
    """Runs actions by name; `v1` is the crossing, watched to its end. No test of a module changes it."""
    access = Access.to(films, out=tmp_path_factory.mktemp("out"))
    run = doing(SessionStore(access, segmenter=ByColor()))
    run("open_video", source="crossing.mp4")
    return run


@pytest.fixture
def fresh(store: SessionStore) -> Do:
    """The same for a test that makes marks or closes the session."""
    run = doing(store)
    run("open_video", source="crossing.mp4")
    return run
