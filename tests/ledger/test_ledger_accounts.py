"""The chart of accounts: names and what they are made of."""

import pytest

from ledger.accounts import INSTRUMENT_KINDS, accounts_of, kind_of, symbol_of


@pytest.mark.parametrize("symbol", ["BTC", "kPEPE", "xyz:TSLA", "@107"])
def test_account_gives_back_kind_and_symbol_of_every_instrument(symbol):
    accounts = accounts_of(symbol)
    for kind in INSTRUMENT_KINDS:
        account = getattr(accounts, kind)
        assert (kind, symbol) == (kind_of(account), symbol_of(account))


def test_general_account_has_no_symbol():
    assert ("cash", "") == (kind_of("cash"), symbol_of("cash"))
