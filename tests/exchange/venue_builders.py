"""A venue for several accounts, with a listener that writes down everything it is told."""

from msgspec.structs import replace

from domain.order import Side, TimeInForce
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND
from exchange.simulated.listener import Listener
from exchange.simulated.records import Grouping, OrderResult, Terms, Trigger
from exchange.simulated.settings import FULL_RULES, VenueSettings
from exchange.simulated.venue import Venue
from tests.exchange.exchange_builders import ASK, BID, INSTRUMENTS, TICK, at

CASH = 100_000 * MONEY_UNIT
ALICE, BOB, CAROL = "0x" + "a1" * 20, "0x" + "b0" * 20, "0x" + "ca" * 20
NO_VOLUME_RULES = replace(FULL_RULES, schedule_cancel_volume_min=0)


class Recorder(Listener):
    def __init__(self) -> None:
        self.known = {}
        self.orders, self.executions, self.trades, self.updates = [], [], [], []
        self.fundings, self.books, self.marks, self.liquidations, self.canceled = [], [], [], [], []

    def on_order(self, account, order):
        self.known[order.venue_order_id] = order
        self.orders.append((order.venue_order_id, str(order.status), order.leaves))

    def on_execution(self, account, execution):
        self.executions.append((account.address, execution))

    def on_trade(self, market, price, lots, side, trade_id, ts_ns, action_hash, buyer, seller):
        self.trades.append((market.symbol, price, lots, side, trade_id, buyer, seller))

    def on_funding(self, account, funding):
        self.fundings.append((account.address, funding))

    def on_update(self, account, update):
        self.updates.append((account.address, update))

    def on_book(self, market):
        self.books.append(market.symbol)

    def on_mark(self, market):
        self.marks.append((market.symbol, market.mark_price))

    def on_liquidation(self, account, liquidator, liquidation_id, notional, account_value):
        self.liquidations.append((account.address, liquidation_id, notional, account_value))

    def on_non_user_cancel(self, account, order):
        self.canceled.append((order.venue_order_id, str(order.status)))


def trigger(price, *, is_market=True, is_take_profit=False) -> Trigger:
    return Trigger(price, is_market, is_take_profit)


class House:
    """One venue, three accounts with money, and a clock in milliseconds."""

    def __init__(self, *, cash=CASH, rules=FULL_RULES, **settings) -> None:
        self.told = Recorder()
        self.venue = Venue(INSTRUMENTS, VenueSettings(**{"leverage": 20, "rules": rules, **settings}), self.told)
        self.alice, self.bob, self.carol = (self.venue.open_account(one, cash) for one in (ALICE, BOB, CAROL))
        self.ms = 0

    def now(self) -> int:
        self.ms += 1
        return at(self.ms)

    def market(self, *events) -> "House":
        for event in events:
            self.ms = max(self.ms, (event.ts_event_ns - at(0)) // NS_PER_MS)
            self.venue.on_market(event, event.ts_event_ns)
        return self

    def mark(self, price, symbol="BTC") -> "House":
        self.venue.set_oracle(symbol, price, self.now(), price)
        return self

    def wait(self, seconds) -> "House":
        self.ms += seconds * 1_000
        self.venue.on_time(at(self.ms))
        return self

    def place(self, account, side=Side.BUY, price=BID, lots=100, *, grouping=Grouping.NONE, children=(), **terms):
        return self.place_many(account, [some_terms(side, price, lots, **terms), *children], grouping)[0]

    def place_many(self, account, orders, grouping=Grouping.NONE) -> list[OrderResult]:
        return self.venue.place(account, orders, grouping, self.now())

    def ioc(self, account, side, price, lots=100, **terms) -> OrderResult:
        return self.place(account, side, price, lots, time_in_force=TimeInForce.IOC, **terms)

    def text(self, account, *args, **kwargs) -> str:
        refused = self.place(account, *args, **kwargs).refusal
        return refused.text if refused else ""

    def open_long(self, account, lots=100, price=ASK, *, other=None) -> None:
        """Let an account buy from another one, at a price."""
        other = other or self.carol
        self.place(other, Side.SELL, price, lots)
        self.ioc(account, Side.BUY, price, lots)
        assert account.positions["BTC"] == lots

    def statuses(self, order) -> list[str]:
        return [status for number, status, _ in self.told.orders if number == order.venue_order_id]

    def balance(self) -> tuple[int, int]:
        """Lots and money of all accounts and the outside, which must not change (fees are paid to nobody)."""
        lots = sum(one.positions.get("BTC", 0) for one in self.venue.accounts.values())
        cash = sum(one.cash + sum(one.isolated.values()) for one in self.venue.accounts.values())
        fees = sum(execution.fee for _, execution in self.told.executions)
        funding = sum(funding.amount for _, funding in self.told.fundings)
        market = self.venue.markets["BTC"]
        return lots + market.outside_lots, cash + fees - funding + market.outside_cash


def some_terms(side=Side.BUY, price=BID, lots=100, **terms) -> Terms:
    return Terms(**{"symbol": "BTC", "side": int(side), "price": price, "lots": lots, **terms})


def stop(price, side=Side.SELL, lots=100, *, limit=None, reduce_only=True, is_take_profit=False, **terms) -> Terms:
    """A stop or take-profit order; with a limit it is no market order."""
    wakes = trigger(price, is_market=limit is None, is_take_profit=is_take_profit)
    return some_terms(side, limit or price, lots, reduce_only=reduce_only, trigger=wakes, **terms)


SECOND = NS_PER_SECOND
__all__ = ["ASK", "BID", "SECOND", "TICK", "House", "Recorder", "at", "some_terms", "stop", "trigger"]
