"""The size of the ledger reaches the metrics, seldom, and its failure reaches nobody."""

from prometheus_client.parser import text_string_to_metric_families

from bot.ledger_size import EVERY_NS, LedgerGauge
from bot.projection import Projection
from ledger.store import LedgerStore
from monitoring.measure import Measurements
from tests.ledger.ledger_builders import BTC, ETH, a_record, flat
from tests.ledger.ledger_story import a_story


class Clock:
    def __init__(self):
        self.now_ns = 5

    def __call__(self):
        return self.now_ns


def test_size_is_told_at_once_and_then_every_quarter_of_a_minute(tmp_path):
    store = LedgerStore(f"sqlite:///{tmp_path / 'ledger.db'}")
    store.begin_run(a_record())
    told, clock = [], Clock()
    gauge = LedgerGauge(store, lambda rows, size: told.append((rows["runs"], size)), clock=clock)
    for later_ns in (0, 1, EVERY_NS - 1, EVERY_NS, EVERY_NS + 1, 2 * EVERY_NS):
        clock.now_ns = 5 + later_ns
        gauge.look()
    store.close()
    assert 3 == len(told)
    assert all(rows == 1 and size > 0 for rows, size in told)


def test_ledger_that_does_not_answer_is_told_by_others(tmp_path):
    path = tmp_path / "ledger.db"
    store = LedgerStore(f"sqlite:///{path}")
    store.close()
    path.write_bytes(b"no ledger any more" * 1000)
    told = []
    LedgerGauge(store, lambda *size: told.append(size)).look()
    assert [] == told


def test_projection_tells_the_size_while_it_writes_and_while_it_rests(tmp_path):
    """The gauge is asked on the projection's thread and ends in the metrics."""
    store = LedgerStore(f"sqlite:///{tmp_path / 'ledger.db'}")
    store.begin_run(a_record())
    measurements = Measurements({"BTC": BTC, "ETH": ETH})
    gauge = LedgerGauge(store, measurements.set_ledger_size, every_ns=0)
    projection = Projection(store, batch_notices=50, between=gauge.look)
    outcomes = a_story()[0]
    for outcome in outcomes:
        projection.put(outcome)
    projection.start()
    assert projection.stop(60)
    rows = store.size().rows
    store.close()
    assert 0 == projection.backlog
    assert rows == shown(measurements)
    assert len(flat(outcomes)) > rows["transitions"] > 0


def shown(measurements):
    text = measurements.exposition(0, "")[0].decode()
    return {
        sample.labels["table"]: int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.endswith("ledger_rows")
    }
