"""Budgets: what goes, waits or is refused, and why."""

from hypothesis import given, strategies

from domain.units import NS_PER_SECOND
from exchange.hyperliquid.limits import (
    LIGHT_WEIGHT_MAX,
    MINUTE_NS,
    Limits,
    LimitSettings,
    MinuteWindow,
    action_weight,
    actions_in,
    question_weight,
)
from exchange.hyperliquid.requests import Ask, SendAction
from exchange.hyperliquid.wire_account import RateLimit
from exchange.hyperliquid.wire_actions import (
    BatchModifyAction,
    CancelByName,
    CancelByNameAction,
    LimitTerms,
    Modification,
    NoopAction,
    OrderKind,
    OrderTerms,
    PlaceAction,
)

ORDER = OrderTerms(
    asset=0,
    is_buy=True,
    price="1",
    size="1",
    reduce_only=False,
    kind=OrderKind(limit=LimitTerms(time_in_force="Alo")),
)


def place(count: int, *, is_exit: bool = False) -> SendAction:
    return SendAction(
        request_id=1, action=PlaceAction(orders=(ORDER,) * count, grouping="na"), nonce=1, is_exit=is_exit
    )


def ask(weight: int) -> Ask:
    return Ask(request_id=1, body={"type": "meta"}, weight=weight)


def budget(used: int, cap: int) -> RateLimit:
    return RateLimit(volume="0.0", requests_used=used, requests_cap=cap)


def test_weights_and_actions_are_those_of_the_venue():
    assert [action_weight(place(count).action) for count in (1, 39, 40, 79, 80)] == [1, 1, 2, 2, 3]
    assert actions_in(place(7).action) == 7
    assert actions_in(CancelByNameAction(cancels=(CancelByName(asset=0, client_order_id="0x"),) * 3)) == 3
    assert actions_in(BatchModifyAction(modifies=(Modification(target=1, order=ORDER),) * 2)) == 2
    assert actions_in(NoopAction()) == 1
    assert [question_weight(kind) for kind in ("l2Book", "orderStatus", "userRole", "userFills")] == [2, 2, 60, 20]


def test_orders_are_refused_with_a_sentence_when_only_the_reserve_is_left():
    limits = Limits(LimitSettings(weight_per_minute=10, weight_reserve=3))
    verdicts = [limits.admit_action(place(1), 0).verdict for _ in range(8)]
    assert verdicts == ["go"] * 7 + ["refuse"]
    refused = limits.admit_action(place(1), 0)
    assert "kept for exits" in refused.why
    assert [limits.admit_action(place(1, is_exit=True), 0).verdict for _ in range(5)] == ["go"] * 5
    assert limits.weight_left(0) == -2
    assert limits.admit_action(place(1), MINUTE_NS).verdict == "go"
    assert limits.refused == 2


def test_questions_wait_until_enough_weight_is_free():
    limits = Limits(LimitSettings(weight_per_minute=60, weight_reserve=20))
    assert limits.admit_question(ask(20), 0).verdict == "go"
    assert limits.admit_question(ask(20), NS_PER_SECOND).verdict == "go"
    waits = limits.admit_question(ask(20), 2 * NS_PER_SECOND)
    assert (waits.verdict, waits.until_ns) == ("wait", MINUTE_NS)
    assert waits.why
    assert limits.admit_question(ask(20), MINUTE_NS).verdict == "go"


def test_question_heavier_than_the_minute_goes_when_nothing_else_was_sent():
    limits = Limits(LimitSettings(weight_per_minute=40, weight_reserve=20))
    assert limits.admit_question(ask(60), 0).verdict == "go"
    assert limits.admit_question(ask(2), 1).verdict == "wait"


def test_answers_cost_more_by_their_items():
    limits = Limits(LimitSettings())
    limits.on_answer("userFillsByTime", b"[" + b",".join([b"{}"] * 45) + b"]", 0)
    assert limits.weight_left(0) == 1200 - 2
    limits.on_answer("candleSnapshot", b"[" + b",".join([b"{}"] * 125) + b"]", 0)
    assert limits.weight_left(0) == 1200 - 4
    limits.on_answer("clearinghouseState", b"[1,2,3]", 0)
    limits.on_answer("userFills", b"[1,", 0)
    assert limits.weight_left(0) == 1200 - 4


