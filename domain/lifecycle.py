"""The order lifecycle: declared once, executed as an integer table.

Theory of operation. `transitions` holds the declaration (states, triggers, one condition by name), draws the diagram
in `docs/` and gives the CHECK constraint in SQL. At import it is compiled to `NEXT_STATE`, which the engine and the
compiled backtest read: the library costs microseconds per step, the table nanoseconds. A test proves that both agree
on every (state, trigger, condition).

Rule 1: every move of an order is in this file. Rule 2: facts of the venue are never illegal merely because they are
late, repeated or contradict an earlier answer: a fill after `canceled` happened, and is booked. What is illegal is
our own mistake (submitting what was never approved), or a fill of an order that never left the house.
"""

from enum import IntEnum
from typing import Final

from transitions import Machine

from domain.errors import IllegalTransition


class State(IntEnum):
    """Where an order is in its life."""

    IDLE = 0
    SIGNAL = 1
    RISK_APPROVED = 2
    VALIDATED = 3
    SUBMITTED = 4
    OPEN = 5
    PARTIALLY_FILLED = 6
    PENDING_CANCEL = 7
    PENDING_REPLACE = 8
    UNKNOWN = 9
    FILLED = 10
    CANCELED = 11
    EXPIRED = 12
    DENIED = 13
    REJECTED = 14
    NOT_PLACED = 15

    @property
    def label(self) -> str:
        """Return the name as diagrams, logs and SQL write it."""
        return self.name.lower()


class Trigger(IntEnum):
    """What moves an order."""

    WANT = 0
    APPROVE = 1
    DENY = 2
    VALIDATE = 3
    SUBMIT = 4
    ACCEPT = 5
    REJECT = 6
    FILL_PARTIAL = 7
    FILL_COMPLETE = 8
    REQUEST_CANCEL = 9
    CONFIRM_CANCEL = 10
    REFUSE_CANCEL = 11
    REQUEST_REPLACE = 12
    CONFIRM_REPLACE = 13
    REFUSE_REPLACE = 14
    EXPIRE = 15
    LOSE = 16
    FIND_OPEN = 17
    PROVE_NOT_PLACED = 18

    @property
    def label(self) -> str:
        """Return the name as diagrams, logs and SQL write it."""
        return self.name.lower()


TERMINAL: Final = frozenset(
    {State.FILLED, State.CANCELED, State.EXPIRED, State.DENIED, State.REJECTED, State.NOT_PLACED}
)
IN_FLIGHT: Final = frozenset({State.SUBMITTED, State.PENDING_CANCEL, State.PENDING_REPLACE, State.UNKNOWN})
WORKING: Final = frozenset({State.OPEN, State.PARTIALLY_FILLED})
AT_RISK: Final = IN_FLIGHT | WORKING
"""States in which the venue may hold the order and fill it."""

_SENT = [state.label for state in (State.SUBMITTED, *sorted(WORKING), State.PENDING_CANCEL, State.PENDING_REPLACE)]
_ENDED_AT_VENUE = [State.CANCELED.label, State.EXPIRED.label]
_CONTRADICTED = [State.REJECTED.label, State.NOT_PLACED.label]

# trigger, sources, destination, has_fills (None: either)
_Rule = tuple[Trigger, list[str], State | None, bool | None]

