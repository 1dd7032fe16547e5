from __future__ import annotations

import math
import re

import numpy as np
import pytest

from mmquant.report import text
from mmquant.report.svg import line_chart


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (text.count, 1234567, "1,234,567"),
        (text.count, None, "–"),
        (text.amount, 405.8371, "405.84"),
        (text.amount, 0.00012346, "0.0001235"),
        (text.amount, 12_345_678.9, "12,345,679"),
        (text.amount, 0.0, "0.00"),
        (text.amount, -1e-12, "-0.0000000000"[1:]),
        (text.amount, math.nan, "–"),
        (text.quantity, 0.30000000000000004, "0.3"),
        (text.quantity, 1200.0, "1,200"),
        (text.quantity, -0.0, "0"),
        (text.percent, 0.9469, "94.7 %"),
        (text.percent, None, "–"),
        (text.tiny, 5.54e-13, "5.5e-13"),
        (text.tiny, 0.0, "0"),
        (text.duration, 0.0936, "93.6 ms"),
        (text.duration, 11.7, "11.7 s"),
        (text.duration, 3e-9, "3 ns"),
        (text.duration, 23_400, "6.5 h"),
        (text.size_of, 12_345, "12.3 kB"),
        (text.moment, 1_340_285_400_123_456_789, "2012-06-21 13:30:00.123"),
        (text.moment, None, "–"),
    ],
)
def test_numbers_read_well(function, value, expected):
    assert function(value) == expected


def test_a_column_shows_its_largest_value_to_four_digits():
    assert text.decimals_of([0.0123, None, math.nan, -0.5]) == 4
    assert text.decimals_of([123456.0, 1.0], least=2) == 2
    assert text.decimals_of([None, 0.0], least=3) == 3


def test_plain_chart_lifts_the_pen_at_gaps_and_escapes():
    times = np.arange(5, dtype=np.int64) * 10**9
    chart = line_chart(times, np.array([1.0, 2.0, np.nan, 3.0, 4.0]), unit="<b>", color="#123456")
    path = re.search(r'class="curve"[^>]* d="([^"]*)"', chart).group(1)
    assert path.count("M") == 2 and "nan" not in chart
    assert "<b>" not in chart and "&lt;b&gt;" in chart


def test_plain_chart_of_one_value_or_none():
    one = line_chart(np.array([5]), np.array([2.0]), unit="USD", color="#123456")
    assert "nan" not in one and one.startswith("<svg")
    assert line_chart(np.array([5]), np.array([np.nan]), unit="USD", color="#123456") == ""