def test_address_budget_is_counted_and_its_reserve_kept_for_exits():
    limits = Limits(LimitSettings(actions_reserve=5))
    assert limits.admit_action(place(1), 0).verdict == "go"
    limits.set_address_budget(budget(used=90, cap=100))
    assert limits.admit_action(place(3), 0).verdict == "go"
    assert limits.actions_left == 7
    refused = limits.admit_action(place(3), 0)
    assert refused.verdict == "refuse"
    assert refused.why.startswith("address budget: 7 actions left, 5 are kept for exits")
    assert limits.admit_action(place(3, is_exit=True), 0).verdict == "go"
    assert limits.actions_left == 4
    limits.set_address_budget(budget(used=90, cap=1000))
    assert limits.admit_action(place(3), 0).verdict == "go"


def test_a_429_pauses_everything_but_exits_and_doubles():
    limits = Limits(LimitSettings())
    limits.on_too_many(0)
    assert limits.admit_question(ask(2), 0).until_ns == 2 * NS_PER_SECOND
    assert "429" in limits.admit_action(place(1), 0).why
    assert limits.admit_action(place(1, is_exit=True), 0).verdict == "go"
    limits.on_too_many(NS_PER_SECOND)
    assert limits.admit_question(ask(2), 2 * NS_PER_SECOND).verdict == "go"
    limits.on_too_many(2 * NS_PER_SECOND)
    assert limits.admit_question(ask(2), 2 * NS_PER_SECOND).until_ns == 6 * NS_PER_SECOND
    limits.on_answer("meta", b"{}", 6 * NS_PER_SECOND)
    limits.on_too_many(7 * NS_PER_SECOND)
    assert limits.admit_question(ask(2), 7 * NS_PER_SECOND).until_ns == 9 * NS_PER_SECOND
    assert limits.too_many == 4


@given(strategies.lists(strategies.tuples(strategies.integers(0, 20 * NS_PER_SECOND), strategies.integers(1, 50))))
def test_no_minute_holds_more_than_the_limit_but_for_exits_and_items(steps):
    limits, now_ns, sent = Limits(LimitSettings(weight_per_minute=100, weight_reserve=20)), 0, []
    for wait_ns, weight in steps:
        now_ns += wait_ns
        if limits.admit_question(ask(weight), now_ns).verdict == "go":
            sent.append((now_ns, weight))
            # Light questions may use half of what is kept for exits.
            held = sum(one for ts_ns, one in sent if now_ns - MINUTE_NS < ts_ns <= now_ns)
            assert held <= (90 if weight <= LIGHT_WEIGHT_MAX else 80)


@given(
    strategies.lists(strategies.tuples(strategies.integers(0, 30 * NS_PER_SECOND), strategies.integers(1, 9))),
    strategies.integers(0, 30),
)
def test_window_is_free_exactly_when_it_says(steps, room):
    window, now_ns = MinuteWindow(), 0
    for wait_ns, amount in steps:
        now_ns += wait_ns
        window.add(amount, now_ns)
    free_ns = window.free_ns(room, now_ns)
    assert free_ns >= now_ns
    if free_ns > now_ns:
        assert window.at(free_ns - 1) > room
    assert window.at(free_ns) <= room


def test_long_answers_on_their_way_leave_the_reserve_alone():
    limits, now_ns = Limits(LimitSettings(weight_per_minute=400, weight_reserve=100)), 0
    lists = Ask(request_id=1, body={"type": "userFillsByTime"}, weight=20)
    asked = 0
    while limits.admit_question(lists, now_ns).verdict == "go":
        asked += 1
    assert asked == 2
    assert limits.admit_question(lists, now_ns).until_ns == NS_PER_SECOND // 4
    for _ in range(asked):
        limits.on_answer("userFillsByTime", b"[" + b",".join([b"{}"] * 2_000) + b"]", now_ns)
    assert limits.weight_left(now_ns) >= 100
    limits = Limits(LimitSettings(weight_per_minute=400, weight_reserve=100))
    for _ in range(5):
        assert limits.admit_question(lists, now_ns).verdict == "go"
        limits.on_unanswered("userFillsByTime")
    assert limits.weight_left(now_ns) == 300


def test_an_address_the_venue_calls_spent_sends_exits_only_until_it_is_asked_again():
    limits = Limits(LimitSettings(actions_reserve=5))
    limits.set_address_budget(budget(used=0, cap=10_000))
    limits.on_budget_spent()
    assert limits.admit_action(place(1), 0).why.startswith("address budget: 0 actions left")
    assert limits.admit_action(place(1, is_exit=True), 0).verdict == "go"
    limits.set_address_budget(budget(used=0, cap=10_000))
    assert limits.admit_action(place(1), 0).verdict == "go"
