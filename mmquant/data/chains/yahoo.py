"""Option chains from Yahoo through the package yfinance (extra ``yahoo``), kept on disk.

For personal use and research, says Yahoo; its quotes are delayed. Its volatilities are not used:
``mm.options`` computes its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.calendars import TIMEZONE, expiry_moments
from mmquant.data.chains.classes import exercise_of, multiplier_of, settled_at_open
from mmquant.data.chains.lean_files import iso_day
from mmquant.data.chains.make import NOT_A_TIME, make_option_quotes
from mmquant.data.chains.symbols import parse_symbols
from mmquant.data.chains.yahoo_cache import Chain, load, save
from mmquant.errors import DataError, UsageError

NOTES = (
    "Yahoo gives no times of quotes: each side bears the time of its download, and is delayed.",
    "An ask of zero is no ask; a bid of zero is kept, and screened.",
)
NEEDED = ("contractSymbol", "strike", "bid", "ask")


def fetch_option_quotes(
    symbol: str,
    *,
    expiries: Sequence[str] | None = None,
    cache: str | Path | None = None,
    max_age_s: float = 900.0,
) -> xr.Dataset:
    """Option quotes of a symbol as of now (schema ``option_quotes``), over the network.

    Parameters
    ----------
    symbol : as Yahoo spells it, such as SPY or ^SPX.
    expiries : ISO dates, of those that Yahoo lists; all of them where None.
    cache : folder of what was downloaded; mmquant/yahoo in the user's cache where None.
    max_age_s : an expiry downloaded less long ago is taken from the folder. [s]

    Raises
    ------
    DataError
        where Yahoo does not answer, or lists no options or not the expiries asked for.
    UsageError
        where yfinance is not installed.
    """
    folder = (Path(cache) if cache is not None else _cache_folder()) / symbol.upper()
    now = pd.Timestamp.now("UTC")
    wanted = None if expiries is None else [iso_day(day) for day in expiries]
    chains: dict[str, Chain] = {}
    ticker = None
    if wanted is None:
        ticker = _ticker(symbol)
        wanted = list(_answer(lambda: ticker.options, symbol))
        if not wanted:
            raise DataError(f"Yahoo lists no options of {symbol}", fix="check the symbol")
    for day in wanted:
        kept = load(folder / f"{day}.parquet", now, max_age_s)
        if kept is None:
            ticker = ticker or _ticker(symbol)
            kept = _download(ticker, symbol, day)
            save(kept, folder / f"{day}.parquet")
        chains[day] = kept
    return chains_to_quotes(symbol, chains)


def chains_to_quotes(symbol: str, chains: Mapping[str, Chain]) -> xr.Dataset:
    """Chains by expiry (ISO date) as option quotes of one moment, that of the last download.

    Raises DataError where a column is missing or no option is there.
    """
    frames = [_checked(chain, day) for day, chain in chains.items()]
    if not sum(map(len, frames)):
        raise DataError(f"there are no options of {symbol}", fix="ask for other expiries")
    frame = pd.concat(frames, ignore_index=True)
    last = max(chains.values(), key=lambda chain: chain.fetched)
    fetched = _moment(last.fetched)
    taken = frame["fetched"].to_numpy("datetime64[ns]")
    bid, ask = (frame[name].to_numpy(np.float64) for name in ("bid", "ask"))
    ask = np.where(ask == 0, np.nan, ask)
    columns = _contracts(frame, symbol) | {
        "time": np.array([fetched]),
        "bid": bid[None, :],
        "ask": ask[None, :],
        "bid_time": np.where(np.isfinite(bid), taken, NOT_A_TIME)[None, :],
        "ask_time": np.where(np.isfinite(ask), taken, NOT_A_TIME)[None, :],
    }
    return make_option_quotes(
        columns | _underlying(last.underlying, fetched),
        underlying=symbol.upper().lstrip("^"),
        date=last.fetched.tz_convert(TIMEZONE).date().isoformat(),
        source={"format": "yahoo", "symbol": symbol, "files": []},
        currency=str(last.underlying.get("currency") or "USD"),
        notes=NOTES,
    )


def _contracts(frame: pd.DataFrame, symbol: str) -> dict[str, np.ndarray]:
    symbols = parse_symbols(frame["contractSymbol"].astype(str).to_numpy())
    plain = "".join(filter(str.isalnum, symbol.upper()))
    roots = np.where(symbols["root"] == "", plain, symbols["root"]).astype(str)
    regular = np.ones(len(frame), bool)
    if "contractSize" in frame:
        regular = (frame["contractSize"].fillna("") == "REGULAR").to_numpy()
    return {
        "expiry": expiry_moments(frame["expiry"].to_numpy("datetime64[D]"), settled_at_open(roots)),
        "strike": frame["strike"].to_numpy(np.float64),
        "right": frame["right"].to_numpy(str),
        "root": roots,
        "multiplier": np.where(regular, multiplier_of(roots), np.nan),
        "exercise": exercise_of(roots),
    }


def _underlying(quote: Mapping[str, Any], fetched: np.datetime64) -> dict[str, np.ndarray]:
    seconds = quote.get("regularMarketTime")
    stamp = fetched
    if isinstance(seconds, int | float) and 0 < seconds < 1e11:
        stamp = min(fetched, _moment(pd.Timestamp(int(seconds), unit="s", tz="UTC")))
    names = {"bid": "bid", "ask": "ask", "last": "regularMarketPrice"}
    prices = {f"underlying_{to}": np.array([_price(quote.get(of))]) for to, of in names.items()}
    return prices | {"underlying_time": np.array([stamp])}


def _checked(chain: Chain, day: str) -> pd.DataFrame:
    for name in NEEDED:
        if name not in chain.options:
            raise DataError(f"column {name!r} is missing from the chain of {day}",
                            fix="update yfinance, or this package")  # fmt: skip
    return chain.options.assign(expiry=np.datetime64(day), fetched=_moment(chain.fetched))


def _download(ticker: Any, symbol: str, day: str) -> Chain:
    found = _answer(lambda: ticker.option_chain(day), f"{symbol} {day}")
    if found.calls is None or found.puts is None:
        raise DataError(f"Yahoo gave no options of {symbol} {day}", fix="ask for other expiries")
    sides = [found.calls.assign(right="C"), found.puts.assign(right="P")]
    options = pd.concat([side for side in sides if len(side)] or sides, ignore_index=True)
    return Chain(options, pd.Timestamp.now("UTC"), json.loads(json.dumps(
        dict(found.underlying or {}), default=str)))  # fmt: skip


def _ticker(symbol: str) -> Any:
    try:
        import yfinance
    except ImportError:
        raise UsageError(
            "the package yfinance is not installed",
            fix="install it with pip install 'mmquant[yahoo]'",
        ) from None
    return yfinance.Ticker(symbol)


def _answer(ask: Any, what: str) -> Any:
    try:
        return ask()
    except Exception as error:  # yfinance lets through those of all that it is built on
        raise DataError(
            f"Yahoo did not give the options of {what} ({type(error).__name__}: {error})",
            fix="check the symbol and the network; after many requests, wait some minutes",
        ) from None


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mmquant" / "yahoo"


def _moment(when: pd.Timestamp) -> np.datetime64:
    moment: np.datetime64 = when.tz_convert("UTC").tz_localize(None).as_unit("ns").to_datetime64()
    return moment


def _price(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else np.nan
