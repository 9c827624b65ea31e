"""Numba as the CPU twins use it: compiled once a machine, run without Python's lock."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

__all__ = ["compiled"]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function at its first call, and keep the machine code on disk for later processes."""
    options = {"nogil": True, "boundscheck": False}
    try:
        kernel: Any = njit(cache=True, **options)(function)
    except RuntimeError as error:  # neither beside this file nor in a home folder may anything be written
        if "cannot cache" not in str(error):
            raise
        return cast(Function, njit(**options)(function))
    # Numba notices changes in the function's own file, but not in those of the functions that it calls: these
    # are of this package or of the function's own folder.
    cache_file = getattr(kernel._cache, "_cache_file", None)
    if cache_file is not None:
        own = Path(function.__code__.co_filename).parent
        cache_file._source_stamp = (cache_file._source_stamp, _sources(Path(__file__).parent), _sources(own))
    return cast(Function, kernel)


@cache
def _sources(root: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of all source files under a folder."""
    files = sorted(root.rglob("*.py"))
    return tuple((str(f.relative_to(root)), f.stat().st_mtime_ns, f.stat().st_size) for f in files)
