"""Plain-text accounting: what the real beancount makes of our books."""

from collections import defaultdict
from decimal import Decimal

import pytest
from beancount import loader
from beancount.core import data, realization
from beancount.scripts import check
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import DataInvalid
from ledger.export_beancount import (
    BALANCES,
    LINES,
    ROOTS,
    RUN,
    SPAN,
    account_name,
    account_of,
    amount_text,
    beancount_lines,
    component_of,
    quoted,
    text_of,
)

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS
START_NS = 19_700 * DAY_NS + 23 * HOUR_NS
SYMBOLS = ("BTC", "kPEPE", "KPEPE", "xyz:TSLA", "UBTC/USDC", "@107", "BTC-PERP", "", "1INCH", "Ω", "ΩΩ-low", "-raw")


@pytest.mark.parametrize(
    ("symbol", "component"),
    [
        ("BTC", "BTC"), ("kPEPE", "KPEPE-low"), ("xyz:TSLA", "Xyz-3aTSLA-low"), ("UBTC/USDC", "UBTC-2fUSDC"),
        ("@107", "X-40107-raw"), ("1INCH", "1INCH"), ("a-b", "A-2db-low"),
    ],
)  # fmt: skip
def test_symbol_has_the_name_of_an_account(symbol, component):
    assert component == component_of(symbol)


