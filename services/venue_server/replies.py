"""Answers of the counter as bytes, and numbers as the venue writes them.

Law: an action's answer is HTTP 200 with `status` ok or err; text is written here and nowhere else.
Source: HYPERLIQUID 3.1-3.3.
"""

from collections.abc import Sequence

import msgspec

from domain.units import MONEY_DECIMALS, format_scaled
from exchange.hyperliquid.wire import ActionReply, encoded
from exchange.hyperliquid.wire_actions import PlainReply, Status, Statuses, StatusesReply
from services.venue_server.answer import Answer

BATCH_PER_WEIGHT = 40
"""An action weighs one, and one more for each full forty of its batch. Source: HYPERLIQUID 7.1."""

DEFAULT = PlainReply(type="default")


def done(response: PlainReply | StatusesReply, batch: int = 1) -> Answer:
    """Return the answer to an action that was carried out."""
    return _answer("ok", encoded(response), batch)


def refused(text: str, batch: int = 1) -> Answer:
    """Return the answer to an action refused as a whole."""
    return _answer("err", encoded(text), batch)


def data_reply(kind: str, data: object) -> PlainReply:
    """Return a response with data of its own."""
    return PlainReply(type=kind, data=msgspec.Raw(encoded(data)))


def statuses_reply(kind: str, statuses: Sequence[Status | str]) -> StatusesReply:
    """Return a response with one status for each order."""
    return StatusesReply(type=kind, data=Statuses(statuses=tuple(statuses)))


def decimal_text(value: int, decimals: int) -> str:
    """Return a number as the venue writes it: whole numbers keep `.0`."""
    text = format_scaled(value, decimals)
    return text if "." in text else text + ".0"


def cents(amount: int) -> str:
    """Return Money as dollars and cents for a sentence, cut: "87457.46", "1000000"."""
    return format_scaled(amount // 10 ** (MONEY_DECIMALS - 2), 2)


def _answer(status: str, response: bytes, batch: int) -> Answer:
    body = encoded(ActionReply(status=status, response=msgspec.Raw(response)))
    return Answer(body=body, weight=1 + batch // BATCH_PER_WEIGHT)
