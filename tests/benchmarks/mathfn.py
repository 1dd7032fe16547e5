"""Nanoseconds a value of our own functions, and of libm's through ``math`` where it has them.

    python -m tests.benchmarks.mathfn --json

``loop``: one array to another. ``scalar``: values one by one, as other kernels ask for them; the
loop could end after any, so none of it is vector code. All are compiled by the same decorator, and
take arguments of an everyday size. Times are the processor's, the shortest of the repeats: what
else runs on the machine does not count.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from mmquant.core import mathfn
from mmquant.core.jit import formula, kernel
from tests.benchmarks.harness import alternate, environment, parser, show

VALUES, ROUNDS = 4096, 100
RANGES = {
    "exp": (-10.0, 10.0), "expm1": (-10.0, 10.0), "log": (0.001, 1000.0), "log1p": (-0.9, 100.0),
    "norm_pdf": (-8.0, 8.0), "norm_cdf": (-8.0, 8.0), "norm_inv": (0.0, 1.0), "erfc": (-5.0, 5.0),
    "erfcx": (-5.0, 20.0),
}  # fmt: skip
TARGETS = {"exp": 1.0, "log": 1.5, "norm_cdf": 3.0, "erfcx": 3.0}
"""For a loop. [ns]"""


@formula
def libm_exp(x):
    return math.exp(x)


@formula
def libm_expm1(x):
    return math.expm1(x)


@formula
def libm_log(x):
    return math.log(x)


@formula
def libm_log1p(x):
    return math.log1p(x)


@formula
def libm_norm_cdf(x):
    return 0.5 * math.erfc(-0.7071067811865476 * x)


@formula
def libm_erfc(x):
    return math.erfc(x)


LIBM = {
    "exp": libm_exp, "expm1": libm_expm1, "log": libm_log, "log1p": libm_log1p,
    "norm_cdf": libm_norm_cdf, "erfc": libm_erfc,
}  # fmt: skip


def _loop(x, out):
    for i in range(x.size):
        out[i] = _function(x[i])


def _scalar(x, out):
    for i in range(x.size):
        value = _function(x[i])
        if value == 0.123456789:
            break
        out[i] = value


_function = libm_exp


def compiled(body: Any, function: Any) -> Any:
    """The body over this function, as mathfn makes its loops."""
    name = f"{body.__name__}_over_{function.__name__}"
    made = FunctionType(body.__code__, globals() | {"_function": function}, name)
    made.__qualname__ = name
    return kernel(made)


def seconds(run: Any, x: np.ndarray, out: np.ndarray) -> float:
    started = time.process_time()
    for _ in range(ROUNDS):
        run(x, out)
    return time.process_time() - started


def measured(name: str, repeat: int) -> dict[str, float]:
    """Nanoseconds a value of one function, in a loop and one by one."""
    x = np.random.default_rng(1).uniform(*RANGES[name], VALUES)
    out = np.empty_like(x)
    contestants: dict[str, Callable[[], float]] = {}
    for body in (_loop, _scalar):
        for prefix, function in (("", getattr(mathfn, name)), ("libm_", LIBM.get(name))):
            if function is not None:
                run = compiled(body, function)
                run(x, out)
                contestants[f"{prefix}{name}{body.__name__}_ns"] = partial(seconds, run, x, out)
    times = alternate(list(contestants.values()), repeat)
    ns = 1e9 / (ROUNDS * VALUES)
    return {key: round(ns * min(t), 3) for key, t in zip(contestants, times, strict=True)}


def main(argv: list[str] | None = None) -> int:
    a = parser(__doc__).parse_args(argv)
    result: dict[str, Any] = {}
    for name in RANGES:
        result |= measured(name, a.repeat)
    within = {name: result[f"{name}_loop_ns"] <= target for name, target in TARGETS.items()}
    result |= {"within_targets": all(within.values()), "repeat": a.repeat, **environment()}
    show(result, a.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
