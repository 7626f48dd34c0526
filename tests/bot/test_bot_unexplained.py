"""The whole bot when the venue keeps something to itself: blocked, shown, reconciled, acknowledged by a file, trading."""

import json
import os
import sqlite3
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bot import operator_acts
from bot.config import load
from bot.markets import synthetic_market
from bot.operator_acts import Act, post
from bot.paper import PaperBot
from bot.reconciling import reconciled, reconciliation_shape, reconciliation_view
from bot.stop_flag import StopFlag
from bot.venue_file import FILES_KEPT, NAME, VenueFile, read_venue, venue_place
from domain.errors import DataInvalid
from domain.modes import Mode
from domain.units import MONEY_UNIT
from ledger.reconciliation import reconcile
from ledger.store import LedgerStore
from monitoring.health import Condition
from tests.bot_runs import hat
from tests.builders import START_NS
from tests.ledger.ledger_builders import a_record
from tests.ledger.two_sides import side_of, venue_of

ACCOUNT = "f00d"
BEATS_MAX = 5_000


def paper_bot(place: Path) -> PaperBot:
    config = load(
        None,
        {"bot": {"state_dir": str(place)}, "monitoring": {"port": "0"}, "market": {"instruments": "SOL"}},
    )
    return PaperBot(config, synthetic_market(config, START_NS))


