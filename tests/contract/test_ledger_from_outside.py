"""docs/LEDGER.md is true: its check needs nothing of hat, and it names every account, kind, table and command there is."""

import re
import sqlite3
import subprocess
import sys

import pytest

from bot import cli
from bot.cli_ledger import ledger_app
from domain.transaction import CorrectionCause, FactKind
from ledger import tables
from ledger.accounts import GENERAL_KINDS, INSTRUMENT_KINDS
from ledger.store import LedgerStore
from tests.bot_runs import ROOT
from tests.ledger.ledger_builders import START_NS, a_record, flat
from tests.ledger.ledger_story import a_story

DOCUMENT = (ROOT / "docs/LEDGER.md").read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path):
    """A folder with a ledger in it, as a bot leaves it."""
    store = LedgerStore(f"sqlite:///{tmp_path / 'state' / 'ledger.db'}")
    story = flat(a_story()[0])
    store.begin_run(a_record())
    store.write(story, len(story))
    store.end_run(START_NS)
    store.close()
    return tmp_path


def checked(place):
    """Run the check of the document with nothing of ours in reach."""
    code = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL).group(1)
    return subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=place, capture_output=True, text=True, timeout=60, check=False
    )


def test_check_in_the_document_finds_a_sound_ledger_sound(place):
    done = checked(place)
    assert (0, "") == (done.returncode, done.stderr)
    assert re.fullmatch(r"run 000000000000f00d: \d\d+ transactions balance, last hash [0-9a-f]{64}\n", done.stdout)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("UPDATE postings SET amount = amount + 1 WHERE sequence = 12 AND line = 1", "transaction 12"),
        ("UPDATE fills SET price = price + 1 WHERE sequence = 12", "transaction 12"),
        ("UPDATE transactions SET evidence = 'none' WHERE sequence = 12", "transaction 12"),
        ("DELETE FROM adjustments WHERE rowid = 1", "transaction"),
        ("UPDATE funding SET rate = rate + 1 WHERE rowid = 1", "transaction"),
        ("UPDATE runs SET seed = seed + 1", "transaction 1"),
        ("DELETE FROM transactions WHERE sequence = (SELECT MAX(sequence) FROM transactions)", "AssertionError"),
    ],
)
def test_check_in_the_document_finds_what_was_changed(edit, words, place):
    with sqlite3.connect(place / "state" / "ledger.db") as connection:
        assert 1 == connection.execute(edit).rowcount
    connection.close()
    done = checked(place)
    assert 1 == done.returncode
    assert words in done.stderr


def test_check_in_the_document_says_in_one_line_that_there_is_no_run(tmp_path):
    LedgerStore(f"sqlite:///{tmp_path / 'state' / 'ledger.db'}").close()
    done = checked(tmp_path)
    assert (1, "", "the ledger holds no run\n") == (done.returncode, done.stdout, done.stderr)


def test_document_names_every_account_kind_table_and_command():
    assert cli.app, "its import registers every command"
    commands = [command.name for command in ledger_app.registered_commands]
    names = [
        *GENERAL_KINDS,
        *(f"{kind}:SYMBOL" for kind in INSTRUMENT_KINDS),
        *(kind.label for kind in FactKind),
        *(cause.label for cause in CorrectionCause if cause),
        *tables.metadata.tables,
        *commands,
    ]
    assert len(commands) > 5
    assert [] == [name for name in names if f"`{name}`" not in DOCUMENT]
