"""How kernels index arrays: an index is taken as it stands.

Numba lets an index count from the end where it is negative, as Python does, at five instructions
an access. Kernels never do: a negative index of theirs is an error, which runs with bounds checks
tell. Code that is not mmquant's is compiled as always.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import CompilerError
from numba.np import arrayobj

_counting_from_end = arrayobj.fix_integer_index


def _index(context: Any, builder: Any, kind: Any, value: Any, size: Any) -> Any:
    if not getattr(context, "indices_as_they_stand", False):
        return _counting_from_end(context, builder, kind, value, size)
    if isinstance(value, ir.Constant) and value.constant < 0:
        raise CompilerError("a kernel's index must not count from the end")
    return context.cast(builder, value, kind, types.intp)


arrayobj.fix_integer_index = _index


def as_they_stand(context: Any) -> Any:
    """Mark a target context of numba as one of kernels."""
    context.indices_as_they_stand = True
    return context
