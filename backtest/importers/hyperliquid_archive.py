"""Reader of the venue's public archive as it is downloaded: books, trades and marks of many hours, in order of time.

A folder mirrors the buckets (`hat data download` makes it): `market_data/20230916/9/l2Book/SOL.lz4`,
`asset_ctxs/20230916.csv.lz4`, `node_fills_by_block/hourly/20250727/8.lz4`. Any folder of that tree, and single files of
fills, trades or asset contexts under any name, are read too.

Why it exists: months of this do not fit into memory. The events of such a recording are read from disk each time they
are asked for; loading reads them once to know the grid, the span and what is wrong, and keeps nothing.

Laws: books, trades and marks are merged by venue time and each keeps its file's order; of one hour told by several kinds
of trade files the newest kind is used; hours without books are a lost feed, not a market that stands still.
Source: HYPERLIQUID 10, read 2026-11-20.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby, islice, pairwise
from operator import attrgetter
from pathlib import Path
from typing import overload

import msgspec

from backtest.importers.archive_keys import Dataset, Piece, pieces_under, span_text, spans
from backtest.importers.archive_lines import CONTEXT_COLUMNS, Grid, LineReader, coins_in
from backtest.importers.reading import Scaled, files_in, first_line
from backtest.importers.recording import Recording, Silences, chosen, clock_note
from backtest.importers.venues import hyperliquid_perpetual
from domain.errors import DataInvalid
from domain.events import BookChanged, FeedLost, FeedRestored, MarketDataRefused, MarketEvent
from domain.instrument import PERPETUAL_DECIMALS, Instrument
from domain.units import NS_PER_HOUR
from exchange.feeds.recorded import clock_shift_ns

LAYOUT = "hyperliquid_archive"
DESCRIPTION = (
    "folder of Hyperliquid's public archive (market_data/, asset_ctxs/, node_fills…), or its fills and contexts"
)

TRADE_DATASETS = (Dataset.FILLS_BY_BLOCK, Dataset.FILLS, Dataset.TRADES)
"""From best to worst: the first two carry the venue's trade numbers, the first also when they were seen."""

YEARS_END_NS = 4_102_444_800 * 10**9
SPANS_NOTED_MAX = 4


def recognizes(path: Path) -> bool:
    """Say whether a path looks like this layout."""
    if next(pieces_under(path), None) is not None:
        return True
    return any(_dataset(file) is not None for file in files_in(path))


def load(path: Path, coin: str | None = None) -> Recording:
    """Open one coin, or all coins with books, of a folder or file; nothing of it stays in memory.

    Raises: DataInvalid with one sentence that names the file and the line.
    """
    notes: list[str] = []
    pieces = _one_network(path, _found(path), notes)
    coins = _coins(path, pieces, coin)
    pieces = _best(pieces, coins, notes)
    if not pieces:
        raise DataInvalid(str(path), f"holds no files of {', '.join(coins)}")
    seen = dict.fromkeys(coins, 0)
    while True:
        instruments, remarks = _instruments(seen)
        scan = _Scan(pieces, instruments)
        finer = {name: min(digits, PERPETUAL_DECIMALS) for name, digits in scan.finer.items()}
        if all(seen[name] >= digits for name, digits in finer.items()):
            break
        seen |= finer
    if not scan.count:
        raise DataInvalid(str(path), f"holds no lines of {', '.join(coins)}")
    return Recording(
        name=f"{path.name} {'+'.join(coins)}",
        layout=LAYOUT,
        instruments=instruments,
        events=ArchiveEvents(pieces, instruments, scan),
        notes=[*notes, *remarks, *_gaps(pieces, coins), *scan.notes()],
    )


