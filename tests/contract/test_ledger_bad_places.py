"""Places a ledger cannot be kept in, and rows that were edited by hand: one sentence each, and nothing is lost."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from domain.errors import ConfigInvalid, HouseError
from ledger.store import LedgerStore, StoreUnavailable
from tests.bot_runs import ROOT, hat
from tests.ledger.ledger_builders import a_record, flat
from tests.ledger.ledger_story import a_story, every_row

SECRET = "correct-horse"


@pytest.fixture(scope="module")
def story():
    return flat(a_story()[0])


@pytest.fixture(scope="module")
def batches():
    """A longer story in batches of whole outcomes, each with the cursor after it."""
    return in_batches(a_story(600)[0])


def in_batches(outcomes, size=25):
    made, cursor = [], 0
    for start in range(0, len(outcomes), size):
        batch = flat(outcomes[start : start + size])
        cursor += len(batch)
        made.append((batch, cursor))
    return made


@pytest.fixture(scope="module")
def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of our own: `small_disk(options)` makes it or changes it, e.g. size=1m or ro."""
    mounted = []

    def mount(options, place=tmp_path / "disk"):
        place.mkdir(exist_ok=True)
        how = f"remount,{options}" if mounted else options
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", how, "hat", place], capture_output=True, text=True, check=False
        )
        if done.returncode and not mounted:
            pytest.skip(f"this root may not mount: {done.stderr.strip()}")
        assert 0 == done.returncode, done.stderr
        mounted.append(place)
        return place

    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a full or read-only disk is mounted by root on Linux")
    yield mount
    if mounted:
        subprocess.run(["umount", "-l", mounted[0]], check=True)


def one_sentence(error):
    """The words of an error: one line, no password, nothing of Python."""
    said = str(error.value)
    assert "\n" not in said
    assert SECRET not in said
    assert "sqlalche" not in said
    assert "psycopg" not in said
    return said


def refused(done, code=2):
    """What a command says that cannot be carried out: one line and no traceback."""
    assert code == done.returncode, done.stderr
    assert "" == done.stdout
    assert 1 == len(done.stderr.splitlines()), done.stderr
    assert done.stderr.startswith("hat: ")
    assert SECRET not in done.stderr
    return done.stderr


def changed(url, *statements):
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount
    engine.dispose()


# Through the command line.


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "a database URL such as sqlite:///state/ledger.db"),
        (f"postgresql:/me:{SECRET}@nowhere", "a database URL such as"),
        (f"mysql://me:{SECRET}@127.0.0.1/x", "sqlite, postgresql"),
        (f"postgresql+nothing://me:{SECRET}@127.0.0.1/x", "sqlite, postgresql"),
        ("sqlite:////proc/none/ledger.db", "/proc/none/ledger.db"),
        (f"postgresql://me:{SECRET}@no.such.host.invalid/x", "no.such.host.invalid"),
    ],
)
def test_command_says_what_is_wrong_with_a_url(url, words):
    assert words in refused(hat("ledger", "summary", "--url", url))


@pytest.mark.parametrize("command", [("summary",), ("verify",)])
def test_command_says_that_a_server_does_not_answer_and_shows_no_password(command, closed_port):
    url = f"postgresql://me:{SECRET}@127.0.0.1:{closed_port}/ledger"
    said = refused(hat("ledger", *command, "--url", url))
    assert f"127.0.0.1:{closed_port}" in said
    assert "refused" in said


def test_bot_does_not_start_when_the_server_does_not_answer(closed_port, tmp_path):
    url = f"postgresql://me:{SECRET}@127.0.0.1:{closed_port}/ledger"
    done = hat("run", "--for", "2s", "--port", "0", "--state-dir", tmp_path, HAT_LEDGER__URL=url)
    assert "refused" in refused(done)


@pytest.mark.parametrize("password", ["", f":{SECRET}"])
def test_command_says_that_the_password_is_wrong_and_does_not_show_it(password, shared_postgres, postgres_url):
    changed(postgres_url, "DROP ROLE IF EXISTS guarded", "CREATE ROLE guarded LOGIN PASSWORD 'another one'")
    url = postgres_url.replace("postgres@", f"guarded{password}@")
    assert "password" in refused(hat("ledger", "summary", "--url", url))


def test_command_says_that_a_database_or_a_ledger_is_not_there(shared_postgres, postgres_url, tmp_path):
    assert "does not exist" in refused(hat("ledger", "summary", "--url", shared_postgres.url("nobody_made_it")))
    assert "ledger.url" in refused(hat("ledger", "summary", "--url", postgres_url))
    assert "none yet" in refused(hat("ledger", "summary", "--url", f"sqlite:///{tmp_path / 'none.db'}"))
    text_file = tmp_path / "poem.db"
    text_file.write_text("no ledger\n" * 1_000)
    assert "no ledger" in refused(hat("ledger", "summary", "--url", f"sqlite:///{text_file}"))


def test_schema_of_a_newer_hat_is_refused_and_left_alone(ledger_url, story):
    store = LedgerStore(ledger_url)
    store.begin_run(a_record())
    store.write(story, len(story))
    store.close()
    changed(ledger_url, "UPDATE alembic_version SET version_num = '9999'")
    before = every_row(ledger_url)
    assert "9999, of a newer hat" in refused(hat("ledger", "summary", "--url", ledger_url))
    for is_read_only in (False, True):
        with pytest.raises(ConfigInvalid, match="9999, of a newer hat") as error:
            LedgerStore(ledger_url, read_only=is_read_only)
        one_sentence(error)
    assert before == every_row(ledger_url)


