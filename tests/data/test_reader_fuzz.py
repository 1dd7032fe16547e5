"""Damaged files end in an error that a user can act on, never in another one."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

import mmquant as mm
from mmquant.data.chains import cboe, lean, parquet
from mmquant.data.readers import binance, lobster
from mmquant.errors import MMQuantError
from tests.data.binance_feed import Feed
from tests.data.cboe_tables import AM, PM, table
from tests.data.lean_files import CALL, PUT, bar
from tests.data.lean_files import market as lean_market
from tests.data.lobster_market import (
    NAME,
    as_text,
    market,
    message_lines,
    window_lines,
    write_pair,
    write_zip,
)

BITS = (b"nan", b"-1", b"", b"9999999999", b"9" * 20, b"1e5", b"\xff\xfe", b"0", b"abc", b",",
        b"\n", b"\0", b'"', b"{", b"null", b"1.5", b" ", b"inf", b"+5")  # fmt: skip


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """The bytes with up to three faults: a byte, a token, a cut, lines swapped or lost."""
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randrange(len(raw) + 1), rng.random()
        if kind < 0.35:
            raw = raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
        elif kind < 0.7:
            raw = raw[:at] + rng.choice(BITS) + raw[at + rng.randint(0, 8) :]
        elif kind < 0.8:
            raw = raw[:at]
        else:
            lines = raw.split(b"\n")
            a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            raw = b"\n".join(lines[: None if kind < 0.9 else -1])
    return raw


def read_both(reader, path: Path, **options) -> None:
    for lenient in (False, True):
        try:
            reader(path, lenient=lenient, **options)
        except MMQuantError as error:
            assert error.what and error.where


def rounds(n: int) -> list:
    return [*range(n), *(pytest.param(s, marks=pytest.mark.soak) for s in range(n, 100 * n))]


@pytest.mark.parametrize("seed", rounds(10))
def test_lobster(tmp_path, seed) -> None:
    rng = random.Random(seed)
    made = market(5, seed % 7, 80)
    message = write_pair(tmp_path, 5, message_lines(made), window_lines(made))
    book = message.with_name(NAME.format(what="orderbook", levels=5))
    for _ in range(3):
        message.write_bytes(damaged(as_text(message_lines(made)).encode(), rng))
        read_both(lobster.check_book, message)
        read_both(lobster.read, message, orderbook="none")
        message.write_text(as_text(message_lines(made)))
        book.write_bytes(damaged(as_text(window_lines(made)).encode(), rng))
        read_both(lobster.check_book, message)
        book.write_text(as_text(window_lines(made)))
        archive = write_zip(tmp_path, made)
        archive.write_bytes(damaged(archive.read_bytes(), rng))
        read_both(lobster.read, archive)


@pytest.mark.parametrize("seed", rounds(10))
def test_binance(tmp_path, seed) -> None:
    rng = random.Random(seed)
    raw = Feed(seed % 7, steps=40).text().encode()
    path = tmp_path / "log"
    for data in (damaged(raw, rng), damaged(raw, rng), damaged(gzip.compress(raw), rng)):
        path.write_bytes(data)
        read_both(binance.read, path)
        read_both(binance.read, path, clock="recorded")


@pytest.mark.parametrize("seed", rounds(10))
def test_lean_quotes(tmp_path, seed) -> None:
    rng = random.Random(seed)
    text = "".join(bar((m, 1.0 + m % 7 / 10, 2.0)) + "\n" for m in range(570, 600)).encode()
    for name in (CALL, PUT):
        root = lean_market(tmp_path, options={name: damaged(text, rng)})
        read_both(lean.read, root)
    path = root / "option" / "twx" / "20140605_quote_american.zip"
    path.write_bytes(damaged(path.read_bytes(), rng))
    read_both(lean.read, root)


@pytest.mark.parametrize("seed", rounds(10))
def test_cboe_quotes(tmp_path, seed) -> None:
    rng = random.Random(seed)
    path = table(tmp_path / "a.csv", *[AM, PM] * 4)
    raw = path.read_bytes()
    for data in (damaged(raw, rng), damaged(raw, rng), damaged(gzip.compress(raw), rng)):
        path.write_bytes(data)
        read_both(cboe.read, path)
    mm.write_option_quotes(cboe.read(table(path, AM)),
                           tmp_path / "a.parquet")  # fmt: skip
    path = tmp_path / "a.parquet"
    path.write_bytes(damaged(path.read_bytes(), rng))
    read_both(parquet.read, path)
