"""Plain functions of a module compiled together, so that those which call each other can."""

from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

EXAMPLES = 80


def assert_twins_agree(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, arguments: dict[str, st.SearchStrategy], *helpers: Callable
) -> None:
    """Compile the named functions and, by name, the helpers they call elsewhere; compare on random arguments.

    Shape: a function comes after those it calls.
    """
    plain = {name: getattr(module, name) for name in arguments}
    for helper in helpers:
        monkeypatch.setattr(module, helper.__name__, njit(helper))
    compiled = {}
    for name, function in plain.items():
        compiled[name] = njit(function)
        monkeypatch.setattr(module, name, compiled[name])
    results = {name: [(case, compiled[name](*case)) for case in _cases(drawn)] for name, drawn in arguments.items()}
    # Plain again only now: while patched, a plain function would call compiled ones.
    monkeypatch.undo()
    for name, rows in results.items():
        assert len(rows) >= EXAMPLES // 2
        for case, result in rows:
            assert (case, plain[name](*case)) == (case, result)


def _cases(drawn: st.SearchStrategy) -> list[tuple]:
    """Return random arguments."""
    cases: list[tuple] = []

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(drawn)
    def collect(case: tuple) -> None:
        cases.append(case)

    collect()
    return cases
