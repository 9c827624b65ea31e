"""Work shared among as many threads as torch was told to use.

Numba's own threads abort the process when two threads of Python enter them at once on some platforms, and
agents and cameras do have several. Compiled functions release Python's lock, so plain threads serve.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import torch

__all__ = ["in_parts", "together"]

First = TypeVar("First")
Second = TypeVar("Second")

PARTS_A_THREAD = 4  # a thread that is late leaves the rest to the others


def in_parts(work: Callable[[int, int], object], count: int, *, least: int = 1) -> None:
    """Call `work(begin, end)` for parts of `range(count)`, in several threads where that is worth it.

    Args:
        work: handles one part; parts may run at the same time and in any order.
        count: how much there is.
        least: smallest part that is worth waking a thread for.
    """
    threads = min(torch.get_num_threads(), count // least)
    if threads <= 1:
        if count:
            work(0, count)
        return
    n_parts = min(threads * PARTS_A_THREAD, count // least)
    bounds = [count * i // n_parts for i in range(n_parts + 1)]
    parts = iter(list(pairwise(bounds)))  # each thread takes the next one left

    def drain() -> None:
        for begin, end in parts:
            work(begin, end)

    others = [_pool().submit(drain) for _ in range(threads - 1)]
    try:
        drain()
    finally:
        for other in others:
            if not other.cancel():  # one that has not begun, in a busy pool, has nothing left to do
                other.result()


def together(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """What two functions return, called at the same time where there are threads for it."""
    results: dict[int, Any] = {}

    def work(begin: int, end: int) -> None:
        for k in range(begin, end):
            results[k] = (first, second)[k]()

    in_parts(work, 2)
    return results[0], results[1]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="som_kernels")


if hasattr(os, "register_at_fork"):  # a forked process has the pool's object but none of its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
