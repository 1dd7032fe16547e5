"""A run that places orders, says so, and waits to be killed: ``python -m tests.live.dying_run``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ib_async import IB, LimitOrder, Stock

from mmquant.live.watchdog import Watchdog


def place(ib: IB, reference: str, prices: list[float]) -> None:
    """Place bids, and wait until all of them work."""
    (stock,) = ib.qualifyContracts(Stock("AAPL", "SMART", "USD"))
    trades = [
        ib.placeOrder(stock, LimitOrder("BUY", 100, price, orderRef=f"{reference}{i + 1}"))
        for i, price in enumerate(prices)
    ]
    while any(trade.orderStatus.status != "Submitted" for trade in trades):
        ib.waitOnUpdate()


def main() -> None:
    folder, port, timeout_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    with Watchdog(folder, host="127.0.0.1", port=port, client_id=5, timeout_s=timeout_s) as dog:
        ib = IB()
        ib.connect("127.0.0.1", port, clientId=5)
        place(ib, f"mm:{folder.name}:", [185.0, 185.5, 186.0])
        assert dog.beat()
        os.write(1, b"placed\n")
        sys.stdin.read()


if __name__ == "__main__":
    main()
