"""What the bot may do, and the one way out of a halt."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import IllegalTransition
from domain.modes import MODE_RULES, Mode, ModeTrigger, next_mode

OPERATOR = {ModeTrigger.PAUSE, ModeTrigger.RESUME, ModeTrigger.HALT, ModeTrigger.STOP}


@pytest.mark.parametrize(("mode", "trigger"), [*product(Mode, ModeTrigger)])
def test_every_pair_follows_the_declaration_or_is_refused_by_name(mode, trigger):
    declared = MODE_RULES[trigger].get(mode)
    if declared is None:
        with pytest.raises(IllegalTransition) as refused:
            next_mode(mode, trigger)
        assert (refused.value.subject, refused.value.state, refused.value.trigger) == (
            "mode",
            mode.label,
            trigger.label,
        )
    else:
        assert next_mode(mode, trigger) is declared


def test_every_trigger_is_declared():
    assert set(MODE_RULES) == set(ModeTrigger)


def test_the_day_begins_by_reconciling():
    assert next_mode(Mode.STARTING, ModeTrigger.START) is Mode.RECONCILING
    assert next_mode(Mode.RECONCILING, ModeTrigger.RECONCILE) is Mode.TRADING


def test_trading_and_reducing_exchange():
    assert next_mode(Mode.TRADING, ModeTrigger.REDUCE) is Mode.REDUCING
    assert next_mode(Mode.REDUCING, ModeTrigger.RECOVER) is Mode.TRADING


@pytest.mark.parametrize("mode", Mode)
def test_a_halt_and_a_stop_are_taken_in_every_mode(mode):
    assert next_mode(mode, ModeTrigger.HALT) is (Mode.STOPPING if mode is Mode.STOPPING else Mode.HALTED)
    assert next_mode(mode, ModeTrigger.STOP) is Mode.STOPPING


def test_only_an_operator_leaves_a_halt():
    leaving = {trigger for trigger in ModeTrigger if MODE_RULES[trigger].get(Mode.HALTED, Mode.HALTED) != Mode.HALTED}
    assert leaving == {ModeTrigger.RESUME, ModeTrigger.STOP}


def test_nothing_leaves_stopping():
    assert all(rules.get(Mode.STOPPING, Mode.STOPPING) is Mode.STOPPING for rules in MODE_RULES.values())


@given(st.lists(st.sampled_from(sorted(set(ModeTrigger) - OPERATOR)), max_size=30))
def test_no_story_without_an_operator_revives_a_halted_bot(story):
    mode = Mode.HALTED
    for trigger in story:
        if trigger in MODE_RULES and mode in MODE_RULES[trigger]:
            mode = next_mode(mode, trigger)
    assert mode is Mode.HALTED


def test_labels_are_lower_case_names():
    assert Mode.TRADING.label == "trading"
    assert ModeTrigger.RECOVER.label == "recover"
