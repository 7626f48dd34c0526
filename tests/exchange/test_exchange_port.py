"""The simulated exchange stands behind the port, and its rules are tested by number."""

import re
from pathlib import Path

from domain.units import Money
from exchange.port import ExchangePort, Statement
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.settings import VenueSettings
from tests.exchange.exchange_builders import BTC, Scene, deep_book, top


def door(exchange: ExchangePort) -> ExchangePort:
    return exchange


def test_the_simulated_exchange_is_an_exchange_port() -> None:
    port = door(SimulatedExchange({"BTC": BTC}, iter([]), VenueSettings()))
    assert port.next_ts_ns() is None
    assert port.advance() is None
    assert Statement(cash=Money(0), positions={}) == port.statement()


def test_a_step_inside_the_venue_gives_no_event_and_time_goes_on() -> None:
    scene = Scene(deep_book(0), top(500, recv_ms=900))
    port, seen = scene.port, []
    while (ts_ns := port.next_ts_ns()) is not None:
        seen.append((ts_ns, port.advance()))
    assert [ts_ns for ts_ns, _ in seen] == sorted(ts_ns for ts_ns, _ in seen)
    assert 2 == sum(event is not None for _, event in seen)
    assert any(event is None for _, event in seen)


def test_every_rule_of_the_fills_page_has_a_test_of_its_number_and_the_other_way_round() -> None:
    root = Path(__file__).resolve().parents[2]
    rules = set(re.findall(r"^(\d+)\. ", (root / "docs/FILLS.md").read_text(), re.MULTILINE))
    tested = {
        str(int(number))
        for pattern in ("test_simulated_*.py", "test_exchange_venue_*.py")
        for module in Path(__file__).parent.glob(pattern)
        for number in re.findall(r"^def test_rule_(\d+)_", module.read_text(), re.MULTILINE)
    }
    assert rules == tested
