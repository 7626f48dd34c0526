"""`hat ledger acknowledge` as a user meets it: a running bot, one that does not look, none at all."""

import json
import os
import signal
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import typer

from bot import acknowledging
from bot.cli_ledger_venue import ledger_acknowledge
from tests.bot_runs import SECONDS_MAX, hat, started_hat


def waited_for(place: Path) -> None:
    """Return when a file is there."""
    deadline = time.monotonic() + SECONDS_MAX
    while not place.exists():
        assert time.monotonic() < deadline, f"{place} never came"
        os.sched_yield()


def test_running_bot_that_misses_nothing_is_left_alone_and_both_files_of_reconciliation_are_there(
    tmp_path: Path,
) -> None:
    with started_hat("run", "--port", "0", "--state-dir", tmp_path, "--json") as process:
        waited_for(tmp_path / "bot.json")
        bad = hat("ledger", "acknowledge", "two\nlines", "--state-dir", tmp_path)
        done = hat("ledger", "acknowledge", "I looked", "--state-dir", tmp_path)
        shape = json.loads(hat("ledger", "acknowledge", "I looked", "--json", "--state-dir", tmp_path).stdout)
        waited_for(tmp_path / "venue.json")
        compared = hat("ledger", "reconcile", "--json", "--state-dir", tmp_path)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert bad.returncode == 2
    assert "expected 1 to 500 printable characters on one line" in bad.stderr
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("there is nothing unexplained to take on; nothing was changed, mode ")
    assert (False, "") == (shape["taken"], shape["blocked"])
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert json.loads(compared.stdout)["agrees"]
    events = [json.loads(line) for line in (tmp_path / "hat.log").read_text().splitlines()]
    assert [one for one in events if one["event_type"] == "operator_act"] == []


DIFFERS = {"blocked": "money differs", "statement_differs": True}


class Status(BaseHTTPRequestHandler):
    """Answers like a bot; what it says is the server's."""

    def do_GET(self) -> None:
        """Answer."""
        told = {"run_id": "1", "market": "m", "mode": "reducing", "health": "unhealthy", **self.server.told()}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def blind_bot(tmp_path, monkeypatch):
    """The state directory of a bot that answers but does not look into its mailbox, and its server."""
    server = HTTPServer(("127.0.0.1", 0), Status)
    server.told = lambda: DIFFERS
    Thread(target=server.serve_forever, daemon=True).start()
    note = {"pid": os.getpid(), "url": f"http://127.0.0.1:{server.server_address[1]}"}
    (tmp_path / "bot.json").write_text(json.dumps(note))
    monkeypatch.setattr(acknowledging, "PAUSE_S", 0.001)
    monkeypatch.setattr(acknowledging, "ANSWER_NS", 5_000_000)
    yield tmp_path, server
    server.shutdown()
    server.server_close()


def taking(acts, said):
    """A bot that empties its mailbox when it is asked the second time, and then says so."""
    asked = []

    def told():
        asked.append(1)
        for file in acts.iterdir() if len(asked) > 1 else ():
            file.unlink()
        return said if len(asked) > 2 else DIFFERS

    return told


def test_act_that_is_not_taken_yet_is_said_to_wait(blind_bot, capsys) -> None:
    place, _ = blind_bot
    ledger_acknowledge("I looked", None, place, as_json=False)

    (waiting,) = (place / "acts").iterdir()
    assert capsys.readouterr().out == f"handed over: {waiting} waits until the bot looks, mode reducing\n"


def test_json_says_whether_it_was_taken_and_what_still_blocks(blind_bot, capsys) -> None:
    ledger_acknowledge("I looked", None, blind_bot[0], as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (False, "reducing", "money differs") == (found["taken"], found["mode"], found["blocked"])


def test_act_that_was_taken_says_what_stays_unexplained(blind_bot, capsys, monkeypatch) -> None:
    place, server = blind_bot
    (place / "acts").mkdir()
    monkeypatch.setattr(acknowledging, "ANSWER_NS", 60_000_000_000)
    server.told = taking(place / "acts", {"mode": "trading", "blocked": "", "unexplained": "-3"})
    ledger_acknowledge("I looked", None, place, as_json=False)

    assert capsys.readouterr().out == "taken by the bot: mode trading, -3 USDC stay booked as unexplained\n"


def test_act_the_bot_saw_but_that_still_blocks_was_not_taken(blind_bot, capsys, monkeypatch) -> None:
    place, server = blind_bot
    monkeypatch.setattr(acknowledging, "ANSWER_NS", 500_000_000)
    (place / "acts").mkdir()
    server.told = taking(place / "acts", {"blocked": "a second statement is awaited", "statement_differs": True})
    with pytest.raises(typer.Exit) as ended:
        ledger_acknowledge("I looked", None, place, as_json=False)

    assert 2 == ended.value.exit_code
    assert capsys.readouterr().out == "not taken, mode reducing: a second statement is awaited\n"


def test_difference_that_was_taken_on_counts_as_taken_while_something_else_blocks(blind_bot, capsys) -> None:
    place, server = blind_bot
    (place / "acts").mkdir()
    server.told = taking(place / "acts", {"blocked": "no statement came", "statement_differs": False})
    ledger_acknowledge("I looked", None, place, as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (True, "no statement came") == (found["taken"], found["blocked"])


def test_bot_that_waits_for_a_statement_has_nothing_to_take_and_says_what_blocks(blind_bot, capsys) -> None:
    place, server = blind_bot
    server.told = lambda: {"blocked": "no statement came", "statement_differs": False}
    ledger_acknowledge("I looked", None, place, as_json=False)

    assert capsys.readouterr().out == (
        "there is nothing unexplained to take on; nothing was changed, mode reducing: no statement came\n"
    )
    assert not (place / "acts").exists()


@pytest.mark.parametrize("told", [{"blocked": ""}, {"blocked": "", "unexplained": "-3"}, {}])
def test_nothing_is_handed_over_when_there_is_nothing_to_take(blind_bot, capsys, told) -> None:
    """Also when something was taken on before: it stays unexplained but blocks no more."""
    place, server = blind_bot
    server.told = lambda: told
    ledger_acknowledge("I looked", None, place, as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (False, "") == (found["taken"], found["blocked"])
    assert "there is nothing unexplained to take on; nothing was changed" in found["said"]
    assert not (place / "acts").exists()