@given(st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=400)
def test_name_of_an_account_maps_back_and_never_to_two(one, other):
    assert one == text_of(component_of(one))
    assert (one == other) == (component_of(one) == component_of(other))
    assert component_of(one)[0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@pytest.mark.parametrize("kind", ROOTS)
def test_account_maps_back(kind):
    account = kind if kind in {"cash", "transfers", "unexplained"} else f"{kind}:xyz:TSLA"
    assert ("00ff", account) == account_of(account_name("00ff", account))


def test_account_of_no_chart_is_refused():
    with pytest.raises(DataInvalid, match=r"run 00ff, account 'bribes:BTC': is not in the chart: expected cash"):
        account_name("00ff", "bribes:BTC")


def test_amount_keeps_all_its_decimals():
    assert ("1.50000000 USDC", "-0.00000001 USDC", "0.00000000 USDC") == (
        amount_text(150_000_000), amount_text(-1), amount_text(0)
    )  # fmt: skip


def test_text_cannot_leave_its_quotes():
    assert r'"a\"b\\c\nd\te\r"' == quoted('a"b\\c\nd\te\r')


class Books:
    """Transactions of runs, answering the four questions of an export as SQL does."""

    def __init__(self):
        self.accounts, self.lines = {}, defaultdict(list)

    def post(self, run, kind, *postings, ts_ns=START_NS, account="", cause="none", evidence="", fact=""):
        self.accounts.setdefault(run, account or run)
        sequence = len({row[0] for row in self.lines[run]}) + 1
        head = (
            sequence,
            kind,
            fact or f"fact {sequence}",
            ts_ns,
            "0xab" if kind == "fill" else "",
            "",
            cause,
            evidence,
        )
        self.lines[run] += [(*head, *posting) for posting in postings]

    def balances(self, run):
        sums = defaultdict(int)
        for row in self.lines[run]:
            sums[row[8]] += row[9]
        return dict(sums)

    def ask(self, question, asked):
        run = asked["run"]
        if question == RUN:
            return [(self.accounts[run], "run x", "glft", "c0ffee", "0001")]
        if question == BALANCES:
            return list(self.balances(run).items())
        if question == SPAN:
            times = [row[3] for row in self.lines[run]]
            return [(min(times), max(times))]
        assert question == LINES
        return self.lines[run]


@pytest.fixture
def books():
    """Two runs of one account and one of another, with every kind of account and every odd symbol."""
    made = Books()
    for run, account in (("f00d", "0xme"), ("beef", "0xme"), ("0001", "0xyou")):
        made.post(run, "transfer", ("cash", 10**12), ("transfers", -(10**12)), account=account)
        for place, symbol in enumerate(SYMBOLS, 1):
            made.post(
                run, "fill", (f"position:{symbol}", 500 * place + 1), ("cash", -500 * place - 3), (f"fees:{symbol}", 2),
                ts_ns=START_NS + place * HOUR_NS, evidence='tx "0x1"\\',
            )  # fmt: skip
            made.post(run, "funding", ("cash", -7), (f"funding:{symbol}", 7), ts_ns=START_NS + place * HOUR_NS)
        made.post(run, "liquidation", ("cash", 90), ("position:BTC", -100), ("liquidation:BTC", 10))
        made.post(run, "fill", ("cash", 112), ("position:BTC", -100), ("realized:BTC", -11), ("rebates:BTC", -1))
        made.post(run, "correction", ("cash", -5), ("unexplained", 5), cause="unexplained", ts_ns=START_NS + DAY_NS)
    made.accounts["dead"] = "0xnobody"
    return made


@pytest.fixture
def written(books, tmp_path):
    path = tmp_path / "books.beancount"
    path.write_text("\n".join(beancount_lines(books.ask, ("f00d", "dead", "beef", "0001"))) + "\n", encoding="utf-8")
    return path


def balances_of(entries):
    """Return what beancount itself counts in every account, by (run, our account)."""
    real = realization.realize([entry for entry in entries if "handed over" not in str(getattr(entry, "payee", ""))])
    return {
        account_of(leaf.account): leaf.balance.get_currency_units("USDC").number
        for leaf in realization.iter_children(real, leaf_only=True)
    }


def test_beancount_loads_it_without_an_error_and_counts_the_same(books, written):
    entries, errors, options = loader.load_file(str(written))
    assert [] == errors
    assert ["USDC"] == options["operating_currency"]
    found = balances_of(entries)
    expected = {
        (run, account): Decimal(amount).scaleb(-8)
        for run in ("f00d", "beef", "0001")
        for account, amount in books.balances(run).items()
    }
    assert expected == found


def test_bean_check_accepts_it(written, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bean-check", "--no-cache", str(written)])
    with pytest.raises(SystemExit) as ended:
        check.main()
    assert (0, "") == (ended.value.code or 0, capsys.readouterr().out)


def test_facts_stand_beside_the_postings(written):
    entries, _, _ = loader.load_file(str(written))
    fill = next(one for one in entries if isinstance(one, data.Transaction) and one.narration == "fact 2")
    assert ("fill", "0xab", 'tx "0x1"\\', 2) == (
        fill.payee, fill.meta["order"], fill.meta["evidence"], int(fill.meta["sequence"])
    )  # fmt: skip
    assert fill.meta["time"].startswith("2023-12-10T00:00:00.")
    corrected = [one for one in entries if isinstance(one, data.Transaction) and "correction" in (one.payee or "")]
    assert ["correction unexplained"] * 3 == [one.payee for one in corrected]
    assert {
        one.meta["account"] for one in entries if isinstance(one, data.Open) and one.account.endswith("KPEPE-low")
    } == {"position:kPEPE", "fees:kPEPE", "funding:kPEPE"}


def test_every_account_ends_in_an_exact_assertion(books, written):
    entries, _, _ = loader.load_file(str(written))
    asserted = {account_of(one.account): one for one in entries if isinstance(one, data.Balance)}
    assert {(run, account) for run in ("f00d", "beef", "0001") for account in books.balances(run)} <= set(asserted)
    assert {Decimal(0)} == {one.tolerance for one in asserted.values()}


def test_one_unit_too_much_is_found_by_beancount(written, tmp_path):
    text = written.read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.beancount"
    wrong.write_text(text.replace("9999.99", "9999.98", 1), encoding="utf-8")
    assert wrong.read_text(encoding="utf-8") != text
    assert loader.load_file(str(wrong))[1]


def test_run_hands_its_cash_over_when_another_of_its_account_follows(books, written):
    entries, _, _ = loader.load_file(str(written))
    real = realization.realize(entries)

    def held(run):
        leaf = realization.get(real, f"Assets:Hat:{component_of(run)}")
        return realization.compute_balance(leaf).get_currency_units("USDC").number

    def ours(run):
        held_there = [amount for name, amount in books.balances(run).items() if name.startswith(("cash", "position"))]
        return Decimal(sum(held_there)).scaleb(-8)

    assert (0, ours("beef"), ours("0001")) == (held("f00d"), held("beef"), held("0001"))


def test_flat_run_without_a_transfer_hands_nothing_over():
    made = Books()
    for run in ("f00d", "beef"):
        made.post(run, "correction", ("cash", 5), ("unexplained", -5), account="0xme")
        made.post(run, "correction", ("cash", -5), ("unexplained", 5), account="0xme")
    assert not [line for line in beancount_lines(made.ask, ("f00d", "beef")) if "handed over" in line]