class ArchiveEvents(Sequence[MarketEvent]):
    """The events of an archive, read from disk each time: first, last and length are known, any other costs reading."""

    def __init__(self, pieces: Sequence[Piece], instruments: tuple[Instrument, ...], scan: "_Scan") -> None:
        """Know what there is and what the first reading found."""
        self._pieces = pieces
        self._instruments = instruments
        self._ends = scan.ends
        self._count = scan.count
        self._shifts = scan.shifts()

    def __iter__(self) -> Iterator[MarketEvent]:
        """Yield all events in order of venue time. Raises: DataInvalid when the files are not what they were."""
        for event in _merged(self._pieces, LineReader(_grids(self._instruments))):
            shift_ns = self._shifts.get(type(event), 0)
            yield msgspec.structs.replace(event, ts_recv_ns=event.ts_recv_ns + shift_ns) if shift_ns else event

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    @overload
    def __getitem__(self, index: int) -> MarketEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[MarketEvent]: ...
    def __getitem__(self, index: int | slice) -> MarketEvent | list[MarketEvent]:
        """Return the event at a place; only the two ends are at hand."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        if index in {0, -self._count}:
            return self._ends[0]
        if index in {-1, self._count - 1}:
            return self._ends[1]
        place = index + self._count if index < 0 else index
        found = next(islice(iter(self), place, None), None) if 0 <= place < self._count else None
        if found is None:
            raise IndexError(f"{index} of {self._count} events")
        return found


class _Scan:
    """One reading of everything that keeps only what is to be said: ends, count, clocks, silences, refusals."""

    def __init__(self, pieces: Sequence[Piece], instruments: tuple[Instrument, ...]) -> None:
        """Read. Raises: DataInvalid for a file that is cut off or corrupt."""
        reader = LineReader(_grids(instruments))
        self.count = 0
        self._refused: list[str] = []
        self._refusals = 0
        self._went_back = 0
        self._silences = Silences()
        self._quickest: dict[type, int] = {}
        newest: dict[tuple[type, str], int] = {}
        self.ends: list[MarketEvent] = []
        for event in _merged(pieces, reader):
            self.ends = [self.ends[0] if self.ends else event, event]
            self.count += 1
            if isinstance(event, MarketDataRefused):
                self._refusals += 1
                self._refused = self._refused or [event.detail]
                continue
            kind = (type(event), event.symbol)
            self._went_back += event.ts_event_ns < newest.get(kind, 0)
            newest[kind] = max(event.ts_event_ns, newest.get(kind, 0))
            delay_ns = event.ts_recv_ns - event.ts_event_ns
            self._quickest[type(event)] = min(delay_ns, self._quickest.get(type(event), delay_ns))
            self._silences.heard(event.ts_recv_ns)
        self.finer = reader.told.finer
        self._torn = reader.told.torn

    def shifts(self) -> dict[type, int]:
        """Return what to add to receive times, by kind: books and fills had recorders, and clocks, of their own."""
        shifts = {kind: clock_shift_ns(quickest_ns) for kind, quickest_ns in self._quickest.items()}
        return {kind: shift_ns for kind, shift_ns in shifts.items() if shift_ns}

    def notes(self) -> list[str]:
        """Return what there is to say."""
        notes = [
            clock_note("books" if kind is BookChanged else "trades", shift_ns)
            for kind, shift_ns in self.shifts().items()
        ]
        notes += self._torn
        if self._went_back:
            notes.append(f"The venue's clock goes back at {self._went_back} places of the files.")
        if self._refusals:
            notes.append(
                f"Rows that could not be read and are refused: {self._refusals}; the first: {self._refused[0]}."
            )
        return notes + self._silences.notes()


def _dataset(file: Path) -> Dataset | None:
    """Return what a file under any name holds, told by its first line; None for what is not of the archive."""
    beginning = first_line(file)
    if beginning.startswith('["0x'):
        return Dataset.FILLS
    if beginning.startswith(",".join(CONTEXT_COLUMNS[:4])):
        return Dataset.CONTEXTS
    if beginning.startswith("{") and '"block_number"' in beginning[:400]:
        return Dataset.FILLS_BY_BLOCK
    return Dataset.TRADES if beginning.startswith("{") and '"side_info"' in beginning else None


def _found(path: Path) -> list[Piece]:
    """Return the files of a path by time. Raises: DataInvalid when there are none."""
    pieces = list(pieces_under(path))
    if not pieces:
        kinds = ((file, _dataset(file)) for file in files_in(path))
        pieces = [Piece(kind, "", 0, YEARS_END_NS, False, file) for file, kind in kinds if kind is not None]
    if not pieces:
        raise DataInvalid(str(path), "holds no files of the archive")
    return sorted(pieces, key=attrgetter("start_ns"))


def _one_network(path: Path, pieces: list[Piece], notes: list[str]) -> list[Piece]:
    """Return the files of one network; of a folder with both, those of mainnet."""
    mainnet = [piece for piece in pieces if not piece.is_testnet]
    if mainnet and len(mainnet) < len(pieces):
        notes.append(f"Files of the test network are left out; {path / 'Testnet'} reads them.")
    return mainnet or pieces


def _coins(path: Path, pieces: list[Piece], coin: str | None) -> list[str]:
    """Return the coins to read: the one asked for, else those with books, else all perpetuals."""
    named = {piece.coin for piece in pieces if piece.coin}
    if named and (coin is None or coin.lower() in {name.lower() for name in named}):
        return chosen(path, coin, named)
    return chosen(path, coin, named.union(*(coins_in(piece) for piece in pieces)))


def _best(pieces: list[Piece], coins: list[str], notes: list[str]) -> list[Piece]:
    """Return the files that matter for some coins, and of each hour of trades only the best kind."""
    best: dict[tuple[int, Path | None], Dataset] = {}
    for piece in pieces:
        if piece.dataset in TRADE_DATASETS:
            hour = _hour(piece)
            best[hour] = min(best.get(hour, piece.dataset), piece.dataset, key=TRADE_DATASETS.index)
    kept = [piece for piece in pieces if piece.dataset not in TRADE_DATASETS or best[_hour(piece)] == piece.dataset]
    if len(kept) < len(pieces):
        notes.append(f"{len(pieces) - len(kept)} files tell trades again that better files tell, and are left out.")
    return [piece for piece in kept if not piece.coin or piece.coin in coins]


def _hour(piece: Piece) -> tuple[int, Path | None]:
    """Return what two files must share to tell the same trades: their hour; a file without one stands alone."""
    return piece.start_ns, None if piece.start_ns else piece.path


def _instruments(seen: dict[str, int]) -> tuple[tuple[Instrument, ...], list[str]]:
    """Return the instruments of coins whose sizes have so many decimals, and what there is to say about them."""
    found = [hyperliquid_perpetual(coin, decimals) for coin, decimals in seen.items()]
    return tuple(instrument for instrument, _ in found), [note for _, notes in found for note in notes]


def _grids(instruments: Iterable[Instrument]) -> dict[str, Grid]:
    return {one.symbol: Grid(one, Scaled(one.price_decimals), Scaled(one.size_decimals)) for one in instruments}


def _merged(pieces: Sequence[Piece], reader: LineReader) -> Iterator[MarketEvent]:
    """Yield all facts by venue time; at one moment trades before books, and those before marks."""
    trades = (event for piece in pieces if piece.dataset in TRADE_DATASETS for event in reader.events(piece))
    books = [piece for piece in pieces if piece.dataset is Dataset.BOOKS]
    by_coin = groupby(sorted(books, key=attrgetter("coin")), key=attrgetter("coin"))
    streams = [_books(list(of_coin), reader) for _, of_coin in by_coin]
    marks = (event for piece in pieces if piece.dataset is Dataset.CONTEXTS for event in reader.events(piece))
    return merge(trades, *streams, marks, key=attrgetter("ts_event_ns"))


def _books(pieces: list[Piece], reader: LineReader) -> Iterator[MarketEvent]:
    """Yield the books of one coin; where hours are missing, the feed is lost until the next book."""
    end_ns = pieces[0].start_ns
    for piece in pieces:
        is_lost = piece.start_ns > end_ns
        if is_lost:
            detail = f"books are missing from {span_text(end_ns // NS_PER_HOUR, piece.start_ns // NS_PER_HOUR - 1)}"
            yield FeedLost(symbol=piece.coin, detail=detail, ts_event_ns=end_ns, ts_recv_ns=end_ns)
        end_ns = piece.end_ns
        for event in reader.events(piece):
            if is_lost and isinstance(event, BookChanged):
                is_lost = False
                yield FeedRestored(
                    symbol=piece.coin,
                    ts_event_ns=event.ts_event_ns,
                    ts_recv_ns=max(event.ts_recv_ns, event.ts_event_ns),
                )
            yield event


def _gaps(pieces: list[Piece], coins: list[str]) -> list[str]:
    """Return what is missing between the first and the last file: hours of books, trades or days of marks."""
    notes = []
    hours: dict[str, list[int]] = {}
    for piece in pieces:
        name = piece.coin and f"{piece.coin}: order books"
        name = name or ("Marks" if piece.dataset is Dataset.CONTEXTS else "Trades")
        hours.setdefault(name, []).extend(range(piece.start_ns // NS_PER_HOUR, _end_hour(piece)))
    for name, found in sorted(hours.items()):
        unbroken = spans(found)
        missing = [(before[1] + 1, after[0] - 1) for before, after in pairwise(unbroken)]
        if missing:
            listed = ", ".join(span_text(*span) for span in missing[:SPANS_NOTED_MAX])
            more = f" and {len(missing) - SPANS_NOTED_MAX} more spans" if len(missing) > SPANS_NOTED_MAX else ""
            count = sum(last - first + 1 for first, last in missing)
            notes.append(f"{name}: {count} hours are missing, {listed}{more} UTC.")
    notes += [f"{coin}: no order books." for coin in coins if f"{coin}: order books" not in hours]
    if "Trades" not in hours:
        notes.append("No trades: `hat data download fills` fetches them.")
    if "Marks" not in hours:
        notes.append("No marks and no funding: `hat data download ctxs` fetches them.")
    return notes


def _end_hour(piece: Piece) -> int:
    """Return the hour after a file; a file without a time of its own counts one."""
    return piece.end_ns // NS_PER_HOUR if piece.start_ns else 1
