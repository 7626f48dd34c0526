"""The declared machine, the compiled table and the laws of an order's life."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transitions import MachineError

from domain.errors import IllegalTransition
from domain.lifecycle import (
    AT_RISK,
    ILLEGAL,
    IN_FLIGHT,
    NEXT_STATE,
    TERMINAL,
    WORKING,
    OrderModel,
    State,
    Trigger,
    advance,
    declare,
)

OURS = {Trigger.WANT, Trigger.APPROVE, Trigger.DENY, Trigger.VALIDATE, Trigger.SUBMIT, Trigger.REQUEST_CANCEL,
        Trigger.REQUEST_REPLACE}  # fmt: skip
FACTS = set(Trigger) - OURS
FILLS = {Trigger.FILL_PARTIAL, Trigger.FILL_COMPLETE}
AT_HOME = {State.IDLE, State.SIGNAL, State.RISK_APPROVED, State.VALIDATED, State.DENIED}
AWAY = set(State) - AT_HOME
EVERY = [*product(State, Trigger, (False, True))]


def fired(state: State, trigger: Trigger, has_fills: bool) -> str | None:
    """What the `transitions` library itself does: the next state's name, or None when it refuses."""
    model = OrderModel(has_fills=has_fills)
    machine = declare(model)
    machine.set_state(state.label)
    try:
        taken = model.trigger(trigger.label)
    except MachineError:
        assert model.state == state.label
        return None
    return model.state if taken else None


@pytest.mark.parametrize(("state", "trigger", "has_fills"), EVERY)
def test_the_table_agrees_with_the_declared_machine(state, trigger, has_fills):
    following = NEXT_STATE[state][trigger][has_fills]
    said = fired(state, trigger, has_fills)
    if following == ILLEGAL:
        assert said is None
        with pytest.raises(IllegalTransition) as refused:
            advance(state, trigger, has_fills=has_fills, subject="order 0x01")
        assert (refused.value.subject, refused.value.state, refused.value.trigger) == (
            "order 0x01",
            state.label,
            trigger.label,
        )
        assert str(refused.value) == f"order 0x01: no transition from {state.label} on {trigger.label}"
    else:
        assert said == State(following).label
        assert advance(state, trigger, has_fills=has_fills, subject="order 0x01") is State(following)


def test_the_machine_offers_the_declared_triggers_and_no_others():
    model = OrderModel()
    assert {trigger.label for trigger in Trigger} == set(declare(model).events)
    assert not hasattr(model, "to_open")


def test_states_and_triggers_number_the_table_without_gaps():
    assert [int(state) for state in State] == list(range(len(NEXT_STATE)))
    assert [int(trigger) for trigger in Trigger] == list(range(len(NEXT_STATE[0])))


def test_families_of_states_do_not_overlap():
    assert AT_RISK == IN_FLIGHT | WORKING
    assert not IN_FLIGHT & WORKING
    assert not AT_RISK & TERMINAL
    assert set(State) == AT_RISK | TERMINAL | {State.IDLE, State.SIGNAL, State.RISK_APPROVED, State.VALIDATED}


@pytest.mark.parametrize(("state", "trigger", "has_fills"), [*product(sorted(AWAY), sorted(FACTS), (False, True))])
def test_no_fact_of_the_venue_is_illegal_once_an_order_left_the_house(state, trigger, has_fills):
    """Rule 2: late, repeated and contradictory answers are facts, not bugs."""
    assert NEXT_STATE[state][trigger][has_fills] != ILLEGAL


@pytest.mark.parametrize(("state", "trigger"), [*product(sorted(AT_HOME), sorted(FACTS))])
def test_no_fact_of_the_venue_moves_an_order_that_never_left_the_house(state, trigger):
    assert NEXT_STATE[state][trigger] == (ILLEGAL, ILLEGAL)


@pytest.mark.parametrize("trigger", [Trigger.WANT, Trigger.APPROVE, Trigger.VALIDATE, Trigger.SUBMIT])
def test_each_step_of_the_way_out_has_one_beginning(trigger):
    """Nothing is submitted that was not validated, validated that was not approved, approved that was not wanted."""
    beginnings = [state for state in State if NEXT_STATE[state][trigger] != (ILLEGAL, ILLEGAL)]
    way = [State.IDLE, State.SIGNAL, State.RISK_APPROVED, State.VALIDATED, State.SUBMITTED]
    place = [Trigger.WANT, Trigger.APPROVE, Trigger.VALIDATE, Trigger.SUBMIT].index(trigger)
    assert beginnings == [way[place]]
    assert NEXT_STATE[way[place]][trigger] == (way[place + 1], way[place + 1])


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_only_a_fill_moves_an_ended_order(state):
    for trigger in set(Trigger) - FILLS:
        assert set(NEXT_STATE[state][trigger]) <= {ILLEGAL, state}


