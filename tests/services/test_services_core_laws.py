"""Laws of the whole server over random days: what is answered, pushed and asked for is one story (HYPERLIQUID 12.3)."""

import json
from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.units import MONEY_UNIT
from tests.services.core_scene import LIVE, PEOPLE, RULES, Core
from tests.services.counter_scene import INSTRUMENTS

SEEDS = st.integers(0, 2**32)


def money(core):
    """All money of accounts and the outside, fees that nobody got added, funding paid by nobody taken off."""
    accounts = core.venue.accounts.values()
    held = sum(one.cash + sum(one.isolated.values()) for one in accounts)
    fees = sum(fill.fee - fill.surcharge for one in accounts for fill in one.executions)
    paid = sum(paid.amount for one in accounts for paid in one.fundings)
    return held + fees - paid + sum(market.outside_cash for market in core.venue.markets.values())


def check_positions(core):
    """Every contract has two sides."""
    states = [core.ask("clearinghouseState", user=one) for one in core.venue.accounts]
    for symbol, market in core.venue.markets.items():
        sizes = [
            Decimal(held["position"]["szi"])
            for state in states
            for held in state["assetPositions"]
            if held["position"]["coin"] == symbol
        ]
        unit = Decimal(10) ** INSTRUMENTS[symbol].size_decimals
        assert sum(sizes) * unit == -market.outside_lots


def check_state(core, address, heard):
    """A client that folds its messages has the venue's cash, orders and statuses."""
    state = core.ask("clearinghouseState", user=address)
    assert Decimal(state["marginSummary"]["totalRawUsd"]) == core.cash + heard.cash
    value = Decimal(state["crossMarginSummary"]["accountValue"])
    assert 0 <= Decimal(state["withdrawable"]) <= max(value, 0)
    live = {number: size for number, (status, size) in heard.orders.items() if status in LIVE}
    shown = {one["oid"]: one["sz"] for one in core.ask("openOrders", user=address)}
    hidden = {number for number in shown if number not in heard.orders}
    waiting = {one.venue_order_id for one in core.venue.accounts[address].orders.values() if one.parent is not None}
    assert hidden <= waiting
    assert live == {number: size for number, size in shown.items() if number not in hidden}
    for number, (status, _) in list(heard.orders.items())[-20:]:
        told = core.ask("orderStatus", user=address, oid=number)["order"]
        assert (told["status"], told["order"]["sz"]) == (status, heard.sizes[number])


def check_fills(core):
    """Both sides of a trade share its number; what was pushed is what is asked for."""
    sides = defaultdict(list)
    for address, heard in core.heard.items():
        asked = core.ask("userFills", user=address)
        assert asked == heard.fills[::-1][:2_000]
        position = defaultdict(Decimal)
        for fill in heard.fills:
            assert Decimal(fill["startPosition"]) == position[fill["coin"]]
            position[fill["coin"]] += Decimal(fill["sz"]) * (1 if fill["side"] == "B" else -1)
            sides[fill["tid"]].append((address, fill))
    for pair in sides.values():
        assert len(pair) <= 2
        if len(pair) == 2:
            (one, made), (other, took) = pair
            assert one != other
            assert {made["side"], took["side"]} == {"A", "B"}
            assert all(made[key] == took[key] for key in ("coin", "px", "sz", "time", "hash"))


def check_order_of_messages(core):
    """Orders before fills, and both before everything else that one user hears."""
    ranks = ("orderUpdates", "userFills", "user", "userFundings", "userNonFundingLedgerUpdates")
    for frames in core.rounds:
        told = defaultdict(list)
        for connection, frame in frames:
            told[connection].append(ranks.index(json.loads(frame)["channel"]))
        for numbers in told.values():
            assert numbers[: len([one for one in numbers if one < 2])] == sorted(one for one in numbers if one < 2)


def check_answer(answer, orders, numbers):
    """One status for each order, or one for all; numbers of orders rise over all coins and accounts."""
    assert set(answer) == {"status", "response"}
    if not orders or answer["status"] == "err":
        return
    statuses = answer["response"]["data"]["statuses"]
    assert len(statuses) == orders or (len(statuses) == 1 and "asset=" not in statuses[0]["error"])
    for status in statuses:
        if isinstance(status, dict) and "error" not in status:
            (told,) = status.values()
            assert told["oid"] > numbers[-1]
            numbers.append(told["oid"])


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from([300, 1_500, 100_000]))
def test_answers_pushes_and_questions_tell_one_story(seed, cash):
    core, numbers = Core(seed, cash), [0]
    before = money(core)
    for _ in range(100):
        answer, orders = core.step()
        if answer is not None:
            check_answer(answer, orders, numbers)
        assert money(core) == before
        for address, heard in core.heard.items():
            check_state(core, address, heard)
    check_positions(core)
    check_fills(core)
    check_order_of_messages(core)


def test_random_days_meet_what_they_are_for():
    """The law above would hold of an idle venue: these things do happen in its days."""
    seen = defaultdict(int)
    for seed in range(60):
        core = Core(seed, 1_500)
        for _ in range(120):
            core.step()
        for address in PEOPLE:
            seen["builder"] += sum(1 for fill in core.heard[address].fills if "builderFee" in fill)
            for fill in core.heard[address].fills:
                seen[fill["dir"].split()[0]] += 1
                seen[fill.get("liquidation", {}).get("method")] += 1
            for status, _ in core.heard[address].orders.values():
                seen[status] += 1
    missing = {
        *("Open", "Close", "Liquidated", "Auto-Deleveraging", "market", "backstop", "builder", "filled", "canceled"),
        *("selfTradeCanceled", "reduceOnlyCanceled", "siblingFilledCanceled", "liquidatedCanceled", "scheduledCancel"),
        *("perpMarginRejected", "badAloPxRejected", "iocCancelRejected", "reduceOnlyRejected", "marginCanceled"),
    } - {name for name, count in seen.items() if count}
    assert not missing
    assert RULES.backstop_address not in PEOPLE
    assert core.cash * MONEY_UNIT > 0
