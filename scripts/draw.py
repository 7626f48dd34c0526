"""Write the pages of `docs/` that are taken from the code: diagrams and tables nobody edits by hand.

Laws: a page is a function of the code alone; a test fails while a page differs from what its function returns.
Run it with `make draw`; `--check` writes nothing and says what is out of date.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot.config import HatConfig, expected_of, redacted
from bot.config_sections import InstrumentRisk, StrategySection
from domain.lifecycle import AT_RISK, NEXT_STATE, TERMINAL, OrderModel, State, declare
from domain.modes import MODE_RULES, Mode
from domain.reasons import Reason
from monitoring.metrics import render as metrics_page

ROOT = Path(__file__).resolve().parents[1]

CONDITION_TEXT = {(): "", (True,): " (has fills)", (False,): " (no fills yet)"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def page(title: str, source: str, *parts: Iterable[str]) -> str:
    """Return a page: title, where it comes from, and its parts with an empty line between them."""
    head = [f"# {title}", "", f"Written by `make draw` from `{source}`; a test keeps it current."]
    return "\n".join([*head, *(line for part in parts for line in ("", *part)), ""])


def diagram(edges: dict[tuple[str, str], list[str]], first: str, last: Iterable[str]) -> list[str]:
    """Return a Mermaid state diagram. edges: from, to and what leads along it."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    lines += [f"    {origin} --> {target}: {', '.join(why)}" for (origin, target), why in edges.items()]
    return [*lines, *(f"    {state} --> [*]" for state in last), "```"]


def order_moves() -> list[tuple[str, str, str, str]]:
    """Return every edge the `transitions` machine declares: from, trigger, condition, to; a move that stays too."""
    moves = []
    for trigger, event in declare(OrderModel()).events.items():
        for origin, found in event.transitions.items():
            for one in found:
                condition = CONDITION_TEXT[tuple(condition.target for condition in one.conditions)]
                moves.append((origin, trigger, condition, one.dest or origin))
    order = [state.label for state in State]
    return sorted(moves, key=lambda move: (order.index(move[0]), order.index(move[3])))


def order_lifecycle_page() -> str:
    """Return docs/ORDER_LIFECYCLE.md."""
    edges: dict[tuple[str, str], list[str]] = {}
    staying: dict[str, list[str]] = {}
    for origin, trigger, condition, target in order_moves():
        if origin == target:
            staying.setdefault(origin, []).append(f"`{trigger}`{condition}")
        else:
            edges.setdefault((origin, target), []).append(f"{trigger}{condition}")
    kinds = dict.fromkeys(TERMINAL, "ended") | dict.fromkeys(AT_RISK, "the venue may fill it")
    legal = sum(following >= 0 for row in NEXT_STATE for pair in row for following in pair)
    states = (
        (f"`{state.label}`", str(int(state)), kinds.get(state, "in the house"), ", ".join(staying.get(state.label, [])))
        for state in State
    )
    return page(
        "Order lifecycle",
        "domain/lifecycle.py",
        [
            "Every move of an order is one of these edges; everything else is a bug and stops the house.",
            f"The table that runs has {legal} legal entries of {len(State) * len(NEXT_STATE[0]) * 2}",
            "(state, trigger, filled or not), the rest raise `IllegalTransition`.",
        ],
        diagram(edges, State.IDLE.label, (state.label for state in sorted(TERMINAL))),
        ["A fact of the venue is never illegal because it is late, repeated or contradicts an earlier answer: a fill",
         "after `canceled` happened, and is booked. Such facts are taken without a move where the last column says so."],
        table(("state", "number", "kind", "taken without a move"), states),
    )  # fmt: skip


def modes_page() -> str:
    """Return docs/MODES.md."""
    edges: dict[tuple[str, str], list[str]] = {}
    for trigger, rules in MODE_RULES.items():
        for origin, target in rules.items():
            if origin is not target:
                edges.setdefault((origin.label, target.label), []).append(trigger.label)
    rows = (
        (f"`{trigger.label}`", *(rules[mode].label if mode in rules else "" for mode in Mode))
        for trigger, rules in MODE_RULES.items()
    )
    return page(
        "Modes",
        "domain/modes.py",
        ["What the bot may do. `halted` is latched: only an operator leaves it, by resuming or stopping."],
        diagram(edges, Mode.STARTING.label, [Mode.STOPPING.label]),
        ["Rows are triggers, columns the mode before, cells the mode after; an empty cell is no edge."],
        table(("trigger", *(mode.label for mode in Mode)), rows),
    )


def reasons_page() -> str:
    """Return docs/REASONS.md."""
    rows = ((str(int(reason)), f"`{reason.label}`", reason.sentence) for reason in Reason)
    return page(
        "Reasons",
        "domain/reasons.py",
        ["Denied means we refused, rejected means the venue refused, canceled ended on request, halted stopped the bot.",
         "Logs and SQL store the name, compiled code the number; a person reads the sentence."],
        table(("code", "name", "sentence"), rows),
    )  # fmt: skip


def config_rows(prefix: str, kind: type[BaseModel], defaults: dict[str, object]) -> list[tuple[str, str, str, str]]:
    """Return one row for each key of a section."""
    return [
        (f"`{prefix}.{key}`", default_text(defaults.get(key)), range_text(field), field.description or "")
        for key, field in kind.model_fields.items()
    ]


def default_text(value: object) -> str:
    """Return a default as it would be written in the file."""
    if value is None or value in ("", {}):
        return ""
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def range_text(field: FieldInfo) -> str:
    """Return what a key takes; tables of keys name theirs."""
    return "a table" if field.annotation == dict[str, InstrumentRisk] else expected_of(field)


def config_page() -> str:
    """Return docs/CONFIG.md."""
    plain = HatConfig.model_construct()
    defaults = redacted(plain)
    rows: list[tuple[str, str, str, str]] = []
    for name in HatConfig.model_fields:
        kind = type(getattr(plain, name))
        rows += config_rows(name, kind, defaults[name])
        if kind is StrategySection:
            extra = defaults[name].items() - {("name", defaults[name]["name"])}
            rows += [
                (f"`{name}.{key}`", default_text(value), "", "see the strategy's file") for key, value in sorted(extra)
            ]
    return page(
        "Configuration",
        "bot/config_sections.py",
        ["One TOML file (`hat.toml` in the working directory, or `--config FILE`), then environment variables named",
         "`HAT_SECTION__KEY`, then the command line; each overrides the one before. Numbers are exact decimals and may",
         "be quoted. An unknown key is refused. `hat config show` prints what is in force, without passwords."],
        table(("key", "default", "takes", "meaning"), rows),
    )  # fmt: skip


PAGES: dict[str, Callable[[], str]] = {
    "docs/CONFIG.md": config_page,
    "docs/METRICS.md": metrics_page,
    "docs/MODES.md": modes_page,
    "docs/ORDER_LIFECYCLE.md": order_lifecycle_page,
    "docs/REASONS.md": reasons_page,
}


def stale(root: Path) -> list[str]:
    """Return the pages under root that differ from what the code says, or are missing."""
    found = []
    for name, write in PAGES.items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != write():
            found.append(name)
    return found


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write what is out of date, or with --check only name it; return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m scripts.draw [--check]", file=sys.stderr)
        return 2
    found = stale(root)
    for name in found:
        print(name)
        if not arguments:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(PAGES[name](), encoding="utf-8")
    return 1 if arguments and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
