"""The files of a run: the lock of the state directory, the note, the journal on a full disk, the printed settings."""

import os
import tomllib
from pathlib import Path

import pytest

from bot.app import write_note
from bot.asking import running_url
from bot.config import load, redacted
from bot.config_text import toml_text
from bot.journal_file import JournalFile, JournalUnwritable
from bot.state_lock import NAME, StateLock
from domain.errors import ConfigInvalid
from domain.events import TimerFired
from engine.journal import read_records

TICK = TimerFired("pulse", ts_event_ns=1, ts_recv_ns=1)


def test_lock_is_had_once_and_again_after_its_release(tmp_path: Path) -> None:
    first = StateLock(tmp_path)
    with pytest.raises(ConfigInvalid, match=f"process {os.getpid()} does") as refused:
        StateLock(tmp_path)
    assert "--state-dir" in str(refused.value)
    first.release()
    StateLock(tmp_path).release()


def test_lock_without_a_name_in_it_is_still_a_lock(tmp_path: Path) -> None:
    first = StateLock(tmp_path)
    (tmp_path / NAME).write_text("")
    with pytest.raises(ConfigInvalid, match="another process does"):
        StateLock(tmp_path)
    first.release()


def test_lock_in_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="can be written"):
        StateLock(tmp_path / "nowhere")


def test_note_is_read_back_while_its_writer_lives(tmp_path: Path) -> None:
    write_note(tmp_path / "bot.json", "http://127.0.0.1:1")
    assert "http://127.0.0.1:1" == running_url(tmp_path)
    with pytest.raises(ConfigInvalid, match="can be written"):
        write_note(tmp_path / "nowhere" / "bot.json", "http://127.0.0.1:1")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": 1, "pid": "x"}'])
def test_note_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bot.json").write_text(text)
    with pytest.raises(ConfigInvalid, match="the note of a running bot"):
        running_url(tmp_path)


class CutShort:
    """A file on a disk that is full after so many bytes, like the operating system's: the rest is not written."""

    def __init__(self, path: Path, room: int) -> None:
        self._file = path.open("r+b", buffering=0)
        self._file.seek(0, os.SEEK_END)
        self._room = room

    def write(self, content: bytes) -> int:
        written = self._file.write(content[: self._room])
        self._room -= written
        return written

    def truncate(self, size: int) -> int:
        return self._file.truncate(size)

    def close(self) -> None:
        self._file.close()


def fill(journal: JournalFile) -> None:
    """Append until the disk is full."""
    for _ in range(10):
        journal.append(TICK, ())


@pytest.mark.parametrize("room", [0, 1, 20, 100])
def test_full_disk_leaves_a_journal_of_whole_records(tmp_path: Path, room: int) -> None:
    journal = JournalFile(tmp_path / "x.journal", {"version": 1})
    journal.append(TICK, ())
    whole = journal.path.read_bytes()
    journal._file.close()
    journal._file = CutShort(journal.path, room)

    with pytest.raises(JournalUnwritable, match="the journal cannot be written"):
        fill(journal)
    journal.close()

    content = journal.path.read_bytes()
    assert content.startswith(whole)
    assert list(read_records(content))[1].event() == TICK


def test_printed_settings_are_a_file_that_gives_the_same_settings(tmp_path: Path) -> None:
    place = tmp_path / "hat.toml"
    place.write_text(
        "[bot]\nseed = 7\n[risk.instruments.BTC]\norder_notional_usd_max = 55\n[venue]\nfeed_latency_ms = 1.5\n"
    )
    first = load(place)
    for config in (first, load(None)):
        place.write_text(toml_text(redacted(config)))
        assert redacted(config) == redacted(load(place))
    assert 7 == first.bot.seed


def test_settings_text_quotes_what_toml_would_not_take_bare() -> None:
    text = toml_text({"a": {"b c": {"k.x": "v"}, "none": None, "list": [1, "x", True], "empty": {}}})
    assert {"a": {"b c": {"k.x": "v"}, "list": [1, "x", True], "empty": {}}} == tomllib.loads(text)
    assert "# none is not set" in text
