"""The command that fits a surface to option quotes: what it takes and prints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmquant import console
from mmquant.cli_options import Debug, Json
from mmquant.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

COLUMNS = (
    "status", "used", "forward", "forward_low", "forward_high", "atm_vol", "skew", "least_g",
    "calendar_slack", "fit_residual", "fit_inside",
)  # fmt: skip
HELD = ("held_quotes", "held_residual", "held_inside")


def surface(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A Lean folder or option zip, a Cboe quote table, or "
                       "option quotes of our own: .parquet or .zarr."),
    ],
    underlying: Annotated[str | None, typer.Option(help="Symbol, where PATH has several.")] = None,
    date: Annotated[str | None, typer.Option(help="ISO date, where PATH has several.")] = None,
    times: Annotated[
        str | None,
        typer.Option(metavar="FROM:TO:STEP", help="Which moments, as a slice: -1: is the last."),
    ] = None,
    hold_out: Annotated[
        float, typer.Option(help="Share of each expiry's strikes that the fit does not see.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their choice.")] = 0,
    rate: Annotated[
        float | None, typer.Option(help="Interest rate a year, continuously compounded.")
    ] = None,
    rates: Annotated[
        Path | None, typer.Option(help="CSV of par yields of the Treasury, or of SOFR.")
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Set bad rows aside and count them.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the surface to a new .zarr folder.")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", help="Write a page of figures: an .html file, or a folder."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Fit a slice to every expiry of a chain, free of arbitrage, and say what was ignored."""
    from mmquant.config_surface import SurfaceSettings
    from mmquant.data.chains import read_option_quotes
    from mmquant.options.quality import quality_counts
    from mmquant.options.surface import fit_surface, surface_summary

    if rate is not None and not math.isfinite(rate):
        raise UsageError(f"--rate is {rate}", fix="give a number, as 0.04")
    _check_targets(out, figures)
    settings = SurfaceSettings(rate_per_year=rate, rates_path=None if rates is None else str(rates))
    quotes = read_option_quotes(path, underlying=underlying, date=date, lenient=lenient)
    if times is not None:
        quotes = quotes.isel(time=_slice(times))
    if quotes.sizes["time"] == 0:
        raise UsageError(f"--times {times} leaves no moment", fix="give a wider slice, or none")
    fitted = fit_surface(quotes, settings=settings, hold_out=hold_out, seed=seed)
    result: dict[str, Any] = surface_summary(fitted)
    result |= {f"expiry.{day}": row for day, row in _by_expiry(fitted, hold_out).items()}
    written = []
    if out is not None:
        fitted.to_zarr(out)
        written.append(str(out))
        result["out"] = str(out)
    if figures is not None:
        from mmquant.report.surface_page import write_surface_page

        result["figures"] = str(write_surface_page(quotes, fitted, figures))
        written.append(result["figures"])
    last = str(fitted["time"].values[-1])[:19].replace("T", " ")
    lines = [
        console.table({k: v for k, v in surface_summary(fitted).items() if v not in (0, None)}),
        f"All moments, by expiry (status and forward: the last one, {last} UTC):",
        _table(fitted, hold_out).to_string(),
    ]
    ignored = quality_counts(_screened(quotes, settings))
    ignored = ignored[ignored["reason"] != "OK"]
    if len(ignored):
        wide = ignored.pivot_table(index="expiry", columns="reason", values="quotes", aggfunc="sum")
        lines += ["Quotes set aside by themselves:", wide.fillna(0).astype(int).to_string()]
    console.emit(result, "\n\n".join(lines), *written, as_json=as_json)


def _screened(quotes: xr.Dataset, settings: Any) -> xr.Dataset:
    from mmquant.options.quality import screen_quotes

    return screen_quotes(quotes, screen=settings.screen)


def _slice(text: str) -> slice:
    try:
        parts = [int(part) if part else None for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3:
        raise UsageError(f"--times {text} is no slice", fix="give FROM:TO:STEP, as 0:210:30 or -1:")
    if len(parts) == 1:
        first = parts[0] or 0
        return slice(first, None if first == -1 else first + 1)
    return slice(*parts)


def _by_expiry(fitted: xr.Dataset, hold_out: float) -> dict[str, dict[str, Any]]:
    """What is said of each expiry, over all moments."""
    table = _table(fitted, hold_out)
    return {str(day): {str(k): v for k, v in row.items()} for day, row in table.iterrows()}


def _table(fitted: xr.Dataset, hold_out: float) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    from mmquant.schema.surface import SliceStatus

    moments = pd.DatetimeIndex(fitted["expiry"].values).tz_localize("UTC")
    names = moments.tz_convert("America/New_York").strftime("%Y-%m-%d %H:%M")
    table = pd.DataFrame(index=pd.Index(names, name="expiry"))
    last = fitted.isel(time=-1)
    for name in COLUMNS + (HELD if hold_out else ()):
        values = fitted[name].values
        if name == "status":
            table[name] = [SliceStatus(int(code)).name for code in last[name].values]
        elif name in ("least_g", "calendar_slack"):
            table[name] = np.fmin.reduce(values, axis=0)
        elif name.endswith(("_residual", "_inside")):
            prefix = name.split("_")[0]
            by = "weight" if name.endswith("_residual") else "quotes"
            table[name] = _mean(values, fitted[f"{prefix}_{by}"].values)
        elif name in ("held_quotes", "used"):
            table[name] = values.sum(axis=0)
        else:
            table[name] = last[name].values
    return table


def _mean(values: Any, weight: Any) -> Any:
    import numpy as np

    weight = np.where(np.isfinite(values), weight, 0.0)
    total = weight.sum(axis=0)
    with np.errstate(all="ignore"):
        return np.nansum(np.where(weight > 0, values * weight, 0.0), axis=0) / total


def _check_targets(out: Path | None, figures: Path | None) -> None:
    """Refuse what cannot be written before the fit, not after it."""
    from mmquant.data.files import check_writable

    for path in (out, figures):
        if path is not None:
            check_writable(path)
    if out is None:
        return
    if out.suffix != ".zarr":
        raise UsageError(f"cannot write {out.name!r}", fix="give a name that ends in .zarr")
    if out.exists():
        raise UsageError(f"{out} exists", fix="give a new name, or remove it")
