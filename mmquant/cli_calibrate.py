"""The commands that calibrate: what they take and print. The work is done in research."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmquant import console
from mmquant.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

app = typer.Typer(
    help="Fit fill intensity, volatility and latency to a tape.",
    add_completion=False,
    rich_markup_mode=None,
)

TapeFile = Annotated[Path, typer.Argument(metavar="TAPE", help="Parquet tape.")]
Inst = Annotated[int, typer.Option("--inst", min=0, help="Instrument, by its id on the tape.")]
Start = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="WHEN", help="Seconds from the first row, or a clock time like 09:30."
    ),
]
End = Annotated[
    str | None,
    typer.Option("--end", metavar="WHEN", help="The same; what happens then is left out."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one flat JSON object as the last line.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
SHOWN = 16
"""Most rows of a table of rates that are printed."""


@app.command()
def intensity(
    tape: TapeFile,
    start: Start = None,
    end: End = None,
    inst: Inst = 0,
    min_distance_ticks: Annotated[
        float | None,
        typer.Option(help="Fit from this distance from the mid on; else half the median spread."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Rate A exp(-k distance) at which market orders reach a quote, and the rates by distance."""
    from mmquant.research.calibration.intensity import calibrate_intensity

    found = calibrate_intensity(
        _tape(tape), inst=inst, start=start, end=end, min_distance_ticks=min_distance_ticks
    )
    result = found.to_dict()
    both = found.rates[found.rates["quote"] == "both"].drop(columns="quote")
    console.emit(result, console.table(result), "", _rows(_thinned(both)), as_json=as_json)


@app.command()
def volatility(
    tape: TapeFile,
    start: Start = None,
    end: End = None,
    inst: Inst = 0,
    price: Annotated[str, typer.Option(help="mid or trade.")] = "mid",
    sample_s: Annotated[
        float | None,
        typer.Option(help="Sample the price at this interval, in place of each change."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Volatility without the noise of quotes and trades, and with it by sampling interval."""
    from mmquant.research.calibration.volatility import calibrate_volatility

    found = calibrate_volatility(
        _tape(tape), inst=inst, start=start, end=end, price=price, sample_s=sample_s
    )
    result = found.to_dict()
    console.emit(result, console.table(result), as_json=as_json)


@app.command()
def latency(
    tape: TapeFile,
    start: Start = None,
    end: End = None,
    orders: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet of measured request_ts, exch_ts, response_ts [ns]."),
    ] = None,
    knots: Annotated[int, typer.Option(min=1, help="Most knots of an interpolated model.")] = 1000,
    out: Annotated[
        Path | None, typer.Option(help="Write the knots of order latency: .parquet or .csv.")
    ] = None,
    feed_out: Annotated[
        Path | None, typer.Option(help="Write the knots of feed latency: .parquet or .csv.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Latency of market data and, from measured times, of orders: constants and knots."""
    from mmquant.research.calibration.latency import calibrate_latency

    if out is not None and orders is None:
        raise UsageError("--out writes order latency", fix="give the measured times with --orders")
    found = calibrate_latency(_tape(tape), orders=orders, knots=knots, start=start, end=end)
    result = found.to_dict()
    for path, name, measured in ((out, "out", found.orders), (feed_out, "feed_out", found.feed)):
        if path is not None:
            if measured is None:
                raise UsageError(
                    f"there is no measured latency to write to {path}",
                    fix=found.feed_reason if name == "feed_out" else "give orders with all times",
                )
            measured.model.write(path)
            result[name] = str(path)
    console.emit(result, console.table(result), as_json=as_json)


def _tape(path: Path) -> xr.Dataset:
    from mmquant.data.readers import read_tape

    return read_tape("parquet", path)


def _thinned(rates: pd.DataFrame) -> pd.DataFrame:
    """The first rows and then ever fewer of those behind them."""
    if len(rates) <= SHOWN:
        return rates
    places = {round((len(rates) - 1) ** (i / (SHOWN - 1))) for i in range(SHOWN)}
    return rates.iloc[sorted({0, *places})]


def _rows(frame: pd.DataFrame) -> str:
    text: Any = frame.to_string(index=False, na_rep="-", float_format=lambda x: f"{x:.6g}")
    return str(text)
