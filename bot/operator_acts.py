"""The mailbox between the `hat` command and a running bot: one small file per act of an operator.

Why it exists: an act that changes what a bot may do must reach the one process that holds the lock of the state
directory, survive neither that process nor its directory, and be journaled like every other fact. Whoever may write into
the directory of a bot may operate it, and nobody else.

Laws: a file appears whole or not at all; it is taken once, removed before it is acted upon; what is not a small regular
file of our own user with a known act in it is removed, told and ignored; acts from before a bot began are never its own.
"""

import os
import stat
from pathlib import Path

import msgspec

from bot.clock import monotonic_ns, now_ns
from domain.errors import ConfigInvalid
from domain.units import NS_PER_SECOND

FOLDER = "acts"
DETAIL_LENGTH_MAX = 500
FILE_BYTES_MAX = 4_096
LOOK_NS = NS_PER_SECOND // 2
FILES_PER_LOOK_MAX = 16
ACKNOWLEDGE = "acknowledge"


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person wants a running bot to do, and why."""

    act: str
    detail: str


class Refused(msgspec.Struct, frozen=True):
    """A file in the mailbox that is no act: its name and what is wrong with it."""

    name: str
    problem: str


def checked(act: Act) -> Act:
    """Return the act. Raises: ConfigInvalid for an act nobody knows, or a reason that is empty, too long or unprintable."""
    if act.act != ACKNOWLEDGE:
        raise ConfigInvalid("act", act.act[:40], ACKNOWLEDGE)
    words = act.detail
    if not words.strip() or len(words) > DETAIL_LENGTH_MAX or not words.isprintable():
        raise ConfigInvalid("reason", words[:40], f"1 to {DETAIL_LENGTH_MAX} printable characters on one line")
    return act


def post(state_dir: Path, act: Act) -> Path:
    """Leave an act in the mailbox of a bot and return its file.

    Raises: ConfigInvalid when the act is not legal or the mailbox cannot be written.
    """
    content = msgspec.json.encode(checked(act))
    folder = state_dir / FOLDER
    name = f"{now_ns():020d}-{os.getpid()}"
    fresh, place = folder / f"{name}.new", folder / f"{name}.json"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(place)
    except OSError as error:
        raise ConfigInvalid("bot.state_dir", str(folder), f"a place that can be written ({error.strerror})") from None
    return place


class Mailbox:
    """The mailbox as the running bot sees it."""

    def __init__(self, state_dir: Path) -> None:
        """Look into a state directory; nothing is read yet."""
        self._folder = state_dir / FOLDER
        self._due_ns = 0

    def clear(self) -> list[str]:
        """Remove what was left for another bot, and return the names."""
        left = self._names()
        for name in left:
            self._remove(name)
        return left

    def take(self) -> list[Act | Refused]:
        """Return the acts that have come, oldest first; looks at most twice a second, at some files at a time."""
        moment = monotonic_ns()
        if moment < self._due_ns:
            return []
        self._due_ns = moment + LOOK_NS
        return [self._taken(name) for name in self._names()[:FILES_PER_LOOK_MAX]]

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self._folder) if entry.name.endswith(".json"))
        except OSError:
            return []

    def _taken(self, name: str) -> Act | Refused:
        """Read one file, remove it, and say what it was."""
        try:
            content = self._content(name)
        except (OSError, ValueError) as error:
            content, problem = None, str(error)
        else:
            problem = ""
        if not self._remove(name):
            return Refused(name, "it cannot be removed, so it is not acted upon")
        if content is None:
            return Refused(name, problem)
        try:
            return checked(msgspec.json.decode(content, type=Act))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ConfigInvalid) as error:
            return Refused(name, str(error))

    def _content(self, name: str) -> bytes:
        number = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(number, "rb") as file:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise ValueError("it is no regular file of our own user")
            if found.st_size > FILE_BYTES_MAX:
                raise ValueError(f"it has {found.st_size} bytes, more than {FILE_BYTES_MAX}")
            return file.read(FILE_BYTES_MAX)

    def _remove(self, name: str) -> bool:
        try:
            (self._folder / name).unlink()
        except OSError:
            return False
        return True
