"""What a check found: one line each, with the fix when something is wrong, and how lines become a table, text or JSON.

Laws: the worst line names the whole; what could not be asked because of an earlier line is told as skipped, and does not
make the whole worse a second time. A finding never holds a secret: errors of the house are made without them.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from domain.errors import ConfigInvalid, HouseError

NAME_WIDTH = 16
FOUND_CHARS_MAX = 300
WORD_CHARS_MAX = 42
TOO_MANY = "too many requests"
TOO_MANY_FIX = "Wait a minute and try again: everything that asks from this IP address shares 1,200 weight a minute."


class Verdict(StrEnum):
    """How one check went."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAILED = "failed"


EXIT_CODES = {Verdict.OK: 0, Verdict.SKIPPED: 0, Verdict.WARNING: 1, Verdict.FAILED: 2}
STYLES = {Verdict.OK: "green", Verdict.SKIPPED: "dim", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}
SIGNS = {Verdict.OK: "✓", Verdict.SKIPPED: "·", Verdict.WARNING: "!", Verdict.FAILED: "✗"}


class Finding(msgspec.Struct, frozen=True):
    """One check: its name, how it went, what was found, and the fix in one sentence where there is something to fix."""

    name: str
    verdict: Verdict
    found: str
    fix: str = ""


def shown(word: str) -> str:
    """Return a refused word of the command line as it may be repeated: what is longer than an address may be a key."""
    return word if len(word) <= WORD_CHARS_MAX else f"{len(word)} characters, not shown"


def ok(name: str, found: str) -> Finding:
    """Return a check that went well."""
    return Finding(name, Verdict.OK, found)


def skipped(name: str, why: str) -> Finding:
    """Return a check that could not be made."""
    return Finding(name, Verdict.SKIPPED, f"not checked: {why}")


def warning(name: str, found: str, fix: str) -> Finding:
    """Return a check that found what should be looked at."""
    return Finding(name, Verdict.WARNING, found, fix)


def failed(name: str, found: str, fix: str) -> Finding:
    """Return a check that found what stops the bot, or should."""
    return Finding(name, Verdict.FAILED, found, fix)


def of_error(name: str, error: HouseError, fix: str = "") -> Finding:
    """Return a refusal of the house as a failed check."""
    if isinstance(error, ConfigInvalid):
        return failed(name, f"{error.key} = {error.value!r}"[:FOUND_CHARS_MAX], fix or f"Give {error.expected}.")
    found = str(error)[:FOUND_CHARS_MAX]
    advice = TOO_MANY_FIX if TOO_MANY in found else "See what stands on the left; the venue may be in trouble."
    return failed(name, found, fix or advice)


def guarded(name: str, check: Callable[[], Iterable[Finding]], fix: str = "") -> list[Finding]:
    """Return what a check found; a refusal is a failed check, so that the next one still runs."""
    try:
        return list(check())
    except HouseError as error:
        return [of_error(name, error, fix)]


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return what the findings sum to: failed, warning or ok."""
    return max((one.verdict for one in findings), key=lambda verdict: EXIT_CODES[verdict], default=Verdict.OK)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 when all is well, 1 with warnings, 2 when a check failed."""
    return EXIT_CODES[worst(findings)]


def shape(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as plain data."""
    found = worst(findings)
    status = Verdict.OK if found is Verdict.SKIPPED else found
    return {"status": status.value, "checks": [msgspec.to_builtins(one) for one in findings]}


def lines(findings: Sequence[Finding]) -> list[str]:
    """Return one line per check, for a pipe or a log."""
    return [
        f"{one.verdict.value:<8} {one.name:<{NAME_WIDTH}} {one.found}{f' -> {one.fix}' if one.fix else ''}"
        for one in findings
    ]


def summary(findings: Sequence[Finding]) -> str:
    """Return the whole in one line."""
    counts = {verdict: sum(one.verdict is verdict for one in findings) for verdict in Verdict}
    return ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)


def table(findings: Sequence[Finding]) -> RenderableType:
    """Return the findings as a person reads them on a terminal: trouble in color, each fix below what it mends."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", caption=summary(findings), caption_justify="left")
    grid.add_column("")
    grid.add_column("check", no_wrap=True)
    grid.add_column("found", overflow="fold")
    for one in findings:
        style = STYLES[one.verdict]
        found = Text(one.found, style="dim" if one.verdict is Verdict.SKIPPED else "")
        if one.fix:
            found.append(f"\n→ {one.fix}", style="italic")
        grid.add_row(Text(SIGNS[one.verdict], style=style), Text(one.name, style=style), found)
    return grid
