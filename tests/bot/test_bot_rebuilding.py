"""A ledger made again from the journal is the ledger that was lost."""

import signal
import sqlite3
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from bot.config import hash_of, load
from bot.markets import synthetic_market
from bot.paper import PaperBot
from bot.rebuilding import rebuild
from bot.stop_flag import StopFlag
from domain.commands import CancelOrder, PlaceOrder
from domain.errors import ConfigInvalid, DataInvalid, JournalCorrupt
from domain.events import StopRequested
from engine.journal import Kind, Record, encode_payload, encode_record, read_records
from ledger.store import LedgerStore
from tests.bot_runs import hat, started_hat, summary_of
from tests.builders import START_NS

SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def traded(tmp_path_factory):
    """Trade two minutes on paper; return the summary and the state directory."""
    place = tmp_path_factory.mktemp("traded")
    config = load(None, {"bot": {"state_dir": str(place)}, "monitoring": {"port": "0"}})
    bot = PaperBot(config, synthetic_market(config, START_NS))
    return bot.run(speed=0, for_ns=120 * SECOND_NS, stop=StopFlag()), place


def seals(path):
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT run_id, notices, seal FROM cursors ORDER BY run_id").fetchall()
        chains = connection.execute("SELECT * FROM chains ORDER BY run_id, name").fetchall()
    connection.close()
    return found, chains


def notices_in(path):
    """Return how many notices are stored."""
    ((_, notices, _),) = seals(path)[0]
    return notices


def rebuilt(journal, path):
    store = LedgerStore(f"sqlite:///{path}")
    try:
        return rebuild(Path(journal), store)
    finally:
        store.close()


def test_rebuilt_ledger_has_the_seal_of_the_one_written_by_the_bot(traded, tmp_path):
    summary, place = traded
    done = rebuilt(summary["journal"], tmp_path / "again.db")
    assert summary["run_id"] == done.run_id
    assert done.is_ended
    assert done.notices == done.notices_new > 0
    assert "" == done.cut_off
    assert seals(place / "ledger.db") == seals(tmp_path / "again.db")


def test_rebuilding_a_whole_ledger_changes_nothing(traded):
    summary, place = traded
    before = seals(place / "ledger.db")
    done = rebuilt(summary["journal"], place / "ledger.db")
    assert 0 == done.notices_new
    assert before == seals(place / "ledger.db")


