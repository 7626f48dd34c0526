"""The journal on disk: every fact and every wish of a run, appended in order.

The one seam is `append`, called before any wish leaves the process. The format is `engine/journal.py`. Records are
handed to the operating system at each append; they survive the death of the process, not yet that of the machine.
"""

from pathlib import Path

from domain.commands import Command
from domain.errors import ConfigInvalid
from domain.events import Event
from engine.journal import Kind, encode_payload, encode_record


class JournalFile:
    """An append-only journal."""

    def __init__(self, path: Path, header: dict[str, object]) -> None:
        """Create the file and write its header record. Raises: ConfigInvalid when the place cannot be written."""
        self.path = path
        self.sequence = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise ConfigInvalid(
                "bot.state_dir", str(path), f"a place to write the journal ({error.strerror})"
            ) from None
        self._file.write(self._record(Kind.HEADER, encode_payload(header)))

    def _record(self, kind: Kind, payload: bytes) -> bytes:
        self.sequence += 1
        return encode_record(self.sequence, kind, payload)

    def append(self, event: Event, commands: tuple[Command, ...]) -> None:
        """Append one fact and the wishes it led to, in one write."""
        content = self._record(Kind.EVENT, encode_payload(event))
        for command in commands:
            content += self._record(Kind.COMMAND, encode_payload(command))
        self._file.write(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
