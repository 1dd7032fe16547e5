"""A double as the 64-bit integer that has the same bits, and back; zeros at the end of one."""

from __future__ import annotations

import struct

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mmquant.core.jit import DISABLED


@intrinsic
def _bits_of(typingctx, x):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _double_of(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def _trailing_zeros(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), codegen


def _plain_trailing_zeros(bits):
    bits = int(bits)
    return (bits & -bits).bit_length() - 1 if bits != 0 else 64


def _plain_bits_of(x):
    return struct.unpack("<q", struct.pack("<d", x))[0]


def _plain_double_of(bits):
    """Python's integers grow where an int64 wraps, so only the low 64 bits count."""
    return struct.unpack("<d", struct.pack("<Q", bits & 0xFFFFFFFFFFFFFFFF))[0]


bits_of = _plain_bits_of if DISABLED else _bits_of
"""``bits_of(x)``: the bits of a double, as an int64."""
double_of = _plain_double_of if DISABLED else _double_of
"""``double_of(bits)``: the double with these bits."""
trailing_zeros = _plain_trailing_zeros if DISABLED else _trailing_zeros
"""``trailing_zeros(bits)``: how many of an int64's lowest bits are zero; 64 of zero."""
