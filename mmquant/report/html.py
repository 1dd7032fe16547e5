"""One HTML file for a run: offline, self-contained, the same bytes for the same run.

The charting library is inside, compressed; the browser inflates it. The page has a policy that
forbids it to load anything. Where scripts cannot run it still has its tables and plain charts.
"""

from __future__ import annotations

import base64
import gzip
import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmquant.data.files import check_file_target, written_whole
from mmquant.report.decimate import MAX_POINTS
from mmquant.report.facts import (
    definitions_table,
    header_facts,
    notes_of,
    parameter_table,
    provenance_facts,
    warnings_of,
)
from mmquant.report.feasibility import feasibility_section
from mmquant.report.scope import RunLike, scopes_of
from mmquant.report.sections import Section, sections_of
from mmquant.report.style import CONFIG
from mmquant.report.views import views_section

MAX_BYTES = 5_000_000
"""A page above this is drawn again with fewer points."""
FEWEST_POINTS = 125


def write_report(run: RunLike, path: str | Path, *, tape: xr.Dataset | None = None) -> Path:
    """Write the report of a run and return the file's path.

    ``path`` is the HTML file, or a folder that then gets ``report.html``; folders are made. The
    file appears whole or not at all. With the run's ``tape``, the zoom shows the market's trades.
    """
    target = Path(path)
    if target.is_dir() or target.suffix.lower() not in (".html", ".htm"):
        target = target / "report.html"
    check_file_target(target)
    page = render_report(run, tape=tape)
    with written_whole(target) as temporary:
        temporary.write_bytes(page.encode())
    return target


def render_report(run: RunLike, *, tape: xr.Dataset | None = None) -> str:
    """The report of a run as HTML text, with fewer points a line where it would be too large."""
    points = MAX_POINTS >> max(0, (run.path.sizes["inst"] - 1).bit_length() - 2)
    points = max(points, FEWEST_POINTS)
    while True:
        page = _page(run, tape, points)
        if len(page.encode()) <= MAX_BYTES or points <= FEWEST_POINTS:
            return page
        points //= 2


def _page(run: RunLike, tape: xr.Dataset | None, max_points: int) -> str:
    scopes = scopes_of(run)
    sections = sections_of(run, scopes, tape=tape, max_points=max_points)
    views = views_section(run, max_points=max_points)
    if views is not None:
        sections.insert(0, views)
    sections.insert(0, feasibility_section(run))
    config = run.manifest.get("config") or {}
    title = (config.get("report") or {}).get("title") or run.manifest.get("name") or "run"
    return template("report.html.j2").render(
        title=str(title),
        name=str(run.manifest.get("name", "run")),
        mode=str(run.manifest.get("mode", "run")),
        date=str((run.manifest.get("tape") or {}).get("date", "")),
        facts=header_facts(run),
        provenance=provenance_facts(run),
        warnings=warnings_of(run, scopes),
        sections=sections,
        parameters=parameter_table(run),
        notes=notes_of(run),
        definitions=definitions_table(),
        css=Markup(asset("report.css")),
        js=Markup(asset("report.js")),
        library=Markup(library()),
        figures=Markup(packed_figures(sections)),
    )


def packed_figures(sections: list[Section]) -> str:
    """All figures as the page's script takes them."""
    return _packed(_figures_json(sections).encode())


def _figures_json(sections: list[Section]) -> str:
    plots: dict[str, Any] = {}
    for section in sections:
        for figure in section.figures:
            plot = json.loads(figure.plot.to_json(engine="json"))
            plots[figure.id] = {"data": plot["data"], "layout": plot["layout"]}
    return json.dumps({"config": CONFIG, "figures": plots}, separators=(",", ":"))


def _packed(data: bytes) -> str:
    """gzip in base64: letters, digits, + / = only, so safe inside a script element."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


@lru_cache(maxsize=1)
def library() -> str:
    """The charting library, packed."""
    from plotly.offline import get_plotlyjs

    return _packed(get_plotlyjs().encode())


@lru_cache(maxsize=2)
def template(name: str) -> Any:
    """A template of this package."""
    env = Environment(
        loader=PackageLoader("mmquant.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return env.get_template(name)


def asset(name: str) -> str:
    """Text of a file beside the templates."""
    return (files("mmquant.report") / "templates" / name).read_text(encoding="utf-8")
