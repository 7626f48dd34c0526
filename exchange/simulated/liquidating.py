"""Liquidation of accounts below maintenance: on the book, to the backstop, at last against the winners.

Theory of operation. After every mark each account with a position in that market is looked at: a cross account as a
whole, an isolated position by itself. `liquidation.py` decides, this module acts. What leaves an account goes to
another one, so positions and money of all accounts and the outside stay in balance.

Rules 53 to 57 of docs/FILLS.md. Source: HYPERLIQUID 9.5.
"""

from collections.abc import Callable, Iterable, Sequence

from domain.order import TimeInForce
from exchange.simulated.accounts import Account
from exchange.simulated.clearing import maintenance_of, value_of
from exchange.simulated.desk import Desk
from exchange.simulated.liquidation import (
    BACKSTOP,
    BOOK,
    SAFE,
    Candidate,
    CoolDowns,
    Method,
    deleverage_plan,
    lots_to_close,
    rank,
    stage,
)
from exchange.simulated.margins import entry_price
from exchange.simulated.market import Market
from exchange.simulated.records import LedgerUpdate, Liquidation, Status, Terms
from exchange.simulated.scheduling import cancel_all
from exchange.simulated.taking import take

ANY_PRICE_FACTOR = 100
"""A liquidation order takes at any price: the limit of a buying one is this many marks, of a selling one the least."""


