"""docs/VENUE.md says what is so: its example runs as printed, its tables name every key, its accounts file is taken."""

import json
import re
import subprocess
import sys

import pytest
import requests

from services.venue_server.accounts_file import read_accounts
from services.venue_server.counter_settings import OpenQuestions
from services.venue_server.misfortune import MisfortuneSettings
from tests.bot_runs import ROOT, environment
from tests.services.venue_process import running_venue, until

MANUAL = (ROOT / "docs" / "VENUE.md").read_text()
SECONDS = 60


def block(language):
    return re.search(rf"```{language}\n(.*?)```", MANUAL, re.DOTALL).group(1)


@pytest.fixture(scope="module")
def venue():
    with running_venue("--demo") as one:
        until(lambda: len(one.info().all_mids()) == 3, "prices")
        yield one


def test_the_example_runs_as_it_is_printed(venue, tmp_path):
    demo = {"url": venue.url, "account": venue.account, "secret_key": venue.secret_key}
    (tmp_path / "demo.json").write_text(json.dumps(demo))
    done = subprocess.run(
        [sys.executable, "-c", block("python")],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    opened, held, closed = done.stdout.splitlines()
    assert "'filled'" in opened
    assert "'szi': '0.01'" in held
    assert "'filled'" in closed


def test_the_accounts_file_is_taken(tmp_path):
    place = tmp_path / "accounts.toml"
    place.write_text(block("toml"))
    (account,) = read_accounts(place)
    assert account.name == "desk one"
    assert [agent.name for agent in account.agents] == ["bot"]


def test_every_key_of_misfortune_is_told():
    assert [] == [name for name in MisfortuneSettings.__struct_fields__ if f"`{name}`" not in MANUAL]


def test_every_open_question_is_told():
    assert [] == [name for name in OpenQuestions.__struct_fields__ if f"open_questions.{name}`" not in MANUAL]


def test_every_control_page_is_told(venue):
    pages = set(re.findall(r"/control/\w+", MANUAL))
    assert pages == {"/control/" + name for name in ("deposit", "price", "misfortune", "drop", "stall")}
    for path in sorted(pages):
        assert requests.post(venue.url + path, data="[", timeout=SECONDS).status_code == 400


@pytest.mark.parametrize(
    ("path", "keys", "told"),
    [
        ("price", {"coin": "NONE", "oracle": "1"}, "one of BTC, ETH, SOL"),
        ("price", {"coin": "BTC"}, "'oracle' is missing"),
        ("price", {"coin": "BTC", "oracle": "-5"}, "a price above zero"),
        ("price", {"coin": "BTC", "oracle": "none"}, "a price above zero"),
        ("price", {"oracle": "5"}, "'coin' is missing"),
        ("deposit", {"account": "0x1", "usdc": "5"}, "an address"),
        ("deposit", {"account": "0x" + "1" * 40, "usdc": "much"}, "USDC above zero"),
        ("misfortune", {"too_many": -1}, "misfortune.too_many"),
        ("misfortune", {"unheard_of": 1}, "unheard_of"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(venue, path, keys, told):
    answer = requests.post(f"{venue.url}/control/{path}", json=keys, timeout=SECONDS)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
