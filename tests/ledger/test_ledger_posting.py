"""What does not sum to zero does not become a transaction."""

import pytest

from domain.errors import LedgerUnbalanced
from domain.transaction import FactKind, Posting
from ledger.posting import balanced


def test_balanced_lines_become_postings_without_the_zeros():
    made = balanced(3, FactKind.FILL, "t", 9, (("cash", -5), ("fees:BTC", 0), ("position:BTC", 5)), symbol="BTC")
    assert (Posting("cash", -5), Posting("position:BTC", 5)) == made.postings
    assert (3, FactKind.FILL, "t", 9, "BTC", "") == (
        made.sequence, made.kind, made.fact_id, made.ts_event_ns, made.symbol, made.client_order_id
    )  # fmt: skip


def test_unbalanced_lines_are_refused_with_fact_and_sum():
    with pytest.raises(LedgerUnbalanced) as refused:
        balanced(3, FactKind.FILL, "BTC/7/9", 9, (("cash", -500_000_000), ("position:BTC", 400_000_000)))
    assert "postings of fill BTC/7/9 sum to -1 (expected 0), transaction 3" == str(refused.value)
