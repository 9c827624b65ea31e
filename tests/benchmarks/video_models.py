"""Milliseconds and memory a frame of a stream, beside transformers' own streaming call. Weights are random.

python tests/benchmarks/video_models.py [--family sam2_video] [--size tiny|small|full] [--frames 200]
                                        [--objects 1 5 20] [--device cpu]

"held" is what all tensors of the sessions take, at a tenth of the stream and at its end; "small" is the
network of SAM 2.1 tiny on 256 px, and "full" on 1024 px.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from som_agent.tracking.propagators.video_models.propagator import HfPropagator
from som_agent.video import Frame

_spec = importlib.util.spec_from_file_location(
    "tiny_video_models", Path(__file__).parents[1] / "tiny_video_models.py"
)
assert _spec is not None
assert _spec.loader is not None
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)

H, W = 240, 320
MB = 2**20


def pictures(n: int) -> np.ndarray:
    """A pattern that moves, `[n, H, W, 3] uint8`."""
    y, x = np.mgrid[:H, :W]
    frames = [
        np.stack([(x + 5 * i) % 256, (2 * y) % 256, (x // 20 + y // 20 + i) % 2 * 200], -1) for i in range(n)
    ]
    return np.array(frames, np.uint8)


def boxes(n: int) -> np.ndarray:
    """Masks of objects in rows, `[n, H, W] bool`; they overlap a little."""
    masks = np.zeros((n, H, W), bool)
    for k in range(n):
        x, y = 60 * (k % 5), 55 * (k // 5)
        masks[k, y : y + 65, x : x + 70] = True
    return masks


class Ours:
    """`HfPropagator`: masks at the frame's size come out of it."""

    def __init__(self, source: str, device: str, n: int) -> None:
        self.propagator, self.n = HfPropagator(source, device=device), n

    def step(self, i: int, image: np.ndarray) -> None:
        self.propagator.step(Frame(image, i, i / 25))
        if i == 0:
            self.propagator.put(list(range(1, self.n + 1)), boxes(self.n))

    def held(self) -> int:
        return tiny.held(self.propagator._sessions, self.propagator._features)[1]


class Theirs:
    """One session for all objects, as the documentation of transformers has it."""

    def __init__(self, source: str, device: str, n: int) -> None:
        loaded = HfPropagator(source, device=device)
        self.model, self.processor, self.n = loaded._model, loaded._processor, n
        self.session = self.processor.init_video_session(
            inference_device=loaded.device, dtype=self.model.dtype
        )

    def step(self, i: int, image: np.ndarray) -> None:
        inputs = self.processor(images=image, device=self.model.device, return_tensors="pt")
        if i == 0:
            self.processor.add_inputs_to_inference_session(
                self.session,
                0,
                list(range(1, self.n + 1)),
                input_masks=list(boxes(self.n)),
                original_size=(H, W),
            )
        output = self.model(self.session, frame=inputs.pixel_values[0])
        (masks,) = self.processor.post_process_masks([output.pred_masks], [[H, W]])
        masks.cpu()

    def held(self) -> int:
        return tiny.held(self.session)[1]


def run(source: str, device: str, n: int, frames: int) -> list[tuple[float, float, float]]:
    """Of each way the milliseconds a frame (median of the second half), and MB held early and at the end."""
    streams, images = [make(source, device, n) for make in (Theirs, Ours)], pictures(16)
    times: list[list[float]] = [[] for _ in streams]
    early = [0.0 for _ in streams]
    for i in range(frames):
        for k, stream in enumerate(streams):  # in turns: a busy machine slows both
            start = time.perf_counter()
            stream.step(i, images[i % 16])
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            times[k].append(1000 * (time.perf_counter() - start))
            if i == frames // 10:
                early[k] = stream.held() / MB
    return [
        (statistics.median(spent[frames // 2 :]), early[k], streams[k].held() / MB)
        for k, spent in enumerate(times)
    ]


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", default="sam2_video", choices=list(tiny.FAMILIES))
    parser.add_argument("--size", default="tiny", choices=["tiny", "small", "full"])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.size != "tiny" and args.family != "sam2_video":
        parser.error(f"--size {args.size} is there for sam2_video only")
    if args.device == "cpu":
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        family = args.family if args.size == "tiny" else f"sam2_{args.size}"
        tiny.save(family, Path(folder))
        print(f"{family} on {args.device}, {args.frames} frames of {W}x{H} px: transformers / ours / ratio")
        for n in args.objects:
            theirs, ours = run(folder, args.device, n, args.frames)
            print(
                f"  {n:>3} objects   {theirs[0]:8.1f} / {ours[0]:8.1f} ms a frame / {ours[0] / theirs[0]:.2f}"
                f"    held {theirs[1]:.1f} -> {theirs[2]:.1f} / {ours[1]:.1f} -> {ours[2]:.1f} MB"
                f" / {ours[2] / theirs[2]:.3f}"
            )


if __name__ == "__main__":
    main()
