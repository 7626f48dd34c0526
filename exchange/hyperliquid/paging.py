"""Lists of the venue that are longer than one answer: where the next page begins.

Why it exists: the venue ends an answer after 500 rows or after 2,000, oldest first by its documents, newest first as
recorded; who trusts either loses fills. A page that may have been cut is followed by another, whichever way it ran.

Laws: pure; a page that was not full has no successor, pages move on by at least a millisecond.
Source: HYPERLIQUID 2, 2.4 (userFillsByTime).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

ROWS_MIN = 500
"""The shortest page the venue cuts: a page of so many rows may have a successor."""
PAGES_MAX = 40
"""The venue keeps 10,000 fills: twenty of its shortest pages."""


class Page(msgspec.Struct, frozen=True):
    """One question: rows from since_ms to until_ms, both included; until_ms None is now. number counts from 1."""

    since_ms: int
    until_ms: int | None = None
    number: int = 1

    def body(self, kind: str, account: str) -> dict[str, Any]:
        """Return the question."""
        body: dict[str, Any] = {"type": kind, "user": account, "startTime": self.since_ms}
        return body if self.until_ms is None else {**body, "endTime": self.until_ms}


def page_after(page: Page, times_ms: Sequence[int]) -> Page | None:
    """Return the page after one with rows of these times, in their order; None when there is none.

    What shares the last millisecond may continue on the next page, so that begins there; a page that is one millisecond
    whole cannot be continued, and the next begins after it.
    """
    if len(times_ms) < ROWS_MIN or page.number >= PAGES_MAX:
        return None
    oldest_ms, newest_ms, number = min(times_ms), max(times_ms), page.number + 1
    if times_ms[0] > times_ms[-1]:
        until_ms = oldest_ms if oldest_ms != page.until_ms else oldest_ms - 1
        return Page(page.since_ms, until_ms, number) if until_ms >= page.since_ms else None
    return Page(newest_ms if newest_ms > page.since_ms else page.since_ms + 1, page.until_ms, number)
