"""The pages of docs/ that come from the code are what the code says today."""

import re
from pathlib import Path

import pytest

from bot.config import HatConfig
from domain.lifecycle import ILLEGAL, NEXT_STATE, State, Trigger
from domain.modes import MODE_RULES
from domain.reasons import Reason
from scripts.draw import PAGES, ROOT, config_page, main, modes_page, order_lifecycle_page, reasons_page, stale

EDGE = re.compile(r"^ +(\w+) --> (\w+): (.+)$", re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name):
    """Run `make draw` when this fails."""
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name]()


def test_the_order_diagram_shows_exactly_the_moves_of_the_table():
    drawn = set()
    for origin, target, why in EDGE.findall(order_lifecycle_page()):
        for trigger in why.split(", "):
            fills = {"(has": [True], "(no": [False]}.get(trigger.partition(" ")[2].partition(" ")[0], [False, True])
            drawn |= {(origin, trigger.partition(" ")[0], has_fills, target) for has_fills in fills}
    assert drawn == {
        (state.label, trigger.label, has_fills, State(following).label)
        for state in State
        for trigger in Trigger
        for has_fills in (False, True)
        if (following := NEXT_STATE[state][trigger][has_fills]) not in {ILLEGAL, state}
    }


def test_the_order_table_names_exactly_the_facts_that_move_nothing():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| .+? \| (.*) \|$", order_lifecycle_page(), re.MULTILINE)
    assert [State(int(number)).label for _, number, _ in rows] == [label for label, _, _ in rows]
    for label, number, staying in rows:
        state = State[label.upper()]
        assert int(number) == state
        expected = {trigger.label for trigger in Trigger if set(NEXT_STATE[state][trigger]) == {state}}
        assert set(re.findall(r"`(\w+)`", staying)) == expected


def test_the_mode_diagram_shows_exactly_the_moves_of_the_declaration():
    drawn = {(origin, target, trigger) for origin, target, triggers in EDGE.findall(modes_page())
             for trigger in triggers.split(", ")}  # fmt: skip
    assert drawn == {
        (origin.label, target.label, trigger.label)
        for trigger, rules in MODE_RULES.items()
        for origin, target in rules.items()
        if origin is not target
    }


def test_the_reasons_page_holds_every_reason_once():
    written = reasons_page()
    for reason in Reason:
        assert written.count(f"| {int(reason)} | `{reason.label}` | {reason.sentence} |") == 1


def test_the_configuration_page_holds_every_key_once():
    written = config_page()
    for name, section in HatConfig.model_fields.items():
        for key in section.annotation.model_fields:
            assert written.count(f"| `{name}.{key}` |") == 1


def test_drawing_writes_what_is_missing_and_then_has_nothing_to_do(tmp_path, capsys):
    assert stale(tmp_path) == list(PAGES)
    assert main(["--check"], tmp_path) == 1
    assert not list(tmp_path.iterdir())
    assert main([], tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [*PAGES, *PAGES]
    assert stale(tmp_path) == []
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "docs" / "MODES.md").write_text("edited by hand", encoding="utf-8")
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().out == "docs/MODES.md\n"


def test_drawing_refuses_words_it_does_not_know(capsys):
    assert main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


def test_no_drawn_page_names_a_place_of_one_machine():
    for write in PAGES.values():
        assert str(Path.home()) not in write()
