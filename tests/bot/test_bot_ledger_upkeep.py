"""`hat ledger` export, copy, backup, archive and vacuum as a user meets them."""

import json
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bot.state_lock import StateLock
from tests.bot_runs import ROOT, environment, hat, summary_of
from tests.ledger.ledger_builders import START_NS
from tests.ledger.ledger_stored import ENDED_NS, KEY, OTHER, OTHER_KEY, run_keys, store_story
from tests.ledger.ledger_story import every_row


@pytest.fixture
def url(tmp_path):
    found = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(found, ended_ns=ENDED_NS)
    store_story(found, run=OTHER, started_ns=START_NS + 1)
    return found


def refusal(done):
    """Return the sentence of a refused command."""
    assert 2 == done.returncode, done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_copy_to_postgresql_and_back_prints_equal_proofs(url, postgres_url, tmp_path):
    back = f"sqlite:///{tmp_path / 'back.db'}"
    there = summary_of(hat("ledger", "copy", "--from", url, "--to", postgres_url, "--json"))
    again = summary_of(hat("ledger", "copy", "--from", postgres_url, "--to", back, "--json"))
    assert there == again
    assert [("copied", KEY), ("copied", OTHER_KEY)] == [(one["outcome"], one["run"]) for one in there["runs"]]
    for one in there["runs"]:
        assert {64} == {len(one[name]) for name in ("seal", "canonical", "content")}
        assert one["rows"]["fills"] > 0 < one["chains"]["transactions"]["links"]
    shown = hat("ledger", "copy", "--from", url, "--to", back, "--run", KEY)
    assert shown.returncode == 0
    assert f"run {KEY} equal: " in shown.stdout
    assert there["runs"][0]["seal"] in shown.stdout
    assert OTHER_KEY not in shown.stdout


def test_copy_refuses_in_one_sentence(url, tmp_path):
    nowhere = f"sqlite:///{tmp_path / 'nowhere.db'}"
    assert "expected an existing ledger" in refusal(hat("ledger", "copy", "--from", nowhere, "--to", url))
    assert "--run = '12': expected one of" in refusal(
        hat("ledger", "copy", "--from", url, "--to", nowhere, "--run", "12")
    )


def test_export_writes_what_its_format_says(url, tmp_path):
    tables = summary_of(hat("ledger", "export", "--url", url, "--out", tmp_path / "csv", "--all", "--json"))
    assert [KEY, OTHER_KEY] == tables["runs"]
    assert all(file["rows"] > 0 for file in tables["files"])
    hat("ledger", "export", "--url", url, "--format", "parquet", "--out", tmp_path / "parquet", "--run", KEY)
    assert {"runs", "fills", "marks"} <= {path.stem for path in (tmp_path / "parquet").glob("*.parquet")}
    book = tmp_path / "hat.beancount"
    shown = hat("ledger", "export", "--url", url, "--format", "beancount", "--out", book, "--all")
    assert f"{book}  {len(book.read_text().splitlines()):,} lines\n" == shown.stdout
    checked = subprocess.run(
        [Path(sys.executable).with_name("bean-check"), "--no-cache", book],
        capture_output=True, cwd=ROOT, text=True, check=False,
    )  # fmt: skip
    assert (0, "", "") == (checked.returncode, checked.stdout, checked.stderr)


def test_export_refuses_in_one_sentence(url, tmp_path):
    assert "--format = 'xls': expected one of csv, parquet, beancount" in refusal(
        hat("ledger", "export", "--url", url, "--format", "xls", "--out", tmp_path / "x")
    )
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert "expected a name that is free" in refusal(
        hat("ledger", "export", "--url", url, "--format", "beancount", "--out", taken)
    )


def test_backup_is_a_ledger_and_is_not_overwritten(url, tmp_path):
    path = tmp_path / "kept.db"
    done = summary_of(hat("ledger", "backup", "--url", url, "--to", path, "--json"))
    assert (path.stat().st_size, [KEY, OTHER_KEY]) == (done["bytes"], [one["run"] for one in done["runs"]])
    assert done["runs"][0]["run"] == summary_of(
        hat("ledger", "summary", "--url", f"sqlite:///{path}", "--run", KEY, "--json")
    )["run_id"]  # fmt: skip
    assert "say --force" in refusal(hat("ledger", "backup", "--url", url, "--to", path))
    shown = hat("ledger", "backup", "--url", url, "--to", path, "--force")
    assert shown.stdout.splitlines()[-1] == f"{path}  {path.stat().st_size:,} bytes, 2 runs"


