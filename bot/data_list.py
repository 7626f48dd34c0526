"""What downloaded data lies in a folder: files of the archive and histories, with their spans and what they lack."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from pyarrow import parquet

from backtest.importers.archive_keys import Dataset, Piece, hour_text, pieces_under, spans
from bot.data_spans import spans_text
from bot.history_files import KINDS, Kind, kept
from domain.errors import DataInvalid
from domain.units import NS_PER_HOUR, NS_PER_MS

KIND_NAMES = {
    Dataset.BOOKS: "l2",
    Dataset.CONTEXTS: "ctxs",
    Dataset.FILLS_BY_BLOCK: "fills",
    Dataset.FILLS: "fills",
    Dataset.TRADES: "trades",
}
HISTORY_GAPS_MAX = 20


class Held(msgspec.Struct, frozen=True):
    """One row of the list. Hours since 1970, both included; problem is empty when all is well."""

    kind: str
    what: str
    files: int
    size: int
    rows: int
    first_hour: int
    last_hour: int
    missing: list[str]
    problem: str = ""


def held_in(folder: Path) -> list[Held]:
    """Return what a folder holds, by kind and coin. Raises: DataInvalid when there is no such folder."""
    if not folder.is_dir():
        raise DataInvalid(str(folder), "no such folder; `hat data download` makes one")
    return sorted([*_archived(pieces_under(folder)), *_histories(folder)], key=lambda held: (held.kind, held.what))


def _archived(pieces: Iterable[Piece]) -> Iterator[Held]:
    groups: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for piece in pieces:
        kind = KIND_NAMES[piece.dataset]
        groups[f"{kind} (testnet)" if piece.is_testnet else kind, piece.coin or "all coins"].append(piece)
    for (kind, what), found in groups.items():
        hours = sorted({hour for piece in found for hour in _hours(piece)})
        holes = [hour for before, after in pairwise(spans(hours)) for hour in range(before[1] + 1, after[0])]
        yield Held(
            kind=kind,
            what=what,
            files=len(found),
            size=sum(piece.path.stat().st_size for piece in found),
            rows=0,
            first_hour=hours[0],
            last_hour=hours[-1],
            missing=[spans_text(holes)] if holes else [],
        )


def _hours(piece: Piece) -> range:
    return range(piece.start_ns // NS_PER_HOUR, piece.end_ns // NS_PER_HOUR)


def _histories(folder: Path) -> Iterator[Held]:
    for kind in KINDS:
        for path in sorted((folder / kind.name).glob("*.parquet")):
            try:
                found = kept(path, kind)
                missing = _holes(path, kind)
            except DataInvalid as trouble:
                yield Held(kind.name, path.stem, 1, path.stat().st_size, 0, 0, 0, [], trouble.problem)
                continue
            if found is not None:
                first, last = (ms * NS_PER_MS // NS_PER_HOUR for ms in (found.first_ms, found.last_ms))
                what = path.stem.replace("_", " ")
                yield Held(kind.name, what, 1, path.stat().st_size, found.rows, first, last, missing)


def _holes(path: Path, kind: Kind) -> list[str]:
    """Return the spans of hours between two rows that do not follow each other, the first few."""
    table = parquet.read_table(path, columns=sorted({kind.first, kind.last}))
    starts, ends = table[kind.first].to_pylist(), table[kind.last].to_pylist()
    # Candles touch; funding is settled by the hour, a little after it.
    slack_ns = NS_PER_MS if kind.first != kind.last else NS_PER_HOUR + NS_PER_HOUR // 2
    holes = [
        spans_text(range(-(-end // NS_PER_HOUR), max(start // NS_PER_HOUR, -(-end // NS_PER_HOUR) + 1)))
        for end, start in zip(ends, starts[1:], strict=False)
        if start - end > slack_ns
    ]
    more = len(holes) - HISTORY_GAPS_MAX
    return [*holes[:HISTORY_GAPS_MAX], f"and {more} more"] if more > 0 else holes


def shape_of(held: Held) -> dict[str, Any]:
    """Return a row of the list as plain data."""
    found: dict[str, Any] = msgspec.to_builtins(held)
    found["first"] = hour_text(found.pop("first_hour")) if not held.problem else ""
    found["last"] = hour_text(found.pop("last_hour")) if not held.problem else ""
    return found
