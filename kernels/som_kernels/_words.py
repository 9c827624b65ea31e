"""Words of 32 pixels in compiled functions: from bytes, to labels, and what is set in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from som_kernels._jit import compiled

__all__ = [
    "AHEAD",
    "common_bits",
    "first_bit",
    "full_word",
    "last_bit",
    "last_word",
    "low_bits",
    "population",
    "prefetch",
    "set_bits",
    "span_bits",
    "write_where",
]

AHEAD = 2048  # bytes that a pass over masks asks for ahead of those it reads


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
def span_bits(k: int, begin: int, end: int) -> np.uint32:
    """The bits of word `k` of a row that are pixels from `begin` to `end`."""
    return low_bits(min(end - 32 * k, 32)) & ~low_bits(max(begin - 32 * k, 0))


@compiled
def set_bits(row: npt.NDArray[np.uint32], begin: int, end: int) -> None:
    """Set bits `begin` to `end` of a row of words."""
    for k in range(begin // 32, (end + 31) // 32):
        row[k] |= span_bits(k, begin, end)
