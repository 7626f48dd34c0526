"""The layouts we can read, how to tell them apart, and the one door to all of them.

Laws: a path is never guessed: what no layout recognizes is refused in one sentence that names those there are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from backtest.importers import (
    binance_csv,
    binance_ws,
    bybit_ob500,
    hyperliquid_archive,
    hyperliquid_csv,
    hyperliquid_ws,
    standx_parquet,
    tardis_csv,
)
from backtest.importers.reading import files_in, first_line, lines_of
from backtest.importers.recording import Recording
from domain.errors import DataInvalid


class Layout(NamedTuple):
    """One way recordings are written down."""

    name: str
    description: str
    recognizes: Callable[[Path], bool]
    load: Callable[[Path, str | None], Recording]


LAYOUTS: dict[str, Layout] = {
    module.LAYOUT: Layout(module.LAYOUT, module.DESCRIPTION, module.recognizes, module.load)
    for module in (
        hyperliquid_archive,
        hyperliquid_csv,
        hyperliquid_ws,
        binance_ws,
        standx_parquet,
        tardis_csv,
        binance_csv,
        bybit_ob500,
    )
}


def detect(path: Path) -> Layout:
    """Return the layout of a file or folder.

    Raises: DataInvalid when nothing is there, or nothing we can read; names the layouts, and folders that would do.
    """
    files = files_in(path)
    for layout in LAYOUTS.values():
        if layout.recognizes(path):
            return layout
    if path.is_file():
        beginning = first_line(path)
        if not beginning and next(lines_of(path), None) is None:
            raise DataInvalid(str(path), "is empty")
        problem = f"unknown layout (it begins {beginning[:40]!r})"
    else:
        folders = sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        problem = "holds no files of a known layout" if files else "holds no files"
        if folders:
            problem += f", but folders to try: {', '.join(folders[:8])}"
    known = "; ".join(f"{layout.name} ({layout.description})" for layout in LAYOUTS.values())
    raise DataInvalid(str(path), f"{problem}; known layouts: {known}")


def load(path: Path, coin: str | None = None) -> Recording:
    """Read a recording of any known layout: one coin of it, or all.

    Raises: DataInvalid with one sentence that names the file and, where there is one, the line.
    """
    return detect(path).load(path, coin)
