"""Each test has an event loop of its own, as ib_async asks for one wherever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def own_loop() -> Iterator[asyncio.AbstractEventLoop]:
    one = asyncio.new_event_loop()
    asyncio.set_event_loop(one)
    yield one
    one.run_until_complete(asyncio.sleep(0))  # What hung up closes its sockets.
    one.close()
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with own_loop() as one:
        yield one
