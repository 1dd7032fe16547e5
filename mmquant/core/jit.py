"""The one decorator for kernels: flags, and a disk cache that cannot serve stale code.

Numba's own cache does not see an edit in a file that a kernel calls into. Ours lives in a folder
named by a digest of all of ``core/``, of the versions and of the flags that change code.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

# numba imports coverage where it is installed, 0.07 s, to tell it of compiled lines: not ours.
_HIDES_COVERAGE = "coverage" not in sys.modules and "numba" not in sys.modules
if _HIDES_COVERAGE:
    sys.modules["coverage"] = None  # type: ignore[assignment]

import llvmlite
import numba
import numpy as np
from llvmlite.binding import Linkage
from numba import config, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from numba.core.funcdesc import default_mangler
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic

if _HIDES_COVERAGE:
    del sys.modules["coverage"]


def _defer_blas() -> None:
    """Let numba believe that SciPy's BLAS is loaded, which takes all of scipy.linalg: 0.15 s.

    It is looked for once more, and then loaded, when a compiled function uses linear algebra.
    """
    names = ("scipy.linalg", "scipy.linalg.cython_blas")
    if find_spec("scipy") is None or any(name in sys.modules for name in names):
        return
    sys.modules.update({name: ModuleType(name) for name in names})
    try:
        import_module("numba.np.arraymath")
    finally:
        for name in names:
            del sys.modules[name]


_defer_blas()

from mmquant.core.lowering import as_they_stand  # after numba, which must not load coverage

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

# Collecting all that numba made, when the process ends anyway, takes half a second.
atexit.register(gc.freeze)


class PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code of a kernel as another kernel links it: neither optimized nor turned into machine code.

    Numba would do both for every function together with all that it calls, over and over: most of
    the time that it takes to compile the engine.
    """

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Nothing runs from here, so there is no environment to set."""

    def finalize(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _get_module_for_linking(self) -> Any:
        for function in self._final_module.functions:
            if not function.is_declaration:
                function.linkage = "linkonce_odr"
        return self._final_module


class ApartLibrary(PartLibrary):
    """Code that stays out of its callers: what they rarely call slows them down there."""

    def _get_module_for_linking(self) -> Any:
        module = super()._get_module_for_linking()
        for function in module.functions:
            if not function.is_declaration:
                function.add_function_attribute("noinline")
        return module


class RareLibrary(ApartLibrary):
    """Code for rare cases: its callers keep what leads to it away from what they do all the time,
    so that this fits the cache of instructions."""

    def _get_module_for_linking(self) -> Any:
        module = super()._get_module_for_linking()
        for function in module.functions:
            if not function.is_declaration:
                function.add_function_attribute("cold")
        return module


class WholeLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code of a kernel and of all that it calls, optimized at once."""

    def add_linking_library(self, library: Any) -> None:
        if library in self._linking_libraries:
            return
        super().add_linking_library(library)
        if isinstance(library, PartLibrary):
            for other in library._linking_libraries:
                self.add_linking_library(other)

    def _optimize_final_module(self) -> None:
        for function in self._final_module.functions:
            if function.linkage == Linkage.linkonce_odr:
                function.linkage = Linkage.internal
        super()._optimize_final_module()


SKIPPED = {
    "AnnotateTypes",
    "DeadBranchPrune",
    "FindLiterallyCalls",
    "InlineClosureLikes",
    "InlineInlinables",
    "InlineOverloads",
    "LiteralPropagationSubPipelinePass",
    "LiteralUnroll",
    "MakeFunctionToJitFunction",
    "NopythonRewrites",
    "RewriteDynamicRaises",
    "WithLifting",
}
"""Passes of numba's compiler for what kernels do not use: closures, literals, array expressions."""


LONG_NAME = 160


def short_name(name: str, kinds: Any, *, abi_tags: Any = (), uid: Any = None) -> str:
    """Numba's name of a compiled function, with a digest where it would spell out its types.

    Those of the engine's state take kilobytes a function: nine tenths of what would be cached.
    """
    full: str = default_mangler(name, kinds, abi_tags=abi_tags, uid=uid)
    if len(full) < LONG_NAME:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:16]
    short: str = default_mangler(name, (), abi_tags=(*abi_tags, digest), uid=uid)
    return short


class KernelCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's compiler without the passes that kernels do not need."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state.targetctx = as_they_stand(self.state.targetctx.subtarget(mangler=short_name))

    def define_pipelines(self) -> list[Any]:
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        short = PassManager("kernel")
        for step, why in pipeline.passes:
            if step.__name__ not in SKIPPED:
                short.add_pass(step, why)
        short.finalize()
        return [short]


class PartCompiler(KernelCompiler):
    """Compiles into a PartLibrary, or what a subclass names."""

    into: type[PartLibrary] = PartLibrary

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state.library = self.into(self.state.targetctx.codegen(), self.into.__name__)


class ApartCompiler(PartCompiler):
    """Compiles into an ApartLibrary."""

    into = ApartLibrary


class RareCompiler(PartCompiler):
    """Compiles into a RareLibrary."""

    into = RareLibrary


