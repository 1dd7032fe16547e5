"""The first block of a report, and the parts that show distributions and the inventory."""

from __future__ import annotations

import re

import numpy as np
import pytest

import mmquant as mm
from mmquant.report.distribution import distribution_table, inventory_table, pnl_histogram
from mmquant.report.feasibility import feasibility_section
from mmquant.report.html import render_report
from mmquant.report.scope import scope_of
from mmquant.report.sections import summary_of
from mmquant.report.tables import markouts_table
from mmquant.trading.distribution import pnl_intervals
from tests.fake_run import fake_run


@pytest.fixture(scope="module")
def run():
    config = mm.Config.from_dict({"fees": {"schedule": "us_equity_maker_taker"}})
    return mm.backtest(config, mm.make_demo_tape(seed=3, minutes=3))


def words(page: str) -> str:
    text = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def test_it_is_the_first_block(run) -> None:
    page = render_report(run)
    sections = re.findall(r'<section id="([^"]*)"', page)
    assert sections[0] == "feasibility" and sections[1:3] == ["views", "inst0"]
    assert page.index('href="#feasibility"') < page.index('href="#inst0"')
    ids = re.findall(r'id="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_it_says_what_the_manifest_holds(run) -> None:
    found = run.manifest["feasibility"]["instruments"][0]
    text = words(render_report(run))
    for horizon in ("1s", "5s", "30s", "300s"):
        assert found[f"verdict_{horizon}"].partition(": ")[2] in text
    assert found["verdict_messages"].partition(": ")[2] in text
    assert "fee -0.002000 USD per unit" in text
    section = feasibility_section(run)
    costs = section.tables["feasibility-0-costs"]
    assert [row[:2] for row in costs.rows] == [
        [place, after]
        for place in ("in front", "at the end")
        for after in ("1 s", "5 s", "30 s", "5 min")
    ]
    for row in costs.rows:  # fee, and margin = half spread - break-even, as printed
        half, adverse, fee, needed, margin = (float(x) if x != "–" else np.nan for x in row[3:8])
        if np.isfinite(margin):
            assert fee == -0.002 and needed == pytest.approx(adverse + fee, abs=2e-6)
            assert margin == pytest.approx(half - needed, abs=2e-6)


def test_several_instruments_have_a_block_each_and_none_is_left_out_silently() -> None:
    run = mm.backtest(tape=mm.make_demo_tape(seed=4, minutes=1, instruments=2))
    section = feasibility_section(run)
    assert [name for name in section.tables if name.endswith("answers")] == [
        "feasibility-0-answers",
        "feasibility-1-answers",
    ]
    assert not section.cards
    run.manifest["feasibility"]["left_out"] = 7
    assert "and 7 others left out." in feasibility_section(run).note


def test_a_run_without_it_says_so() -> None:
    assert "has not recorded" in words(render_report(fake_run(steps=50, fills=5)))


def test_the_histogram_counts_every_interval_and_no_bar_is_gain_and_loss() -> None:
    run = fake_run(steps=5_000, fills=800)
    pnl = pnl_intervals(path=run.path, interval_s=60.0)
    bars = pnl_histogram(run).data[0]
    x, width, heights = (np.asarray(v, float) for v in (bars.x, bars.width, bars.y))
    assert heights.sum() == len(pnl) > 300
    low, high = x - width / 2, x + width / 2
    for a, b, n in zip(low, high, heights, strict=True):
        assert n == pytest.approx(((pnl >= a - 1e-9) & (pnl < b - 1e-9)).sum(), abs=1)
        assert b <= 1e-9 or a >= -1e-9
    assert pnl_histogram(fake_run(steps=2, fills=0, hours=0.001)).layout.annotations


def test_one_value_makes_one_bar() -> None:
    run = fake_run(steps=400, fills=0)
    bars = pnl_histogram(run).data[0]
    assert np.asarray(bars.y).sum() == len(pnl_intervals(path=run.path, interval_s=60.0))


def test_tables_of_the_distribution_and_the_inventory() -> None:
    run = fake_run(steps=5_000, fills=800)
    scope = scope_of(run)
    table = distribution_table(scope)
    assert [row[0] for row in table.rows] == ["1 min", "5 min"] and table.rows[0][1] == "389"
    assert table.rows[1][-1] == "–" != table.rows[0][-1]  # 77 intervals have no 99 % quantile
    inventory = inventory_table(scope, summary_of(scope))
    shown = {row[0]: row[1] for row in inventory.rows}
    assert float(shown["standard deviation"]) > 0 and shown["largest |position|"] != "–"
    still = fake_run(steps=500, fills=0)
    foot = inventory_table(scope_of(still), summary_of(scope_of(still))).foot
    assert "there is none: the position does not change." in foot


def test_markouts_show_intervals_or_why_there_are_none() -> None:
    many = markouts_table(scope_of(fake_run(steps=20_000, fills=2_000)))
    assert all(" to " in row[7] and " to " in row[9] for row in many.rows if row[1] == "all")
    assert "None after" not in many.foot
    few = markouts_table(scope_of(fake_run(steps=2_000, fills=8)))
    assert all(row[7] == "–" for row in few.rows)
    assert "None after 1 s: 15 blocks of 585 s with fills are needed, there are" in few.foot