def test_a_fill_after_the_end_is_taken():
    for state in (State.CANCELED, State.EXPIRED):
        assert advance(state, Trigger.FILL_PARTIAL, has_fills=True, subject="x") is state
    for state in (State.REJECTED, State.NOT_PLACED):
        assert advance(state, Trigger.FILL_PARTIAL, has_fills=True, subject="x") is State.PARTIALLY_FILLED
    for state in AWAY:
        assert advance(state, Trigger.FILL_COMPLETE, has_fills=True, subject="x") is State.FILLED


def test_nothing_we_want_moves_an_ended_order():
    for state, trigger in product(TERMINAL, OURS):
        assert NEXT_STATE[state][trigger] == (ILLEGAL, ILLEGAL)


def test_only_a_wish_of_ours_makes_a_request_pending():
    for state, trigger, has_fills in EVERY:
        following = NEXT_STATE[state][trigger][has_fills]
        if following in {State.PENDING_CANCEL, State.PENDING_REPLACE} and following != state:
            assert trigger in {Trigger.REQUEST_CANCEL, Trigger.REQUEST_REPLACE}


def test_no_fact_leads_back_into_the_house():
    for state, trigger in product(AWAY, FACTS):
        assert not set(NEXT_STATE[state][trigger]) & (AT_HOME | {State.SUBMITTED} - {state})


def test_an_order_at_risk_is_open_exactly_while_nothing_is_filled():
    for state, trigger in product(AWAY - {State.OPEN}, FACTS - FILLS):
        without, with_fills = NEXT_STATE[state][trigger]
        assert with_fills != State.OPEN
        if state != State.PARTIALLY_FILLED:
            assert without != State.PARTIALLY_FILLED


def test_doubt_ends_only_by_what_the_venue_says():
    for trigger in Trigger:
        after = {following for following in NEXT_STATE[State.UNKNOWN][trigger] if following != ILLEGAL}
        if after - {State.UNKNOWN, State.PENDING_CANCEL}:
            assert trigger in FACTS - {Trigger.LOSE, Trigger.REFUSE_CANCEL, Trigger.REFUSE_REPLACE}


@pytest.mark.parametrize("state", sorted(AT_RISK))
def test_an_order_at_risk_can_always_be_canceled_lost_and_ended(state):
    """Either a cancel may be asked for, or one is already under way; and every proof of the end is accepted."""
    assert state is State.PENDING_CANCEL or NEXT_STATE[state][Trigger.REQUEST_CANCEL][False] == State.PENDING_CANCEL
    assert NEXT_STATE[state][Trigger.LOSE][False] == State.UNKNOWN
    assert NEXT_STATE[state][Trigger.CONFIRM_CANCEL][False] == State.CANCELED
    assert NEXT_STATE[state][Trigger.EXPIRE][False] == State.EXPIRED
    assert NEXT_STATE[state][Trigger.REJECT][True] == State.REJECTED
    proven = State(NEXT_STATE[state][Trigger.PROVE_NOT_PLACED][False])
    assert proven in {State.NOT_PLACED, State.UNKNOWN}
    assert NEXT_STATE[proven][Trigger.PROVE_NOT_PLACED][False] == State.NOT_PLACED


@given(st.lists(st.sampled_from(sorted(FACTS | {Trigger.REQUEST_CANCEL, Trigger.REQUEST_REPLACE})), max_size=60))
def test_any_story_after_submission_stays_legal_and_never_loses_a_fill(story):
    """The venue may answer anything in any order; we ask only where the table lets us ask."""
    state, fills, is_complete = State.SUBMITTED, 0, False
    for trigger in story:
        if trigger in OURS and NEXT_STATE[state][trigger][fills > 0] == ILLEGAL:
            continue
        fills += trigger in FILLS
        is_complete = is_complete or trigger is Trigger.FILL_COMPLETE
        state = advance(state, trigger, has_fills=fills > 0, subject="story")
        assert state in AWAY
        assert not (fills and state in {State.OPEN, State.SUBMITTED})
        assert state is State.FILLED if is_complete else state is not State.FILLED


def test_labels_are_lower_case_names():
    assert State.PARTIALLY_FILLED.label == "partially_filled"
    assert Trigger.PROVE_NOT_PLACED.label == "prove_not_placed"
