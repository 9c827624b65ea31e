"""Many pixels in one register: 32 labels compared at once, 16 pixels tinted at once."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["BLOCK", "mix_block", "unlike"]

BLOCK = 16  # pixels that are tinted together


@intrinsic
def unlike(context, a, at_a, b, at_b):
    """Which of 32 numbers of two flat arrays, from an index each on, differ: a `uint32`."""

    def build(context, builder, signature, arguments):
        vectors = []
        for kind, array, place in zip(signature.args[::2], arguments[::2], arguments[1::2], strict=True):
            data = context.make_array(kind)(context, builder, array).data
            vector = ir.VectorType(data.type.pointee, 32)
            value = builder.load(builder.bitcast(builder.gep(data, [place]), vector.as_pointer()))
            value.align = 1
            vectors.append(value)
        return builder.bitcast(builder.icmp_unsigned("!=", *vectors), ir.IntType(32))

    return types.uint32(a, types.intp, b, types.intp), build


@intrinsic
def mix_block(context, image, out, at, mix):
    """Write 16 pixels of a flat `uint8` array from index `at` on: `(image * keep + add) >> 8`.

    `mix` holds four numbers of 16 bits: what to add in each of the three channels, and what to keep.
    """
    byte, short, lane = ir.IntType(8), ir.IntType(16), ir.IntType(32)

    def build(context, builder, signature, arguments):
        kinds = signature.args
        source, target = (
            builder.gep(context.make_array(kind)(context, builder, array).data, [arguments[2]])
            for kind, array in zip(kinds[:2], arguments[:2], strict=True)
        )
        numbers = builder.bitcast(arguments[3], ir.VectorType(short, 4))

        def spread(lanes):
            return builder.shuffle_vector(numbers, numbers, ir.Constant(ir.VectorType(lane, BLOCK), lanes))

        keep = spread([3] * BLOCK)
        bytes_, shorts = ir.VectorType(byte, BLOCK), ir.VectorType(short, BLOCK)
        loaded = []
        for part in range(3):
            place = builder.gep(source, [ir.Constant(lane, part * BLOCK)])
            value = builder.load(builder.bitcast(place, bytes_.as_pointer()))
            value.align = 1
            loaded.append(builder.zext(value, shorts))
        for part, value in enumerate(loaded):
            add = spread([(part * BLOCK + i) % 3 for i in range(BLOCK)])
            mixed = builder.lshr(builder.add(builder.mul(value, keep), add), ir.Constant(shorts, [8] * BLOCK))
            place = builder.gep(target, [ir.Constant(lane, part * BLOCK)])
            stored = builder.store(builder.trunc(mixed, bytes_), builder.bitcast(place, bytes_.as_pointer()))
            stored.align = 1
        return context.get_dummy_value()

    return types.void(image, out, types.intp, types.uint64), build
