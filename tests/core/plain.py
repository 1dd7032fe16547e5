"""Kernels as plain Python beside the compiled ones."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from mmquant.core import bits, hints, jit, records, row_block

INTRINSICS = (
    (jit.record_of, jit._record_as_is),
    (bits.bits_of, bits._plain_bits_of),
    (bits.double_of, bits._plain_double_of),
    (bits.rest_of_product, bits._plain_rest_of_product),
    (bits.trailing_zeros, bits._plain_trailing_zeros),
    (row_block.block_times, row_block._plain_block_times),
    (row_block.block_facts, row_block._plain_block_facts),
    (row_block.block_heads, row_block._plain_block_heads),
    (row_block.set_block, row_block._plain_set_block),
    (hints.rarely, hints._plain_rarely),
    (hints.needed_soon, hints._plain_needed_soon),
    (records.copy_record, records._plain_copy_record),
)
"""What has no Python code of its own, and what stands for it."""


def plain(function: Any) -> Callable[..., Any]:
    """A kernel as plain Python, with all kernels that it calls."""
    return function if jit.DISABLED else _twin(function.py_func, {})


def _twin(source: FunctionType, done: dict[FunctionType, Callable[..., Any]]) -> Callable[..., Any]:
    if source not in done:
        scope = dict(source.__globals__)
        done[source] = FunctionType(source.__code__, scope, source.__name__, source.__defaults__)
        for name in source.__code__.co_names:
            called = scope.get(name)
            if isinstance(called, jit.Kernel | jit.InnerKernel):
                scope[name] = _twin(called.py_func, done)
            for compiled, twin in INTRINSICS:
                if called is compiled:
                    scope[name] = twin
    return done[source]
