"""The live loop: the backtest's own driver, moved by what arrives and by timers that come due.

Theory of operation. Everything happens on one thread. A frame arrives, the adapter turns it into facts and calls
`Pump.run`; the driver takes them one by one, each decision is journaled, signed and written before the next fact is
looked at. No task is between a frame and the order it leads to.

Laws: facts and timers are taken in the order of their receive time; a broken law ends the loop after every live order
was canceled; stopping is bounded in time.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from backtest.runner import Driver
from bot.clock import now_ns
from bot.stop_flag import StopFlag
from domain.errors import HouseError
from domain.events import CancelRefused, OrderCanceled, OrderRejected, StopRequested, TimerFired
from domain.units import NS_PER_MS, NS_PER_SECOND
from engine.timers import PULSE
from exchange.hyperliquid.exchange import HyperliquidExchange

BEAT_SECONDS: Final = 0.05
STOP_SECONDS_MAX: Final = 40
"""Longer than the pause between two questions about an order in doubt, so that each is asked about once more."""
UNREACHABLE_SECONDS_MAX: Final = 15
"""How long stopping waits for a venue that is not there."""
ABANDON_SECONDS_MAX: Final = 10
EVENTS_PER_TURN_MAX: Final = 1_000
"""So that a flood of facts cannot keep the connection from being served."""


class Pump:
    """Moves the driver whenever something is due."""

    def __init__(self, driver: Driver, exchange: HyperliquidExchange, beat: Callable[[], None]) -> None:
        """Join the parts; nothing moves before `start`."""
        self._driver = driver
        self._exchange = exchange
        self._beat = beat
        self._timer: asyncio.TimerHandle | None = None
        self._is_running = False
        self.broken: BaseException | None = None
        self.failed = asyncio.Event()

    def start(self) -> None:
        """Tell the engine that the run begins, and take what is there.

        The run begins with the oldest fact that waits: what the opening saw of a quiet market may not come again soon.
        """
        waiting_ns = self._exchange.next_ts_ns()
        self._driver.start(now_ns() if waiting_ns is None else min(now_ns(), waiting_ns))
        self._is_running = True
        self.run()

    def stop(self) -> None:
        """Move nothing any more."""
        self._is_running = False
        if self._timer is not None:
            self._timer.cancel()

    def run(self) -> None:
        """Take everything that is due. What breaks ends the loop, not the connection that called."""
        if not self._is_running:
            return
        try:
            self._take_due()
            self._exchange.flush()
        except (HouseError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, OSError) as error:
            self.broken = error
            self.stop()
            self.failed.set()

    def _take_due(self) -> None:
        driver, exchange = self._driver, self._exchange
        for _ in range(EVENTS_PER_TURN_MAX):
            due_ns = driver.next_ts_ns()
            if due_ns is None or due_ns > now_ns():
                break
            driver.advance()
            exchange.flush()
            self._beat()
        self._wake_at(driver.next_ts_ns())

    def _wake_at(self, due_ns: int | None) -> None:
        """Come back when the next timer is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_ns is not None:
            wait_s = min(max(due_ns - now_ns(), 0), 60 * NS_PER_SECOND) / NS_PER_SECOND
            self._timer = asyncio.get_running_loop().call_later(wait_s, self.run)


async def run_live(
    driver: Driver,
    exchange: HyperliquidExchange,
    pump: Pump,
    *,
    for_ns: int | None,
    stop: StopFlag,
    beat: Callable[[], None],
) -> str:
    """Trade until for_ns has passed, stop is set or something breaks; then cancel everything and drain.

    Returns why it ended. Raises: whatever broke, after every live order was canceled as far as the venue answered.
    """
    pump.start()
    deadline_ns = now_ns() + for_ns if for_ns is not None else None
    ended = "signal"
    while not stop.is_set():
        if deadline_ns is not None and now_ns() >= deadline_ns:
            ended = "end of time"
            break
        if await _failed_within(pump, BEAT_SECONDS):
            break
        beat()
    if pump.broken is None:
        await _finish(driver, exchange, pump, ended, beat)
    pump.stop()
    if pump.broken is not None:
        raise pump.broken
    return ended


async def _failed_within(pump: Pump, seconds: float) -> bool:
    """Wait a moment; say whether something broke meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            await pump.failed.wait()
    except TimeoutError:
        return False
    return True


async def _finish(
    driver: Driver, exchange: HyperliquidExchange, pump: Pump, detail: str, beat: Callable[[], None]
) -> None:
    """Stop quoting, cancel everything, go on until nothing of ours is live, and mark the account a last time."""
    stamp = max(now_ns(), driver.now_ns)
    driver.tell(StopRequested(detail, ts_event_ns=stamp, ts_recv_ns=stamp))
    exchange.flush()
    begun_ns = now_ns()
    while not driver.is_done:
        seconds = STOP_SECONDS_MAX if exchange.is_connected else UNREACHABLE_SECONDS_MAX
        if now_ns() >= begun_ns + seconds * NS_PER_SECOND:
            break
        if await _failed_within(pump, 10 * NS_PER_MS / NS_PER_SECOND):
            return
        pump.run()
        beat()
    stamp = max(now_ns(), driver.now_ns)
    driver.tell(TimerFired(PULSE, ts_event_ns=stamp, ts_recv_ns=stamp))


async def cancel_without_engine(driver: Driver, exchange: HyperliquidExchange, detail: str) -> int:
    """Cancel every live order; the engine is not to be trusted any more. detail is why, for the journal.

    Returns how many orders the venue had not answered about after ABANDON_SECONDS_MAX.
    """
    waiting = driver.cancel_live(detail)
    exchange.flush()
    deadline_ns = now_ns() + ABANDON_SECONDS_MAX * NS_PER_SECOND
    while waiting and now_ns() < deadline_ns:
        due_ns = exchange.next_ts_ns()
        if due_ns is None or due_ns > now_ns():
            await asyncio.sleep(0.01)
            continue
        event = exchange.advance()
        if isinstance(event, OrderCanceled | CancelRefused | OrderRejected):
            waiting.discard(event.client_order_id)
    return len(waiting)
