"""Random whole lines, seeded: books proven at every event, nothing left behind, restored runs go on alike."""

from pathlib import Path

import msgspec
import pytest

from domain.notices import DiscrepancyClosed, DiscrepancyFound
from domain.reasons import Reason
from domain.units import NS_PER_SECOND
from tests.simulation.scenes import drawn
from tests.simulation.whole_line import Run, command_hash

REGRESSIONS = [
    (int(line.split()[0]), int(line.split()[1]))
    for line in (Path(__file__).parent / "regression_seeds.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
SEEDS, EVENTS = range(1_000, 1_120), 1_500
NIGHTLY_SEEDS, NIGHTLY_EVENTS = range(10_000, 10_400), 5_000
RESTORE_EVERY = 37


def play(seed: int, events: int, restore_every: int = 0) -> Run:
    """Play one seed; on a failure, what is printed plays it again."""
    print(f"to play it again: python -m tests.simulation.whole_line {seed} {events}")
    run = Run(drawn(seed, events), restore_every)
    run.play()
    return run


def check_restored(seed: int, events: int) -> None:
    """Play a seed straight and with an engine restored again and again: both must do the same."""
    straight = play(seed, events)
    restored = play(seed, events, RESTORE_EVERY)

    assert command_hash(restored) == command_hash(straight)
    assert restored.checked.engine.state.digest() == straight.checked.engine.state.digest()


@pytest.mark.parametrize("seed", SEEDS)
def test_whole_line_is_sound(seed: int) -> None:
    run = play(seed, EVENTS)

    assert run.driver.checks >= EVENTS


@pytest.mark.parametrize("seed", SEEDS[::10])
def test_engine_restored_from_its_snapshot_goes_on_alike(seed: int) -> None:
    check_restored(seed, EVENTS)


@pytest.mark.parametrize("seed", range(2_000, 2_024))
def test_money_and_lots_that_move_untold_are_found_booked_and_settled(seed: int) -> None:
    run = Run(msgspec.structs.replace(drawn(seed, EVENTS), levers=0, loss=0), untold_every=300)

    run.play()

    state = run.checked.engine.state
    told = run.checked.discrepancies
    booked = sum(isinstance(one, DiscrepancyFound) and one.is_booked for one in told)
    taken_on = sum(isinstance(one, DiscrepancyClosed) and one.reason is Reason.ACKNOWLEDGED for one in told)
    assert state.agreement.is_blocking == (bool(told) and isinstance(told[-1], DiscrepancyFound))
    assert booked >= taken_on
    assert state.kill_switch.reason is not Reason.HALTED_BY_INVARIANT


def test_untold_changes_are_met_in_most_of_those_runs() -> None:
    """The runs above mean something only if something is found, booked and acknowledged in them."""
    runs = [
        Run(msgspec.structs.replace(drawn(seed, EVENTS), levers=0, loss=0), untold_every=300)
        for seed in range(2_000, 2_008)
    ]
    for run in runs:
        run.play()

    seen = [one for run in runs for one in run.checked.discrepancies]
    assert sum(isinstance(one, DiscrepancyFound) and one.is_booked for one in seen) >= 4
    assert sum(isinstance(one, DiscrepancyClosed) for one in seen) >= 2
    assert any(isinstance(one, DiscrepancyFound) and one.positions for one in seen)


@pytest.mark.parametrize(("seed", "events"), REGRESSIONS)
def test_line_that_once_broke_is_sound(seed: int, events: int) -> None:
    play(seed, events)


@pytest.mark.parametrize("seed", [48, 98])
def test_venue_faster_than_its_market_data_makes_no_storm_of_refusals(seed: int) -> None:
    scene = msgspec.structs.replace(drawn(seed, EVENTS), levers=0, loss=0)
    run = Run(scene, strategy="two_sided")

    run.play()

    assert 0 < run.checked.refused <= (run.driver.now_ns - scene.start_ns) // NS_PER_SECOND


def test_scenes_are_not_tame() -> None:
    """The runs above mean something only if they trade, are refused, doubt and get lost."""
    runs = [play(seed, EVENTS) for seed in SEEDS[:16]]

    states = [run.checked.engine.state for run in runs]
    assert sum(bool(state.book.transaction_count > 1) for state in states) >= 8
    assert {"PlaceOrder", "ReplaceOrder", "CancelOrder", "QueryOrder"} <= {
        kind for run in runs for kind in run.checked.sent
    }
    assert any(run.line.lost for run in runs)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", NIGHTLY_SEEDS)
def test_long_whole_line_is_sound_and_restorable(seed: int) -> None:
    check_restored(seed, NIGHTLY_EVENTS)