class WholeCompiler(KernelCompiler):
    """Compiles into a WholeLibrary."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state.library = WholeLibrary(self.state.targetctx.codegen(), "whole")
        self.state.library.enable_object_caching()


def _wide(kind: Any) -> Any:
    """The type that kernels take a number as: int64 or float64, never a literal."""
    kind = types.unliteral(kind)
    if isinstance(kind, types.Integer) and kind.signed:
        return types.int64
    return types.float64 if kind == types.float32 else kind


@contextmanager
def not_collecting() -> Iterator[None]:
    """The compiler makes millions of objects that live on: collecting is a tenth of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class InnerKernel(CPUDispatcher):  # type: ignore[misc]
    """A kernel that only kernels call: from anywhere else it would crash, so it is refused.

    It is compiled once, whatever the width of the numbers it is called with. Numba would compile
    it anew for each int8, int32 and literal that another kernel passes.
    """

    def compile(self, sig: Any) -> Any:
        if not Kernel.compiling:
            raise TypeError(f"{self.py_func.__name__} is called by mmquant's kernels only")
        return super().compile(sig)

    def get_call_template(self, args: Any, kws: Any) -> Any:
        wide = {name: _wide(kind) for name, kind in kws.items()}
        return super().get_call_template(tuple(_wide(kind) for kind in args), wide)

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self.py_func.__name__} is called by kernels only, not from Python")


class Kernel(CPUDispatcher):  # type: ignore[misc]
    """A kernel that Python calls, and any compiled function.

    While another kernel is compiled, it stands for its inner twin, which becomes a part of that.
    """

    compiling = 0
    inlined = False
    apart = False

    @cached_property
    def part(self) -> Any:
        compiler = ApartCompiler if self.apart else PartCompiler
        return inner_kernel(self.py_func, inlined=self.inlined, compiler=compiler)

    def compile(self, sig: Any) -> Any:
        Kernel.compiling += 1
        try:
            with not_collecting():
                return super().compile(sig)
        finally:
            Kernel.compiling -= 1

    def get_call_template(self, args: Any, kws: Any) -> Any:
        if Kernel.compiling:
            return self.part.get_call_template(args, kws)
        return super().get_call_template(args, kws)

    def get_overload(self, sig: Any) -> Any:
        return self.part.get_overload(sig) if Kernel.compiling else super().get_overload(sig)


# Without _nrt=False every array taken from a state tuple costs an atomic count up and down:
# 13.7 us a decision instead of 1.7. Kernels own no memory, so nothing is lost.
OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel: IEEE arithmetic, no allocation, no exceptions, cached on disk."""
    before = config.CACHE_DIR
    config.CACHE_DIR = str(CACHE_DIR)
    try:
        compiled = numba.njit(cache=True, pipeline_class=WholeCompiler, **OPTIONS)(function)
    finally:
        config.CACHE_DIR = before
    if not DISABLED:
        compiled.__class__ = Kernel
    return compiled


def formula(function: Callable[..., Any]) -> Any:
    """Compile a kernel that is copied to where kernels call it, so that loops can be vectorized."""
    compiled = kernel(function)
    if not DISABLED:
        compiled.inlined = True
    return compiled


def apart_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that stays a function of its own: its loop has all registers for itself."""
    compiled = kernel(function)
    if not DISABLED:
        compiled.apart = True
    return compiled


def inner_kernel(
    function: Callable[..., Any], *, inlined: bool = False, compiler: Any = PartCompiler
) -> Any:
    """Compile a kernel that only kernels call, as a part of each of them."""
    flags = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": inlined}
    compiled = numba.njit(pipeline_class=compiler, **flags, **OPTIONS)(function)
    if not DISABLED:
        compiled.__class__ = InnerKernel
    return compiled


def inner_formula(function: Callable[..., Any]) -> Any:
    """Compile a formula that only kernels call."""
    return inner_kernel(function, inlined=True)


def inner_apart_kernel(function: Callable[..., Any]) -> Any:
    """Compile an apart kernel that only kernels call."""
    return inner_kernel(function, compiler=ApartCompiler)


def rare_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that only kernels call, and only in rare cases or for what most runs have
    switched off."""
    return inner_kernel(function, compiler=RareCompiler)


@intrinsic
def _record_of(typingctx: Any, row: Any, dtype: Any) -> Any:
    """A row of float64 as the record that its bytes are; ``row.view()`` compiles for 0.3 s."""
    record = dtype.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.bitcast(array.data, context.get_value_type(record))

    return record(row, dtype), codegen


def _record_as_is(row: Any, dtype: Any) -> Any:
    return row[: dtype.itemsize // 8].view(dtype)[0]


record_of = _record_as_is if DISABLED else _record_of
"""``record_of(row, dtype)``: the start of a row of float64 as a record of float64 fields."""


def user_kernel(function: Callable[..., Any], params: np.dtype, memory: np.dtype) -> Any:
    """A user's quoting function behind rows of float64, which it sees as records."""
    if DISABLED:

        def plain(view: Any, param_row: Any, memory_row: Any, quotes: Any) -> Any:
            return function(view, param_row.view(params)[0], memory_row.view(memory)[0], quotes)

        return plain
    flags = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True}
    user = numba.njit(no_cfunc_wrapper=True, **flags)(function)

    @numba.njit(**flags)
    def adapter(view: Any, param_row: Any, memory_row: Any, quotes: Any) -> Any:
        return np.int64(
            user(view, _record_of(param_row, params), _record_of(memory_row, memory), quotes)
        )

    return adapter


def compile_for(dispatcher: Any, signature: Any) -> Any:
    """Compile for one signature, from the cache if it is there, and refuse any other.

    A kernel that takes a strategy as a first-class function would otherwise compile anew, and
    leave another cache file, for each strategy.
    """
    if not DISABLED and not dispatcher.signatures:
        # Loading makes many objects too: collecting takes two thirds of it.
        with not_collecting():
            dispatcher.compile(signature)
        dispatcher.disable_compile()
    return dispatcher
