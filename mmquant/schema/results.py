"""Tables of a run."""

from __future__ import annotations

from mmquant.core.dtypes import ActionKind, OrderState, OrderType, Reason, TimeInForce
from mmquant.schema.columns import INST, NS, SIDES, SYMBOL, VENUE, Column, Table, timestamp

_ORDER_ID = Column("order_id", "int64", "id", "Own order.")
_SIDE = Column("side", "int8", "code", "+1 buy, -1 sell.", codes=SIDES)
_TYPE = Column("order_type", "int8", "code", "Order type.", codes=OrderType)
_TIF = Column("tif", "int8", "code", "Time in force.", codes=TimeInForce)
_REASON = Column("reason", "int16", "code", "Why it was done or ended.", codes=Reason)

QUOTES = Table(
    "quotes",
    "frame",
    ("row",),
    "Quote instructions: everything that the local half asked for.",
    (
        timestamp("Time of the decision, on the local clock."),
        INST,
        SYMBOL,
        VENUE,
        Column("action", "int8", "code", "What is asked for.", codes=ActionKind),
        _ORDER_ID,
        Column("side", "int8", "code", "+1 buy, -1 sell, 0 both or none.", codes=(-1, 0, 1)),
        Column("price", "float64", "ccy", "Price wanted.", nullable=True),
        Column("size", "float64", "units", "Size wanted."),
        _TYPE,
        _TIF,
        _REASON,
        Column("position", "float64", "units", "Inventory at the decision."),
    ),
)

ORDERS = Table(
    "orders",
    "frame",
    ("row",),
    "Own orders in their last known state.",
    (
        _ORDER_ID,
        INST,
        SYMBOL,
        VENUE,
        _SIDE,
        _TYPE,
        _TIF,
        Column("price", "float64", "ccy", "Last confirmed price.", nullable=True),
        Column("size", "float64", "units", "Last confirmed size."),
        Column("status", "int8", "code", "State of the order.", codes=OrderState),
        Column("filled_qty", "float64", "units", "Size filled."),
        Column("avg_price", "float64", "ccy", "Average fill price.", nullable=True),
        Column("submit_time", "int64", NS, "Time of submission, on the local clock."),
        Column("ack_time", "int64", NS, "Time of the acknowledgement, 0 if there was none."),
        Column("cancel_time", "int64", NS, "Time of the end: cancelled, filled, rejected or "
               "expired; 0 while open."),
        _REASON,
        Column("position", "float64", "units", "Inventory when it was submitted."),
    ),
)  # fmt: skip

FILLS = Table(
    "fills",
    "frame",
    ("row",),
    "Executions of own orders.",
    (
        timestamp("Time of local receipt."),
        Column("exch_ts", "int64", NS, "Time at the exchange."),
        _ORDER_ID,
        INST,
        SYMBOL,
        VENUE,
        _SIDE,
        Column("price", "float64", "ccy", "Exact price of the fill."),
        Column("size", "float64", "units", "Size filled."),
        Column("lots", "int32", "lots", "Size filled, in lots."),
        Column("liquidity", "int8", "code", "+1 maker, -1 taker.", codes=SIDES),
        Column("fee", "float64", "ccy", "Fee; negative is a rebate."),
        Column("mid", "float64", "ccy", "Exchange mid just before the fill.", nullable=True),
        Column("spread_capture", "float64", "ccy", "side * (mid - price) * size * multiplier.",
               nullable=True),
        Column("position", "float64", "units", "Position after the fill."),
        _REASON,
    ),
)  # fmt: skip


def _step(
    name: str, unit: str, text: str, dtype: str = "float64", nullable: bool = False
) -> Column:
    return Column(name, dtype, unit, text, nullable=nullable)


PATH = Table(
    "path",
    "dataset",
    ("time", "inst"),
    "The run step by step: one row per decision and instrument.",
    (
        Column("time", "int64", NS, "Time of the decision, on the local clock.", dims=("time",)),
        Column("symbol", "str", "", "Symbol of the instrument.", dims=("inst",)),
        _step("bid", "ccy", "Best bid seen.", nullable=True),
        _step("ask", "ccy", "Best ask seen.", nullable=True),
        _step("mid", "ccy", "Middle of bid and ask.", nullable=True),
        _step("position", "units", "Position."),
        _step("cash", "ccy", "Cash from trading, without fees."),
        _step("fees", "ccy", "Fees paid so far."),
        _step("equity", "ccy", "cash + position * mid * multiplier - fees.", nullable=True),
        _step("spread_pnl", "ccy", "Sum of spread captures.", nullable=True),
        _step("inventory_pnl", "ccy", "Gain of the position from moves of the mid.", nullable=True),
        _step("own_bid", "ccy", "Own best working bid.", nullable=True),
        _step("own_ask", "ccy", "Own best working ask.", nullable=True),
        _step("fills", "", "Fills so far.", "int64"),
        _step("open_orders", "", "Own orders not ended.", "int32"),
        _step("volume", "units", "Size traded so far."),
    ),
)

RUN = Table(
    "run",
    "dict",
    (),
    "The manifest of a run, `run.json`. It holds no wall clock: same inputs, same bytes.",
    (
        Column("schema", "str", "", "Always `run`."),
        Column("schema_version", "int", "", "Version of this layout."),
        Column("name", "str", "", "Name of the run."),
        Column("mode", "str", "", "backtest or replay."),
        Column("config", "dict", "", "The whole configuration."),
        Column("seed", "int", "", "Seed of all randomness."),
        Column("versions", "dict", "", "Versions of mmquant, Python and the libraries."),
        Column("inputs", "list", "", "Input files: name, sha256, bytes."),
        Column("tape", "dict", "", "rows, date, level, symbols, first_ts, last_ts, notes, counts."),
        Column("fill_model", "dict", "", "mode, queue, queue_power."),
        Column("latency", "dict", "ns", "Latencies, by name."),
        Column("strategy", "dict", "", "Name of the strategy, and its parameters."),
        Column("fees", "dict", "", "schedule, source, applied_from, notes."),
        Column("notes", "list", "", "Sentences on what the run assumed."),
        Column("told", "list", "", "Messages from outside, as lines of a `hand.file`."),
        Column("profile", "str", "", "What of the market was seen: ideal or ibkr."),
        Column("views", "dict", "sha256", "Digest of each view saved with the run, by profile.",
               optional=True),
        Column("contracts", "list", "", "The contract table, as dicts."),
        Column("feasibility", "dict", "", "Would joining the best have paid: a flat dict for each "
               "of the most active `instruments`, and how many are `left_out`."),
        Column("summary", "dict", "", "Results as flat numbers."),
        Column("digest", "str", "sha256", "Digest of the four tables."),
    ),
)  # fmt: skip
