from __future__ import annotations

import base64
import gzip
import json
import re

import numpy as np
import pytest

import mmquant as mm
from mmquant.data.contracts import Contract
from mmquant.data.runs import Run
from mmquant.data.tape import make_tape
from mmquant.errors import UsageError
from mmquant.report import figures
from mmquant.report.facts import parameter_table
from mmquant.report.html import MAX_BYTES, render_report, write_report
from mmquant.report.scope import scope_of
from mmquant.report.sections import MAX_SECTIONS
from mmquant.report.tables import pnl_table
from mmquant.report.tape_trades import trades_in
from mmquant.trading.metrics import summarize
from tests.fake_run import START, fake_run

EVIL = '<script>alert("x")</script>&\'"</b>'


@pytest.fixture(scope="module")
def run():
    return fake_run()


@pytest.fixture(scope="module")
def page(run):
    return render_report(run)


def payload(page: str, name: str) -> bytes:
    """What the browser inflates."""
    text = re.search(rf'id="{name}">([A-Za-z0-9+/=]*)</script>', page).group(1)
    return gzip.decompress(base64.b64decode(text))


def plots(page: str) -> dict:
    return json.loads(payload(page, "figures"))


def words(page: str) -> str:
    """The page without styles, scripts and tags, blanks made one."""
    text = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


# --- one file that loads nothing ----------------------------------------------


def test_the_page_loads_nothing(page):
    for what in (
        r"\bsrc\s*=",
        r"<link\b",
        r"@import",
        r"url\(",
        r"<iframe",
        r"<base\b",
        r"https?:",
    ):
        assert not re.search(what, page), what
    assert set(re.findall(r'href="(.)', page)) == {"#"}
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert policy.startswith("default-src 'none'") and "http" not in policy


