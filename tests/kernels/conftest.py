"""Shared by the tests of som_kernels: awkward inputs, poisoned memory, and what needs a GPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numba import njit
from numba.extending import overload

from som_kernels import Resize

RNG = np.random.default_rng


def _blobs(h: int, w: int, n: int, seed: int = 42) -> torch.Tensor:
    """Cells around n random points, the first of them background; a few of the labels stay absent."""
    rng = RNG(seed)
    points = rng.uniform(size=(n + 1, 2)) * (h, w)
    y, x = np.mgrid[:h, :w]
    squared = (y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2
    return torch.from_numpy(squared.argmin(axis=-1).astype(np.int32))


def _noise(h: int, w: int, n: int) -> torch.Tensor:
    return torch.from_numpy(RNG(42).integers(0, n + 1, (h, w), dtype=np.int32))


def _dots() -> torch.Tensor:
    labels = torch.zeros(20, 31, dtype=torch.int32)
    for label, (y, x) in enumerate([(0, 0), (5, 7), (5, 8), (19, 30), (10, 0)], start=1):
        labels[y, x] = label
    return labels


def _rings() -> torch.Tensor:
    y, x = np.mgrid[:26, :29]
    depth = np.minimum(np.minimum(y, 25 - y), np.minimum(x, 28 - x))
    return torch.from_numpy((depth // 4).astype(np.int32))


LABEL_MAPS: dict[str, Callable[[], torch.Tensor]] = {
    "blobs-63x37": lambda: _blobs(63, 37, 9),
    "blobs-30x50": lambda: _blobs(30, 50, 30, seed=7),
    "one-pixel-background": lambda: torch.zeros(1, 1, dtype=torch.int32),
    "one-pixel-region": lambda: torch.ones(1, 1, dtype=torch.int32),
    "one-row": lambda: _noise(1, 23, 2),
    "one-column": lambda: _noise(23, 1, 2),
    "empty": lambda: torch.zeros(9, 12, dtype=torch.int32),
    "full": lambda: torch.full((12, 9), 3, dtype=torch.int32),
    "dots": _dots,
    "rings": _rings,
    "noise": lambda: _noise(17, 19, 4),
    "transposed": lambda: _blobs(19, 34, 6).T,
    "strided": lambda: _blobs(42, 65, 12)[::2, 1::3],
    "flipped-storage": lambda: _blobs(21, 2 * 27, 5).view(21, 27, 2)[..., 1],
}


@pytest.fixture(params=LABEL_MAPS.values(), ids=LABEL_MAPS.keys())
def label_map(request: pytest.FixtureRequest) -> torch.Tensor:
    """A label map `[H, W] int32`; label 2 of most of them exists, some labels do not."""
    labels: torch.Tensor = request.param()
    return labels


def _discs(n: int, h: int, w: int) -> torch.Tensor:
    rng = RNG(42)
    y, x = np.mgrid[:h, :w]
    discs = [
        (y - rng.uniform(0, h)) ** 2 + (x - rng.uniform(0, w)) ** 2 < rng.uniform(1, 1 + h / 2) ** 2
        for _ in range(n)
    ]
    return torch.from_numpy(np.stack(discs))


def _with_extremes() -> torch.Tensor:
    """Discs, an empty mask, a full one, and single pixels in the corners and at word borders."""
    masks = torch.cat([_discs(4, 63, 137), torch.zeros(5, 63, 137, dtype=torch.bool)])
    masks[5] = True
    masks[6, 0, 0] = masks[7, 62, 136] = masks[8, 30, 64] = masks[8, 30, 63] = True
    return masks


MASKS: dict[str, Callable[[], torch.Tensor]] = {
    "discs-63x37": lambda: _discs(7, 63, 37),
    "discs-40x128": lambda: _discs(18, 40, 128),
    "extremes": _with_extremes,
    "no-masks": lambda: torch.zeros(0, 5, 7, dtype=torch.bool),
    "one-pixel": lambda: torch.tensor([True, False]).view(2, 1, 1),
    "one-row": lambda: _discs(3, 1, 65),
    "one-column": lambda: _discs(3, 65, 1),
    "transposed": lambda: _discs(4, 63, 37).transpose(1, 2),
    "channels-last": lambda: _discs(20, 24, 5).permute(1, 2, 0),
    "strided": lambda: _discs(9, 40, 70)[::2, ::3, 1::2],
}


@pytest.fixture(params=MASKS.values(), ids=MASKS.keys())
def mask_stack(request: pytest.FixtureRequest) -> torch.Tensor:
    """Masks `[N, H, W] bool` that overlap."""
    masks: torch.Tensor = request.param()
    return masks


@pytest.fixture(params=[1, 2], ids=["one-thread", "two-threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many threads the CPU twins use."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def _waves(n: int, h: int, w: int) -> torch.Tensor:
    """Smooth maps with many values exactly on the cutoffs 1, 0 and -1."""
    y, x = np.mgrid[:h, :w]
    maps = [4 * np.sin(y / (2 + i) + i) * np.cos(x / (3 + i)) for i in range(n)]
    return torch.from_numpy(np.round(np.stack(maps), 0).astype(np.float32))


def _noisy_logits() -> torch.Tensor:
    return torch.from_numpy(RNG(42).normal(size=(3, 6, 5)).astype(np.float32))


LOGITS: dict[str, Callable[[], tuple[torch.Tensor, Resize | None]]] = {
    "as-they-are": lambda: (_waves(3, 21, 37), None),
    "sam": lambda: (_waves(3, 16, 16), Resize.sam((16, 16), (64, 64), (64, 40), (50, 70))),
    "larger": lambda: (_waves(2, 9, 12) - 0.5, Resize.steps((9, 12), ((23, 140), (23, 140)))),
    "noise-larger": lambda: (_noisy_logits(), Resize.steps((6, 5), ((17, 33), (17, 32)))),
    "smaller": lambda: (_waves(2, 30, 40), Resize.steps((30, 40), ((7, 9), (7, 9)))),
    "none": lambda: (_waves(2, 4, 4)[:0], Resize.steps((4, 4), ((9, 9), (9, 9)))),
    "one-pixel": lambda: (torch.tensor([1.0, -1.0, 0.0, 9.0]).view(4, 1, 1), None),
    "channels-last": lambda: (_waves(4, 8, 7).permute(1, 2, 0).contiguous().permute(2, 0, 1), None),
    "transposed": lambda: (_waves(2, 12, 9).mT, Resize.steps((9, 12), ((20, 35), (20, 35)))),
    "strided": lambda: (_waves(6, 20, 24)[::2, ::2, 1::3], Resize.steps((10, 8), ((33, 31), (33, 31)))),
    "three-steps": lambda: (
        _waves(2, 9, 8) + 0.25,
        Resize.steps((9, 8), ((30, 30), (20, 30)), ((7, 65), (7, 64)), ((23, 40), (23, 33))),
    ),
    "one-number-larger": lambda: (
        torch.tensor([1.0, -1.0, 0.0, 9.0]).view(4, 1, 1),
        Resize.steps((1, 1), ((3, 65), (3, 65))),
    ),
    "to-one-pixel": lambda: (_waves(3, 9, 33), Resize.steps((9, 33), ((1, 1), (1, 1)))),
}


@pytest.fixture(params=LOGITS.values(), ids=LOGITS.keys())
def logit_maps(request: pytest.FixtureRequest) -> tuple[torch.Tensor, Resize | None]:
    """Logits `[N, h, w] float32`, and how they become as large as the picture."""
    maps: tuple[torch.Tensor, Resize | None] = request.param()
    return maps


@pytest.fixture(scope="module", autouse=True)
def _poisoned_memory() -> Iterator[None]:
    """Fill fresh memory with nonsense, so that a pixel that nobody writes is seen."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in [(torch, "empty"), (torch, "empty_like"), (np, "empty"), (np, "empty_like")]:
            patch.setattr(module, name, _poisoning(getattr(module, name)))
        yield


