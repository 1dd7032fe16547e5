"""What a live run is, in ``session.json``: enough to go on with it, and to replay its journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.config import Config
from mmquant.data.fees import load_fees
from mmquant.data.store.run_folder import RunFolder, write_safely
from mmquant.errors import DataError, UsageError
from mmquant.trading.halves import Session, strategy_of
from mmquant.trading.profiles import under_profile
from mmquant.trading.strategy import Strategy

VERSION = 1


def write_session(folder: RunFolder, session: Session) -> None:
    """Write what a run is. Raises UsageError where another is there."""
    folder.path.mkdir(parents=True, exist_ok=True)
    facts = {
        "version": VERSION,
        "run": run_name(folder),
        "config": _without_address(session.given.as_dict()),
        "bases": {key: str(base) for key, base in session.given._bases.items()},
        "strategy": session.strategy.name,
        "params": {name: _plain(value) for name, value in session.params.items()},
        "market": dict(session.tape.attrs),
        "start_ts": int(session.tape["exch_ts"].values[0]),
    }
    text = json.dumps(facts, indent=1) + "\n"
    if folder.session_file.exists():
        if folder.session_file.read_text(encoding="utf-8") != text:
            raise UsageError(
                "the folder holds another run",
                where=str(folder.path),
                fix="go on with its own configuration, or name another folder",
            )
        return
    write_safely(folder.session_file, text)


def read_session(folder: RunFolder, strategy: Strategy | None = None) -> Session:
    """The session of a run; a strategy that is no file's must be given. Raises DataError."""
    try:
        facts = json.loads(folder.check().session_file.read_text(encoding="utf-8"))
        given = Config.from_dict(facts["config"], where=str(folder.session_file))
        market, start = facts["market"], facts["start_ts"]
        params = {name: _array(value) for name, value in facts["params"].items()}
        bases = {key: Path(base) for key, base in facts["bases"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the session is damaged ({error!r})", where=str(folder.session_file)
        ) from None
    given._bases = bases
    chosen = strategy or strategy_of(given)
    if chosen.name != facts["strategy"]:
        raise UsageError(
            f"the run's strategy is {facts['strategy']!r}, not {chosen.name!r}",
            where=str(folder.path),
            fix="pass strategy=...",
        )
    tape = market_of(market, start)
    fees = load_fees(given.fee_schedule(), tape.attrs["date"])
    return Session(under_profile(given), given, tape, chosen, params, fees)


def market_of(attrs: dict[str, Any], start_ts: int) -> xr.Dataset:
    """A market without rows: its contracts and date, and when it begins."""
    return xr.Dataset({"exch_ts": ("event", np.array([start_ts], np.int64))}, attrs=attrs)


def run_name(folder: RunFolder) -> str:
    """The run's id: its folder's name, the part of all its order references."""
    return folder.path.resolve().name[:64]


def _without_address(config: dict[str, Any]) -> dict[str, Any]:
    """The settings without where the broker is: a run may go on by another way to it."""
    rest = {k: v for k, v in config["ibkr"].items() if k not in ("host", "port")}
    return config | {"ibkr": rest}


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _array(value: Any) -> Any:
    return np.array(value) if isinstance(value, list) else value