def test_links_inside_lead_somewhere(page):
    targets = re.findall(r'href="#([^"]*)"', page)
    ids = re.findall(r'id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) and set(targets) <= set(ids)


def test_the_charting_library_is_inside_and_does_not_offer_to_upload(page):
    from plotly.offline import get_plotlyjs

    assert payload(page, "library").decode() == get_plotlyjs()
    config = plots(page)["config"]
    assert config == {"showSendToCloud": False, "displaylogo": False, "responsive": True}


def test_every_figure_has_its_place_and_few_points(page):
    found = plots(page)["figures"]
    names = ("equity", "inventory", "price", "zoom", "markouts", "split", "distribution")
    assert sorted(found) == sorted(f"inst0-{name}" for name in names)
    for name, figure in found.items():
        assert f'class="plot" id="{name}"' in page
        for trace in figure["data"]:
            size = {"f8": 8, "f4": 4}
            for axis in ("x", "y"):
                values = trace[axis]
                if isinstance(values, dict):
                    raw = base64.b64decode(values["bdata"])
                    assert len(raw) <= 4_000 * size[values["dtype"]]


def test_a_day_stays_below_the_limit():
    page = render_report(fake_run(steps=250_000, fills=20_000))
    assert len(page.encode()) < MAX_BYTES == 5_000_000


def test_many_instruments_stay_below_the_limit_and_none_is_dropped_silently():
    symbols = tuple(f"S{i:02d}" for i in range(MAX_SECTIONS + 3))
    page = render_report(fake_run(symbols=symbols, steps=1_500, fills=20))
    assert len(page.encode()) < MAX_BYTES
    assert all(symbol in words(page) for symbol in symbols)
    assert "the other 3 are in this table" in page
    assert "The ten largest of 23 instruments." in page
    assert sum(name.endswith("-price") for name in plots(page)["figures"]) == MAX_SECTIONS


def test_the_same_run_gives_the_same_bytes(tmp_path, page):
    first = write_report(fake_run(), tmp_path / "a.html")
    assert first.read_bytes() == page.encode()


def test_write_report_makes_folders_and_leaves_nothing_behind(tmp_path, run):
    target = write_report(run, tmp_path / "deep" / "down")
    assert target == tmp_path / "deep" / "down" / "report.html"
    assert [file.name for file in target.parent.iterdir()] == ["report.html"]
    assert write_report(run, target) == target


def test_a_run_from_the_disk_gives_the_same_report(tmp_path):
    fake = fake_run(steps=50, fills=5)
    fake.manifest.pop("digest")
    fresh = Run(fake.manifest, fake.path, fake.fills, fake.orders, fake.quotes)
    assert "net PnL" in words(render_report(fresh))


# --- what it says -------------------------------------------------------------


def test_the_page_has_all_its_parts(page):
    text = words(page)
    for part in (
        "Equity and drawdown",
        "Inventory",
        "Price, own quotes and fills",
        "The busiest ten minutes",
        "Markouts",
        "Adverse selection",
        "PnL split",
        "check: net less its parts",
        "Fills by hour and side",
        "Parameters",
        "Notes",
        "Provenance",
        "Definitions",
        "mode partial",
        "queue model power, exponent 3",
        "feed 1 ms",
        "schedule demo",
        "seed 1",
        "mmquant 0.1.0",
        "cd" * 32,
        "ab" * 32,
        "3 bad rows of the source were put aside (quarantined).",
        "A note on the tape.",
        "A note on fees.",
        "A note on the run.",
        "limits.max_position_lots",
        "Limit ±30 units (dashed).",
    ):
        assert part in text, part


def test_cards_show_the_summary_with_units(run, page):
    s = summarize(run.path, run.fills, run.orders, run.quotes, multipliers={0: 1.0})
    text = words(page)
    assert f"Net PnL {s['net_pnl']:.3f} USD" in text
    assert f"Fills {s['fills']:,d}" in text
    assert f"Max |position| {s['max_abs_position']:.0f} units" in text


def test_measured_latencies_stand_in_place_of_the_constants():
    run = fake_run(steps=20, fills=2)
    run.manifest["latency"] = {"feed_offset_ns": 0, "entry_ns": 1_000, "file": None}
    text = words(render_report(run))
    assert "entry 1 µs" in text and "file None" not in text
    run.manifest["latency"]["file"] = "deep/down/latency.csv"
    text = words(render_report(run))
    assert "orders: measured, in latency.csv" in text and "entry 1 µs" not in text


def test_the_title_comes_from_the_configuration(run):
    titled = fake_run(steps=20, fills=2)
    titled.manifest["config"]["report"] = {"title": "My day"}
    page = render_report(titled)
    assert "<title>My day · 2012-06-21</title>" in page and "run fake" in words(page)


def test_a_broken_identity_is_told_at_the_top():
    run = fake_run(steps=200, fills=20)
    run.path["inventory_pnl"] = run.path["inventory_pnl"] + 1.0
    assert "XYZ: the PnL split is off by -1.00" in words(render_report(run))


def test_a_fill_log_that_misses_a_fill_is_told_at_the_top():
    run = fake_run(steps=200, fills=20)
    run.fills = run.fills.iloc[1:]
    assert "the spread of the fill log is off by" in words(render_report(run))


def test_a_fill_after_the_last_step_is_told_at_the_top():
    run = fake_run(steps=200, fills=20)
    run.path = run.path.isel(
        time=slice(
            0, int(np.searchsorted(run.path["time"].values, run.fills["timestamp"].iloc[-1]))
        )
    )
    text = words(render_report(run))
    assert "1 fill(s) came after the last step" in text and "off by" not in text


def test_text_from_the_data_is_escaped():
    run = fake_run(steps=50, fills=5, symbols=(EVIL, "B"), name=EVIL, currencies=(EVIL,), hours=0.2)
    for key in ("notes",):
        run.manifest[key] = [EVIL]
    run.manifest["tape"]["notes"] = [EVIL]
    run.manifest["tape"]["date"] = EVIL
    run.manifest["tape"]["counts"] = {EVIL: EVIL}
    run.manifest["fees"]["source"] = EVIL
    run.manifest["config"][EVIL] = EVIL
    run.manifest["latency"][EVIL] = EVIL
    page = render_report(run)
    assert EVIL not in page and "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in json.dumps(plots(page)["figures"])


def test_totals_come_first_and_only_in_one_currency():
    page = render_report(fake_run(symbols=("A", "B"), steps=50, fills=5))
    assert page.index('id="total"') < page.index('id="inst0"') < page.index('id="inst1"')
    assert "total-equity" in plots(page)["figures"]
    mixed = render_report(
        fake_run(symbols=("A", "B"), steps=50, fills=5, currencies=("USD", "EUR"))
    )
    assert "different currencies: no totals" in words(mixed)
    assert "total-equity" not in plots(mixed)["figures"]


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"fills": 0}, "The run has no fills."),
        ({"steps": 1, "fills": 0}, "The path has one step"),
        ({"steps": 0, "fills": 0}, "The path has no steps"),
        ({"steps": 2, "fills": 1}, "Net PnL"),
    ],
)
def test_a_run_of_next_to_nothing_still_has_a_page(shape, said):
    page = render_report(fake_run(**shape))
    assert said in words(page)
    assert "nan" not in words(page).lower().split()


def test_a_run_without_any_mid_says_so():
    run = fake_run(steps=100, fills=5)
    for name in ("bid", "ask", "mid", "equity", "spread_pnl", "inventory_pnl"):
        run.path[name] = run.path[name] * np.nan
    run.fills["mid"] = np.nan
    run.fills["spread_capture"] = np.nan
    page = render_report(run)
    assert "XYZ: 100 of 100 steps have no two-sided mid." in words(page)
    assert "no step has an equity" in payload(page, "figures").decode()


def test_a_manifest_with_nothing_in_it_still_has_a_page():
    run = fake_run(steps=20, fills=2)
    run.manifest = {}
    assert "not recorded" in words(render_report(run))


# --- figures ------------------------------------------------------------------


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def test_figures_keep_extremes_and_their_limit():
    run = fake_run(steps=30_000, fills=3_000)
    figure = figures.equity_figure(run, price=True, max_points=400)
    equity = run.path["equity"].values[:, 0]
    net = np.asarray(trace(figure, "net").y)
    assert len(net) <= 400 and net.dtype == np.float32
    assert net.max() == np.float32(equity.max()) and net.min() == np.float32(equity.min())
    assert np.asarray(trace(figure, "mid").x)[0] == START / 1e6
    assert np.asarray(trace(figure, "drawdown").y).max() <= 0