njit(lambda: np.empty(1))()  # Numba must know np.empty before it is replaced


def _poisoning(make: Callable[..., Any]) -> Callable[..., Any]:
    def poisoned(*args: Any, **options: Any) -> Any:
        fresh = make(*args, **options)
        kind = str(fresh.dtype)
        fresh[...] = float("nan") if "float" in kind else True if "bool" in kind else 113
        return fresh

    if make is np.empty:  # what Numba compiles meanwhile still knows it, and gets the real one

        @overload(poisoned)
        def _(shape, dtype=float):  # type: ignore[no-untyped-def]  # Numba compares the signatures
            return lambda shape, dtype=float: make(shape, dtype)

    return poisoned


def _missing_gpu() -> str | None:
    """Why tests marked `gpu` cannot run; None when they can, on a GPU or in Triton's interpreter."""
    if torch.cuda.is_available() or os.environ.get("TRITON_INTERPRET") == "1":
        return None
    return "no GPU here"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked `gpu` without a GPU, or fail them where SOM_AGENT_REQUIRE_GPU=1 promises one."""
    reason = _missing_gpu() if item.get_closest_marker("gpu") else None
    if reason and os.environ.get("SOM_AGENT_REQUIRE_GPU") == "1":
        pytest.fail(f"{reason}, and SOM_AGENT_REQUIRE_GPU=1 forbids to skip", pytrace=False)
    if reason:
        pytest.skip(reason)
