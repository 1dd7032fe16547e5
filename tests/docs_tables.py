"""Tables of the documentation that describe code: fields, codes, keys, options, states."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, Literal, get_args, get_origin

import numpy as np
from pydantic import BaseModel

from mmquant.config import Config
from mmquant.core.dtypes import (
    QUOTE,
    VIEW,
    OrderEvent,
    OrderState,
    OrderType,
    Reason,
    Requote,
    TimeInForce,
)
from mmquant.core.orders import ENDED, ILLEGAL, NEXT
from mmquant.data.fees import load_fees, schedule_names
from mmquant.data.readers import FORMATS, reader
from mmquant.report.facts import unit_of
from mmquant.trading.measures import BY_HORIZON, BY_INTERVAL, FEASIBILITY, SUMMARY, Measure
from tests.docs_words import EVENT_WORDS, QUOTE_WORDS, REASON_WORDS, STATE_WORDS, VIEW_WORDS


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)]) + "\n"


def fields(dtype: np.dtype, words: dict[str, tuple[str, str]]) -> str:
    """The fields of a record. Raises KeyError where one has no words."""
    rows = []
    for name in dtype.names or ():
        kind, *shape = dtype[name].subdtype or (dtype[name], ())
        size = f" × {shape[0][0]}" if shape[0] else ""
        rows.append((f"`{name}`", f"{kind}{size}", *words[name]))
    return table(("field", "type", "unit", "meaning"), rows)


def codes(enum: type[IntEnum], words: dict[str, str] | None = None) -> str:
    """The members of an enum with their numbers."""
    if words is None:
        return table(("code", "name"), [(str(int(x)), f"`{x.name}`") for x in enum])
    return table(
        ("code", "name", "meaning"), [(str(int(x)), f"`{x.name}`", words[x.name]) for x in enum]
    )


def config_keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All keys of a configuration with their fields, sections opened."""
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from config_keys(nested, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def section(name: str) -> str:
    """The keys of one section; ``""`` gives the keys outside all sections."""
    rows = []
    for key, field in config_keys(Config):
        if key.rpartition(".")[0] != name:
            continue
        text = (field.description or "").replace("``", "`").replace("\n", " ")
        cells = (unit_of(key, text), f"`{shown(field.get_default(call_default_factory=True))}`")
        rows.append((f"`{key}`", values_of(field), *cells, without_unit(text)))
    return table(("key", "values", "unit", "default", "meaning"), rows)


def without_unit(text: str) -> str:
    """A description without the unit at its end, which has a column of its own."""
    return text.rpartition(" [")[0] if text.endswith("]") else text


def shown(value: Any) -> str:
    """A default as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        return "{}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(shown, value))}]"
    return f"{value:_}" if isinstance(value, int) and value >= 100_000 else str(value)


def values_of(field: Any) -> str:
    """What a key may hold: the words it knows, or the kind of value."""
    parts = [one for one in _parts(field.annotation) if one is not type(None)]
    words = [word for one in parts if get_origin(one) is Literal for word in get_args(one)]
    if words:
        names = ", ".join(f"`{word}`" for word in words)
        return f"list of {names}" if _origin(field) is tuple else names
    inside = [one for one in parts if isinstance(one, type) and issubclass(one, BaseModel)]
    if inside:
        return "list of " + ", ".join(f"`{name}`" for name in inside[0].model_fields)
    if parts.count(tuple) > 1:
        return "list of pairs"
    kinds = {int: "integer", float: "number", str: "text", bool: "true, false", dict: "mapping"}
    return next(text for kind, text in kinds.items() if any(p is kind for p in parts))


def _origin(field: Any) -> Any:
    return get_origin(field.annotation)


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation and all that stands inside it, outermost first."""
    origin = get_origin(annotation)
    yield origin if origin is not None and origin is not Literal else annotation
    if origin is Literal:
        return
    for inside in get_args(annotation):
        if origin is dict:
            return
        if isinstance(inside, type) or get_origin(inside) is not None:
            yield from _parts(inside)


def sections() -> list[str]:
    """Names of all sections, the keys outside them first."""
    return list(dict.fromkeys(key.rpartition(".")[0] for key, _ in config_keys(Config)))


def next_states() -> str:
    """The table of order states: what each event makes of each state."""
    rows = []
    for event in OrderEvent:
        cells = []
        for state in OrderState:
            after = int(NEXT[state, event])
            same = after == int(state)
            cells.append("" if after == ILLEGAL else "·" if same else OrderState(after).name)
        rows.append((f"**{event.name}**", *cells))
    return table(("event", *(state.name for state in OrderState)), rows)


def states() -> str:
    """The states and what they mean."""
    rows = [
        (
            str(int(state)),
            f"`{state.name}`",
            "ended" if state in ENDED else "live",
            STATE_WORDS[state.name],
        )
        for state in OrderState
    ]
    return table(("code", "state", "", "meaning"), rows)


def options(format: str) -> str:
    """The options of a reader with their defaults."""
    rows = []
    for name, one in inspect.signature(reader(format).read).parameters.items():
        if one.kind is one.KEYWORD_ONLY and name != "lenient":
            rows.append((f"`{name}`", f"`{shown(one.default)}`"))
    return table(("option", "default"), rows)


def fee_schedules() -> str:
    """The schedules that come with the package, by their rates of today's first entry."""
    rows = []
    for name in schedule_names():
        fees = load_fees(name, "2024-06-03")
        rate = fees.rates
        numbers = (
            rate.maker_value_rate * 1e4,
            rate.taker_value_rate * 1e4,
            rate.maker_unit_rate,
            rate.taker_unit_rate,
        )
        rows.append((f"`{name}`", fees.applied_from, *(f"{x:g}" for x in numbers)))
    head = ("schedule", "from", "maker bps", "taker bps", "maker per unit", "taker per unit")
    return table(head, rows)


def measured(measures: dict[str, Measure]) -> str:
    """Measures with their units."""
    rows = [(f"`{key}`", measure.unit, measure.text) for key, measure in measures.items()]
    return table(("measure", "unit", "meaning"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "view": lambda: fields(VIEW, VIEW_WORDS),
    "quote": lambda: fields(QUOTE, QUOTE_WORDS),
    "order-type": lambda: codes(OrderType),
    "time-in-force": lambda: codes(TimeInForce),
    "requote": lambda: codes(Requote),
    "reason": lambda: codes(Reason, REASON_WORDS),
    "order-event": lambda: codes(OrderEvent, EVENT_WORDS),
    "order-states": states,
    "next-state": next_states,
    "summary": lambda: measured(SUMMARY),
    "summary.interval": lambda: measured(BY_INTERVAL),
    "summary.horizon": lambda: measured(BY_HORIZON),
    "feasibility": lambda: measured(FEASIBILITY),
    "fee-schedules": fee_schedules,
    **{f"options.{name}": lambda name=name: options(name) for name in FORMATS},
    **{f"config.{name or 'top'}": lambda name=name: section(name) for name in sections()},
}
