"""The files of a recording: raw frames with the time they came, an hour to a file, in the layout `hat backtest` reads.

    1732147200123456789 {"channel":"l2Book","data":{…}}

Theory of operation. An hour is written to `NAME.jsonl.gz.partial` and gets its name when it is whole. What a killed
recorder left behind is read as far as it goes and finished by the next one in the same folder; until then the importer
reads it as it is. The compressor is emptied to the file every FLUSH_NS, so a crash costs at most the last second.

Laws: one recorder per folder; a file that exists is never written again; a line is a whole frame; receive times in a
file never fall; what the recorder itself has to say (begun, lost, connected, ended) are frames of channel `recorder`.
"""

import fcntl
import os
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from domain.errors import ConfigInvalid
from domain.units import NS_PER_HOUR, NS_PER_SECOND
from exchange.hyperliquid.wire import ServerFrame, encoded

OUT = "--out"
CHANNEL = "recorder"
SUFFIX = ".jsonl.gz"
PARTIAL = ".partial"
MENDED = ".mending"
LOCK = ".recorder.lock"
FLUSH_NS = NS_PER_SECOND
GZIP = 16 + zlib.MAX_WBITS
READ_BYTES = 2**16
PARTS_MAX = 1_000


class RecordingFiles:
    """The folder of one recorder."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make and lock the folder, and finish what a killed recorder left. Raises: ConfigInvalid."""
        self.folder, self._name = folder, name
        self.written: list[Path] = []
        self.lines = self.size = 0
        self.mended: list[Path] = []
        self._file: _HourFile | None = None
        self._last_ns = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigInvalid(OUT, str(folder), f"a folder that can be written ({error.strerror})") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise ConfigInvalid(OUT, str(folder), "a folder no other recorder writes to") from None
        self.mended = [finish(torn) for torn in sorted(folder.glob(f"*{SUFFIX}{PARTIAL}"))]

    def frame(self, recv_ns: int, frame: bytes) -> None:
        """Write a frame as it came. Raises: OSError when the disk does not take it."""
        # A wall clock may step back; the order in the file is the order of arrival.
        recv_ns = self._last_ns = max(recv_ns, self._last_ns)
        hour_ns = recv_ns - recv_ns % NS_PER_HOUR
        if self._file is None or self._file.hour_ns != hour_ns:
            self._close()
            self._file = _HourFile(self._free_name(hour_ns), hour_ns, recv_ns)
        self._file.write(b"%d %s\n" % (recv_ns, frame))
        self.lines += 1
        if recv_ns - self._file.flushed_ns >= FLUSH_NS:
            self._file.flush(recv_ns)

    def note(self, recv_ns: int, event: str, **said: Any) -> None:
        """Write a frame of our own."""
        self.frame(recv_ns, encoded({"channel": CHANNEL, "data": {"event": event, **said}}))

    def close(self) -> None:
        """Finish the open file and give the folder back. Raises: OSError."""
        try:
            self._close()
        finally:
            os.close(self._lock)

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            self.written.append(file.close())
            self.size += self.written[-1].stat().st_size

    def _free_name(self, hour_ns: int) -> Path:
        """Return a name that sorts by time and that no earlier run used. Raises: OSError when all are taken."""
        hour = f"{datetime.fromtimestamp(hour_ns // NS_PER_SECOND, tz=UTC):%Y%m%dT%HZ}"
        for part in range(1, PARTS_MAX):
            place = self.folder / f"{self._name}-{hour}-{part:03}{SUFFIX}"
            if not place.exists() and not partial_of(place).exists():
                return place
        raise FileExistsError(f"{PARTS_MAX - 1} files of this hour are there already")


class _HourFile:
    """One file while it is written."""

    def __init__(self, place: Path, hour_ns: int, now_ns: int) -> None:
        self.hour_ns, self.flushed_ns = hour_ns, now_ns
        self._place = place
        self._compressor = zlib.compressobj(wbits=GZIP)
        self._file = partial_of(place).open("xb", buffering=0)

    def write(self, line: bytes) -> None:
        """Compress a line; it reaches the file with the next flush at the latest."""
        self._put(self._compressor.compress(line))

    def flush(self, now_ns: int) -> None:
        """Hand everything to the operating system, so that it is read back whatever happens to us."""
        self._put(self._compressor.flush(zlib.Z_SYNC_FLUSH))
        self.flushed_ns = now_ns

    def _put(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> Path:
        """End the stream, wait for the disk, give the file its name."""
        try:
            self._put(self._compressor.flush(zlib.Z_FINISH))
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
        partial_of(self._place).rename(self._place)
        return self._place


def partial_of(place: Path) -> Path:
    """Return what a file is called until it is whole."""
    return place.with_name(place.name + PARTIAL)


def finish(torn: Path) -> Path:
    """Turn what a killed recorder left into a whole file of its whole lines. Raises: ConfigInvalid."""
    place = torn.with_name(torn.name.removesuffix(PARTIAL))
    fresh = torn.with_name(f".{place.name}{MENDED}")
    compressor = zlib.compressobj(wbits=GZIP)
    try:
        with fresh.open("wb") as file:
            for lines in whole_lines(torn):
                file.write(compressor.compress(lines))
            file.write(compressor.flush())
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(place)
        torn.unlink()
    except OSError as error:
        raise ConfigInvalid(OUT, str(torn), f"a file that can be finished ({error.strerror})") from None
    return place


def whole_lines(torn: Path) -> Iterator[bytes]:
    """Yield the lines of a compressed file that ends anywhere, in pieces; what is behind the last line end is dropped."""
    decompressor = zlib.decompressobj(wbits=GZIP)
    rest = b""
    with torn.open("rb") as file:
        while piece := file.read(READ_BYTES):
            try:
                rest += decompressor.decompress(piece)
            except zlib.error:
                break
            cut = rest.rfind(b"\n") + 1
            if cut:
                yield rest[:cut]
                rest = rest[cut:]


def is_message(frame: bytes) -> bool:
    """Say whether a frame is a message of the venue on one line of UTF-8, as the layout wants it."""
    if b"\n" in frame or not frame.startswith(b"{"):
        return False
    try:
        frame.decode("utf-8")
        msgspec.json.decode(frame, type=ServerFrame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