RULES: Final[list[_Rule]] = [
    (Trigger.WANT, ["idle"], State.SIGNAL, None),
    (Trigger.APPROVE, ["signal"], State.RISK_APPROVED, None),
    (Trigger.DENY, ["signal", "risk_approved"], State.DENIED, None),
    (Trigger.VALIDATE, ["risk_approved"], State.VALIDATED, None),
    (Trigger.SUBMIT, ["validated"], State.SUBMITTED, None),
    # The venue answers the placement. An answer may overtake or trail a fill, a cancel request or a timeout.
    (Trigger.ACCEPT, ["submitted", "unknown"], State.OPEN, False),
    (Trigger.ACCEPT, ["submitted", "unknown"], State.PARTIALLY_FILLED, True),
    (Trigger.ACCEPT, ["partially_filled", "pending_cancel", "pending_replace", "open"], None, None),
    (Trigger.REJECT, [*_SENT, "unknown"], State.REJECTED, None),
    (Trigger.EXPIRE, [*_SENT, "unknown"], State.EXPIRED, None),
    # Fills. Partial ones keep a request in flight; a complete one ends the order wherever it was.
    (Trigger.FILL_PARTIAL, ["submitted", "open", "partially_filled", *_CONTRADICTED], State.PARTIALLY_FILLED, None),
    (Trigger.FILL_PARTIAL, ["pending_cancel", "pending_replace", "unknown", *_ENDED_AT_VENUE], None, None),
    (Trigger.FILL_COMPLETE, [*_SENT, "unknown", *_ENDED_AT_VENUE, *_CONTRADICTED], State.FILLED, None),
    (Trigger.FILL_PARTIAL, ["filled"], None, None),
    (Trigger.FILL_COMPLETE, ["filled"], None, None),
    # Cancel. A refusal proves nothing about the order (it may be filled, gone or not yet there): ask.
    (Trigger.REQUEST_CANCEL, ["submitted", "open", "partially_filled", "pending_replace", "unknown"],
     State.PENDING_CANCEL, None),
    (Trigger.CONFIRM_CANCEL, [*_SENT, "unknown"], State.CANCELED, None),
    (Trigger.REFUSE_CANCEL, ["pending_cancel", "open", "partially_filled"], State.UNKNOWN, None),
    (Trigger.REFUSE_CANCEL, ["unknown", "submitted", "pending_replace"], None, None),
    # Replace: price or size of the same order; the venue gives it a new number and the back of the queue.
    (Trigger.REQUEST_REPLACE, ["open", "partially_filled"], State.PENDING_REPLACE, None),
    (Trigger.CONFIRM_REPLACE, ["pending_replace", "unknown"], State.OPEN, False),
    (Trigger.CONFIRM_REPLACE, ["pending_replace", "unknown"], State.PARTIALLY_FILLED, True),
    (Trigger.CONFIRM_REPLACE, ["pending_cancel", "open", "partially_filled", "submitted"], None, None),
    (Trigger.REFUSE_REPLACE, ["pending_replace", "open", "partially_filled"], State.UNKNOWN, None),
    (Trigger.REFUSE_REPLACE, ["pending_cancel", "unknown", "submitted"], None, None),
    # Doubt and its resolution, by proof only. A proof against an order the venue once confirmed: ask once more.
    (Trigger.LOSE, ["submitted", "pending_cancel", "pending_replace", "open", "partially_filled"],
     State.UNKNOWN, None),
    (Trigger.LOSE, ["unknown"], None, None),
    (Trigger.FIND_OPEN, ["unknown", "submitted"], State.OPEN, False),
    (Trigger.FIND_OPEN, ["unknown", "submitted"], State.PARTIALLY_FILLED, True),
    (Trigger.FIND_OPEN, ["open", "partially_filled", "pending_cancel", "pending_replace"], None, None),
    (Trigger.PROVE_NOT_PLACED, ["unknown", "submitted", "pending_cancel"], State.NOT_PLACED, None),
    (Trigger.PROVE_NOT_PLACED, ["open", "partially_filled", "pending_replace"], State.UNKNOWN, None),
    # Answers that arrive when all is over change nothing.
    *[
        (trigger, sorted(state.label for state in TERMINAL - {State.DENIED}), None, None)
        for trigger in (
            Trigger.ACCEPT, Trigger.REJECT, Trigger.EXPIRE, Trigger.CONFIRM_CANCEL, Trigger.REFUSE_CANCEL,
            Trigger.CONFIRM_REPLACE, Trigger.REFUSE_REPLACE, Trigger.LOSE, Trigger.FIND_OPEN,
            Trigger.PROVE_NOT_PLACED,
        )
    ],
]  # fmt: skip
"""The declaration. Destination None is an internal move: the fact is taken, the state stays."""


class OrderModel:
    """What the declared machine moves; the one condition is whether anything was filled yet."""

    def __init__(self, *, has_fills: bool = False) -> None:
        """Start idle, with or without fills."""
        self.filled = has_fills
        self.state = State.IDLE.label

    def has_fills(self) -> bool:
        """Condition by name: something of this order was filled."""
        return self.filled


def declare(model: OrderModel) -> Machine:
    """Return the `transitions` machine for one model: what diagrams, SQL and tests read."""
    machine = Machine(
        model,
        states=[state.label for state in State],
        initial=State.IDLE.label,
        auto_transitions=False,
        send_event=False,
        model_override=False,
    )
    for trigger, sources, destination, has_fills in RULES:
        machine.add_transition(
            trigger.label,
            list(sources),
            destination.label if destination is not None else None,
            conditions="has_fills" if has_fills else None,
            unless="has_fills" if has_fills is False else None,
        )
    return machine


ILLEGAL: Final = -1


def _compile() -> tuple[tuple[tuple[int, int], ...], ...]:
    """Read the declared machine and return NEXT_STATE[state][trigger][has_fills]."""
    events = declare(OrderModel()).events
    number = {state.label: int(state) for state in State}
    table = [[[ILLEGAL, ILLEGAL] for _ in Trigger] for _ in State]
    for trigger in Trigger:
        for source, found in events[trigger.label].transitions.items():
            for has_fills in (False, True):
                for transition in found:
                    if all(condition.target == has_fills for condition in transition.conditions):
                        kept = source if transition.dest is None else transition.dest
                        table[number[source]][trigger][has_fills] = number[kept]
                        break
    return tuple(tuple((pair[0], pair[1]) for pair in row) for row in table)


NEXT_STATE: Final = _compile()
"""NEXT_STATE[state][trigger][has_fills] is the next state as an integer, or ILLEGAL."""

_STATES: Final = tuple(State)


def advance(state: State, trigger: Trigger, *, has_fills: bool, subject: str) -> State:
    """Return the state after a trigger.

    Raises: IllegalTransition naming subject, state and trigger when the table has no such edge.
    """
    following = NEXT_STATE[state][trigger][has_fills]
    if following < 0:
        raise IllegalTransition(subject, state.label, trigger.label)
    return _STATES[following]
