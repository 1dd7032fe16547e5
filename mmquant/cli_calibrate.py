"""The commands that calibrate: what they take and print. The work is done in research."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmquant import console
from mmquant.cli_options import Debug, Json, Tape
from mmquant.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

app = typer.Typer(
    help="Measure a tape: fill intensity, volatility, latency, imbalance and micro-price.",
    add_completion=False,
    rich_markup_mode=None,
)

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
SHOWN = 16
"""Most rows of a table of rates that are printed."""


@app.command()
def intensity(
    tape: Tape,
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
    tables = (console.table(found.facts()), _rows(_turned(found.curves())), _rows(_thinned(both)))
    console.emit(result, "\n\n".join(tables), as_json=as_json)


@app.command()
def volatility(
    tape: Tape,
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
    tape: Tape,
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
    known = {name: value for name, value in result.items() if value not in (None, "")}
    console.emit(result, console.table(known), as_json=as_json)


@app.command()
def imbalance(
    tape: Tape,
    start: Start = None,
    end: End = None,
    inst: Inst = 0,
    train: Annotated[
        float, typer.Option(help="Part of the intervals that the fit uses; the rest tests it.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling times.")] = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """How well the imbalance of the best sizes tells the next move of the mid."""
    from mmquant.research.imbalance import imbalance_study

    result = imbalance_study(_tape(tape), inst=inst, seed=seed, train=train, start=start, end=end)
    known = {name: value for name, value in result.items() if value not in (None, "")}
    console.emit(result, console.table(known), as_json=as_json)


@app.command("micro-price")
def micro_price(
    tape: Tape,
    out: Annotated[
        Path, typer.Option(help="JSON file of the table, for quoting.micro_price_file.")
    ],
    start: Start = None,
    end: End = None,
    inst: Inst = 0,
    buckets: Annotated[int, typer.Option(min=2, help="Buckets of the imbalance.")] = 10,
    max_spread_ticks: Annotated[
        int | None, typer.Option(min=1, help="Widest spread with adjustments of its own.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Table of the micro-price: where the mid goes from here, by imbalance and spread."""
    from mmquant.data.micro_price import write_micro_price
    from mmquant.research.micro_price import fit_micro_price, micro_price_summary

    fit = fit_micro_price(
        _tape(tape),
        inst=inst,
        imbalance_buckets=buckets,
        max_spread_ticks=max_spread_ticks,
        start=start,
        end=end,
    )
    write_micro_price(fit, out)
    result = {**micro_price_summary(fit), "out": str(out)}
    console.emit(result, console.table(result), as_json=as_json)


def _tape(path: Path) -> xr.Dataset:
    from mmquant.data.readers import read_own

    return read_own(path)


def _thinned(rates: pd.DataFrame) -> pd.DataFrame:
    """The first rows and then ever fewer of those behind them."""
    if len(rates) <= SHOWN:
        return rates
    places = {round((len(rates) - 1) ** (i / (SHOWN - 1))) for i in range(SHOWN)}
    return rates.iloc[sorted({0, *places})]


def _turned(curves: pd.DataFrame) -> pd.DataFrame:
    """A column a curve: there are more numbers than curves."""
    return (
        curves.set_index("quote").astype(object).T.rename_axis(None, axis=1).reset_index(names="")
    )


def _rows(frame: pd.DataFrame) -> str:
    """A table of a frame: numbers to six digits, and - where there is none."""
    shown = frame.map(lambda value: f"{value:.6g}" if isinstance(value, float) else value)
    return str(shown.replace({"nan": "-"}).to_string(index=False))
