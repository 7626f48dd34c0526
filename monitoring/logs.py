"""The log: one JSON object per line, in exactly the operator's shape, rotated by size.

Shape: {"timestamp", "level", "component", "event_type", "data"}. Source: seed 004, "Log Format".
Rule 1: a line's time is the event's, in engine time. Rule 2: a full disk or a broken file never reaches the caller; it
is counted in `failures`. Rule 3: what libraries say through `logging` (the span exporter's complaints) becomes a line
of the same shape, component `telemetry`, instead of text on the terminal.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from loguru import logger

from domain.errors import ConfigInvalid
from domain.units import NS_PER_SECOND
from monitoring.log_file import RotatingFile
from monitoring.records import Component, Fields, Level, LogRecord

ROTATION_BYTES = 50_000_000
FILES_KEPT = 10
NS_PER_MICROSECOND = 1_000
ORDER = tuple(Level)
LIBRARIES = ("opentelemetry",)
SILENCE = logging.NullHandler()

_encode = msgspec.json.Encoder().encode


def timestamp(ts_ns: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339 text in UTC with microseconds, e.g. 2024-01-01T12:00:00.000000Z."""
    seconds, rest = divmod(ts_ns, NS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // NS_PER_MICROSECOND:06d}Z"


def line(record: LogRecord, ts_ns: int) -> str:
    """Return one line of the log, with its newline."""
    shape = {
        "timestamp": timestamp(ts_ns),
        "level": record.level,
        "component": record.component,
        "event_type": record.event_type,
        "data": record.data,
    }
    return _encode(shape).decode() + "\n"


class EventLog:
    """One log file, written through loguru, which filters by level and serializes threads."""

    def __init__(
        self,
        path: Path,
        level: Level = Level.INFO,
        rotation_bytes: int = ROTATION_BYTES,
        files_kept: int = FILES_KEPT,
    ) -> None:
        """Open (and create) the file.

        Raises: ConfigInvalid when the file cannot be written.
        """
        self.path = path
        self.failures = 0
        self._rank_min = ORDER.index(level)
        # loguru would also print every line to the terminal through its first, built-in sink.
        with suppress(ValueError):
            logger.remove(0)
        self._log = logger.bind(path=str(path))
        try:
            self._sink = logger.add(
                RotatingFile(path, rotation_bytes, files_kept),
                level=level.value,
                format="{message}",
                filter=lambda found: found["extra"].get("path") == str(path),
                colorize=False,
                catch=False,
            )
        except OSError as broken:
            raise ConfigInvalid("monitoring.log_path", str(path), f"a writable file ({broken.strerror})") from broken
        self._forwards: list[tuple[logging.Logger, Forward]] = []

    def write(self, record: LogRecord, ts_ns: int) -> None:
        """Write one record; never raises for the disk."""
        if ORDER.index(record.level) < self._rank_min:
            return
        try:
            self._log.opt(raw=True).log(record.level.value, line(record, ts_ns))
        except OSError:
            self.failures += 1

    def system(self, event_type: str, ts_ns: int, data: Fields, level: Level = Level.INFO) -> None:
        """Write a record of the process itself: startup, shutdown, health."""
        self.write(LogRecord(Component.SYSTEM, event_type, level, data), ts_ns)

    def forward_libraries(self, clock_ns: Callable[[], int]) -> None:
        """From here on, take what the telemetry libraries say through `logging`."""
        for name in LIBRARIES:
            source = logging.getLogger(name)
            forward = Forward(self, clock_ns)
            source.addHandler(forward)
            source.propagate = False
            self._forwards.append((source, forward))

    def close(self) -> None:
        """Stop forwarding and close the file; a second call does nothing."""
        for source, forward in self._forwards:
            # An exporter that is still closing says so; without any handler Python would print it on the terminal.
            source.addHandler(SILENCE)
            source.removeHandler(forward)
            source.propagate = True
        self._forwards.clear()
        with suppress(ValueError):
            logger.remove(self._sink)


class Forward(logging.Handler):
    """Takes the standard library's log records of other people's code into the event log."""

    def __init__(self, log: EventLog, clock_ns: Callable[[], int]) -> None:
        """Write to log, at the time the clock says."""
        super().__init__(logging.WARNING)
        self._log = log
        self._clock_ns = clock_ns
        self._said: set[tuple[str, object]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, the first time: a collector that is down for a day is one complaint, and a count."""
        kind = (record.name, record.msg)
        if kind in self._said:
            return
        self._said.add(kind)
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
        data: Fields = {"logger": record.name, "message": record.getMessage()}
        self._log.write(LogRecord(Component.TELEMETRY, "library_message", level, data), self._clock_ns())
