"""A log file that rotates by size and never holds half a line.

Why not loguru's own file sink: when a disk is full it keeps the failed bytes in a buffer, writes half lines, and cannot
be closed without another error. Rule 1: a line is in the file whole or not at all. Rule 2: an error is raised to the
caller once, at the write that failed, and the next write tries again. `trading.log` is the newest file, then
`trading.log.1`, `trading.log.2` and so on.
"""

import errno
import os
from io import FileIO
from pathlib import Path


class RotatingFile:
    """What loguru writes to: an unbuffered file with a size limit."""

    def __init__(self, path: Path, bytes_max: int, files_kept: int) -> None:
        """Open for appending, creating folders; files_kept counts the rotated ones.

        Raises: OSError when the file cannot be opened for writing.
        """
        self._path = path
        self._bytes_max = bytes_max
        self._files_kept = files_kept
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def write(self, text: str) -> None:
        """Write one line, rotating first when it would pass the limit; raises OSError when it is not in the file."""
        body = text.encode()
        if self._file.closed:
            self._open()
        if self._size and self._size + len(body) > self._bytes_max:
            self._rotate()
        written = self._file.write(body)
        if written != len(body):
            self._file.truncate(self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._size += len(body)

    def stop(self) -> None:
        """Close the file; loguru calls this when the sink is removed."""
        self._file.close()

    def _open(self) -> None:
        self._file = FileIO(self._path, "a")
        self._size = self._file.seek(0, os.SEEK_END) if self._file.seekable() else 0

    def _rotate(self) -> None:
        """Shift every rotated file by one number, drop the last, begin a new one."""
        self._file.close()
        for number in range(self._files_kept, 0, -1):
            older = self._numbered(number)
            newer = self._numbered(number - 1) if number > 1 else self._path
            if newer.exists():
                newer.replace(older)
        if not self._files_kept:
            self._path.unlink()
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
