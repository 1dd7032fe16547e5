"""What the compiler made of a loop."""

from __future__ import annotations

import platform
import re
from typing import Any

import pytest
from llvmlite import binding as llvm
from numba import config, void
from numba.core.caching import NullCache

from mmquant.core.jit import DISABLED, kernel


def assembly(loop: Any, *arguments: Any) -> str:
    """Machine code of a loop, compiled anew: there is none to look at for one from the cache."""
    fresh = kernel(loop.py_func)
    fresh._cache = NullCache()
    fresh.compile(void(*arguments))
    (code,) = fresh.inspect_asm().values()
    return str(code)


def check_vector_code(loop: Any, *arguments: Any) -> None:
    """No fused multiply-add, which other processors round otherwise, and vectors where they are."""
    if DISABLED or config.BOUNDSCHECK:
        pytest.skip("not compiled as it is in use")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("knows x86 only")
    code = assembly(loop, *arguments)
    assert "fmadd" not in code and "fmsub" not in code
    if llvm.get_host_cpu_features().get("avx2"):
        assert re.search(r"\bvmulpd\t[^\n]*%[yz]mm", code)
        assert re.search(r"\bvaddpd\t[^\n]*%[yz]mm", code)
