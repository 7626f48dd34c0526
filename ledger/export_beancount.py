"""The ledger as plain-text accounting: every transaction of a run in the syntax of beancount.

Why it exists: whoever distrusts our arithmetic can load the books into a program that we did not write.

The one commodity is USDC with eight decimals; positions are held at cost, so nothing needs a price. Debit is positive
there as here. Each run is a book of its own below `Assets:Hat:<run>`, because each begins with the venue's statement.

Laws: every posting keeps its last digit; every account ends in a balance assertion without tolerance; names of
instruments map to account names and back without loss. Where a younger run of the same account follows in the file, a
last transaction hands cash and positions over, so that the sum over runs counts nothing twice.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from domain.errors import DataInvalid
from domain.units import MONEY_DECIMALS, MONEY_UNIT, NS_PER_DAY
from ledger.accounts import (
    CASH,
    FEES,
    FUNDING,
    LIQUIDATION,
    POSITION,
    REALIZED,
    REBATES,
    TRANSFERS,
    UNEXPLAINED,
    kind_of,
)
from ledger.export import Ask, utc_text
from ledger.periods import date_text

COMMODITY = "USDC"
ROOTS = {
    CASH: ("Assets", "Cash"),
    POSITION: ("Assets", "Position"),
    REALIZED: ("Income", "Realized"),
    LIQUIDATION: ("Income", "Liquidation"),
    REBATES: ("Income", "Rebates"),
    FUNDING: ("Income", "Funding"),
    FEES: ("Expenses", "Fees"),
    TRANSFERS: ("Equity", "Transfers"),
    UNEXPLAINED: ("Equity", "Unexplained"),
}
KINDS_BY_NAME = {name: kind for kind, (_, name) in ROOTS.items()}
LOWERED = "-low"
MARKED = "-raw"
"""How a component ends whose first letter was raised, and one that was given an X to begin with."""

BALANCES = "SELECT account, SUM(amount) FROM postings WHERE run_id = :run GROUP BY account"
SPAN = "SELECT MIN(ts_event_ns), MAX(ts_event_ns) FROM transactions WHERE run_id = :run"
RUN = "SELECT account, command, strategy, config_hash, code_revision FROM runs WHERE run_id = :run"
LINES = """
SELECT t.sequence, t.kind, t.fact_id, t.ts_event_ns, t.client_order_id, t.trace_id, t.cause, t.evidence,
       p.account, p.amount
FROM transactions t JOIN postings p ON p.run_id = t.run_id AND p.sequence = t.sequence
WHERE t.run_id = :run ORDER BY t.sequence, p.line
"""
_ESCAPED = re.compile(r"-([0-9a-f]{2})")
_TEXT_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"})


def component_of(text: str) -> str:
    """Return any text as one component of an account name; `text_of` takes it back.

    ASCII letters and digits stay; every other byte becomes a dash and two hex digits; a small first letter is raised
    and `-low` added; what then begins neither with a letter nor a digit gets an X before and `-raw` behind.
    Source: beancount's lexer (an account component is `[A-Z0-9][A-Za-z0-9-]*` in ASCII), version 3.2, read 2026-11-20.
    """
    body = "".join(
        letter if letter.isascii() and letter.isalnum() else "".join(f"-{byte:02x}" for byte in letter.encode())
        for letter in text
    )
    if body[:1].islower():
        return body[0].upper() + body[1:] + LOWERED
    return body if body[:1].isalnum() else f"X{body}{MARKED}"


def text_of(component: str) -> str:
    """Return the text a component of an account name stands for."""
    if component.endswith(LOWERED):
        body = component[0].lower() + component.removesuffix(LOWERED)[1:]
    elif component.endswith(MARKED):
        body = component.removesuffix(MARKED)[1:]
    else:
        body = component
    spelled = re.sub(_ESCAPED, lambda found: chr(int(found[1], 16)), body)
    return spelled.encode("latin-1").decode()


def account_name(run: str, account: str) -> str:
    """Return the name in beancount of an account of a run. Raises: DataInvalid for one that is not of our chart."""
    kind, colon, symbol = account.partition(":")
    if kind not in ROOTS:
        raise DataInvalid(f"run {run}, account {account!r}", f"is not in the chart: expected {', '.join(ROOTS)}")
    root, name = ROOTS[kind]
    parts = (root, "Hat", component_of(run), name, *((component_of(symbol),) if colon else ()))
    return ":".join(parts)


def account_of(name: str) -> tuple[str, str]:
    """Return run and account that a name in beancount stands for."""
    _, _, run, kind, *symbol = name.split(":")
    return text_of(run), ":".join((KINDS_BY_NAME[kind], *(text_of(one) for one in symbol)))


def amount_text(amount: int) -> str:
    """Return Money with all its decimals, so that beancount infers the scale and not a coarser one."""
    whole, fraction = divmod(abs(amount), MONEY_UNIT)
    return f"{'-' if amount < 0 else ''}{whole}.{fraction:0{MONEY_DECIMALS}d} {COMMODITY}"


def quoted(text: str) -> str:
    """Return text as a string of beancount."""
    return f'"{text.translate(_TEXT_ESCAPES)}"'


class BeancountRun(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run before its transactions are read. Balances are by account; times by the venue's clock."""

    run: str
    about: tuple[tuple[str, str], ...]
    balances: Mapping[str, int]
    first_ns: int
    last_ns: int
    is_handed_over: bool