class Story:
    """What happens to a bot between two events: the venue takes lots, a person looks and acknowledges."""

    def __init__(self, bot: PaperBot, stop: StopFlag) -> None:
        self.bot = bot
        self.stop = stop
        self.taken = 0
        self.seen: list[dict[str, object]] = []
        self.health: list[tuple[Condition, str]] = []
        self.is_posted = False
        self.beats = 0

    def refresh(self) -> None:
        bot, state = self.bot, self.bot.engine.state
        position = state.book.position_lots("SOL")
        if not self.taken and state.mode is Mode.TRADING and abs(position) > 10:
            self.taken = -(position // 2)
            bot.driver.exchange.take_untold(-3 * MONEY_UNIT, "SOL", self.taken)
        elif self.taken and not self.is_posted and state.agreement.is_booked:
            self.seen.append(bot.watch.figures())
            self.health += [
                (one.condition, one.detail) for one in bot.watch.health().components if one.name == "ledger"
            ]
            post(bot.state_dir, Act(act="acknowledge", detail='ticket 12: "half of it"; DROP TABLE runs'))
            (bot.state_dir / "acts" / "0.json").write_text("no act")
            self.is_posted = True
        elif self.is_posted and state.mode is Mode.TRADING:
            self.beats += 1
            self.seen.append(bot.watch.figures())
            if self.seen[-1]["residual"] == "0" or self.beats > BEATS_MAX:
                self.stop.set()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The story of one run, with its state directory."""
    place = tmp_path_factory.mktemp("untold")
    (place / "acts").mkdir()
    (place / "acts" / "9.json").write_text('{"act": "acknowledge", "detail": "for another bot"}')
    patched = pytest.MonkeyPatch()
    patched.setattr(operator_acts, "LOOK_NS", 0)
    bot, stop = paper_bot(place), StopFlag()
    story = Story(bot, stop)
    summary = bot.run(speed=0, for_ns=None, stop=stop, refresh=story.refresh)
    patched.undo()
    return story, place, summary


def logged(place: Path, kind: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (place / "hat.log").read_text().splitlines()]
    return [line["data"] for line in lines if line["event_type"] == kind]


def test_bot_is_blocked_says_so_and_trades_again_after_a_person_spoke(told) -> None:
    story, _, summary = told
    blocked, free = story.seen[0], story.seen[-1]

    assert summary["ended"] == "signal"
    assert blocked["mode"] == "reducing"
    assert "booked as unexplained, look at it, then hat ledger acknowledge" in str(blocked["blocked"])
    assert story.health == [(Condition.FAILED, blocked["blocked"])]
    assert (free["mode"], free["blocked"], free["residual"]) == ("trading", "", "0")
    assert free["unexplained"] != "0"
    assert float(str(blocked["residual"])) == pytest.approx(float(str(free["unexplained"])) * -1, abs=1)


def test_act_is_taken_once_logged_and_stands_in_the_ledger_and_other_files_are_not_acted_upon(told) -> None:
    _, place, _ = told

    assert list((place / "acts").iterdir()) == []
    assert logged(place, "operator_act") == [
        {"act": "acknowledge", "detail": 'ticket 12: "half of it"; DROP TABLE runs'}
    ]
    assert [one["file"] for one in logged(place, "operator_act_refused")] == ["0.json"]
    assert [one["file"] for one in logged(place, "operator_act_outdated")] == ["9.json"]
    with sqlite3.connect(place / "ledger.db") as database:
        details = [detail for (detail,) in database.execute("SELECT detail FROM incidents WHERE kind LIKE '%closed%'")]
        causes = {cause for (cause,) in database.execute("SELECT cause FROM transactions")}
    database.close()
    assert 1 == sum('ticket 12: "half of it"; DROP TABLE runs' in detail for detail in details)
    assert "unexplained" in causes


def test_reconcile_agrees_after_the_run_and_shows_what_is_in_suspense(told) -> None:
    _, place, _ = told
    done = hat("ledger", "reconcile", "--explain", "--state-dir", place)

    assert done.returncode == 0, done.stderr
    assert "agrees to the last unit" in done.stdout
    assert "in suspense" in done.stdout
    assert "booked by the ledger as unexplained" in done.stdout
    assert "residual" in done.stdout
    shape = json.loads(hat("ledger", "reconcile", "--json", "--state-dir", place).stdout)
    assert shape["agrees"]
    assert shape["unexplained_cash"] == shape["suspended_cash"] == "-3"
    assert shape["unexplained_positions"] == shape["suspended_positions"]
    assert shape["bridge"]["residual"] == "0"


def changed_statement(place: Path, target: Path) -> Path:
    """The venue's file as if one fill had never reached us and a cent were gone."""
    shape = json.loads((place / NAME).read_text())
    shape["fills"][0]["fee"] = "1.5"
    shape["account_value"] = "0"
    shape["cash"] = str(float(shape["cash"]) - 0.25)
    target.write_text(json.dumps(shape))
    return target


def test_reconcile_exits_1_names_every_difference_and_explains_it(told, tmp_path) -> None:
    _, place, _ = told
    file = changed_statement(place, tmp_path / "venue.json")
    plain = hat("ledger", "reconcile", "--venue", file, "--state-dir", place)
    told_why = hat("ledger", "reconcile", "--venue", file, "--explain", "--state-dir", place)

    assert (plain.returncode, told_why.returncode) == (1, 1)
    assert "2 differences among cash, positions" in plain.stdout
    shown = plain.stdout.splitlines()
    heads = [place for place, line in enumerate(shown) if line.startswith(("1. cash differs", "2. fill differs"))]
    assert 2 == len(heads)
    for head in heads:
        assert ["    ledger ", "    venue  "] == [line[:11] for line in shown[head + 2 : head + 4]]
    assert "--explain says which facts" in plain.stdout
    assert "both know it, with other terms; it explains" in told_why.stdout
    assert "unexplained" in told_why.stdout
    shape = json.loads(hat("ledger", "reconcile", "--venue", file, "--json", "--state-dir", place).stdout)
    assert [one["what"] for one in shape["discrepancies"]] == ["cash", "fill"]
    assert not shape["agrees"]


def test_bridge_of_the_command_begins_at_an_earlier_statement(told) -> None:
    _, place, _ = told
    file = place / NAME
    shape = json.loads(hat("ledger", "reconcile", "--since", file, "--json", "--state-dir", place).stdout)

    assert shape["bridge"]["opening"] == shape["bridge"]["closing"]
    assert {shape["bridge"][name] for name in ("realized", "fees", "transfers", "residual")} == {"0"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--venue", "nowhere.json"),
            "nowhere.json: cannot be read (No such file or directory): name a venue statement",
        ),
        (("--run", "feed"), "the ledger: holds no run 'feed'"),
    ],
)
def test_reconcile_refuses_in_one_sentence(told, arguments, sentence) -> None:
    done = hat("ledger", "reconcile", *arguments, "--state-dir", told[1])

    assert done.returncode == 2
    assert done.stderr.startswith(f"hat: {sentence}")
    assert done.stderr.count("\n") == 1


