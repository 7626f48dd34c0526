"""Reading the answers to actions: one outcome per order, whatever shape the venue chose.

Laws: a batch refused before validation has one status for all; a text for the whole action is one outcome for each
order; an answer that cannot be read leaves every order in doubt. Source: HYPERLIQUID 3.2, 3.3, 3.5, 3.6.
"""

import msgspec
from msgspec import UNSET

from exchange.hyperliquid.codec_orders import is_doubtful
from exchange.hyperliquid.tolerance import Reader
from exchange.hyperliquid.wire import ActionReply
from exchange.hyperliquid.wire_actions import Status, StatusesReply


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an action did for one order: exactly one of the first three, or nothing known (in doubt).

    is_whole: the error is that of the whole action, which did nothing at all.
    """

    order_id: int = 0
    filled_size: str = ""
    """Set with order_id when the order matched at once."""
    is_done: bool = False
    """A cancel succeeded."""
    error: str = ""
    is_whole: bool = False
    is_unsent: bool = False
    """The error is ours: the action never reached the venue."""
    word: str = ""
    """A bare word other than success."""


IN_DOUBT = Outcome()


def outcomes(payload: bytes, count: int, reader: Reader) -> list[Outcome]:
    """Return the outcome for each of the count orders of an action."""
    reply = reader.read(payload, ActionReply, is_hot=True)
    if reply is None:
        return [IN_DOUBT] * count
    if reply.status != "ok":
        text = _text(reply, reader)
        is_open = text is None or is_doubtful(text)
        return [IN_DOUBT if is_open else Outcome(error=text or "refused", is_whole=True)] * count
    answer = reader.read(bytes(reply.response), StatusesReply, is_hot=True)
    if answer is None or not answer.data.statuses:
        return [IN_DOUBT] * count
    found = [_outcome(status) for status in answer.data.statuses]
    if len(found) == 1 and found[0].error:
        found *= count
    return (found + [IN_DOUBT] * count)[:count]


def whole_error(payload: bytes, reader: Reader) -> str | None:
    """Return the error of an action without statuses: empty when it went well, None when nobody can tell."""
    reply = reader.read(payload, ActionReply)
    if reply is None:
        return None
    return "" if reply.status == "ok" else _text(reply, reader)


def _text(reply: ActionReply, reader: Reader) -> str | None:
    return reader.read(bytes(reply.response), str)


def _outcome(status: Status | str) -> Outcome:
    if isinstance(status, str):
        return Outcome(is_done=True) if status == "success" else Outcome(word=status)
    if status.error is not UNSET:
        return Outcome(error=status.error)
    if status.filled is not UNSET:
        return Outcome(order_id=status.filled.order_id, filled_size=status.filled.size)
    return Outcome(order_id=status.resting.order_id) if status.resting is not UNSET else IN_DOUBT
