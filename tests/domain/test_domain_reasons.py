"""One reason, one code, one sentence."""

import pytest

from domain.reasons import SENTENCES, Reason


def test_every_reason_has_a_sentence_of_its_own():
    assert set(SENTENCES) == set(Reason)
    assert len(set(SENTENCES.values())) == len(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_reads_as_name_and_sentence(reason):
    assert reason.label == reason.name.lower()
    assert reason.sentence == SENTENCES[reason]
    assert reason.sentence[0].isupper()
    assert len(reason.sentence) < 120


def test_no_objection_is_zero():
    assert Reason.NONE == 0


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.INVALID_TICK, "Order rejected: Invalid tick size"),
        (Reason.INVALID_LOT, "Order rejected: Invalid lot size"),
        (Reason.MIN_NOTIONAL, "Order rejected: Below minimum notional"),
        (Reason.POST_ONLY_WOULD_CROSS, "Order rejected: Post-only would cross"),
        (Reason.REDUCE_ONLY_VIOLATION, "Order rejected: Reduce-only violation"),
        (Reason.INSUFFICIENT_MARGIN, "Order rejected: Insufficient margin"),
    ],
)
def test_the_runbook_words_stay_exactly_so(reason, words):
    assert reason.sentence == words


def test_families_are_told_by_their_beginning():
    for reason in Reason:
        if 1 <= reason < 20:
            assert reason.sentence.startswith("Order denied: ")
        elif 20 <= reason < 40:
            assert reason.sentence.startswith("Order rejected: ")
        elif 80 <= reason < 100:
            assert reason.sentence.startswith("Halted")
