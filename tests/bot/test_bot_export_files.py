"""Exports on disk against the rows they were made of: every digit, every row, on both databases."""

import csv
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from beancount import loader
from beancount.core import realization
from pyarrow import parquet
from sqlalchemy import text

from bot import export_files
from bot.export_files import Format, export
from domain.errors import ConfigInvalid
from ledger import tables
from ledger.export import EXPORTED, Kind, utc_text
from ledger.export_beancount import account_of
from ledger.store import LedgerStore
from tests.bot_runs import hat
from tests.ledger.ledger_builders import BTC, ETH, START_NS
from tests.ledger.ledger_stored import KEY, OTHER, OTHER_KEY, store_story
from tests.ledger.ledger_story import every_row

RUNS = (KEY, OTHER_KEY)
DECIMALS = {one.symbol: (one.price_decimals, one.size_decimals) for one in (BTC, ETH)}


@pytest.fixture
def filled_url(ledger_url):
    store_story(ledger_url, ended_ns=START_NS + 9)
    store_story(ledger_url, run=OTHER)
    return ledger_url


def exported(url, form, out, runs=RUNS, *, force=False):
    with closing(LedgerStore(url, read_only=True)) as store, store.reading() as connection:
        return export(connection, runs, form, out, force=force)


def stored(url):
    """Return every exported column of every exported table as the integers and texts SQL holds, by table."""
    rows = every_row(url)
    symbols = {}
    for row in rows["fills"]:
        named = dict(zip(tables.fills.c.keys(), row, strict=True))
        symbols[named["run_id"], named["sequence"]] = named["symbol"]
    found = {}
    for table in EXPORTED:
        columns = tables.metadata.tables[table.name].c.keys()
        found[table.name] = []
        for row in rows[table.name]:
            named = dict(zip(columns, row, strict=True))
            named.setdefault("symbol", symbols.get((named["run_id"], named.get("sequence"))))
            found[table.name].append({one.name: named[one.sql.rpartition(".")[2]] for one in table.columns})
    return found


def expected_value(kind, value, symbol):
    """Return what a column is worth in the world, as Decimal where it is no plain integer or text."""
    price, size = DECIMALS.get(symbol, (0, 0))
    match kind:
        case Kind.MONEY:
            return Decimal(value).scaleb(-8)
        case Kind.RATE:
            return Decimal(value).scaleb(-9)
        case Kind.PRICE:
            return Decimal(value).scaleb(-price)
        case Kind.LOTS:
            return Decimal(value).scaleb(-size)
        case Kind.MID_X2:
            return Decimal(value).scaleb(-price) / 2 if value else None
        case Kind.FLAG:
            return bool(value)
        case _:
            return value


def expected_rows(url, table):
    return sorted(
        (
            {one.name: expected_value(one.kind, row[one.name], row.get("symbol")) for one in table.columns}
            for row in stored(url)[table.name]
        ),
        key=repr,
    )


def read_back(kind, value):
    """Return one cell of CSV as what it says."""
    if not value and kind in {Kind.TIME, Kind.MID_X2}:
        return None
    if kind in {Kind.TEXT, Kind.LABEL}:
        return value
    if kind is Kind.FLAG:
        return {"true": True, "false": False}[value]
    return int(value) if kind in {Kind.INTEGER, Kind.TIME} else Decimal(value)


def test_csv_says_every_row_to_the_last_digit(filled_url, tmp_path):
    written = exported(filled_url, Format.CSV, tmp_path / "tables")
    assert [table.name for table in EXPORTED] == [one.path.rpartition("/")[2].removesuffix(".csv") for one in written]
    for table, file in zip(EXPORTED, written, strict=True):
        with Path(file.path).open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        found = [{one.name: read_back(one.kind, row[one.name]) for one in table.columns} for row in rows]
        assert expected_rows(filled_url, table) == sorted(found, key=repr), table.name
        assert file.rows == len(rows) > 0
        for row in rows:
            for one in table.columns:
                if one.kind is Kind.TIME:
                    said = row[one.name.removesuffix("_ns") + "_utc"]
                    assert said == (utc_text(int(row[one.name])) if row[one.name] else "")


def test_parquet_holds_every_row_to_the_last_digit(filled_url, tmp_path, monkeypatch):
    monkeypatch.setattr(export_files, "ROWS_PER_GROUP", 50)
    written = exported(filled_url, Format.PARQUET, tmp_path / "tables")
    for table, file in zip(EXPORTED, written, strict=True):
        read = parquet.read_table(file.path)
        assert table.header == tuple(read.schema.names)
        found = [{one.name: row[one.name] for one in table.columns} for row in _without_times(read)]
        assert expected_rows(filled_url, table) == sorted(
            (
                {one.name: _shortened(one.kind, row[one.name], row.get("symbol")) for one in table.columns}
                for row in found
            ),
            key=repr,
        ), table.name
        assert file.rows == read.num_rows > 0
    marks = parquet.read_table(tmp_path / "tables" / "marks.parquet")
    assert marks["ts_ns"].to_pylist() == marks["ts_utc"].cast("int64").to_pylist()
    assert {"decimal128(38, 8)", "decimal128(38, 9)", "timestamp[ns, tz=UTC]"} <= {
        str(field.type) for field in marks.schema
    }


