"""Orders in doubt are asked about, ever more slowly, and never concluded about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigInvalid
from domain.identifiers import ClientOrderId, RunId, client_order_id
from domain.lifecycle import State
from domain.order import Side, TimeInForce
from domain.units import NS_PER_SECOND, Lots, Price
from router.recovery import Inquiry, RecoverySettings, due_ns, inquiries, query_delay_ns
from router.working_orders import Order

SECOND = NS_PER_SECOND
PATIENCE = RecoverySettings()


def order_id(sequence: int) -> ClientOrderId:
    return client_order_id(RunId(1), sequence)


def an_order(sequence: int = 1, state: State = State.SUBMITTED, ts_s: int = 100, **terms: int) -> Order:
    return Order(
        client_order_id=order_id(sequence),
        symbol="BTC",
        side=Side.BUY,
        price=Price(64_000_0),
        lots=Lots(100),
        asked_lots=Lots(100),
        time_in_force=TimeInForce.GTC,
        post_only=True,
        reduce_only=False,
        decision_mid_x2=0,
        ts_state_ns=ts_s * SECOND,
        state=state,
        **terms,
    )


@pytest.mark.parametrize("state", [State.SUBMITTED, State.PENDING_CANCEL, State.PENDING_REPLACE])
def test_waiting_order_is_asked_about_when_its_answer_is_overdue(state: State) -> None:
    order = an_order(state=state, ts_asked_ns=100 * SECOND)
    assert () == inquiries([order], 105 * SECOND - 1, PATIENCE)
    assert (Inquiry(order_id(1), "BTC", True, 1, 106 * SECOND),) == inquiries([order], 105 * SECOND, PATIENCE)


@pytest.mark.parametrize(
    "state", [state for state in State if state not in {State.SUBMITTED, State.PENDING_CANCEL, State.PENDING_REPLACE,
                                                        State.UNKNOWN}]
)  # fmt: skip
def test_order_without_doubt_is_never_asked_about(state: State) -> None:
    order = an_order(state=state)
    assert due_ns(order, PATIENCE) is None
    assert () == inquiries([order], 10**9 * SECOND, PATIENCE)


def test_patience_counts_from_the_last_request() -> None:
    order = an_order(state=State.PENDING_CANCEL, ts_s=90, ts_asked_ns=100 * SECOND)
    assert 105 * SECOND == due_ns(order, PATIENCE)


def test_unknown_order_is_asked_about_at_once_and_then_with_growing_pauses() -> None:
    order = an_order(state=State.UNKNOWN)
    now_ns, asked_at_s = 100 * SECOND, []
    for _ in range(9):
        (inquiry,) = inquiries([order], now_ns, PATIENCE)
        assert not inquiry.is_overdue
        assert len(asked_at_s) + 1 == inquiry.attempt
        asked_at_s.append(now_ns // SECOND)
        order.queries, order.ts_query_ns = inquiry.attempt, now_ns
        assert () == inquiries([order], inquiry.ts_next_ns - 1, PATIENCE)
        now_ns = inquiry.ts_next_ns
    assert [100, 101, 103, 107, 115, 131, 161, 191, 221] == asked_at_s


def test_new_doubt_starts_with_a_question_at_once_whatever_was_asked_before() -> None:
    order = an_order(state=State.UNKNOWN, ts_s=100, queries=7, ts_query_ns=99 * SECOND)
    assert (Inquiry(order_id(1), "BTC", False, 1, 101 * SECOND),) == inquiries([order], 100 * SECOND, PATIENCE)
    overdue = an_order(state=State.PENDING_CANCEL, ts_s=90, queries=7, ts_query_ns=95 * SECOND)
    (inquiry,) = inquiries([overdue], 100 * SECOND, PATIENCE)
    assert (True, 1) == (inquiry.is_overdue, inquiry.attempt)


def test_no_number_of_questions_and_no_time_ends_the_asking() -> None:
    order = an_order(state=State.UNKNOWN, queries=10**6, ts_query_ns=10**6 * SECOND)
    assert 10**6 * SECOND + PATIENCE.query_delay_max_ns == due_ns(order, PATIENCE)
    (inquiry,) = inquiries([order], 10**9 * SECOND, PATIENCE)
    assert 10**6 + 1 == inquiry.attempt


def test_one_look_asks_about_the_longest_waiting_first_and_no_more_than_allowed() -> None:
    orders = [
        an_order(sequence, State.UNKNOWN, ts_s) for sequence, ts_s in ((1, 40), (2, 10), (3, 30), (4, 10), (5, 99))
    ]
    few = RecoverySettings(queries_max=3)
    asked = [inquiry.client_order_id for inquiry in inquiries(orders, 50 * SECOND, few)]
    assert [order_id(2), order_id(4), order_id(3)] == asked


@given(st.integers(1, 200), st.integers(1, 10**10), st.integers(0, 10**11))
def test_pauses_never_shrink_and_stay_within_bounds(attempt: int, first_ns: int, more_ns: int) -> None:
    delay_max_ns = first_ns + more_ns
    delay_ns = query_delay_ns(attempt, first_ns, delay_max_ns)
    assert first_ns <= delay_ns <= delay_max_ns
    assert delay_ns <= query_delay_ns(attempt + 1, first_ns, delay_max_ns)
    assert min(first_ns * 2 ** (attempt - 1), delay_max_ns) == delay_ns


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("answer_timeout_ns", 0),
        ("query_delay_first_ns", 999_999),
        ("query_delay_max_ns", SECOND - 1),
        ("queries_max", 0),
    ],
)
def test_settings_name_the_key_that_cannot_be_used(key: str, value: int) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        RecoverySettings(**{key: value}).validated()
    assert (key, value) == (refused.value.key, refused.value.value)


def test_settings_pass_as_they_come() -> None:
    assert PATIENCE == PATIENCE.validated()
