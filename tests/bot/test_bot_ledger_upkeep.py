"""`hat ledger` export, copy, backup, archive and vacuum as a user meets them."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bot.state_lock import StateLock
from tests.bot_runs import ROOT, environment, hat, summary_of
from tests.ledger.ledger_builders import START_NS
from tests.ledger.ledger_stored import KEY, OTHER, OTHER_KEY, run_keys, store_story
from tests.ledger.ledger_story import every_row

ENDED_NS = START_NS + 9
"""On 2023-11-14."""


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
    assert f"run {KEY}  run\n1 run would move to {path}\n" == dry.stdout
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
        ("export", "--format", "csv", "--all", "--out", "full"),
        ("export", "--format", "beancount", "--all", "--out", "full/hat.beancount"),
        ("export", "--format", "parquet", "--all", "--out", "full"),
    ],
)
def test_full_disk_is_one_sentence_and_nothing_is_lost(url, tmp_path, command):
    before = every_row(url)
    (tmp_path / "full").mkdir()
    *arguments, place = command
    done = subprocess.run(
        [sys.executable, "-m", "bot", "ledger", *arguments, tmp_path / place, "--url", url, "--state-dir", tmp_path],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000)),
        cwd=ROOT, env=environment(PYTHONDONTWRITEBYTECODE="1"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {2, 3}
    assert 1 == len(done.stderr.splitlines()), done.stderr
    # SQLite's own files may stay, for the next try; a name that was asked for is never half a file.
    left = {path.name for path in (tmp_path / "full").iterdir()}
    assert left <= {"old.db", "old.db-wal", "old.db-shm", "runs.csv", "runs.parquet"}
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
