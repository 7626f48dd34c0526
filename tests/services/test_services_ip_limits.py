"""What one address may ask in a minute, exactly."""

from hypothesis import given
from hypothesis import strategies as st

from domain.units import NS_PER_SECOND
from services.venue_server.ip_limits import MINUTE_NS, IpLimits, MinuteWindow, Visitor, Visitors


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 50)), max_size=40))
def test_window_holds_exactly_the_last_minute(steps):
    window, entries, now_ns = MinuteWindow(), [], 0
    for seconds, amount in steps:
        now_ns += seconds * NS_PER_SECOND
        window.add(amount, now_ns)
        entries.append((now_ns, amount))
        assert sum(amount for ts_ns, amount in entries if ts_ns > now_ns - MINUTE_NS) == window.at(now_ns)


def test_weight_counts_after_the_answer_and_leaves_after_its_minute():
    visitor = Visitor(IpLimits(weight_per_minute=40))
    visitor.spend(60, 0)
    assert not visitor.may_ask(MINUTE_NS - 1)
    assert visitor.may_ask(MINUTE_NS)


def test_refused_sockets_and_messages_are_not_counted():
    visitor = Visitor(IpLimits(connections_max=1, messages_per_minute=1, connections_per_minute=2))
    assert [True, False, False] == [visitor.may_connect(0) for _ in range(3)]
    assert [True, False, False] == [visitor.may_send(0) for _ in range(3)]
    visitor.disconnected()
    assert visitor.may_connect(0)
    assert visitor.may_send(MINUTE_NS)


def test_addresses_do_not_share_their_limits():
    visitors = Visitors(IpLimits(messages_per_minute=1))
    assert [True, False, True] == [visitors.at(address).may_send(0) for address in ("a", "a", "b")]


def test_limits_are_those_of_the_venue():
    """Source: HYPERLIQUID 5.7, 7.1."""
    limits = IpLimits()
    assert (1200, 10, 30) == (limits.weight_per_minute, limits.connections_max, limits.connections_per_minute)
    assert (1000, 10, 2000) == (limits.subscriptions_max, limits.users_max, limits.messages_per_minute)
    assert 100 == limits.posts_in_flight_max
