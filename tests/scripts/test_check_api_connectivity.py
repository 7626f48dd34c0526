"""The connectivity script, started as an operator starts it, against a venue on loopback; `hat check` says the same."""

import json
import subprocess
import sys

import pytest

from tests.asked_venue import asked, asked_venue
from tests.bot_runs import ROOT, environment

SCRIPT = ROOT / "scripts" / "monitoring" / "check_api_connectivity.py"


@pytest.fixture
def venue():
    with asked_venue() as venue:
        yield venue


def script(*arguments, **changes):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_script_says_and_exits_as_the_command_does(venue, tmp_path):
    arguments = ("--network", "local", "--url", venue.url, "--coin", "BTC")
    place = {"HAT_BOT__STATE_DIR": str(tmp_path)}
    done = script(*arguments, **place)
    *links, whole = done.stdout.splitlines()
    assert (0, "", 8) == (done.returncode, done.stderr, len(links))
    assert f"healthy, {venue.url}" == whole
    assert links[0].startswith("ready     dns              127.0.0.1 is 127.0.0.1")
    shape = json.loads(script(*arguments, "--json", **place).stdout)
    assert ("healthy", venue.url, 8) == (shape["status"], shape["place"], len(shape["links"]))
    venue.status = 500
    done = script(*arguments, "--json", **place)
    assert (2, "unhealthy") == (done.returncode, json.loads(done.stdout)["status"])
    code, out, _ = asked("check", "connectivity", *arguments, "--json", **place)
    assert (2, "unhealthy") == (code, json.loads(out)["status"])


def test_script_tells_a_bad_configuration_in_one_sentence(tmp_path):
    done = script("--network", "moon", HAT_BOT__STATE_DIR=str(tmp_path))
    assert (2, 1, "") == (done.returncode, len(done.stdout.splitlines()), done.stderr)
    assert done.stdout.startswith("network.name = 'moon'")
    done = script("--network", "moon", "--json", HAT_BOT__STATE_DIR=str(tmp_path))
    assert "unhealthy" == json.loads(done.stdout)["status"]
