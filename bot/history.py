"""Candles and funding rates asked of a venue page by page over plain `POST /info`; nothing is signed.

Why it exists: the venue answers at most 5,000 candles and 500 funding rows at once and counts what we ask by address, so
a long history is many questions, spread over time, some of which are refused for a while.

Laws: pages go on after the last row of the page before, so no row comes twice; rows out of order, of another coin or
half a row end the download with one sentence; a candle that is still open is left out, it would be wrong tomorrow.
Source: HYPERLIQUID 2, 2.3, 7.1, 10.3, read 2026-11-20.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple, Self

import msgspec
import requests

from domain.errors import ConfigInvalid, DataInvalid
from domain.units import NS_PER_SECOND
from exchange.hyperliquid.wire_market import Candle, FundingRate

WEIGHT_MAX = 1_000
"""Of the 1,200 a minute an address may ask for; the rest is left to a bot that runs beside us."""

WINDOW_NS = 60 * NS_PER_SECOND
QUESTION_WEIGHT = 20
CANDLES_PER_WEIGHT, FUNDINGS_PER_WEIGHT = 60, 20
CANDLES_KEPT = 5_000
TRIES_MAX = 8
PAUSE_SECONDS_MAX = 30.0
TIMEOUT_SECONDS = 20.0
INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")
BUSY = 429
SERVER_TROUBLE = 500


class DownloadStopped(Exception):
    """Somebody asked to end while we waited."""


class Weights:
    """The weight asked of a venue in the last minute."""

    def __init__(self, weight_max: int = WEIGHT_MAX) -> None:
        """Have asked nothing."""
        self._max = weight_max
        self._asked: deque[tuple[int, int]] = deque()
        self.used = 0

    def wait_ns(self, weight: int, now_ns: int) -> int:
        """Return how long to wait before so much may be asked; 0 for now."""
        while self._asked and self._asked[0][0] <= now_ns - WINDOW_NS:
            self.used -= self._asked.popleft()[1]
        room = self._max - self.used
        for asked_ns, past in self._asked:
            if room >= weight:
                break
            room += past
            if room >= weight:
                return asked_ns + WINDOW_NS - now_ns
        return 0

    def charge(self, weight: int, now_ns: int) -> None:
        """Count what was asked."""
        self._asked.append((now_ns, weight))
        self.used += weight


class Question(NamedTuple):
    """How one kind of rows is asked for: the request, how many rows weigh 1, and where they lie in time."""

    name: str
    body: Callable[[int, int], dict[str, Any]]
    rows_per_weight: int
    row: Any
    first_ms: Callable[[Any], int]
    last_ms: Callable[[Any], int]
    is_of: Callable[[Any], bool]


def candles_of(coin: str, interval: str) -> Question:
    """Return how candles are asked for. Raises: ConfigInvalid for an interval the venue does not have."""
    if interval not in INTERVALS:
        raise ConfigInvalid("--interval", interval, f"one of {', '.join(INTERVALS)}")
    return Question(
        f"candles of {coin} {interval}",
        lambda start, end: {
            "type": "candleSnapshot",
            "req": {"coin": coin, "interval": interval, "startTime": start, "endTime": end},
        },
        CANDLES_PER_WEIGHT,
        Candle,
        lambda row: row.open_ms,
        lambda row: row.close_ms,
        lambda row: row.coin == coin and row.interval == interval,
    )


def fundings_of(coin: str) -> Question:
    """Return how settled funding rates are asked for."""
    return Question(
        f"funding of {coin}",
        lambda start, end: {"type": "fundingHistory", "coin": coin, "startTime": start, "endTime": end},
        FUNDINGS_PER_WEIGHT,
        FundingRate,
        lambda row: row.time,
        lambda row: row.time,
        lambda row: row.coin == coin,
    )


class History:
    """A venue's `/info`, asked within its limits. clock is monotonic nanoseconds.

    pause waits so many seconds and says whether to end.
    """

    def __init__(self, base_url: str, clock: Callable[[], int], pause: Callable[[float], bool]) -> None:
        """Prepare; nothing is asked yet. Raises: ConfigInvalid."""
        if not base_url.startswith(("http://", "https://")):
            raise ConfigInvalid("--network", base_url, "mainnet, testnet, local or a URL such as http://127.0.0.1:3001")
        self.url = f"{base_url.rstrip('/')}/info"
        self._clock = clock
        self._pause = pause
        self._session = requests.Session()
        self._weights = Weights()
        self.busy = 0
        """How often the venue refused for a while (429)."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._session.close()

    def pages(self, question: Question, start_ms: int, end_ms: int) -> Iterator[list[Any]]:
        """Yield pages of rows from start to end, oldest first; candles open after end are left out.

        Raises: DataInvalid when the venue does not answer or the answer cannot be used; DownloadStopped.
        """
        next_ms = start_ms
        while next_ms <= end_ms:
            rows = self._rows(question, next_ms, end_ms)
            fresh = [row for row in rows if question.first_ms(row) >= next_ms]
            if not fresh:
                return
            whole = [row for row in fresh if question.last_ms(row) <= end_ms]
            if whole:
                yield whole
            next_ms = question.last_ms(fresh[-1]) + 1

    def _rows(self, question: Question, start_ms: int, end_ms: int) -> list[Any]:
        """Return one page, checked. Raises: DataInvalid."""
        place = f"{self.url}, {question.name} from {start_ms}"
        content = self._answer(place, msgspec.json.encode(question.body(start_ms, end_ms)))
        try:
            rows: list[Any] | None = msgspec.json.decode(content, type=list[question.row] | None)  # type: ignore[name-defined]
        except msgspec.DecodeError as error:
            beginning = content[:80].decode("utf-8", "replace")
            raise DataInvalid(place, f"no usable answer ({error}): {beginning!r}") from None
        if rows is None:
            raise DataInvalid(place, "the venue knows nothing of it; is the coin's name right?")
        self._weights.charge(len(rows) // question.rows_per_weight, self._clock())
        times = [question.first_ms(row) for row in rows]
        if any(after <= before for before, after in pairwise(times)):
            raise DataInvalid(place, "the rows are not in order of time")
        if not all(question.is_of(row) for row in rows):
            raise DataInvalid(place, "the rows are of something else")
        return rows

    def _answer(self, place: str, body: bytes) -> bytes:
        """Return the body of a good answer, trying again while the venue is busy or away. Raises: DataInvalid."""
        problem = ""
        for attempt in range(TRIES_MAX):
            if attempt:
                self._wait(min(2.0 ** (attempt - 1), PAUSE_SECONDS_MAX))
            while wait_ns := self._weights.wait_ns(QUESTION_WEIGHT, self._clock()):
                self._wait(wait_ns / NS_PER_SECOND)
            self._weights.charge(QUESTION_WEIGHT, self._clock())
            try:
                answer = self._session.post(
                    self.url, data=body, headers={"Content-Type": "application/json"}, timeout=TIMEOUT_SECONDS
                )
            except requests.RequestException as error:
                problem = f"cannot be reached ({type(error).__name__})"
                continue
            if answer.status_code == 200:
                return answer.content
            problem = f"HTTP {answer.status_code} {answer.text[:80]!r}"
            self.busy += answer.status_code == BUSY
            if answer.status_code != BUSY and answer.status_code < SERVER_TROUBLE:
                break
        raise DataInvalid(place, problem)

    def _wait(self, seconds: float) -> None:
        if self._pause(seconds):
            raise DownloadStopped
