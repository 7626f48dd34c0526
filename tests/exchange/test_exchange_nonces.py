"""Nonces never come twice: when the clock steps, when the process is killed, when the disk is full."""

import signal
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigInvalid, DataInvalid
from exchange.hyperliquid.nonces import AHEAD_MS_MAX, RESERVED_MS, RESERVED_NONCES, Nonces, nonce_file
from tests.bot_runs import ROOT

NOW_MS = 1_700_000_000_000

TAKER = """
import random
import sys
import time
from pathlib import Path
from exchange.hyperliquid.nonces import Nonces

chance = random.Random(int(sys.argv[2]))
nonces = Nonces(Path(sys.argv[1]), lambda: time.time_ns() // 1_000_000 - chance.choice((0, 0, 0, 5, 90_000)))
while True:
    sys.stdout.write(f"{nonces.take()}\\n")
    sys.stdout.flush()
    if chance.random() < 0.1:
        nonces.reserve()
"""


class Clock:
    """A clock the test sets."""

    def __init__(self, now_ms=NOW_MS):
        self.now_ms = now_ms

    def __call__(self):
        return self.now_ms


def are_rising(nonces):
    return all(earlier < later for earlier, later in pairwise(nonces))


def test_nonces_are_the_clock_where_it_rises_and_one_more_where_it_does_not(tmp_path):
    clock = Clock()
    nonces = Nonces(tmp_path / "n", clock)

    assert [nonces.take() for _ in range(3)] == [NOW_MS, NOW_MS + 1, NOW_MS + 2]
    clock.now_ms += 10
    assert nonces.take() == NOW_MS + 10
    clock.now_ms -= 5_000
    assert nonces.take() == NOW_MS + 11


def test_bound_is_on_the_disk_before_a_nonce_is_handed_out(tmp_path):
    clock = Clock()
    path = tmp_path / "n"
    nonces = Nonces(path, clock)

    for _ in range(500):
        clock.now_ms += 400
        taken = nonces.take()
        assert taken <= int(path.read_text())


def test_new_process_begins_above_all_that_was_reserved(tmp_path):
    clock = Clock()
    taken = [Nonces(tmp_path / "n", clock).take()]
    clock.now_ms -= 60_000
    for _ in range(3):
        nonces = Nonces(tmp_path / "n", clock)
        taken += [nonces.take(), nonces.take()]

    assert are_rising(taken)


STEPS = st.one_of(
    st.tuples(st.just("clock"), st.integers(-100_000, 100_000)),
    st.tuples(st.just("take"), st.integers(1, 250)),
    st.tuples(st.just("reserve"), st.just(0)),
    st.tuples(st.just("crash"), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_nonces_always_rise_whatever_clock_and_process_do(steps):
    clock, taken = Clock(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n"
        nonces = Nonces(path, clock)
        for what, amount in steps:
            if what == "clock":
                clock.now_ms += amount
            elif what == "take":
                taken += [nonces.take() for _ in range(amount)]
            elif what == "reserve":
                nonces.reserve()
            else:
                nonces = Nonces(path, clock)
    assert are_rising(taken)


def test_crashing_all_the_time_does_not_outrun_the_window(tmp_path):
    clock = Clock()
    for _ in range(200):
        last = Nonces(tmp_path / "n", clock).take()

    assert last - NOW_MS <= RESERVED_MS + 200 * (RESERVED_NONCES + 1)


def test_process_killed_again_and_again_never_repeats_a_nonce(tmp_path):
    path = tmp_path / "n"
    taken = []
    for seed in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", TAKER, str(path), str(seed)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            taken += [int(process.stdout.readline()) for _ in range(300 + 7 * seed)]
        finally:
            process.send_signal(signal.SIGKILL)
            # What it took before it died counts too; the line it died in does not.
            taken += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            process.stdout.close()
            process.wait()

    assert len(taken) > 1_200
    assert are_rising(taken)


def test_reserving_when_idle_keeps_the_disk_out_of_taking(tmp_path):
    clock = Clock()
    place = tmp_path / "place"
    place.mkdir()
    nonces = Nonces(place / "n", clock)
    nonces.take()
    clock.now_ms += RESERVED_MS - 1
    nonces.reserve()
    (place / "n").unlink()
    place.rmdir()

    clock.now_ms += RESERVED_MS - 1
    assert nonces.take() == clock.now_ms


def test_no_nonce_is_taken_when_the_bound_cannot_be_written(tmp_path):
    clock = Clock()
    place = tmp_path / "place"
    place.mkdir()
    nonces = Nonces(place / "n", clock)
    first = nonces.take()
    (place / "n").unlink()
    place.rmdir()
    clock.now_ms += 2 * RESERVED_MS

    with pytest.raises(OSError, match="No such file"):
        nonces.take()
    place.mkdir()
    assert nonces.take() == clock.now_ms > first


def test_half_written_file_of_a_crash_is_passed_over(tmp_path):
    clock = Clock()
    path = tmp_path / "n"
    first = Nonces(path, clock).take()
    path.with_name("n.partial").write_text("17")

    assert Nonces(path, clock).take() > first + RESERVED_MS - 1


@pytest.mark.parametrize("text", ["", "17", "x\n", "-5\n", "1\n2\n", "9" * 30 + "\n"])
def test_damaged_file_is_refused_with_what_to_do(tmp_path, text):
    (tmp_path / "n").write_text(text)

    with pytest.raises(DataInvalid, match="approve a new agent key"):
        Nonces(tmp_path / "n", Clock())


def test_clock_a_day_behind_is_refused_at_the_start(tmp_path):
    Nonces(tmp_path / "n", Clock(NOW_MS + AHEAD_MS_MAX + 10)).take()

    with pytest.raises(ConfigInvalid, match="set the clock"):
        Nonces(tmp_path / "n", Clock())


def test_unreadable_place_is_refused(tmp_path):
    (tmp_path / "n").mkdir()

    with pytest.raises(ConfigInvalid, match="a file that can be read"):
        Nonces(tmp_path / "n", Clock())


def test_file_is_the_keys_own_in_any_case(tmp_path):
    assert nonce_file(tmp_path, "0xAB") == nonce_file(tmp_path, "0xab") == tmp_path / "0xab.nonces"