def _without_times(read):
    """Return rows without the timestamp columns, which Python's datetime could not hold."""
    return read.drop_columns([name for name in read.schema.names if name.endswith("_utc")]).to_pylist()


def _shortened(kind, value, symbol):
    """Return a decimal at the scale it has in the ledger, as expected_value gives it; it loses no digit."""
    if not isinstance(value, Decimal):
        return value
    price, size = DECIMALS.get(symbol, (0, 0))
    places = {Kind.MONEY: 8, Kind.RATE: 9, Kind.PRICE: price, Kind.LOTS: size, Kind.MID_X2: price}[kind]
    exact = value.quantize(Decimal(1).scaleb(-places - (kind is Kind.MID_X2)))
    assert exact == value
    return value.quantize(Decimal(1).scaleb(-places)) if value == value.quantize(Decimal(1).scaleb(-places)) else exact


def test_beancount_counts_what_we_count(filled_url, tmp_path):
    path = tmp_path / "hat.beancount"
    (written,) = exported(filled_url, Format.BEANCOUNT, path)
    assert written.rows == len(path.read_text(encoding="utf-8").splitlines())
    entries, errors, _ = loader.load_file(str(path))
    assert [] == errors
    found = {
        account_of(leaf.account): leaf.balance.get_currency_units("USDC").number
        for leaf in realization.iter_children(realization.realize(entries), leaf_only=True)
    }
    assert {
        (run, account): Decimal(amount).scaleb(-8) for run in RUNS for account, amount in balances(filled_url, run)
    } == found
    assert {"realized", "liquidation", "unexplained", "rebates"} <= {account.partition(":")[0] for _, account in found}


def balances(url, run):
    with closing(LedgerStore(url, read_only=True)) as store, store.reading() as connection:
        asked = text("SELECT account, SUM(amount) FROM postings WHERE run_id = :run GROUP BY account")
        return [(account, int(amount)) for account, amount in connection.execute(asked, {"run": run})]


def test_one_run_alone_is_exported(filled_url, tmp_path):
    exported(filled_url, Format.CSV, tmp_path, (KEY,))
    assert {KEY} == {line.split(",")[0] for line in (tmp_path / "fills.csv").read_text().splitlines()[1:]}


def test_nothing_is_written_when_one_name_is_taken(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url)
    out = tmp_path / "tables"
    out.mkdir()
    (out / "marks.csv").write_text("mine")
    with pytest.raises(ConfigInvalid, match=r"--out = .*marks.csv': expected a name that is free"):
        exported(url, Format.CSV, out, (KEY,))
    assert ["marks.csv"] == [path.name for path in out.iterdir()]
    exported(url, Format.CSV, out, (KEY,), force=True)
    assert (out / "marks.csv").read_text().startswith("run_id,minute_ns,minute_utc,ts_ns")


def test_ledger_survives_an_export_that_names_it(tmp_path):
    file = tmp_path / "ledger.db"
    store_story(f"sqlite:///{file}")
    content = file.read_bytes()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "marks.csv").hardlink_to(file)
    for form, out in ((Format.BEANCOUNT, file), (Format.CSV, tmp_path / "tables")):
        done = hat("ledger", "export", "--url", f"sqlite:///{file}", "--format", form, "--out", out, "--force")
        assert (2, "") == (done.returncode, done.stdout)
        assert "this is the ledger itself, which is never overwritten" in done.stderr
        assert 1 == done.stderr.count("\n")
    assert content == file.read_bytes()
    assert ["marks.csv"] == [path.name for path in (tmp_path / "tables").iterdir()]


@pytest.mark.parametrize("form", [Format.CSV, Format.PARQUET])
def test_export_that_breaks_in_the_middle_leaves_nothing(tmp_path, monkeypatch, form):
    """Eight of nine tables are not an export; what was there before stays."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url)
    written = []

    def break_off(*_):
        written.append(1)
        if len(written) == 5:
            raise KeyboardInterrupt
        return 0

    monkeypatch.setattr(export_files, "_write_csv", break_off)
    monkeypatch.setattr(export_files, "_write_parquet", break_off)
    old = tmp_path / "old"
    old.mkdir()
    (old / f"runs.{form.value}").write_text("mine")
    for out in (tmp_path / "new", old):
        written.clear()
        with pytest.raises(KeyboardInterrupt):
            exported(url, form, out, (KEY,), force=True)
    assert not (tmp_path / "new").exists()
    assert [("mine", f"runs.{form.value}")] == [(path.read_text(), path.name) for path in old.iterdir()]


@pytest.mark.parametrize(
    ("name", "words"), [("ledger.db", "a folder; this is a file"), ("no/where", "a folder in one that exists")]
)
def test_folder_that_cannot_be_made_is_refused(tmp_path, name, words):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url)
    with pytest.raises(ConfigInvalid, match=words):
        exported(url, Format.CSV, tmp_path / name, (KEY,))
