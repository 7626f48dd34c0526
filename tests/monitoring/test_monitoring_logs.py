"""The log file: shape, rotation, levels, and what happens when the disk says no."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import ConfigInvalid
from domain.lifecycle import State, Trigger
from domain.units import NS_PER_SECOND
from monitoring.logs import EventLog, timestamp
from monitoring.records import Component, Describer, Level, LogRecord
from tests.monitoring.observations import INSTRUMENTS, T0, moved, order

RECORD = LogRecord(Component.SYSTEM, "startup", Level.INFO, {"text": "{curly} <red>braces</red> ünïcode"})


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    opened = EventLog(tmp_path / "logs" / "trading.log", Level.DEBUG)
    yield opened
    opened.close()


def lines(path: Path) -> list[dict]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("ts_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (T0, "2024-01-01T12:00:00.000000Z"),
        (T0 + 1_999, "2024-01-01T12:00:00.000001Z"),
        (T0 + NS_PER_SECOND - 1, "2024-01-01T12:00:00.999999Z"),
    ],
)
def test_timestamp_is_utc_to_the_microsecond(ts_ns: int, text: str) -> None:
    assert text == timestamp(ts_ns)


def test_log_writes_the_runbooks_line(log: EventLog) -> None:
    notice = moved(order(1), State.IDLE, Trigger.WANT, State.SIGNAL, lasted_ns=15_500_000)
    log.write(Describer(INSTRUMENTS).record(notice), T0)
    (found,) = lines(log.path)
    assert ("2024-01-01T12:00:00.000000Z", "INFO", "state_machine", "state_transition") == tuple(found.values())[:4]
    assert found["data"]["duration_ms"] == 15.5


def test_log_keeps_braces_markup_and_unicode_as_they_are(log: EventLog) -> None:
    log.write(RECORD, T0)
    assert lines(log.path)[0]["data"] == RECORD.data


def test_log_prints_nothing_on_the_terminal(log: EventLog, capfd: pytest.CaptureFixture[str]) -> None:
    log.write(RECORD, T0)
    assert ("", "") == tuple(capfd.readouterr())


def test_log_leaves_out_what_is_below_its_level(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "trading.log", Level.WARNING)
    log.write(RECORD, T0)
    log.system("shutdown", T0, {}, Level.ERROR)
    log.close()
    assert ["shutdown"] == [found["event_type"] for found in lines(log.path)]


def test_two_logs_do_not_mix(log: EventLog, tmp_path: Path) -> None:
    other = EventLog(tmp_path / "other.log")
    log.system("here", T0, {})
    other.system("there", T0, {})
    other.close()
    other.close()
    log.system("still here", T0, {})
    assert ["here", "still here"] == [found["event_type"] for found in lines(log.path)]
    assert ["there"] == [found["event_type"] for found in lines(other.path)]


def test_log_rotates_by_size_keeps_so_many_and_loses_no_line_in_between(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "trading.log", rotation_bytes=2_000, files_kept=100)
    for number in range(100):
        log.system("line", T0 + number, {"number": number})
    log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 3
    assert all(file.stat().st_size <= 2_000 for file in files)
    assert list(range(100)) == sorted(found["data"]["number"] for file in files for found in lines(file))


def test_log_prunes_old_files(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "trading.log", rotation_bytes=500, files_kept=2)
    for number in range(100):
        log.system("line", T0, {"number": number})
    log.close()
    assert lines(log.path)[-1]["data"] == {"number": 99}
    assert {"trading.log", "trading.log.1", "trading.log.2"} == {file.name for file in tmp_path.iterdir()}


def test_log_that_cannot_be_opened_is_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigInvalid, match=r"monitoring.log_path = .*expected a writable file"):
        EventLog(tmp_path / "file" / "trading.log")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full (Linux)")
def test_full_disk_is_counted_and_never_raised(capfd: pytest.CaptureFixture[str]) -> None:
    log = EventLog(Path("/dev/full"), rotation_bytes=10**12)
    log.write(RECORD, T0)
    assert log.failures == 1
    log.close()
    assert "Traceback" not in capfd.readouterr().err


def test_library_messages_become_lines(log: EventLog, capfd: pytest.CaptureFixture[str]) -> None:
    log.forward_libraries(lambda: T0)
    library = logging.getLogger("opentelemetry.exporter.something")
    library.warning("Transient error %s, retrying", "refused")
    library.error("Failed to export")
    library.info("not worth a line")
    found = lines(log.path)
    assert [("WARNING", "Transient error refused, retrying"), ("ERROR", "Failed to export")] == [
        (one["level"], one["data"]["message"]) for one in found
    ]
    assert {("telemetry", "library_message")} == {(one["component"], one["event_type"]) for one in found}
    assert capfd.readouterr().err == ""
    log.close()
    library.error("Exporter already shutdown")
    assert capfd.readouterr().err == ""
    assert 2 == len(lines(log.path))


def test_library_message_that_comes_again_is_one_line(log: EventLog) -> None:
    log.forward_libraries(lambda: T0)
    for attempt in range(5):
        logging.getLogger("opentelemetry.exporter.something").warning("Transient error, attempt %d", attempt)
    assert ["Transient error, attempt 0"] == [one["data"]["message"] for one in lines(log.path)]
    log.close()