def test_price_window_holds_its_fills_and_steps(run):
    times = run.path["time"].values
    start, end = int(times[100]) + 1, int(times[300])
    figure = figures.price_figure(run, start_ns=start, end_ns=end)
    inside = run.fills[(run.fills["timestamp"] >= start) & (run.fills["timestamp"] <= end)]
    assert len(trace(figure, "buys").x) == (inside["side"] > 0).sum() > 0
    assert len(trace(figure, "sells").x) == (inside["side"] < 0).sum() > 0
    # the step before the window still stands when it begins
    assert trace(figure, "mid").x[0] == times[100] / 1e6
    assert trace(figure, "mid").x[-1] == times[300] / 1e6
    assert trace(figure, "own bid").line.shape == "hv"


def test_markout_figure_has_sides_and_errors(run):
    figure = figures.markout_figure(run)
    assert [t.name for t in figure.data] == ["buys", "sells", "all"]
    assert list(figure.data[0].x) == ["at fill", "1 s", "5 s", "30 s", "5 min"]
    assert figure.data[2].customdata[0][1] == 200
    assert figure.data[2].y[0] == pytest.approx(0.01)


def test_waterfall_is_the_split(run):
    bars = figures.pnl_split_figure(run).data[0]
    assert list(bars.x) == ["spread", "inventory", "− fees", "net"]
    assert sum(bars.y[:3]) == pytest.approx(bars.y[3])


def test_inventory_of_many_shows_the_ten_largest():
    many = fake_run(symbols=tuple(f"S{i}" for i in range(12)), steps=50, fills=5)
    assert len(figures.inventory_figure(many).data) == 10
    assert len(figures.inventory_figure(many, inst=3).data) == 1


def test_an_unknown_instrument_is_an_error(run):
    with pytest.raises(UsageError, match="no instrument 9"):
        figures.equity_figure(run, inst=9)


def test_second_instrument_has_its_own_fills():
    two = fake_run(symbols=("A", "B"), steps=100, fills=7)
    two.path = two.path.drop_vars("inst")
    scope = scope_of(two, 1)
    assert scope.title == "B" and set(scope.fills["inst"]) == {1} and len(scope.fills) == 7
    text = words(render_report(two))
    assert "off by" not in text


def test_trades_of_the_tape_are_drawn_in_the_zoom():
    run = fake_run(steps=2_000, fills=50)
    at = run.path["time"].values[[5, 6, 7]]
    tape = make_tape(
        {
            "exch_ts": at,
            "kind": np.array([2, 1, 2], np.int8),
            "side": np.array([1, 1, -1], np.int8),
            "tick": np.array([10_000, 10_000, 10_001], np.int32),
            "subtick": np.array([0.0, 0.0, 0.5], np.float32),
            "size": np.array([3, 4, 5], np.int32),
        },
        [Contract.equity(0, "XYZ", venue="TEST")],
        source={"format": "test"},
        date="2012-06-21",
    )
    times, prices, sizes = trades_in(scope_of(run), tape, int(at[0]), int(at[2]))
    assert times.tolist() == [at[0], at[2]] and sizes.tolist() == [3.0, 5.0]
    assert prices == pytest.approx([100.0, 100.015])
    zoom = plots(render_report(run, tape=tape))["figures"]["inst0-zoom"]
    assert "market trades" in [t["name"] for t in zoom["data"]]


def test_settings_have_the_unit_that_their_meaning_tells():
    """``_s`` in ``intensity.per_s`` is no unit of seconds, and ``_ms`` and ``_mb`` are units."""
    config = mm.Config().as_dict()
    run = fake_run(steps=5, fills=0)
    run.manifest["config"] = config
    units = {row[0]: row[2] for row in parameter_table(run).rows}
    for key, unit in {
        "profile.ibkr.max_messages_per_s": "1/s",
        "quoting.intensity.per_s": "1/s",
        "quoting.intensity.decay_per_tick": "1/tick",
        "quoting.skew.ticks": "ticks",
        "quoting.volatility_ticks": "ticks per root second",
        "quoting.floor_ccy": "ccy",
        "journal.sync_ms": "ms",
        "journal.rotate_mb": "MB",
        "orders.ack_timeout_s": "s",
        "decision.interval_ns": "ns = 100 ms",
        "fill.queue": "",
    }.items():
        assert units[key] == unit, key


def test_fees_have_a_sign_where_the_parts_are_added_up(run):
    """Net is the sum of its parts as they stand in the table and in the lines."""
    table = pnl_table(scope_of(run, None))
    amounts = {row[0]: float(row[1].replace(",", "")) for row in table.rows[:4]}
    assert "− fees" in amounts and "fees" not in amounts
    parts = sum(x for name, x in amounts.items() if name != "net PnL")
    assert parts == pytest.approx(amounts["net PnL"], abs=0.02)
    lines = [t.name for t in figures.pnl_split_figure(run).data]
    assert lines == ["whole run", "spread captured", "inventory", "− fees", "net"]
