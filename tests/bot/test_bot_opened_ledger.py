"""Ledgers that are not there, are empty or were edited by hand: one sentence from every command that reads them."""

import json
import sqlite3

import pytest
from typer.testing import CliRunner

from bot.cli import app
from domain.errors import HouseError
from ledger import tables
from ledger.store import LedgerStore
from ledger.venue_json import encode_statement
from tests.bot_runs import hat, write_recording
from tests.ledger.ledger_builders import START_NS
from tests.ledger.ledger_stored import KEY, OTHER, store_story
from tests.ledger.two_sides import venue_of

ALWAYS = 13
"""Every so manieth column is tried each time, all of them at night."""

COLUMNS = [
    (table.name, column.name)
    for table in tables.metadata.sorted_tables
    for column in table.columns
    if column.name not in {"hash", "seal", "head"}
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A state directory with a ledger of two runs."""
    place = tmp_path_factory.mktemp("state")
    store_story(f"sqlite:///{place / 'ledger.db'}", ended_ns=START_NS + 9)
    store_story(f"sqlite:///{place / 'ledger.db'}", run=OTHER, started_ns=START_NS - 1)
    (place / "venue.json").write_bytes(encode_statement(venue_of(account=KEY)))
    return place


@pytest.fixture
def state(sound, tmp_path):
    """A copy to harm."""
    for name in ("ledger.db", "venue.json"):
        (tmp_path / name).write_bytes((sound / name).read_bytes())
    return tmp_path


def harmed(state, table, column, value="abc"):
    with sqlite3.connect(state / "ledger.db") as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        key = f"rowid = (SELECT MIN(rowid) FROM {table})"
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {key}", (value,))
    database.close()


def told(*arguments):
    """Return how a command ended: its exit code, and its refusal when it was one of ours."""
    done = CliRunner().invoke(app, [str(one) for one in ("ledger", *arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        assert isinstance(done.exception, HouseError), done.exception
        return 2, str(done.exception)
    return done.exit_code, ""


@pytest.mark.parametrize(
    ("table", "column"),
    [
        pytest.param(*names, marks=[pytest.mark.nightly] if place % ALWAYS else [])
        for place, names in enumerate(COLUMNS)
    ],
)
def test_no_value_of_another_type_ends_in_a_traceback(state, table, column) -> None:
    harmed(state, table, column, b"abc")
    for command in (
        ("summary",),
        ("export", "--out", state / "csv", "--all"),
        ("export", "--format", "parquet", "--out", state / "parquet", "--all"),
        ("export", "--format", "beancount", "--out", state / "out.beancount", "--all"),
        ("reconcile", "--explain"),
    ):
        code, sentence = told(*command, "--state-dir", state)
        assert code in {0, 1, 2}
        assert (code == 2) == bool(sentence), command
        assert "\n" not in sentence


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [("fills", "price", "fills "), ("runs", "started_ns", f"runs {KEY}: started_ns holds 'abc'")],
)
def test_value_edited_by_hand_is_named(state, table, column, said) -> None:
    harmed(state, table, column)
    done = hat("ledger", "export", "--all", "--out", state / "out", "--state-dir", state)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(f"hat: {state / 'ledger.db'}: {said}")
    assert done.stderr.endswith(f"{column} holds 'abc'; `hat ledger verify` tells all\n")
    assert not (state / "out").exists()


def test_empty_ledger_is_told_without_an_option_nobody_gave(tmp_path) -> None:
    LedgerStore(f"sqlite:///{tmp_path / 'ledger.db'}").close()
    for command in (("summary",), ("export", "--out", tmp_path / "out")):
        code, sentence = told(*command, "--state-dir", tmp_path)
        assert 2 == code
        assert f"{tmp_path / 'ledger.db'}: holds no run: `hat run` makes one" in sentence
        assert "--run" not in sentence


def test_unknown_run_is_told_with_those_there_are(sound) -> None:
    assert (2, f"--run = 'beef': expected one of {OTHER:016x}, {KEY}") == told(
        *("summary", "--run", "beef", "--state-dir", sound)
    )


def test_states_of_orders_come_in_the_order_of_the_lifecycle(sound) -> None:
    states = list(json.loads(hat("ledger", "summary", "--json", "--state-dir", sound).stdout)["orders_by_state"])
    known = [one for one in ("open", "partially_filled", "filled", "canceled", "denied", "rejected") if one in states]
    assert known == states
    assert len(states) > 1


def test_ledger_of_a_backtest_is_found_by_what_its_summary_says(tmp_path) -> None:
    data = write_recording(tmp_path / "a folder", events=600)
    state = tmp_path / "state of mine"
    done = hat("backtest", data, "--state-dir", state, "--json")
    summary = json.loads(done.stdout)
    place = state / "backtests" / "a_folder_SOL"

    assert summary["read_with"] == f"hat ledger summary --state-dir '{place}'"
    assert (0, "") == told("summary", "--state-dir", place)
    code, sentence = told("summary", "--state-dir", state)
    assert 2 == code
    assert sentence.endswith(f"there is none yet; of backtests there are: --state-dir '{place}'")
    code, sentence = told("reconcile", "--state-dir", place)
    assert 2 == code
    assert sentence.startswith(f"run {summary['run_id']}: is a backtest, which has no venue statement")


@pytest.mark.parametrize("command", ["summary", "reconcile", "acknowledge", "export"])
def test_help_gives_an_example(command) -> None:
    assert f"hat ledger {command} " in " ".join(hat("ledger", command, "--help").stdout.split("For example")[1].split())
