"""One HTML file for a surface: its table, term structure, heat map, and every smile. Offline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr
from markupsafe import Markup

from mmquant.data.files import check_file_target, written_whole
from mmquant.report.facts import Fact
from mmquant.report.html import asset, library, packed_figures, template
from mmquant.report.sections import Figure, Section
from mmquant.report.smiles import Smile, smiles_of
from mmquant.report.surface_figures import figure_of, heat_map_of, term_structure_of
from mmquant.report.tables import Column, Table
from mmquant.report.text import NONE, count, fixed, percent
from mmquant.schema.surface import SliceStatus

SMILES_NOTE = (
    "Bars go from the volatility of the bid to that of the ask, of the option out of the money at "
    "each strike; below, the same less the fit. Grey quotes were not used: point at one for the "
    "reason."
)
TABLE_FOOT = (
    "Residual: absolute distance of the surface's price from the middle, in quoted spreads, "
    "weighted by vega. Held out: strikes that the fit did not see. Least g and least slack below "
    "zero would be butterfly and calendar arbitrage."
)


def write_surface_page(
    quotes: xr.Dataset, surface: xr.Dataset, path: str | Path, *, time: int = -1
) -> Path:
    """Write the page of one time of a surface and return the file's path.

    ``quotes`` (schema ``option_quotes``) are those it was fitted to; ``path`` is the HTML file, or
    a folder that then gets ``surface.html``; folders are made. Raises UsageError where the quotes
    have no row of that time.
    """
    target = Path(path)
    if target.is_dir() or target.suffix.lower() not in (".html", ".htm"):
        target = target / "surface.html"
    check_file_target(target)
    page = render_surface(quotes, surface, time=time)
    with written_whole(target) as temporary:
        temporary.write_bytes(page.encode())
    return target


def render_surface(quotes: xr.Dataset, surface: xr.Dataset, *, time: int = -1) -> str:
    """The page as HTML text."""
    smiles = smiles_of(quotes, surface, time=time)
    now = surface.isel(time=time)
    asset_name, currency = str(surface.attrs["asset"]), str(surface.attrs["currency"])
    sections = [
        Section(
            "surface",
            "Surface",
            figures=[
                Figure("term", "Term structure", term_structure_of(smiles), "By expiry."),
                Figure("heat", "Volatility", heat_map_of(smiles), "By moneyness and expiry."),
            ],
            tables={"expiries": _table(now, smiles, currency)},
        ),
        Section("smiles", "Smiles", figures=_smiles(smiles, currency), note=SMILES_NOTE),
    ]
    return str(
        template("surface.html.j2").render(
            title=f"{asset_name}: volatility surface",
            date=str(now["time"].values.astype("datetime64[D]")),
            facts=_facts(now, currency),
            sections=sections,
            css=Markup(asset("report.css")),
            js=Markup(asset("report.js")),
            library=Markup(library()),
            figures=Markup(packed_figures(sections)),
        )
    )


def _facts(now: xr.Dataset, currency: str) -> list[Fact]:
    moment = str(now["time"].values.astype("datetime64[s]")).replace("T", " ")
    ignored = now["ignored"].sum("expiry")
    reasons = [
        f"{count(int(number))} {str(reason).lower().replace('_', ' ')}"
        for reason, number in zip(now["reason"].values, ignored.values, strict=True)
        if number > 0
    ]
    notes = json.loads(now.attrs["notes"])
    return [
        Fact("Time", [f"{moment} UTC"]),
        Fact("Underlying", [f"{fixed(float(now['underlying']), 4)} {currency}"]),
        Fact("Held out", [percent(float(now.attrs["hold_out"]))]),
        Fact("Quotes not used", reasons or ["none"]),
        *([Fact("Notes", notes)] if notes else []),
    ]


def _smiles(smiles: list[Smile], currency: str) -> list[Figure]:
    figures = []
    for i, smile in enumerate(smiles):
        said = f"{smile.years * 365:.1f} days, forward {smile.forward:,.2f} {currency}"
        said += "" if smile.fitted else "; no slice"
        figures.append(Figure(f"smile-{i}", smile.label, figure_of(smile, currency), said))
    return figures


def _table(now: xr.Dataset, smiles: list[Smile], currency: str) -> Table:
    columns = [
        Column("expiry", left=True), Column("slice", left=True), Column("forward", currency),
        Column("bounds", currency), Column("at the money", "%"), Column("used"), Column("not used"),
        Column("residual", "spread"), Column("inside", "%"), Column("held out", "spread"),
        Column("inside", "%"), Column("least g"), Column("least slack"),
    ]  # fmt: skip
    labels = {smile.expiry: smile.label for smile in smiles}
    rows = []
    for e, expiry in enumerate(now["expiry"].values):
        one = now.isel(expiry=e)
        rows.append([
            labels.get(expiry, str(expiry.astype("datetime64[D]"))),
            SliceStatus(int(one["status"])).name.lower().replace("_", " "),
            _cell(one, "forward", 2),
            _bounds(one),
            _cell(one, "atm_vol", 2, 100.0),
            count(int(one["used"])),
            count(int(one["ignored"].sum())),
            _cell(one, "fit_residual", 3),
            _cell(one, "fit_inside", 1, 100.0),
            _cell(one, "held_residual", 3),
            _cell(one, "held_inside", 1, 100.0),
            _tiny(one, "least_g"),
            _tiny(one, "calendar_slack"),
        ])  # fmt: skip
    return Table("Expiries", columns, rows, TABLE_FOOT)


def _cell(one: xr.Dataset, name: str, decimals: int, times: float = 1.0) -> str:
    value = float(one[name])
    return fixed(times * value, decimals) if np.isfinite(value) else NONE


def _bounds(one: xr.Dataset) -> str:
    low, high = (_cell(one, f"forward_{end}", 2) for end in ("low", "high"))
    return NONE if NONE in (low, high) else f"{low} to {high}"


def _tiny(one: xr.Dataset, name: str) -> str:
    value = float(one[name])
    return f"{value:.1e}" if np.isfinite(value) else NONE
