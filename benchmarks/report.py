"""What a bench hands back, how it is printed and kept: a table, the machine it ran on, and what must be known to read it.

Figures of one report come from one run, in rounds in which every variant had its turn; the table shows medians. Figures
of different runs are not for comparing.
"""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count, getloadavg
from pathlib import Path
from statistics import median
from typing import Any

LIBRARIES = ("msgspec", "numpy", "numba")
Cell = str | int | float | None


@dataclass
class Options:
    """What the command line asks of every bench."""

    rows: int
    events: int
    rounds: int
    place: Path
    rival: Path | None = None
    """The Python of an environment that has hftbacktest, to run beside us."""


@dataclass
class Table:
    """One table of a report. Shape: a heading per column, then rows of as many cells."""

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


@dataclass
class Report:
    """What one bench measured."""

    name: str
    setting: dict[str, Any]
    tables: list[Table]
    notes: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)


def machine() -> dict[str, Any]:
    """Return what a reader must know about where it ran; the load says whether the machine was doing other work."""
    return {
        "processor": processor(),
        "cores": cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {name: version(name) for name in LIBRARIES},
        "load": round(getloadavg()[0], 2),
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """Return the processor's name as the system tells it."""
    about = Path("/proc/cpuinfo")
    if about.exists():
        for line in about.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every number over rounds; words are those of the last round."""
    last = rounds[-1]
    return {
        key: median(one[key] for one in rounds) if isinstance(value, int | float) else value
        for key, value in last.items()
    }


def text(report: Report) -> str:
    """Return a report for the terminal."""
    lines = [report.name, *(f"  {key}: {told(value)}" for key, value in report.setting.items())]
    for table in report.tables:
        lines += ["", f"  {table.title}", *aligned(table)]
    lines += ["", *(f"  {note}" for note in report.notes)] if report.notes else []
    return "\n".join(lines) + "\n"


def told(value: object) -> str:
    """Return a setting as one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return str(value)


def aligned(table: Table) -> list[str]:
    """Return the lines of a table, names to the left and numbers to the right."""
    cells = [table.headings, *(tuple(shown(cell) for cell in row) for row in table.rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(table.headings))]
    first, *others = widths
    return [
        "    "
        + row[0].ljust(first)
        + "".join(f"  {cell.rjust(width)}" for cell, width in zip(row[1:], others, strict=True))
        for row in cells
    ]


def shown(cell: Cell) -> str:
    """Return a cell as text: whole numbers grouped, others with a few digits, nothing as a dash."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1_000 else f"{cell:,.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def as_json(reports: Sequence[Report]) -> str:
    """Return reports as JSON text."""
    return json.dumps([asdict(report) for report in reports], indent=2)


def save(report: Report, folder: Path) -> Path:
    """Write one report as JSON, in place of the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.name}.json"
    path.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return path
