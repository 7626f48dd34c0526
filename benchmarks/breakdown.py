"""Where the time of a backtest goes, by room and by function.

The profiler slows every call, so these are shares and not speeds, and small functions look larger than they are. The
runs are separate from those of `backtest.py`. Time inside built-in functions counts for whoever called them.
"""

import cProfile
import pstats
from collections import defaultdict
from pathlib import Path

from benchmarks.facts import facts
from benchmarks.house import run
from benchmarks.report import Options, Report, Table
from benchmarks.workload import tape

ROWS_MAX = 200_000
FUNCTIONS_SHOWN = 25
ROOT = Path(__file__).resolve().parents[1]
FORM = "event"

Place = tuple[str, int, str]
"""File, line and name, as the profiler names a function."""


def measure(options: Options) -> Report:
    """Profile one run of the event form."""
    data = tape(min(options.rows, ROWS_MAX), options.place)
    profiler = cProfile.Profile()
    profiler.runcall(run, facts(data), FORM)
    own, calls = own_times(pstats.Stats(profiler))
    total = sum(own.values())
    rooms: dict[str, float] = defaultdict(float)
    for place, seconds in own.items():
        rooms[room(place)] += seconds
    by_time = sorted(own, key=own.__getitem__, reverse=True)[:FUNCTIONS_SHOWN]
    return Report(
        "breakdown",
        {"tape": data.about, "form": FORM, "rounds": 1},
        [
            Table(
                "Rooms, share of all time in percent",
                ("room", "share"),
                [(name, 100 * seconds / total) for name, seconds in sorted(rooms.items(), key=lambda one: -one[1])],
            ),
            Table(
                "Functions by their own time",
                ("function", "share", "calls", "calls/row"),
                [(label(place), 100 * own[place] / total, calls[place], calls[place] / data.rows) for place in by_time],
            ),
        ],
        ["Taken under cProfile: shares, not speeds."],
    )


def own_times(stats: pstats.Stats) -> tuple[dict[Place, float], dict[Place, int]]:
    """Return seconds and calls of each function; those of built-in functions go to their callers."""
    own: dict[Place, float] = defaultdict(float)
    calls: dict[Place, int] = {}
    for place, (_, count, seconds, _, callers) in stats.stats.items():  # type: ignore[attr-defined]
        if place[0] != "~":
            own[place] += seconds
            calls[place] = count
            continue
        for caller, (_, _, inside, _) in callers.items():
            own[caller] += inside
            calls.setdefault(caller, 0)
    return own, calls


def room(place: Place) -> str:
    """Return the room a function lives in."""
    path = Path(place[0])
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        return path.relative_to(ROOT).parts[0]
    return "libraries"


def label(place: Place) -> str:
    """Return a function as file and name."""
    file, _, name = place
    path = Path(file)
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name} {name}"
