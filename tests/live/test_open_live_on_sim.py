"""A live run on the plain simulated broker: it reconciles at its start, and then trades."""

from __future__ import annotations

from collections import Counter

import pytest

import mmquant as mm
from mmquant.brokers.sim import sim_broker
from mmquant.brokers.truth import open_orders
from mmquant.core.dtypes import ActionKind
from mmquant.data.store.run_folder import RunFolder
from mmquant.live.recovery import open_live
from mmquant.trading.halves import open_session
from tests.live.test_kill import CONFIG

pytestmark = pytest.mark.compiled


@pytest.fixture
def run(tmp_path):
    tape = mm.make_demo_tape(seed=5, minutes=0.4)
    session = open_session(mm.Config.from_dict(CONFIG), tape)
    broker = sim_broker(session.config, tape)
    folder = RunFolder(tmp_path / "run")
    loop, found = open_live(folder, session, broker, keep_logs=True)
    assert found is None
    yield loop, broker, session
    folder.let_go()


def test_it_quotes_once_the_exchange_has_answered(run) -> None:
    loop, broker, session = run
    logs = loop.run()
    instructions, fills = logs.rows("instructions"), logs.rows("fills")
    sent = Counter(ActionKind(int(row["action"])) for row in instructions)
    assert sent[ActionKind.QUERY] == 1, "all is asked for once, and answered"
    assert sent[ActionKind.PLACE] > 30 and len(fills) > 5
    first = next(r for r in instructions if r["action"] == ActionKind.PLACE)
    latency = session.config.latency
    assert first["timestamp"] >= broker.start_ts + latency.entry_ns + latency.response_ns
    assert loop.step.local.set[0]["link"] == 0
    bought = sum(int(f["side"]) * int(f["lots"]) for f in fills)
    assert loop.step.local.position[0]["lots"] == bought


def test_a_kill_is_verified_by_the_exchange(run) -> None:
    loop, broker, _ = run
    decide = loop._decide

    def counted(progress) -> None:
        decide(progress)
        if loop.decisions == 50:
            loop.kill("test")

    loop._decide = counted
    loop.run()
    assert loop.switch.verified and not loop.switch.escalated
    assert open_orders(broker.exchange) == {}
