"""What an official client of Interactive Brokers finds at a gateway: ``PORT CLIENT_ID``, JSON out.

Runs in an environment of its own, with ibapi 9.81 or 10.50, and imports nothing of this project.
"""

import json
import queue
import sys
import threading
import time

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.wrapper import EWrapper

try:
    from ibapi.order_cancel import OrderCancel
except ImportError:
    OrderCancel = None
WAIT_S = 30.0


class App(EWrapper, EClient):
    """Puts all that is called into a queue, in order."""

    def __init__(self):
        EWrapper.__init__(self)
        EClient.__init__(self, self)
        self.calls = queue.Queue()

    def connect_as(self, port, client_id):
        self.connect("127.0.0.1", port, client_id)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def until(self, name, fits=lambda *a: True):
        """The arguments of the next call of this name that fits."""
        end = time.monotonic() + WAIT_S
        while True:
            left = end - time.monotonic()
            try:
                found, args = self.calls.get(timeout=max(left, 0.001))
            except queue.Empty:
                raise TimeoutError(f"no {name} came") from None
            if found == name and fits(*args):
                return args

    def first_id(self):
        """The next order id, or None where the client's number is still taken."""
        while True:
            found, args = self.calls.get(timeout=WAIT_S)
            if found == "nextValidId":
                return args[0]
            if found == "error" and 326 in args:
                return None

    def until_end(self, name, end):
        """Arguments of all calls of a name before the one that ends the list."""
        found = []
        while True:
            called, args = self.calls.get(timeout=WAIT_S)
            if called == name:
                found.append(args)
            elif called == end:
                return found


def record(name):
    def method(self, *args, **kwargs):
        self.calls.put((name, (*args, *kwargs.values())))

    return method


NAMES = [
    "nextValidId", "managedAccounts", "contractDetails", "contractDetailsEnd", "tickPrice",
    "tickSize", "updateMktDepth", "updateMktDepthL2", "tickByTickBidAsk", "tickByTickAllLast",
    "tickOptionComputation", "securityDefinitionOptionParameter",
    "securityDefinitionOptionParameterEnd", "historicalData", "historicalDataEnd", "openOrder",
    "orderStatus", "execDetails", "execDetailsEnd", "commissionReport", "error",
    "commissionAndFeesReport", "openOrderEnd", "marketRule", "position", "positionEnd",
    "accountSummary", "accountSummaryEnd", "historicalTicksLast", "completedOrder",
    "completedOrdersEnd", "currentTime",
]  # fmt: skip
for each in NAMES:
    setattr(App, each, record(each))


def contract(**fields):
    one = Contract()
    one.symbol, one.currency, one.exchange = "AAPL", "USD", "SMART"
    for name, value in fields.items():
        setattr(one, name, value)
    return one


def order(action, quantity, kind, price=None):
    one = Order()
    one.action, one.totalQuantity, one.orderType = action, quantity, kind
    if price is not None:
        one.lmtPrice = price
    one.eTradeOnly = one.firmQuoteOnly = False
    return one


def status(app, order_id, wanted):
    return app.until("orderStatus", lambda i, s, *a: i == order_id and s == wanted)


def cancel(app, order_id):
    if OrderCancel is None:
        app.cancelOrder(order_id)
    else:
        app.cancelOrder(order_id, OrderCancel())


def error_of(app, order_id, code):
    return app.until("error", lambda i, *a: i == order_id and code in a[:2])


def market_data(app, facts):
    stock = contract(secType="STK")
    app.reqContractDetails(1, stock)
    details = app.until("contractDetails")[1]
    facts["con_id"], facts["min_tick"] = details.contract.conId, details.minTick
    facts["rules"] = details.marketRuleIds
    app.reqMarketRule(int(details.marketRuleIds.split(",")[0]))
    facts["rule"] = [[x.lowEdge, x.increment] for x in app.until("marketRule")[1]]
    app.reqSecDefOptParams(2, "AAPL", "", "STK", details.contract.conId)
    chain = app.until("securityDefinitionOptionParameter", lambda i, e, *a: e == "SMART")
    facts["expiries"], facts["strikes"] = sorted(chain[5]), sorted(chain[6])
    option = contract(secType="OPT", strike=190.0, right="C", multiplier="100")
    option.lastTradeDateOrContractMonth = facts["expiries"][0]
    app.reqContractDetails(3, option)
    facts["option"] = app.until("contractDetails")[1].contract.localSymbol
    app.reqMktData(4, stock, "233", False, False, [])
    facts["bid"] = app.until("tickPrice", lambda i, t, p, a: i == 4 and t == 1)[2]
    facts["ask"] = app.until("tickPrice", lambda i, t, p, a: i == 4 and t == 2)[2]
    app.reqMktData(5, option, "", False, False, [])
    model = app.until("tickOptionComputation", lambda i, t, *a: i == 5 and t == 13)
    facts["model_vol"], facts["model_delta"] = model[3], model[4]
    for req_id, smart, venue, name in ((6, True, "SMART", "updateMktDepthL2"),
                                       (7, False, "ARCA", "updateMktDepth")):  # fmt: skip
        app.reqMktDepth(req_id, contract(secType="STK", exchange=venue), 5, smart, [])
        rows = [app.until(name, lambda i, *a, r=req_id: i == r) for _ in range(10)]
        facts[name] = len({tuple(row[1:4]) for row in rows}) > 1
        app.cancelMktDepth(req_id, smart)
    app.reqTickByTickData(8, stock, "BidAsk", 0, False)
    tick = app.until("tickByTickBidAsk")
    facts["tick_by_tick"] = tick[2] < tick[3]
    app.reqHistoricalData(9, stock, "", "1 D", "1 hour", "TRADES", 0, 1, False, [])
    facts["bars"] = len(app.until_end("historicalData", "historicalDataEnd"))
    app.cancelTickByTickData(8)
    app.cancelMktData(5)
    return stock


