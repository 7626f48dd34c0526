"""What state the whole venue is in, as far as the counter must know: halted, or open for post-only orders alone."""

from typing import Protocol


class Conditions(Protocol):
    """Tells the state at a time."""

    def is_post_only(self, now_ns: int) -> bool:
        """Say whether only post-only orders are taken: the minutes after a network upgrade."""

    def is_halted(self, now_ns: int) -> bool:
        """Say whether trading is halted; cancels still work."""


class _Calm:
    """An ordinary day."""

    def is_post_only(self, now_ns: int) -> bool:  # noqa: ARG002
        """Say no."""
        return False

    def is_halted(self, now_ns: int) -> bool:  # noqa: ARG002
        """Say no."""
        return False


CALM: Conditions = _Calm()
