"""Errors carry typed fields and one sentence."""

import pytest

from domain import errors


def test_a_config_error_names_key_value_and_range():
    error = errors.ConfigInvalid("risk.leverage_max", "1e9", "1 to 50")
    assert (error.key, error.value, error.expected) == ("risk.leverage_max", "1e9", "1 to 50")
    assert str(error) == "risk.leverage_max = '1e9': expected 1 to 50"


def test_a_data_error_names_place_and_problem():
    error = errors.DataInvalid("trades.csv:7", "price is empty")
    assert (error.place, error.problem) == ("trades.csv:7", "price is empty")
    assert str(error) == "trades.csv:7: price is empty"


def test_an_illegal_transition_names_subject_state_and_trigger():
    error = errors.IllegalTransition("order 0x01", "filled", "submit")
    assert str(error) == "order 0x01: no transition from filled on submit"


@pytest.mark.parametrize("kind", [errors.LedgerUnbalanced, errors.IllegalTransition, errors.JournalCorrupt])
def test_bugs_of_ours_are_broken_invariants(kind):
    assert issubclass(kind, errors.InvariantBroken)


@pytest.mark.parametrize("kind", [errors.ConfigInvalid, errors.DataInvalid])
def test_bad_input_is_no_broken_invariant(kind):
    assert issubclass(kind, errors.HouseError)
    assert not issubclass(kind, errors.InvariantBroken)
