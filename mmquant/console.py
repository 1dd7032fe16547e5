"""How the commands speak: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mmquant.errors import MMQuantError, UsageError

Step = Callable[..., None]
"""``step(done, total)`` or ``step(done, total, what)``: how far a long task has come."""

PLAIN_EVERY_S = 10.0
"""Time between two lines of progress where there is no terminal."""


def emit(result: Mapping[str, Any], *lines: str, as_json: bool) -> None:
    """Print lines for people, or the result as one flat JSON object on one line."""
    if as_json:
        print(json.dumps(flat(result), ensure_ascii=False, allow_nan=False), flush=True)
    else:
        print("\n".join(lines), flush=True)


def table(result: Mapping[str, Any]) -> str:
    """A flat result as aligned lines of ``key  value``."""
    rows = flat(result)
    width = max(map(len, rows), default=0)
    return "\n".join(f"{key:<{width}}  {_shown(value)}" for key, value in rows.items())


def flat(result: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings by dotted keys, lists as text, NaN and infinity as null."""
    rows: dict[str, Any] = {}
    for key, value in result.items():
        if isinstance(value, Mapping):
            rows.update(flat(value, f"{prefix}{key}."))
        else:
            rows[f"{prefix}{key}"] = _scalar(value)
    return rows


def _scalar(value: Any) -> Any:
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(_scalar(item)) for item in value)
    return str(value)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else str(value)


def fail(error: Exception, arguments: Sequence[str]) -> int:
    """Say what went wrong in one line on stderr, with ``--json`` on stdout too; the exit code.

    A traceback is shown with ``--debug`` or the environment variable MMQUANT_DEBUG only.
    """
    if isinstance(error, BrokenPipeError):  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if "--debug" in arguments or os.environ.get("MMQUANT_DEBUG"):
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    told = _told(error)
    message = " ".join(str(told).split())
    code = getattr(told, "exit_code", 1)
    note(f"error: {message}")
    if "--json" in arguments:
        emit({"error": message, "exit_code": code}, as_json=True)
    return code


def _told(error: Exception) -> Exception:
    """The error as a user is told of it."""
    if isinstance(error, MMQuantError | OSError):
        return error
    if hasattr(error, "format_message"):  # what typer says of wrong arguments
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "mmquant"
        return UsageError(error.format_message().rstrip("."), fix=f"see '{command} --help'")
    return MMQuantError(
        f"internal error: {type(error).__name__}: {error}",
        fix="run it again with --debug for the traceback",
    )


def peak_memory_mb() -> float | None:
    """Most memory that this process has had so far, None where the system does not tell. [MB]

    Linux's own number is asked first: ``ru_maxrss`` also counts who started the process.
    """
    try:
        with open("/proc/self/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        return round(peak * 1024 / 1e6, 1)
    except (OSError, StopIteration, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def note(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def ask(question: str) -> str:
    """What a person types; empty where nobody can."""
    if not sys.stdin.isatty():
        return ""
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """A line on a terminal that is written anew; elsewhere one every ten seconds."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _plain_status()
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as line:
        yield lambda text: line.update(Text(text), refresh=True)


def _plain_status() -> Callable[[str], None]:
    last = -PLAIN_EVERY_S

    def show(text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_EVERY_S:
            last = now
            note(text)

    return show


@contextmanager
def progress(title: str) -> Iterator[Step]:
    """A bar on a terminal; elsewhere a plain line every ten seconds."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(title) as step:
            yield step
    else:
        yield _plain(title)


@contextmanager
def _bar(title: str) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def step(done: float, total: float, what: str = "") -> None:
            bar.update(task, completed=done, total=total, description=f"{title} {what}".strip())

        yield step


def _plain(title: str) -> Step:
    last = time.monotonic()

    def step(done: float, total: float, what: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_EVERY_S:
            last = now
            share = f"{done / total:.0%}" if total else "..."
            note(" ".join(part for part in (title, what, share) if part))

    return step
