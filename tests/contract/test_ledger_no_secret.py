"""No password of a ledger's URL leaves the process: not on a screen, not in a file, however it was written."""

import pytest
from sqlalchemy import create_engine, text

from tests.bot_runs import hat

SECRETS = ("s3cr3t", "t0p")
"""Two halves of one password, with an `@` between them where the form of the URL allows it."""


@pytest.fixture
def guarded(postgres_url):
    """The URL of a database, with the place of user and password left open, for a role that must say its password."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS guarded"))
        connection.execute(text("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 's3cr3t@t0p'"))
    yield postgres_url.replace("postgres@", "{}@").replace("+psycopg", "")
    with engine.begin() as connection:
        connection.execute(text("REASSIGN OWNED BY guarded TO postgres"))
        connection.execute(text("DROP ROLE guarded"))
    engine.dispose()


def forms(guarded):
    """The same URL in each form its password may have."""
    return [
        guarded.format("guarded:s3cr3t@t0p"),
        guarded.format("guarded:s3cr3t%40t0p"),
        guarded.format("guarded") + "&password=s3cr3t@t0p",
        guarded.format("guarded") + "&pass%77ord=s3cr3t%40t0p&sslkey=/s3cr3t",
    ]


def leaks(done, *folders):
    """Where a secret is: the streams of a process and every file below some folders."""
    said = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    kept = {path.name: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    return [name for name, content in (said | kept).items() if any(one.encode() in content for one in SECRETS)]


def test_run_and_commands_show_no_password_in_any_form(guarded, tmp_path):
    for number, url in enumerate(forms(guarded)):
        state = tmp_path / str(number)
        done = hat("run", "--for", "1s", "--speed", "max", "--port", "0", "--state-dir", state, HAT_LEDGER__URL=url)
        assert (0, []) == (done.returncode, leaks(done, state)), done.stderr
        assert "***" in done.stdout + done.stderr
        assert "host=/" in done.stdout + done.stderr
        for command in (("ledger", "summary"), ("ledger", "vacuum"), ("config", "show")):
            done = hat(*command, HAT_LEDGER__URL=url)
            assert (0, []) == (done.returncode, leaks(done)), done.stderr
        assert "***" in done.stdout


@pytest.mark.parametrize(
    "tail", ["127.0.0.1:abc/bot", "127.0.0.1:1/bot", "no.such.host.invalid/bot", "/bot?host=/none"]
)
def test_what_is_refused_shows_no_password_and_is_one_sentence(tail, tmp_path):
    first = f"postgresql://u:s3cr3t@t0p@{tail}"
    joined = "&" if "?" in tail else "?"
    second = f"postgresql://u@{tail}{joined}password=s3cr3t@t0p&passfile=/t0p"
    for url in (first, second, first.replace("://", ":/"), first.partition("://")[2]):
        for done in (
            hat("ledger", "summary", "--url", url),
            hat("ledger", "copy", "--from", url, "--to", f"sqlite:///{tmp_path / 'x.db'}"),
            hat("run", "--for", "1s", "--port", "0", "--state-dir", tmp_path, HAT_LEDGER__URL=url),
        ):
            assert (2, [], 1) == (done.returncode, leaks(done, tmp_path), len(done.stderr.splitlines())), done.stderr
