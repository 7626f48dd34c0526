"""`hat ledger acknowledge` as a user meets it: a running bot, one that does not look, none at all."""

import json
import os
import signal
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bot import cli_ledger_venue
from bot.cli_ledger_venue import ledger_acknowledge
from tests.bot_runs import SECONDS_MAX, hat, started_hat


def waited_for(place: Path) -> None:
    """Return when a file is there."""
    deadline = time.monotonic() + SECONDS_MAX
    while not place.exists():
        assert time.monotonic() < deadline, f"{place} never came"
        os.sched_yield()


def test_running_bot_takes_the_act_and_both_files_of_reconciliation_are_there(tmp_path: Path) -> None:
    with started_hat("run", "--port", "0", "--state-dir", tmp_path, "--json") as process:
        waited_for(tmp_path / "bot.json")
        bad = hat("ledger", "acknowledge", "two\nlines", "--state-dir", tmp_path)
        done = hat("ledger", "acknowledge", "I looked", "--state-dir", tmp_path)
        waited_for(tmp_path / "venue.json")
        compared = hat("ledger", "reconcile", "--json", "--state-dir", tmp_path)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert bad.returncode == 2
    assert "expected 1 to 500 printable characters on one line" in bad.stderr
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("taken by the bot: mode ")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert json.loads(compared.stdout)["agrees"]
    events = [json.loads(line) for line in (tmp_path / "hat.log").read_text().splitlines()]
    assert [one["data"] for one in events if one["event_type"] == "operator_act"] == [
        {"act": "acknowledge", "detail": "I looked"}
    ]


class Status(BaseHTTPRequestHandler):
    """Answers like a bot that is blocked."""

    def do_GET(self) -> None:
        """Answer."""
        body = b'{"run_id": "1", "market": "m", "mode": "reducing", "health": "unhealthy", "blocked": "money differs"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def blind_bot(tmp_path, monkeypatch):
    """The state directory of a bot that answers but does not look into its mailbox."""
    server = HTTPServer(("127.0.0.1", 0), Status)
    Thread(target=server.serve_forever, daemon=True).start()
    note = {"pid": os.getpid(), "url": f"http://127.0.0.1:{server.server_address[1]}"}
    (tmp_path / "bot.json").write_text(json.dumps(note))
    monkeypatch.setattr(cli_ledger_venue, "PAUSE_S", 0.001)
    monkeypatch.setattr(cli_ledger_venue, "ANSWER_SECONDS", 0.005)
    yield tmp_path
    server.shutdown()
    server.server_close()


def test_act_that_is_not_taken_yet_is_said_to_wait(blind_bot, capsys) -> None:
    ledger_acknowledge("I looked", None, blind_bot, as_json=False)

    (waiting,) = (blind_bot / "acts").iterdir()
    assert capsys.readouterr().out == f"handed over: {waiting} waits until the bot looks, mode reducing\n"


def test_json_says_whether_it_was_taken_and_what_still_blocks(blind_bot, capsys) -> None:
    ledger_acknowledge("I looked", None, blind_bot, as_json=True)

    assert json.loads(capsys.readouterr().out) == {"taken": False, "mode": "reducing", "blocked": "money differs"}


def test_act_that_was_taken_while_something_still_blocks_says_both(blind_bot, capsys, monkeypatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    ledger_acknowledge("I looked", None, blind_bot, as_json=False)

    assert capsys.readouterr().out == "taken by the bot: mode reducing; money differs\n"
