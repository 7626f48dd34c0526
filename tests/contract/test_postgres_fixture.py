"""The PostgreSQL of the tests: fresh databases, and a server that may die."""

import os

import psycopg
import pytest
from sqlalchemy import create_engine, text


def tables(url):
    engine = create_engine(url)
    with engine.begin() as connection:
        names = connection.execute(text("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'")).scalar()
        connection.execute(text("CREATE TABLE left_behind (n INT)"))
    engine.dispose()
    return names


@pytest.mark.parametrize("_round", [1, 2])
def test_postgres_url_is_an_empty_database_each_time(_round, postgres_url):
    assert 0 == tables(postgres_url)


def test_ledger_url_is_given_once_per_database(ledger_url, request):
    assert ledger_url.startswith(request.node.callspec.params["ledger_url"])


def test_postgres_server_comes_back_with_its_rows_after_stop_and_kill(postgres_server):
    tables(postgres_server.url())
    for end in (postgres_server.stop, postgres_server.kill):
        pid = postgres_server.pid
        end()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(psycopg.OperationalError):
            postgres_server.connect()
        postgres_server.start()
        with postgres_server.connect() as connection:
            assert (0,) == connection.execute("SELECT COUNT(*) FROM left_behind").fetchone()
