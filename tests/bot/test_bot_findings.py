"""Findings as they are told: the fix that fits the refusal, words that may be keys, narrow terminals."""

from io import StringIO

import pytest
from rich.console import Console

from bot.findings import guarded, ok, shown, table
from domain.errors import DataInvalid


@pytest.mark.parametrize(
    ("problem", "begins"),
    [
        ("refused meta: too many requests from this address", "Wait a minute"),
        ("refused meta: HTTP 500", "See what stands"),
    ],
)
def test_refusal_of_the_venue_is_told_with_the_fix_that_fits(problem, begins):
    def check():
        raise DataInvalid("http://127.0.0.1:3001/info", problem)

    (found,) = guarded("network", check)
    assert problem in found.found
    assert found.fix.startswith(begins)


def test_word_longer_than_an_address_is_not_repeated():
    address = "0x" + 40 * "a"
    assert address == shown(address)
    for key in ("0x" + 64 * "b", 64 * "b", "0x" + 60 * "b"):
        assert "bb" not in shown(key)


def test_table_keeps_every_character_in_a_narrow_window():
    path = "~/.local/state/hat/keys/0x" + 40 * "c" + ".nonces"
    console = Console(file=StringIO(), width=50)
    console.print(table([ok("nonces", path)]))
    told = console.file.getvalue()
    assert "…" not in told
    assert path in "".join(line.split()[-1] for line in told.splitlines() if line.strip())
