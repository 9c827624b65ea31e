"""Deformable attention on the GPU: checked at real sizes, then timed beside the way of transformers.

    python kernels/bench/attention.py [--seconds 50] [--tune]

Needs torch, triton and transformers, not OpenCV. The reference runs on the same GPU in float32. "device us"
is the time on the GPU (triton.testing.do_bench, cache emptied before each run); "call us" is a call and
waiting for its end, as one alone feels it. The exit status is 1 where anything is wrong. `--tune` adds other
block sizes and warps for float16; it stops when the seconds are over.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # works without installing

import torch
import triton
from triton.testing import do_bench

import som_kernels as sk
from bench.attention_cases import inputs, transformers_form
from som_kernels.deformable_attention import triton as ours

DEVICE = torch.device("cuda")
SIZE = 640, 640
QUERIES = {"encoder": 8500, "decoder": 1200}
TYPES = torch.float32, torch.float16, torch.bfloat16
SETTINGS = [(block, warps) for block in (8, 16, 32, 64) for warps in (1, 2, 4, 8) if block >= 2 * warps]


def moved(n: int, dtype: torch.dtype, batch: int = 1) -> tuple[Any, ...]:
    """Arguments on the GPU; values in `dtype`, places and weights in float32, as they come from networks."""
    values, levels, locations, weights = inputs(*SIZE, n, batch=batch)
    return values.to(DEVICE, dtype), levels, locations.to(DEVICE), weights.to(DEVICE)


def worst(arguments: tuple[Any, ...]) -> tuple[float, bool]:
    """Largest difference from the reference, and whether all are within a step of the result's type."""
    values, *others = arguments
    found = sk.deformable_attention(values, *others, backend="triton").float()
    truth = sk.deformable_attention(values.float(), *others, backend="reference")
    away = (found - truth).abs()
    step = torch.finfo(values.dtype).eps if values.dtype != torch.float32 else 0.0
    right = bool((away <= 1e-5 + step * truth.abs()).all())
    return float(away.nan_to_num(float("inf")).max()), right


def check() -> bool:
    """Every type and size against the reference, and places that are nowhere."""
    right = True
    for name, n in QUERIES.items():
        for dtype in TYPES:
            for batch in (1, 2):
                difference, fine = worst(moved(n, dtype, batch))
                right &= fine
                kind = str(dtype).removeprefix("torch.")
                print(f"{name:<9}batch {batch}  {kind:<9}largest difference {difference:.2e}  {_said(fine)}")
    values, levels, locations, weights = moved(QUERIES["decoder"], torch.float32)
    every_other = torch.stack([values, values], -1)[..., 0]
    queries_last = locations.transpose(1, 5).contiguous().transpose(1, 5)
    nowhere = locations.clone()
    for i, place in enumerate((float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 2.0**31, -5e9, 1.0)):
        nowhere.view(-1)[i::97] = place
    for what, arguments in {
        "strided": (every_other, levels, queries_last, weights),
        "nowhere": (values, levels, nowhere, weights),
    }.items():
        difference, fine = worst(arguments)
        right &= fine
        print(f"{what:<27}largest difference {difference:.2e}  {_said(fine)}")
    return right


def _said(fine: bool) -> str:
    return "right" if fine else "WRONG"


def device_us(run: Callable[[], Any]) -> float:
    """Median microseconds on the GPU."""
    return 1e3 * float(do_bench(run, warmup=20, rep=100, return_mode="median"))


def call_us(run: Callable[[], Any], n: int = 50) -> float:
    """Median microseconds of a call and waiting for its end."""
    samples = []
    for _ in range(n):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        samples.append(time.perf_counter() - start)
    return 1e6 * statistics.median(samples)


def race() -> None:
    """Times beside the way of transformers, in turns."""
    print(f"\n{'':<28}{'ours: device us':>16}{'call us':>9}{'transformers:':>15}{'call us':>9}{'times':>8}")
    for name, n in QUERIES.items():
        for dtype in TYPES:
            arguments = moved(n, dtype)
            # grid_sample takes values and places of one type only.
            same = (arguments[0], arguments[1], *(part.to(dtype) for part in arguments[2:]))
            mine, peer = partial(sk.deformable_attention, *arguments), partial(transformers_form, *same)
            times = device_us(mine), call_us(mine), device_us(peer), call_us(peer)
            row = f"{name} {str(dtype).removeprefix('torch.')}"
            print(
                f"{row:<28}{times[0]:>16.1f}{times[1]:>9.1f}{times[2]:>15.1f}{times[3]:>9.1f}"
                f"{times[2] / times[0]:>8.1f}",
                flush=True,
            )


def tune(end: float) -> None:
    """Other settings of the kernel, until the time is over."""
    print(f"\nfloat16, device us{'block':>8}{'warps':>7}" + "".join(f"{name:>10}" for name in QUERIES))
    before = ours.BLOCK, ours.OPTIONS
    arguments = [moved(n, torch.float16) for n in QUERIES.values()]
    for block, warps in SETTINGS:
        if time.perf_counter() > end:
            print("no time left for the others")
            break
        ours.BLOCK, ours.OPTIONS = block, {"num_warps": warps}
        found = [device_us(partial(sk.deformable_attention, *each)) for each in arguments]
        print(f"{'':<18}{block:>8}{warps:>7}" + "".join(f"{us:>10.1f}" for us in found), flush=True)
    ours.BLOCK, ours.OPTIONS = before


def main() -> int:
    """Check, time, and say what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=50, help="no setting is begun later (default: 50)")
    parser.add_argument("--tune", action="store_true", help="other block sizes and warps, too")
    options = parser.parse_args()
    end = time.perf_counter() + options.seconds
    if not torch.cuda.is_available():
        parser.error("needs a GPU; on a CPU there is kernels/bench/run.py --op deformable_attention")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, triton {triton.__version__}")
    with torch.inference_mode():
        right = check()
        if right:
            race()
            if options.tune:
                tune(end)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
