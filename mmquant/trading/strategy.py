"""Strategies: a user's own function, or a built-in one, as the engine takes it.

A strategy is ``quote(view, params, memory, quotes) -> n``. ``view[i]`` is a VIEW record of
instrument i, ``params`` and ``memory`` are records with the names given to the decorator, and
``quotes`` takes the wanted quotes; n is how many, and a negative n pulls them all. The same object
runs compiled in a backtest and live.
"""

from __future__ import annotations

import importlib.util
import inspect
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.errors import NumbaError

from mmquant.core import skew
from mmquant.core.dtypes import QUOTE, VIEW, VIEW_LEVELS
from mmquant.core.jit import DISABLED, not_collecting, user_kernel
from mmquant.errors import ConfigError, UsageError

_VIEW_ROWS = types.Array(numba.from_dtype(VIEW), 1, "C")
_QUOTE_ROWS = types.Array(numba.from_dtype(QUOTE), 1, "C")
_NUMBERS = types.Array(types.float64, 1, "C")
QUOTE_SIGNATURE = types.int64(_VIEW_ROWS, _NUMBERS, _NUMBERS, _QUOTE_ROWS)
QUOTE_FUNCTION = types.FunctionType(QUOTE_SIGNATURE)
"""The one type that the engine is compiled for."""
MOST_QUOTES = 4096


@dataclass(frozen=True)
class Strategy:
    """A quoting function with the names and defaults of its parameters and of its memory.

    Attributes
    ----------
    name : shown in reports.
    function : the user's function, or a kernel that takes plain float64 rows (``raw``).
    params : default of each parameter.
    memory : value of each memory field before the first decision.
    raw : whether ``function`` takes float64 rows instead of named records.
    quotes : most quotes that it writes.
    levels : price levels a side that it looks at, 0 to VIEW_LEVELS; the views show no more.
    """

    name: str
    function: Callable[..., Any]
    params: Mapping[str, float]
    memory: Mapping[str, float]
    raw: bool = False
    quotes: int = 16
    levels: int = VIEW_LEVELS

    def param_row(self, given: Mapping[str, float] | None = None) -> np.ndarray:
        """Parameter values in order, defaults filled in. Raises ConfigError on an unknown name."""
        given = dict(given or {})
        unknown = sorted(set(given) - set(self.params))
        if unknown:
            raise ConfigError(
                f"strategy {self.name!r} has no parameter {unknown[0]!r}",
                where=f"strategy.params.{unknown[0]}",
                fix="its parameters are " + ", ".join(self.params),
            )
        row = [float(given.get(name, default)) for name, default in self.params.items()]
        missing = [name for name, x in zip(self.params, row, strict=True) if not np.isfinite(x)]
        if missing:
            raise ConfigError(
                f"strategy {self.name!r} needs a finite value of {missing[0]!r}",
                where=f"strategy.params.{missing[0]}",
                fix="give one",
            )
        lots = dict(zip(self.params, row, strict=True)).get("order_lots", 1.0)
        if self.raw and (lots < 1.0 or lots != int(lots)):
            raise ConfigError(
                f"order_lots of strategy {self.name!r} is {lots:g}",
                where="strategy.params.order_lots",
                fix="give a whole number of lots, 1 or more",
            )
        return np.array(row or [0.0])

    def memory_row(self, instruments: int = 1) -> np.ndarray:
        """Memory before the first decision."""
        return np.array([float(x) for x in self.memory.values()] or [0.0])

    def shown_params(self, row: np.ndarray) -> dict[str, float]:
        """What a run says of its parameters, from their row."""
        return dict(zip(self.params, row.tolist(), strict=False))

    def steady(self, params: np.ndarray) -> np.ndarray:
        """For each parameter row, whether only best prices, their sizes and the own position count,
        so that the same of these give the same quotes."""
        return np.full(len(params), self.raw)

    def quote_rows(self, params: np.ndarray, instruments: int) -> int:
        """Quotes that there must be room for with these parameter rows."""
        return self.quotes

    @cached_property
    def quote(self) -> Any:
        """The function as the engine calls it: compiled, of QUOTE_SIGNATURE.

        Raises
        ------
        UsageError
            where the function does not compile, with the line that is at fault.
        """
        if self.raw:
            return _with_signature(self.function, self)
        return _with_signature(_adapted(self), self)


def _fields(names: Sequence[str]) -> np.dtype:
    return np.dtype([(name, np.float64) for name in names or ("unused",)])


def _adapted(strategy: Strategy) -> Any:
    """The user's function behind plain float64 rows."""
    param_dtype, memory_dtype = _fields(list(strategy.params)), _fields(list(strategy.memory))
    return user_kernel(strategy.function, param_dtype, memory_dtype)


