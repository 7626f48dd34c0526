"""Entries of a stored run by hand, with every default visible."""

from domain.units import NS_PER_DAY
from ledger.entries import Entry, FillEntry, MarkPoint, RunFacts, RunPart
from tests.ledger.ledger_days import DAY_NS

LOT = 1_000_000
"""Value of one lot at price 1."""


def a_run_part(
    run_id="r1", account="a1", started_ns=DAY_NS, last_ns=DAY_NS + NS_PER_DAY, strategy="s", opened_ns=0,
    has_booked=True,
):  # fmt: skip
    opened_ns = started_ns + 1 if opened_ns == 0 else opened_ns
    return RunPart(
        run_id=run_id, account=account, command="run", strategy=strategy, seed=1, config_hash="c", code_revision="v",
        started_ns=started_ns, ended_ns=last_ns, last_ns=last_ns, decimals={"BTC": (1, 5), "ETH": (2, 4)},
        opened_ns=opened_ns, has_booked=has_booked,
    )  # fmt: skip


def an_entry(sequence, kind="fill", *, postings=(), lots=(), fill=None, symbol="BTC", order="", ts_ns=0, **more):
    return Entry(
        sequence=sequence, kind=kind, cause=more.pop("cause", "none"), fact_id=more.pop("fact_id", f"f{sequence}"),
        evidence="", ts_event_ns=more.pop("ts_event_ns", ts_ns or DAY_NS + sequence), ts_ns=ts_ns or DAY_NS + sequence,
        symbol=symbol, client_order_id=order, postings=postings, lots=lots, fill=fill, **more,
    )  # fmt: skip


def a_fill_entry(sequence, change, *, realized=0, fee=0, symbol="BTC", order="", slippage=0, **more):
    """A fill of signed lots at price 1, with its postings."""
    postings = tuple(
        posting
        for posting in (
            (f"realized:{symbol}", -realized),
            (f"fees:{symbol}" if fee > 0 else f"rebates:{symbol}", fee),
        )
        if posting[1]
    )
    fill = FillEntry(
        side=1 if change > 0 else -1, price=1, lots=abs(change), notional=abs(change) * LOT, slippage=slippage,
        is_maker=True, decision_mid_x2=0, arrival_mid_x2=0, fill_mid_x2=0, money_per_unit=LOT,
    )  # fmt: skip
    return an_entry(sequence, postings=postings, fill=fill, symbol=symbol, order=order, **more)


def facts_of(*entries, positions=(), marks=(), **run):
    return RunFacts(run=a_run_part(**run), entries=entries, marks=marks, positions=positions)


def opening(sequence, cash, ts_ns):
    postings = (("cash", cash), ("transfers", -cash))
    return an_entry(sequence, "transfer", fact_id="opening", postings=postings, symbol="", ts_ns=ts_ns)


def a_mark(ts_ns, brought, net, unrealized=0):
    return MarkPoint(ts_ns, brought + net, 0, unrealized, net)
