"""What the compiler cannot know: which way a branch nearly always goes, and what is read soon."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mmquant.core.jit import DISABLED


def _plain_rarely(condition):
    return condition


@intrinsic
def _rarely(typingctx, condition):
    def codegen(context, builder, signature, args):
        bit = ir.IntType(1)
        expect = builder.module.declare_intrinsic(
            "llvm.expect", [bit], ir.FunctionType(bit, [bit, bit])
        )
        return builder.call(expect, [args[0], ir.Constant(bit, 0)])

    return types.boolean(types.boolean), codegen


rarely = _plain_rarely if DISABLED else _rarely
"""``rarely(condition)``: the condition; what depends on it is kept away from what always runs."""


def _plain_needed_soon(column, at):
    return None


@intrinsic
def _needed_soon(typingctx, column, at):
    def codegen(context, builder, signature, args):
        word, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), pointer)
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(fetch, [place, *(ir.Constant(word, n) for n in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(column, at), codegen


needed_soon = _plain_needed_soon if DISABLED else _needed_soon
"""``needed_soon(column, at)``: have an entry brought to the cache; changes nothing else."""
