"""`hat ledger verify` as an auditor meets it."""

import json
import sqlite3
from pathlib import Path

import pytest

from ledger.store import LedgerStore
from tests.bot_runs import hat
from tests.ledger.ledger_builders import RUN, a_record, a_run, flat

KEY = f"{RUN:016x}"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger of two runs that was never touched."""
    path = tmp_path_factory.mktemp("proof") / "ledger.db"
    store = LedgerStore(f"sqlite:///{path}")
    for run in (RUN, RUN + 1):
        store.begin_run(a_record(run_id=run, started_ns=run))
        notices = flat(a_run(10, run=run)[0])
        store.write(notices, len(notices))
    store.close()
    return path


@pytest.fixture
def ledger(sound: Path, tmp_path: Path) -> Path:
    """Return a copy to harm."""
    copy = tmp_path / "ledger.db"
    copy.write_bytes(sound.read_bytes())
    return copy


def harm(ledger: Path, statement: str) -> None:
    connection = sqlite3.connect(ledger)
    with connection:
        connection.execute(statement)
    connection.close()


def verify(ledger: Path, *more: str) -> tuple[int, str, str]:
    done = hat("ledger", "verify", "--url", f"sqlite:///{ledger}", *more)
    return done.returncode, done.stdout, done.stderr


def test_sound_ledger_is_one_line_a_run_and_exit_0(sound: Path) -> None:
    code, said, complaint = verify(sound)
    lines = said.splitlines()
    assert (0, "", 3) == (code, complaint, len(lines))
    assert lines[0].startswith(f"run {KEY}: sound, ")
    assert ", seal " in lines[0]
    assert ", canonical " in lines[0]
    assert f"{sound}: everything adds up" == lines[-1]


def test_harmed_ledger_names_the_row_and_exits_1(ledger: Path) -> None:
    harm(ledger, f"UPDATE fills SET price = price + 1 WHERE run_id = '{KEY}' AND sequence = 3")
    code, said, complaint = verify(ledger)
    assert (1, "") == (code, complaint)
    assert f"run {KEY}: transactions 3: was changed: its content does not fit its hash" in said
    assert f"run {KEY}: fills 3: notional is" in said
    assert f"run {KEY}: NOT SOUND" in said
    assert f"run {RUN + 1:016x}: sound" in said
    assert 0 == verify(ledger, "--run", f"{RUN + 1:016x}")[0]


def test_json_is_one_object_with_every_problem(ledger: Path) -> None:
    harm(ledger, "DELETE FROM transitions WHERE link = 3")
    code, said, _ = verify(ledger, "--json", "--run", KEY)
    found = json.loads(said)
    assert (1, False) == (code, found["is_sound"])
    (run,) = found["runs"]
    assert (KEY, False, "") == (run["run_id"], run["is_sound"], run["canonical_hash"])
    assert {"orders", "transactions", "transitions", "runs"} <= set(run["links"])
    assert {"run_id", "table", "subject", "problem"} == set(found["problems"][0])
    assert len(found["problems"]) == len(found["sentences"])


def test_seal_noted_earlier_is_compared(ledger: Path) -> None:
    runs = {run["run_id"]: run["seal"] for run in json.loads(verify(ledger, "--json")[1])["runs"]}
    newest = f"{RUN + 1:016x}"
    assert 0 == verify(ledger, "--seal", runs[newest].upper())[0]
    assert 0 == verify(ledger, "--run", KEY, "--seal", runs[KEY])[0]
    code, said, _ = verify(ledger, "--run", KEY, "--seal", runs[newest])
    assert 1 == code
    assert f"the seal is {runs[KEY]}, the one noted was {runs[newest]}" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--run", "beef"), f"--run = 'beef': expected one of {KEY}"),
        (("--seal", "beef"), "--seal = 'beef': expected 64 hex digits"),
    ],
)
def test_wrong_option_is_one_sentence_and_exit_2(sound: Path, more: tuple[str, ...], said: str) -> None:
    code, out, complaint = verify(sound, *more)
    assert (2, "") == (code, out)
    assert said in complaint
    assert 1 == complaint.count("\n")


def test_ledger_without_runs_is_sound_but_has_no_seal(tmp_path: Path) -> None:
    LedgerStore(f"sqlite:///{tmp_path / 'ledger.db'}").close()
    assert 0 == verify(tmp_path / "ledger.db")[0]
    code, _, complaint = verify(tmp_path / "ledger.db", "--seal", "0" * 64)
    assert 2 == code
    assert "expected a ledger that holds a run" in complaint


def test_help_says_how_it_ends() -> None:
    said = " ".join(hat("ledger", "verify", "--help").stdout.split())
    assert "Exits 0 when the ledger is sound and 1 when it is" in said


def test_seal_that_any_run_carries_is_enough_and_one_that_none_carries_is_named(ledger: Path) -> None:
    runs = {run["run_id"]: run["seal"] for run in json.loads(verify(ledger, "--json")[1])["runs"]}
    assert 0 == verify(ledger, "--seal", runs[KEY])[0]
    connection = sqlite3.connect(ledger)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    with connection:
        for name in names:
            if name != "alembic_version":
                connection.execute(f"DELETE FROM {name} WHERE run_id = '{KEY}'")
    connection.close()
    assert 0 == verify(ledger)[0]
    code, said, complaint = verify(ledger, "--seal", runs[KEY])
    assert (1, "") == (code, complaint)
    assert f"cursors: no run carries the seal {runs[KEY]}: its run was changed or deleted whole\n" in said


def test_seal_that_no_run_carries_is_one_sentence_and_exit_1(sound: Path) -> None:
    code, said, complaint = verify(sound, "--seal", "ab" * 32)
    assert (1, "") == (code, complaint)
    assert f"cursors: no run carries the seal {'ab' * 32}: its run was changed or deleted whole\n" in said


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE orders SET reason = CAST(X'ff' AS TEXT) WHERE link = 1", "reason holds b'\\xff', no str"),
        ("UPDATE runs SET strategy = CAST(X'ff' AS TEXT)", "strategy holds b'\\xff', no str"),
        ("UPDATE runs SET run_id = CAST(run_id AS BLOB)", "runs: run_id holds b'"),
        (
            "UPDATE chains SET head = CAST(X'ff' AS TEXT) WHERE name = 'marks'",
            "chains marks: head holds b'\\xff', no str",
        ),
        ("UPDATE cursors SET seal = CAST(X'ff' AS TEXT)", "seal holds b'\\xff', no str"),
    ],
)
def test_value_that_cannot_be_read_is_named_and_exits_1(ledger: Path, statement: str, said: str) -> None:
    harm(ledger, statement)
    code, out, complaint = verify(ledger)
    assert (1, "") == (code, complaint)
    assert said in out
