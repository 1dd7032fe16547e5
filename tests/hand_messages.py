"""Random messages of a trader, and configurations of runs that hear them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mmquant.data.hand_fields import COLUMNS

HEADER = ",".join(COLUMNS) + "\n"
ORDERS: tuple[dict, ...] = ({}, {"requote": "modify"}, {"tif": "gtd", "lifetime_s": 0.3})
TRIGGERS = (["timer"], ["book"], ["trade"], ["timer", "own"], ["timer", "book", "trade", "own"])

MESSAGES = st.one_of(
    st.tuples(
        st.sampled_from(["theo", "offset"]),
        st.sampled_from(["0", "2"]),
        st.sampled_from(["", "10", "10.03", "-0.02", "0.05", "1000"]),
        st.sampled_from(["", "0.000000001", "0.05", "0.1", "2"]),
    ).map(lambda m: (m[0], m[1], m[2] or ("" if m[0] == "theo" else "0"), m[3])),
    st.sampled_from(["halt", "resume", "resume"]).map(lambda what: (what, "", "", "")),
    st.tuples(
        st.sampled_from(["max_position_lots", "max_order_lots", "max_open_orders"]),
        st.sampled_from(["1", "3", "20"]),
    ).map(lambda m: (m[0], "", m[1], "")),
    st.sampled_from([("kill", "", "", ""), ("max_loss_ccy", "", "0.01", "")]),
)
"""What, symbol, value and for_s."""
WHEN = st.tuples(st.integers(0, 10**6), st.sampled_from([0, 0, 0, 1, -1, 10_000_000]))
"""One of the times of the run, and how far from it. [ns]"""


def config_of(on: list[str], subscriber: bool, **more: Any) -> dict[str, Any]:
    profile = {"name": "ibkr" if subscriber else "ideal", "beside": []}
    return {
        "decision": {"interval_ns": 50_000_000, "on": on},
        "latency": {"entry_ns": 1_000_000, "response_ns": 30_000_000},
        "limits": {"one_sided": "hold", "max_position_lots": 30},
        "profile": profile | {"ibkr": {"depth_symbols": ["2"]}},
    } | more
