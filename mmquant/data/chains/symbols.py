"""Option symbols: of the Options Symbology Initiative (OSI), and older ones of Cboe's."""

from __future__ import annotations

import numpy as np
import pandas as pd

OSI = r"^(?P<root>[A-Z0-9.]+?) *(?P<day>\d{6})(?P<right>[CP])(?P<strike>\d{8})$"
"""Root, yymmdd, right, strike x 1000; the root is padded with blanks or not."""
CBOE = (
    r"^(?:.*\()?(?P<root>[A-Z.]+\d?)(?P<year>\d{2})(?P<day>\d{2})(?P<month>[A-X])"
    r"(?P<strike>\d+(?:\.\d+)?)(?P<exchange>-\w+)?\)?$"
)
"""Such as ``18 Dec 100.00 (SPX1821L100-E)``: root, yydd, month (A to L of calls, M to X of puts),
strike, and the exchange where the quote is one exchange's alone."""


def parse_symbols(texts: np.ndarray) -> pd.DataFrame:
    """Parts of each text: root, right and exchange (""), strike [ccy] (NaN), day [s] (NaT).

    In brackets: what stands where a text has none; all of them where it is no symbol.
    """
    text = pd.Series(texts, dtype=object).str.strip()
    osi, old = _extract(text, OSI), _extract(text, CBOE)
    plain = osi["root"] != ""
    month = np.array(["ABCDEFGHIJKLMNOPQRSTUVWX".find(letter) for letter in old["month"]])
    months = np.char.zfill((month % 12 + 1).astype(str), 2).astype(object)
    old_days = np.where(old["root"] == "", "", old["year"] + months + old["day"])
    days = np.where(plain, osi["day"], old_days)
    old_right = np.where(old["root"] == "", "", np.where(month < 12, "C", "P"))
    scaled = pd.to_numeric(pd.Series(osi["strike"]), errors="coerce").to_numpy(np.float64) / 1000
    strike = pd.to_numeric(pd.Series(old["strike"]), errors="coerce").to_numpy(np.float64)
    return pd.DataFrame(
        {
            "root": np.where(plain, osi["root"], old["root"]),
            "right": np.where(plain, osi["right"], old_right),
            "exchange": old["exchange"],
            "strike": np.where(plain, scaled, strike),
            "day": pd.to_datetime(pd.Series(days), format="%y%m%d", errors="coerce").to_numpy(
                "datetime64[s]"
            ),
        }
    )


def _extract(text: pd.Series, pattern: str) -> dict[str, np.ndarray]:
    """Named groups of each text, "" where it does not fit."""
    found = text.str.extract(pattern)
    return {str(name): found[name].fillna("").to_numpy(object) for name in found}
