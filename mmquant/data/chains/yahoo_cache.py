"""Chains of Yahoo's as files: one an expiry, with the time of download and the underlying."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mmquant.data.files import written_whole

KEY = b"mmquant"


@dataclass(frozen=True)
class Chain:
    """Calls and puts of one expiry as yfinance gives them, with a column ``right`` (C or P).

    ``fetched`` is the time of the download (with time zone), ``underlying`` what Yahoo says of the
    underlying.
    """

    options: pd.DataFrame
    fetched: pd.Timestamp
    underlying: dict[str, Any]


def save(chain: Chain, path: Path) -> None:
    """Write a chain."""
    table = pa.Table.from_pandas(chain.options, preserve_index=False)
    head = {"fetched": chain.fetched.isoformat(), "underlying": chain.underlying}
    metadata = dict(table.schema.metadata or {}) | {KEY: json.dumps(head).encode()}
    with written_whole(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary)


def load(path: Path, now: pd.Timestamp, max_age_s: float) -> Chain | None:
    """A chain of ours that is young enough; None where there is none or it cannot be read."""
    try:
        table = pq.read_table(path)
        head = json.loads(table.schema.metadata[KEY])
        fetched = pd.Timestamp(head["fetched"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    age = (now - fetched).total_seconds()
    if not 0 <= age <= max_age_s:
        return None
    return Chain(table.to_pandas(), fetched, head["underlying"])
