"""What the compiler cannot know: which way a branch nearly always goes."""

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
