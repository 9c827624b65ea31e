"""Write a scene to disk: `python examples/scenes/generate.py shell_game --seed 3 -o out/`.

Three things come out: NAME.mp4, NAME/00000.png … (palette PNG, pixel = object id: what `labels:DIR`
reads) and NAME.json (the truth; README.md describes it).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from examples.scenes.model import Labels
    from examples.scenes.scene import Scene
    from examples.scenes.truth import SceneTruth

__all__ = ["main", "write_scene"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    from examples.scenes.scene import KINDS, make_scene
    from som_agent.errors import SomError

    parser = argparse.ArgumentParser(description="Write a scene with exact ground truth.")
    parser.add_argument("kind", help=", ".join(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, default=Path("."), help="folder; made if it is not there")
    parser.add_argument("--name", help="of the files; default KIND_SEED")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--fps", type=float, default=24.0)
    parser.add_argument("--size", default="640x360", help="WIDTHxHEIGHT in pixels")
    parser.add_argument("--samples", type=int, default=4, help="renderings averaged into a frame")
    parser.add_argument("--no-masks", action="store_true", help="masks only in the truth file, no PNGs")
    options = parser.parse_args(arguments)
    try:
        scene = make_scene(
            options.kind,
            options.seed,
            size=_size(options.size),
            fps=options.fps,
            seconds=options.seconds,
            samples=options.samples,
        )
        name = options.name or f"{scene.kind}_{scene.seed}"
        truth = write_scene(scene, options.out, name, masks=not options.no_masks)
    except SomError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.out / name}.mp4: {len(scene)} frames, {len(truth.questions)} questions")
    return 0


def write_scene(scene: Scene, folder: Path, name: str, *, masks: bool = True) -> SceneTruth:
    """Write NAME.mp4, NAME.json and, if asked for, NAME/00000.png … into a folder; returns the truth.

    Raises:
        OutputError: the folder cannot be written.
    """
    from som_agent.errors import OutputError
    from som_agent.video.writer import VideoWriter

    recorder = scene.recorder()
    pictures = folder / name
    try:
        (pictures if masks else folder).mkdir(parents=True, exist_ok=True)
        with VideoWriter(folder / f"{name}.mp4", scene.size, scene.fps) as video:
            for frame in scene:
                video.write(frame.image)
                recorder.add(frame)
                if masks:
                    _write_labels(frame.labels, pictures / f"{frame.index:05d}.png")
        truth = recorder.truth()
        truth.save(folder / f"{name}.json")
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    return truth


def _write_labels(labels: Labels, path: Path) -> None:
    """A palette PNG whose pixel values are the ids."""
    from PIL import Image

    picture = Image.fromarray(labels)
    picture.putpalette([channel for label in range(256) for channel in _color(label)])
    picture.save(path)


def _color(label: int) -> tuple[int, int, int]:
    """The usual segmentation palette: the bits of the label, dealt out to red, green and blue in turn."""
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (label >> bit & 1) << (7 - bit // 3)
    return channels[0], channels[1], channels[2]


def _size(text: str) -> tuple[int, int]:
    from som_agent.errors import InputError

    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise InputError(f"size {text!r} is not WIDTHxHEIGHT in pixels: write it like 640x360")
    return int(width), int(height)


if __name__ == "__main__":
    # As a script, its own folder is on the path and the project's root is not.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    sys.exit(main())
