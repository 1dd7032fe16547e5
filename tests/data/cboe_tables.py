"""Quote tables as Cboe writes them, made in a test."""

from __future__ import annotations

from pathlib import Path

COLUMNS = "Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
NAMES = f"Expiration Date,Calls,{COLUMNS},Strike,Puts,{COLUMNS}"
HEAD = """
Some Index,Last: 4505.1001,Change:  37.6601
"Date: September 14, 2023 at 4:31 PM EDT",Bid: 4483.25,Ask: 4526.27,Size: 1*1,Volume: 0
"""


def row(day: str, root: str, osi_day: str, strike: float, *prices: float | str) -> str:
    """A line with bid and ask of a call and of a put; all else is 9."""
    call_bid, call_ask, put_bid, put_ask = prices
    symbols = [f"{root}{osi_day}{right}{round(strike * 1000):08d}" for right in "CP"]
    return (
        f"{day},{symbols[0]},9,9,{call_bid},{call_ask},9,9,9,9,9,{strike:.2f},"
        f"{symbols[1]},9,9,{put_bid},{put_ask},9,9,9,9,9"
    )


AM = row("Fri Sep 15 2023", "SPX", "230915", 4500, 10.5, 11, 5, 5.5)
PM = row("Fri Sep 15 2023", "SPXW", "230915", 4500, 10.6, 11.1, 0, 0.05)
ONE = row("Fri Sep 15 2023", "SPX", "230915", 4505, 0, 0, 7, 7.5)


def table(path: Path, *rows: str, head: str = HEAD, names: str = NAMES) -> Path:
    path.write_text("\n".join([head.rstrip("\n"), names, *rows]) + "\n")
    return path
