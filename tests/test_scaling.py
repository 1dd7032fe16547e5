"""The scaling benchmark: what it says of given costs, and that each of its sweeps runs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pytest

from mmquant.data.synthetic import make_random_tape
from tests.benchmarks import __main__ as all_benchmarks
from tests.benchmarks import scaling
from tests.benchmarks.scaling import Curve, panels_of, result_of, said, table_of, verdict
from tests.benchmarks.scaling_figure import figure, round_values, short, value_range
from tests.benchmarks.scaling_runs import TYPES, Timed, first_rows, long_tape

SVG = "{http://www.w3.org/2000/svg}"
INTERVAL = 100_000_000


def curve(costs: list[float], *, name: str = "rows", label: str = "rows") -> Curve:
    """A curve of ten times as many rows at each size, with these costs a row. [ns]"""
    sizes = [100 * 10**i for i in range(len(costs))]
    points = [
        Timed(size, 1e-9 * cost * size, size, 1, size // 10, 7)
        for size, cost in zip(sizes, costs, strict=True)
    ]
    return Curve(name, label, "row", "1 instrument", points, lambda p: p.rows)


@pytest.mark.parametrize(
    ("costs", "rise", "step", "linear"),
    [
        ([10.0], 1.0, 1.0, True),
        ([10.0, 10.0, 10.0], 1.0, 1.0, True),
        ([40.0, 20.0, 10.0], 1.0, 0.5, True),
        ([10.0, 12.0, 14.0], 1.4, 1.2, True),
        ([10.0, 12.0, 14.0, 16.0], 1.6, 1.2, False),  # each step is small, all together are not
        ([10.0, 14.0, 10.0], 1.4, 1.4, False),  # a cliff
        ([40.0, 10.0, 12.0, 16.0], 1.6, 16.0 / 12.0, False),  # below the first, yet it grows
    ],
)
def test_verdict(costs: list[float], rise: float, step: float, linear: bool) -> None:
    found = verdict(costs)
    assert found.rise == pytest.approx(rise)
    assert found.step == pytest.approx(step)
    assert found.linear is linear


def test_work_that_grows_by_the_square_is_found() -> None:
    sizes = 2.0 ** np.arange(7)
    assert verdict(list((5.0 * sizes + 100.0) / sizes)).linear
    assert not verdict(list((5.0 * sizes + 1.0 * sizes**2) / sizes)).linear


def test_table_and_result_tell_of_a_failing_curve() -> None:
    good, bad = curve([10.0, 11.0]), curve([10.0, 25.0], name="worse")
    assert "linear or better, no cliff" in said(good)
    assert "NOT LINEAR" in said(bad)
    assert "2.50 times" in said(bad)
    rows = [line for line in table_of(bad).splitlines() if line.startswith("|")]
    assert rows[3] == "| 1,000 | 25 | 25 | 250 | 1,000 | 100 | 7 |"
    assert len({line.count("|") for line in rows}) == 1
    result = result_of([good, bad])
    assert result["rows_ns"] == [10.0, 11.0]
    assert (result["rows_linear"], result["worse_linear"], result["linear"]) == (True, False, False)
    assert result_of([good])["linear"]


def test_the_common_table_tells_it_too() -> None:
    rows = all_benchmarks.scaling_rows(result_of([curve([10.0, 25.0])]))
    assert rows == [
        (
            "a row, tapes of 100 and 1,000 rows",
            "10 and 25 ns: grows faster than linear",
            all_benchmarks.SCALING,
        )
    ]


def test_figure_has_each_curve_where_its_costs_are() -> None:
    curves = [curve([10.0, 10.0, 100.0]), curve([5.0, 5.0, 5.0], label="layers <&>")]
    root = ElementTree.fromstring(figure(panels_of(curves)))
    panels = root.findall(f"{SVG}g")
    assert len(panels) == 2
    points = [
        [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in panel.findall(f"{SVG}circle")]
        for panel in panels
    ]
    assert [len(found) for found in points] == [3, 3]
    for found in points:  # sizes grow by the same factor, so their distances are the same
        (a, _), (b, _), (c, _) = found
        assert c - b == pytest.approx(b - a, abs=0.11)
    first, second = points
    assert first[0][1] == first[1][1] > first[2][1]
    assert len({y for _, y in second}) == 1
    said_texts = [text.text for text in panels[1].iter(f"{SVG}text")]
    assert "Cost by layers <&>" in said_texts


def test_axes() -> None:
    low, high = value_range([10.0, 11.0])
    assert low < 10.0 < 11.0 < high
    assert high / low == pytest.approx(10.0)
    low, high = value_range([1.0, 1_000.0])
    assert low < 1.0 < 1_000.0 < high
    assert round_values(0.9, 21.0) == [1.0, 2.0, 5.0, 10.0, 20.0]
    sizes = (64, 1024, 30_000, 100_000, 3_000_000, 1e8)
    assert [short(x) for x in sizes] == ["64", "1024", "30k", "100k", "3M", "100M"]


def test_a_long_tape_is_the_random_tape() -> None:
    head, columns = long_tape(20_000)
    whole = make_random_tape(20_000)
    for name in TYPES:
        assert np.array_equal(getattr(columns, name), whole[name].values), name
    assert head.attrs["contracts"] == whole.attrs["contracts"]
    assert head["exch_ts"].values[0] == columns.exch_ts[0]
    part = first_rows(columns, 500)
    assert len(part.exch_ts) == 500
    assert np.shares_memory(part.tick, columns.tick)


@pytest.mark.compiled
def test_each_sweep_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "ENOUGH_S", 1e-9)
    curves = [
        scaling.rows_curve((4_000, 8_000), INTERVAL, 1),
        scaling.instruments_curve((1, 2), 8_000, 1, INTERVAL, 1),
        scaling.instruments_curve((1, 2), 8_000, 5, INTERVAL, 1),
        scaling.layers_curve((1, 3), 4_000, INTERVAL, 1),
        scaling.sets_curve((1, 4), 16_000, 1, INTERVAL, 1),
        scaling.sets_curve((1, 4), 16_000, 2, INTERVAL, 1),
    ]
    for one in curves:
        assert all(p.fills > 0 and p.seconds > 0.0 and p.decisions > 0 for p in one.points)
        assert re.search(r"\d", table_of(one))
    rows = curves[0].points
    assert [p.rows for p in rows] == [4_000, 8_000]
    assert all(a.fills <= b.fills and a.decisions < b.decisions for a, b in pairwise(rows))
    assert [p.sets for p in curves[-1].points] == [1, 4]
    assert curves[-1].points[1].decisions == 4 * curves[-1].points[0].decisions
    assert result_of(curves)["sets_2_threads_fills"] > 0
    assert len(panels_of(curves)) == 4


@pytest.mark.compiled
def test_a_run_without_fills_is_refused() -> None:
    with pytest.raises(SystemExit, match="no fills"):
        scaling.rows_curve((100,), INTERVAL, 1)