def trade(app, facts, stock, order_id):
    far = round(facts["bid"] - 1.0, 2)
    app.placeOrder(order_id, stock, order("BUY", 100, "LMT", far))
    status(app, order_id, "Submitted")
    app.placeOrder(order_id, stock, order("BUY", 200, "LMT", round(far - 0.05, 2)))
    opened = app.until(
        "openOrder", lambda i, c, o, s: i == order_id and float(o.totalQuantity) == 200
    )
    facts["modified"] = [float(opened[2].totalQuantity), opened[2].lmtPrice]
    cancel(app, order_id)
    status(app, order_id, "Cancelled")
    facts["cancel_code"] = 202 in error_of(app, order_id, 202)
    app.placeOrder(order_id + 1, stock, order("BUY", 100, "MKT"))
    fill = app.until("execDetails", lambda r, c, e: e.orderId == order_id + 1)[2]
    facts["filled"] = [float(fill.shares), fill.price > 0, fill.side]
    name = "commissionReport" if OrderCancel is None else "commissionAndFeesReport"
    report = app.until(name, lambda r: r.execId == fill.execId)[0]
    facts["commission"] = getattr(report, "commission", None) or report.commissionAndFees
    partial(app, facts, stock, order_id + 2)
    app.placeOrder(order_id + 3, stock, order("SELL", 100, "LMT", round(far + 5.0, 2)))
    status(app, order_id + 3, "Submitted")
    app.reqGlobalCancel() if OrderCancel is None else app.reqGlobalCancel(OrderCancel())
    status(app, order_id + 3, "Cancelled")
    facts["global_cancel"] = True


def partial(app, facts, stock, order_id):
    """More than the best level shows: some is filled, the rest works until all is cancelled."""
    app.reqMktData(20, stock, "", True, False, [])
    ask = app.until("tickPrice", lambda i, t, p, a: i == 20 and t == 2)[2]
    app.placeOrder(order_id, stock, order("BUY", 5000, "LMT", ask))
    app.until("execDetails", lambda r, c, e: e.orderId == order_id)
    done = app.until("orderStatus", lambda i, s, f, *a: i == order_id and float(f) > 0)
    facts["partial"] = float(done[2]) > 0


def main(port, client_id):
    facts = {}
    app = App()
    app.connect_as(port, client_id)
    facts["accounts"] = app.until("managedAccounts")[0]
    order_id = app.until("nextValidId")[0]
    facts["version"] = app.serverVersion()
    stock = market_data(app, facts)
    trade(app, facts, stock, order_id)
    last = order_id + 10
    app.placeOrder(last, stock, order("BUY", 100, "LMT", round(facts["bid"] - 2.0, 2)))
    status(app, last, "Submitted")
    app.disconnect()
    app.thread.join(WAIT_S)
    first = None
    while first is None:
        again = App()
        again.connect_as(port, client_id)
        first = again.first_id()
    facts["next_id"] = first > last
    again.reqOpenOrders()
    facts["still_open"] = [args[0] for args in again.until_end("openOrder", "openOrderEnd")] == [
        last
    ]
    again.reqExecutions(1, ExecutionFilter())
    facts["executions"] = len(again.until_end("execDetails", "execDetailsEnd")) >= 2
    again.reqPositions()
    facts["position"] = sum(float(args[2]) for args in again.until_end("position", "positionEnd"))
    again.reqCompletedOrders(False)
    facts["completed"] = len(again.until_end("completedOrder", "completedOrdersEnd")) > 0
    cancel(again, last)
    status(again, last, "Cancelled")
    again.disconnect()
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