def test_archive_moves_old_runs_and_vacuum_gives_their_space_back(url, tmp_path):
    path, archive = tmp_path / "old.db", ("ledger", "archive", "--url", url, "--state-dir", tmp_path)
    early = summary_of(hat(*archive, "--before", "2023-11-14", "--to", path, "--json"))
    assert ([], False) == (early["runs"], path.exists())
    dry = hat(*archive, "--before", "2023-11-15", "--to", path, "--dry-run")
    others = "1 run goes on, or fell silent on 2023-11-15 or later\n"
    assert f"run {KEY}  run\n{others}1 run would move to {path}\n" == dry.stdout
    late = hat(*archive, "--before", "2024-01-01", "--to", path, "--dry-run")
    assert "1 run never ended; --killed takes it too\n" in late.stdout
    assert ([KEY, OTHER_KEY], False) == (run_keys(url), path.exists())
    done = hat(*archive, "--before", "2023-11-15", "--to", path)
    assert f"1 run moved to {path}" == done.stdout.splitlines()[-1]
    assert ([OTHER_KEY], [KEY]) == (run_keys(url), run_keys(f"sqlite:///{path}"))
    killed = summary_of(hat(*archive, "--before", "2024-01-01", "--to", path, "--killed", "--json"))
    assert [(OTHER_KEY, True)] == [(one["run"], one["was_killed"]) for one in killed["runs"]]
    assert {KEY, OTHER_KEY} == set(run_keys(f"sqlite:///{path}"))
    size = summary_of(hat("ledger", "vacuum", "--url", url, "--json"))
    assert size["after"]["bytes"] < size["before"]["bytes"]
    assert {0} == set(size["after"]["rows"].values())
    assert "bytes before" in hat("ledger", "vacuum", "--url", url).stdout


