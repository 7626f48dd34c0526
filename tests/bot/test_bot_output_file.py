"""Outputs of commands: never over a ledger or a journal, whole or not at all."""

import os
import signal
import subprocess
import sys

import pytest

from bot.journal_file import JournalFile
from bot.output_file import check_output, open_output, output_place
from domain.errors import ConfigInvalid
from ledger.store import LedgerStore
from tests.bot_runs import ROOT, environment


@pytest.fixture
def ledger(tmp_path):
    """The file of an empty ledger."""
    file = tmp_path / "ledger.db"
    LedgerStore(f"sqlite:///{file}").close()
    return file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(path, ledger_file, words, *, force=True):
    with pytest.raises(ConfigInvalid, match=words), open_output(path, ledger_file, force=force):
        pytest.fail("it was opened")


def test_output_is_there_whole_and_replaced_only_with_force(tmp_path, ledger):
    path = tmp_path / "out.txt"
    with open_output(path, ledger, force=False) as file:
        file.write("é\n")
        assert not path.exists()
    assert "é\n".encode() == path.read_bytes()
    refused(path, ledger, "a name that is free; or say --force", force=False)
    with open_output(path, ledger, force=True) as file:
        file.write("new")
    assert ("new", ["ledger.db", "out.txt"]) == (path.read_text(), names(tmp_path))


def test_ledger_is_never_overwritten_under_any_of_its_names(tmp_path, ledger, monkeypatch):
    content = ledger.read_bytes()
    (tmp_path / "by-link").symlink_to(ledger)
    (tmp_path / "by-name").hardlink_to(ledger)
    monkeypatch.chdir(tmp_path)
    for path in (ledger, tmp_path / "by-link", tmp_path / "by-name", ledger.relative_to(tmp_path)):
        for told in (ledger, ledger.relative_to(tmp_path)):
            refused(path, told, "this is the ledger itself, which is never overwritten")
        refused(path, None, "this is a database, which is never overwritten")
    assert content == ledger.read_bytes()
    assert (tmp_path / "by-link").is_symlink()


@pytest.mark.parametrize("tail", ["-wal", "-shm", "-journal"])
def test_what_lies_beside_a_database_is_left_alone_also_when_it_is_not_there_yet(tmp_path, ledger, tail):
    refused(tmp_path / f"ledger.db{tail}", ledger, "this is a part of the ledger")
    refused(tmp_path / f"ledger.db{tail}", None, "this is a part of a database")
    with open_output(tmp_path / f"mine{tail}", ledger, force=False) as file:
        file.write("no database there")


def test_link_to_nothing_that_would_be_the_ledger_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "ledger.db")
    refused(tmp_path / "link", tmp_path / "ledger.db", "this is the ledger itself")


def test_journal_is_never_overwritten_whatever_it_is_called(tmp_path):
    journal = JournalFile(tmp_path / "a.journal", {"version": 2})
    journal.close()
    (tmp_path / "other").hardlink_to(journal.path)
    (tmp_path / "empty.journal").touch()
    for name in ("a.journal", "other", "empty.journal"):
        refused(tmp_path / name, None, "this is a journal")


def test_other_places_are_refused(tmp_path, ledger):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", ledger, "this is no plain file")
    refused(tmp_path, ledger, "this is a folder")
    refused(tmp_path / "nowhere" / "out", ledger, "a folder that exists; .*nowhere is none")
    refused(type(tmp_path)("-"), ledger, "`-` is not standard output here")
    assert ["ledger.db", "pipe"] == names(tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_failure_and_interruption_leave_nothing(tmp_path, error):
    path = tmp_path / "out"
    path.write_text("old")

    def break_off():
        with open_output(path, None, force=True) as file:
            file.write("half")
            raise error

    with pytest.raises(error):
        break_off()
    assert ("old", ["out"]) == (path.read_text(), names(tmp_path))


def test_full_disk_is_one_sentence(tmp_path):
    with (
        pytest.raises(ConfigInvalid, match=r"a place that can be written .No space left"),
        output_place(tmp_path / "out", None, force=False),
    ):
        raise OSError(28, "No space left on device")
    assert [] == names(tmp_path)


def test_check_alone_writes_nothing(tmp_path, ledger):
    check_output(tmp_path / "out", ledger, force=False)
    assert ["ledger.db"] == names(tmp_path)


def test_real_ctrl_c_leaves_nothing(tmp_path):
    code = (
        "import sys, signal; from pathlib import Path; from bot.output_file import open_output\n"
        "with open_output(Path(sys.argv[1]), None, force=False) as file:\n"
        "    file.write('half'); print('ready', flush=True); signal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert "ready\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert [] == names(tmp_path)
