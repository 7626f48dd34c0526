"""`hat backtest`: the paper bot's engine, venue and ledger, as fast as they go, over recorded data."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backtest.runner import Driver, run_to_end
from backtest.tally import Tally
from bot.app import ready_state_dir, run_record
from bot.clock import monotonic_ns
from bot.config import HatConfig, config_hash, engine_settings, log_path, strategy, venue_settings
from bot.markets import OpenedMarket
from bot.projection import Projection
from bot.run_ids import derived_run_id
from bot.state_lock import StateLock
from domain.errors import ConfigInvalid
from domain.events import Event
from domain.units import NS_PER_SECOND
from engine.machine import Engine, Outcome
from exchange.simulated.exchange import SimulatedExchange
from ledger.rows import run_key
from ledger.store import LedgerStore
from monitoring.logs import EventLog
from monitoring.records import Describer

LEFTOVERS = ("", "-wal", "-shm")


def run_backtest(
    config: HatConfig, market: OpenedMarket, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Run one recording to its end and return the summary. progress is called with the engine's time now and then.

    Ledger and log lie in `backtests/` of the state directory under the name of the data; a later backtest of the same
    data replaces them.
    """
    run_id = derived_run_id("backtest", market.name, config_hash(config))
    place, lock = _place(ready_state_dir(config), market.name)
    engine = Engine(engine_settings(config, run_id, market.instruments), strategy(config))
    instruments = {one.symbol: one for one in market.instruments}
    exchange = SimulatedExchange(instruments, market.feed, venue_settings(config))
    ledger = place / "ledger.db"
    store = LedgerStore(f"sqlite:///{ledger}")
    store.begin_run(run_record(config, market, "backtest", engine))
    projection = Projection(store)
    log = EventLog(place / log_path(config).name, config.monitoring.log_level)
    describer = Describer(instruments)
    tally = Tally()

    def watch(event: Event, outcome: Outcome) -> None:
        tally.take(event, outcome)
        if outcome.notices:
            projection.put(outcome.notices)
            for notice in outcome.notices:
                log.write(describer.record(notice), notice.ts_ns)

    started = monotonic_ns()
    driver = Driver(engine, exchange, watch=watch)
    try:
        run_to_end(driver, progress)
        projection.stop(0)
        store.end_run(engine.state.now_ns)
    finally:
        store.close()
        log.close()
        lock.release()
    seconds = (monotonic_ns() - started) / NS_PER_SECOND
    summary = tally.summary(engine.state, seconds, str(ledger), str(log.path))
    summary["data"] = market.name
    summary["notes"] = list(market.notes)
    summary["run_id"] = run_key(run_id)
    summary["market_seconds"] = round((market.end_ns - market.start_ns) / NS_PER_SECOND, 3)
    summary["proofs"] = driver.checks
    # A configured database is stronger than a state directory.
    asked = ("--url", f"sqlite:///{ledger}") if config.ledger.url else ("--state-dir", str(place))
    summary["read_with"] = shlex.join(("hat", "ledger", "summary", *asked))
    return summary


def _place(state_dir: Path, name: str) -> tuple[Path, StateLock]:
    """Return an empty folder for one backtest, and the right to write into it."""
    safe = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name).strip(".") or "data"
    place = state_dir / "backtests" / safe
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = StateLock(place)
        for tail in LEFTOVERS:
            (place / f"ledger.db{tail}").unlink(missing_ok=True)
        (place / "hat.log").unlink(missing_ok=True)
    except OSError as error:
        raise ConfigInvalid(
            "bot.state_dir", str(place), f"a directory that can be written ({error.strerror})"
        ) from None
    return place, lock
