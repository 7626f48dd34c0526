"""A recorded day traded once and stored twice: the same run in SQLite and in PostgreSQL, to the last digit."""

import pytest

from backtest.runner import Driver, run_to_end
from bot.config import engine_settings, load, strategy, venue_settings
from bot.markets import recorded_market
from bot.projection import Projection
from domain.notices import FillBooked, OrderCreated, OrderTransitioned, TransactionPosted
from engine.machine import Engine
from exchange.simulated.exchange import SimulatedExchange
from ledger.rows import RunRecord, run_key
from tests.bot_runs import DATA
from tests.ledger.ledger_builders import RUN
from tests.ledger.ledger_story import every_row, identity

KEY = run_key(RUN)


@pytest.mark.recorded
def test_recorded_run_has_the_same_hash_on_both_databases(postgres_url, opened, tmp_path):
    """One engine over a recorded day, two projections beside it."""
    place = DATA / "hyperliquid/l2/2025-09-04"
    if not place.exists():
        pytest.skip(f"no recorded data at {place}")
    config, market = load(None, {}), recorded_market(place, None)
    engine = Engine(engine_settings(config, RUN, market.instruments), strategy(config))
    record = RunRecord(
        run_id=RUN, account=KEY, command=f"backtest {market.name}", strategy=engine.state.strategy.name, seed=0,
        config_hash="c0ffee", code_revision="0001", started_ns=market.start_ns, instruments=market.instruments,
    )  # fmt: skip
    urls = (f"sqlite:///{tmp_path / 'recorded.db'}", postgres_url)
    stores = [opened(url) for url in urls]
    projections = [Projection(store, batch_notices=size) for store, size in zip(stores, (2_000, 777), strict=True)]
    counts = dict.fromkeys((FillBooked, OrderCreated, OrderTransitioned, TransactionPosted), 0)

    def watch(_event, outcome):
        for notice in outcome.notices:
            if type(notice) in counts:
                counts[type(notice)] += 1
        for projection in projections:
            projection.put(outcome.notices)

    for store in stores:
        store.begin_run(record)
    instruments = {one.symbol: one for one in market.instruments}
    run_to_end(Driver(engine, SimulatedExchange(instruments, market.feed, venue_settings(config)), watch=watch))
    for store, projection in zip(stores, projections, strict=True):
        assert projection.stop(0)
        store.end_run(engine.state.now_ns)
    first, second = (identity(url) for url in urls)
    assert first == second
    rows = [every_row(url) for url in urls]
    assert rows[0] == rows[1]
    assert [counts[FillBooked], counts[OrderCreated], counts[OrderTransitioned], counts[TransactionPosted]] == [
        len(rows[0][name]) for name in ("fills", "orders", "transitions", "transactions")
    ]
    assert counts[FillBooked] > 10
    print(f"recorded run: {len(rows[0]['fills'])} fills, {len(rows[0]['transitions'])} moves, hash {first[KEY][0]}")
