"""The composition root: one engine, one venue, and everybody who watches, joined into a running bot.

Theory of operation. The loop's thread owns engine, venue and journal. Notices go by one append each to two readers on
their own threads: telemetry (metrics, logs, spans) and the SQL projection. The admin server reads what they keep. A
reader that is slow or dead delays nobody.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from backtest.runner import Driver
from backtest.tally import Tally
from bot.admin.server import AdminPages, AdminServer
from bot.asking import NOTE
from bot.clock import monotonic_ns, now_ns
from bot.config import HatConfig, config_hash, engine_settings, ledger_url, log_path, redacted, strategy
from bot.journal_file import JournalFile, JournalUnwritable
from bot.ledger_size import LedgerGauge
from bot.markets import OpenedMarket
from bot.operator_acts import Mailbox, Refused
from bot.projection import Projection
from bot.revision import code_revision
from bot.run_ids import derived_run_id
from bot.state_lock import StateLock
from bot.stop_flag import StopFlag
from bot.venue_file import VenueFile
from bot.watch import Watch
from domain.commands import Command
from domain.errors import ConfigInvalid, HouseError
from domain.events import Event, LedgerCaughtUp, LedgerFellBehind, OperatorAcknowledged, OperatorHalted
from domain.notices import KillSwitchEngaged
from domain.reasons import Reason
from domain.units import NS_PER_SECOND, Money, format_money
from engine.journal import VERSION
from engine.machine import Engine, Outcome
from exchange.port import ExchangePort
from ledger.rows import RunRecord, run_key
from ledger.store import LedgerStore, StoreUnavailable
from monitoring.health import Condition
from monitoring.logs import EventLog
from monitoring.measure import Measurements, ProcessError
from monitoring.observe import Observation, Observer, Stopwatch
from monitoring.records import Describer, Level
from monitoring.spans import SpanSink

FLUSH_SECONDS = 10


class StopUnclean(HouseError):
    """A run ended with orders whose fate is open, or with notices that are not in the ledger."""


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bot sits: its market and venue.

    place is what people call the venue. account is the run's own when it is left out. is_durable makes every decision that sends something wait for the
    disk. requests_initial is what the venue says is left of the address budget; None: as configured.
    """

    market: OpenedMarket
    exchange: ExchangePort
    place: str = "paper"
    account: str = ""
    is_durable: bool = False
    requests_initial: int | None = None


