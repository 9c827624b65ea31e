"""Milliseconds and memory a frame of every segmenter of the registry, tiny and random or from given files.

python tests/benchmarks/segmenters.py [--only NAME ...] [--checkpoint NAME=PATH ...] [--picture FILE]
                                      [--size 480] [--frames 3] [--device cpu] [--granularity G]

Each is measured in a process of its own: "loaded" and "peak" are the resident memory that the weights and
then the frames added, on a GPU what torch allocated there. "first" has compiling in it, "later" is the median
of the rest. Tiny networks say what the code around a network costs, and nothing of the network.

A checkpoint is given by what stands before the colon, `--checkpoint sam=sam_vit_b_01ec64.pth`, or for those
of transformers by the title, `--checkpoint "Mask2Former=facebook/mask2former-swin-tiny-coco-panoptic"`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from som_agent.segmenters.entries import REGISTRY  # noqa: E402 -- the paths come first

MB = 2**20


def rows() -> dict[str, tuple[str, str]]:
    """Name of a row → name in the registry and title of the network."""
    listed = {}
    for entry in REGISTRY:
        for family in entry.families:
            if "automatic" in family.can:
                listed[family.title if len(entry.families) > 1 else entry.name] = (entry.name, family.title)
    return listed


def picture(file: str | None, size: int):
    """The frame that all of them see."""
    import numpy as np

    from som_agent.scaling import fit
    from som_agent.video import Frame, read_image

    if file is not None:
        return Frame(fit(read_image(file), size), 0, 0.0)
    h, w = round(0.75 * size), size
    y, x = np.mgrid[:h, :w]
    image = np.stack([x * 255 // w, y * 255 // h, (x // 40 + y // 40) % 2 * 200], axis=-1).astype(np.uint8)
    return Frame(image, 0, 0.0)


def resident_mb(key: str = "VmRSS") -> float:
    """Resident memory now, with `VmHWM` at its peak since `forget_peak`; off Linux its peak so far."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines[key].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def forget_peak() -> None:
    """Begin to look for the peak anew, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def measure(row: str, options: argparse.Namespace) -> dict[str, float | str]:
    """One row in this process."""
    import torch

    from som_agent.segmenters import load_segmenter
    from som_agent.segmenters.hierarchy import HierarchySegmenter

    name, title = rows()[row]
    frame = picture(options.picture, options.size)
    HierarchySegmenter().segment(frame)  # what all share is loaded and compiled
    given = dict(text.split("=", 1) for text in options.checkpoint)
    on_gpu = torch.device(options.device).type == "cuda"
    with tempfile.TemporaryDirectory() as folder:
        if row in given:
            spec = f"{name}:{given[row]}"
        else:
            from tests.segmenters.tiny import FACTORIES

            if (name, title) not in FACTORIES:
                return {"row": row, "note": "no tiny checkpoint"}
            spec = FACTORIES[name, title](Path(folder))
            if name == "labels":  # drawn for a picture of another shape
                frame = picture(None, 64)
                frame = type(frame)(frame.image[:36], 0, 0.0)
        before = resident_mb()
        forget_peak()
        segmenter = load_segmenter(spec, device=options.device, granularity=options.granularity)
        loaded = torch.cuda.memory_allocated() / MB if on_gpu else resident_mb() - before
        times = []
        for i in range(options.frames + 1):
            one = type(frame)(
                frame.image.copy(), i if name != "labels" else 0, 0.0
            )  # no frame is known already
            start = time.perf_counter()
            regions = segmenter.segment(one)
            times.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() / MB if on_gpu else resident_mb("VmHWM") - before
    return {
        "row": row,
        "first": 1000 * times[0],
        "later": 1000 * statistics.median(times[1:]),
        "loaded": loaded,
        "peak": peak,
        "regions": len(regions),
        "note": "" if row in given else "tiny" if ":" in spec and name != "labels" else "",
    }


def main() -> None:
    """Measure each in a child process and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=rows(), metavar="NAME")
    parser.add_argument("--checkpoint", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--picture", metavar="FILE")
    parser.add_argument("--size", type=int, default=480, metavar="PX")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--granularity", type=float, default=None)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child, options)))
        return
    for text in options.checkpoint:
        if "=" not in text or text.split("=", 1)[0] not in rows():
            parser.error(f"--checkpoint {text}: write NAME=PATH; names: {', '.join(rows())}")
    print(f"{'segmenter':<22}{'first ms':>10}{'later ms':>10}{'loaded MB':>11}{'peak MB':>9}{'regions':>9}")
    for row in options.only or rows():
        line = [sys.executable, __file__, *sys.argv[1:], "--child", row]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{row:<22}{(done.stderr.strip().splitlines() or ['failed'])[-1]}")
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        if "first" not in told:
            print(f"{row:<22}{told['note']}")
            continue
        print(
            f"{row:<22}{told['first']:>10.1f}{told['later']:>10.1f}{told['loaded']:>11.1f}{told['peak']:>9.1f}"
            f"{told['regions']:>9}  {told['note']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
