"""A run that places orders, says so, and waits to be killed: ``python -m tests.live.dying_run``."""

from __future__ import annotations

import os
import sys
import time

from ib_async import IB, LimitOrder, Stock

from mmquant.brokers.ibkr_sweep import Address
from mmquant.data.store.run_folder import RunFolder
from mmquant.live.watchdog import Watchdog


def place(ib: IB, reference: str, prices: list[float]) -> None:
    """Place bids, and wait until all of them work."""
    (stock,) = ib.qualifyContracts(Stock("AAPL", "SMART", "USD"))
    trades = [
        ib.placeOrder(stock, LimitOrder("BUY", 100, price, orderRef=f"{reference}{i + 1}"))
        for i, price in enumerate(prices)
    ]
    while any(trade.orderStatus.status != "Submitted" for trade in trades):
        ib.waitOnUpdate(timeout=1)


def main() -> None:
    folder, port, silence_s = RunFolder(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    folder.path.mkdir()
    folder.hold()
    dog = Watchdog(folder, Address("127.0.0.1", port, 5, folder.path.name), silence_s)
    ib = IB()
    ib.connect("127.0.0.1", port, clientId=5)
    place(ib, f"mm:{folder.path.name}:", [185.0, 185.5, 186.0])
    dog.beat(time.monotonic_ns())
    assert not dog.failed
    os.write(1, f"{dog.pid}\n".encode())
    sys.stdin.read()


if __name__ == "__main__":
    main()
