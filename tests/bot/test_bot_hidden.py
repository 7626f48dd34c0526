"""What may be a key is not repeated, wherever it was typed."""

import pytest

from bot.hidden import hidden
from tests.bot_runs import hat

KEY = "1a" * 32
ADDRESS = "0x" + "ab" * 20
ORDER = "0x" + "cd" * 16


@pytest.mark.parametrize("key", [KEY, "0x" + KEY, "0X" + KEY.upper(), KEY[:38], KEY[:60]])
def test_a_long_run_of_hex_digits_is_hidden_whole(key) -> None:
    assert hidden(f"found {key!r}: no") == "found '***': no"


@pytest.mark.parametrize("word", [ADDRESS, ORDER, "market.instruments", "99999999"])
def test_addresses_and_names_of_orders_are_shown(word) -> None:
    assert hidden(word) == word


@pytest.mark.parametrize(
    "words",
    [
        ("run", KEY),
        ("venue", "--trust", KEY),
        ("status", KEY),
        ("run", "--coin", KEY),
        (KEY,),
        ("ledger", KEY, "--json"),
    ],
)
def test_no_refusal_of_the_command_line_repeats_a_key(words) -> None:
    done = hat(*words)
    assert done.returncode == 2
    assert KEY[:20] not in done.stdout + done.stderr
