"""The kill switch: latched. Limits, invariants and operators engage it; only an operator lets go of it.

Why it exists: a stop that ends by itself when the numbers look better is no stop.

Laws: the first reason stays until the reset; a later one may only add the order to flatten, never take it back; while
engaged nothing but reduce-only orders leaves the house (risk/gate.py).
"""

import msgspec

from domain.reasons import Reason


class KillSwitchState(msgspec.Struct, frozen=True, kw_only=True):
    """What the switch remembers. reason NONE is released; detail is the sentence given at the last change."""

    reason: Reason = Reason.NONE
    detail: str = ""
    flatten: bool = False


class KillSwitch:
    """One latch for the whole account."""

    __slots__ = ("detail", "flatten", "reason")

    def __init__(self) -> None:
        """Start released."""
        self.reason = Reason.NONE
        self.detail = ""
        self.flatten = False

    @property
    def is_engaged(self) -> bool:
        """Whether the house is stopped."""
        return self.reason is not Reason.NONE

    def engage(self, reason: Reason, detail: str, *, flatten: bool = False) -> bool:
        """Stop; flatten also asks to close positions, reduce-only. Return whether this call engaged it."""
        if self.is_engaged:
            self.flatten = self.flatten or flatten
            return False
        self.reason, self.detail, self.flatten = reason, detail, flatten
        return True

    def reset(self, detail: str) -> bool:
        """Release by an operator's word. Return whether it was engaged."""
        if not self.is_engaged:
            return False
        self.reason, self.detail, self.flatten = Reason.NONE, detail, False
        return True

    def snapshot(self) -> KillSwitchState:
        """Return everything remembered."""
        return KillSwitchState(reason=self.reason, detail=self.detail, flatten=self.flatten)

    def restore(self, state: KillSwitchState) -> None:
        """Replace everything by a snapshot."""
        self.reason, self.detail, self.flatten = state.reason, state.detail, state.flatten
