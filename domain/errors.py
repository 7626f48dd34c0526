"""The exception tree. Expected outcomes are values (Denial, OrderRejected); these are for what must not go on.

HouseError
 ├─ ConfigInvalid          before start: names key, value, allowed range
 ├─ DataInvalid            a file or message that cannot be used: names the place and what was expected
 └─ InvariantBroken        our bug: stop the house
     ├─ LedgerUnbalanced
     ├─ IllegalTransition
     └─ JournalCorrupt
         └─ JournalTorn
"""


class HouseError(Exception):
    """Base of every error this house raises on purpose; its text is one sentence for a person."""


class ConfigInvalid(HouseError):
    """A setting cannot be used; raised before anything starts."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        """Name the key, the value found and what would be allowed."""
        self.key, self.value, self.expected = key, value, expected
        super().__init__(f"{key} = {value!r}: expected {expected}")


class DataInvalid(HouseError):
    """A data file or payload cannot be used."""

    def __init__(self, place: str, problem: str) -> None:
        """Name the place (file, line, field) and the problem."""
        self.place, self.problem = place, problem
        super().__init__(f"{place}: {problem}")


class InvariantBroken(HouseError):
    """A law of the house does not hold: a bug of ours, never caught but at the door."""


class LedgerUnbalanced(InvariantBroken):
    """Postings that must sum to zero do not, or an identity of the book fails."""


class IllegalTransition(InvariantBroken):
    """An order or mode was asked to move along an edge that does not exist."""

    def __init__(self, subject: str, state: str, trigger: str) -> None:
        """Name the object, its state and the trigger."""
        self.subject, self.state, self.trigger = subject, state, trigger
        super().__init__(f"{subject}: no transition from {state} on {trigger}")


class JournalCorrupt(InvariantBroken):
    """A journal record does not read back as it was written."""


class JournalTorn(JournalCorrupt):
    """A journal ends inside a record: the process died while it wrote, and what the record held never left it."""

    def __init__(self, sequence: int, offset: int, left: int) -> None:
        """Name the record, where it begins and how many bytes of it there are."""
        self.sequence, self.offset, self.left = sequence, offset, left
        super().__init__(f"record {sequence} at byte {offset} is cut off after {left} bytes")
