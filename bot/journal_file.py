"""The journal on disk: every fact and every wish of a run, appended in order.

The one seam is `append`, called before any wish leaves the process. The format is `engine/journal.py`. Records are
handed to the operating system at each append and survive the death of the process; where real orders leave, a decision
that sends anything waits for the disk as well, once for all its orders, on the engine's own thread.
An append is in the file whole or not at all: what a full disk cut off is taken back.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from domain.commands import Command, WakeAt
from domain.errors import ConfigInvalid, HouseError
from domain.events import Event
from engine.journal import Kind, encode_payload, encode_record


class JournalUnwritable(HouseError):
    """The journal of a running bot cannot be written any more: it must not go on trading."""


class JournalFile:
    """An append-only journal."""

    def __init__(self, path: Path, header: dict[str, object], *, is_durable: bool = False) -> None:
        """Create the file and write its header record. Raises: ConfigInvalid when the place cannot be written."""
        self.path = path
        self._is_durable = is_durable
        self.sequence = 0
        self._size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb", buffering=0)
            self._write(self._record(Kind.HEADER, encode_payload(header)))
        except OSError as error:
            raise ConfigInvalid(
                "bot.state_dir", str(path), f"a place to write the journal ({error.strerror})"
            ) from None

    def _record(self, kind: Kind, payload: bytes) -> bytes:
        self.sequence += 1
        return encode_record(self.sequence, kind, payload)

    def append(self, event: Event, commands: tuple[Command, ...]) -> None:
        """Append one fact and the wishes it led to, in one write.

        Raises: JournalUnwritable; the journal then ends before this fact and takes nothing more.
        """
        content = self._record(Kind.EVENT, encode_payload(event))
        for command in commands:
            content += self._record(Kind.COMMAND, encode_payload(command))
        try:
            self._write(content)
            if self._is_durable and any(type(command) is not WakeAt for command in commands):
                os.fdatasync(self._file.fileno())
        except OSError as error:
            raise JournalUnwritable(f"{self.path}: the journal cannot be written ({error.strerror})") from None

    def _write(self, content: bytes) -> None:
        if self._file.write(content) != len(content):
            with suppress(OSError):
                self._file.truncate(self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
