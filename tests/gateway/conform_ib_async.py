"""What ib_async finds at a gateway: ``PORT CLIENT_ID``, JSON out, as conform_ibapi does."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable

import ib_async as ibi

WAIT_S = 30.0


def until(ib: ibi.IB, holds: Callable[[], object]) -> None:
    """Serve the connection until something holds."""
    end = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("it did not come")
        ib.sleep(0.001)


def changed(order: ibi.Order, quantity: float, price: float) -> ibi.Order:
    one = ibi.LimitOrder(order.action, quantity, price)
    one.orderId = order.orderId
    return one


def market_data(ib: ibi.IB, facts: dict) -> ibi.Contract:
    stock = ibi.Stock("AAPL", "SMART", "USD")
    details = ib.reqContractDetails(stock)[0]
    ib.qualifyContracts(stock)
    facts["con_id"], facts["min_tick"] = stock.conId, details.minTick
    facts["rules"] = details.marketRuleIds
    rule = ib.reqMarketRule(int(details.marketRuleIds.split(",")[0]))
    facts["rule"] = [[x.lowEdge, x.increment] for x in rule]
    chains = ib.reqSecDefOptParams("AAPL", "", "STK", stock.conId)
    chain = next(one for one in chains if one.exchange == "SMART")
    facts["expiries"], facts["strikes"] = sorted(chain.expirations), sorted(chain.strikes)
    option = ibi.Option("AAPL", facts["expiries"][0], 190.0, "C", "SMART")
    ib.qualifyContracts(option)
    facts["option"] = option.localSymbol
    ticker, quoted = ib.reqMktData(stock, "233"), ib.reqMktData(option)
    until(ib, lambda: ticker.bid > 0 and ticker.ask > 0 and quoted.modelGreeks)
    facts["bid"], facts["ask"] = ticker.bid, ticker.ask
    greeks = quoted.modelGreeks
    facts["model_vol"], facts["model_delta"] = greeks.impliedVol, greeks.delta
    depth = ib.reqMktDepth(stock, 5, isSmartDepth=True)
    until(ib, lambda: len(depth.domBids) == 5 and len(depth.domAsks) == 5)
    facts["updateMktDepthL2"] = True
    ib.cancelMktDepth(stock, isSmartDepth=True)
    venue = ibi.Stock("AAPL", "ARCA", "USD", conId=stock.conId)
    rows: list[ibi.DOMLevel] = []
    plain = ib.reqMktDepth(venue, 5)
    plain.updateEvent += lambda t: rows.extend(x for x in t.domTicks if not x.marketMaker)
    until(ib, lambda: len(rows) >= 10)
    facts["updateMktDepth"] = {row.side for row in rows} == {0, 1}
    ib.cancelMktDepth(venue)
    ticks = []
    stream = ib.reqTickByTickData(stock, "BidAsk")
    stream.updateEvent += lambda t: ticks.extend(t.tickByTicks)
    until(ib, lambda: ticks)
    facts["tick_by_tick"] = ticks[0].bidPrice < ticks[0].askPrice
    facts["bars"] = len(ib.reqHistoricalData(stock, "", "1 D", "1 hour", "TRADES", False))
    ib.cancelTickByTickData(stock, "BidAsk")
    ib.cancelMktData(option)
    return stock


def trade(ib: ibi.IB, facts: dict, stock: ibi.Contract) -> None:
    far = round(facts["bid"] - 1.0, 2)
    codes: list[int] = []
    ib.errorEvent += lambda req_id, code, *a: codes.append(code)
    one = ib.placeOrder(stock, ibi.LimitOrder("BUY", 100, far))
    until(ib, lambda: one.orderStatus.status == "Submitted")
    lower = round(far - 0.05, 2)
    ib.placeOrder(stock, changed(one.order, 200, lower))
    until(ib, lambda: one.orderStatus.remaining == 200)
    facts["modified"] = [float(one.order.totalQuantity), one.order.lmtPrice]
    ib.cancelOrder(one.order)
    until(ib, lambda: one.orderStatus.status == "Cancelled" and 202 in codes)
    facts["cancel_code"] = True
    taker = ib.placeOrder(stock, ibi.MarketOrder("BUY", 100))
    until(ib, lambda: taker.fills and taker.fills[0].commissionReport.execId)
    fill = taker.fills[0]
    facts["filled"] = [fill.execution.shares, fill.execution.price > 0, fill.execution.side]
    facts["commission"] = fill.commissionReport.commission
    snap = ib.reqTickers(stock)[0]
    large = ib.placeOrder(stock, ibi.LimitOrder("BUY", 5000, snap.ask))
    until(ib, lambda: large.fills and large.orderStatus.filled > 0)
    facts["partial"] = large.orderStatus.filled > 0
    rest = ib.placeOrder(stock, ibi.LimitOrder("SELL", 100, round(far + 5.0, 2)))
    until(ib, lambda: rest.orderStatus.status == "Submitted")
    ib.reqGlobalCancel()
    until(ib, lambda: rest.orderStatus.status == "Cancelled")
    facts["global_cancel"] = True


def main(port: int, client_id: int) -> None:
    logging.disable(logging.CRITICAL)
    facts: dict = {}
    ib = ibi.IB()
    ib.connect("127.0.0.1", port, clientId=client_id)
    facts["accounts"], facts["version"] = ",".join(ib.managedAccounts()), ib.client.serverVersion()
    stock = market_data(ib, facts)
    trade(ib, facts, stock)
    last = ib.placeOrder(stock, ibi.LimitOrder("BUY", 100, round(facts["bid"] - 2.0, 2)))
    until(ib, lambda: last.orderStatus.status == "Submitted")
    ib.disconnect()
    again = ibi.IB()
    again.connect("127.0.0.1", port, clientId=client_id)
    open_trades = again.openTrades()
    facts["next_id"] = again.client.getReqId() > last.order.orderId
    facts["still_open"] = [t.order.orderId for t in open_trades] == [last.order.orderId]
    facts["executions"] = len(again.reqExecutions()) >= 2
    facts["position"] = sum(p.position for p in again.positions())
    facts["completed"] = len(again.reqCompletedOrders(False)) > 0
    again.cancelOrder(open_trades[0].order)
    until(again, lambda: open_trades[0].orderStatus.status == "Cancelled")
    again.disconnect()
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
