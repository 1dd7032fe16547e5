"""Sessions and expiry moments, against dates that the exchanges published."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from mmquant.calendars import expiry_moments, last_sessions, midnight, session, sessions
from mmquant.errors import DataError


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[D]")


def minutes(*texts: str) -> list[np.datetime64]:
    return np.array(texts, "datetime64[ns]").tolist()


@pytest.mark.parametrize(
    ("day", "moment"),
    [
        ("2014-06-21", "2014-06-20T20:00"),  # a Saturday: the Friday, in summer
        ("2015-01-17", "2015-01-16T21:00"),  # the last Saturday expiry but one, in winter
        ("2015-12-24", "2015-12-24T18:00"),  # closes at 13:00
        ("2014-04-18", "2014-04-17T20:00"),  # Good Friday
        ("2012-10-30", "2012-10-26T20:00"),  # two days closed for a hurricane
        ("2018-12-05", "2018-12-04T21:00"),  # a day of mourning
        ("2023-09-15", "2023-09-15T20:00"),
        ("2022-06-20", "2022-06-17T20:00"),  # Juneteenth, kept since that year
    ],
)
def test_an_option_ceases_at_the_last_close(day: str, moment: str) -> None:
    assert expiry_moments(days(day)).tolist() == minutes(moment)


def test_options_settled_by_the_opening_cease_at_it() -> None:
    found = expiry_moments(
        days("2023-09-15", "2023-09-15", "2014-06-21"), np.array([1, 0, 1], bool)
    )
    assert found.tolist() == minutes("2023-09-15T13:30", "2023-09-15T20:00", "2014-06-20T13:30")


def test_no_day_has_no_moment() -> None:
    found = expiry_moments(days("NaT", "2023-09-15"))
    assert np.isnat(found).tolist() == [True, False]
    assert last_sessions(days("NaT")).tolist() == [-1]


def test_the_day_after_thanksgiving_closes_at_one() -> None:
    for year in range(1993, 2040):
        first = date(year, 11, 1)
        thursday = first + timedelta(days=(3 - first.weekday()) % 7 + 21)
        opens, closes = session(thursday + timedelta(days=1))
        assert (closes - opens) / np.timedelta64(1, "m") == 210
        with pytest.raises(DataError, match="no session"):
            session(thursday)


def test_sessions_are_in_order_and_cannot_be_changed() -> None:
    table = sessions()
    assert (np.diff(table.day) > np.timedelta64(0, "D")).all()
    assert (table.opens < table.closes).all() and (table.closes[:-1] < table.opens[1:]).all()
    with pytest.raises(ValueError, match="read-only"):
        table.closes[0] = table.closes[1]


def test_2023_has_250_sessions() -> None:
    year = sessions().day.astype("datetime64[Y]") == np.datetime64("2023")
    assert int(year.sum()) == 250


def test_days_outside_the_table_are_refused() -> None:
    with pytest.raises(DataError, match="does not know 1950-01-03"):
        expiry_moments(days("1950-01-03"))
    with pytest.raises(DataError, match="does not know 2077-01-04"):
        expiry_moments(days("2077-01-04"))


def test_midnight_follows_summer_time() -> None:
    assert midnight("2015-12-24") == np.datetime64("2015-12-24T05:00", "ns")
    assert midnight(date(2014, 6, 5)) == np.datetime64("2014-06-05T04:00", "ns")
