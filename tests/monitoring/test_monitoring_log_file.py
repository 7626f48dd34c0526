"""The rotating file: whole lines only, also where the disk ends in the middle of one."""

import errno
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.log_file import RotatingFile

LINE = "0123456789\n"


@pytest.fixture
def small_disk() -> Iterator[int]:
    """Files of this process may not grow past 100 bytes: a write then comes back short, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    yield 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


def test_file_appends_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.log"
    for _ in range(2):
        file = RotatingFile(path, 1_000, 2)
        file.write(LINE)
        file.stop()
    assert path.read_text() == 2 * LINE


def test_file_rotates_before_a_line_would_pass_the_limit(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "b.log", 25, 2)
    for number in range(7):
        file.write(f"line number {number % 10}\n"[-11:])
    file.stop()
    assert {"b.log": 1, "b.log.1": 2, "b.log.2": 2} == {
        found.name: len(found.read_text().splitlines()) for found in tmp_path.iterdir()
    }


def test_line_longer_than_the_limit_still_gets_its_own_file(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "b.log", 5, 1)
    file.write(LINE)
    file.write(LINE)
    file.stop()
    assert [LINE, LINE] == [(tmp_path / name).read_text() for name in ("b.log", "b.log.1")]


def test_file_that_keeps_nothing_begins_anew(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "b.log", 12, 0)
    file.write(LINE)
    file.write(LINE)
    file.stop()
    assert (["b.log"], LINE) == ([found.name for found in tmp_path.iterdir()], (tmp_path / "b.log").read_text())


def test_file_opens_again_after_it_was_closed(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "b.log", 100, 1)
    file.stop()
    file.write(LINE)
    file.stop()
    assert (tmp_path / "b.log").read_text() == LINE


def test_full_disk_leaves_no_half_line_and_the_next_write_tries_again(tmp_path: Path, small_disk: int) -> None:
    file = RotatingFile(tmp_path / "b.log", 10_000, 1)
    fitting = small_disk // len(LINE)
    for _ in range(fitting):
        file.write(LINE)
    for _ in range(2):
        with pytest.raises(OSError, match="space") as full:
            file.write(LINE)
        assert full.value.errno == errno.ENOSPC
        assert (tmp_path / "b.log").read_text() == fitting * LINE
    file.write("9\n"[: small_disk - fitting * len(LINE)])
    file.stop()
