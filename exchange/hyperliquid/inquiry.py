"""Asking for the account, and proving that nothing is missing.

Theory of operation. A statement of the venue is as of its time; the facts that lead to it may still be on their way.
So the state is asked for first, then fills, funding and ledger updates since the last proof; what was not told yet is
told; then what our facts add up to must be the state, to the last unit. If it is, every gap is closed. If something
younger than the state was told meanwhile, or the sums differ (the venue's indexer lags), the state is asked for again,
a few times. A difference that stays is told all the same: the engine blocks on it and a person looks.

Laws: one inquiry at a time; a lost answer is asked for again for ever, with growing pauses; a statement is told only
after the facts that it holds.
"""

from collections.abc import Callable
from typing import Final

from domain.events import AccountReported
from domain.units import NS_PER_MS
from exchange.hyperliquid.account_facts import AccountFacts
from exchange.hyperliquid.codec_account import AccountRead, account_read
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.counters import Counters
from exchange.hyperliquid.outbox import Outbox, Reply
from exchange.hyperliquid.paging import Page, page_after
from exchange.hyperliquid.requests import Failed
from exchange.hyperliquid.telling import Teller
from exchange.hyperliquid.tolerance import Reader
from exchange.hyperliquid.wire_account import ClearinghouseState, Fill, FundingEntry, FundingPayment, LedgerEntry

STATE_WEIGHT, LIST_WEIGHT = 2, 20
DIFFERENCES_MAX: Final = 5
"""Statements that must differ before a difference is told."""
AMBIGUOUS_MAX: Final = 12
"""States no younger than our youngest fact that are waited out: a minute of them."""
PAUSE_FIRST_NS, PAUSE_MAX_NS = 250 * NS_PER_MS, 8_000 * NS_PER_MS
OVERLAP_MS = 10_000
"""Lists are asked for from so long before the last proof: an indexer may show a fact late."""
FILLS, FUNDINGS, UPDATES = "userFillsByTime", "userFunding", "userNonFundingLedgerUpdates"


