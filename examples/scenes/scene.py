"""A scene by kind and seed: iterate it for frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from examples.scenes.drive import drive
from examples.scenes.model import SceneFrame, Script
from examples.scenes.recorder import TruthRecorder
from examples.scenes.render import render
from examples.scenes.shell_game import shell_game
from examples.scenes.tabletop import tabletop
from examples.scenes.truth import SceneTruth
from som_agent.errors import InputError, MissingExtraError

__all__ = ["KINDS", "Scene", "make_scene"]

KINDS: dict[str, Callable[[int, float], Script]] = {
    "drive": drive,
    "shell_game": shell_game,
    "tabletop": tabletop,
}
"""Kind → what writes its script from a seed and a length in seconds."""


@dataclass(frozen=True)
class Scene:
    """A scene ready to be rendered; every iteration renders it anew, bit for bit the same.

    Attributes:
        kind: its kind.
        seed: its seed.
        size: width and height in pixels.
        fps: frames a second.
        frames: how many frames it has.
        samples: renderings averaged into each frame.
        script: what happens in it.
    """

    kind: str
    seed: int
    size: tuple[int, int]
    fps: float
    frames: int
    samples: int
    script: Script

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterator[SceneFrame]:
        return render(
            self.script,
            seed=self.seed,
            size=self.size,
            fps=self.fps,
            frames=self.frames,
            samples=self.samples,
        )

    def recorder(self) -> TruthRecorder:
        """An empty recorder: give it each frame, then take the truth."""
        return TruthRecorder(self.kind, self.seed, self.size, self.fps, self.script)

    def truth(self) -> SceneTruth:
        """The truth alone; this renders the whole scene."""
        recorder = self.recorder()
        for frame in self:
            recorder.add(frame)
        return recorder.truth()


def make_scene(
    kind: str,
    seed: int,
    *,
    size: tuple[int, int] = (640, 360),
    fps: float = 24.0,
    seconds: float = 8.0,
    samples: int = 4,
) -> Scene:
    """A scene by kind and seed.

    Args:
        kind: "drive", "shell_game" or "tabletop".
        seed: a number ≥ 0; the same arguments give the same frames, bit for bit.
        size: width and height in pixels, both even and at least 16.
        fps: frames a second.
        seconds: length; the story is told in that time.
        samples: renderings averaged into each frame: more are smoother and slower.

    Raises:
        InputError: an unknown kind or a value that makes no video.
        MissingExtraError: PyBullet is not installed.
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind of scene {kind!r}: choose one of {', '.join(KINDS)}")
    if seed < 0:
        raise InputError(f"seed {seed} is negative: choose a whole number from 0")
    if min(size) < 16 or size[0] % 2 or size[1] % 2:
        raise InputError(
            f"size {size[0]}x{size[1]} makes no video: choose even numbers from 16, like 640x360"
        )
    if not 0 < fps <= 240:
        raise InputError(f"{fps:g} frames a second make no video: choose more than 0, at most 240")
    if not 1 <= samples <= 64:
        raise InputError(f"{samples} samples a frame are not possible: choose 1 to 64")
    frames = round(seconds * fps) if 0 < seconds < 3600 else 0
    if frames < 1:
        raise InputError(
            f"{seconds:g} seconds make no video: choose at least one frame and less than an hour"
        )
    if find_spec("pybullet") is None:
        raise MissingExtraError("the scene generator", "robot")
    return Scene(kind, seed, size, fps, frames, samples, KINDS[kind](seed, seconds))
