"""The section of views, and the warning of a subscriber's order-efficiency ratio."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from mmquant.core.dtypes import ActionKind
from mmquant.report.facts import warnings_of
from mmquant.report.html import render_report
from mmquant.report.scope import scopes_of
from mmquant.report.views import NAMES, SHOWN, views_section
from mmquant.trading.metrics import summarize
from tests.fake_run import FakeRun, fake_run, make_quotes
from tests.report.test_report import plots, words


def summarized(profile: str, **shape: Any) -> FakeRun:
    run = fake_run(**({"steps": 200, "fills": 20} | shape))
    run.manifest["profile"] = profile
    run.manifest["summary"] = summarize(
        run.path, run.fills, run.orders, run.quotes, multipliers={0: 1.0, 1: 1.0}
    ) | {"engine_throttled": 7}
    return run


def day(*, own: str = "ideal", **shape: Any) -> FakeRun:
    """A run and the same day under the other profile."""
    run = summarized(own, seed=1, **shape)
    beside = "ibkr" if own == "ideal" else "ideal"
    run.views = {beside: summarized(beside, seed=2, **shape)}  # type: ignore[attr-defined]
    return run


def test_a_run_alone_has_no_such_section() -> None:
    assert views_section(fake_run(steps=20, fills=2), max_points=100) is None
    assert "views" not in render_report(fake_run(steps=20, fills=2)).split("<body")[1]


def test_both_columns_stand_side_by_side() -> None:
    run = day()
    section = views_section(run, max_points=100)
    assert section is not None
    table = section.tables["views"]
    assert [column.title for column in table.columns] == ["", "unit", NAMES["ideal"], NAMES["ibkr"]]
    assert [row[0] for row in table.rows] == list(SHOWN.values())
    cells = {row[0]: row[2:] for row in table.rows}
    ideal, ibkr = run.manifest["summary"], run.views["ibkr"].manifest["summary"]
    assert cells["fills"] == [str(ideal["fills"]), str(ibkr["fills"])]
    assert cells["held back by the message limit"] == ["7", "7"]
    for shown, summary in zip(cells["net PnL"], (ideal, ibkr), strict=True):
        assert abs(float(shown.replace(",", "")) - summary["net_pnl"]) < 0.01
    for shown, summary in zip(cells["order-efficiency ratio"], (ideal, ibkr), strict=True):
        assert float(shown) == round(summary["order_efficiency_ratio"], 4)


def test_the_page_begins_with_the_views_and_draws_both() -> None:
    page = render_report(day())
    assert page.index('id="views"') < page.index('id="inst0"')
    assert page.count("Two views of one day") >= 2
    figure = plots(page)["figures"]["views-equity"]
    assert [trace["name"] for trace in figure["data"]] == [NAMES["ideal"], NAMES["ibkr"]]
    assert len({trace["line"]["color"] for trace in figure["data"]}) == 2
    assert "nan" not in words(page).lower().split()


def test_the_own_view_comes_first() -> None:
    section = views_section(day(own="ibkr"), max_points=100)
    assert section is not None
    titles = [column.title for column in section.tables["views"].columns]
    assert titles[2:] == [NAMES["ibkr"], NAMES["ideal"]]


def test_a_view_of_next_to_nothing_has_dashes() -> None:
    run = day(steps=0, fills=0)
    section = views_section(run, max_points=100)
    assert section is not None
    cells = {row[0]: row[2:] for row in section.tables["views"].rows}
    assert cells["fills"] == ["0", "0"] and "net PnL" not in cells
    run.views["ibkr"] = summarized("ibkr", seed=2)
    section = views_section(run, max_points=100)
    assert section is not None
    assert {row[0]: row[2] for row in section.tables["views"].rows}["net PnL"] == "–"


def test_money_of_several_currencies_is_not_added_up() -> None:
    both = {"symbols": ("A", "B")}
    section = views_section(day(**both, currencies=("USD", "EUR")), max_points=100)
    assert section is not None and section.figures == []
    titles = [row[0] for row in section.tables["views"].rows]
    assert "net PnL" not in titles and "markout, 30 s" not in titles and "fills" in titles
    one = views_section(day(**both), max_points=100)
    assert one is not None and len(one.figures) == 1
    assert "net PnL" in [row[0] for row in one.tables["views"].rows]


# --- the order-efficiency ratio -------------------------------------------------


def busy(profile: str, *, messages: int, fills: int, **shape: Any) -> FakeRun:
    run = summarized(profile, fills=fills, **shape)
    run.quotes = make_quotes(messages)
    return run


def said(run: FakeRun) -> list[str]:
    return [text for text in warnings_of(run, scopes_of(run)) if "order-efficiency" in text]


def test_an_excessive_ratio_is_told_with_its_number() -> None:
    fills = len(fake_run(steps=200, fills=20).fills)
    run = busy("ibkr", messages=21 * (fills + 1), fills=20)
    assert said(run) == [
        "As a subscriber at IBKR, XYZ: the order-efficiency ratio is 21.0, above 20: too many "
        "messages for the orders executed, and the broker may restrict the account."
    ]
    assert "ratio is 21.0, above 20" in words(render_report(run))
    assert said(busy("ibkr", messages=20 * (fills + 1), fills=20)) == []
    assert said(busy("ideal", messages=10**5, fills=20)) == []


def test_the_view_beside_is_judged_too_and_the_run_itself_only_as_a_subscribers() -> None:
    run = busy("ideal", messages=10**5, fills=20)
    run.views = {"ibkr": busy("ibkr", messages=30, fills=0)}  # type: ignore[attr-defined]
    assert re.search(r"XYZ: the order-efficiency ratio is 30\.0, above 20", said(run)[0])
    run.views["ibkr"] = busy("ibkr", messages=20, fills=0)
    assert said(run) == []
    own = busy("ibkr", messages=20, fills=0)
    own.views = {"ideal": busy("ideal", messages=10**5, fills=20)}  # type: ignore[attr-defined]
    assert said(own) == []


def test_each_instrument_is_judged_and_all_together() -> None:
    """The broker adds up the account; twice 15 messages for nothing are 30."""
    run = busy("ibkr", messages=30, fills=0, symbols=("A", "B"))
    run.quotes["inst"] = np.repeat([0, 1], 15).astype(np.int16)
    assert (
        len(said(run)) == 1 and "All instruments: the order-efficiency ratio is 30" in said(run)[0]
    )
    run.quotes["inst"] = np.repeat([0, 1], [25, 5]).astype(np.int16)
    assert [re.search(r"IBKR, (.*?):", text)[1] for text in said(run)] == ["All instruments", "A"]


def test_only_orders_changes_and_cancels_count() -> None:
    run = busy("ibkr", messages=50, fills=0)
    run.quotes["action"] = np.int8(ActionKind.PULL)
    assert said(run) == []
    run.quotes.loc[:24, "action"] = np.int8(ActionKind.CANCEL)
    assert "ratio is 25.0" in said(run)[0]


def test_views_have_the_currency_of_the_run_and_whole_sizes() -> None:
    section = views_section(day(currencies=("EUR",)), max_points=100)
    assert section is not None
    rows = {row[0]: row[1:] for row in section.tables["views"].rows}
    assert rows["net PnL"][0] == rows["own width"][0] == "EUR"
    assert rows["net PnL per unit"][0] == rows["markout, 30 s"][0] == "EUR per unit"
    assert rows["volume"][0] == "units" and not rows["volume"][1].endswith(".00")