class Bot:
    """Everything that is the same wherever a bot trades; `bot/paper.py` and `bot/live_bot.py` add the venue."""

    def __init__(self, config: HatConfig, seat: Seat) -> None:
        """Open ledger, log, journal, telemetry and admin port. Raises: HouseError when any of them cannot be had."""
        market, exchange = seat.market, seat.exchange
        self.config = config
        self.market, self.place = market, seat.place
        self.state_dir = ready_state_dir(config)
        self._lock = StateLock(self.state_dir)
        self.run_id = derived_run_id(market.name, config.bot.seed, now_ns(), os.getpid())
        settings = engine_settings(config, self.run_id, market.instruments, seat.requests_initial)
        instruments = {one.symbol: one for one in market.instruments}
        self._stopwatch = Stopwatch(monotonic_ns)
        self.engine = Engine(settings, strategy(config), around=self._stopwatch.timed)
        self.tally = Tally()
        self.store = LedgerStore(ledger_url(config))
        measurements = Measurements(instruments)
        self.projection = Projection(self.store, between=LedgerGauge(self.store, measurements.set_ledger_size).look)
        self.log = EventLog(log_path(config), config.monitoring.log_level)
        self.observer = Observer(measurements, Describer(instruments), self.log, self._spans(config))
        self.watch = Watch(self.engine, exchange, self.observer, self.projection)
        self._mailbox = Mailbox(self.state_dir)
        run = run_key(self.run_id)
        self.account = seat.account or run
        self._venue_file = VenueFile(
            self.state_dir, run, lambda: exchange.account_statement(self.account), self._venue_file_failed
        )
        pages = AdminPages(
            metrics=self._metrics, health=self.watch.health, status=self.status, failed=self._page_failed
        )
        self.admin = AdminServer(pages, config.monitoring.host, config.monitoring.port)
        record = run_record(config, market, "run", self.engine, self.account)
        self.journal = JournalFile(
            self.state_dir / "journal" / f"{run_key(self.run_id)}.journal",
            {"version": VERSION, "run": msgspec.to_builtins(record), "config": redacted(config)},
            is_durable=seat.is_durable,
        )
        # Last of all: a bot that was refused leaves no run in the ledger.
        self.store.begin_run(record)
        step = self._stopwatch.timed("step", self.engine.step)
        self.driver = Driver(self.engine, exchange, watch=self._watch, record=self._record, step=step)
        self._started = 0
        self._is_behind = False
        self._stop = StopFlag()
        self._unwritable: JournalUnwritable | None = None

    def _spans(self, config: HatConfig) -> SpanSink:
        return SpanSink(
            {"service.version": code_revision(), "hat.run_id": run_key(self.run_id)},
            seed=self.run_id,
            endpoint=config.monitoring.otlp_endpoint or None,
        )

    def _record(self, event: Event, commands: tuple[Command, ...]) -> None:
        """Append to the journal, before any command leaves; a journal that cannot be written stops the bot.

        What it still does then, without a journal, is to cancel every order.
        """
        if self._unwritable is not None:
            return
        try:
            self.journal.append(event, commands)
        except JournalUnwritable as error:
            self._unwritable = error
            self._stop.set()
            self.observer.measurements.take_error(ProcessError.JOURNAL)
            self.log.system("journal_failed", self.driver.now_ns, {"problem": str(error)}, Level.CRITICAL)

    def _watch(self, event: Event, outcome: Outcome) -> None:
        """Hand one step to everybody who watches; appends only."""
        *stages, (_, started_ns, ended_ns) = self._stopwatch.take()
        self.observer.record(Observation(event, outcome.notices, started_ns, ended_ns, tuple(stages)))
        if outcome.notices:
            self.projection.put(outcome.notices)
        self.tally.take(event, outcome)
        self.watch.take(outcome, ended_ns)

    def _metrics(self, accept: str) -> tuple[bytes, str]:
        self.watch.health()
        self.observer.measurements.set_wire_events(self.wire_events())
        return self.observer.measurements.exposition(self.engine.state.now_ns, accept)

    def wire_events(self) -> dict[str, int]:
        """Return what the way to the venue met and survived, by kind; nothing where there is no wire."""
        return {}

    def _page_failed(self, problem: str) -> None:
        self.log.system("admin_page_failed", now_ns(), {"problem": problem})

    def _venue_file_failed(self, problem: str) -> None:
        self.log.system("venue_statement_failed", now_ns(), {"problem": problem}, Level.WARNING)

    def trade(
        self, loop: Callable[[Callable[[], None]], str], stop: StopFlag, refresh: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """Let the loop drive until it says why it ended; return the summary. It calls its argument after every event.

        Raises: InvariantBroken when a law of the house did not hold, JournalUnwritable when the disk was full, StopUnclean
        when the stop could not finish; everything is canceled and flushed first.
        """
        self._started = monotonic_ns()
        self._stop = stop
        self.log.forward_libraries(now_ns)
        self.observer.start()
        self.projection.start()
        self.admin.start()
        for name in self._mailbox.clear():
            self.log.system("operator_act_outdated", now_ns(), {"file": name}, Level.WARNING)
        self.log.system(
            "startup", self.market.start_ns or now_ns(), {"run_id": run_key(self.run_id), "market": self.market.name}
        )
        note, ended = self.state_dir / NOTE, ""
        try:
            write_note(note, self.admin.url)
            ended = loop(self._beat(refresh))
        finally:
            if not ended:
                self._abandon()
            lost = self._close(note)
        if self._unwritable is not None:
            raise JournalUnwritable(
                f"{self._unwritable}; {self.engine.state.orders.open_count} orders are open, "
                f"{self.projection.backlog} notices are not in the ledger"
            )
        summary = self.summary()
        summary["ended"] = ended
        if lost or not self.driver.is_done:
            raise StopUnclean("; ".join(self._left_behind(lost)))
        return summary

    def _left_behind(self, lost: str) -> list[str]:
        """Return in words what a stop could not finish."""
        left = []
        if not self.driver.is_done:
            count = self.engine.state.orders.open_count
            left.append(f"{count} orders may still rest at the venue ({self.place}): look there, and cancel them there")
        if lost:
            left.append(
                f"{self.projection.backlog} notices are not stored ({lost}): "
                f"`hat ledger rebuild {self.journal.path}` completes the ledger"
            )
        return left

    def _beat(self, refresh: Callable[[], None] | None) -> Callable[[], None]:
        """Return what the loop calls between two events: tell the engine what is new beside the market, show the bot."""

        def beat() -> None:
            is_behind = self.projection.is_behind
            if is_behind is not self._is_behind:
                self._is_behind = is_behind
                stamp = {"ts_event_ns": self.driver.now_ns, "ts_recv_ns": self.driver.now_ns}
                self.driver.tell(
                    LedgerFellBehind(self.projection.backlog, **stamp) if is_behind else LedgerCaughtUp(**stamp)
                )
            self._take_acts()
            self._venue_file.look()
            if refresh is not None:
                refresh()

        return beat

    def _take_acts(self) -> None:
        """Tell the engine what operators left in the mailbox; what is no act is told and ignored."""
        for act in self._mailbox.take():
            if isinstance(act, Refused):
                self.log.system(
                    "operator_act_refused", now_ns(), {"file": act.name, "problem": act.problem}, Level.WARNING
                )
                continue
            self.log.system("operator_act", now_ns(), {"act": act.act, "detail": act.detail})
            stamp = {"ts_event_ns": self.driver.now_ns, "ts_recv_ns": self.driver.now_ns}
            self.driver.tell(OperatorAcknowledged(act.detail, **stamp))

    def _abandon(self) -> None:
        """Something broke that must not: latch the kill switch, cancel everything without the engine, tell."""
        broken = str(sys.exc_info()[1])
        now = self.driver.now_ns
        self.engine.state.kill_switch.engage(Reason.HALTED_BY_INVARIANT, broken)
        unanswered = self._cancel_everything(broken)
        notice = KillSwitchEngaged(Reason.HALTED_BY_INVARIANT, broken, 0, unanswered, ts_ns=now)
        event = OperatorHalted(broken, ts_event_ns=now, ts_recv_ns=now)
        self.observer.record(Observation(event, (notice,), now, now, ()))
        self.projection.put((notice,))

    def _cancel_everything(self, broken: str) -> int:
        """Cancel without the engine; return how many orders the venue did not answer about."""
        return self.driver.abandon(broken)

    def _close(self, note: Path) -> str:
        """Flush and close everything, within FLUSH_SECONDS each; say why the ledger is not complete, if it is not."""
        self.admin.stop()
        note.unlink(missing_ok=True)
        lost = self._end_ledger()
        self._venue_file.close(FLUSH_SECONDS)
        self.log.system("shutdown", self.engine.state.now_ns, {"run_id": run_key(self.run_id)})
        self.observer.stop(FLUSH_SECONDS)
        self.store.close()
        self.journal.close()
        self._lock.release()
        return lost

    def _end_ledger(self) -> str:
        """Store what is left and that the run ended; say why that could not be done, if it could not."""
        if not self.projection.stop(FLUSH_SECONDS):
            return self.projection.trouble or f"{FLUSH_SECONDS} s were not enough"
        try:
            self.store.end_run(self.engine.state.now_ns)
        except StoreUnavailable as error:
            return str(error)
        return ""

    def summary(self) -> dict[str, Any]:
        """Return what happened so far."""
        seconds = (monotonic_ns() - self._started) / NS_PER_SECOND
        summary = self.tally.summary(self.engine.state, seconds, self.store.place, str(self.log.path))
        summary["run_id"] = run_key(self.run_id)
        summary["journal"] = str(self.journal.path)
        summary["data"] = self.market.name
        summary["market_seconds"] = round(self.market_seconds, 3)
        summary["proofs"] = self.driver.checks
        return summary

    @property
    def market_seconds(self) -> float:
        """How much market time has passed since the start."""
        return max(0, self.engine.state.now_ns - self.market.start_ns) / NS_PER_SECOND

    def status(self) -> dict[str, Any]:
        """Return what `hat status` shows: the figures of the last pulse. Called on a thread of the admin server."""
        health = self.watch.health()
        tally = self.tally
        return {
            "run_id": run_key(self.run_id),
            "market": self.market.name,
            "market_seconds": round(self.market_seconds, 3),
            "pid": os.getpid(),
            "url": self.admin.url,
            "health": health.status.value,
            "trouble": {one.name: one.detail for one in health.components if one.condition is not Condition.READY},
            **{name: getattr(tally, name) for name in ("orders", "fills", "canceled", "rejected", "denied")},
            "maker_ratio": tally.maker_ratio,
            "fill_rate": tally.fill_rate,
            "volume": format_money(Money(tally.volume)),
            **self.watch.figures(),
        }


def run_record(config: HatConfig, market: OpenedMarket, command: str, engine: Engine, account: str = "") -> RunRecord:
    """Return what the ledger keeps about a run; account is the run's own when it is left out."""
    return RunRecord(
        run_id=engine.state.settings.run_id,
        account=account or run_key(engine.state.settings.run_id),
        command=f"{command} {market.name}",
        strategy=engine.state.strategy.name,
        seed=config.bot.seed,
        config_hash=config_hash(config),
        code_revision=code_revision(),
        started_ns=market.start_ns,
        instruments=market.instruments,
    )


def write_note(note: Path, url: str) -> None:
    """Write down where a bot listens, whole or not at all. Raises: ConfigInvalid when the place cannot be written."""
    fresh = note.with_suffix(".new")
    try:
        fresh.write_bytes(msgspec.json.encode({"pid": os.getpid(), "url": url}))
        fresh.replace(note)
    except OSError as error:
        raise ConfigInvalid("bot.state_dir", str(note), f"a place that can be written ({error.strerror})") from None


def ready_state_dir(config: HatConfig) -> Path:
    """Return the state directory, made if need be. Raises: ConfigInvalid when it cannot be written."""
    place = config.bot.state_dir
    try:
        place.mkdir(parents=True, exist_ok=True)
        probe = place / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigInvalid(
            "bot.state_dir", str(place), f"a directory that can be written ({error.strerror})"
        ) from None
    return place
