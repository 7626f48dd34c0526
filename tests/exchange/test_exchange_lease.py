"""One process per key: the second is refused, and death gives the right back."""

import signal
import subprocess
import sys
import time

import pytest

from domain.errors import ConfigInvalid
from exchange.hyperliquid.lease import Lease
from tests.bot_runs import ROOT

ADDRESS = "0x" + "Ab" * 20
PATIENCE_SECONDS = 20

HOLDER = """
import sys
from pathlib import Path
from exchange.hyperliquid.lease import Lease

lease = Lease(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lease until it is ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), ADDRESS],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_second_process_is_refused_in_one_sentence_with_the_pid_of_the_first(tmp_path, holder):
    with pytest.raises(ConfigInvalid) as refused:
        Lease(tmp_path, ADDRESS.lower())

    sentence = str(refused.value)
    assert f"process {holder.pid} does" in sentence
    assert ADDRESS.lower() in sentence
    assert "\n" not in sentence


def test_death_gives_the_right_back(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    deadline = time.monotonic() + PATIENCE_SECONDS
    lease = None
    while lease is None:
        try:
            lease = Lease(tmp_path, ADDRESS)
        except ConfigInvalid:
            assert time.monotonic() < deadline
    lease.release()


def test_other_keys_are_free_and_a_release_is_final(tmp_path):
    with Lease(tmp_path, ADDRESS), Lease(tmp_path, "0x" + "cd" * 20) as other:
        with pytest.raises(ConfigInvalid):
            Lease(tmp_path, ADDRESS)
        other.release()
        other.release()
        Lease(tmp_path, "0x" + "cd" * 20).release()
    Lease(tmp_path, ADDRESS).release()


def test_folder_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ConfigInvalid, match="a lock file that can be written"):
        Lease(tmp_path / "none", ADDRESS)