@pytest.mark.parametrize(
    ("edit", "table"),
    [
        ("UPDATE postings SET amount = amount + 1 WHERE sequence = 7 AND line = 1", "transactions"),
        ("UPDATE fills SET price = price + 1 WHERE sequence = 7", "transactions"),
        ("DELETE FROM transitions WHERE link = 9", "transitions"),
        ("UPDATE orders SET state = 'open' WHERE link = 3", "orders"),
        ("UPDATE marks SET equity = equity + 1 WHERE link = 2", "marks"),
    ],
)
def test_rows_edited_by_hand_are_named(edit, table, ledger_url, story):
    store = LedgerStore(ledger_url)
    store.begin_run(a_record())
    store.write(story, len(story))
    assert [] == store.problems()
    store.close()
    changed(ledger_url, edit)
    found = hat("ledger", "verify", "--url", ledger_url)
    assert 1 == found.returncode, found.stderr
    assert table in found.stdout + found.stderr
    assert "Traceback" not in found.stderr


# Disks and rights.


def written_until_full(store, batches):
    """Write until the database says it cannot; return what was written before and the error."""
    stored = 0
    for batch, cursor in batches:
        try:
            store.write(batch, cursor)
        except HouseError as error:
            return stored, error
        stored = cursor
    raise AssertionError("the disk was not full")


def finished_after_room_was_made(store, batches, stored):
    """The same batch again, and the rest: nothing was lost or doubled."""
    assert stored == store.cursor()
    assert sum(store.write(batch, cursor) for batch, cursor in batches) == batches[-1][1] - stored
    assert [] == store.problems()


def test_full_disk_under_sqlite_is_one_sentence_and_the_batch_goes_again(small_disk, batches):
    place = small_disk("size=1m")
    store = LedgerStore(f"sqlite:///{place / 'ledger.db'}")
    store.begin_run(a_record())
    stored, error = written_until_full(store, batches)
    assert isinstance(error, StoreUnavailable)
    assert "full" in str(error)
    assert [] == store.problems()
    small_disk("size=64m")
    finished_after_room_was_made(store, batches, stored)
    store.close()


def test_full_disk_under_postgresql_is_one_sentence_and_the_batch_goes_again(small_disk, shared_postgres, batches):
    place = small_disk("size=10m,mode=700,uid=65534,gid=65534", shared_postgres.home / "disk")
    with shared_postgres.connect() as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        connection.execute("CREATE DATABASE full_disk TABLESPACE small")
    ballast = place / "ballast"
    store = LedgerStore(shared_postgres.url("full_disk"))
    try:
        store.begin_run(a_record())
        room = os.statvfs(place)
        ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - 300_000)))
        stored, error = written_until_full(store, batches)
        assert isinstance(error, StoreUnavailable)
        assert "No space left on device" in str(error)
        assert "\n" not in str(error)
        ballast.unlink()
        finished_after_room_was_made(store, batches, stored)
    finally:
        store.close()
        ballast.unlink(missing_ok=True)
        with shared_postgres.connect() as connection:
            connection.execute("DROP DATABASE full_disk WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")


LIMITED = """
import os, resource, sys
from ledger.store import LedgerStore
from tests.contract.test_ledger_bad_places import finished_after_room_was_made, in_batches, written_until_full
from tests.ledger.ledger_builders import a_record
from tests.ledger.ledger_story import a_story
store = LedgerStore("sqlite:///" + sys.argv[1])
store.begin_run(a_record())
batches = in_batches(a_story(600)[0])
unlimited = resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(sys.argv[1] + "-wal") + 500_000, unlimited))
stored, error = written_until_full(store, batches)
print(type(error).__name__, stored, error, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
finished_after_room_was_made(store, batches, stored)
print("whole")
"""


def test_file_that_may_not_grow_is_one_sentence_and_the_batch_goes_again(tmp_path):
    """The full disk of those who are not root: the system refuses to let files grow."""
    assert resource.RLIM_INFINITY == resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "ledger.db"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    kind, cursor, *_ = done.stdout.split()
    assert "StoreUnavailable" == kind
    assert int(cursor) > 0
    assert ["whole"] == done.stdout.splitlines()[1:]


def test_read_only_file_system_is_one_sentence(small_disk, batches):
    place = small_disk("size=16m")
    url = f"sqlite:///{place / 'ledger.db'}"
    store = LedgerStore(url)
    store.begin_run(a_record())
    store.write(*batches[0])
    store.close()
    small_disk("ro")
    with pytest.raises(ConfigInvalid, match="can be written") as error:
        LedgerStore(url).begin_run(a_record())
    one_sentence(error)
    small_disk("rw")
    store = LedgerStore(url)
    store.begin_run(a_record())
    finished_after_room_was_made(store, batches, batches[0][1])
    store.close()


def test_role_that_may_only_read_reads_and_is_refused_as_a_writer(postgres_url, story):
    store = LedgerStore(postgres_url)
    store.begin_run(a_record())
    store.write(story, len(story))
    statement = store.statement()
    store.close()
    changed(
        postgres_url,
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    url = postgres_url.replace("postgres@", "reader@")
    reader = LedgerStore(url, read_only=True)
    assert (statement, []) == (reader.statement(), reader.problems())
    reader.close()
    writer = LedgerStore(url)
    with pytest.raises(ConfigInvalid, match="a user with the rights to do that") as error:
        writer.begin_run(a_record(run_id=5))
    assert "permission denied" in one_sentence(error)
    writer.close()
    changed(postgres_url, "DROP OWNED BY reader", "DROP ROLE reader")


def test_place_in_a_file_instead_of_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid) as error:
        LedgerStore(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")
    assert str(Path(tmp_path / "file")) in one_sentence(error)
