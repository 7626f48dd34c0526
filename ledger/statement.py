"""What a run did, read back from the stored ledger: orders, fills and profit by cause, per instrument and in all.

Law: profit comes from the postings, what the venue's own closings realized included; only unrealized profit (which is
never posted) comes from the last mark, and slippage, a memo, from the fills.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from domain.order import Liquidity
from domain.units import Money
from ledger.accounts import (
    CASH,
    FEES,
    FUNDING,
    LIQUIDATION,
    REALIZED,
    REBATES,
    TRANSFERS,
    UNEXPLAINED,
    kind_of,
    symbol_of,
)
from ledger.pnl import ProfitAndLoss, net_of, profit_and_loss


class InstrumentStatement(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument's part. volume is traded notional in Money; pnl.equity is its net; lots is signed."""

    symbol: str
    price_decimals: int
    size_decimals: int
    lots: int
    orders: int
    orders_by_state: dict[str, int]
    fills: int
    maker_fills: int
    volume: Money
    maker_volume: Money
    pnl: ProfitAndLoss


class LedgerStatement(msgspec.Struct, frozen=True, kw_only=True):
    """One run. pnl.equity is transfers plus unexplained plus net; ended_ns is None while the run goes on or when it was killed."""

    run_id: str
    command: str
    strategy: str
    seed: int
    config_hash: str
    code_revision: str
    started_ns: int
    ended_ns: int | None
    orders: int
    orders_by_state: dict[str, int]
    fills: int
    maker_fills: int
    volume: Money
    maker_volume: Money
    cash: Money
    transfers: Money
    unexplained: Money
    pnl: ProfitAndLoss
    instruments: tuple[InstrumentStatement, ...]


Rows = Sequence[Sequence[Any]]


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What the questions of ledger.queries returned for one run, column by column as they ask."""

    run: Sequence[Any]
    instruments: Rows
    orders: Rows
    fills: Rows
    balances: Rows
    positions: Rows


def statement_of(answers: Answers) -> LedgerStatement:
    """Return the statement the answers add up to."""
    balances = {str(account): int(amount) for account, amount in answers.balances}
    positions = {str(symbol): (int(lots), int(unrealized)) for symbol, lots, unrealized in answers.positions}
    parts = tuple(
        _instrument(
            str(symbol), (int(price_decimals), int(size_decimals)), answers, balances, positions.get(symbol, (0, 0))
        )
        for symbol, price_decimals, size_decimals in answers.instruments
    )
    transfers, unexplained = -balances.get(TRANSFERS, 0), -balances.get(UNEXPLAINED, 0)
    run_id, command, strategy, seed, config_hash, code_revision, started_ns, ended_ns = answers.run
    by_state: dict[str, int] = {}
    for part in parts:
        for state, count in part.orders_by_state.items():
            by_state[state] = by_state.get(state, 0) + count
    return LedgerStatement(
        run_id=run_id,
        command=command,
        strategy=strategy,
        seed=seed,
        config_hash=config_hash,
        code_revision=code_revision,
        started_ns=started_ns,
        ended_ns=ended_ns,
        orders=sum(part.orders for part in parts),
        orders_by_state=by_state,
        fills=sum(part.fills for part in parts),
        maker_fills=sum(part.maker_fills for part in parts),
        volume=Money(sum(part.volume for part in parts)),
        maker_volume=Money(sum(part.maker_volume for part in parts)),
        cash=Money(balances.get(CASH, 0)),
        transfers=Money(transfers),
        unexplained=Money(unexplained),
        pnl=_sum(tuple(part.pnl for part in parts), transfers + unexplained),
        instruments=parts,
    )


def _instrument(
    symbol: str,
    decimals: tuple[int, int],
    answers: Answers,
    balances: Mapping[str, int],
    position: tuple[int, int],
) -> InstrumentStatement:
    by_state = {str(state): int(count) for owner, state, count in answers.orders if owner == symbol}
    fills = [row for row in answers.fills if row[0] == symbol]
    made = [row for row in fills if row[1] == Liquidity.MAKER.label]
    lots, unrealized = position
    causes = {kind_of(account): amount for account, amount in balances.items() if symbol_of(account) == symbol}
    liquidation, funding = -causes.get(LIQUIDATION, 0), -causes.get(FUNDING, 0)
    realized = liquidation - causes.get(REALIZED, 0)
    fees, rebates = causes.get(FEES, 0), -causes.get(REBATES, 0)
    net = net_of(realized, unrealized, funding, fees, rebates)
    slippage = sum(int(row[4]) for row in fills)
    return InstrumentStatement(
        symbol=symbol,
        price_decimals=decimals[0],
        size_decimals=decimals[1],
        lots=lots,
        orders=sum(by_state.values()),
        orders_by_state=by_state,
        fills=sum(int(row[2]) for row in fills),
        maker_fills=sum(int(row[2]) for row in made),
        volume=Money(sum(int(row[3]) for row in fills)),
        maker_volume=Money(sum(int(row[3]) for row in made)),
        pnl=profit_and_loss(realized, unrealized, funding, fees, rebates, slippage, net, liquidation),
    )


def _sum(parts: Sequence[ProfitAndLoss], brought: int) -> ProfitAndLoss:
    realized = sum(part.realized for part in parts)
    unrealized = sum(part.unrealized for part in parts)
    funding = sum(part.funding for part in parts)
    fees = sum(part.fees for part in parts)
    rebates = sum(part.rebates for part in parts)
    slippage = sum(part.slippage for part in parts)
    net = net_of(realized, unrealized, funding, fees, rebates)
    liquidation = sum(part.liquidation for part in parts)
    return profit_and_loss(realized, unrealized, funding, fees, rebates, slippage, brought + net, liquidation)
