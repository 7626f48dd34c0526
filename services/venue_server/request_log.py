"""One JSON line per request: when, who, what, and what it was answered; for `jq`, and to prove what was asked.

Laws: lines come in the order of handling; keys, signatures and whole bodies are left out; a log that cannot be written
is told once and never stops the venue.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from domain.errors import ConfigInvalid

TEXT_CHARS_MAX = 200


class RequestLog:
    """Appends lines to a file; without one it keeps nothing."""

    def __init__(self, path: Path | None, failed: Callable[[str], None] = lambda _: None) -> None:
        """Open the file. Raises: ConfigInvalid when it cannot be opened."""
        self._failed = failed
        self._file = None
        self._path = path
        if path is not None:
            try:
                self._file = path.open("ab")
            except OSError as error:
                raise ConfigInvalid("--log", str(path), f"a file that can be written ({error.strerror})") from None

    def record(self, line: dict[str, Any]) -> None:
        """Append one line; it reaches the disk with the next flush."""
        if self._file is not None:
            self._try(msgspec.json.encode(line) + b"\n")

    def flush(self) -> None:
        """Hand what was recorded to the operating system."""
        if self._file is not None:
            self._try(b"")

    def _try(self, content: bytes) -> None:
        if self._file is None:
            return
        try:
            if content:
                self._file.write(content)
            else:
                self._file.flush()
        except OSError as error:
            self._failed(f"{self._path}: {error.strerror}")
            self._file = None

    def close(self) -> None:
        """Write the rest and close."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None
