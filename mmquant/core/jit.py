"""The one decorator for kernels: flags, and a disk cache that cannot serve stale code.

Numba's own cache does not see an edit in a file that a kernel calls into. Ours lives in a folder
named by a digest of all of ``core/``, of the versions and of the flags that change code.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import config, types
from numba.core.registry import CPUDispatcher

FLAGS = ("NUMBA_BOUNDSCHECK", "NUMBA_OPT", "NUMBA_DEBUG", "NUMBA_DEBUGINFO", "NUMBA_CPU_NAME")
DISABLED = bool(config.DISABLE_JIT)
"""True when kernels run as plain Python (``NUMBA_DISABLE_JIT=1``)."""


def code_digest() -> str:
    """Digest of the sources of ``core/``, of the versions and of the code-changing flags."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    versions = (numba.__version__, llvmlite.__version__, np.__version__, sys.version)
    digest.update(repr((versions, platform.machine())).encode())
    digest.update(repr([os.environ.get(flag, "") for flag in FLAGS]).encode())
    return digest.hexdigest()[:16]


def cache_root() -> Path:
    """Folder of all kernel caches: ``MMQUANT_CACHE_DIR``, else the user's cache folder."""
    given = os.environ.get("MMQUANT_CACHE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(base) / "mmquant"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError:
        return (
            Path(tempfile.gettempdir()) / f"mmquant-{os.getuid() if hasattr(os, 'getuid') else 0}"
        )
    return root if os.access(root, os.W_OK) else Path(tempfile.gettempdir()) / "mmquant"


CACHE_DIR = cache_root() / code_digest()


def _wide(kind: Any) -> Any:
    """The type that kernels take a number as: int64 or float64, never a literal."""
    kind = types.unliteral(kind)
    if isinstance(kind, types.Integer) and kind.signed:
        return types.int64
    return types.float64 if kind == types.float32 else kind


class Kernel(CPUDispatcher):  # type: ignore[misc]
    """A kernel that is compiled once, whatever the width of the numbers it is called with.

    Numba would compile it anew for each int8, int32 and literal that another kernel passes.
    """

    def get_call_template(self, args: Any, kws: Any) -> Any:
        wide = {name: _wide(kind) for name, kind in kws.items()}
        return super().get_call_template(tuple(_wide(kind) for kind in args), wide)


class InnerKernel(Kernel):
    """A kernel that only kernels call; a call from Python would crash, so it is refused."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self.py_func.__name__} is called by kernels only, not from Python")


def _compiled(function: Callable[..., Any], kind: type, **options: Any) -> Any:
    before = config.CACHE_DIR
    config.CACHE_DIR = str(CACHE_DIR)
    try:
        # Without _nrt=False every array taken from a state tuple costs an atomic count up and
        # down: 13.7 us a decision instead of 1.7. Kernels own no memory, so nothing is lost.
        flags = {"nogil": True, "error_model": "numpy", "_nrt": False, **options}
        compiled = numba.njit(cache=True, **flags)(function)
    finally:
        config.CACHE_DIR = before
    if not DISABLED:
        compiled.__class__ = kind
    return compiled


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel: IEEE arithmetic, no allocation, no exceptions, cached on disk."""
    return _compiled(function, Kernel)


def inner_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that only kernels call: without a wrapper for Python it compiles faster."""
    return _compiled(function, InnerKernel, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compile_for(dispatcher: Any, signature: Any) -> Any:
    """Compile for one signature, from the cache if it is there, and refuse any other.

    A kernel that takes a strategy as a first-class function would otherwise compile anew, and
    leave another cache file, for each strategy.
    """
    if not DISABLED and signature not in dispatcher.nopython_signatures:
        if not dispatcher.signatures:
            dispatcher.compile(signature)
            dispatcher.disable_compile()
    return dispatcher