@pytest.mark.parametrize(
    "command",
    [
        ("backup", "--to", "full/backup.db"),
        ("archive", "--before", "2024-01-01", "--to", "full/old.db"),
        ("copy", "--to", "full/copy.db"),
        ("export", "--format", "csv", "--all", "--out", "full"),
        ("export", "--format", "beancount", "--all", "--out", "full/hat.beancount"),
        ("export", "--format", "parquet", "--all", "--out", "full"),
    ],
)
def test_full_disk_is_one_sentence_and_nothing_is_lost(url, tmp_path, command):
    before = every_row(url)
    (tmp_path / "full").mkdir()
    *arguments, place = command
    there = ("--url", url, "--state-dir", tmp_path)
    target: tuple[object, ...] = (tmp_path / place, *there)
    if command[0] == "copy":
        target = (f"sqlite:///{tmp_path / place}", "--from", url)
    done = subprocess.run(
        [sys.executable, "-m", "bot", "ledger", *arguments, *target],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000)),
        cwd=ROOT, env=environment(PYTHONDONTWRITEBYTECODE="1"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {2, 3}
    assert 1 == len(done.stderr.splitlines()), done.stderr
    assert {path.name for path in (tmp_path / "full").iterdir()} <= {"runs.csv", "runs.parquet"}
    assert before == every_row(url)


def test_killed_runs_are_archived_only_while_no_bot_runs(url, tmp_path):
    """A bot on old data looks like a killed run: its times are those of the data."""
    lock = StateLock(tmp_path)
    command = ("ledger", "archive", "--url", url, "--state-dir", tmp_path, "--before", "2024-01-01")
    said = refusal(hat(*command, "--to", tmp_path / "old.db", "--killed"))
    lock.release()
    assert "expected a directory that no other run uses" in said
    assert [KEY, OTHER_KEY] == run_keys(url)


def test_upkeep_makes_no_new_ledger_and_refuses_in_one_sentence(url, tmp_path):
    nowhere = f"sqlite:///{tmp_path / 'nowhere.db'}"
    for command in (("vacuum",), ("archive", "--before", "2024-01-01", "--to", tmp_path / "a.db")):
        assert "expected an existing ledger" in refusal(hat("ledger", *command, "--url", nowhere))
    assert not (tmp_path / "nowhere.db").exists()
    said = refusal(hat("ledger", "archive", "--url", url, "--before", "soon", "--to", tmp_path / "a.db"))
    assert "--before = 'soon': expected a UTC date" in said
    done = hat("ledger", "vacuum", "--url", nowhere, "--json")
    assert {"error"} == set(json.loads(done.stdout))


STOPPED = """
import sys
from ledger import store_copy, store_upkeep

def stopping(rows, place):
    for number, row in enumerate(rows):
        if number == place:
            raise KeyboardInterrupt
        yield row

sent, found = store_copy.insert_rows, store_copy._digest
def insert_rows(target, name, rows):
    sent(target, name, rows)
    if name == "orders":
        raise KeyboardInterrupt
def digest(rows):
    return found(stopping(rows, 3))
store_copy.ROWS_PER_BATCH = 2
if sys.argv.pop(1) == "writing":
    store_copy.insert_rows = insert_rows
else:
    store_copy._digest = digest
from bot.cli import main
main()
"""


@pytest.mark.parametrize("moment", ["writing", "reading"])
@pytest.mark.parametrize("command", ["copy", "backup", "archive"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_ctrl_c_is_one_quiet_line_and_leaves_nothing(kind, command, moment, url, tmp_path, request):
    if kind == "postgresql":
        there = request.getfixturevalue("postgres_url")
        assert hat("ledger", "copy", "--from", url, "--to", there, "--quick").returncode == 0
        url = there
    before, made = every_row(url), tmp_path / "made"
    made.mkdir()
    arguments = {
        "copy": ("--from", url, "--to", f"sqlite:///{made / 'x.db'}"),
        "backup": ("--url", url, "--to", made / "x.db"),
        "archive": ("--url", url, "--to", made / "x.db", "--before", "2023-11-15", "--state-dir", tmp_path),
    }[command]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, moment, "ledger", command, *map(str, arguments)],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if (kind, command, moment) == ("sqlite", "backup", "writing"):
        # Pages are copied, not rows: nothing stops it.
        assert 0 == done.returncode, done.stderr
        return
    assert (130, "") == (done.returncode, done.stdout), done.stderr
    assert "hat: interrupted; what was proven stays, the rest was taken back\n" == done.stderr
    assert [] == list(made.iterdir())
    assert before == every_row(url)


def change(url, statement):
    engine = create_engine(url)
    with engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount
    engine.dispose()


def test_source_that_is_not_sound_is_never_called_proven(url, tmp_path):
    change(url, f"UPDATE marks SET equity = equity + 1 WHERE link = 2 AND run_id = '{KEY}'")
    named = "NOT SOUND at the source: 2 problems, `hat ledger verify` names them"
    for command in (
        ("copy", "--from", url, "--to", f"sqlite:///{tmp_path / 'copy.db'}"),
        ("backup", "--url", url, "--to", tmp_path / "backup.db"),
    ):
        done = hat("ledger", *command)
        assert (1, named) == (done.returncode, done.stdout.splitlines()[-1])
    quick = hat("ledger", "backup", "--url", url, "--to", tmp_path / "quick.db", "--quick")
    assert (0, "not audited (--quick)") == (quick.returncode, quick.stdout.splitlines()[-1])
    shown = hat("ledger", "backup", "--url", url, "--to", tmp_path / "json.db", "--json")
    assert (1, True) == (shown.returncode, json.loads(shown.stdout)["problems"] > 0)
    archive = ("ledger", "archive", "--url", url, "--before", "2023-11-15", "--to", tmp_path / "old.db")
    for more in ((), ("--dry-run",)):
        said = refusal(hat(*archive, *more))
        assert f"run {KEY} is not sound and nothing was moved (run {KEY}: marks " in said
    assert ([KEY, OTHER_KEY], False) == (run_keys(url), (tmp_path / "old.db").exists())
    done = hat(*archive, "--unsound", "--state-dir", tmp_path)
    assert (0, True) == (done.returncode, f"run {KEY} is NOT SOUND: " in done.stdout)
    assert ([OTHER_KEY], [KEY]) == (run_keys(url), run_keys(f"sqlite:///{tmp_path / 'old.db'}"))


def test_target_must_be_another_ledger_in_a_folder_that_exists(url, postgres_url, tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    for same in (url, f"sqlite:///{tmp_path / 'link.db'}"):
        assert "another ledger than the one" in refusal(hat("ledger", "copy", "--from", url, "--to", same))
    assert 0 == hat("ledger", "copy", "--from", url, "--to", postgres_url).returncode
    same = f"{postgres_url}&application_name=other"
    assert "another ledger than the one" in refusal(hat("ledger", "copy", "--from", postgres_url, "--to", same))
    new = tmp_path / "new" / "x.db"
    for command in (
        ("copy", "--from", url, "--to", f"sqlite:///{new}"),
        ("backup", "--url", url, "--to", new),
        ("archive", "--url", url, "--before", "2023-11-15", "--to", new),
    ):
        assert "expected a file in a folder that exists; " in refusal(hat("ledger", *command))
    assert "--run = '12'" in refusal(
        hat("ledger", "copy", "--from", url, "--to", f"sqlite:///{tmp_path / 'x.db'}", "--run", "12")
    )
    assert not (tmp_path / "x.db").exists()
    other = tmp_path / "poems.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE poems (line TEXT)")
    before = other.read_bytes()
    for command in (("copy", "--from", url, "--to", f"sqlite:///{other}"), ("summary", "--url", f"sqlite:///{other}")):
        assert "expected a ledger; it holds tables that are not hat's: poems" in refusal(hat("ledger", *command))
    assert (before, {"poems.db"}) == (other.read_bytes(), {path.name for path in tmp_path.glob("poems*")})


def test_vacuum_by_somebody_who_may_not_is_refused(url, postgres_url):
    assert 0 == hat("ledger", "copy", "--from", url, "--to", postgres_url, "--quick").returncode
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS reader"))
        connection.execute(text("CREATE ROLE reader LOGIN"))
    theirs = postgres_url.replace("postgres@", "reader@")
    try:
        assert "SELECT on every table to read (permission denied" in refusal(hat("ledger", "summary", "--url", theirs))
        with engine.begin() as connection:
            connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
        said = refusal(hat("ledger", "vacuum", "--url", theirs))
        assert "a user who owns the ledger's tables (permission denied to vacuum" in said
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY reader"))
            connection.execute(text("DROP ROLE reader"))
        engine.dispose()
