"""A double as the 64-bit integer that has the same bits, and back; zeros at the end of one; what a
product lost when it was rounded."""

from __future__ import annotations

import struct

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mmquant.core.jit import DISABLED

HEAD = -(1 << 27)
"""Mask that leaves 26 bits of the mantissa, so that a product of two heads is exact."""


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


@intrinsic
def _rest_of_product(typingctx, a, b, product):
    def codegen(context, builder, signature, args):
        return builder.fma(args[0], args[1], builder.fneg(args[2]))

    return types.float64(types.float64, types.float64, types.float64), codegen


def _plain_rest_of_product(a, b, product):
    a_head, b_head = (_plain_double_of(_plain_bits_of(x) & HEAD) for x in (a, b))
    a_tail, b_tail = a - a_head, b - b_head
    return ((a_head * b_head - product) + (a_head * b_tail + a_tail * b_head)) + a_tail * b_tail


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
rest_of_product = _plain_rest_of_product if DISABLED else _rest_of_product
"""``rest_of_product(a, b, product)``: what rounding took from the product of two doubles, exactly
as long as neither is so large or small that it over- or underflows."""
trailing_zeros = _plain_trailing_zeros if DISABLED else _trailing_zeros
"""``trailing_zeros(bits)``: how many of an int64's lowest bits are zero; 64 of zero."""