class Inquiry:
    """The account's statements."""

    def __init__(
        self,
        coins: dict[str, Numbers],
        account: str,
        facts: AccountFacts,
        outbox: Outbox,
        teller: Teller,
        reader: Reader,
        counters: Counters,
        on_proven: Callable[[], None],
    ) -> None:
        """Call on_proven whenever the account is known whole, or cannot be proven."""
        self._coins, self._account, self._facts = coins, account, facts
        self._outbox, self._teller, self._reader, self._counters = outbox, teller, reader, counters
        self._on_proven = on_proven
        self._is_running = self._is_wanted_again = False
        self._wants_report = self._wants_report_again = False
        self._is_gap_again = False
        self._pauses = self._differences = 0
        self._open_lists = 0
        self._is_failed = False
        self._since_ms = 0
        self._state: AccountRead | None = None
        self.is_gap = True
        """Whether something may be missing: at the start, after a lost connection, after a broken chain."""

    def want(self, *, report: bool = False, is_gap: bool = False) -> None:
        """Ask for the account; report: tell the statement; is_gap: something may be missing.

        A question under way is too old to be the answer: another follows it.
        """
        self.is_gap |= is_gap
        if self._is_running:
            self._is_wanted_again = True
            self._wants_report_again |= report
            self._is_gap_again |= is_gap
            return
        self._is_running, self._wants_report = True, report
        self._pauses = self._differences = 0
        self._begin()

    def mark_gap(self) -> None:
        """Something may be missing from now on; a question under way cannot close that."""
        self.is_gap = True
        self._is_gap_again = self._is_running

    def _begin(self) -> None:
        self._is_failed, self._state = False, None
        self._outbox.ask({"type": "clearinghouseState", "user": self._account}, STATE_WEIGHT, self._on_state)

    def _again(self) -> None:
        """Ask anew after a pause that grows."""
        pause_ns = min(PAUSE_FIRST_NS << min(self._pauses, 10), PAUSE_MAX_NS)
        self._pauses += 1
        self._outbox.later(pause_ns, self._begin)

    def _on_state(self, reply: Reply) -> None:
        state = None if isinstance(reply, Failed) else self._reader.read(reply, ClearinghouseState)
        if state is None:
            self._again()
            return
        try:
            self._state = account_read(state, self._coins)
        except ValueError:
            self._counters.malformed += 1
            self._again()
            return
        begun_ms = self._facts.begun_ms
        if begun_ms is not None and not self.is_gap and self._is_told(self._state):
            # Nothing can be missing: what was told adds up to the state. The lists would cost sixty times its weight.
            self._settle()
            return
        since_ms = self._state.time_ms if begun_ms is None else max(begun_ms, self._since_ms - OVERLAP_MS)
        self._open_lists = 3
        for kind in (FILLS, FUNDINGS, UPDATES):
            self._ask_list(kind, Page(since_ms))

    def _ask_list(self, kind: str, page: Page) -> None:
        body = page.body(kind, self._account)
        self._outbox.ask(body, LIST_WEIGHT, lambda reply: self._on_list(kind, page, reply))

    def _on_list(self, kind: str, page: Page, reply: Reply) -> None:
        times = None if isinstance(reply, Failed) else self._take_list(kind, reply)
        following = page_after(page, times or ())
        if times is None:
            self._is_failed = True
        elif following is not None:
            self._ask_list(kind, following)
            return
        self._open_lists -= 1
        if not self._open_lists:
            self._settle()

    def _take_list(self, kind: str, data: bytes) -> list[int] | None:
        """Tell what is new in a list; return the times in it, None when it cannot be read."""
        now_ns = self._teller.now_ns
        if kind == FILLS:
            fills = self._reader.read(data, list[Fill])
            if fills is None:
                return None
            self._facts.take_fills(fills, now_ns, is_fetched=True)
            return [fill.time for fill in fills]
        if kind == FUNDINGS:
            rows = self._reader.read(data, list[FundingEntry])
            if rows is None:
                return None
            self._facts.take_fundings([_payment(row) for row in rows], now_ns)
            return [row.time for row in rows]
        entries = self._reader.read(data, list[LedgerEntry])
        if entries is None:
            return None
        self._facts.take_updates(entries, now_ns)
        return [entry.time for entry in entries]

    def _settle(self) -> None:
        """Compare, then tell, begin or ask again."""
        state = self._state
        if self._is_failed or state is None:
            self._again()
            return
        if self._facts.newest_ms >= state.time_ms and self._pauses < AMBIGUOUS_MAX:
            # A fact of the state's own time may be in it or not: only a later state is unambiguous. One that does not
            # come for a minute will not: the venue's clock was set back, and the sums decide.
            self._again()
            return
        if self._facts.begun_ms is None:
            self._teller.begin(state.cash, {symbol: lots for symbol, (lots, _) in state.positions.items()})
            self._facts.begin(state.time_ms)
            self._since_ms = state.time_ms
            self._counters.gaps_closed += 1
        else:
            is_same = self._is_told(state)
            self._differences += not is_same
            if 0 < self._differences < DIFFERENCES_MAX and not is_same:
                self._again()
                return
            self._since_ms = max(self._since_ms, state.time_ms) if is_same else self._since_ms
            self._counters.gaps_closed += is_same and self.is_gap
            self._counters.gaps_unproven += not is_same
            # What nobody can explain is for the engine to see, asked for or not.
            self._wants_report |= not is_same
        self._finish(state)

    def _is_told(self, state: AccountRead) -> bool:
        """Say whether the facts told so far add up to a state."""
        told = self._teller.told
        held = {symbol: lots for symbol, lots in told.positions.items() if symbol in self._coins}
        return (told.cash, held) == (state.cash, {symbol: lots for symbol, (lots, _) in state.positions.items()})

    def _finish(self, state: AccountRead) -> None:
        if self._wants_report:
            held = sorted({**state.positions, **state.strange}.items())
            self._teller.tell(
                AccountReported(
                    ts_event_ns=state.time_ms * NS_PER_MS,
                    ts_recv_ns=self._teller.now_ns,
                    cash=state.cash,
                    positions=tuple((symbol, lots, cost) for symbol, (lots, cost) in held),
                )
            )
        self._is_running = self._wants_report = False
        self._facts.is_broken = False
        self.is_gap, self._is_gap_again = self._is_gap_again, False
        self._on_proven()
        if self._is_wanted_again:
            report, self._is_wanted_again, self._wants_report_again = self._wants_report_again, False, False
            self.want(report=report)


def _payment(row: FundingEntry) -> FundingPayment:
    """Return a row of the history as the flat thing that is pushed."""
    delta = row.delta
    return FundingPayment(
        time=row.time,
        coin=delta.coin,
        usdc=delta.usdc,
        size=delta.size,
        funding_rate=delta.funding_rate,
        samples=delta.samples,
    )
