"""A test as a transcript: `>>` feeds a fact, `<<` states the commands expected next.

    Playbook(engine) >> top("100000", "100001", at(1)) << [PlaceOrder, PlaceOrder] >> accepted(1, at(1.1))

Expected commands are given whole or by type; wakes are left out unless named. A failure prints the transcript.
"""

from collections.abc import Sequence

from domain.commands import Command, WakeAt
from domain.events import Event
from domain.notices import Notice
from engine.machine import Engine


class Playbook:
    """One engine and its transcript."""

    def __init__(self, engine: Engine) -> None:
        """Start with an engine that has seen nothing."""
        self.engine = engine
        self.transcript: list[str] = []
        self.pending: list[Command] = []
        self.notices: list[Notice] = []

    def __rshift__(self, event: Event) -> "Playbook":
        """Feed a fact; commands of the step before must have been expected."""
        self._settle()
        outcome = self.engine.step(event)
        self.transcript.append(f">> {event}")
        self.transcript.extend(f"   {command}" for command in outcome.commands)
        self.pending = [command for command in outcome.commands if not isinstance(command, WakeAt)]
        self.notices.extend(outcome.notices)
        return self

    def __lshift__(self, expected: Sequence[Command | type]) -> "Playbook":
        """State the commands of the last step, whole or by type."""
        found = [
            type(command) if isinstance(wish, type) else command
            for command, wish in zip(self.pending, expected, strict=False)
        ]
        same = len(self.pending) == len(expected) and found == list(expected)
        assert same, "\n".join([*self.transcript, f"<< expected {list(expected)}", f"   found {self.pending}"])
        self.pending = []
        return self

    def _settle(self) -> None:
        assert not self.pending, "\n".join([*self.transcript, f"<< commands nobody expected: {self.pending}"])

    def seen(self, kind: type) -> list[Notice]:
        """Return the notices of one type so far."""
        return [notice for notice in self.notices if isinstance(notice, kind)]
