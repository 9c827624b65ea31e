"""Numba as the CPU twins use it: compiled once a machine, run without Python's lock, words of bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = [
    "AHEAD",
    "BLOCK",
    "changes",
    "common_bits",
    "compiled",
    "extremes",
    "first_bit",
    "full_word",
    "larger",
    "largest",
    "last_bit",
    "last_word",
    "look_about",
    "low_bits",
    "minus",
    "plus",
    "population",
    "prefetch",
    "run_ends",
    "set_bits",
    "smaller",
    "times",
    "write_where",
]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function at its first call, and keep the machine code on disk for later processes."""
    options = {"nogil": True, "boundscheck": False}
    try:
        kernel: Any = njit(cache=True, **options)(function)
    except RuntimeError:  # neither beside this file nor in a home folder may anything be written
        return cast(Function, njit(**options)(function))
    # Numba notices changes in the function's own file, but not in those of the functions that it calls.
    cache_file = getattr(kernel._cache, "_cache_file", None)
    if cache_file is not None:
        cache_file._source_stamp = _sources()
    return cast(Function, kernel)


@cache
def _sources() -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of all files of the package that are compiled."""
    root = Path(__file__).parent
    files = [*root.glob("*.py"), *root.glob("*/cpu.py")]
    return tuple(sorted((str(f.relative_to(root)), f.stat().st_mtime_ns, f.stat().st_size) for f in files))


@intrinsic
def full_word(context, source, start):
    """32 bytes of a flat `uint8` array from index `start` on, as the bits of a `uint32`: 1 where not 0.

    One comparison and one gathering of its signs on x86-64, where a loop over bytes takes 32 shifts.
    """

    def build(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        vector = ir.VectorType(ir.IntType(8), 32)
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), vector.as_pointer())
        values = builder.load(place)
        values.align = 1
        signs = builder.icmp_unsigned("!=", values, ir.Constant(vector, [0] * 32))
        return builder.bitcast(signs, ir.IntType(32))

    return types.uint32(source, types.intp), build


def _binary(name: str, text: str, build_value: Callable[..., Any]) -> Any:
    """An operation on two unsigned numbers of one type, in it: Numba would widen them, and halve vectors."""

    def operation(context, a, b):
        def build(context, builder, signature, arguments):
            return build_value(builder, *arguments)

        return a(a, b), build

    operation.__name__, operation.__doc__ = name, text
    return intrinsic(operation)


plus = _binary("plus", "The sum.", lambda builder, a, b: builder.add(a, b))
minus = _binary("minus", "The difference.", lambda builder, a, b: builder.sub(a, b))
times = _binary("times", "The product.", lambda builder, a, b: builder.mul(a, b))
smaller = _binary("smaller", "The minimum.", lambda builder, a, b: _pick(builder, "<", a, b))

larger = _binary("larger", "The maximum.", lambda builder, a, b: _pick(builder, ">", a, b))


def _pick(builder, comparison, a, b):
    return builder.select(builder.icmp_unsigned(comparison, a, b), a, b)


BLOCK = 32  # pixels that look about together
AHEAD = 2048  # bytes that a pass over masks asks for ahead of those it reads


@intrinsic
def look_about(context, squares, at, best, start):
    """Lower 32 squares at once to those k pixels to the left and right plus k², for k = 1, 2 and so on.

    That is `best = min(best, squares[at - k] + k * k, squares[at + k] + k * k)`, until k² is no less than all
    of the 32 entries of `best` from index `start` on. Both arrays are flat and of `uint16`; up to 3 steps
    more than needed read as far beyond. The numbers stay in registers, as in no loop over arrays.
    """
    short, index = ir.IntType(16), ir.IntType(64)
    vector = ir.VectorType(short, BLOCK)

    def build(context, builder, signature, arguments):
        data, place, own, first = arguments
        data = context.make_array(signature.args[0])(context, builder, data).data
        own = builder.gep(context.make_array(signature.args[2])(context, builder, own).data, [first])
        own = builder.bitcast(own, vector.as_pointer())

        def load(offset):
            value = builder.load(builder.bitcast(builder.gep(data, [offset]), vector.as_pointer()))
            value.align = 2
            return value

        def spread(value):
            single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(index, 0))
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
            return builder.shuffle_vector(single, single, lanes)

        before = builder.block
        check, step, after = (builder.append_basic_block(name) for name in ("check", "step", "after"))
        largest = builder.module.declare_intrinsic(
            f"llvm.vector.reduce.umax.v{BLOCK}i16", fnty=ir.FunctionType(short, [vector])
        )
        loaded = builder.load(own)
        loaded.align = 2
        builder.branch(check)

        builder.position_at_end(check)
        k, value = builder.phi(index), builder.phi(vector)
        k.add_incoming(ir.Constant(index, 1), before)
        value.add_incoming(loaded, before)
        furthest = builder.zext(builder.call(largest, [value]), index)
        builder.cbranch(builder.icmp_unsigned("<", builder.mul(k, k), furthest), step, after)

        builder.position_at_end(step)
        reached, lowered = k, value
        for _ in range(4):  # asking for the furthest costs more than a step too many
            nearest = _pick(
                builder, "<", load(builder.sub(place, reached)), load(builder.add(place, reached))
            )
            square = spread(builder.trunc(builder.mul(reached, reached), short))
            lowered = _pick(builder, "<", lowered, builder.add(nearest, square))
            reached = builder.add(reached, ir.Constant(index, 1))
        k.add_incoming(reached, step)
        value.add_incoming(lowered, step)
        builder.branch(check)

        builder.position_at_end(after)
        stored = builder.store(value, own)
        stored.align = 2
        return context.get_dummy_value()

    return types.void(squares, types.intp, best, types.intp), build


@intrinsic
def changes(context, labels, at):
    """Which of 32 numbers of a flat array, from index `at` > 0 on, differ from the one before: a `uint32`."""

    def build(context, builder, signature, arguments):
        data, place = arguments
        data = context.make_array(signature.args[0])(context, builder, data).data
        vector = ir.VectorType(data.type.pointee, 32)

        def load(index):
            value = builder.load(builder.bitcast(builder.gep(data, [index]), vector.as_pointer()))
            value.align = 1
            return value

        before = builder.sub(place, ir.Constant(place.type, 1))
        return builder.bitcast(builder.icmp_unsigned("!=", load(place), load(before)), ir.IntType(32))

    return types.uint32(labels, types.intp), build


@intrinsic
def population(context, word):
    """Bits set in a word, of the word's own type."""

    def build(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return word(word), build


@intrinsic
def common_bits(context, a, at_a, b, at_b, among):
    """How many of the bits `among` are set in two words of a flat array of `uint32` and in two of another."""

    def build(context, builder, signature, arguments):
        long = ir.IntType(64)
        words = []
        for kind, array, place in zip(signature.args[:4:2], arguments[:4:2], arguments[1:4:2], strict=True):
            data = context.make_array(kind)(context, builder, array).data
            word = builder.load(builder.bitcast(builder.gep(data, [place]), long.as_pointer()))
            word.align = 4
            words.append(word)
        common = builder.and_(builder.and_(*words), arguments[4])
        # Nothing, through which LLVM does not look: it would make vectors of narrow masks' rows, at a loss.
        opaque = builder.asm(ir.FunctionType(long, [long]), "", "=r,0", [common], side_effect=False)
        return builder.ctpop(opaque)

    return types.int64(a, types.intp, b, types.intp, types.uint64), build


@intrinsic
def first_bit(context, word):
    """Index of the lowest bit set in a word that is not 0."""

    def build(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return word(word), build


@intrinsic
def last_bit(context, word):
    """Index of the highest bit set in a word that is not 0."""

    def build(context, builder, signature, arguments):
        leading = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.Constant(leading.type, leading.type.width - 1), leading)

    return word(word), build


@intrinsic
def write_where(context, labels, at, word, label):
    """Write a number to those of 32 places of a flat array, from index `at` on, whose bit is set."""

    def build(context, builder, signature, arguments):
        array, place, bits, value = arguments
        data = builder.gep(context.make_array(signature.args[0])(context, builder, array).data, [place])
        number = data.type.pointee
        vector = ir.VectorType(number, 32)
        data = builder.bitcast(data, vector.as_pointer())
        before = builder.load(data)
        before.align = 4
        single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(number, 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 32), [0] * 32)
        chosen = builder.bitcast(bits, ir.VectorType(ir.IntType(1), 32))
        after = builder.select(chosen, builder.shuffle_vector(single, single, lanes), before)
        builder.store(after, data).align = 4
        return context.get_dummy_value()

    return types.void(labels, types.intp, types.uint32, types.int32), build


