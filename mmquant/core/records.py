"""Records copied whole. ``rows[i] = record`` compiles to a move of each single byte."""

from __future__ import annotations

from numba import types
from numba.core.cgutils import raw_memcpy
from numba.extending import intrinsic

from mmquant.core.jit import DISABLED


def _plain_copy_record(target, source):
    for name in source.dtype.names:
        target[name] = source[name]


@intrinsic
def _copy_record(typingctx, target, source):
    if target != source:
        raise TypeError("records of different kinds")
    size = source.size

    def codegen(context, builder, signature, args):
        one = context.get_constant(types.intp, 1)
        raw_memcpy(builder, args[0], args[1], one, size, align=8)
        return context.get_dummy_value()

    return types.void(target, source), codegen


copy_record = _plain_copy_record if DISABLED else _copy_record
"""``copy_record(target, source)``: make a row the same as another of its kind."""