def head_lines(runs: Sequence[str]) -> Iterator[str]:
    """Yield what a file begins with."""
    yield f"; The trade ledger of hat, run {', '.join(runs)}. Amounts are exact; one book per run."
    yield f'option "title" {quoted("hat")}'
    yield f'option "operating_currency" "{COMMODITY}"'
    yield ""
    yield f"1970-01-01 commodity {COMMODITY}"
    yield f"  precision: {MONEY_DECIMALS}"


def run_lines(book: BeancountRun, lines: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the book of one run: accounts, transactions (rows of LINES), balances, hand-over."""
    names = {account: account_name(book.run, account) for account in sorted(book.balances)}
    yield ""
    yield f"; Run {book.run}: {', '.join(f'{name} {value}' for name, value in book.about)}".translate(_TEXT_ESCAPES)
    for account, name in names.items():
        yield f"{date_text(book.first_ns)} open {name} {COMMODITY}"
        yield f"  account: {quoted(account)}"
    for _, rows in groupby(lines, key=lambda row: row[0]):
        yield from _transaction_lines(book.run, names, list(rows))
    after = date_text(book.last_ns + NS_PER_DAY)
    yield ""
    for account, name in names.items():
        amount, _, commodity = amount_text(book.balances[account]).partition(" ")
        yield f"{after} balance {name} {amount} ~ 0 {commodity}"
    if book.is_handed_over:
        yield from _handover_lines(book, names, after)


def _transaction_lines(run: str, names: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    sequence, kind, fact_id, ts_event_ns, order, trace, cause, evidence = rows[0][:8]
    is_corrected = kind == "correction"
    yield ""
    yield f"{date_text(ts_event_ns)} * {quoted(f'{kind} {cause}' if is_corrected else kind)} {quoted(fact_id)}"
    yield f"  run: {quoted(run)}"
    yield f"  sequence: {sequence}"
    yield f"  time: {quoted(utc_text(ts_event_ns))}"
    for key, value in (("order", order), ("trace", trace), ("evidence", evidence)):
        if value:
            yield f"  {key}: {quoted(value)}"
    for row in rows:
        yield f"  {names[row[8]]}  {amount_text(int(row[9]))}"


def _handover_lines(book: BeancountRun, names: Mapping[str, str], date: str) -> Iterator[str]:
    handed = {
        account: amount for account, amount in book.balances.items() if kind_of(account) in {CASH, POSITION} and amount
    }
    if handed:
        yield ""
        yield f'{date} * "handed over" "the next run of the account begins with the venue\'s statement"'
        for account, amount in sorted(handed.items()):
            yield f"  {names[account]}  {amount_text(-amount)}"
        yield f"  {names.get(TRANSFERS, account_name(book.run, TRANSFERS))}  {amount_text(sum(handed.values()))}"


def _book_of(ask: Ask, run: str, *, is_handed_over: bool) -> BeancountRun | None:
    balances = {str(account): int(amount) for account, amount in ask(BALANCES, {"run": run})}
    if not balances:
        return None
    if is_handed_over:
        balances.setdefault(TRANSFERS, 0)
    (about,), ((first_ns, last_ns),) = ask(RUN, {"run": run}), ask(SPAN, {"run": run})
    return BeancountRun(
        run=run,
        about=tuple(zip(("account", "command", "strategy", "config", "code"), map(str, about), strict=True)),
        balances=balances,
        first_ns=int(first_ns),
        last_ns=int(last_ns),
        is_handed_over=is_handed_over,
    )


def beancount_lines(ask: Ask, runs: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a beancount file of these runs, oldest first; a run without transactions leaves none."""
    accounts = {run: str(row[0]) for run in runs for row in ask(RUN, {"run": run})}
    yield from head_lines(runs)
    for place, run in enumerate(runs):
        is_followed = accounts[run] in {accounts[later] for later in runs[place + 1 :]}
        book = _book_of(ask, run, is_handed_over=is_followed)
        if book is not None:
            yield from run_lines(book, ask(LINES, {"run": run}))