def _with_signature(function: Any, strategy: Strategy) -> Any:
    if DISABLED:
        return function
    try:
        with not_collecting():
            function.compile(QUOTE_SIGNATURE)
    except (NumbaError, KeyError, TypeError) as error:
        if re.search(r"(?i)argument\(s\): '\((none|Optional)", str(error)):
            raise UsageError(
                f"strategy {strategy.name!r} does not return a number on every way through it",
                where=_place(error, strategy.function),
                fix="return the number of quotes written, or a negative number to pull them all",
            ) from error
        raise UsageError(
            f"strategy {strategy.name!r} does not compile: {_plain(error)}",
            where=_place(error, strategy.function),
            fix="use numbers, arrays and the fields of VIEW, QUOTE, params and memory only",
        ) from error
    return function


def _plain(error: Exception) -> str:
    """The lines of a compiler's message that a user can act on."""
    if isinstance(error, KeyError):
        return f"no field {error.args[0]!r}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [x for x in lines if re.search(r"Field |NameError|not |rror:|No impl|Cannot", x)]
    dull = ("Failed in", "File ", "During", "There are")
    telling = [x for x in telling if not x.startswith(dull)]
    return "; ".join(dict.fromkeys(telling[:2] or lines[:2]))


def _place(error: Exception, function: Callable[..., Any]) -> str:
    """File of the user's function, and the line that the compiler names."""
    target = getattr(function, "py_func", function)
    file = inspect.getsourcefile(target) or ""
    lines = re.findall(re.escape(Path(file).name) + r'"?, line (\d+)', str(error))
    return f"{file}, line {lines[0]}" if lines else file


def strategy(
    function: Callable[..., Any] | None = None,
    *,
    params: Mapping[str, float] | None = None,
    memory: Mapping[str, float] | None = None,
    name: str | None = None,
    quotes: int = 16,
    levels: int = VIEW_LEVELS,
) -> Any:
    """Make a quoting function a strategy.

    Parameters
    ----------
    params : names and defaults of its parameters.
    memory : names and first values of what it remembers between decisions.
    name : shown in reports; the function's own name if not given.
    quotes : most quotes that it writes, over all instruments: rows of ``quotes``.
    levels : price levels a side that it looks at, 0 to 5. The best prices are always shown; what
        a strategy does not look at need not be gathered.

    Raises
    ------
    UsageError
        where the function does not take ``view, params, memory, quotes``, a name cannot be
        a field, or ``quotes`` or ``levels`` is out of range.
    """

    def make(target: Callable[..., Any]) -> Strategy:
        label = name or target.__name__
        if len(inspect.signature(target).parameters) != 4:
            raise UsageError(
                f"strategy {label!r} must take (view, params, memory, quotes)",
                where=inspect.getsourcefile(target) or "",
                fix="return the number of quotes written, or a negative number to pull them all",
            )
        for field in [*(params or {}), *(memory or {})]:
            if not field.isidentifier() or keyword.iskeyword(field):
                raise UsageError(f"{field!r} cannot name a parameter or memory field", where=label)
        for what, value, low, high in (
            ("quotes", quotes, 1, MOST_QUOTES),
            ("levels", levels, 0, VIEW_LEVELS),
        ):
            if not isinstance(value, int) or not low <= value <= high:
                raise UsageError(
                    f"{what} must be a whole number from {low} to {high}, not {value!r}",
                    where=label,
                )
        return Strategy(
            label, target, dict(params or {}), dict(memory or {}), quotes=quotes, levels=levels
        )

    return make(function) if function is not None else make


SKEW = Strategy(
    "skew",
    skew.skew_quote,
    dict(zip(skew.SKEW_PARAMS, (2.0, 0.5, 1.0, 10.0), strict=True)),
    {},
    raw=True,
    quotes=2,
    levels=0,
)
"""One quote a side around a reservation price that moves against the inventory."""


def load_strategy(path: str | Path, function: str) -> Strategy:
    """Strategy of a user's own Python file.

    Raises
    ------
    UsageError
        where the file, or the decorated function in it, is missing, or the file fails.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError("the strategy file does not exist", where=str(file))
    spec = importlib.util.spec_from_file_location(f"mmquant_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UsageError("the strategy file is not a Python file", where=str(file))
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(
            f"the strategy file fails: {type(error).__name__}: {error}", where=str(file)
        ) from error
    found = getattr(module, function, None)
    if not isinstance(found, Strategy):
        raise UsageError(
            f"the file has no strategy {function!r}",
            where=str(file),
            fix="decorate the function with @mmquant.strategy",
        )
    return found
