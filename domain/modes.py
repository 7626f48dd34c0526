"""Modes of the bot: what it may do now. Declared and compiled like the order lifecycle.

starting → reconciling → trading ⇄ reducing; paused is maintenance; halted is latched and only an operator leaves it;
stopping cancels everything and ends.
"""

from enum import IntEnum
from typing import Final

from domain.errors import IllegalTransition


class Mode(IntEnum):
    """What the bot may do."""

    STARTING = 0
    RECONCILING = 1
    TRADING = 2
    REDUCING = 3
    PAUSED = 4
    HALTED = 5
    STOPPING = 6

    @property
    def label(self) -> str:
        """Return the name as logs, metrics and SQL write it."""
        return self.name.lower()


class ModeTrigger(IntEnum):
    """What moves the mode."""

    START = 0
    RECONCILE = 1
    REDUCE = 2
    RECOVER = 3
    PAUSE = 4
    RESUME = 5
    HALT = 6
    STOP = 7

    @property
    def label(self) -> str:
        """Return the name as logs write it."""
        return self.name.lower()


_EVERY: Final = (Mode.STARTING, Mode.RECONCILING, Mode.TRADING, Mode.REDUCING, Mode.PAUSED)

MODE_RULES: Final[dict[ModeTrigger, dict[Mode, Mode]]] = {
    ModeTrigger.START: {Mode.STARTING: Mode.RECONCILING},
    ModeTrigger.RECONCILE: {Mode.RECONCILING: Mode.TRADING},
    ModeTrigger.REDUCE: {Mode.TRADING: Mode.REDUCING, Mode.REDUCING: Mode.REDUCING},
    ModeTrigger.RECOVER: {Mode.REDUCING: Mode.TRADING, Mode.TRADING: Mode.TRADING},
    ModeTrigger.PAUSE: {Mode.TRADING: Mode.PAUSED, Mode.REDUCING: Mode.PAUSED, Mode.PAUSED: Mode.PAUSED},
    ModeTrigger.RESUME: {Mode.PAUSED: Mode.TRADING, Mode.HALTED: Mode.RECONCILING},
    ModeTrigger.HALT: {**dict.fromkeys(_EVERY, Mode.HALTED), Mode.HALTED: Mode.HALTED, Mode.STOPPING: Mode.STOPPING},
    ModeTrigger.STOP: {**dict.fromkeys(_EVERY, Mode.STOPPING), Mode.HALTED: Mode.STOPPING,
                       Mode.STOPPING: Mode.STOPPING},
}  # fmt: skip


def next_mode(mode: Mode, trigger: ModeTrigger) -> Mode:
    """Return the mode after a trigger; raises IllegalTransition when there is no such edge."""
    following = MODE_RULES[trigger].get(mode)
    if following is None:
        raise IllegalTransition("mode", mode.label, trigger.label)
    return following