@intrinsic
def prefetch(context, array, at):
    """Ask for the memory at index `at` of a flat array, which may lie beyond its end."""

    def build(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place, number = builder.gep(data, [arguments[1]]), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch.p0", fnty=kind)
        builder.call(ask, [place, *(ir.Constant(number, value) for value in (0, 0, 1))])  # to read, data
        return context.get_dummy_value()

    return types.void(array, types.intp), build


@compiled
def low_bits(count: int) -> np.uint32:
    """A word with its lowest bits set, none to all 32 of them."""
    return np.uint32((1 << count) - 1)


@compiled
def last_word(stack: npt.NDArray[np.uint8], start: int, width: int) -> np.uint32:
    """The word that the row of `width` bytes from index `start` on does not fill, with zeros above."""
    x = width // 32 * 32
    if start + x + 32 <= stack.size:
        return full_word(stack, start + x) & low_bits(width - x)  # some of the next row came along
    word = np.uint32(0)
    for bit in range(width - x):
        if stack[start + x + bit]:
            word |= np.uint32(1) << np.uint32(bit)
    return word


@compiled
def largest(values: npt.NDArray[np.uint16], begin: int, end: int) -> np.uint16:
    """The maximum of a stretch of a flat array, 0 of an empty one."""
    most = np.uint16(0)
    for i in range(
        np.uintp(begin), np.uintp(end)
    ):  # signed indices could be negative, and would be looked at
        most = larger(most, values[i])
    return most


@compiled
def run_ends(labels: npt.NDArray[np.int32], begin: int, end: int, ends: npt.NDArray[np.int32]) -> int:
    """Find the runs of equal numbers in a stretch of a flat array.

    Writes one past the last pixel of each, counted from `begin`, to `ends`; returns how many there are.
    """
    n_runs, x = 0, begin + 1
    while x + 32 <= end:
        word = changes(labels, x)
        while word:
            ends[n_runs] = x - begin + first_bit(word)
            n_runs += 1
            word &= word - np.uint32(1)
        x += 32
    while x < end:
        if labels[x] != labels[x - 1]:
            ends[n_runs] = x - begin
            n_runs += 1
        x += 1
    ends[n_runs] = end - begin
    return n_runs + 1


@compiled
def set_bits(row: npt.NDArray[np.uint32], begin: int, end: int) -> None:
    """Set bits `begin` to `end` of a row of words."""
    for k in range(begin // 32, (end + 31) // 32):
        row[k] |= low_bits(min(end - 32 * k, 32)) & ~low_bits(max(begin - 32 * k, 0))


@compiled
def extremes(labels: npt.NDArray[np.int32]) -> tuple[int, int]:
    """The smallest and the largest number of a flat array."""
    low = high = labels[0]
    for i in range(len(labels)):
        low, high = min(low, labels[i]), max(high, labels[i])
    return low, high