def test_acknowledge_without_a_bot_is_refused_and_leaves_nothing(told) -> None:
    done = hat("ledger", "acknowledge", "I looked", "--state-dir", told[1])

    assert done.returncode == 2
    assert "expected the directory of a running bot" in done.stderr
    assert "or name it with --state-dir" in done.stderr
    assert "--url" not in done.stderr
    assert list((told[1] / "acts").iterdir()) == []


def test_difference_of_a_running_bot_is_looked_at_again_before_it_counts(told, tmp_path, monkeypatch) -> None:
    """The statement is replaced by a newer one meanwhile, as a bot does."""
    _, place, _ = told
    database = sqlite3.connect(place / "ledger.db")
    ended = database.execute("SELECT ended_ns FROM runs").fetchone()
    database.execute("UPDATE runs SET ended_ns = NULL")
    database.commit()
    file = changed_statement(place, tmp_path / "venue.json")
    looks = []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        file.write_text((place / NAME).read_text())

    monkeypatch.setattr("bot.reconciling.sleep", wait)
    store = LedgerStore(f"sqlite:///{place / 'ledger.db'}", read_only=True)
    found = reconciled(store, file)
    store.close()
    database.execute("UPDATE runs SET ended_ns = ?", ended)
    database.commit()
    database.close()

    assert found.is_agreed
    assert len(looks) == 1


def test_older_run_is_found_with_its_own_statement_and_never_held_against_another(told, tmp_path) -> None:
    _, place, _ = told
    (own,) = (place / "venue").iterdir()
    assert (place / NAME).resolve() == own
    found = hat("ledger", "reconcile", "--run", own.stem, "--state-dir", place)
    assert found.returncode == 0, found.stderr
    store = LedgerStore(f"sqlite:///{place / 'ledger.db'}")
    store.begin_run(a_record())
    store.close()
    other = hat("ledger", "reconcile", "--run", "000000000000f00d", "--state-dir", place)
    mixed = hat("ledger", "reconcile", "--run", "000000000000f00d", "--venue", own, "--state-dir", place)
    with sqlite3.connect(place / "ledger.db") as database:
        for table in ("chains", "cursors", "instruments", "runs"):
            database.execute(f"DELETE FROM {table} WHERE run_id = '000000000000f00d'")
    database.close()

    assert (2, 2) == (other.returncode, mixed.returncode)
    assert "run 000000000000f00d: has no venue statement at" in other.stderr
    assert f"is of account {own.stem}; run 000000000000f00d belongs to account 000000000000f00d" in mixed.stderr
    assert 1 == mixed.stderr.count("\n")


