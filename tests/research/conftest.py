"""Recorded days, read once for all tests here."""

from __future__ import annotations

import pytest
import xarray as xr

from mmquant.data.readers import read_tape

APPLE = "lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.gz"


@pytest.fixture(scope="session")
def amazon(real_data) -> xr.Dataset:
    return read_tape("lobster", real_data("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"))


@pytest.fixture(scope="session")
def apple(real_data) -> xr.Dataset:
    return read_tape("lobster", real_data(APPLE))


@pytest.fixture(scope="session")
def bitcoin(real_data) -> xr.Dataset:
    return read_tape("binance", real_data("binance/usdm_btcusdt_20240808.gz"))
