"""The workload of the L2 backtests: a seeded market of one perpetual, as columns in files.

Why it exists: figures compare only when everybody runs the same data. The market is made up, so it can be made again on
any machine from a seed, and it has what makes market making hard: queues deplete, takers lean toward where the price
goes, and feed latency hides it for two milliseconds.

Tick 0.1, lot 0.001, price near 3,277, twenty levels a side as absolute-size updates, trades with their aggressor, time
at the venue and time at our side. One row is one update of one level or one trade; the rows of one message happen at
one moment, trades first, and the last of them is marked. How the market moves is in `generator.py`.

Laws of the tape: the visible levels of a side are consecutive ticks; both times grow from message to message, the time
at the venue strictly; no message leaves the book crossed, locked or with other than twenty levels a side.
"""

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from domain.instrument import Instrument
from domain.units import Price

VERSION = 1
"""Part of the folder's name, one up with every change of columns or market: an old tape is not read as a new one."""

SEED = 20_261_120
ROWS, ROWS_FULL = 1_000_000, 8_000_000
ROWS_A_CHUNK = 16_384

DEPTH = 20
"""Visible levels a side."""

START_NS = 1_757_030_400_000_000_000
"""5 September 2025, 00:00 UTC: a whole hour, so that timers of any interval fall on round moments."""

PERPETUAL = Instrument(
    symbol="ETH",
    asset_id=1,
    size_decimals=3,
    price_decimals=1,
    significant_figures=0,
    tick_min=Price(1),
    leverage_max=25,
)
"""One price unit is the tick of 0.1, one lot is 0.001."""

LEVEL, TRADE = 1, 2
"""Kinds of rows. The sign is the side: bid level and buying aggressor above zero, ask level and seller below."""

COLUMNS = {"ts_event_ns": np.int64, "ts_recv_ns": np.int64, "kind": np.int8, "price": np.int32, "lots": np.int32,
           "is_last": np.bool_}  # fmt: skip


class Chunk(NamedTuple):
    """Consecutive rows as Python lists; its last message may go on in the next chunk."""

    ts_event_ns: list[int]
    ts_recv_ns: list[int]
    kind: list[int]
    price: list[int]
    lots: list[int]
    is_last: list[bool]


class Tape:
    """The columns of one workload on disk, read in chunks so that memory stays flat."""

    def __init__(self, folder: Path) -> None:
        """Open what `write` has written."""
        self.folder = folder
        self.about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self.rows: int = self.about["rows"]

    def chunks(self, rows: int = ROWS_A_CHUNK) -> Iterator[Chunk]:
        """Yield all rows in order. Read, not mapped: mapped pages would count as memory of the process."""
        files = [(self.folder / f"{name}.npy").open("rb") for name in COLUMNS]
        try:
            for file in files:
                np.lib.format.read_magic(file)
                np.lib.format.read_array_header_1_0(file)
            left = self.rows
            while left:
                count = min(rows, left)
                read = zip(files, COLUMNS.values(), strict=True)
                yield Chunk(*(np.fromfile(file, kind, count).tolist() for file, kind in read))
                left -= count
        finally:
            for file in files:
                file.close()


def tape(rows: int, place: Path, seed: int = SEED) -> Tape:
    """Return the workload of so many rows (and the rest of the last message), made now unless it lies in place.

    Compiled code makes it; who only reads a tape does not pay for loading the compiler.
    """
    folder = place / f"workload-{VERSION}-{seed}-{rows}"
    if not (folder / "about.json").exists():
        from benchmarks import generator  # noqa: PLC0415

        columns = generator.made(rows, seed)
        write(columns, folder, {"seed": seed, **generator.described(columns), "sha256": digest(columns)})
    return Tape(folder)


def digest(columns: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of all columns in their order."""
    found = sha256()
    for name in COLUMNS:
        found.update(columns[name].tobytes())
    return found.hexdigest()


def write(columns: dict[str, np.ndarray], folder: Path, about: dict[str, object]) -> None:
    """Write the columns and what they are; a folder that is there is whole."""
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, values in columns.items():
        np.save(draft / f"{name}.npy", values)
    (draft / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    draft.rename(folder)
