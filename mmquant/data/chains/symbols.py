"""Option symbols of the Options Symbology Initiative (OSI)."""

from __future__ import annotations

import numpy as np
import pandas as pd

OSI = r"^(?P<root>[A-Z0-9.]+?) *(?P<day>\d{6})(?P<right>[CP])(?P<strike>\d{8})$"
"""Root, yymmdd, right, strike x 1000; the root is padded with blanks or not."""


def parse_symbols(texts: np.ndarray) -> pd.DataFrame:
    """Root, right ("" where a text is no such symbol), strike [ccy] and day [s] of each text."""
    found = pd.Series(texts, dtype=object).str.strip().str.extract(OSI)
    days = pd.to_datetime(found["day"], format="%y%m%d", errors="coerce")
    return pd.DataFrame(
        {
            "root": found["root"].fillna("").to_numpy(object),
            "right": found["right"].fillna("").to_numpy(object),
            "strike": pd.to_numeric(found["strike"]).to_numpy(np.float64) / 1000.0,
            "day": days.to_numpy("datetime64[s]"),
        }
    )
