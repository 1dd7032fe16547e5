"""The main job: what would have been filled, and what would have been kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import xarray as xr

from mmquant.config import Config
from mmquant.data.runs import Run
from mmquant.data.tape import contracts_of
from mmquant.research.calibration.settings import calibrated
from mmquant.trading.arguments import check_arguments
from mmquant.trading.compiled import run_halves
from mmquant.trading.halves import Session, configured_tape, make_halves, open_session
from mmquant.trading.maker import Maker
from mmquant.trading.profiles import views_beside, with_profile
from mmquant.trading.results import make_run
from mmquant.trading.strategy import Strategy


def backtest(
    config: Config | None = None,
    tape: xr.Dataset | None = None,
    *,
    strategy: Strategy | None = None,
    params: Mapping[str, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Run a strategy over a tape with both halves compiled.

    Parameters
    ----------
    config : settings; all defaults if not given.
    tape : a tape Dataset; read from ``config.tape`` if not given.
    strategy : in place of the configured one.
    params : strategy parameters over the configured ones.
    progress : called now and then with rows done and rows in all, those of the views too.

    Returns
    -------
    Run
        tables of fills, orders and quote instructions, the step path, and the manifest; in
        ``views`` the same day under the profiles that ``profile.beside`` names.

    Raises
    ------
    MMQuantError
        where configuration, tape or strategy do not fit together.
    """
    check_arguments(config=config, tape=tape, strategy=strategy)
    settings = config or Config()
    if settings.quoting.calibrate_s is not None:
        tape = configured_tape(settings) if tape is None else tape
        settings = calibrated(settings, tape)
    session = open_session(settings, tape, strategy, params)
    known = session.strategy  # loaded and compiled once, whatever the profiles
    wanted = params if isinstance(known, Maker) else session.params
    beside = {
        name: open_session(with_profile(session.given, name), session.tape, known, wanted)
        for name in views_beside(session.config, contracts_of(session.tape))
    }
    steps = [_part(progress, i, 1 + len(beside)) for i in range(1 + len(beside))]
    run = _run(session, steps[0])
    for (name, other), step in zip(beside.items(), steps[1:], strict=True):
        run.views[name] = _run(other, step)
    return run


def _part(
    progress: Callable[[int, int], None] | None, done: int, parts: int
) -> Callable[[int, int], None] | None:
    """Progress of one of several replays of the same tape."""
    if progress is None:
        return None
    return lambda rows, total: progress(done * total + rows, parts * total)


def _run(session: Session, progress: Callable[[int, int], None] | None) -> Run:
    halves = make_halves(
        session.config, session.tape, session.strategy, rates=session.rates, params=[session.params]
    )
    halves, logs = run_halves(halves, progress=progress)
    return make_run(
        session.config,
        session.tape,
        session.strategy,
        session.fees,
        halves.local,
        logs,
        mode="backtest",
        told=halves.inbox[: int(halves.clock[0]["inbox"])],
        given=session.given,
    )
