"""Unsigned 16-bit numbers in compiled functions, many in one register: the arithmetic of thin runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from som_kernels._jit import compiled

__all__ = [
    "BLOCK",
    "larger",
    "largest",
    "look_about",
    "minus",
    "plus",
    "smaller",
    "times",
]

BLOCK = 32  # pixels that look about together


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


@compiled
def largest(values: npt.NDArray[np.uint16], begin: int, end: int) -> np.uint16:
    """The maximum of a stretch of a flat array, 0 of an empty one."""
    most = np.uint16(0)
    # Unsigned: an index that could be negative would be looked at, and no vectors used.
    for i in range(np.uintp(begin), np.uintp(end)):
        most = larger(most, values[i])
    return most