class Liquidations:
    """Looks after margins. cool_downs are the accounts with a partial liquidation of late."""

    def __init__(self, desk: Desk, accounts: Callable[[], Iterable[Account]], backstop: Callable[[], Account]) -> None:
        """Look at the venue's accounts; backstop returns the account that takes what the book does not."""
        self._desk = desk
        self._accounts = accounts
        self._backstop = backstop
        self._number = 0
        self.cool_downs = CoolDowns()

    def check(self, market: Market) -> None:
        """Liquidate who is below maintenance at the mark of this market."""
        if not market.mark_price:
            return
        self.cool_downs.expire(self._desk.ts_ns)
        backstop = self._backstop()
        for account in list(self._accounts()):
            if market.symbol in account.positions and account is not backstop:
                self._check_account(account, market)

    def _check_account(self, account: Account, market: Market) -> None:
        """Look at one account, or at its isolated position in this market."""
        is_isolated = market.symbol in account.isolated
        markets = [market] if is_isolated else self._crossed(account)
        equity, maintenance = self._margin(account, markets, is_isolated=is_isolated)
        step = stage(equity, maintenance)
        if step == SAFE or (step == BOOK and not any(_has_takers_side(account, one) for one in markets)):
            return
        self._desk.begin(self._desk.ts_ns)
        self._tell(account, markets, equity, is_isolated=is_isolated)
        cancel_all(self._desk, account, Status.LIQUIDATED, market.symbol if is_isolated else "")
        if step == BOOK:
            cash = account.cash
            self._sell(account, markets, is_isolated=is_isolated)
            self._cover(account, market, cash, is_isolated=is_isolated)
        elif step == BACKSTOP:
            self._hand_over(account, markets, equity, is_isolated=is_isolated)
        else:
            self._deleverage(account, markets)

    def _crossed(self, account: Account) -> list[Market]:
        """Return the markets of the cross positions, largest value first."""
        markets = [self._desk.markets[symbol] for symbol in sorted(account.positions) if symbol not in account.isolated]
        return sorted(markets, key=lambda market: -abs(value_of(account, market)))

    @staticmethod
    def _margin(account: Account, markets: Sequence[Market], *, is_isolated: bool) -> tuple[int, int]:
        """Return equity and maintenance of a cross account or an isolated position. Units: Money."""
        held = [market for market in markets if market.symbol in account.positions]
        base = sum(account.isolated.get(market.symbol, 0) for market in held) if is_isolated else account.cash
        return base + sum(value_of(account, one) for one in held), sum(maintenance_of(account, one) for one in held)

    def _tell(self, account: Account, markets: Sequence[Market], equity: int, *, is_isolated: bool) -> None:
        """Tell that an account is being liquidated."""
        desk = self._desk
        self._number += 1
        notional = sum(abs(value_of(account, market)) for market in markets)
        desk.listener.on_liquidation(account, self._backstop().address, self._number, notional, equity)
        fields = {
            "accountValue": equity,
            "leverageType": "Isolated" if is_isolated else "Cross",
            "liquidatedPositions": tuple((market.symbol, account.positions[market.symbol]) for market in markets),
        }
        update = LedgerUpdate(desk.ts_ns, desk.hash, "liquidation", 0, fields)
        account.updates.append(update)
        desk.listener.on_update(account, update)

    def _sell(self, account: Account, markets: Sequence[Market], *, is_isolated: bool) -> None:
        """Close positions on the book, the largest first, until the account is safe."""
        desk = self._desk
        is_cooling = self.cool_downs.is_cooling(account.address, desk.ts_ns)
        for market in markets:
            position = account.positions.get(market.symbol, 0)
            if not position:
                continue
            lots = lots_to_close(position, abs(value_of(account, market)), is_cooling, desk.rules.large_position)
            side = -1 if position > 0 else 1
            price = market.mark_price * ANY_PRICE_FACTOR if side > 0 else 1
            terms = Terms(
                symbol=market.symbol,
                side=side,
                price=price,
                lots=lots,
                time_in_force=TimeInForce.IOC,
                reduce_only=True,
            )
            order = desk.opened(account, terms)
            take(desk, market, order, Liquidation(account.address, market.mark_price, Method.MARKET, is_isolated))
            if order.is_open:
                desk.close(order, Status.CANCELED)
            if lots < abs(position):
                self.cool_downs.begin(account.address, desk.ts_ns)
            if desk.tells_market:
                desk.listener.on_book(market)
            equity, maintenance = self._margin(account, markets, is_isolated=is_isolated)
            if stage(equity, maintenance) == SAFE:
                return

    def _hand_over(self, account: Account, markets: Sequence[Market], equity: int, *, is_isolated: bool) -> None:
        """Give positions and their margin to the backstop at the mark."""
        backstop = self._backstop()
        for market in markets:
            price = market.reference()
            cause = Liquidation(account.address, price, Method.BACKSTOP, is_isolated)
            self._desk.hand_over(market, account, backstop, abs(account.positions[market.symbol]), price, cause)
        self._move(account, backstop, equity if is_isolated else account.cash)

    def _deleverage(self, account: Account, markets: Sequence[Market]) -> None:
        """Close positions against the winners at the mark before; the backstop takes and pays for what is left."""
        backstop = self._backstop()
        for market in markets:
            cash, is_isolated = account.cash, market.symbol in account.isolated
            position = account.positions[market.symbol]
            price = market.previous_mark or market.mark_price
            for address, lots in deleverage_plan(self._candidates(account, market), position):
                winner = next(one for one in self._accounts() if one.address == address)
                self._desk.hand_over(market, account, winner, lots, price, None)
            left = abs(account.positions.get(market.symbol, 0))
            if left:
                mark = market.reference()
                cause = Liquidation(account.address, mark, Method.BACKSTOP, is_isolated)
                self._desk.hand_over(market, account, backstop, left, mark, cause)
            self._cover(account, market, cash, is_isolated=is_isolated)

    def _cover(self, account: Account, market: Market, cash: int, *, is_isolated: bool) -> None:
        """Take what is missing from where it belongs after positions were closed at a loss. cash is what it was before.

        An isolated position loses no more than its own margin, a cross account no more than it has.
        """
        if is_isolated:
            missing = cash - account.cash
            if missing > 0 and market.symbol in account.isolated:
                account.isolated[market.symbol] -= missing
                account.cash += missing
            elif missing > 0:
                self._move(account, self._backstop(), -missing)
        elif account.cash < 0 and not any(symbol not in account.isolated for symbol in account.positions):
            self._move(account, self._backstop(), account.cash)

    def _candidates(self, loser: Account, market: Market) -> list[Candidate]:
        """Return who may be deleveraged against this account."""
        found = []
        for account in self._accounts():
            position = account.positions.get(market.symbol, 0)
            if account is loser or account is self._backstop() or position * loser.positions[market.symbol] >= 0:
                continue
            is_isolated = market.symbol in account.isolated
            markets = [market] if is_isolated else self._crossed(account)
            equity, _ = self._margin(account, markets, is_isolated=is_isolated)
            entry = entry_price(position, account.costs[market.symbol], market.money_per_unit) or 1
            if equity > 0:
                notional = abs(value_of(account, market))
                index = rank(position, market.mark_price, entry, notional, equity)
                found.append(Candidate(address=account.address, position=position, index=index))
        return found

    def _move(self, source: Account, destination: Account, amount: int) -> None:
        """Move what is left of an account's margin (< 0: what is missing of it) and tell both."""
        if not amount:
            return
        desk = self._desk
        source.cash -= amount
        destination.cash += amount
        giver, taker = (source, destination) if amount > 0 else (destination, source)
        fields = {"user": giver.address, "destination": taker.address, "fee": "0.0"}
        for account, change in ((source, -amount), (destination, amount)):
            # A kind that every client books: the line about the liquidation itself moves no money by itself.
            update = LedgerUpdate(desk.ts_ns, desk.hash, "internalTransfer", change, fields)
            account.updates.append(update)
            desk.listener.on_update(account, update)


def _has_takers_side(account: Account, market: Market) -> bool:
    """Say whether anybody is there to take an account's position in a market."""
    return bool(market.best_of_all(1 if account.positions[market.symbol] > 0 else -1))