def test_reconcile_tells_what_it_could_not_compare(told, tmp_path) -> None:
    """A statement that reaches back to its middle, of a moment before the ledger's newest fills."""
    _, place, _ = told
    shape = json.loads((place / NAME).read_text())
    count = len(shape["fills"])
    kept = shape["fills"][count // 2 :]
    file = tmp_path / "venue.json"
    file.write_text(json.dumps({**shape, "fills": kept, "complete_since_ns": kept[0]["ts_ns"]}))
    done = hat("ledger", "reconcile", "--venue", file, "--state-dir", place)
    found = json.loads(hat("ledger", "reconcile", "--venue", file, "--json", "--state-dir", place).stdout)

    assert done.returncode == 0, done.stdout
    assert f"{len(kept):,} of {count:,} fills" in done.stdout
    assert "the statement is complete since 20" in done.stdout
    assert found["compared"]["fill"] == {"compared": len(kept), "of": count}
    assert found["facts_newer"] == 0
    file.write_text(json.dumps({**shape, "ts_ns": kept[0]["ts_ns"] - 1}))
    older = hat("ledger", "reconcile", "--venue", file, "--state-dir", place)
    assert " of the ledger " in older.stdout
    assert " newer than this statement, which is 0 s older than the newest" in older.stdout


def a_shape(count):
    told = {"what": "fill", "how": "differs", "ledger": "sell 1", "venue": "sell 2", "explanation": "so it is"}
    found = reconcile(side_of(), venue_of())
    shape = reconciliation_shape(found)
    return {
        **shape,
        "agrees": False,
        "discrepancies": [{**told, "subject": f"BTC/{one}/{'7' * 60}"} for one in range(count)],
    }


@pytest.mark.parametrize("width", [40, 80, 120])
def test_differences_are_blocks_that_break_no_name_and_are_cut_at_twenty(width) -> None:
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(reconciliation_view(a_shape(70), explain=True), soft_wrap=True)
    few = console.file.getvalue().splitlines()
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(reconciliation_view(a_shape(70), explain=False, every=True), soft_wrap=True)
    every = console.file.getvalue().splitlines()

    assert [f"    BTC/{one}/{'7' * 60}" for one in range(20)] == [line for line in few if "BTC/" in line]
    assert 20 == few.count("    why    so it is")
    assert "… and 50 more, --all shows them" in few
    assert 70 == len([line for line in every if "BTC/" in line])
    assert not [line for line in every if "more, --all" in line or "why" in line]


def test_venue_file_is_written_whole_and_read_back(tmp_path) -> None:
    failures: list[str] = []
    file = VenueFile(tmp_path, ACCOUNT, lambda: venue_of(account=ACCOUNT, open_orders=()), failures.append)
    file.look()
    assert not (tmp_path / NAME).exists()
    file._due_ns = 0
    file.look()
    file.close(5)

    assert read_venue(tmp_path / NAME).account == ACCOUNT
    assert read_venue(venue_place(tmp_path, ACCOUNT)).account == ACCOUNT
    assert [one.name for one in (tmp_path / "venue").iterdir()] == [f"{ACCOUNT}.json"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["venue", NAME]
    assert failures == []


def test_newest_runs_keep_their_statements_and_what_a_killed_bot_left_half_goes(tmp_path) -> None:
    for number in range(FILES_KEPT + 5):
        run = f"{number:04}"
        VenueFile(tmp_path, run, lambda run=run: venue_of(account=run), pytest.fail).close(1)
        os.utime(venue_place(tmp_path, run), (number, number))
        assert read_venue(tmp_path / NAME).account == run
        (tmp_path / "venue" / f"{run}.1-1.new").write_text("half")
    VenueFile(tmp_path, "last", lambda: venue_of(account="last"), pytest.fail).close(1)

    kept = sorted(one.stem for one in (tmp_path / "venue").iterdir())
    assert kept == [*(f"{number:04}" for number in range(6, FILES_KEPT + 5)), "last"]


def test_full_disk_leaves_no_half_statement(tmp_path, monkeypatch) -> None:
    failures: list[str] = []
    file = VenueFile(tmp_path, ACCOUNT, lambda: venue_of(account=ACCOUNT), failures.append)
    whole = Path.write_bytes

    def cut_off(path: Path, content: bytes) -> int:
        whole(path, content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut_off)
    file.close(1)
    assert list((tmp_path / "venue").iterdir()) == []
    assert failures == [f"{venue_place(tmp_path, ACCOUNT)}: No space left on device"]


def test_venue_file_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path) -> None:
    failures: list[str] = []
    place = tmp_path / "later"
    file = VenueFile(place, ACCOUNT, lambda: venue_of(account=ACCOUNT), failures.append)
    file.close(1)
    file.close(1)
    assert len(failures) == 1
    assert "No such file or directory" in failures[0]
    place.mkdir()
    file.close(1)
    assert read_venue(place / NAME).account == ACCOUNT


def test_statement_file_of_absurd_length_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("bot.venue_file.FILE_BYTES_MAX", 10)
    (tmp_path / NAME).write_text("x" * 11)

    with pytest.raises(DataInvalid, match="has more than 10 bytes: no venue statement is that long"):
        read_venue(tmp_path / NAME)
