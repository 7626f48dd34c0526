"""What `hat doctor` looks at on this machine: state directory, ledger, telemetry, disk, port, the key's place.

Laws: nothing is changed that a run would not change as well (folders are made, locks taken and given back); a ledger is
only read; every wait is bounded.
"""

import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import requests
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from bot.config import HatConfig, ledger_url
from bot.findings import Finding, failed, of_error, ok, warning
from bot.keys import AGENT_KEY, key_folder
from bot.state_lock import StateLock
from domain.errors import ConfigInvalid, HouseError
from domain.units import NS_PER_MS
from exchange.hyperliquid.lease import Lease
from exchange.hyperliquid.nonces import Nonces, nonce_file
from ledger import store_engine
from ledger.store_place import masked
from ledger.store_schema import migrate, migration_settings
from monitoring.spans import traces_url

JOURNAL_BYTES_PER_HOUR = 15_000_000
"""Per instrument: market facts of recorded BTC take 8.3 MB an hour in a journal; orders, ledger and log are the rest."""
JOURNAL_HOURS_WARN = 48
JOURNAL_HOURS_MIN = 2
SERVER_TROUBLE = 500
SYNCHRONOUS_FULL = 2
"""What SQLite calls `PRAGMA synchronous = FULL`."""


def existing_part(path: Path) -> Path:
    """Return the path itself or the nearest folder above it that is there."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def state_finding(config: HatConfig) -> Iterator[Finding]:
    """Say whether the state directory can be written and nobody else runs there. Raises: ConfigInvalid."""
    place = config.bot.state_dir
    if place.is_dir():
        StateLock(place).release()
        yield ok("state directory", f"{place}, free")
        return
    above = existing_part(place)
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise ConfigInvalid("bot.state_dir", str(place), f"a directory that can be made: {above} cannot be written")
    yield ok("state directory", f"{place}, made by the first run")


def disk_finding(config: HatConfig) -> Iterator[Finding]:
    """Say how many hours of journal the disk below the state directory holds."""
    place = existing_part(config.bot.state_dir)
    count = len(config.market.instruments)
    rate = JOURNAL_BYTES_PER_HOUR * count
    free = shutil.disk_usage(place).free
    hours = free // rate
    told = (
        f"{free / 1e9:,.1f} GB free: {hours:,} hours of journal and ledger at {rate // 1_000_000} MB an hour "
        f"for {count} instrument{'s' * (count > 1)}"
    )
    fix = f"Make room on the disk of {place}, or move bot.state_dir to another one."
    if hours < JOURNAL_HOURS_MIN:
        yield failed("disk", told, fix)
    elif hours < JOURNAL_HOURS_WARN:
        yield warning("disk", told, fix)
    else:
        yield ok("disk", told)


def port_finding(config: HatConfig) -> Iterator[Finding]:
    """Say whether the page with metrics and health can be opened."""
    host, port = config.monitoring.host, config.monitoring.port
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        fix = "Stop what listens there (another bot?), or set monitoring.port to a free one, or to 0."
        yield failed("monitoring page", f"{host}:{port} cannot be opened ({error})", fix)
        return
    yield ok("monitoring page", f"{host}:{port or 'any free port'} can be opened")


def telemetry_finding(config: HatConfig, timeout_seconds: float) -> Iterator[Finding]:
    """Say whether the collector takes traces: an empty export must be answered. Raises: ConfigInvalid."""
    if not config.monitoring.otlp_endpoint:
        yield ok("telemetry", "no endpoint configured: the newest traces stay in memory")
        return
    url = traces_url(config.monitoring.otlp_endpoint)
    shown = masked(url)
    fix = "Start the collector, or correct monitoring.otlp_endpoint; the bot trades on without it, traces are lost."
    try:
        answer = requests.post(
            url, data=b"", headers={"Content-Type": "application/x-protobuf"}, timeout=timeout_seconds
        )
    except requests.Timeout:
        yield warning("telemetry", f"{shown} does not answer within {timeout_seconds:g} s", fix)
    except requests.RequestException as error:
        yield warning("telemetry", f"{shown} cannot be reached ({type(error).__name__})", fix)
    else:
        if answer.ok:
            yield ok("telemetry", f"{shown} takes traces")
        else:
            yield warning("telemetry", f"{shown} answers HTTP {answer.status_code} to an empty export", fix)


def database_finding(config: HatConfig) -> Iterator[Finding]:
    """Say whether the ledger can be reached, its schema is ours, and a commit survives a power cut. Raises: HouseError."""
    url = store_engine.parsed(ledger_url(config))
    place = store_engine.place_of(url)
    file = store_engine.file_of(url)
    if file is not None and not file.exists():
        above = existing_part(file.parent)
        if not os.access(above, os.W_OK | os.X_OK):
            raise ConfigInvalid(store_engine.KEY, place, f"a place that can be written: {above} cannot")
        yield ok("database", f"{place}, made by the first run: SQLite, WAL, synchronous FULL")
        return
    engine = store_engine.open_engine(url, read_only=True)
    try:
        with store_engine.sentences(engine, place, has_written=False):
            yield _schema_finding(engine, place)
            with store_engine.reading(engine) as connection:
                yield from _durability(connection, place, is_sqlite=file is not None)
    finally:
        engine.dispose()


def _schema_finding(engine: Engine, place: str) -> Finding:
    """Say which schema is there. Raises: ConfigInvalid when this hat cannot use it."""
    head = ScriptDirectory.from_config(migration_settings()).get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        is_empty = not inspect(connection).get_table_names()
    if is_empty:
        return ok("database", f"{place} answers, empty: the first run makes the tables")
    known = {one.revision for one in ScriptDirectory.from_config(migration_settings()).walk_revisions()}
    if current in known and current != head:
        fix = "The next run migrates it; make a copy first with `hat ledger backup`."
        return warning("database", f"{place} answers, schema {current} is older than {head}", fix)
    migrate(engine, place, read_only=True)
    return ok("database", f"{place} answers, schema {head}")


def _durability(connection: Connection, place: str, *, is_sqlite: bool) -> Iterator[Finding]:
    def setting(question: str) -> str:
        return str(connection.exec_driver_sql(question).scalar_one())

    if is_sqlite:
        mode, level = setting("PRAGMA journal_mode"), int(setting("PRAGMA synchronous"))
        told = f"SQLite, journal {mode.upper()}, synchronous {'FULL' if level >= SYNCHRONOUS_FULL else level}"
        if level >= SYNCHRONOUS_FULL and mode == "wal":
            yield ok("durability", told)
        else:
            fix = f"Let one run open {place} for writing: it sets the log to WAL; readers and the bot then share it."
            yield warning("durability", told, fix)
        return
    fsync, commit = setting("SHOW fsync"), setting("SHOW synchronous_commit")
    told = f"PostgreSQL, fsync {fsync}, synchronous_commit {commit}"
    if fsync != "on":
        yield failed("durability", told, "Set fsync = on in postgresql.conf: a power cut may destroy the ledger.")
    elif commit == "off":
        fix = "ALTER ROLE ... SET synchronous_commit = on: a crash of the server loses what was just booked."
        yield warning("durability", told, fix)
    else:
        yield ok("durability", told)
    if setting("SELECT pg_is_in_recovery()") == "True":
        yield failed("durability", f"{place} is a standby: it cannot be written", "Point ledger.url at the primary.")


def key_place_finding(config: HatConfig, told: Callable[[str], str]) -> Iterator[Finding]:
    """Say where the key lies and who may read it; whether it can be used is another check."""
    name = config.network.key_file or config.network.keystore
    if not name or len(name.removeprefix("0x")) == 2 * 32:
        if told(AGENT_KEY):
            yield ok("key file", f"none: the key is in {AGENT_KEY}")
        return
    path = Path(name)
    try:
        found = path.stat()
    except OSError as error:
        yield failed("key file", f"{path} cannot be read ({error.strerror})", "Correct network.key_file or keystore.")
        return
    mode = stat.filemode(found.st_mode)
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield failed("key file", f"{path} has mode {mode}: others may read the key", f"chmod 600 {path}")
    elif found.st_uid not in {os.geteuid(), 0}:
        yield failed("key file", f"{path} belongs to user {found.st_uid}", f"chown {os.geteuid()} {path}")
    else:
        yield ok("key file", f"{path}, mode {mode}")


def nonce_findings(signer: str, environ: Mapping[str, str] | None, clock: Callable[[], int]) -> Iterator[Finding]:
    """Say whether the key's nonces can be continued and no other process signs with it."""
    folder = key_folder(environ)
    try:
        Nonces(nonce_file(folder, signer), lambda: clock() // NS_PER_MS)
    except HouseError as error:
        yield of_error("nonces", error, "Set the clock right, or approve a new agent key: see docs/DOCTOR.md.")
    else:
        file = nonce_file(folder, signer)
        yield ok("nonces", f"{file}{'' if file.exists() else ', made by the first run'}")
    try:
        Lease(folder, signer).release()
    except ConfigInvalid as error:
        yield failed("lease", f"the key of {signer} is in use or cannot be locked", f"Give {error.expected}.")
    else:
        yield ok("lease", "no other process here signs with this key")
