"""The venue's own statement of the account: what reconciliation compares the ledger with.

Laws: the statement is as of the venue's own time; its lists reach back to complete_since_ns without a hole, and hold
nothing younger. Coins this bot does not trade are left out of lists: their positions show in the account's value.
Source: HYPERLIQUID 2.4.
"""

from collections.abc import Callable, Mapping

from domain.errors import DataInvalid
from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import NO_ORDER, ClientOrderId, VenueOrderId
from domain.instrument import Instrument
from domain.statement import OpenOrder, VenueStatement
from domain.units import NS_PER_MS, Money, Price
from exchange.hyperliquid.codec_account import (
    UnknownUpdate,
    account_read,
    fill_key,
    funding_paid,
    in_venue_order,
    lots_of,
    order_filled,
    transfer_booked,
)
from exchange.hyperliquid.codec_market import SIDES
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.cold_path import ColdPath
from exchange.hyperliquid.wire_account import (
    ClearinghouseState,
    Fill,
    FundingEntry,
    FundingPayment,
    LedgerEntry,
)
from exchange.hyperliquid.wire_account import OpenOrder as WireOrder

PAGE_ROWS = 500
"""The venue hands out fills by 2000 and funding by 500; a page of this many may have a successor."""
PAGES_MAX = 40


class StatementDesk:
    """Fetches statements of one account."""

    def __init__(
        self, cold: ColdPath, instruments: Mapping[str, Instrument], account: str, clock: Callable[[], int]
    ) -> None:
        """Know the account; clock stamps the receipt."""
        self._cold, self._account, self._clock = cold, account, clock
        self._coins = {symbol: Numbers(one) for symbol, one in instruments.items()}
        self._decimals = {symbol: (one.price_decimals, one.size_decimals) for symbol, one in instruments.items()}

    def nothing(self) -> VenueStatement:
        """Return the statement before the first was fetched: of the beginning of time, when there was nothing."""
        return VenueStatement(
            account=self._account, ts_ns=0, cash=Money(0), positions={}, decimals=self._decimals, complete_since_ns=0
        )

    async def fetch(self, since_ns: int) -> VenueStatement:
        """Return the account now, with what happened from since_ns on. Raises: DataInvalid."""
        account, since_ms = self._account, since_ns // NS_PER_MS
        state = await self._cold.ask(ClearinghouseState, "clearinghouseState", user=account)
        try:
            read = account_read(state, self._coins)
            orders = await self._cold.ask(list[WireOrder], "openOrders", user=account)
            fills = await self._pages(Fill, "userFillsByTime", since_ms, read.time_ms, fill_key)
            fundings = await self._pages(FundingEntry, "userFunding", since_ms, read.time_ms, _funding_key)
            updates = await self._pages(LedgerEntry, "userNonFundingLedgerUpdates", since_ms, read.time_ms, _update_key)
            return VenueStatement(
                account=account,
                ts_ns=read.time_ms * NS_PER_MS,
                cash=read.cash,
                positions={symbol: int(lots) for symbol, lots in lots_of(read.positions).items()},
                decimals=self._decimals,
                complete_since_ns=since_ms * NS_PER_MS,
                account_value=read.account_value,
                costs={symbol: cost for symbol, (_, cost) in read.positions.items()},
                marks=read.marks,
                open_orders=tuple(self._open_order(one) for one in orders if one.coin in self._coins),
                fills=self._fills(fills),
                fundings=self._fundings(fundings),
                transfers=self._transfers(updates),
            )
        except (ValueError, KeyError) as error:
            raise DataInvalid("the venue's statement", str(error)[:300]) from None

    async def _pages(
        self, row: type, kind: str, since_ms: int, until_ms: int, key: Callable[..., object]
    ) -> list[object]:
        """Return every row of a time, each once; a full page is followed by one that begins at its last time."""
        found: dict[object, object] = {}
        start_ms, end_ms = since_ms, until_ms
        for _ in range(PAGES_MAX):
            keys = {"user": self._account, "startTime": start_ms, "endTime": end_ms}
            rows = await self._cold.ask(list[row], kind, **keys)  # type: ignore[valid-type]
            known = len(found)
            times = [one.time for one in rows]  # type: ignore[attr-defined]
            for one in rows:
                if since_ms <= one.time <= until_ms:  # type: ignore[attr-defined]
                    found.setdefault(key(one), one)
            if len(rows) < PAGE_ROWS:
                return list(found.values())
            if len(found) == known:
                break
            # Oldest first is the rule, newest first was recorded: go on from where this page ends.
            if times[0] > times[-1]:
                end_ms = min(times)
            else:
                start_ms = max(times)
        raise DataInvalid(kind, f"no end of the rows since {since_ms}")

    def _fills(self, fills: list[object]) -> tuple[OrderFilled, ...]:
        ours = [fill for fill in fills if isinstance(fill, Fill) and fill.coin in self._coins]
        now_ns = self._clock()
        return tuple(
            order_filled(fill, self._coins, self._account, now_ns) for fill in in_venue_order(ours, self._coins)
        )

    def _fundings(self, entries: list[object]) -> tuple[FundingPaid, ...]:
        now_ns = self._clock()
        paid = [_payment(one) for one in entries if isinstance(one, FundingEntry) and one.delta.coin in self._coins]
        paid.sort(key=lambda one: (one.time, one.coin))
        return tuple(funding_paid(one, self._coins, Price(0), now_ns) for one in paid)

    def _transfers(self, entries: list[object]) -> tuple[TransferBooked, ...]:
        now_ns = self._clock()
        found = []
        for entry in sorted((one for one in entries if isinstance(one, LedgerEntry)), key=lambda one: one.time):
            try:
                booked = transfer_booked(entry, self._account, now_ns)
            except UnknownUpdate:
                continue
            if booked is not None:
                found.append(booked)
        return tuple(found)

    def _open_order(self, order: WireOrder) -> OpenOrder:
        numbers = self._coins[order.coin]
        name = order.client_order_id
        return OpenOrder(
            client_order_id=ClientOrderId(name) if isinstance(name, str) else NO_ORDER,
            venue_order_id=VenueOrderId(order.order_id),
            symbol=order.coin,
            side=SIDES[order.side],
            price=numbers.price(order.limit_price),
            leaves=numbers.lots(order.size),
        )


def _payment(entry: FundingEntry) -> FundingPayment:
    """Return a row of the history as it would have been pushed."""
    told = entry.delta
    return FundingPayment(
        time=entry.time,
        coin=told.coin,
        usdc=told.usdc,
        size=told.size,
        funding_rate=told.funding_rate,
        samples=told.samples,
    )


def _funding_key(entry: FundingEntry) -> object:
    return entry.time, entry.delta.coin


def _update_key(entry: LedgerEntry) -> object:
    return entry.time, entry.hash, str(sorted(entry.delta.items(), key=str))