def test_torn_tail_is_left_out_and_said(traded, tmp_path):
    content = Path(traded[0]["journal"]).read_bytes()
    torn = tmp_path / "torn.journal"
    torn.write_bytes(content[: len(content) // 2])
    done = rebuilt(torn, tmp_path / "half.db")
    assert "cut off" in done.cut_off
    assert not done.is_ended
    assert 0 < done.notices_new
    store = LedgerStore(f"sqlite:///{tmp_path / 'half.db'}")
    assert [] == store.problems()
    store.close()
    whole = rebuilt(traded[0]["journal"], tmp_path / "half.db")
    assert whole.notices > whole.notices_new > 0
    assert seals(traded[1] / "ledger.db") == seals(tmp_path / "half.db")


def test_wishes_torn_off_their_event_take_its_notices_with_them(traded, tmp_path):
    """An event whose wishes are missing never led to anything outside, so its order was never sent."""
    records = list(read_records(Path(traded[0]["journal"]).read_bytes()))
    first = next(
        place
        for place, record in enumerate(records)
        if record.kind is Kind.COMMAND and isinstance(record.command(), PlaceOrder)
    )
    after = next(place for place in range(first, len(records)) if records[place].kind is Kind.EVENT)
    for kept, orders in ((first, 0), (after, after - first)):
        journal, ledger = tmp_path / f"{kept}.journal", tmp_path / f"{kept}.db"
        journal.write_bytes(b"".join(encode_record(one.sequence, one.kind, one.payload) for one in records[:kept]))
        rebuilt(journal, ledger)
        with sqlite3.connect(ledger) as connection:
            assert [(orders > 0,)] == connection.execute("SELECT count(*) > 0 FROM orders").fetchall()
        connection.close()


def test_bot_killed_while_trading_loses_nothing_that_was_decided(tmp_path):
    """SIGKILL while orders fly; the journal has every decision, so the ledger gets every row."""
    bot = started_hat("run", "--for", "1h", "--speed", "40", "--port", "0", "--state-dir", tmp_path)
    ledger = tmp_path / "ledger.db"
    try:
        while fills_in(ledger) < 5:
            assert bot.poll() is None, bot.communicate()[1]
    finally:
        bot.send_signal(signal.SIGKILL)
        bot.communicate()
    journal = next((tmp_path / "journal").iterdir())
    done = summary_of(hat("ledger", "rebuild", journal, "--state-dir", tmp_path, "--json"))
    placed = [
        record.command().client_order_id
        for record in read_records_whole(journal)
        if record.kind is Kind.COMMAND and isinstance(record.command(), PlaceOrder)
    ]
    with sqlite3.connect(ledger) as connection:
        sent = "state NOT IN ('denied', 'idle', 'signal', 'risk_approved', 'validated')"
        stored = [order for (order,) in connection.execute(f"SELECT client_order_id FROM orders WHERE {sent}")]
        cursor = connection.execute("SELECT notices FROM cursors").fetchone()[0]
    connection.close()
    assert done["notices"] == cursor
    assert sorted(placed) == sorted(stored)
    assert len(placed) == len(set(placed))
    store = LedgerStore(f"sqlite:///{ledger}", read_only=True)
    assert [] == store.problems()
    store.close()


def fills_in(path):
    """Count stored fills; a ledger that is still being made has none."""
    if not path.exists():
        return 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT count(*) FROM fills").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def read_records_whole(path):
    """Yield the records before a torn tail."""
    with suppress(JournalCorrupt):
        yield from read_records(path.read_bytes())


def journal_of(path, records):
    """Write a journal of these records, numbered anew."""
    whole = [encode_record(number, one.kind, one.payload) for number, one in enumerate(records, 1)]
    path.write_bytes(b"".join(whole))
    return path


def event_before(records, place):
    """Return where the event of a command stands."""
    return max(at for at in range(place) if records[at].kind is Kind.EVENT)


def test_journal_of_other_decisions_is_refused_and_what_was_proven_before_them_is_stored(traded, tmp_path):
    """Whoever changed a wish in the journal changed what the engine would have to wish."""
    records = list(read_records(Path(traded[0]["journal"]).read_bytes()))
    commands = [place for place, record in enumerate(records) if record.kind is Kind.COMMAND]
    place = max(place for place in commands if isinstance(records[place].command(), PlaceOrder))
    changed = [
        encode_record(one.sequence, one.kind, records[1].payload if one.sequence == place + 1 else one.payload)
        for one in records
    ]
    path = tmp_path / "other.journal"
    path.write_bytes(b"".join(changed))
    with pytest.raises(DataInvalid, match=f"record {place + 1}: this version of hat decides otherwise"):
        rebuilt(path, tmp_path / "other.db")
    cut = rebuilt(journal_of(tmp_path / "cut.journal", records[: event_before(records, place)]), tmp_path / "cut.db")
    assert notices_in(tmp_path / "other.db") == cut.notices > 0
    assert seals(tmp_path / "cut.db") == seals(tmp_path / "other.db")


def test_damaged_journal_is_refused_and_what_was_proven_before_the_damage_is_stored(traded, tmp_path):
    content = Path(traded[0]["journal"]).read_bytes()
    records = list(read_records(content))
    events = [place for place, record in enumerate(records) if record.kind is Kind.EVENT]
    place = events[len(events) // 2]
    offset = sum(len(encode_record(one.sequence, one.kind, one.payload)) for one in records[: place + 1])
    damaged = tmp_path / "damaged.journal"
    damaged.write_bytes(content[: offset - 1] + bytes([content[offset - 1] ^ 1]) + content[offset:])
    strange = journal_of(
        tmp_path / "strange.journal", [*records[:place], msgspec.structs.replace(records[place], payload=b"\x80")]
    )
    cut = rebuilt(journal_of(tmp_path / "cut.journal", records[:place]), tmp_path / "cut.db")
    before = rebuilt(
        journal_of(tmp_path / "before.journal", records[: event_before(records, place)]), tmp_path / "before.db"
    )
    for journal, stored in ((damaged, before), (strange, cut)):
        ledger = journal.with_suffix(".db")
        with pytest.raises(DataInvalid, match=f"is damaged or no journal: record {place + 1} "):
            rebuilt(journal, ledger)
        assert notices_in(ledger) == stored.notices > 0


def abandoned(records, place, *, detail="cash is 1\nin the book", after=()):
    """Let a run break off before the record at a place, with cancels no engine would wish."""
    ts_ns = records[place - 1].event().ts_recv_ns if records[place - 1].kind is Kind.EVENT else START_NS
    stop = StopRequested(detail, is_abandoned=True, ts_event_ns=ts_ns, ts_recv_ns=ts_ns)
    cancels = [CancelOrder(order, "BTC", ts_ns=ts_ns) for order in (7, 8)]
    return [
        *records[:place],
        Record(0, Kind.EVENT, encode_payload(stop)),
        *(Record(0, Kind.COMMAND, encode_payload(cancel)) for cancel in cancels),
        *after,
    ]


def test_end_of_a_run_that_broke_off_is_left_out_and_everything_before_it_is_stored(traded, tmp_path):
    """Those cancels are not the engine's, so nobody changed them when it would have wished others."""
    records = list(read_records(Path(traded[0]["journal"]).read_bytes()))
    events = [place for place, record in enumerate(records) if record.kind is Kind.EVENT]
    place = events[len(events) // 2]
    journal = journal_of(tmp_path / "broken.journal", abandoned(records, place))
    cut = rebuilt(journal_of(tmp_path / "cut.journal", records[:place]), tmp_path / "cut.db")
    done = hat("ledger", "rebuild", journal, "--url", f"sqlite:///{tmp_path / 'broken.db'}")
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.endswith(
        f"; left out at the end: record {place + 1}: the run broke off (cash is 1 in the book), cancels made without its "
        "engine: 2; everything before it is stored\n"
    )
    assert 1 == done.stdout.count("\n")
    assert seals(tmp_path / "cut.db") == seals(tmp_path / "broken.db")
    again = rebuilt(journal, tmp_path / "broken.db")
    assert (cut.events, cut.notices, 0, False) == (again.events, again.notices, again.notices_new, again.is_ended)


@pytest.mark.parametrize("is_torn", [True, False])
def test_what_follows_the_end_of_a_run_that_broke_off(is_torn, traded, tmp_path):
    """A torn cancel is the end like any other; another event is none of a run that had ended."""
    records = list(read_records(Path(traded[0]["journal"]).read_bytes()))
    place = max(place for place, record in enumerate(records) if record.kind is Kind.EVENT)
    path = journal_of(
        tmp_path / "broken.journal", abandoned(records, place, detail="", after=() if is_torn else records[place:])
    )
    if is_torn:
        path.write_bytes(path.read_bytes()[:-1])
        done = rebuilt(path, tmp_path / "broken.db")
        assert not done.is_ended
        assert f"record {place + 3} at byte" in done.cut_off
        assert f"record {place + 1}: the run broke off (nobody said why), cancels" in done.cut_off
    else:
        with pytest.raises(DataInvalid, match=f"record {place + 4}: follows where the run broke off"):
            rebuilt(path, tmp_path / "broken.db")
    cut = rebuilt(journal_of(tmp_path / "cut.journal", records[:place]), tmp_path / "cut.db")
    assert notices_in(tmp_path / "broken.db") == cut.notices > 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"no journal at all, only a line of text long enough to hold a header", "damaged or no journal"),
        (b"short", "is no journal: record 1 at byte 0 is cut off after 5 bytes"),
        (encode_record(1, Kind.EVENT, b"\x80"), "no journal of version|does not begin like"),
        (encode_record(1, Kind.HEADER, b"\xc1"), "does not begin like a journal"),
    ],
)
def test_what_is_no_journal_is_refused_in_one_sentence(content, sentence, tmp_path):
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    with pytest.raises(DataInvalid, match=sentence):
        rebuilt(path, tmp_path / "x.db")


def test_damaged_length_is_no_torn_tail(traded, tmp_path):
    """What follows is whole, so the record was altered: nothing of it may pass for the end of the journal."""
    content = bytearray(Path(traded[0]["journal"]).read_bytes())
    records = list(read_records(bytes(content)))
    offset = sum(len(encode_record(one.sequence, one.kind, one.payload)) for one in records[: len(records) // 2])
    for byte, bit in ((3, 0), (2, 6), (0, 7)):
        harmed = content.copy()
        harmed[offset + byte] ^= 1 << bit
        path = tmp_path / f"{byte}.journal"
        path.write_bytes(harmed)
        with pytest.raises(
            DataInvalid, match=f"damaged or no journal: record {len(records) // 2 + 1} at byte {offset}"
        ):
            rebuilt(path, tmp_path / f"{byte}.db")


def test_journal_written_before_a_setting_existed_is_rebuilt(traded, tmp_path):
    records = list(read_records(Path(traded[0]["journal"]).read_bytes()))
    header = msgspec.msgpack.decode(records[0].payload)
    del header["config"]["bot"]["account_interval_ms"]
    header["run"]["config_hash"] = hash_of(header["config"])
    older = [encode_record(1, Kind.HEADER, msgspec.msgpack.encode(header))]
    older += [encode_record(one.sequence, one.kind, one.payload) for one in records[1:]]
    path = tmp_path / "older.journal"
    path.write_bytes(b"".join(older))
    assert rebuilt(path, tmp_path / "older.db").is_ended


def test_journal_whose_settings_were_changed_is_refused(traded, tmp_path):
    records = list(read_records(Path(traded[0]["journal"]).read_bytes()))
    header = msgspec.msgpack.decode(records[0].payload)
    header["config"]["bot"]["seed"] += 1
    path = tmp_path / "changed.journal"
    path.write_bytes(encode_record(1, Kind.HEADER, msgspec.msgpack.encode(header)))
    with pytest.raises(DataInvalid, match="holds other settings than its run was started with"):
        rebuilt(path, tmp_path / "changed.db")


def test_missing_journal_is_named(tmp_path):
    with pytest.raises(ConfigInvalid, match="a journal that can be read"):
        rebuilt(tmp_path / "none.journal", tmp_path / "x.db")
